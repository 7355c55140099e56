"""The pages of sources: what is followed and how it does, what would be taken, and what became of what came."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from web import listing, render
from web.access import Editor, Form, Operator, Parts, Person, Sent, Viewer, flash, local
from web.house import following
from worker.content import cards
from worker.errors import HandbillError, NotFound
from worker.intake import rules
from worker.intake.model import MEANINGS, POLLED, Fate, Item, Kind, Rules, Source, State
from worker.intake.webhooks import SCHEMES, UNNAMING
from worker.pipeline.follow import short
from worker.runtime import Runtime
from worker.show import advice, health

router = APIRouter(include_in_schema=False)

ROWS = 40
BOXES = ("approve", "embargo")
NUMBERS = ("delay", "most")
TEXTS = ("at", "design", "brand", "template", "warning")
TAGS = ("always", "never")
SAID = {"yes": True, "no": False}
"""Whether an address is a secret, where somebody said so."""

TONES = {
    Fate.NEW: "work",
    Fate.HELD: "warn",
    Fate.PLANNED: "good",
    Fate.INBOX: "wait",
    Fate.SKIPPED: "off",
    Fate.DUPLICATE: "off",
    Fate.FAILED: "bad",
}


@router.get("/sources")
def show_sources(request: Request, parts: Parts, person: Viewer) -> Response:
    """What is followed, and how it does."""
    return _overview(request, parts, person)


def _overview(
    request: Request, parts: Runtime, person: Person, *, problem: str = "", sent: Sent | None = None
) -> Response:
    found = parts.sources.all(person.workspace)
    states = parts.sources.states(s.id for s in found)
    now = parts.now()
    return render.page(
        request,
        "sources.html",
        status=422 if problem else 200,
        rows=[_row(s, states[s.id], now) for s in found],
        counts=parts.sources.count(person.workspace),
        schemes=[s for s in SCHEMES if s not in UNNAMING],
        problem=problem,
        sent=sent or {},
    )


@router.post("/sources/find")
def find(request: Request, parts: Parts, person: Editor, sent: Form) -> Response:
    """Look for the feeds of an address, and show what would be taken; nothing is stored yet."""
    try:
        with following(parts) as follow:
            found = follow.discover(sent.get("address", "").strip())
            would = follow.preview(found[0].feed, Rules(), most=12)
    except HandbillError as error:
        return _overview(request, parts, person, problem=str(error), sent=sent)
    return render.page(
        request,
        "source_new.html",
        found=found,
        would=would,
        accounts=parts.records.accounts(person.workspace),
        pushed=bool(found[0].feed.hub or found[0].feed.cloud),
    )


@router.post("/sources")
def add(request: Request, parts: Parts, person: Editor, sent: Form) -> Response:
    """Follow a feed, or make an address for a webhook."""
    secret = link = ""
    try:
        with following(parts) as follow:
            asked = follow.ruled(None, person.workspace, _said(sent))
            accounts = sent.every("accounts")
            if scheme := sent.get("scheme", ""):
                name = sent.get("name", "")
                source, link, secret = follow.add_hook(
                    person.workspace, scheme, name=name, accounts=accounts, asked=asked
                )
            else:
                source = follow.add(
                    person.workspace,
                    sent.get("address", ""),
                    name=sent.get("name", "").strip(),
                    accounts=accounts,
                    asked=asked,
                    backfill=_number(sent.get("backfill", ""), "old articles"),
                    private=SAID.get(sent.get("private", "")),
                )
    except HandbillError as error:
        return _overview(request, parts, person, problem=str(error), sent=sent)
    detail = source.shown or source.dialect
    parts.audit.record(person.actor, "source added", source.id, workspace=person.workspace, detail=detail)
    if link:
        return _one(request, parts, person, source, link=link, secret=secret)
    flash(parts, person, f"{source.name} is followed from now on.")
    return RedirectResponse(f"/sources/{short(source.id)}", 303)


@router.get("/sources/{name}")
def show(request: Request, parts: Parts, person: Viewer, name: str, cursor: str = "") -> Response:
    """One source: its health, its rules, and what became of what it brought."""
    return _one(request, parts, person, _find(parts, person, name), cursor=cursor)


def _one(
    request: Request,
    parts: Runtime,
    person: Person,
    source: Source,
    *,
    cursor: str = "",
    problem: str = "",
    link: str = "",
    secret: str = "",
) -> Response:
    after = listing.read_cursor(cursor)
    rows = parts.sources.latest(person.workspace, source=source.id, most=ROWS + 1, before=after)
    hook = parts.hooks.of(source.id)
    return render.page(
        request,
        "source.html",
        status=422 if problem else 200,
        row=_row(source, parts.sources.state(source.id), parts.now()),
        items=[_item(i) for i in parts.sources.items(i for _, i in rows[:ROWS])],
        following=listing.write_cursor(rows[ROWS - 1]) if len(rows) > ROWS else "",
        cursor=cursor,
        rules=source.rules,
        include="\n".join(rules.lines(source.rules.include)),
        exclude="\n".join(rules.lines(source.rules.exclude)),
        designs=sorted(cards.DESIGNS),
        brands=[b.name for b in parts.records.brands(person.workspace)],
        accounts=parts.records.accounts(person.workspace),
        address=link or (f"{parts.settings.origin}/hooks/{hook.token}" if hook and person.may("write") else ""),
        secret=secret,
        scheme=hook.scheme if hook else "",
        problem=problem,
    )


@router.post("/sources/{name}/rules")
def change(request: Request, parts: Parts, person: Editor, sent: Form, name: str) -> Response:
    """Set a source's name, accounts and rules."""
    source = _find(parts, person, name)
    try:
        with following(parts) as follow:
            asked = follow.ruled(source.rules, person.workspace, _said(sent, whole=True))
            called = sent.get("name", "").strip()[:100] or source.name
            values: dict[str, Any] = {"rules": asked, "accounts": sent.every("accounts"), "name": called}
            if source.kind in POLLED and "private" in sent:
                values["private"] = SAID.get(sent["private"])
            source = follow.change(source, **values)
    except HandbillError as error:
        return _one(request, parts, person, source, problem=str(error))
    parts.audit.record(person.actor, "source changed", workspace=person.workspace, detail=source.id)
    flash(parts, person, f"{source.name} has its new rules. They hold for what is read from now on.")
    return RedirectResponse(f"/sources/{name}", 303)


