"""How a source becomes deliveries: read the article, write about it, compose a post per account, schedule it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import structlog

import publishers
from publishers.core import counting
from publishers.core.limits import Limits
from publishers.core.post import Media, Post
from worker import content as writing
from worker.content import cards, checks
from worker.content.article import extract
from worker.content.compose import Composed, compose, link_comment, parameters, tag_link, thread
from worker.content.template import load_template, parse
from worker.errors import HandbillError, NotFound
from worker.intake.fetch import read_source
from worker.model import (
    Account,
    Article,
    Content,
    Delivery,
    Sentence,
    Status,
    Step,
    StepKind,
    Voice,
    delivery_id,
    mark_of,
    step_key,
)
from worker.pipeline.accounts import limits_of
from worker.pipeline.pictures import Brands, Pictures, Point
from worker.pipeline.services import Services
from worker.schedule import When
from worker.settings import TEMPLATES, Settings
from worker.shortener import OWN, own
from worker.store.deliveries import Deliveries
from worker.store.links import Link
from worker.store.records import Records
from worker.watch import traces

log = structlog.get_logger()
BELOW = "comment"  # where a voice may put the link
MARK = "delivery"  # what parameters call the post


class Studio:
    """Reads articles and makes the finished posts; needs no Redis and sends nothing.

    ``folder`` is where pictures are kept, by their content's hash; ``brands`` gives those of a workspace; ``keep`` is
    told of each of our own short links.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        services: Services | None = None,
        brands: Brands | None = None,
        keep: Callable[[Link], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._keep = keep
        self._services = services or Services(settings)
        self.warnings: list[str] = []
        self._pictures = Pictures(
            settings, folder, warn=functools.partial(self._warn, "picture"), brands=brands or (lambda _: ())
        )

    def read(self, source: str, *, workspace: str, stdin: BinaryIO | None = None) -> tuple[Article, Content]:
        """The article at ``source`` (a URL, a path, or ``-``) and what is written about it; raises BadSource."""
        page = read_source(
            source,
            stdin=stdin,
            seconds=self._settings.request_seconds,
            allow_hosts=self._settings.allowed,
            max_bytes=int(self._settings.fetch_megabytes * 1_000_000),
            contact=self._settings.contact,
        )
        article = extract(page, workspace=workspace)
        return article, self.written(article)

    def written(self, article: Article) -> Content:
        """What is written about an article."""
        content = self._services.written(article, writing.write(article))
        for note in content.notes:
            self._warn("text", note)
        return content

    def card(
        self,
        article: Article,
        content: Content,
        *,
        design: str,
        size: tuple[int, int],
        mime: str,
        brand: str,
        focus: Point | None = None,
    ) -> cards.Card:
        """One card as somebody asked for it; "" leaves design or brand to what suits the article."""
        return self._pictures.card(article, content, design=design, size=size, mime=mime, brand=brand, focus=focus)

    def contact_sheet(self, suffix: str, *, workspace: str, brand: str) -> bytes:
        """Every design in every size and script, as bytes of a ``suffix`` file."""
        return self._pictures.contact_sheet(suffix, workspace=workspace, brand=brand)

    def picture(
        self,
        article: Article,
        content: Content,
        account: Account,
        *,
        design: str = "",
        focus: Point | None = None,
        photo: bytes | None = None,
    ) -> Media:
        """A picture for ``account`` as somebody chose it: a design, a point to keep, a photo of their own."""
        limits = limits_of(account)
        whose = f"{account.platform} ({account.name})"
        return self._pictures.media(
            article, content, limits, brand=account.brand, design=design, focus=focus, photo=photo, whose=whose
        )

    def photo(self, article: Article) -> bytes | None:
        """The article's own picture as it was read; None if there is none that can be used."""
        return self._pictures.photo(article)

    def post_for(
        self,
        article: Article,
        content: Content,
        account: Account,
        *,
        variant: int = 0,
        template: str = "",
        delivery: str = "",
    ) -> Composed:
        """Exactly what ``account`` would send: text that fits, facets, and pictures within the platform's limits.

        ``template`` stands in for the account's own; readers who follow the link are counted for ``delivery`` ("" = the
        one of share ``variant``).
        """
        asked, comment = self._asked(
            article, content, account, delivery or delivery_id(article.id, account.id, variant)
        )
        if template:
            asked["template"] = _disclaimed(template, account.voice(article))
        composed = dataclasses.replace(compose(article, **asked, variant=variant), comment=comment)
        return self._checked(article, account, composed)

    def thread_for(
        self, article: Article, content: Content, account: Account, *, delivery: str = ""
    ) -> tuple[Composed, ...]:
        """Exactly what ``account`` would send as a thread; one post where the platform has none."""
        if not limits_of(account).thread:
            return (self.post_for(article, content, account, delivery=delivery),)
        asked, comment = self._asked(article, content, account, delivery or delivery_id(article.id, account.id, 0))
        first, *rest = thread(article, **asked)
        parts = (dataclasses.replace(first, comment=comment), *rest)
        return tuple(self._checked(article, account, part) for part in parts)

    def variants(self, article: Article, content: Content, account: Account, most: int) -> tuple[Composed, ...]:
        """At most so many different posts, best first, each with other sentences than those before it."""
        asked, comment = self._asked(article, content, account, delivery_id(article.id, account.id, 0))
        found: dict[tuple[Sentence, ...], Composed] = {}
        texts: set[str] = set()
        while len(found) < most:
            composed = compose(article, **asked, variant=len(texts))
            if composed.post.text in texts:
                break
            texts.add(composed.post.text)
            found.setdefault(composed.sentences, composed)
        return tuple(self._checked(article, account, dataclasses.replace(c, comment=comment)) for c in found.values())

    def _asked(
        self, article: Article, content: Content, account: Account, delivery: str
    ) -> tuple[dict[str, Any], Post | None]:
        """What ``compose`` is told of an account and its voice, and the first comment if the link stands there."""
        limits, voice = limits_of(account), account.voice(article)
        template = voice.template or load_template(account.platform, TEMPLATES / "posts")
        if (warning := _warning(article, voice, limits)) and not limits.labels:
            limits = dataclasses.replace(limits, text=max(1, limits.text - limits.length(warning)))
        link = self._link(article, account, voice, delivery)
        below = link if voice.link == BELOW and (limits.comment or limits.thread) else None
        asked = {
            "content": dataclasses.replace(content, hashtags=(*voice.always, *content.hashtags)),
            "platform": account.platform,
            "limits": limits,
            "template": _disclaimed(template, voice),
            "link": None if below else link,
            "media": (self._picture(article, content, account, limits),) if limits.media else (),
            "hashtags": voice.hashtags,
            "avoid": frozenset(voice.never),
        }
        return asked, link_comment(below, article.language) if below else None

    def _picture(self, article: Article, content: Content, account: Account, limits: Limits) -> Media:
        whose = f"{account.platform} ({account.name})"
        return self._pictures.media(article, content, limits, brand=account.brand, design=account.design, whose=whose)

    def _link(self, article: Article, account: Account, voice: Voice, delivery: str) -> str | None:
        """The address that readers open: the article's with the account's parameters, made short for real readers."""
        if not article.linkable:
            return None
        link = article.url
        if voice.utm:
            link = tag_link(link, parameters(voice.utm, _names(account, delivery)))
        if self._settings.shortener == OWN:
            return self._own(link, article, account, delivery)
        kind = publishers.load(account.platform)
        if account.rehearsal or not (kind.networked or kind.by_hand):
            return link
        link, why = self._services.short(link, account.id)
        if why:
            self._warn("link", why)
        return link

    def _own(self, link: str, article: Article, account: Account, delivery: str) -> str:
        """Our own short link for it; the link itself where nobody could reach ours."""
        server = self._settings.shortener_url or self._settings.public_url
        if not server:
            if account.rehearsal:
                return link
            raise HandbillError("HANDBILL_SHORTENER is set alone", do="Set HANDBILL_PUBLIC_URL too")
        short, code = own(server, delivery, article.id)
        self._keep(Link(code, link, delivery))
        return short

    def _checked(self, article: Article, account: Account, composed: Composed) -> Composed:
        """``composed`` with its content warning, and with what a reader would stumble over."""
        limits, voice = limits_of(account), account.voice(article)
        post = dataclasses.replace(composed.post, warning=_warning(article, voice, limits))
        found = checks.article_warnings(article, [s.text for s in composed.sentences])
        for line in found:
            self._warn("words", line)
        sensitive = voice.sensitive if limits.warning and not post.warning else ()
        own = checks.post_warnings(article, post.text, sensitive=sensitive)
        for line in own:
            self._warn("words", f"{account.id}: {line}")
        return dataclasses.replace(composed, post=post, warnings=(*found, *own))

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
        begun = self._deliveries.now()
        article, content = self.studio.read(source, workspace=workspace, stdin=stdin)
        self._records.save_article(article, content)
        traces.article(article, since=begun, now=self._deliveries.now())
        return article

    def keep(self, article: Article) -> None:
        """Store an article with what is written about it, unless there is one with its id."""
        try:
            self._records.article(article.id)
        except NotFound:
            begun = self._deliveries.now()
            self._records.save_article(article, self.studio.written(article))
            traces.article(article, since=begun, now=self._deliveries.now())

    def plan(
        self,
        article_id: str,
        accounts: Sequence[Account],
        *,
        due: Callable[[Account, str], When],
        approve: bool = False,
        thread: bool = False,
        again: bool = False,
        draft: bool = False,
    ) -> list[Delivery]:
        """One delivery per account, due when ``due(account, delivery)`` says; those that exist are left alone.

        They wait for approval with ``approve`` or where the account asks for it; with ``draft`` for whoever finishes
        them. With ``thread`` it is a message and its replies, where the platform has them; ``again`` adds one share.
        Everything is composed before anything is stored, so what is refused leaves nothing behind.

        Returns all of the article's deliveries on these accounts, whether they are new or were there.
        """
        article, content = self._records.article(article_id)
        places = [(a, self._place(article.id, a, again=again)) for a in accounts]
        new: list[tuple[Delivery, str]] = []
        try:
            for account, place in places:
                if not self._deliveries.exists(place[0]):
                    new.append(self._draft(article, content, account, place, due=due, thread=thread))
        except BaseException:
            for account, (identity, _) in places:
                if not self._deliveries.exists(identity):
                    self._deliveries.release(account.id, identity)
            raise
        for delivery, note in new:
            account = next(a for a in accounts if a.id == delivery.account)
            self._store(delivery, account, note=note, approve=approve, draft=draft)
        return [self._deliveries.get(identity) for _, (identity, _) in places]

    def reshare(
        self,
        article: Article,
        account: Account,
        composed: Composed,
        when: When,
        *,
        share: int,
        rule: str,
        approve: bool,
    ) -> Delivery | None:
        """One more delivery of an article that a rule shares again; None if somebody planned this share meanwhile."""
        identity = delivery_id(article.id, account.id, share)
        delivery = _delivery(article, account, share, when, (composed,))
        note = f"shared again by the rule {rule}, {_planned(when)}"
        new = self._store(dataclasses.replace(delivery, evergreen=rule), account, note=note, approve=approve)
        return self._deliveries.get(identity) if new else None

    def digest(self, article: Article, content: Content, account: Account, post: Post, when: When) -> Delivery:
        """The one delivery of a record that several articles made; the one there is, if somebody planned it before."""
        identity = delivery_id(article.id, account.id, 0)
        self._records.save_article(article, content)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=post)
        delivery = dataclasses.replace(_delivery(article, account, 0, when, ()), steps=(step,))
        self._store(delivery, account, note=f"a digest of several articles, {_planned(when)}", approve=False)
        return self._deliveries.get(identity)

    def _store(self, delivery: Delivery, account: Account, *, note: str, approve: bool, draft: bool = False) -> bool:
        waits = approve or self._records.needs_approval(account)
        status = Status.DRAFT if draft else Status.AWAITING_APPROVAL if waits else Status.SCHEDULED
        self._records.link_delivery(delivery.article, delivery.id)
        return self._deliveries.create(dataclasses.replace(delivery, status=status), note=note)

    def _place(self, article: str, account: Account, *, again: bool) -> tuple[str, int]:
        """The id and number of the first share, or with ``again`` of the first that nobody has planned."""
        share = 0
        while again and self._deliveries.exists(delivery_id(article, account.id, share)):
            share += 1
        return delivery_id(article, account.id, share), share

    def _draft(
        self,
        article: Article,
        content: Content,
        account: Account,
        place: tuple[str, int],
        *,
        due: Callable[[Account, str], When],
        thread: bool,
    ) -> tuple[Delivery, str]:
        """A delivery that is not stored yet, and the first line of its history."""
        identity, share = place
        when = due(account, identity)
        if thread:
            parts = self.studio.thread_for(article, content, account, delivery=identity)
        else:
            parts = (self.studio.post_for(article, content, account, variant=share, delivery=identity),)
        return _delivery(article, account, share, when, parts), _planned(when)


