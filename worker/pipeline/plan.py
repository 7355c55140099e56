"""How a source becomes deliveries: read the article, write about it, compose a post per account, schedule it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import structlog

import publishers
from publishers.core.limits import Limits
from publishers.core.post import Media
from worker import content as writing
from worker.content import cards
from worker.content.article import extract
from worker.content.compose import Composed, compose, load_template
from worker.errors import BadSource, HandbillError, NotFound
from worker.intake.fetch import fetch_bytes, read_source
from worker.model import (
    Account,
    Article,
    Content,
    Delivery,
    Status,
    Step,
    StepKind,
    delivery_id,
    step_key,
)
from worker.pipeline.accounts import limits_of
from worker.pipeline.services import Services
from worker.schedule import When
from worker.settings import TEMPLATES, Settings
from worker.store.deliveries import Deliveries
from worker.store.records import Records

log = structlog.get_logger()


class Studio:
    """Reads articles and makes the finished posts; needs no Redis and sends nothing.

    ``folder`` is where pictures are kept, by their content's hash.
    """

    def __init__(self, settings: Settings, folder: Path, *, services: Services | None = None) -> None:
        self._settings = settings
        self._services = services or Services(settings)
        self._folder = folder
        self._photos: dict[str, bytes | None] = {}
        self.warnings: list[str] = []

    def read(self, source: str, *, workspace: str, stdin: BinaryIO | None = None) -> tuple[Article, Content]:
        """The article at ``source`` (a URL, a path, or ``-``) and what is written about it; raises BadSource."""
        page = read_source(
            source,
            stdin=stdin,
            seconds=self._settings.request_seconds,
            allow_hosts=self._settings.allowed,
            max_bytes=int(self._settings.fetch_megabytes * 1_000_000),
        )
        article = extract(page, workspace=workspace)
        content = self._services.written(article, writing.write(article))
        for note in content.notes:
            self._warn("text", note)
        return article, content

    def post(self, article: Article, content: Content, platform: str, limits: Limits, *, variant: int = 0) -> Composed:
        """The finished post for one account: text that fits, facets, and pictures within the platform's limits."""
        media = (self._card(article, limits),) if limits.media else ()
        return compose(
            article,
            content,
            platform=platform,
            limits=limits,
            template=load_template(platform, TEMPLATES / "posts"),
            link=article.url if article.linkable else None,
            media=media,
            variant=variant,
        )

    def post_for(self, article: Article, content: Content, account: Account, *, variant: int = 0) -> Composed:
        """Exactly what ``account`` would send."""
        return self.post(article, content, account.platform, limits_of(account), variant=variant)

    def _card(self, article: Article, limits: Limits) -> Media:
        mime = "image/jpeg" if "image/jpeg" in limits.media_types else limits.media_types[0]
        size = limits.cards[0]
        photo = self._photo(article)
        try:
            card = _draw(article, size, limits.media_bytes, mime, photo)
        except cards.BadPicture as error:
            self._warn("picture", f"{error} The card is drawn without it.")
            self._photos[article.id] = None
            card = _draw(article, size, limits.media_bytes, mime, None)
        digest = hashlib.sha256(card.content).hexdigest()
        path = self._folder / digest[:2] / f"{digest}.{mime.partition('/')[2].replace('jpeg', 'jpg')}"
        _write_once(path, card.content)
        return Media(
            path=str(path.resolve()),
            sha256=digest,
            mime=card.mime,
            width=card.width,
            height=card.height,
            size=len(card.content),
            alt=card.alt,
        )

    def _photo(self, article: Article) -> bytes | None:
        if article.id not in self._photos:
            self._photos[article.id] = None
            try:
                self._photos[article.id] = self._read_photo(article.image) if article.image else None
            except (HandbillError, OSError) as error:
                self._warn("picture", f"The article's picture was not used: {error}")
        return self._photos[article.id]

    def _read_photo(self, address: str) -> bytes:
        most = int(self._settings.fetch_megabytes * 1_000_000)
        if address.startswith(("http://", "https://")):
            return fetch_bytes(
                address, seconds=self._settings.request_seconds, allow_hosts=self._settings.allowed, max_bytes=most
            )
        path = Path(unquote(urlsplit(address).path) if address.startswith("file:") else address)
        if path.stat().st_size > most:
            raise BadSource(f"{path} is larger than {self._settings.fetch_megabytes:g} MB")
        return path.read_bytes()

    def _warn(self, event: str, line: str) -> None:
        if line not in self.warnings:
            self.warnings.append(line)
            log.warning(event, reason=line)


