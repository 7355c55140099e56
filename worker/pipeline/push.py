"""Hubs and rssCloud servers are asked to say when a feed has news, asked again ahead of time, and asked to stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urljoin

import structlog

from publishers.core.errors import PublishError
from publishers.core.http import Answer, Http
from worker.errors import NotFound
from worker.intake import private, websub
from worker.intake.client import PORTS
from worker.intake.model import POLLED, Source, State
from worker.settings import Settings
from worker.store.hooks import Hooks, Subscription, new_token
from worker.store.sources import Sources

log = structlog.get_logger()

SECONDS = 15.0
AGAIN = timedelta(hours=1)
"""Until a hub that did not answer, or did not ask back, is asked again; polling goes on meanwhile."""

CLOUD_AGAIN = timedelta(hours=24)
GONE = timedelta(days=1)
"""How long a hub may take to ask whether we mean to leave."""

MOVED = {307, 308}


class Push:
    """The use cases of subscriptions; ``http`` makes the client and is replaced in tests."""

    def __init__(self, hooks: Hooks, sources: Sources, settings: Settings, *, http: Callable[..., Http] = Http) -> None:
        self._hooks = hooks
        self._sources = sources
        self._settings = settings
        self._http = http

    def seen(self, source: Source, link_headers: str, body: bytes, address: str) -> None:
        """A feed was read: whoever it says announces its changes is asked to tell us, unless it was asked already."""
        self.found(source, websub.discover(link_headers, body, address))

    def found(self, source: Source, push: websub.Push) -> None:
        """``push`` is what announces this source's changes from now on; a secret address is told to no hub."""
        if source.is_private or private.is_private(push.topic, secret=source.private):
            push = websub.Push()
        state = self._sources.state(source.id)
        if push and (push.hub, push.topic, push.cloud) == (state.hub, state.topic, state.cloud):
            if self._hooks.asking(source.id) is None and self._settings.public_url:
                self._hooks.ask_at(source.id, self._sources.now())
            return
        if not push and not (state.hub or state.cloud):
            return
        self._leave(source.id)
        self._sources.note(source.id, hub=push.hub, topic=push.topic, cloud=push.cloud, lease_until=None)
        if push and self._settings.public_url:
            self._hooks.ask_at(source.id, self._sources.now())

    def withdraw(self, workspace: str) -> None:
        """Let no hub go on knowing a secret address, as versions before have told some."""
        for source in self._sources.all(workspace):
            if source.is_private:
                self.found(source, websub.Push())

    def tick(self) -> int:
        """Ask every hub whose time has come, and return how many were; one that is away holds up others for seconds."""
        asked = 0
        for workspace in self._sources.workspaces():
            for source in self._hooks.take_asking(workspace):
                self._ask(source)
                asked += 1
        return asked

    def leave(self, source: str) -> None:
        """The source is about to be removed or stopped: its hub need not call any more, and its address is closed."""
        self._leave(source)
        self._hooks.forget(source)

    def _ask(self, name: str) -> None:
        """Ask one source's hub for what is wanted of it now."""
        subscription = self._hooks.subscription(name)
        try:
            source = self._sources.get(name)
        except NotFound:
            # Its hub had its day to ask whether we mean to leave.
            self._hooks.unsubscribe(name)
            return
        if subscription and subscription.mode == "unsubscribe":
            self._hooks.unsubscribe(name)
            subscription = None
        state = self._sources.state(name)
        if not source.active or source.kind not in POLLED or not (state.hub or state.cloud):
            self._hooks.unsubscribe(name)
            return
        wanted = self._wanted(name, state, subscription)
        self._hooks.subscribe(wanted)
        self._hooks.ask_at(name, self._sources.now() + AGAIN)
        if self._send(wanted) and wanted.cloud:
            now = self._sources.now()
            self._sources.note(name, lease_until=now + timedelta(seconds=websub.CLOUD_LEASE))
            self._hooks.ask_at(name, now + CLOUD_AGAIN)

    def _wanted(self, name: str, state: State, before: Subscription | None) -> Subscription:
        """What is to be asked; a renewal keeps its address and secret, so that no call in between is lost."""
        hub = {"hub": state.hub, "topic": state.topic} if state.hub else {"cloud": state.cloud, "topic": state.topic}
        if before and (before.hub, before.cloud, before.topic) == (
            hub.get("hub", ""),
            hub.get("cloud", ""),
            hub["topic"],
        ):
            return dataclasses.replace(before, mode="subscribe")
        return Subscription(source=name, token=new_token(), secret=new_token(), **hub)

    def _leave(self, source: str) -> None:
        """Ask a hub to stop; it asks back within the day, or its lease runs out. An rssCloud server just forgets."""
        before = self._hooks.subscription(source)
        if before is None:
            return
        if before.cloud or not self._settings.public_url:
            self._hooks.unsubscribe(source)
            return
        leaving = dataclasses.replace(before, mode="unsubscribe")
        self._hooks.subscribe(leaving)
        self._hooks.ask_at(source, self._sources.now() + GONE)
        self._send(leaving)

    def _send(self, wanted: Subscription) -> bool:
        """Send one request; whether the hub took it. What it refuses is one line, and polling goes on all the same."""
        callback = f"{self._settings.public_url.rstrip('/')}/hooks/{wanted.token}"
        if wanted.cloud:
            form = websub.registration(wanted.topic, callback=callback)
        else:
            form = websub.request(wanted.mode, topic=wanted.topic, callback=callback, secret=wanted.secret)
        try:
            answer = self._post(wanted.hub or wanted.cloud, form, wanted)
            why = "" if 200 <= answer.status < 300 else f"it answered {answer.status}: {answer.words()}"
            if wanted.cloud and not why and not websub.registered(answer.body):
                why = f"it answered: {answer.words()}"
        except (PublishError, ValueError) as error:  # an address that is none is a ValueError of whoever parses it
            why = str(error)
        if why:
            log.warning("hub not subscribed", source=wanted.source, mode=wanted.mode, reason=why)
        return not why

    def _post(self, url: str, form: dict[str, str], wanted: Subscription) -> Answer:
        """One POST, and one more where the hub says that another one serves it."""
        told = True if wanted.mode == "unsubscribe" else None  # perhaps because it is a secret
        with self._http(
            seconds=SECONDS,
            allow=self._settings.allowed,
            ports=PORTS,
            secrets=[wanted.secret, wanted.token, *private.secrets(wanted.topic, secret=told)],
        ) as http:
            answer = http.send("POST", url, form=form, commit=False)
            if answer.status in MOVED and (where := answer.headers.get("location", "")):
                answer = http.send("POST", urljoin(url, where), form=form, commit=False)
            return answer
