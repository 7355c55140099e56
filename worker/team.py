"""Use cases of people: the first owner, signing in, invitations, roles, passwords, workspaces; each leaves its line."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import timedelta

from worker import passwords
from worker.errors import HandbillError, NotFound, Refused
from worker.keeping.erasure import erase
from worker.people import Actor, Role, User, email_of, name_of, workspace_of
from worker.runtime import Runtime
from worker.store.people import new_user_id

INVITED = timedelta(days=7)
RESET = timedelta(hours=24)
FIRST = timedelta(hours=24)

NETWORK_EVERY = 30.0
"""Seconds between two wrong guesses of a network, after the first 20."""

NOBODY = HandbillError(
    "The mail address or the password is wrong", do="Try again, or ask an owner for: handbill users reset"
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a sign-in: the user, or that a second factor is asked for first."""

    user: User
    second: bool


class TooMany(HandbillError):
    """Too many tries; ``seconds`` until the next one."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, round(seconds))
        super().__init__("Too many tries", do=f"Wait {self.seconds} s and try again")


def first_link(parts: Runtime) -> str:
    """The secret of a link that makes the owner account; empty if somebody has an account already."""
    return "" if parts.people.claimed() else parts.people.make_link("first", life=FIRST)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def refuse_open(parts: Runtime, host: str) -> None:
    """Raise HandbillError if strangers could reach a web that nobody owns yet."""
    if not is_loopback(host) and not parts.people.claimed():
        do = "Make one first: handbill users add you@example.org"
        raise HandbillError(f"The web does not start open on {host}", why="it has no owner yet", do=do)


def make_owner(parts: Runtime, link: str, *, email: str, name: str, password: str, zone: str, where: str) -> User:
    """Make the first owner, with the demo's guest gone; raises HandbillError and leaves the link usable."""
    if parts.people.link(link, "first") is None or parts.people.claimed():
        raise NotFound("This link does not work any more", do="handbill up prints a new one, unless there is an owner")
    address = email_of(email)
    user = User(id=new_user_id(), email=address, name=name_of(name, otherwise=address.partition("@")[0]), zone=zone)
    kept = passwords.hashed(passwords.acceptable(password, not_in=(address.partition("@")[0], user.name)))
    if parts.people.take_link(link, "first") is None:
        raise NotFound("This link was used meanwhile")
    parts.people.add(replace(user, created_at=parts.now()))
    parts.people.set_password(user.id, kept)
    spaces = {parts.settings.workspace, *parts.records.workspaces()}
    for workspace in spaces:
        parts.people.set_role(user.id, workspace, Role.OWNER)
        actor = Actor(kind="person", id=user.id, name=user.name, where=where)
        parts.audit.record(actor, "owner account made", user.id, workspace=workspace, detail=address)
    for other in parts.people.users():
        if other.visitor:
            remove_user(parts, other)
    return user


def guest(parts: Runtime) -> User:
    """The demo's guest: an owner of the workspace with no way in but a one-time link."""
    found = next((u for u in parts.people.users() if u.visitor), None)
    if found is None:
        found = User(id=new_user_id(), email="", name="Demo", created_at=parts.now())
        parts.people.add(found)
    parts.people.set_role(found.id, parts.settings.workspace, Role.OWNER)
    return found


def sign_in(parts: Runtime, *, email: str, password: str, device: str, network: str, where: str) -> User:
    """Whose mail address and password these are; raises HandbillError, or TooMany.

    A try is counted before it is looked at, by network and by account. A ``device`` that has signed in before has a
    count of its own, so nobody can lock somebody else out by guessing, not even from the same network.
    """
    try:
        user = parts.people.by_email(email_of(email))
    except HandbillError:
        user = None
    known = bool(user) and parts.people.knows_device(user.id, device) if user else False
    whose = user.id if user else email.strip().casefold()[:254]
    bucket = f"device:{whose}:{device[:64]}" if known else f"account:{whose}"
    if not known:
        count(parts, f"network:{network}", most=20, every=NETWORK_EVERY)
    count(parts, bucket, most=10, every=60)
    kept = parts.people.password(user.id) if user else ""
    if not passwords.matches(kept, password) or user is None:
        if user is not None:
            _tell(parts, user, "sign-in failed", where)
        raise NOBODY
    if passwords.outdated(kept):
        parts.people.set_password(user.id, passwords.hashed(password))
    parts.people.forgive(bucket)
    if not known:  # only this try: or whoever has an account here could guess at everybody else's for ever
        parts.people.give_back(f"network:{network}", every=NETWORK_EVERY)
    return user


