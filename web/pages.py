"""The pages for people: the gallery, the queue with its decisions, pictures, and the files pages need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from web import gallery, listing, pictures, render, status
from web.access import Form, Parts, here, here_or_reads
from worker import decisions
from worker.errors import HandbillError, NotFound

FOR_EVER = "private, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)
local = [Depends(here)]


@router.get("/", dependencies=local)
def home() -> Response:
    """The gallery is the front page."""
    return RedirectResponse("/gallery", 307)


@router.get("/gallery", dependencies=local)
def show_gallery(request: Request, parts: Parts, article: str = "", cursor: str = "") -> Response:
    """Every post as its reader sees it, by article; one article alone if it is named."""
    if article:
        groups, following = [gallery.group(parts, article, src=pictures.src)], None
    else:
        groups, following = gallery.groups(parts, after=listing.read_cursor(cursor), src=pictures.src)
    return render.page(
        request,
        "gallery.html",
        layout="base.html",
        groups=groups,
        one=bool(article),
        cursor=cursor,
        following=listing.write_cursor(following) if following else "",
    )


class Part(BaseModel):
    """Which part of the queue is shown: a group, from a place on, with one row open; ``said`` is what was decided."""

    show: str = "all"
    cursor: str = ""
    open: str = ""
    said: str = ""


@router.get("/queue", dependencies=local)
def show_queue(request: Request, parts: Parts, part: Annotated[Part, Query()]) -> Response:
    """Every delivery and where it stands."""
    if part.show not in status.GROUPS:
        raise HTTPException(404, f"There is no part {part.show} of the queue.")
    found, following = listing.page(
        parts.deliveries, status.GROUPS[part.show], most=status.ROWS, after=listing.read_cursor(part.cursor)
    )
    accounts = gallery.accounts_of(parts, found)
    now = parts.now()
    chosen = next((d for d in found if d.id == part.open), None)
    return render.page(
        request,
        "queue.html",
        board=status.board(parts),
        rows=[status.row(d, accounts.get(d.account), now=now) for d in found],
        opened=status.opened(parts, chosen) if chosen else None,
        open=chosen.id if chosen else "",
        show=part.show,
        cursor=part.cursor,
        following=listing.write_cursor(following) if following else "",
        now=now,
        said=part.said,
    )


@router.post("/queue/{delivery}/{decision}")
def decide(request: Request, parts: Parts, sent: Form, delivery: str, decision: str) -> Response:
    """What a person decides about a post; the queue is shown again with what came of it."""
    match decision:
        case "retry":
            decisions.retry(parts.deliveries, delivery)
        case "cancel":
            decisions.cancel(parts.deliveries, delivery)
        case "approve":
            decisions.approve(parts.deliveries, delivery)
        case "resolve":
            decisions.resolve(parts.deliveries, delivery, there=_found(sent))
        case _:
            raise NotFound(f"There is no decision {decision}")
    show = sent.get("show", "all")
    back = request.url_for("show_queue").path
    kept = show if show in status.GROUPS else "all"
    return RedirectResponse(f"{back}?show={kept}&open={delivery}&said={decision}#d-{render.anchor(delivery)}", 303)


def _found(sent: Mapping[str, str]) -> str:
    """Where a person found a parked post; empty if they said that it is not there, and only then."""
    there = sent.get("there", "").strip()
    if sent.get("answer") not in {"there", "again"} or (sent["answer"] == "there" and not there):
        raise HandbillError("Where is it?", do="Give the address or id of the post you found")
    return there if sent["answer"] == "there" else ""


@router.get("/live", dependencies=local)
async def live(request: Request) -> Response:
    """Events that say "look again"."""
    return StreamingResponse(
        request.app.state.live.stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@router.get("/media/{name}", dependencies=[Depends(here_or_reads)])
def media(parts: Parts, name: str) -> Response:
    """A picture by its content's hash; nothing else has a name here."""
    found = pictures.find(parts.settings.data_dir / "media", name)
    if not found:
        raise NotFound("There is no such picture")
    return FileResponse(found[0], media_type=found[1], headers={"Cache-Control": FOR_EVER})


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A file that pages need; its address changes with its content."""
    if name not in render.assets():
        raise NotFound("There is no such file")
    asset = render.assets()[name]
    return Response(asset.content, media_type=asset.kind, headers={"Cache-Control": FOR_EVER})
