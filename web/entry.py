"""The ways in and out: first run, signing in and out, one-time links, invitations, and which workspace is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import available_timezones

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from web import cookies, render
from web.access import Anyone, Form, Parts, Viewer, Where, local
from web.place import Place, network_of
from worker import factors, oidc, passwords, schedule, team
from worker.errors import HandbillError, NotFound
from worker.people import User
from worker.runtime import Runtime

HALF = timedelta(minutes=10)
"""How long a password is good for while the code is looked up."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form, as a browser and a password manager understand it."""

    name: str
    label: str
    type: str = "text"
    value: str = ""
    autocomplete: str = "off"
    hint: str = ""
    required: bool = True
    fixed: bool = False
    shortest: int = 0
    code: bool = False


def _new_password() -> Field:
    return Field(
        name="password",
        label="Password",
        type="password",
        autocomplete="new-password",
        shortest=passwords.SHORTEST,
        hint=f"At least {passwords.SHORTEST} characters; four words that do not belong together are good.",
    )


def _page(request: Request, heading: str, *, status: int = 200, **values: Any) -> Response:
    given: dict[str, Any] = {
        "lead": "",
        "problem": "",
        "fields": (),
        "hidden": {},
        "others": (),
        "action": "",
        "button": "",
    }
    return render.page(request, "entry.html", status=status, heading=heading, **{**given, **values})


def begin_session(
    parts: Runtime, request: Request, where: Place, user: User, *, how: str, back: str = "/", workspace: str = ""
) -> Response:
    """Sign ``user`` in with a new session, whatever this browser had before, and lead them ``back``."""
    roles = parts.people.memberships(user.id)
    if not roles:
        raise HTTPException(403, "You are in no workspace. Ask an owner to invite you again.")
    old = cookies.read(request, "session", where)
    before = parts.people.session(old) if old else None
    if before is not None:
        parts.people.end_session(before[1].id, before[0].id)
    wanted = workspace or parts.settings.workspace
    home = wanted if wanted in roles else next(iter(roles))
    agent = request.headers.get("user-agent", "")
    secret = parts.people.open_session(user.id, home, agent=agent, address=where.address)
    device = cookies.read(request, "device", where)
    if not parts.people.knows_device(user.id, device):
        device = parts.people.remember_device(user.id)
    team.signed_in(parts, user, how=how, where=where.address)
    answer = RedirectResponse(local(back), 303)
    cookies.give(answer, "session", secret, where)
    cookies.give(answer, "device", device, where, seconds=cookies.DEVICE_SECONDS)
    cookies.take(answer, "visit", where)
    return answer


def zone_of(text: str) -> str:
    """A zone that a browser named, by its current name, if there is one of that name."""
    return schedule.current(text) if text in available_timezones() else ""


def _learn_zone(parts: Runtime, user: User, zone: str) -> User:
    known = zone_of(zone)
    if known and not user.zone_fixed and known != user.zone:
        user = parts.people.with_zone(user, known)
    return user