def count(parts: Runtime, bucket: str, *, most: int, every: float) -> None:
    """Count one try; raises TooMany."""
    if wait := parts.people.try_in(bucket, most=most, every=every):
        raise TooMany(wait)


def signed_in(parts: Runtime, user: User, *, how: str, where: str) -> None:
    """Leave the line of a sign-in in every workspace that the user is in."""
    _tell(parts, user, "signed in", where, how)


def prove(parts: Runtime, user: User, password: str) -> None:
    """Raise HandbillError, or TooMany, unless it is the user's password; whoever has none needs none."""
    count(parts, f"password:{user.id}", most=10, every=60)
    kept = parts.people.password(user.id)
    if kept and not passwords.matches(kept, password):
        raise HandbillError("The current password is wrong", do="Try again")
    parts.people.forgive(f"password:{user.id}")


def change_password(parts: Runtime, user: User, *, current: str, password: str) -> None:
    """Choose another password; raises HandbillError if the current one is wrong or the new one is too weak."""
    prove(parts, user, current)
    local = user.email.partition("@")[0]
    kept = passwords.hashed(passwords.acceptable(password, not_in=(local, user.name)))
    parts.people.set_password(user.id, kept)


def reset_link(parts: Runtime, user: User) -> str:
    """The secret of a link with which somebody chooses a new password."""
    return parts.people.make_link("reset", life=RESET, user=user.id)


def enter_link(parts: Runtime, user: User, *, life: timedelta = RESET) -> str:
    """The secret of a link that signs somebody in, once."""
    return parts.people.make_link("enter", life=life, user=user.id)


def reset(parts: Runtime, link: str, password: str, *, where: str) -> User:
    """Choose a new password; every session ends. Raises HandbillError and leaves the link usable."""
    found = parts.people.link(link, "reset")
    if found is None:
        raise NotFound("This link does not work any more", do="Ask an owner for a new one")
    user = parts.people.user(found["user"])
    local = user.email.partition("@")[0]
    kept = passwords.hashed(passwords.acceptable(password, not_in=(local, user.name)))
    if parts.people.take_link(link, "reset") is None:
        raise NotFound("This link was used meanwhile")
    parts.people.set_password(user.id, kept)
    parts.people.end_sessions(user.id)
    parts.people.forgive(f"account:{user.id}")
    _tell(parts, user, "password reset", where)
    return user


def invite(parts: Runtime, actor: Actor, *, email: str, workspace: str, role: Role) -> str:
    """The secret of a link that lets ``email`` join a workspace; raises HandbillError if they are in it."""
    address = email_of(email)
    known = parts.people.by_email(address)
    if known and known.id in parts.people.members(workspace):
        raise Refused(f"{address} is in this workspace already")
    secret = parts.people.make_link(
        "invitation", life=INVITED, email=address, workspace=workspace, role=role, by=actor.name
    )
    parts.audit.record(actor, "invited", address, workspace=workspace, detail=role)
    return secret


def accept(
    parts: Runtime, link: str, *, name: str = "", password: str = "", zone: str = "", me: User | None, where: str
) -> User:
    """Join by an invitation: ``me`` who is signed in, or a new user of the address it was made for.

    Whoever has an account there must be signed in: a link that was passed on gives nobody else's account away.
    """
    found = parts.people.link(link, "invitation")
    if found is None:
        raise NotFound("This invitation does not work any more", do="Ask for a new one")
    user = me
    kept = ""
    if user is None:
        if parts.people.by_email(found["email"]):
            raise Refused(f"{found['email']} has an account", do="Sign in, then open the invitation again")
        chosen = name_of(name, otherwise=found["email"].partition("@")[0])
        user = User(id=new_user_id(), email=found["email"], name=chosen, zone=zone, created_at=parts.now())
        kept = passwords.hashed(passwords.acceptable(password, not_in=(found["email"].partition("@")[0], chosen)))
    elif user.email != found["email"]:
        raise Refused(f"This invitation is for {found['email']}", why=f"you are signed in as {user.email or user.name}")
    if parts.people.take_link(link, "invitation") is None:
        raise NotFound("This invitation was used meanwhile")
    if me is None:
        parts.people.add(user)
        parts.people.set_password(user.id, kept)
    workspace = found["workspace"]
    if user.id not in parts.people.members(workspace):
        parts.people.set_role(user.id, workspace, Role(found["role"]))
    actor = Actor(kind="person", id=user.id, name=user.name, where=where)
    detail = f"{found['role']}, invited by {found['by']}"
    parts.audit.record(actor, "joined", user.id, workspace=workspace, detail=detail)
    return user


