"""How pages are made: the templates with what they all may use, and the files beside them under a name that changes."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from web import cookies, views
from web.place import Place
from worker import schedule
from worker.content.words import quoted
from worker.settings import TEMPLATES

if TYPE_CHECKING:
    from web.access import Person

PAGES = TEMPLATES / "pages"
STATIC = Path(__file__).resolve().parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

WORKSPACE = "Handbill-Workspace"
"""The header that tells a script whose answer it is: another tab may have chosen another workspace."""

NAVIGATES = "navigate"
"""How a browser that leaves for a page says so: https://www.w3.org/TR/fetch-metadata/#sec-fetch-mode-header"""

LOOKS = frozenset(p.stem for p in (PAGES / "looks").glob("*.html"))


@dataclass(frozen=True, slots=True)
class Asset:
    """A file beside the pages; ``version`` changes with its content, so that browsers may keep it for ever."""

    content: bytes
    kind: str
    version: str


@functools.cache
def assets() -> Mapping[str, Asset]:
    """Every file under ``static`` that a browser may ask for, and the styles of all looks as one."""
    files = {p.name: (p.read_bytes(), KINDS[p.suffix]) for p in STATIC.iterdir() if p.suffix in KINDS}
    looks = ["default", *sorted(LOOKS - {"default"})]
    files["looks.css"] = (b"".join((PAGES / "looks" / f"{n}.css").read_bytes() for n in looks), KINDS[".css"])
    return {name: Asset(c, kind, hashlib.sha256(c).hexdigest()[:12]) for name, (c, kind) in files.items()}


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, escaping everything, failing on a name that is not given."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["asset"] = lambda name: f"/static/{name}?v={assets()[name].version}"
    env.globals["inline"] = lambda name: Markup(assets()[name].content.decode())  # noqa: S704 - our own file
    env.globals["look"] = lambda platform: f"looks/{platform if platform in LOOKS else 'default'}.html"
    env.tests["web"] = lambda address: bool(views.host_of(address))
    env.filters["day"] = day
    env.filters["local"] = local
    env.filters["moment"] = datetime.fromisoformat
    env.filters["elsewhere"] = elsewhere
    env.filters["place"] = place
    env.filters["label"] = views.label_of
    env.filters["browser"] = browser
    env.filters["lapse"] = lapse
    env.filters["address"] = address
    env.filters["sentence"] = sentence
    env.filters["stop"] = stop
    env.filters["anchor"] = anchor
    env.filters["quoted"] = quoted
    return env


def page(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page for whoever is signed in, if somebody is; what was kept to be said to them is said."""
    person: Person | None = getattr(request.state, "person", None)
    where: Place | None = getattr(request.state, "place", None)
    visit = fresh = ""
    if person is None and where is not None:
        visit = cookies.read(request, "visit", where) or (fresh := cookies.new())
    given = {
        "status": status,
        "person": person,
        "form_token": person.form_token if person else cookies.form_token(visit),
        "nonce": request.state.nonce,
        "path": request.url.path,
        "flash": functools.partial(_flash, request, person),
        **values,
    }
    answer = HTMLResponse(environment().get_template(template).render(given), status, dict(headers or {}))
    if person is not None:
        answer.headers[WORKSPACE] = person.workspace
    if fresh and where is not None:
        cookies.give(answer, "visit", fresh, where)
    return answer


def _flash(request: Request, person: Person | None) -> tuple[str, str]:
    """What was kept to be said to ``person`` and how; said once, and not to a script that asks for a part of a page."""
    by_script = "hx-request" in request.headers or request.headers.get("sec-fetch-mode", NAVIGATES) != NAVIGATES
    if person is None or not person.told or by_script:
        return "", ""
    line = request.app.state.parts.people.take_flash(person.session)
    return tuple(json.loads(line)) if line else ("", "")


def day(moment: datetime) -> str:
    """``24 Nov 2026, 09:30`` in the moment's own zone."""
    return f"{moment.day} {moment:%b %Y, %H:%M}"


@jinja2.pass_context
def local(context: jinja2.runtime.Context, moment: datetime, form: str = "") -> Markup:
    """A moment in the viewer's zone, as an element that names the zone; ``form`` is one of strftime's."""
    person = context.get("person")
    there = moment.astimezone(person.zone) if person else moment
    words = f"{there:{form}}" if form else day(there)
    zone = getattr(there.tzinfo, "key", "") or there.tzname() or ""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(there.isoformat(timespec="seconds"), zone, words)


@jinja2.pass_context
def elsewhere(context: jinja2.runtime.Context, moment: datetime, zone: str) -> str:
    """``19:30 in Asia/Kolkata``: what the clock shows in an account's zone, if it differs from the viewer's."""
    person, there = context.get("person"), moment.astimezone(ZoneInfo(zone))
    here = moment.astimezone(person.zone) if person else there
    if here.utcoffset() == there.utcoffset():
        return ""
    another_day = f", {there.day} {there:%b}" if here.date() != there.date() else ""
    return f"{there:%H:%M}{another_day} in {place(zone)}"


def place(zone: str) -> str:
    """A zone as people read it: by its current name, without underscores."""
    return schedule.current(zone).replace("_", " ")


def browser(agent: str) -> str:
    """``Firefox on Linux``, as far as a browser tells."""
    names = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {
        "Android": "Android",
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Windows": "Windows",
        "Mac OS": "macOS",
        "CrOS": "ChromeOS",
        "Linux": "Linux",
    }
    name = next((n for mark, n in names.items() if mark in agent), "") or agent[:40] or "A browser"
    system = next((n for mark, n in systems.items() if mark in agent), "")
    return f"{name} on {system}" if system else name


def anchor(identity: str) -> str:
    """An id as a selector can name it."""
    return identity.replace(".", "-")


def sentence(words: str) -> str:
    """The same with a capital at its start, unless that is an address."""
    return words if words.startswith(("http:", "https:")) else words[:1].upper() + words[1:]


def stop(words: str) -> str:
    """The same with a full stop at its end, if they are any."""
    return words if not words or words.endswith((".", "!", "?", "…")) else f"{words}."


def lapse(span: timedelta) -> str:
    """How long that is, in its largest unit."""
    for seconds, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if span.total_seconds() >= seconds:
            return f"{int(span.total_seconds() // seconds)} {unit}"
    return f"{int(span.total_seconds())} s"


def address(url: str, most: int = 0) -> str:
    """An address as platforms show it: without its scheme, cut after ``most`` characters (0 = not cut)."""
    short = url.partition("://")[2].removeprefix("www.").rstrip("/") or url
    return f"{short[:most]}…" if most and len(short) > most else short
