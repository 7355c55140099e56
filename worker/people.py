"""Who people are and what each role may do: users, roles, sessions, invitations; plain records and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.errors import HandbillError

EMAIL = re.compile(r"[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,253}")
WORKSPACE = re.compile(r"[a-z0-9-]{1,32}")
NAME_MOST = 80


class Role(StrEnum):
    """What somebody is in a workspace."""

    OWNER = "owner"
    EDITOR = "editor"
    APPROVER = "approver"
    VIEWER = "viewer"


class May(StrEnum):
    """What a page or an address asks of whoever opens it."""

    LOOK = "look"
    WRITE = "write"
    APPROVE = "approve"
    OPERATE = "operate"
    RULE = "rule"


RIGHTS: Mapping[Role, frozenset[May]] = {
    Role.OWNER: frozenset(May),
    Role.EDITOR: frozenset({May.LOOK, May.WRITE, May.OPERATE}),
    Role.APPROVER: frozenset({May.LOOK, May.APPROVE, May.OPERATE}),
    Role.VIEWER: frozenset({May.LOOK}),
}
"""Editors write and do not approve, approvers approve and do not write: two pairs of eyes, unless an owner is both."""

ROLES: Mapping[Role, str] = {
    Role.OWNER: "everything, and the team, the accounts and the settings",
    Role.EDITOR: "writes, plans, moves and cancels posts; does not approve",
    Role.APPROVER: "approves posts, and stops, cancels and settles them; does not write",
    Role.VIEWER: "looks and changes nothing",
}


SCOPES = ("read", "write", "admin")
"""What an API token may do; each may do what those before it may."""

CALENDAR = "calendar"
"""The scope of a token that is a calendar's secret address and opens nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who signs in. ``zone`` is an IANA zone: the browser's, unless ``zone_fixed``; empty until known."""

    id: str
    email: str
    name: str
    zone: str = ""
    zone_fixed: bool = False
    created_at: datetime | None = None

    @property
    def visitor(self) -> bool:
        """Whether this is only the demo's guest, who has no way in but a one-time link."""
        return not self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that is signed in. ``id`` is the hash of what its cookie holds."""

    id: str
    user: str
    workspace: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    agent: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A way into a workspace for one person, once; ``id`` is the hash of what the link holds."""

    id: str
    email: str
    workspace: str
    role: Role
    by: str
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something, as the audit log names them: ``kind`` is person, token, command, rule or link."""

    kind: str
    id: str
    name: str
    where: str = ""


def email_of(text: str) -> str:
    """A mail address as it is kept and compared; raises HandbillError."""
    found = text.strip()
    if not EMAIL.fullmatch(found) or len(found) > 254:
        raise HandbillError(f"{found!r} is no mail address", do="Write it as name@example.org")
    return found.casefold()


def name_of(text: str, *, otherwise: str = "") -> str:
    """A name for people, on one line; raises HandbillError if nothing is left."""
    found = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or otherwise
    if not found or len(found) > NAME_MOST:
        raise HandbillError("A name is needed", why=f"it has 1 to {NAME_MOST} characters")
    return found


def workspace_of(text: str) -> str:
    """A workspace's id; raises HandbillError."""
    if not WORKSPACE.fullmatch(text):
        do = "Use small letters, digits and hyphens, at most 32"
        raise HandbillError(f"{text!r} is no id of a workspace", do=do)
    return text


def role_of(text: str) -> Role:
    """A role by its name; raises HandbillError."""
    try:
        return Role(text)
    except ValueError:
        raise HandbillError(f"There is no role {text!r}", do=f"Use {', '.join(Role)}") from None


def scope_of(text: str) -> str:
    """What a token may do, by its name; raises HandbillError."""
    if text not in {*SCOPES, CALENDAR}:
        raise HandbillError(f"There is no scope {text}", do=f"Use {', '.join(SCOPES)} or {CALENDAR}")
    return text
