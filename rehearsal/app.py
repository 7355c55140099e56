"""The rehearsal server: every stand-in under its own name, what they saw, their faults. Stand-ins, not platforms."""

from __future__ import annotations

import functools
import html
import importlib
import pkgutil
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

import rehearsal
from rehearsal import visits
from rehearsal.world import Faults, Platform, Received, Refused, World, bearer

OURS = {"__main__", "app", "graph", "letters", "oauth", "text", "visits", "world"}


def stand_ins() -> list[type[Platform]]:
    """One class for each module of this folder that is not shared: the folder listing is the registry."""
    names = sorted(m.name for m in pkgutil.iter_modules(rehearsal.__path__) if m.name not in OURS)
    modules = [importlib.import_module(f"rehearsal.{name}") for name in names]
    return [
        v
        for m in modules
        for v in vars(m).values()
        if isinstance(v, type) and v.__module__ == m.__name__ and issubclass(v, Platform)
    ]


async def _set_clock(world: World, request: Request) -> Response:
    """From now on the stand-ins' clock shows the instant that is told: a rehearsed week passes in seconds."""
    try:
        ahead = datetime.fromisoformat(await request.json()) - datetime.now(UTC)
    except (ValueError, TypeError) as error:
        raise HTTPException(400, str(error)) from error
    world.now = lambda: datetime.now(UTC) + ahead
    return Response(status_code=204)


def build(world: World) -> ASGIApp:
    """The ASGI app that speaks for every stand-in of ``world``."""
    platforms = {p.name: p(world) for p in stand_ins()}

    async def seen(request: Request) -> Response:
        return JSONResponse(world.seen(deleted=request.query_params.get("deleted") == "1"))

    async def counts(request: Request) -> Response:
        del request
        return JSONResponse(world.counts())

    async def faults(request: Request) -> Response:
        name = request.path_params["platform"]
        if name not in platforms and name not in visits.NAMES:
            raise HTTPException(404, f"no stand-in {name!r}; there are {', '.join(platforms)}")
        try:
            world.faults[name] = Faults.read(await request.json())
        except (ValueError, TypeError) as error:
            raise HTTPException(400, str(error)) from error
        return Response(status_code=204)

    routes: list[Route | Mount] = [
        Route("/_seen", seen),
        Route("/_clock", functools.partial(_set_clock, world), methods=["PUT"]),
        Route("/_counts", counts),
        Route("/_faults/{platform}", faults, methods=["PUT"]),
        *visits.Visits(world).routes(),
    ]
    routes += [Mount(f"/{platform.name}/{{account}}", app=_StandIn(platform)) for platform in platforms.values()]

    async def refused(request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, Refused)
        return error.answer

    inner = Starlette(routes=routes, exception_handlers={Refused: refused})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            # The only way to vanish without an answer: uvicorn's ``send`` is bound to what holds the transport.
            scope["rehearsal.close"] = send.__self__.transport.abort  # type: ignore[attr-defined]  # see above
        await inner(scope, receive, send)

    return app


class _StandIn:
    """One platform's addresses, made when the first of them is asked for: nobody speaks to all of them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @functools.cached_property
    def _router(self) -> Router:
        own = (_guarded(self._platform, route) for route in self._platform.routes())
        return Router([*own, *_reading(self._platform)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)


def _guarded(platform: Platform, route: BaseRoute) -> BaseRoute:
    """``route`` for those whose token has not ended, where the stand-in gives tokens of its own."""
    desk = platform.desk
    if desk is None or not isinstance(route, Route):
        return route
    endpoint = route.endpoint
    if getattr(endpoint, "__self__", None) is desk:
        return route

    async def guarded(request: Request) -> Response:
        token = bearer(request)
        if token and not desk.good(platform.account(request), token):
            dead: Response = desk.shape.dead()
            return dead
        answer: Response = await endpoint(request)
        return answer

    return Route(route.path, guarded, methods=sorted(route.methods or ()))


def serve_from(folder: Path) -> ASGIApp:
    """The app over what is kept in ``folder``."""
    return build(World(folder))


def _reading(platform: Platform) -> list[Route]:
    """What a person with a browser sees: a post's page and its pictures."""

    async def post(request: Request) -> Response:
        account = platform.account(request)
        found = account.alive(request.path_params["number"])
        if found is None:
            raise HTTPException(404, "no such post")
        return HTMLResponse(page(found, platform.home(request)))

    async def picture(request: Request) -> Response:
        account = platform.account(request)
        name = f"media/{request.path_params['file']}"
        if not any(p.path == name for p in account.pictures.values()):
            raise HTTPException(404, "no such picture")
        return FileResponse(account.folder / name)

    return [
        Route("/posts/{number}", post),
        Route("/media/{file}", picture),
        Route(platform.public, post),
    ]


def page(post: Received, home: str) -> str:
    """One post as a reader of the platform would see it, in plain HTML."""
    text, done = "", 0
    for facet in post.facets:
        said = html.escape(post.text[facet["start"] : facet["end"]])
        text += html.escape(post.text[done : facet["start"]])
        web = facet["type"] == "link" and str(facet["value"]).startswith(("http://", "https://"))
        text += (
            f'<a href="{html.escape(facet["value"])}" rel="nofollow noopener">{said}</a>' if web else f"<b>{said}</b>"
        )
        done = facet["end"]
    text += html.escape(post.text[done:])
    pictures = "".join(
        f'<figure><img src="{home}/{html.escape(p.path)}" alt="{html.escape(p.alt)}">'
        f"<figcaption>{html.escape(p.alt) or 'No alt text'}</figcaption></figure>"
        for p in post.pictures
    )
    card = ""
    if post.card and post.card["url"].startswith(("http://", "https://")):
        address, about = html.escape(post.card["url"]), html.escape(post.card["description"])
        card = f'<p class="card"><a href="{address}">{html.escape(post.card["title"]) or address}</a> {about}</p>'
    who = f"{html.escape(post.account)} on {html.escape(post.platform)} (rehearsal)"
    return PAGE.format(who=who, at=f"{post.at[:10]} {post.at[11:16]} UTC", text=text, pictures=pictures, card=card)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{who}</title><style>
body {{ font: 1.0625rem/1.55 system-ui, sans-serif; max-width: 36rem; margin: 2rem auto; padding: 0 1rem; }}
.text {{ white-space: pre-wrap; overflow-wrap: anywhere; }} .text b {{ font-weight: 600; }}
img {{ max-width: 100%; border-radius: .5rem; }} figure {{ margin: 1rem 0; }}
figcaption, header {{ font-size: .875rem; opacity: .75; }}
.card {{ border: 1px solid; padding: .75rem 1rem; border-radius: .5rem; }}
</style></head><body><header>{who}<br><time>{at}</time></header>
<p class="text" dir="auto">{text}</p>{pictures}{card}</body></html>
"""