@router.post("/sources/{name}/{decision}")
def decide(parts: Parts, person: Editor, sent: Form, name: str, decision: str) -> Response:
    """Poll, stop, start or remove a source, or give it an address for pings."""
    del sent
    source = _find(parts, person, name)
    back = f"/sources/{name}"
    with following(parts) as follow:
        match decision:
            case "poll":
                new, state = follow.poll(source)
                said = state.error or ("One new article." if new == 1 else f"{new or 'No'} new articles.")
                flash(parts, person, said, "bad" if state.error else "good")
                return RedirectResponse(back, 303)
            case "stop":
                follow.stop(source)
                said = f"{source.name} is stopped: nothing is taken from it."
            case "start":
                follow.start(source)
                said = f"{source.name} is followed again, from now on."
            case "hook":
                follow.hook(source, "")
                said = "It has an address for pings now."
            case "remove":
                follow.remove(source)
                said = f"{source.name} is not followed any more. Posts made of its articles stay."
                back = "/sources"
            case _:
                raise NotFound(f"There is no decision {decision}")
    parts.audit.record(person.actor, f"source {decision}", workspace=person.workspace, detail=source.id)
    flash(parts, person, said)
    return RedirectResponse(back, 303)


@router.get("/items")
def show_items(request: Request, parts: Parts, person: Viewer, fate: str = "", cursor: str = "") -> Response:
    """What came in by whatever way, also from no source, and what became of it."""
    if fate and fate not in set(Fate):
        raise NotFound(f"There is no fate {fate[:40]}")
    after = listing.read_cursor(cursor)
    rows = parts.sources.latest(person.workspace, [Fate(fate)] if fate else Fate, most=ROWS + 1, before=after)
    return render.page(
        request,
        "items.html",
        items=[_item(i) for i in parts.sources.items(i for _, i in rows[:ROWS])],
        sources={s.id: s.name or short(s.id) for s in parts.sources.all(person.workspace)},
        counts=parts.sources.count(person.workspace),
        meanings=MEANINGS,
        fate=fate,
        cursor=cursor,
        following=listing.write_cursor(rows[ROWS - 1]) if len(rows) > ROWS else "",
    )


