"""How deliveries, accounts and previews are shown to people in a terminal, and to machines as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from worker.intake.model import Fate, Item, Source, State
from worker.model import Account, Article, Content, Delivery, Event, Status, StepKind

if TYPE_CHECKING:
    from worker.pipeline.renewal import Standing

COLOURS: Mapping[Status, str] = {
    Status.PUBLISHED: "green",
    Status.EDITED: "green",
    Status.SCHEDULED: "blue",
    Status.PREPARING: "cyan",
    Status.PUBLISHING: "cyan",
    Status.UNCONFIRMED: "yellow",
    Status.PARKED: "yellow",
    Status.HELD: "yellow",
    Status.FAILED: "red",
}


def deliveries_table(
    deliveries: Iterable[Delivery], accounts: Mapping[str, Account], titles: Mapping[str, str] | None = None
) -> Table:
    """The status table: one row per delivery, times in the account's zone; ``titles`` of articles by their id."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("delivery", *(["article"] if titles else []), "account", "status", "due", "what happened"):
        table.add_column(column, overflow="fold", no_wrap=column == "delivery")  # an id is there to be copied
    for delivery in deliveries:
        account = accounts.get(delivery.account)
        due = delivery.due.astimezone(ZoneInfo(delivery.zone))
        receipt = delivery.receipt
        happened = (receipt.url or receipt.id) if receipt else delivery.reason
        name = delivery.account.partition(".")[2]
        table.add_row(
            delivery.id,
            *([Text(titles.get(delivery.article, ""))] if titles else []),
            Text(f"{name} (rehearsal)" if account and account.rehearsal else name),
            Text(delivery.status, style=COLOURS.get(delivery.status, "")),
            f"{due:%Y-%m-%d %H:%M} {delivery.zone}",
            Text(happened),
        )
    return table


def delivery_says(delivery: Delivery) -> tuple[list[str], list[str]]:
    """What a delivery says, part by part: as readers see it now, else as it will be sent; and what it said before."""
    there = {m.step: m.post.text for m in delivery.messages}
    made = [s for s in delivery.steps if s.kind not in {StepKind.EDIT, StepKind.DELETE}]
    done = [s.post.text for s in delivery.steps if s.receipt and s.kind is not StepKind.DELETE]
    now = list(there.values()) or ([] if done else [s.post.text for s in made])
    return now, [text for text in dict.fromkeys(done) if text not in now]


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """One delivery for machines; times in UTC, ISO 8601."""
    receipt = delivery.receipt
    said = delivery.says if delivery.steps else None
    there = {m.step: m.post for m in delivery.messages}
    thread = [
        there.get(number, step.post).text
        for number, step in enumerate(delivery.steps)
        if step.kind in {StepKind.POST, StepKind.REPLY} and (number in there or not there or step.receipt is None)
    ]
    return {
        "id": delivery.id,
        "article": delivery.article,
        "account": delivery.account,
        "platform": delivery.platform,
        "workspace": delivery.workspace,
        "status": str(delivery.status),
        "due": _iso(delivery.due),
        "wall": delivery.wall,
        "zone": delivery.zone,
        "attempts": delivery.tries,
        "version": delivery.version,
        "reason": delivery.reason,
        "evergreen": delivery.evergreen,
        "text": said.text if said else "",
        "parts": thread if len(thread) > 1 else [],
        "link": said.link if said else None,
        "media": [{"path": m.path, "width": m.width, "height": m.height, "alt": m.alt} for m in said.media]
        if said
        else [],
        "receipt": {"id": receipt.id, "url": receipt.url} if receipt else None,
        "updated_at": _iso(delivery.updated_at),
    }


def event_json(event: Event) -> dict[str, Any]:
    """One line of history for machines."""
    return {"at": _iso(event.at), "status": str(event.status), "note": event.note, "attempt": event.attempt}


def item_json(item: Item) -> dict[str, Any]:
    """One article that came in, for machines."""
    return {
        "id": item.id,
        "fate": str(item.fate),
        "reason": item.reason,
        "source": item.source,
        "address": item.candidate.address,
        "title": item.title,
        "ways": list(item.ways),
        "of": item.of,
        "article": item.article,
        "deliveries": list(item.deliveries),
        "created_at": _iso(item.created_at),
        "updated_at": _iso(item.updated_at),
        "next_look": _iso(item.next_look),
    }


def advice(item: Item) -> str:
    """What a person can do about an item; empty where there is nothing to be done."""
    match item.fate:
        case Fate.HELD if item.next_look is None:
            return "It waits for you: take it, or leave it out."
        case Fate.HELD:
            return "Its posts are made by themselves once that is over: look again when it is, or take it as it is."
        case Fate.FAILED:
            return "It is not looked at again by itself: mend that, then look again."
        case Fate.INBOX:
            return "Accept it in the inbox."
        case _:
            return ""


def source_json(source: Source, state: State | None) -> dict[str, Any]:
    """One source for machines; never a secret."""
    shown = {
        "id": source.id,
        "kind": str(source.kind),
        "dialect": source.dialect,
        "name": source.name,
        "address": source.shown,
        "private": source.private,
        "accounts": list(source.accounts),
        "active": source.active,
        "reason": source.reason,
        "rules": dataclasses.asdict(source.rules),
    }
    if state is None:
        return shown
    return shown | {
        "health": health(source, state),
        "last_poll": _iso(state.polled),
        "next_poll": _iso(state.next_poll),
        "failures": state.failures,
        "error": state.error,
        "pushed_until": _iso(state.lease_until),
    }


def health(source: Source, state: State) -> str:
    """How a source does, in a word or a line."""
    if not source.active:
        return source.reason or "stopped"
    if state.error:
        return f"{state.error} ({state.failures} times)" if state.failures > 1 else str(state.error)
    if not source.address:
        return "waits for its webhook"
    return "well" if state.read else "not read yet"


def account_json(account: Account) -> dict[str, Any]:
    """One account for machines; never a secret."""
    return {
        "id": account.id,
        "platform": account.platform,
        "name": account.name,
        "url": account.url,
        "workspace": account.workspace,
        "zone": account.zone,
        "rehearsal": account.rehearsal,
        "active": account.active,
        "limits": account.limits,
        "proof": str(account.proof.kind) if account.proof else None,
    }


def standing_json(standing: Standing) -> dict[str, Any]:
    """How an account's token stands, for machines."""
    return {
        "expires": _iso(standing.expires),
        "ends": _iso(standing.ends),
        "renews": standing.renews,
        "refused": standing.refused,
        "outlived": standing.outlived,
    }


def article_json(article: Article) -> dict[str, Any]:
    """The ``article`` object that ``preview`` prints."""
    return {
        "url": article.url,
        "title": article.title,
        "author": article.author,
        "site": article.site,
        "language": article.language,
        "published_at": _iso(article.published_at),
        "text": article.text,
        "image": article.image or None,
    }


def content_json(content: Content) -> dict[str, Any]:
    """The ``content`` object that ``preview`` prints."""
    return {
        "summary": {"short": content.short, "medium": content.medium, "long": content.long},
        "sentences": [{"text": s.text, "source_offset": s.source_offset} for s in content.sentences],
        "hashtags": [f"#{t}" for t in content.hashtags],
        "alt": content.alt,
        "notes": list(content.notes),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
