"""The pages for people: the gallery, the queue with its decisions, pictures, and the files pages need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from web import gallery, listing, pictures, render, status, stops, views
from web.access import Form, Operator, Parts, Person, Viewer, article, seen_or_reads
from worker import approval, decisions
from worker.errors import HandbillError, NotFound
from worker.model import Delivery, Status
from worker.people import May
from worker.pipeline import edit

FOR_EVER = "private, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(person: Viewer) -> Response:
    """What waits for whoever it is: new articles, posts to approve, or, for who only looks, what goes out when."""
    if person.user.visitor:  # the demo shows what became of its article
        return RedirectResponse("/gallery", 307)
    first = "/inbox" if person.may(May.WRITE) else "/queue?show=decide" if person.may(May.APPROVE) else "/calendar"
    return RedirectResponse(first, 307)


@router.get("/gallery")
def show_gallery(request: Request, parts: Parts, person: Viewer, article: str = "", cursor: str = "") -> Response:
    """Every post as its reader sees it, by article; one article alone if it is named."""
    src = pictures.src(parts.vault, person.workspace)
    if article:
        _ours(person, article, f"There are no posts of an article {article}")
        groups, following = [gallery.group(parts, article, src=src, zone=person.zone)], None
    else:
        groups, following = gallery.groups(
            parts,
            after=listing.read_cursor(cursor),
            src=src,
            zone=person.zone,
            workspace=person.workspace,
        )
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


@router.get("/queue")
def show_queue(request: Request, parts: Parts, person: Viewer, part: Annotated[Part, Query()]) -> Response:
    """Every delivery and where it stands."""
    if part.show == "double":
        ours = [d for d in parts.deliveries.doubles() if d.startswith(f"{person.workspace}.")]
        found, following = list(parts.deliveries.several(ours[: status.ROWS])), None
    elif part.show in status.GROUPS or part.show in status.CORNERS:
        found, following = listing.page(
            parts.deliveries,
            status.GROUPS.get(part.show) or status.CORNERS[part.show],
            most=status.ROWS,
            after=listing.read_cursor(part.cursor),
            workspace=person.workspace,
        )
    else:
        raise HTTPException(404, f"There is no part {part.show} of the queue.")
    if part.open.startswith(f"{person.workspace}.") and part.open not in {d.id for d in found}:
        found = [*parts.deliveries.several([part.open]), *found]
    accounts = gallery.accounts_of(parts, found)
    known = parts.records.accounts(person.workspace)
    now = parts.now()
    chosen = next((d for d in found if d.id == part.open), None)
    return render.page(
        request,
        "queue.html",
        board=(board := status.board(parts, person.workspace)),
        rows=[status.row(d, accounts.get(d.account), now=now, paused=board.paused) for d in found],
        stoppable=[(a, views.label_of(a.platform)) for a in known],
        names={a.id: f"{views.label_of(a.platform)} {a.name}" for a in known} | dict(person.workspaces),
        stops_all=stops.stops_all(parts, person),
        seal=approval.seal(chosen) if chosen else "",
        attempt=chosen.fence if chosen else "",
        opened=status.opened(parts, chosen) if chosen else None,
        post=views.shown(
            chosen,
            accounts.get(chosen.account),
            src=pictures.src(parts.vault, person.workspace),
            zone=person.zone,
        )
        if chosen
        else None,
        open=chosen.id if chosen else "",
        show=part.show,
        cursor=part.cursor,
        following=listing.write_cursor(following) if following else "",
        now=now,
        said=part.said,
    )


@router.post("/queue/{delivery}/{decision}")
def decide(request: Request, parts: Parts, person: Operator, sent: Form, *, delivery: str, decision: str) -> Response:
    """What a person decides about a post; the queue is shown again with what came of it."""
    _ours(person, delivery, f"There is no delivery {delivery}")
    detail, name, approves, said = "", person.user.name, person.may(May.APPROVE), decision
    match decision:
        case "retry":
            said = _came_of(decision, edit.retry(parts, delivery, by=name, approves=approves))
        case "cancel":
            decisions.cancel(parts.deliveries, delivery, by=name)
        case "approve":
            if not approves:
                raise HTTPException(403, f"You are {article(person.role)}; approving needs an owner or an approver.")
            detail = sent.get("seal", "")
            edit.approve(parts, delivery, seal=detail, by=name)
        case "resolve":
            detail = _found(sent)
            number = sent.get("attempt", "")
            attempt = int(number) if number.isascii() and number.isdigit() else None
            found = edit.resolve(parts, delivery, there=detail, seen=attempt, by=name, approves=approves)
            said = _came_of(decision, found)
        case "done":
            detail = sent.get("link", "").strip()
            decisions.done(parts.deliveries, delivery, link=detail, by=name)
        case "send-back":
            detail = edit.send_back(parts, delivery, sent.get("why", ""), by=name).reason
        case _:
            raise NotFound(f"There is no decision {decision}")
    word = decisions.DONE.get(decision, "sent back")
    parts.audit.record(person.actor, word, delivery, workspace=person.workspace, detail=detail)
    show = sent.get("show", "all")
    back = request.url_for("show_queue").path
    kept = show if show in {*status.GROUPS, *status.CORNERS, "double"} else "all"
    return RedirectResponse(f"{back}?show={kept}&open={delivery}&said={said}#d-{render.anchor(delivery)}", 303)


def _ours(person: Person, identity: str, otherwise: str) -> None:
    """Raise NotFound for what is another workspace's: its ids begin with its name."""
    if identity.partition(".")[0] != person.workspace:
        raise NotFound(otherwise)


def _came_of(decision: str, delivery: Delivery) -> str:
    """What to say of a decision: what was to be sent again may be held, if its article was corrected since."""
    return "held" if delivery.status is Status.HELD else decision


def _found(sent: Mapping[str, str]) -> str:
    """Where a person found a parked post; empty if they said that it is not there, and only then."""
    there = sent.get("there", "").strip()
    if sent.get("answer") not in {"there", "again"} or (sent["answer"] == "there" and not there):
        raise HandbillError("Where is it?", do="Give the address or id of the post you found")
    return there if sent["answer"] == "there" else ""


@router.get("/live")
async def live(request: Request, person: Viewer) -> Response:
    """Events that say "look again"."""
    del person
    return StreamingResponse(
        request.app.state.live.stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@router.get("/media/{name}")
def media(parts: Parts, workspace: Annotated[str, Depends(seen_or_reads)], name: str, s: str = "") -> Response:
    """A picture by its content's hash, signed for the workspace; nothing else has a name here."""
    found = pictures.find(parts.settings.data_dir / "media", name)
    if not found or not pictures.theirs(parts.vault, workspace, name, s):
        raise NotFound("There is no such picture")
    return FileResponse(found[0], media_type=found[1], headers={"Cache-Control": FOR_EVER})


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A file that pages need; its address changes with its content."""
    if name not in render.assets():
        raise NotFound("There is no such file")
    asset = render.assets()[name]
    return Response(asset.content, media_type=asset.kind, headers={"Cache-Control": FOR_EVER})