def _delivery(article: Article, account: Account, share: int, when: When, parts: Sequence[Composed]) -> Delivery:
    identity = delivery_id(article.id, account.id, share)
    return Delivery(
        id=identity,
        article=article.id,
        account=account.id,
        platform=account.platform,
        workspace=account.workspace,
        status=Status.DRAFT,
        due=when.instant,
        wall=when.wall,
        zone=when.zone,
        share=share,
        steps=_steps(identity, parts),
    )


def _planned(when: When) -> str:
    moved = " (moved by a clock change)" if when.shifted else ""
    return f"planned for {when.said}{moved}"


def _steps(delivery: str, parts: Sequence[Composed]) -> tuple[Step, ...]:
    """The message, each part of its thread as an answer to the one before, and the first comment."""
    posts = [(StepKind.REPLY if number else StepKind.POST, part.post) for number, part in enumerate(parts)]
    posts += [(StepKind.COMMENT, part.comment) for part in parts if part.comment is not None]
    return tuple(
        Step(kind=kind, ordinal=number, key=step_key(delivery, kind, number, 1), post=post)
        for number, (kind, post) in enumerate(posts)
    )


def platform_account(platform: str, workspace: str) -> Account:
    """An account as the platform's adapter declares it, for a preview; raises HandbillError for an unknown name."""
    if platform not in publishers.names():
        do = f"Use one of: {', '.join(publishers.names())}"
        raise HandbillError(f"There is no platform {platform}", do=do)
    return Account(id=f"{workspace}.{platform}", platform=platform, name=platform, workspace=workspace, rehearsal=True)