def add_user(parts: Runtime, actor: Actor, *, email: str, name: str, workspace: str, role: Role) -> tuple[User, str]:
    """Somebody new, and the secret of a link with which they choose a password; whoever is there gets the role."""
    address = email_of(email)
    user = parts.people.by_email(address)
    secret = ""
    if user is None:
        chosen = name_of(name, otherwise=address.partition("@")[0])
        user = User(id=new_user_id(), email=address, name=chosen, created_at=parts.now())
        parts.people.add(user)
        secret = reset_link(parts, user)
    parts.people.set_role(user.id, workspace_of(workspace), role)
    parts.audit.record(actor, "added to the team", user.id, workspace=workspace, detail=f"{address}, {role}")
    return user, secret


def change_role(
    parts: Runtime, actor: Actor, user: str, *, workspace: str, role: Role | None, was: Role | None = None
) -> None:
    """Give a member another role, or none; raises NotFound, or Refused for the last owner and if it ``was`` another."""
    if user not in parts.people.members(workspace):
        raise NotFound("There is no such person in this workspace")
    before = parts.people.set_role(user, workspace, role, was=was)
    found = parts.people.user(user)
    what = "role changed" if role else "removed from the team"
    detail = f"{found.email or found.name}: {before} → {role}" if role else f"{found.email or found.name}, {before}"
    parts.audit.record(actor, what, user, workspace=workspace, detail=detail)
    if role is None and not parts.people.memberships(user):
        parts.people.forget(found)  # an address in no workspace could neither sign in nor be invited again


def remove_user(parts: Runtime, user: User) -> None:
    """Forget somebody everywhere; raises Refused where they are the last owner."""
    for workspace in parts.people.memberships(user.id):
        parts.people.set_role(user.id, workspace, None)
    parts.people.forget(user)


def make_workspace(parts: Runtime, actor: Actor, owner: User, *, workspace: str, name: str) -> None:
    """A new workspace with its owner; raises Refused if there is one of that id."""
    identity, called = workspace_of(workspace), name_of(name, otherwise=workspace)
    if identity in parts.records.workspaces() or parts.people.members(identity):
        raise Refused(f"There is a workspace {identity} already")
    parts.people.name_workspace(identity, called)
    parts.people.set_role(owner.id, identity, Role.OWNER)
    parts.audit.record(actor, "workspace made", identity, workspace=identity, detail=called)


def rename_workspace(parts: Runtime, actor: Actor, *, workspace: str, name: str) -> None:
    """Call a workspace something else; its id stays, for it is in every id."""
    called = name_of(name)
    parts.people.name_workspace(workspace, called)
    parts.audit.record(actor, "workspace renamed", workspace, workspace=workspace, detail=called)


def remove_workspace(parts: Runtime, actor: Actor, workspace: str, *, typed: str) -> None:
    """Forget a workspace with all that is in it, if its id was ``typed``.

    Raises Refused while an account is connected or a post may go out.

    Whoever is in no other workspace is forgotten too.
    """
    if workspace not in parts.records.workspaces():
        raise NotFound(f"There is no workspace {workspace}", do="See: handbill workspaces list")
    if typed != workspace:
        raise Refused("Nothing was removed", why=f"type {workspace} to remove it")
    if workspace == parts.settings.workspace:
        raise Refused(f"{workspace} cannot be removed", why="HANDBILL_WORKSPACE names it")
    connected = [a.id for a in parts.records.accounts(workspace)] + [s.id for s in parts.sources.all(workspace)]
    if connected:
        raise Refused(
            f"{workspace} cannot be removed",
            why=f"{connected[0]} is connected",
            do="Remove its accounts and sources first",
        )
    if moving := parts.deliveries.unfinished(workspace):
        raise Refused(f"{workspace} cannot be removed", why=f"{moving} posts may still go out", do="Cancel them first")
    erase(parts, workspace)
    parts.audit.record(actor, "workspace removed", workspace, workspace=parts.settings.workspace)


def _tell(parts: Runtime, user: User, what: str, where: str, detail: str = "") -> None:
    actor = Actor(kind="person", id=user.id, name=user.name, where=where)
    for workspace in parts.people.memberships(user.id):
        parts.audit.record(actor, what, user.id, workspace=workspace, detail=detail)
