"""Who may ask for what: people by a session and their role in its workspace, programs by a token with a scope."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import FormData, UploadFile

from web import cookies
from web.place import Place, here, place_of
from worker import schedule
from worker.people import RIGHTS, SCOPES, Actor, May, Role, User
from worker.runtime import Runtime
from worker.store.people import flash_line

FIELDS_MOST = 2000
DIGITS_MOST = 16
"""Python itself refuses numbers of thousands of digits, and reads digits of every script."""

bearer = HTTPBearer(auto_error=False, description="A token made with `handbill tokens create`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def parts_of(request: Request) -> Runtime:
    """The parts this application was made from."""
    parts: Runtime = request.app.state.parts
    return parts


Parts = Annotated[Runtime, Depends(parts_of)]


# People


class SignIn(Exception):
    """Nobody is signed in; ``back`` is where they wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__("Sign in first.")
        self.back = back


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is signed in, looking at ``workspace``; ``workspaces`` are all of theirs, by id, with their names.

    Times are shown in ``zone``. ``session`` is the id of the session and opens nothing; ``told`` is whether a line
    waits to be said to them.
    """

    user: User
    role: Role
    workspace: str
    workspaces: Mapping[str, str]
    session: str
    form_token: str
    address: str
    zone: ZoneInfo
    told: bool

    def may(self, wanted: May | str) -> bool:
        """Whether their role allows it: look, write, approve, operate or rule."""
        return May(wanted) in RIGHTS[self.role]

    @property
    def actor(self) -> Actor:
        """Who they are to the audit log."""
        return Actor(kind="person", id=self.user.id, name=self.user.name, where=self.address)


def place(request: Request, parts: Parts) -> Place:
    """Where the page was asked for; refuses names that are not ours."""
    if not hasattr(request.state, "place"):
        request.state.place = place_of(request, parts.settings)
    found: Place = request.state.place
    return found


Where = Annotated[Place, Depends(place)]


def anyone(request: Request, parts: Parts, where: Where) -> Person | None:
    """Whoever is signed in, if somebody is."""
    if not hasattr(request.state, "person"):
        request.state.person = _signed_in(request, parts, where)
    person: Person | None = request.state.person
    return person


Anyone = Annotated[Person | None, Depends(anyone)]


def _asks(wanted: May) -> Callable[[Request, Person | None], Person]:
    def asked(request: Request, person: Anyone) -> Person:
        if person is None:
            raise SignIn(f"{request.url.path}?{request.url.query}".rstrip("?") if request.method == "GET" else "/")
        if not person.may(wanted):
            who = " or ".join(r for r in Role if wanted in RIGHTS[r])
            line = f"You are {article(person.role)} of {person.workspaces[person.workspace]}; this needs an {who}."
            raise HTTPException(403, line)
        return person

    return asked


def article(role: Role) -> str:
    """``an owner``, ``a viewer``."""
    return f"{'a' if role is Role.VIEWER else 'an'} {role}"


Viewer = Annotated[Person, Depends(_asks(May.LOOK))]
"""Anybody of the workspace."""
Editor = Annotated[Person, Depends(_asks(May.WRITE))]
"""Who writes and plans: editors and owners."""
Approver = Annotated[Person, Depends(_asks(May.APPROVE))]
"""Who approves: approvers and owners."""
Operator = Annotated[Person, Depends(_asks(May.OPERATE))]
"""Who retries, cancels, settles and stops: everybody but viewers."""
Owner = Annotated[Person, Depends(_asks(May.RULE))]
"""Who rules over people, accounts and settings."""


def flash(parts: Runtime, person: Person, text: str, tone: str = "good") -> None:
    """Say ``text`` on the next page this session sees; ``tone`` is good, warn or bad."""
    parts.people.flash(person.session, flash_line(text, tone))


def local(address: str) -> str:
    """``address`` if it is a path of ours, else the front page; a link may not lead people who sign in elsewhere."""
    parts = urlsplit(address)
    ours = address.startswith("/") and not parts.netloc and not parts.scheme and "\\" not in address
    return address if ours and not address.startswith("//") and address.isprintable() else "/"


def sign_in_address(back: str) -> str:
    """The page to sign in on, which leads back."""
    back = local(back)
    return f"/sign-in?next={quote(back, safe='')}" if back != "/" else "/sign-in"


def _signed_in(request: Request, parts: Runtime, where: Place) -> Person | None:
    cookie = cookies.read(request, "session", where)
    found = parts.people.session(cookie) if cookie else None
    if found is None:
        return None
    session, user, roles, told = found
    if not roles:
        raise HTTPException(403, "You are in no workspace any more. Ask an owner to invite you again.")
    workspace = session.workspace if session.workspace in roles else next(iter(roles))
    names = parts.people.names()
    return Person(
        user=user,
        role=roles[workspace],
        workspace=workspace,
        workspaces={w: names.get(w, w) for w in roles},
        session=session.id,
        form_token=cookies.form_token(cookie, workspace),
        address=where.address,
        zone=schedule.zone_of(user.zone or parts.settings.zone),
        told=told,
    )


# Forms


class Sent(dict[str, str]):
    """The fields of a form, the last of each name; ``every`` has all of one name, ``files`` what was uploaded."""

    def __init__(self, data: FormData) -> None:
        super().__init__({k: v for k, v in data.multi_items() if isinstance(v, str)})
        self._all = [(k, v) for k, v in data.multi_items() if isinstance(v, str)]
        self.files: dict[str, UploadFile] = {
            k: v for k, v in data.multi_items() if isinstance(v, UploadFile) and v.filename
        }

    def number(self, name: str) -> int | None:
        """A field that is a number in ASCII digits, small enough for one; None for anything else."""
        text = self.get(name, "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < DIGITS_MOST else None

    def every(self, name: str) -> list[str]:
        """All values of a field, such as of boxes that were ticked."""
        return [v for k, v in self._all if k == name]


async def form(request: Request, where: Where, person: Anyone) -> Sent:
    """The fields of a form that a page of ours sent; refuses one of anybody else's page.

    Its token is in the field ``form_token`` or, if a script sent it, in the header ``X-Form-Token``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    told = Sent(FormData())
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        told = Sent(await request.form(max_fields=FIELDS_MOST, max_files=50))
    origin = request.headers.get("origin")
    ours = origin is None or origin == where.origin
    same = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    given = told.pop("form_token", "") or request.headers.get("x-form-token", "")
    if person is not None:
        token = person.form_token
    else:
        visit = cookies.read(request, "visit", where)
        token = cookies.form_token(visit) if visit else ""
    if not (ours and same and token and hmac.compare_digest(given.encode(), token.encode())):
        raise HTTPException(403, "This form is not from a current page of ours. Load the page again and repeat.")
    return told


