"""``handbill users``: who signs in, and the one-time links that let them in again."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from worker.commands.shared import AsJson, Workspace, actor, err, out, parts, print_json, workspace_or_own
from worker.errors import NotFound
from worker.settings import settings

cli = typer.Typer(help="Add and list people, and give them a new way in.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="A mail address; nothing is sent there.")]


@cli.command("add")
def add(
    email: Email,
    *,
    name: Annotated[str, typer.Option(help="What they are called.")] = "",
    role: Annotated[str, typer.Option(help="owner, editor, approver or viewer.")] = "owner",
    workspace: Workspace = "",
    as_json: AsJson = False,
) -> None:
    """Let somebody into a workspace; prints the one-time link with which they choose a password."""
    from worker import team  # noqa: PLC0415 - only what a command needs is loaded
    from worker.people import role_of  # noqa: PLC0415

    with parts() as found:
        where = workspace_or_own(workspace)
        user, secret = team.add_user(found, actor(), email=email, name=name, workspace=where, role=role_of(role))
    link = f"{settings().origin}/reset?link={secret}" if secret else ""
    if as_json:
        print_json({"id": user.id, "email": user.email, "workspace": where, "role": role, "link": link})
        return
    out.print(f"{user.email} is {role} of {where}", markup=False)
    if link:
        err.print("They choose their password here, once, within a day:")
        out.print(link, markup=False, soft_wrap=True)


@cli.command("list")
def show(*, as_json: AsJson = False) -> None:
    """List everybody and what they are where."""
    with parts() as found:
        rows = [(user, found.people.memberships(user.id)) for user in found.people.users()]
    if as_json:
        print_json(
            [
                {k: v for k, v in dataclasses.asdict(u).items() if k in {"id", "email", "name", "zone"}}
                | {"roles": {w: str(r) for w, r in roles.items()}}
                for u, roles in rows
            ]
        )
        return
    if not rows:
        out.print("Nobody yet. Add somebody with: handbill users add you@example.org")
    for user, roles in rows:
        said = ", ".join(f"{r} of {w}" for w, r in roles.items())
        out.print(f"{user.email or '(the demo)':<32} {user.name:<24} {said}".rstrip(), markup=False)


@cli.command("reset")
def reset(
    email: Email,
    *,
    second: Annotated[
        bool, typer.Option("--second-factor", help="Ask for no code any more: the phone is lost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a one-time link with which somebody chooses a new password; they are signed out everywhere then."""
    from worker import team  # noqa: PLC0415

    with parts() as found:
        user = _find(found, email)
        secret = team.reset_link(found, user)
        if second:
            found.people.set_factor(user.id, None)
        for workspace in found.people.memberships(user.id):
            found.audit.record(actor(), "reset link made", user.id, workspace=workspace, detail=user.email)
    _say(f"{settings().origin}/reset?link={secret}", as_json=as_json)


@cli.command("link")
def link(email: Annotated[str, typer.Argument(help="A mail address; the demo's guest if left out.")] = "") -> None:
    """Print a one-time link that signs somebody in without a password."""
    from worker import team  # noqa: PLC0415

    with parts() as found:
        user = _find(found, email) if email else next((u for u in found.people.users() if u.visitor), None)
        if user is None:
            raise NotFound("There is no demo here", do="Name a mail address; see: handbill users list")
        secret = team.enter_link(found, user)
        for workspace in found.people.memberships(user.id):
            found.audit.record(actor(), "sign-in link made", user.id, workspace=workspace, detail=user.email)
    _say(f"{settings().origin}/enter?link={secret}", as_json=False)


def _find(found: Any, email: str) -> Any:
    from worker.people import email_of  # noqa: PLC0415

    user = found.people.by_email(email_of(email))
    if user is None:
        raise NotFound(f"There is nobody with the address {email}", do="See: handbill users list")
    return user


def _say(address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"link": address})
        return
    err.print("Works once, within a day:")
    out.print(address, markup=False, soft_wrap=True)
