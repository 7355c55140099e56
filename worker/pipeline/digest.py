"""One post of several articles: planned within the hour before its time, once, from what came since the last one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from publishers.core.post import Media, Post
from worker import digest as words
from worker.errors import HandbillError, NotFound
from worker.model import Account, Article, Content, Delivery, Digest, article_id, delivery_id
from worker.pipeline.accounts import limits_of
from worker.schedule import When, at_instant

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

AHEAD = timedelta(minutes=65)
"""How long before its time a digest is made: the sweeps are an hour apart."""

MISSED = timedelta(hours=6)
"""How long after its time one that nobody made is still made."""

LOOKED_THROUGH = 500
LOCK_SECONDS = 120.0
SCHEME = "digest:"


class Digests:
    """The use cases of digests."""

    def __init__(self, parts: Runtime) -> None:
        self._parts = parts

    def keep(
        self, account: Account, digest: Digest | None, *, seen: Callable[[Account], None] = lambda _: None
    ) -> Account:
        """Let an account get a digest from now on, or (None) each article again; raises HandbillError.

        ``seen`` is shown what is changed, and may raise.
        """
        if digest and limits_of(account).text < words.ROOM:
            why = f"{account.platform} takes {limits_of(account).text} signs"
            raise HandbillError(f"{account.id} is too small for a digest", why=why, do="Choose a newsletter or a chat")
        if digest and not (0 <= digest.on <= 6 and 1 <= digest.most <= 30):
            raise HandbillError("A digest has 1 to 30 articles and a weekday from 0 (Monday) to 6")

        def change(known: Account, _: object) -> tuple[Account, None]:
            seen(known)
            return dataclasses.replace(known, digest=digest), None

        return self._parts.records.change_account(account.id, change)

    def sweep(self, workspace: str) -> list[Delivery]:
        """Plan every digest whose time comes within the hour, and what was missed lately."""
        planned = []
        now = self._parts.now()
        for account in self._parts.records.accounts(workspace):
            if account.digest is None or not account.active:
                continue
            for when in _due(account.digest, account.zone, now):
                try:
                    if made := self.plan(account, when):
                        planned.append(made)
                except HandbillError as error:
                    log.warning("digest not planned", account=account.id, reason=str(error))
        return planned

    def plan(self, account: Account, when: When | None = None) -> Delivery | None:
        """The digest of ``account`` for a time of its own (None: now, whatever came in the last period); None if
        nothing came. Planned twice, it is the same one.
        """
        digest, now = account.digest or Digest(), self._parts.now()
        slot = when or at_instant(now.replace(second=0, microsecond=0), account.zone)
        identity = _identity(account, slot)
        with self._parts.records.lock(account.workspace, f"digest:{account.id}", seconds=LOCK_SECONDS) as mine:
            known = delivery_id(identity, account.id, 0)
            if not mine or self._parts.deliveries.exists(known):
                return self._parts.deliveries.get(known) if self._parts.deliveries.exists(known) else None
            since = self._since(account, digest, slot)
            entries, media = self._entries(account, digest, known, since=since, until=now)
            if not entries:
                return None
            post = words.write(entries, title=digest.title, limits=limits_of(account), media=media)
            article, content = _record(identity, account, entries, post, now)
            due = when if when and when.instant > now else at_instant(now, account.zone)
            delivery = self._parts.planner.digest(article, content, account, post, due)
            self._parts.records.shelve(article.id, "planned")
            return delivery

    def _since(self, account: Account, digest: Digest, slot: When) -> datetime:
        """Up to when the digest before this one had read; else one period back."""
        for number in (1, 2, 3):  # a few may have had nothing to say
            before = words.following(
                digest, zone=account.zone, after=slot.instant - words.period(digest) * number - timedelta(minutes=1)
            )
            try:
                found, _ = self._parts.records.article(_identity(account, before))
            except NotFound:
                continue
            if found.published_at:
                return found.published_at
        return slot.instant - words.period(digest)

    def _entries(
        self, account: Account, digest: Digest, delivery: str, *, since: datetime, until: datetime
    ) -> tuple[list[words.Entry], tuple[Media, ...]]:
        studio = self._parts.planner.studio
        rows = self._parts.records.arrived(account.workspace, "all", most=LOOKED_THROUGH)
        ids = [article for at, article in rows if since < at <= until]
        found = self._parts.records.articles(ids)
        chosen = [found[i] for i in ids if i in found and _wanted(found[i][0], digest)][: digest.most]
        posts = [studio.post_for(a, content, account, delivery=delivery).post for a, content in chosen]
        entries = [
            words.Entry(article=article, content=content, link=post.link or article.url)
            for (article, content), post in zip(chosen, posts, strict=True)
        ]
        return entries, (posts[0].media if posts else ())


def _due(digest: Digest, zone: str, now: datetime) -> Iterator[When]:
    missed = words.following(digest, zone=zone, after=now - MISSED)
    if missed.instant <= now:
        yield missed
    coming = words.following(digest, zone=zone, after=now)
    if coming.instant - now <= AHEAD:
        yield coming


def _wanted(article: Article, digest: Digest) -> bool:
    host = (urlsplit(article.url).hostname or "").removeprefix("www.")
    return article.linkable and digest.source in {"", host}


def _identity(account: Account, slot: When) -> str:
    return article_id(account.workspace, f"{SCHEME}{account.id}/{slot.wall or slot.instant.isoformat()}")


def _record(
    identity: str, account: Account, entries: list[words.Entry], post: Post, until: datetime
) -> tuple[Article, Content]:
    """What is kept of a digest as if it were an article; ``published_at`` is up to when it has read."""
    first, title = entries[0].article, post.title
    article = Article(
        id=identity,
        url=f"{SCHEME}{account.id}",
        title=title,
        text=post.text,
        site=first.site,
        language=first.language,
        published_at=until,
        workspace=account.workspace,
    )
    return article, Content(short=title, medium=title, long=post.text, sentences=(), hashtags=(), alt="")