Form = Annotated[Sent, Depends(form)]


# Programs


@dataclass(frozen=True, slots=True)
class Caller:
    """The program that asks: it sees its workspace and nothing else."""

    workspace: str
    scope: str
    actor: Actor

    @property
    def rules(self) -> bool:
        """Whether it may approve what others wrote."""
        return self.scope == "admin"


def reads(request: Request, parts: Parts, credentials: Credentials) -> Caller:
    """Whoever holds any token of ours."""
    return _caller(request, parts, credentials, "read")


def writes(request: Request, parts: Parts, credentials: Credentials) -> Caller:
    """Whoever holds a token that may change something."""
    return _caller(request, parts, credentials, "write")


def rules(request: Request, parts: Parts, credentials: Credentials) -> Caller:
    """Whoever holds a token that may approve."""
    return _caller(request, parts, credentials, "admin")


Reader = Annotated[Caller, Depends(reads)]
Writer = Annotated[Caller, Depends(writes)]
Admin = Annotated[Caller, Depends(rules)]


def _caller(request: Request, parts: Runtime, credentials: HTTPAuthorizationCredentials | None, scope: str) -> Caller:
    if credentials is None:
        do = "Send Authorization: Bearer TOKEN; make one with: handbill tokens create --scope read"
        raise HTTPException(401, f"A token is needed. {do}.", {"WWW-Authenticate": "Bearer"})
    found = parts.records.token(credentials.credentials)
    if found is None:
        raise HTTPException(401, "This token is not one of ours.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if found["scope"] not in SCOPES or SCOPES.index(found["scope"]) < SCOPES.index(scope):
        wanted = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        raise HTTPException(403, f"This token may {found['scope']} and not {scope}.", wanted)
    peer = request.client.host if request.client else ""
    return Caller(
        found["workspace"], found["scope"], Actor(kind="token", id=found["id"], name=found["name"], where=peer)
    )


def here_or_reads(request: Request, parts: Parts, credentials: Credentials) -> None:
    """Somebody on this machine, or a program with any token."""
    if credentials is not None or not here(request):
        _caller(request, parts, credentials, "read")


def seen_or_reads(request: Request, parts: Parts, credentials: Credentials) -> str:
    """The workspace of whoever is signed in, or of a program with any token."""
    if credentials is None and "cookie" in request.headers:
        person = anyone(request, parts, place(request, parts))
        if person is not None:
            return person.workspace
    return _caller(request, parts, credentials, "read").workspace