class Planner:
    """Stores articles and the deliveries made from them; planning twice plans nothing new."""

    def __init__(self, deliveries: Deliveries, records: Records, studio: Studio) -> None:
        self._deliveries = deliveries
        self._records = records
        self.studio = studio

    def ingest(self, source: str, *, workspace: str, stdin: BinaryIO | None = None) -> Article:
        """Read and store an article; the same canonical address is the same article. Raises BadSource."""
        article, content = self.studio.read(source, workspace=workspace, stdin=stdin)
        self._records.save_article(article, content)
        return article

    def plan(
        self,
        article_id: str,
        accounts: Sequence[Account],
        *,
        due: Callable[[Account, str], When],
        share: int = 0,
        approve: bool = False,
    ) -> list[Delivery]:
        """One delivery per account, due when ``due(account, delivery)`` says; those that exist are left alone.

        Returns all of the article's deliveries on these accounts, whether they are new or were there.
        """
        article, content = self._records.article(article_id)
        planned = []
        for account in accounts:
            identity = delivery_id(article.id, account.id, share)
            try:
                planned.append(self._deliveries.get(identity))
                continue
            except NotFound:
                self._records.link_delivery(article.id, identity)
            when = due(account, identity)
            composed = self.studio.post_for(article, content, account, variant=share)
            step = Step(
                kind=StepKind.POST,
                ordinal=0,
                key=step_key(identity, StepKind.POST, 0, 1),
                post=composed.post,
            )
            delivery = Delivery(
                id=identity,
                article=article.id,
                account=account.id,
                platform=account.platform,
                workspace=account.workspace,
                status=Status.AWAITING_APPROVAL if approve else Status.SCHEDULED,
                due=when.instant,
                wall=when.wall,
                zone=when.zone,
                share=share,
                steps=(step,),
            )
            moved = " (moved by a clock change)" if when.shifted else ""
            self._deliveries.create(delivery, note=f"planned for {when.wall or 'now'} {when.zone}{moved}")
            planned.append(self._deliveries.get(identity))
        return planned


def platform_post(studio: Studio, article: Article, content: Content, platform: str) -> Composed:
    """The post for a platform with the limits its adapter declares; raises HandbillError for an unknown name."""
    try:
        limits = publishers.load(platform).limits
    except KeyError:
        do = f"Use one of: {', '.join(publishers.names())}"
        raise HandbillError(f"There is no platform {platform}", do=do) from None
    return studio.post(article, content, platform, limits)


def _draw(article: Article, size: tuple[int, int], most: int, mime: str, photo: bytes | None) -> cards.Card:
    return cards.draw(
        title=article.title,
        site=article.site,
        author=article.author,
        language=article.language,
        size=size,
        photo=photo,
        photo_alt=article.image_alt if photo else "",
        max_bytes=most,
        mime=mime,
    )


def _write_once(path: Path, content: bytes) -> None:
    if path.exists() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.{id(content):x}")
    part.write_bytes(content)
    part.replace(path)


def composed_json(platform: str, composed: Composed) -> dict[str, Any]:
    """One entry of ``posts`` in the JSON that ``preview`` prints."""
    post = composed.post
    return {
        "platform": platform,
        "text": post.text,
        "length": composed.length,
        "limit": composed.limit,
        "hashtags": [f"#{t}" for t in composed.hashtags],
        "link": post.link,
        "media": [
            {k: getattr(m, k) for k in ("path", "width", "height", "alt")} | {"bytes": m.size} for m in post.media
        ],
        "facets": [dataclasses.asdict(f) for f in post.facets],
        "parts": [],
    }