@router.get("/sign-in")
def show_sign_in(
    request: Request, parts: Parts, person: Anyone, back: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Where somebody says who they are."""
    if person is not None:
        return RedirectResponse(local(back), 303)
    return _sign_in_page(request, parts, back=back)


def _sign_in_page(
    request: Request, parts: Runtime, *, back: str, problem: str = "", email: str = "", status: int = 200
) -> Response:
    lead = ""
    if not parts.people.claimed():
        lead = "There is no owner yet. Open the one-time link that handbill up has printed, or run: handbill users add"
    fields = (
        Field(name="email", label="Mail address", type="email", value=email, autocomplete="username"),
        Field(name="password", label="Password", type="password", autocomplete="current-password"),
    )
    return _page(
        request,
        "Sign in",
        status=status,
        lead=lead,
        problem=problem,
        fields=fields,
        hidden={"next": local(back)},
        action="/sign-in",
        button="Sign in",
        others=_provider(parts, back),
    )


def _provider(parts: Runtime, back: str) -> tuple[tuple[str, str], ...]:
    if not oidc.enabled(parts.settings):
        return ()
    return ((f"/oidc/start?next={quote(local(back), safe='')}", f"Sign in with {parts.settings.oidc_name}"),)


@router.post("/sign-in")
def sign_in(request: Request, parts: Parts, where: Where, sent: Form) -> Response:
    """Check the password; a wrong one and an unknown address get the same answer after the same time."""
    back = sent.get("next", "/")
    try:
        user = team.sign_in(
            parts,
            email=sent.get("email", ""),
            password=sent.get("password", ""),
            device=cookies.read(request, "device", where),
            network=network_of(where.address),
            where=where.address,
        )
    except HandbillError as error:
        slow = isinstance(error, team.TooMany)
        page = _sign_in_page(
            request, parts, back=back, problem=str(error), email=sent.get("email", ""), status=429 if slow else 422
        )
        if isinstance(error, team.TooMany):
            page.headers["Retry-After"] = str(error.seconds)
        return page
    user = _learn_zone(parts, user, sent.get("zone", ""))
    return _second_or_in(parts, request, where, user, how="with a password", back=back)


def _second_or_in(parts: Runtime, request: Request, where: Place, user: User, *, how: str, back: str = "/") -> Response:
    """Sign in, or ask for the second factor first."""
    if not factors.enabled(parts, user):
        return begin_session(parts, request, where, user, how=how, back=back)
    half = parts.people.make_link("half", life=HALF, user=user.id, back=local(back), how=how)
    answer = RedirectResponse("/sign-in/code", 303)
    cookies.give(answer, "flow", half, where)
    return answer


@router.get("/sign-in/code")
def show_code(request: Request, parts: Parts, where: Where, person: Anyone) -> Response:
    """The second factor, after the first."""
    del person
    if parts.people.link(cookies.read(request, "flow", where), "half") is None:
        return RedirectResponse("/sign-in", 303)
    return _code_page(request)


def _code_page(request: Request, problem: str = "") -> Response:
    code = Field(
        name="code",
        label="Code",
        autocomplete="one-time-code",
        hint="From your authenticator app; or one of your recovery codes, which works once.",
    )
    return _page(
        request,
        "One more step",
        status=422 if problem else 200,
        problem=problem,
        fields=(code,),
        action="/sign-in/code",
        button="Sign in",
        others=(("/sign-in", "Begin again"),),
    )


@router.post("/sign-in/code")
def code(request: Request, parts: Parts, where: Where, sent: Form) -> Response:
    """Check the code; who knew the password and not the code stays out."""
    cookie = cookies.read(request, "flow", where)
    half = parts.people.link(cookie, "half")
    if half is None:
        return RedirectResponse("/sign-in", 303)
    user = parts.people.user(half["user"])
    try:
        factors.check(parts, user, sent.get("code", ""))
    except HandbillError as error:
        return _code_page(request, str(error))
    if parts.people.take_link(cookie, "half") is None:
        return RedirectResponse("/sign-in", 303)
    how = f"{half['how']} and a code"
    answer = begin_session(parts, request, where, user, how=how, back=half["back"])
    cookies.take(answer, "flow", where)
    return answer


@router.get("/oidc/start")
def oidc_start(parts: Parts, where: Where, back: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Lead to the identity provider."""
    if not oidc.enabled(parts.settings):
        raise NotFound("There is no identity provider", do="Set HANDBILL_OIDC_ISSUER and HANDBILL_OIDC_CLIENT_ID")
    address, cookie = oidc.begin(parts, local(back))
    answer = RedirectResponse(address, 303)
    cookies.give(answer, "flow", cookie, where)
    return answer


@router.get("/oidc/back")
def oidc_back(request: Request, parts: Parts, where: Where, person: Anyone) -> Response:
    """Whoever comes back from the identity provider; its word is a second factor of its own."""
    del person
    if not oidc.enabled(parts.settings):
        raise NotFound("There is no identity provider")
    user, back = oidc.finish(parts, cookies.read(request, "flow", where), request.query_params)
    answer = begin_session(parts, request, where, user, how=f"with {parts.settings.oidc_name}", back=back)
    cookies.take(answer, "flow", where)
    return answer


@router.post("/sign-out")
def sign_out(parts: Parts, where: Where, person: Anyone, sent: Form) -> Response:
    """End this session."""
    del sent
    if person is not None:
        parts.people.end_session(person.user.id, person.session)
    answer = RedirectResponse("/sign-in", 303)
    cookies.take(answer, "session", where)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@router.get("/welcome")
def show_welcome(request: Request, parts: Parts, person: Anyone, link: str = "") -> Response:
    """The first run: the owner account is made."""
    del person
    if parts.people.link(link, "first") is None or parts.people.claimed():
        raise NotFound(
            "This link does not work any more", do="Sign in, or look for the newest link that handbill up printed"
        )
    return _welcome_page(request, link)


def _welcome_page(request: Request, link: str, *, email: str = "", name: str = "", problem: str = "") -> Response:
    return _page(
        request,
        "Welcome",
        status=422 if problem else 200,
        lead="Make the owner account of this installation. You can invite others afterwards.",
        problem=problem,
        fields=(
            Field(name="name", label="Your name", value=name, autocomplete="name"),
            Field(
                name="email",
                label="Mail address",
                type="email",
                value=email,
                autocomplete="username",
                hint="To sign in with; nothing is sent there.",
            ),
            _new_password(),
        ),
        hidden={"link": link},
        action="/welcome",
        button="Make the owner account",
    )


@router.post("/welcome")
def welcome(request: Request, parts: Parts, where: Where, sent: Form) -> Response:
    """Make the owner and sign them in."""
    email, name = sent.get("email", ""), sent.get("name", "")
    link = sent.get("link", "")
    try:
        user = team.make_owner(
            parts,
            link,
            email=email,
            name=name,
            password=sent.get("password", ""),
            zone=zone_of(sent.get("zone", "")),
            where=where.address,
        )
    except NotFound:
        raise
    except HandbillError as error:
        return _welcome_page(request, link, email=email, name=name, problem=str(error))
    return begin_session(parts, request, where, user, how="first run")


@router.get("/enter")
def show_enter(request: Request, parts: Parts, person: Anyone, link: str = "") -> Response:
    """A one-time link that signs somebody in; used up by the button, not by whatever looks at the address."""
    del person
    found = parts.people.link(link, "enter")
    if found is None:
        raise NotFound("This link does not work any more", do="Make another: handbill users link")
    user = parts.people.user(found["user"])
    return _page(
        request,
        "Open the demo" if user.visitor else "Sign in",
        lead=f"This link signs {user.name} in, once." if not user.visitor else "This link works once, on this machine.",
        hidden={"link": link},
        action="/enter",
        button="Open" if user.visitor else "Sign in",
    )


@router.post("/enter")
def enter(request: Request, parts: Parts, where: Where, sent: Form) -> Response:
    """Use the link up."""
    found = parts.people.take_link(sent.get("link", ""), "enter")
    if found is None:
        raise NotFound("This link does not work any more", do="Make another: handbill users link")
    user = _learn_zone(parts, parts.people.user(found["user"]), sent.get("zone", ""))
    return begin_session(parts, request, where, user, how="with a one-time link")


@router.get("/reset")
def show_reset(request: Request, parts: Parts, person: Anyone, link: str = "") -> Response:
    """Choose a password with a one-time link."""
    del person
    found = parts.people.link(link, "reset")
    if found is None:
        raise NotFound("This link does not work any more", do="Ask an owner for a new one")
    return _reset_page(request, link, parts.people.user(found["user"]))


def _reset_page(request: Request, link: str, user: User, problem: str = "") -> Response:
    who = Field(name="email", label="Mail address", type="email", value=user.email, autocomplete="username", fixed=True)
    return _page(
        request,
        "Choose a password",
        status=422 if problem else 200,
        lead=f"For {user.name}. You are signed out everywhere else.",
        problem=problem,
        fields=(who, _new_password()),
        hidden={"link": link},
        action="/reset",
        button="Use this password",
    )


@router.post("/reset")
def reset(request: Request, parts: Parts, where: Where, sent: Form) -> Response:
    """Use the link up and sign in."""
    link = sent.get("link", "")
    try:
        user = team.reset(parts, link, sent.get("password", ""), where=where.address)
    except NotFound:
        raise
    except HandbillError as error:
        found = parts.people.link(link, "reset")
        if found is None:
            raise
        return _reset_page(request, link, parts.people.user(found["user"]), str(error))
    user = _learn_zone(parts, user, sent.get("zone", ""))
    return _second_or_in(parts, request, where, user, how="with a new password")


@router.get("/join")
def show_join(request: Request, parts: Parts, person: Anyone, link: str = "") -> Response:
    """An invitation to a workspace."""
    return _join_page(request, parts, person.user if person else None, link)


def _join_page(
    request: Request, parts: Runtime, me: User | None, link: str, *, name: str = "", problem: str = ""
) -> Response:
    found = parts.people.link(link, "invitation")
    if found is None:
        raise NotFound("This invitation does not work any more", do="Ask for a new one")
    workspace = parts.people.names().get(found["workspace"], found["workspace"])
    lead = f"{found['by']} invites {found['email']} to {workspace}, as {found['role']}."
    hidden, button = {"link": link}, f"Join {workspace}"
    who = Field(
        name="email", label="Mail address", type="email", value=found["email"], autocomplete="username", fixed=True
    )
    fields: tuple[Field, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    if me is not None and me.email == found["email"]:
        fields = (who,)
    elif me is not None:
        problem = problem or f"You are signed in as {me.email or me.name}. Sign out first."
    elif parts.people.by_email(found["email"]):
        problem = problem or f"{found['email']} has an account. Sign in, and this invitation opens again."
        others = ((f"/sign-in?next=/join%3Flink%3D{link}", "Sign in"),)
    else:
        fields = (who, Field(name="name", label="Your name", value=name, autocomplete="name"), _new_password())
    return _page(
        request,
        f"Join {workspace}",
        status=422 if problem else 200,
        lead=lead,
        problem=problem,
        fields=fields,
        hidden=hidden,
        others=others,
        action="/join",
        button=button if fields else "",
    )


@router.post("/join")
def join(request: Request, parts: Parts, where: Where, person: Anyone, sent: Form) -> Response:
    """Take the invitation."""
    link = sent.get("link", "")
    me = person.user if person else None
    name, password, zone = sent.get("name", ""), sent.get("password", ""), zone_of(sent.get("zone", ""))
    invitation = parts.people.link(link, "invitation")
    try:
        user = team.accept(parts, link, name=name, password=password, zone=zone, me=me, where=where.address)
    except NotFound:
        raise
    except HandbillError as error:
        return _join_page(request, parts, me, link, name=name, problem=str(error))
    assert invitation is not None
    if person is not None:
        parts.people.enter(person.session, invitation["workspace"])
        return RedirectResponse("/", 303)
    return begin_session(parts, request, where, user, how="by invitation", workspace=invitation["workspace"])


@router.post("/workspace")
def switch(parts: Parts, person: Viewer, sent: Form) -> Response:
    """Look at another workspace."""
    wanted = sent.get("workspace", "")
    if wanted not in person.workspaces:
        raise NotFound(f"There is no workspace {wanted!r} of yours")
    parts.people.enter(person.session, wanted)
    return RedirectResponse("/", 303)


@router.post("/zone")
def zone(request: Request, parts: Parts, person: Viewer, sent: Form) -> Response:
    """The browser says which zone it is in; times are shown in it from now on, unless another one was chosen."""
    del sent
    known = zone_of(request.headers.get("x-zone", ""))
    if not known or person.user.zone_fixed or known == person.user.zone:
        return Response(status_code=204)
    parts.people.with_zone(person.user, known)
    return Response(status_code=205)  # Reset Content: what the page shows is of another zone
