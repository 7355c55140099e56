"""Other systems are told what became of posts: a signed webhook for each move, told again until it is taken."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from publishers.core.errors import PublishError, Rejected
from publishers.core.http import Http
from worker import show
from worker.errors import HandbillError, NotFound
from worker.intake import private
from worker.model import Delivery, Status, digest
from worker.settings import Settings
from worker.store.deliveries import Deliveries
from worker.store.listeners import Listener, Listeners, Notice, new_id, new_secret, text_of

log = structlog.get_logger()

TOLD: tuple[Status, ...] = (
    Status.AWAITING_APPROVAL,
    Status.AWAITING_PERSON,
    Status.HELD,
    Status.FAILED,
    Status.PARKED,
    Status.PUBLISHED,
    Status.EDITED,
    Status.DELETED,
    Status.CANCELLED,
)
"""Moves that are announced: where a post stays until somebody or something acts. One that a post leaves within a second
may go by unannounced; the next is announced all the same."""

SECONDS = 15.0
PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each next try, after https://github.com/standard-webhooks/standard-webhooks (read 2026-11-25)."""

LEASE = 60.0
BATCH = 50
MOST = 1000
GONE = 410
WORDS = 200


class Announcer:
    """The use cases of outgoing webhooks; ``http`` makes the client and is replaced in tests."""

    def __init__(
        self, deliveries: Deliveries, listeners: Listeners, settings: Settings, *, http: Callable[..., Http] = Http
    ) -> None:
        self._deliveries = deliveries
        self._listeners = listeners
        self._settings = settings
        self._http = http

    def add(
        self,
        workspace: str,
        url: str,
        *,
        name: str = "",
        events: tuple[Status, ...] = (),
        private: bool | None = None,
    ) -> tuple[Listener, str]:
        """Let an address be told from now on; returns it with its secret, which is shown once. Raises HandbillError.

        ``private`` says whether the address itself is a secret; None: as it looks.
        """
        address(url)
        _announced(events)
        listener = Listener(
            id=new_id(),
            workspace=workspace,
            url=url,
            name=name,
            events=events,
            created_at=self._deliveries.now(),
            private=private,
        )
        secret = new_secret()
        self._listeners.save(listener, secret)
        return listener, secret

    def change(
        self, workspace: str, listener: str, *, seen: Callable[[Listener], None] = lambda _: None, **values: Any
    ) -> Listener:
        """Set a listener's ``name``, ``events``, ``active`` or ``private``; one that is told again is so from now on.

        ``seen`` is shown what is changed, and may raise. Raises NotFound and HandbillError.
        """
        if "events" in values:
            values["events"] = tuple(dict.fromkeys(values["events"]))
            _announced(values["events"])
        before = self._listeners.find(workspace, listener)
        if values.get("active") and not before.active:
            self._listeners.mark_heard(before, self._deliveries.now())

        def changed(now: Listener) -> Listener:
            seen(now)
            return dataclasses.replace(now, **values)

        return self._listeners.change(workspace, listener, changed)

    def test(self, listener: Listener) -> Notice:
        """Tell a listener at once that it is heard, and keep it in its log; not told again if it fails."""
        now = self._deliveries.now()
        body = {"type": "ping", "timestamp": _iso(now), "data": {}}
        notice = Notice(
            id=digest("notice", listener.id, "ping", now.isoformat()), listener=listener.id, kind="ping",
            body=text_of(body),
        )  # fmt: skip
        self._listeners.queue(listener, notice, now + timedelta(days=1))
        told = self._tell(listener, notice, now)
        self._listeners.settle(listener.workspace, dataclasses.replace(told, given_up=not told.done), again=None)
        return told

    def tick(self) -> int:
        """Queue what has moved, and tell what is due; any number of callers do no harm. Returns how many were told."""
        told = 0
        for workspace in self._listeners.workspaces():
            listening = {one.id: one for one in self._listeners.listed(workspace) if one.active}
            for listener in listening.values():
                self._queue(listener)
            for notice in self._listeners.take(workspace, most=BATCH, seconds=LEASE):
                listener_of = listening.get(notice.listener)
                if listener_of is None:
                    self._listeners.settle(workspace, dataclasses.replace(notice, given_up=True), again=None)
                    continue
                self._settle(listener_of, self._tell(listener_of, notice, self._deliveries.now()))
                told += 1
        return told

    def _queue(self, listener: Listener) -> None:
        since, now = self._listeners.heard(listener), self._deliveries.now()
        moved = self._deliveries.moved(listener.workspace, listener.events or TOLD, since=since, most=MOST)
        found = {d.id: d for d in self._deliveries.several(name for _, name in moved)}
        for at, name in moved:
            delivery = found.get(name)
            if delivery is not None and delivery.updated_at == at:
                self._listeners.queue(listener, _notice(listener, delivery), now)
        if moved:
            stuck = len(moved) == MOST and moved[-1][0] == since
            self._listeners.mark_heard(listener, moved[-1][0] + (timedelta(milliseconds=1) if stuck else timedelta()))

    def _tell(self, listener: Listener, notice: Notice, now: datetime) -> Notice:
        """Send a notice once; returns it with what was answered."""
        seconds = min(SECONDS, self._settings.request_seconds)
        try:
            secret = self._listeners.secret(listener)
            if private.HIDDEN in listener.url:
                raise Rejected("its address is a secret that is not here: remove it, and add it anew")
            hidden = [secret, *private.secrets(listener.url, secret=listener.private)]
            with self._http(seconds=seconds, allow=self._settings.allowed, secrets=hidden) as http:
                answer = http.send(
                    "POST",
                    listener.url,
                    commit=False,
                    headers=signed(notice, secret, now),
                    content=notice.body.encode(),
                )
                # What it repeats of the address that it was told at is as secret here.
                words = dataclasses.replace(
                    answer, body=http.redact(answer.body.decode(errors="replace")).encode()
                ).words()
            said = f"{answer.status} {words[:WORDS]}".strip()
            done, gone = 200 <= answer.status < 300, answer.status == GONE
        except (PublishError, HandbillError) as error:
            said, done, gone = str(error), False, False
        tries = notice.tries + 1
        answers = (*notice.answers, (now, said))[-len(PAUSES) - 1 :]
        over = gone or (not done and tries > len(PAUSES))
        if gone:
            with contextlib.suppress(NotFound):
                self._listeners.change(
                    listener.workspace, listener.id, lambda known: dataclasses.replace(known, active=False)
                )
            log.warning("a webhook asked to be told nothing more", webhook=listener.id)
        return dataclasses.replace(notice, tries=tries, done=done, given_up=over, answers=answers)

    def _settle(self, listener: Listener, notice: Notice) -> None:
        over = notice.done or notice.given_up
        pause = None if over else timedelta(seconds=PAUSES[notice.tries - 1])
        self._listeners.settle(
            listener.workspace, notice, again=None if pause is None else self._deliveries.now() + pause
        )
        if notice.given_up:
            log.warning("a webhook was not taken", webhook=listener.id, said=notice.answers[-1][1])


def _announced(events: Iterable[Status]) -> None:
    if unknown := [e for e in events if e not in TOLD]:
        raise HandbillError(f"{unknown[0]} is not announced", do=f"Use any of: {', '.join(TOLD)}")


def address(url: str) -> None:
    """Raise HandbillError unless ``url`` is a web address that may be called."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise HandbillError("The webhook has no web address", do="Give an https address without a password in it")


def signed(notice: Notice, secret: str, now: datetime) -> Mapping[str, str]:
    """The headers of a notice: its id stays the same however often it is told."""
    stamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{notice.id}.{stamp}.".encode() + notice.body.encode(), hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": notice.id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _notice(listener: Listener, delivery: Delivery) -> Notice:
    kind = f"delivery.{delivery.status.replace(' ', '_')}"
    data = {k: v for k, v in show.delivery_json(delivery).items() if k != "media"}
    moved = delivery.updated_at
    assert moved is not None, "a stored delivery has moved at least once"
    body = {"type": kind, "timestamp": _iso(moved), "data": data}
    name = digest("notice", listener.id, delivery.id, str(delivery.status), moved.isoformat())
    return Notice(id=name, listener=listener.id, kind=kind, body=text_of(body))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