@router.post("/items/{item}/{decision}")
def judge(parts: Parts, person: Operator, sent: Form, item: str, decision: str) -> Response:
    """Take an article whatever the rules say, look at it again, or leave it out."""
    if item.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no item {item}")
    found = parts.sources.item(item)
    match decision:
        case "take":
            parts.intake.release(item)
            said = "It is taken: its posts are made as soon as it has been read."
        case "look":
            parts.intake.look(item)
            said = "It is looked at again: its posts are made if nothing is in the way any more."
        case "leave":
            parts.intake.dismiss(item)
            said = "It is left out, by whatever way it comes again."
        case _:
            raise NotFound(f"There is no decision {decision}")
    parts.audit.record(person.actor, f"item {decision}", workspace=person.workspace, detail=item)
    flash(parts, person, said)
    there = f"/sources/{short(found.source)}" if found.source else "/sources"
    return RedirectResponse(local(sent["back"]) if sent.get("back") else there, 303)


def _find(parts: Runtime, person: Person, name: str) -> Source:
    source = parts.sources.get(f"{person.workspace}.{name}")
    if source.workspace != person.workspace:
        raise NotFound(f"There is no source {name}")
    return source


def _row(source: Source, state: State, now: datetime) -> dict[str, Any]:
    """A source as the pages show it."""
    late = bool(state.next_poll and now - state.next_poll > timedelta(minutes=5))
    if not source.active:
        tone, word = "off", "stopped"
    elif state.error:
        tone, word = ("bad" if state.failures > 2 else "warn"), "trouble"
    elif late:
        tone, word = "warn", "late"
    elif source.kind is Kind.WEBHOOK:
        tone, word = "good", "listening"
    else:
        tone, word = ("good", "well") if state.read else ("work", "not read yet")
    return {
        "source": source,
        "state": state,
        "name": short(source.id),
        "tone": tone,
        "word": word,
        "line": health(source, state),
        "polled": source.kind in POLLED,
        "pushed": bool(state.lease_until and state.lease_until > now),
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "item": item,
        "why": render.sentence(item.reason),
        "again": item.fate is Fate.HELD and item.next_look is not None,
        "advice": advice(item),
        "tone": TONES[item.fate],
        "meaning": MEANINGS[item.fate],
        "title": item.title or item.candidate.address,
        "takes": item.fate in {Fate.HELD, Fate.SKIPPED, Fate.DUPLICATE, Fate.FAILED},
        "looks": item.fate is Fate.FAILED or (item.fate is Fate.HELD and item.next_look is not None),
        "leaves": item.fate in {Fate.NEW, Fate.HELD, Fate.FAILED},
    }


def _said(sent: Sent, *, whole: bool = False) -> dict[str, Any]:
    """The rules that a form says; of the ``whole`` form, a box that is not there was not ticked."""
    said: dict[str, Any] = {name: sent[name].splitlines() for name in ("include", "exclude") if name in sent}
    said |= {name: sent[name].strip() for name in TEXTS if name in sent}
    said |= {name: _number(sent[name], name) for name in NUMBERS if name in sent}
    said |= {name: sent[name].replace(",", " ").split() for name in TAGS if name in sent}
    return said | {name: sent.get(name) == "on" for name in BOXES if whole or name in sent}


def _number(text: str, what: str) -> int:
    text = text.strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 7):
        raise HandbillError(f"{text[:20]!r} is no number of {what}", do="Write digits alone")
    return int(text or 0)