def speaking(account: Account, host: str, said: Mapping[str, Any]) -> Account:
    """``account`` with fields of its voice changed, for articles of ``host`` or all ("").

    Empty values (of ``hashtags``, -1) take back what was said. Raises HandbillError if a value cannot be used.
    """
    changes: dict[str, Any] = {}
    for name, value in said.items():
        if name == "hashtags":
            changes[name] = None if value < 0 else value
        elif isinstance(value, str):
            changes[name] = value.strip()
        else:
            words = (v.strip() for v in value)
            changes[name] = tuple(v.lstrip("#") if name in {"always", "never"} else v for v in words if v)
    host = host.lower().removeprefix("www.")
    voice = dataclasses.replace(account.voices.get(host, Voice()), **changes)
    for tag in voice.always:
        if counting.hashtags(f"#{tag}") != [(0, len(tag) + 1)]:
            raise HandbillError(f"#{tag} is no hashtag", do="Write it without spaces and signs, such as CityNews")
    labels = limits_of(account).labels
    if voice.warning and labels and voice.warning not in labels:
        label = publishers.load(account.platform).label
        raise HandbillError(f"{label} cannot show the warning {voice.warning!r}", do=f"Use one of {', '.join(labels)}")
    if voice.link not in {"", BELOW}:
        raise HandbillError(f"A link cannot stand in {voice.link!r}", do=f"Use {BELOW}, or nothing for the text")
    if voice.link and not (limits_of(account).comment or limits_of(account).thread):
        label = publishers.load(account.platform).label
        raise HandbillError(f"{label} takes no first comment through this adapter", do="Leave the link in the text")
    template = voice.template or load_template(account.platform, TEMPLATES / "posts")
    parse(_disclaimed(template, voice), "The account's template or disclaimer")
    if voice.utm:
        parameters(voice.utm, _names(account, ""))
    voices = {**account.voices, host: voice}
    return dataclasses.replace(account, voices={h: v for h, v in voices.items() if v != Voice()})


def _disclaimed(template: str, voice: Voice) -> str:
    return template + (f"\n\n{voice.disclaimer}" if voice.disclaimer else "")


def _names(account: Account, delivery: str) -> dict[str, str]:
    """What a link's parameters may speak of."""
    return {"platform": account.platform, "account": account.id.partition(".")[2], MARK: mark_of(delivery)}


def _warning(article: Article, voice: Voice, limits: Limits) -> str:
    """The content warning of a post about ``article``, if it has one and the platform can show it."""
    wanted = limits.warning and (not voice.sensitive or checks.mentioned(article, voice.sensitive))
    return voice.warning if wanted and (not limits.labels or voice.warning in limits.labels) else ""


def composed_json(account: Account, parts: Sequence[Composed]) -> dict[str, Any]:
    """One entry of ``posts`` in the JSON that ``preview`` prints; ``parts`` are a post, or a thread's."""
    first, post = parts[0], parts[0].post
    comments = [p.comment for p in parts if p.comment is not None]
    return {
        "platform": account.platform,
        "text": post.text,
        "length": first.length,
        "limit": first.limit,
        "hashtags": [f"#{t}" for t in first.hashtags],
        "link": post.link,
        "media": [
            {k: getattr(m, k) for k in ("path", "width", "height", "alt")} | {"bytes": m.size} for m in post.media
        ],
        "facets": [dataclasses.asdict(f) for f in post.facets],
        "parts": [p.post.text for p in parts] if len(parts) > 1 else [],
        "comment": comments[0].text if comments else "",
        "warning": post.warning,
        "warnings": list(dict.fromkeys(w for p in parts for w in p.warnings)),
        "cost": round(
            sum(publishers.load(account.platform).price(p) for p in [*(p.post for p in parts), *comments]), 4
        ),
    }
