"""How an article and its posts stay one thing: its page is looked at again, and posts that are wrong are put right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

import publishers
from publishers.core.guard import Deadline
from publishers.core.post import Media, Post
from worker import approval, changes, decisions
from worker.changes import Action, Change, Kind, Proposal, State
from worker.content import facts
from worker.content.article import extract
from worker.content.compose import clean, heading, with_alt
from worker.content.facts import Slip
from worker.errors import HandbillError, NotFound, Refused, Undecided
from worker.intake import gate
from worker.intake.client import Answer
from worker.intake.fetch import ACCEPT, accepted, page_of
from worker.intake.identity import address_key, guid_key
from worker.intake.model import Source
from worker.intake.polite import Guest
from worker.intake.webhooks import TAKEN_BACK, Event
from worker.intake.webhooks import Kind as Heard
from worker.model import Account, Article, Content, Delivery, Message, Status, Step, StepKind, article_id, digest
from worker.pipeline import edit
from worker.pipeline.accounts import limits_of
from worker.shortener import own
from worker.store.aftercare import VERSIONS_MOST
from worker.store.hooks import Heard as Said

if TYPE_CHECKING:
    from worker.runtime import Runtime

log = structlog.get_logger()

S = Status
ROUND_MOST = 5
LEAST, MOST, OVER = timedelta(hours=1), timedelta(days=30), timedelta(days=180)
"""A page is looked at again when its first post is twice as old as at the last look, within these; then no more."""

SURE_AFTER = timedelta(minutes=15)
"""How long a page must be missing (404) or lead elsewhere before that counts: sites have bad minutes. 410 counts at
once, and what is down (5xx, no such name) says nothing."""

LOCK_SECONDS = 600.0
SAID = "the site said: "
NOTHING = "Nothing of what was posted is wrong"
SEE = "See what came of it on the page Changes, or: handbill changes list --all"
AGAIN, ONCE_MORE = "Handbill: it is there again", "Handbill: it has changed once more"
RIGHT = "Handbill: what was posted is right again"
WITHDRAWN = frozenset({AGAIN, ONCE_MORE, RIGHT})
"""Who takes a proposal back that is out of date; nobody has decided then."""

SOON = timedelta(minutes=1)
PAGE_GONE = frozenset({Kind.GONE, Kind.HIDDEN})

PUBLIC = (S.PUBLISHED, S.EDITED)
PENDING = (S.DRAFT, S.AWAITING_APPROVAL, S.SCHEDULED, S.HELD)
UNDER_WAY = (S.PREPARING, S.PUBLISHING, S.UNCONFIRMED, S.PARKED, S.AWAITING_PERSON)
"""Nobody knows yet whether it is public: what is wrong with it is found when it is."""

GONE_FOR_GOOD = (S.DELETED, S.CANCELLED, S.SKIPPED)

GONE = {404: False, 410: True}
"""What says that a page is gone, and whether it is believed at once."""

Ask = Callable[..., Answer]


class Changes:
    """Any number of workers may do a round: one does it at a time, and each decision is carried out once."""

    def __init__(self, parts: Runtime, *, ask: Ask | None = None) -> None:
        self._parts = parts
        self._ask = ask or Guest(parts.settings).get

    # Finding out

    def round(self, workspace: str) -> list[Change]:
        """Act on what sources said, look at pages whose time has come, finish what was approved; the changes found."""
        with self._parts.records.lock(workspace, "changes", seconds=LOCK_SECONDS) as mine:
            if not mine:
                return []
            self.finish(workspace)
            self._hear(workspace)
            found: list[Change] = []
            for name in self._parts.aftercare.to_recheck(workspace, self._parts.now(), most=ROUND_MOST):
                try:
                    found += self.recheck(name)
                except NotFound:
                    self._parts.aftercare.recheck_never(name)
            return found

    def _hear(self, workspace: str) -> None:
        """Look at once at what a source's system said was updated, taken back or published once more."""
        wanted = (Heard.PUBLISHED, Heard.UPDATED, *TAKEN_BACK)
        while True:  # what is said meanwhile is heard in the same round
            heard = self._parts.hooks.heard(workspace, wanted)
            since = self._parts.aftercare.events_until(workspace)
            fresh = [h for h in reversed(heard) if since is None or h.at > since]
            if not fresh:
                return
            for one in fresh:
                for name in self._articles(workspace, one.event.url, one.event.id, one.source):
                    try:
                        self._heard(name, one)
                    except HandbillError as error:  # what hinders one article keeps nobody from hearing of others
                        log.warning("what its system said is looked into again", article=name, reason=str(error))
                        self._parts.aftercare.recheck_at(name, self._parts.now())
                self._parts.aftercare.mark_events(workspace, one.at)

    def _heard(self, name: str, one: Said) -> None:
        """Act on what an article's system said."""
        if one.event.kind is Heard.PUBLISHED:
            self._returned(name, said=True)
            self._release(name, by=AGAIN)
            self._parts.aftercare.recheck_at(name, self._parts.now())
        elif one.event.kind is Heard.UPDATED:
            self._parts.aftercare.recheck_at(name, self._parts.now())
        else:
            with suppress(NotFound):
                article, _ = self._parts.records.article(name)
                self._found(article, Kind.GONE, [f"{SAID}{one.event.kind}"], since=one.at)

    def take_back(self, source: Source, event: Event) -> None:
        """Let nothing more go out of an article that a source's system has taken back; a round finds what to ask."""
        for name in self._articles(source.workspace, event.url, event.id, source.id):
            with suppress(NotFound):
                article, _ = self._parts.records.article(name)
                self._stop(article, f"{SAID}{event.kind}")

    def named(self, given: str, workspace: str) -> str:
        """The id of the article that somebody names by its id or its address; raises NotFound."""
        if "://" not in given:
            self._parts.records.article(given)
            return given
        plain = given.partition("#")[0]
        bare = plain.partition("?")[0].rstrip("/")
        forms = (given, plain, bare, f"{bare}/")
        found = [name for url in dict.fromkeys(forms) for name in self._articles(workspace, url, "", "")]
        moved = [c.article for c in self._parts.aftercare.changes(workspace) if c.address in forms]
        for name in (*found, *moved):
            return name
        do = "Give its address as it was when it was posted, or its id: handbill deliveries --json shows it"
        raise NotFound(f"No article of {workspace} is at {given}", do=do)

    def _articles(self, workspace: str, url: str, guid: str, source: str) -> list[str]:
        """The articles that an event is about."""
        known = [k for k in (address_key(url), guid_key(guid, source)) if k]
        ids = [i for i in self._parts.sources.known(workspace, known) if i]
        named = [i.article for i in self._parts.sources.items(ids) if i.article]
        shared = [article_id(workspace, url)] if url else []  # by hand or by the API: no source brought it
        return list(dict.fromkeys([*named, *self._parts.records.articles(shared)]))

    def recheck(self, name: str) -> list[Change]:
        """``look``, where a page that cannot be read says nothing about what was posted."""
        try:
            return self.look(name)
        except NotFound:
            raise
        except HandbillError as error:
            log.info("not looked at again", article=name, reason=str(error))
            return []

    def look(self, name: str) -> list[Change]:
        """Look at an article's page now; the changes that ask for something, none if it is as it was.

        Raises NotFound for an article that is not kept any more, HandbillError for a page that cannot be read.
        """
        article, _ = self._parts.records.article(name)
        self._again(name)
        config = self._parts.settings
        most = int(config.fetch_megabytes * 1_000_000)
        answer = self._ask(article.url, deadline=Deadline(config.request_seconds), accept=ACCEPT, max_bytes=most)
        if answer.status in GONE:
            why = f"its page answers {answer.status}"
            return self._doubted(article, Kind.GONE, why, at_once=GONE[answer.status])
        if why := gate.elsewhere(article.url, answer):
            return self._doubted(article, Kind.HIDDEN, why)
        page = page_of(accepted(answer), max_bytes=most)  # a site that is down may say so on a whole page
        new = extract(page, workspace=article.workspace)
        said = gate.declared(page.content) if page.kind == "html" else []
        if why := gate.hidden(answer, said):
            since = self._parts.aftercare.missing_since(name, Kind.HIDDEN, self._parts.now())
            return self._found(article, Kind.HIDDEN, [why], since=since)
        gone = self._still_gone(article)
        if gone or any(c.what[0].startswith(SAID) for c in self._open(article.id)):
            return gone
        return self._compared(article, new)

    def says_wrong(self, delivery: Delivery) -> bool:
        """Whether a delivery of which nothing is out says what its article, as it was seen last, does not say any more,
        and nobody has decided about that.
        """
        if delivery.step or not self._parts.aftercare.versions(delivery.article):
            return False
        try:
            article, slips = self._since(delivery.article)
        except NotFound:
            return False
        told: dict[str, Any] = {"new": article, "slips": slips, "formers": self._formers(article.id)}
        planned = dataclasses.replace(delivery, status=S.SCHEDULED)
        proposal = self._proposal(planned, article, Kind.CORRECTED, **told)
        return proposal is not None and bool(self._undecided(article.id, Kind.CORRECTED, [proposal], article))

    def ask(self, name: str) -> list[Change]:
        """Ask about what posts of an article say that it, as it was seen last, does not say any more."""
        article, slips = self._since(name)
        return self._found(article, Kind.CORRECTED, [s.what for s in slips], new=article, slips=slips)

    def _since(self, name: str) -> tuple[Article, list[Slip]]:
        """An article as it was seen last, and how it differs from all that it said before."""
        article, _ = self._parts.records.article(name)
        posted = self._posted(name)
        found = (facts.slips(old, article, posted) for old in self._parts.aftercare.versions(name))
        return article, list(dict.fromkeys(slip for slips in found for slip in slips))

    def _still_gone(self, article: Article) -> list[Change]:
        """Its system said that it is gone, whatever its page shows: what has become public since is wrong, too."""
        care = self._parts.aftercare
        why = care.gone(article.workspace).get(article.id, "")
        if not why.startswith(SAID):
            return []
        known = (c for c in care.changes(article.workspace) if c.article == article.id and c.kind is Kind.GONE)
        last = next((c for c in known if c.what[0] == why), None)
        return self._found(article, Kind.GONE, [why], of=_first(last.id) if last else "")

    def _again(self, name: str) -> None:
        """Say when the page is looked at next."""
        ids = self._parts.records.deliveries_of(name)
        known = list(self._parts.deliveries.several(ids))
        posts = [d for d in known if d.status in PUBLIC]
        now = self._parts.now()
        first = min((d.steps[0].at or d.due for d in posts), default=now)
        if any(d.status is S.HELD and d.waits for d in known):
            self._parts.aftercare.recheck_at(name, now + LEAST)
        elif now - first > OVER or not posts:
            self._parts.aftercare.recheck_never(name)
        else:
            self._parts.aftercare.recheck_at(name, now + min(max(now - first, LEAST), MOST))

    def _doubted(self, article: Article, kind: Kind, why: str, *, at_once: bool = False) -> list[Change]:
        """The page is not there, or another one is: believed only if it is so at the next look, too."""
        now = self._parts.now()
        since = self._parts.aftercare.missing_since(article.id, kind, now)
        if not at_once and now - since < SURE_AFTER:
            self._parts.aftercare.recheck_at(article.id, now + SURE_AFTER)
            return []
        return self._found(article, kind, [why], since=since)

    def _returned(self, name: str, *, said: bool = False) -> None:
        """The article is there, by its page or, with ``said``, by its own system: what was proposed because it was not
        is out of date. What its system took back is there again only when its system says so.
        """
        care = self._parts.aftercare
        care.is_there(name)
        workspace = name.partition(".")[0]
        gone = [c for c in care.changes(workspace) if c.article == name and c.kind in PAGE_GONE]
        gone = [c for c in gone if said or not c.what[0].startswith(SAID)]
        for change in gone:
            if change.state is State.OPEN:
                self._withdraw(change, AGAIN)
        why = care.gone(workspace).get(name, SAID)
        if said or not why.startswith(SAID):
            care.allow(name)

    def _withdraw(self, change: Change, by: str) -> None:
        """Take back what nobody has decided about."""
        if not self._parts.aftercare.decide(change, dataclasses.replace(change, state=State.DISMISSED, by=by)):
            log.info("decided just before it was taken back", change=change.id)

    def _release(self, name: str, *, by: str) -> None:
        """Let what was held go out once nothing is left to be decided or carried out about it, and its article is
        there.
        """
        care, workspace = self._parts.aftercare, name.partition(".")[0]
        ids = self._parts.records.deliveries_of(name)
        held = [d for d in self._parts.deliveries.several(ids) if d.status is S.HELD]
        if not held or name in care.gone(workspace):
            return
        known = [c for c in care.changes(workspace) if c.article == name]
        waiting = {p.delivery for c in known if c.state is State.OPEN for p in c.proposals}
        for change in (c for c in known if c.state is State.APPROVED):
            waiting |= _about(change.proposals) - care.applied(change)
        reasons = {changes.WAITS, *(c.what[0] for c in known if c.kind in PAGE_GONE)}  # before there was a mark
        for delivery in held:
            if (delivery.waits or delivery.reason in reasons) and delivery.id not in waiting:
                self._resume(delivery, by=by)

    def _open(self, name: str) -> list[Change]:
        """The changes of an article that nobody has decided about."""
        found = self._parts.aftercare.changes(name.partition(".")[0])
        return [c for c in found if c.article == name and c.state is State.OPEN]

    def _compared(self, article: Article, new: Article) -> list[Change]:
        """The changes between what was posted and what stands there now; the article is kept as it is now."""
        care = self._parts.aftercare
        if address_key(new.url) != address_key(article.url) and gate.at_the_front(new.url):
            return self._doubted(article, Kind.HIDDEN, f"its canonical address is the front page: {new.url}")
        known = [*care.versions(article.id), article]
        posted = self._posted(article.id)
        wrong = {old: facts.slips(old, new, posted) for old in known}
        slips = list(dict.fromkeys(s for found in wrong.values() for s in found))
        now = dataclasses.replace(new, id=article.id, folder=article.folder)
        self._returned(article.id)
        if facts.slips(article, new) or new.url != article.url:
            care.keep_original(article)
            # What is sent just now may say this.
            care.keep_version(article, needed=self._needed(article.id, wrong, new))
        found = self._found(article, Kind.CORRECTED, [s.what for s in slips], new=now, slips=slips)
        done = {p.delivery for c in self._open(article.id) if c.kind is Kind.CORRECTED for p in c.proposals}
        deleted = [changes.REPLY_GONE, *self._taken_down(now)]
        found += self._found(article, Kind.RETURNED, deleted, new=now, but=done)
        found += self._found(article, Kind.MOVED, [f"it is at {new.url} now"], new=now, but=done)
        if new.url != article.url:
            self._follow(article, new.url)
        if (now.title, now.text, now.url) != (article.title, article.text, article.url):
            self._parts.records.save_article(now, self._parts.planner.studio.written(now))
        self._overtaken(article.id)
        self._release(article.id, by=ONCE_MORE if any(c.kind is not Kind.RETURNED for c in found) else AGAIN)
        return found

    def _taken_down(self, article: Article) -> list[str]:
        """What to know of posts that were deleted because their article was gone, and were not made again since."""
        posts = list(self._parts.deliveries.several(self._parts.records.deliveries_of(article.id)))
        gone = {c.id for c in self._parts.aftercare.changes(article.workspace) if c.kind in PAGE_GONE}
        again = {d.account for d in posts if d.status not in GONE_FOR_GOOD}
        lost = [d for d in posts if d.status is S.DELETED and d.steps[-1].change in gone and d.account not in again]
        if not lost:
            return []
        names = ", ".join(self._called(d.id).removesuffix(f", {d.id}") for d in lost)
        where = " ".join(f"--account {a}" for a in dict.fromkeys(d.account.partition(".")[2] for d in lost))
        return [f"deleted meanwhile: {names}; to post it there again: handbill share {article.url} --again {where}"]

    def _posted(self, name: str) -> list[str]:
        """Everything that posts of an article say, or will say."""
        made = self._parts.deliveries.several(self._parts.records.deliveries_of(name))
        posts = [p for d in made for p in (*(s.post for s in d.steps), *(m.post for m in d.messages))]
        said = [t for p in posts for t in (p.text, p.title, p.description, p.warning)]
        said += [t for p in posts for m in p.media for t in (m.alt, m.words)]
        return list(dict.fromkeys(t for t in said if t))

    def _needed(self, name: str, known: Mapping[Article, Sequence[Slip]], new: Article) -> list[Article]:
        """For each post of an article that is not over, the version that it was made of, where that says something
        else than the article does now.
        """
        if len(known) <= VERSIONS_MOST:
            return []
        posts = []
        for delivery in self._parts.deliveries.several(self._parts.records.deliveries_of(name)):
            said = [m.post for m in delivery.messages]
            if delivery.status in (*PENDING, *UNDER_WAY, S.FAILED):
                said += [s.post for s in delivery.steps[delivery.step :]]
            posts.append([t for p in said for t in (p.text, p.title, p.link or "", *changes.pictured(p)) if t])
        return changes.made_of(posts, known, new)

    def _overtaken(self, name: str) -> None:
        """What was approved about posts that somebody has rewritten before it was carried out is not: it was asked
        again just now, where it had to be.
        """
        care = self._parts.aftercare
        for change in care.changes(name.partition(".")[0]):
            if change.article == name and change.state is State.APPROVED and change.kind not in PAGE_GONE:
                left = {p.delivery: p for p in change.proposals if p.action is not Action.LEAVE}
                for delivery in self._parts.deliveries.several(set(left) - care.applied(change)):
                    if _rewritten(left[delivery.id], delivery):
                        care.mark_applied(change, delivery.id)

    def _formers(self, name: str) -> set[str]:
        """Where an article is, and where it was since it was first posted."""
        known = [*self._parts.aftercare.versions(name), self._parts.records.article(name)[0]]
        return {v.url for v in known if v.url}

    def _follow(self, article: Article, address: str) -> None:
        """Our own short links lead where the article is now, if that is still the same site."""
        if gate.site_of(address) == gate.site_of(article.url):
            for name in self._parts.records.deliveries_of(article.id):
                self._parts.links.moved(own("", name, article.id)[1], article.url, address)

    def _found(
        self,
        article: Article,
        kind: Kind,
        what: Sequence[str],
        *,
        new: Article | None = None,
        slips: Sequence[Slip] = (),
        since: datetime | None = None,
        but: Collection[str] = (),
        of: str = "",
    ) -> list[Change]:
        """Store a change if it asks for anything and was not found before; what must not go out meanwhile is held.

        What somebody has decided about is left out; for posts that are wrong since, a further change is made ``of`` the
        same (by default, what was found names it).
        """
        if kind in {Kind.GONE, Kind.HIDDEN}:
            self._stop(article, what[0])
        care = self._parts.aftercare
        ids = self._parts.records.deliveries_of(article.id)
        posts = [d for d in self._parts.deliveries.several(ids) if d.id not in but]
        formers = self._formers(article.id) if new else set()
        told: dict[str, Any] = {"new": new, "slips": slips, "formers": formers}
        made = [self._proposal(d, article, kind, **told) for d in posts]
        proposals = [p for p in made if p is not None]
        if kind not in PAGE_GONE:
            proposals = self._undecided(article.id, kind, proposals, new)
            lines = dict.fromkeys(line for p in proposals for line in p.why if line not in changes.PICTURES)
            order = {line: place for place, line in enumerate((*what, *_moved_to(new)))}
            if kind is Kind.CORRECTED:
                what = sorted(lines, key=lambda line: order.get(line, len(what)))
        name = digest("change", article.id, kind, *what, *([since.isoformat()] if since else []), length=20)
        first = of or f"{article.workspace}.{name}"
        same = [c for c in care.changes(article.workspace) if _first(c.id) == first]
        before = self._open(article.id)
        if kind in PAGE_GONE:
            decided = self._decided(same, posts)
            proposals = [p for p in proposals if p.delivery not in decided]
            waiting = {p.delivery for c in same if c.state is State.OPEN for p in c.proposals}
            known = _about(proposals) <= waiting
            there = [c for c in same if c.state is State.OPEN]
        else:
            before = [c for c in before if c.kind is kind]
            asked = (kind, tuple(what), new.url if new else "", _versions(proposals))
            there = [c for c in before if _asked(c) == asked]
            known = bool(there)
        if known:
            self._settle(before, there)
            self._hold_wrong(kind, proposals)  # what was a draft when it was asked about may have been planned since
            return []
        if not proposals and any(d.status in UNDER_WAY or (d.status in PENDING and d.step) for d in posts):
            return []  # nobody knows yet what they say
        change = Change(
            id=f"{first}-{len(same) + 1}" if same else first,
            article=article.id,
            kind=kind,
            found_at=self._parts.now(),
            what=tuple(what),
            proposals=tuple(proposals),
            address=new.url if new else "",
            before=article.url,
            workspace=article.workspace,
        )
        if proposals and not care.add_change(change):
            return []
        for old in before:  # what it proposed is in this one, or is wrong by now
            self._withdraw(old, ONCE_MORE if proposals or but else RIGHT)
        if not proposals:
            return []
        self._hold_wrong(kind, proposals)
        log.warning("an article changed after it was posted", article=article.id, change=change.id, kind=str(kind))
        return [change]

    def _stop(self, article: Article, why: str) -> None:
        """Let nothing of an article go out; what its system said about it, only its system takes back."""
        self._parts.aftercare.stop(article.id, why, gone=True, unless="" if why.startswith(SAID) else SAID)
        self._parts.evergreens.take_back(article.workspace)
        self._hold(self._parts.records.deliveries_of(article.id), why)

    def _settle(self, before: Iterable[Change], there: Collection[Change]) -> None:
        """Take back what one of ``there`` has followed, where a worker was lost before it did."""
        for old in before if there else ():
            if old not in there:
                self._withdraw(old, ONCE_MORE)

    def _undecided(
        self, article: str, kind: Kind, proposals: Sequence[Proposal], new: Article | None
    ) -> list[Proposal]:
        """The proposals about which nobody has decided: what was decided last about a post stands, unless it came to
        nothing, until something else is wrong with it.
        """
        known = [c for c in self._parts.aftercare.changes(article.partition(".")[0]) if c.article == article]
        known = [c for c in known if c.kind is kind and c.state is not State.OPEN and c.by not in WITHDRAWN]
        found = []
        for proposal in proposals:
            decided = [(c, p) for c in known for p in c.proposals if p.delivery == proposal.delivery]
            if decided:
                last, was = decided[0]
                wrong = set(proposal.why) - changes.NOTES - set(_moved_to(new))
                stands = wrong <= set(was.why) and proposal.false <= was.false
                if kind is Kind.MOVED:
                    stands = last.address == (new.url if new else "")
                left = (last.id, proposal.delivery) in self._parts.aftercare.left(last.workspace)
                given_up = not left and _gave_up(self._parts.deliveries.get(proposal.delivery), last)
                missed = proposal.delivery in self._parts.aftercare.applied(last) and _missed(proposal, was)
                if stands and not (given_up or missed or _other_words(proposal, was) or _overtook(proposal, last, was)):
                    continue
            found.append(proposal)
        return found

    def _decided(self, same: Iterable[Change], posts: Iterable[Delivery]) -> set[str]:
        """The deliveries about which somebody has decided, unless what was to be done was given up."""
        known = {d.id: d for d in posts}
        found = set()
        for change in same:
            if change.state is State.APPROVED:
                mine = (p.delivery for p in change.proposals if p.delivery in known)
                left = {name for of, name in self._parts.aftercare.left(change.workspace) if of == change.id}
                found |= {name for name in mine if name in left or not _gave_up(known[name], change)}
            elif change.state is State.DISMISSED and change.by not in WITHDRAWN:
                found |= {p.delivery for p in change.proposals}
        return found

    def unmended(self, workspace: str) -> list[Delivery]:
        """Posts that are public as they were, because what somebody approved about them was given up."""
        return [d for c, p, d in self._decided_last(workspace) if _gave_up(d, c)]

    def pictures_wrong(self, workspace: str) -> list[Delivery]:
        """Posts that an edit corrected and whose picture or alt text still says what was wrong."""
        found = [(p, d) for c, p, d in self._decided_last(workspace) if c.kind is not Kind.MOVED]
        return [d for p, d in found if p.action is Action.EDIT and changes.PICTURE_WRONG in p.why]

    def not_right(self, workspace: str) -> dict[str, dict[str, list[str]]]:
        """By change, the deliveries that it left wrong: ``given_up`` as they were, ``picture_wrong`` in other words."""
        known = (("given_up", self.unmended(workspace)), ("picture_wrong", self.pictures_wrong(workspace)))
        last = {d.id: c.id for c, _, d in self._decided_last(workspace)}
        found: dict[str, dict[str, list[str]]] = {}
        for how, posts in known:
            for post in posts:
                found.setdefault(last[post.id], {}).setdefault(how, []).append(post.id)
        return found

    def under_way(self, workspace: str) -> dict[str, list[str]]:
        """By change, the deliveries about which something was approved that nobody knows yet to be done."""
        found: dict[str, list[str]] = {}
        for change in (c for c in self._parts.aftercare.changes(workspace) if c.state is State.APPROVED):
            applied = self._parts.aftercare.applied(change)
            to_do = [p.delivery for p in change.proposals if p.action is not Action.LEAVE]
            for post in self._parts.deliveries.several(to_do):
                steps = (n for n, s in enumerate(post.steps) if s.change == change.id and not s.failed)
                if post.id not in applied or any(n >= post.step for n in steps):
                    found.setdefault(change.id, []).append(post.id)
        return found

    def leave(self, delivery: str, *, of: str = "") -> Change:
        """What the last change did not put right of a post stays as it is; raises NotFound if nothing is, or if that is
        another change than ``of``.
        """
        workspace = delivery.partition(".")[0]
        change = next((c for c, _, d in self._decided_last(workspace) if d.id == delivery), None)
        if (
            change is None
            or of not in {"", change.id}
            or not any(delivery in names for names in self.not_right(workspace).get(change.id, {}).values())
        ):
            raise NotFound(f"Nothing of {delivery} was left wrong", do="See: handbill changes list")
        self._parts.aftercare.leave(change, delivery)
        return change

    def _decided_last(self, workspace: str) -> list[tuple[Change, Proposal, Delivery]]:
        """What was approved last about each post that is public, unless somebody leaves what came of it."""
        last: dict[str, tuple[Change, Proposal]] = {}
        since: set[str] = set()  # what a later change is about
        for change in self._parts.aftercare.changes(workspace):  # the latest first
            if change.state is State.APPROVED:
                last |= {p.delivery: (change, p) for p in change.proposals if p.delivery not in since}
            if change.state is not State.DISMISSED or change.by not in WITHDRAWN:
                since |= _about(change.proposals)
        left = self._parts.aftercare.left(workspace)
        posts = self._parts.deliveries.several(n for n, (c, _) in last.items() if (c.id, n) not in left)
        return [(*last[d.id], d) for d in posts if d.status in PUBLIC]

    def nothing_new(self, article: str) -> str:
        """What to say when a look at an article has found nothing."""
        found = self._parts.aftercare.changes(article.partition(".")[0])
        posts = self._parts.deliveries.several(self._parts.records.deliveries_of(article))
        waiting = sum(c.article == article and c.state is State.OPEN for c in found)
        unknown = sum(d.status in UNDER_WAY for d in posts)
        told = [f"changes that wait for a decision: {waiting}"] if waiting else []
        care = self._parts.aftercare
        asked = any(c.article == article and c.state is State.OPEN and c.kind is not Kind.CORRECTED for c in found)
        gone = article in care.gone(article.partition(".")[0])
        if (since := care.missing(article)) and not asked and not gone:
            again = since + SURE_AFTER
            told.append(f"its page is not there: that counts if it is so after {again:%H:%M} UTC, too")
        stay = sum(d.article == article for d in self.pictures_wrong(article.partition(".")[0]))
        with suppress(NotFound):
            told += [] if gone else self._taken_down(self._parts.records.article(article)[0])
        told += [f"posts whose picture or alt text still says what was wrong: {stay}"] if stay else []
        told += [f"posts of which nobody knows yet whether they are out: {unknown}"] if unknown else []
        return f"Nothing new was found; {'; '.join(told)}" if told else NOTHING

    def _hold_wrong(self, kind: Kind, proposals: Iterable[Proposal]) -> None:
        """Hold what would say what is not so; a former address leads to the article still."""
        if kind is Kind.CORRECTED:
            self._hold(_about(proposals), changes.WAITS)

    def _hold(self, ids: Iterable[str], why: str) -> None:
        """Let nothing of these go out before somebody has decided."""
        for delivery in self._parts.deliveries.several(ids):
            mine = delivery.status is S.HELD and delivery.waits not in {"", why}
            if (mine or delivery.status in {S.SCHEDULED, S.AWAITING_APPROVAL}) and not delivery.step:
                was = delivery.asked if mine else delivery.status is S.AWAITING_APPROVAL or bool(delivery.approval)
                fields = {"reason": why, "waits": why, "asked": "1" if was else ""}
                with suppress(Refused, NotFound):
                    self._parts.deliveries.change(
                        delivery.id, S.HELD, origins=[delivery.status], note=why, seen=delivery.fence, fields=fields
                    )

    def _resume(self, delivery: Delivery, *, by: str) -> None:
        """Let what was held until somebody decided go out: at its time, or in the next free slot if that is over."""
        name = delivery.id
        with suppress(NotFound, Refused):
            account = self._parts.records.account(delivery.account)
            fields: dict[str, object] = {"reason": ""}
            due = delivery.due
            if due <= (soon := self._parts.now() + SOON):
                try:
                    slot = edit.next_slot(self._parts, account, delivery=name, take=True, after=soon)
                except HandbillError as error:  # it stays held, and goes on once there is a slot
                    self._say(delivery, str(error))
                    return
                due = slot.instant
                fields |= {"wall": slot.wall, "zone": slot.zone}
            article, _ = self._parts.records.article(delivery.article)
            _, wanted = self._parts.reader.speaking(article, ())
            asked = delivery.asked and not approval.covered(dataclasses.replace(delivery, due=due))
            needs = asked or wanted or self._parts.records.needs_approval(account)
            to = S.AWAITING_APPROVAL if needs else S.SCHEDULED
            note = by if by in WITHDRAWN else f"{by or 'somebody'} decided about its article's change"
            self._parts.deliveries.change(
                name, to, origins=[S.HELD], note=note, due=due, seen=delivery.fence, fields=fields
            )

    def _say(self, delivery: Delivery, why: str) -> None:
        """Say why what is held stays so, once."""
        if delivery.reason != why:
            told: dict[str, Any] = {"note": why, "fields": {"reason": why}}
            self._parts.deliveries.change(delivery.id, S.HELD, origins=[S.HELD], seen=delivery.fence, **told)

    def _proposal(
        self,
        delivery: Delivery,
        article: Article,
        kind: Kind,
        *,
        new: Article | None,
        slips: Sequence[Slip],
        formers: Collection[str],
    ) -> Proposal | None:
        """What could be done about one delivery; None if nothing of it is wrong."""
        public = delivery.status in PUBLIC and delivery.messages
        if not public and (delivery.status not in PENDING or delivery.step):
            return None
        try:
            account = self._parts.records.account(delivery.account)
        except NotFound:
            return None
        own, replies = _apart(delivery) if public else ([], {})
        said = [m.post for m in own] if public else [s.post for s in delivery.steps]
        below = self._below(replies, kind, slips, formers=formers, new=new)
        adapter, limits = publishers.load(account.platform), limits_of(account)
        wrong = _wrong(account, said, slips, new)
        if kind is Kind.RETURNED or (kind is Kind.CORRECTED and not wrong):
            return self._retraction(delivery, account, kind, below, slips, new=new)
        kinds = [delivery.steps[m.step].kind for m in own] if public else [s.kind for s in delivery.steps]
        texts = self._texts(
            account,
            list(zip(kinds, said, strict=True)),
            delivery,
            formers=formers,
            kind=kind,
            new=new,
            wrong=wrong,
        )
        moved = new is not None and any(
            changes.readdressed(t, formers, new.url) != t for p in said for t in (p.text, p.link or "")
        )
        if kind is Kind.MOVED and ((moved and not public) or below):
            texts = texts or tuple(p.text for p in said)  # its link alone is another, or that of a reply
        if kind is Kind.MOVED and not texts:
            return None
        link = (new or article).url
        fits, language = partial(limits.fits, media=False), (new or article).language
        reply = changes.correction(kind, wrong, link, fits=fits, language=language)
        why = [*(s.what for s in wrong), *(_moved_to(new) if moved and kind is Kind.CORRECTED else ())]
        made, on_it, whole = None, "", True
        if new is not None and kind is Kind.CORRECTED and said[0].media:
            made, on_it, whole = self._picture(account, said, new, wrong)
        alt = made.alt if made else ""
        why += [on_it] if public and on_it else []
        why += [changes.UNNAMED] if public and _unnamed(delivery) else []
        why += [changes.REPLY_WRONG] if not all(text for _, text in below) else []
        title = said[0].title
        if public:
            if kind is Kind.CORRECTED and new is not None and texts:
                title = changes.title_over(said[0], texts[0], heading(new, limits), new.language)
            wrong_apart = bool(facts.told(wrong, *_beside(account, said)))
            other = texts != tuple(p.text for p in said) or wrong_apart or bool(alt and adapter.repictures)
            other = other or (kind is Kind.MOVED and bool(below))
            edits = len(texts) == len(said) and other
            if edits and not adapter.retitles:
                edits = title == said[0].title and not wrong_apart
            sure = new is None or all(gate.site_of(new.url) == gate.site_of(f) for f in formers)
            able = {"replaces": bool(texts), "edits": edits, "sure": sure, "whole": whole}
            options = self._options(delivery, account, kind, **able)
        else:
            first = {Kind.GONE: [], Kind.HIDDEN: [Action.ASK]}.get(kind, [Action.EDIT])
            options = [*first, Action.DELETE, Action.LEAVE]
        return Proposal(
            delivery=delivery.id,
            version=delivery.version,
            out=bool(public),
            action=options[0],
            options=tuple(options),
            text=texts[0] if texts else "",
            texts=texts if len(texts) > 1 else (),
            title=title if title != said[0].title and adapter.apart(said[0], account.settings) else "",
            alt=alt,
            picture=Path(made.path).name if made and alt else "",
            reply=reply,
            below=below,
            why=tuple(why) if Action.EDIT in options or not alt else _anew(why),
        )

    def _below(
        self,
        replies: Mapping[int, Post],
        kind: Kind,
        slips: Sequence[Slip],
        *,
        formers: Collection[str],
        new: Article | None,
    ) -> tuple[tuple[int, str], ...]:
        """What replies that earlier changes added would say, by their steps, where that is another thing; "" is
        deleted.
        """
        if new is None:
            return ()
        found = []
        for step, post in replies.items():
            wrong = kind is Kind.CORRECTED and facts.told(slips, changes.claimed(post.text), now=new)
            back = kind in {Kind.CORRECTED, Kind.RETURNED} and changes.takes_back(post.text)
            text = "" if wrong or back else changes.readdressed(post.text, formers, new.url)
            found += [(step, text)] if text != post.text else []
        return tuple(found)

    def _retraction(
        self,
        delivery: Delivery,
        account: Account,
        kind: Kind,
        below: Iterable[tuple[int, str]],
        slips: Sequence[Slip],
        *,
        new: Article | None,
    ) -> Proposal | None:
        """What could be done about a post that is right and below which a reply is not; None if none is."""
        false = tuple((step, "") for step, text in below if not text)
        texts = [m.post.text for m in delivery.messages if (m.step, "") in false]
        wrong = facts.told(slips, *texts, now=new)
        if not false or (kind is Kind.CORRECTED and not wrong):
            return None
        able = publishers.load(account.platform).can("delete") and not _unnamed(delivery)
        options = (Action.RETRACT if able else Action.ASK, Action.LEAVE)
        return Proposal(
            delivery=delivery.id,
            version=delivery.version,
            action=options[0],
            options=options,
            below=false,
            why=(*(s.what for s in wrong), changes.REPLY_WRONG) if wrong else (changes.REPLY_GONE,),
        )

    def _picture(
        self, account: Account, said: Sequence[Post], new: Article, wrong: Sequence[Slip]
    ) -> tuple[Media | None, str, bool]:
        """The picture that is drawn anew (None if it stays), what to know of it, and whether an edit leaves none that
        is wrong.
        """
        adapter = publishers.load(account.platform)
        drawn = changes.on_picture(wrong, said, now=new)
        if not drawn and not facts.told(wrong, *(t for p in said for t in changes.pictured(p)), now=new):
            return None, changes.PICTURE_STAYS, True
        below = changes.on_picture(wrong, said[1:], now=new)
        (made,) = self._redrawn(account, said[0], new, wrong) or (None,)
        if made and made.alt and adapter.repictures and not below:
            return made, changes.PICTURE_ANEW, True
        return made, changes.PICTURE_WRONG if drawn else changes.PICTURE_TITLE, not drawn

    def _redrawn(
        self, account: Account, was: Post, article: Article, wrong: Sequence[Slip] = (), alt: str = ""
    ) -> tuple[Media, ...]:
        """The first picture of a post as it is drawn of its article now, in the same design; empty if it cannot be.

        Its alt text is ``alt``, else the one that somebody wrote, put right, else what stands on it.
        """
        old = was.media[0]
        if not alt and (old.words or old.design in changes.BARE):
            alt = facts.amended(old.alt, facts.told(wrong, old.alt, now=article))
        if old.design in changes.BARE:
            return (old.described(alt),) if alt else ()
        studio = self._parts.planner.studio
        with suppress(HandbillError):
            made = studio.picture(article, studio.written(article), account, design=old.design)
            made = with_alt(made, limits_of(account).alt)
            return (made.described(alt) if alt else made,)
        return ()

    def _options(
        self,
        delivery: Delivery,
        account: Account,
        kind: Kind,
        *,
        replaces: bool,
        edits: bool,
        sure: bool = True,
        whole: bool = True,
    ) -> list[Action]:
        adapter, limits = publishers.load(account.platform), limits_of(account)
        known = not _unnamed(delivery)
        age = self._parts.now() - (delivery.steps[0].at or delivery.due)
        return changes.propose(
            kind,
            edits=edits
            and known
            and adapter.alterable(account.settings)
            and (adapter.edits_for is None or age < adapter.edits_for),
            replaces=replaces,
            deletes=adapter.can("delete") and known,
            anew=adapter.erases,
            replies=(limits.thread or limits.comment) and known,
            fresh=age < changes.FRESH,
            sure=sure,
            whole=whole,
        )

    def _texts(
        self,
        account: Account,
        said: Sequence[tuple[StepKind, Post]],
        delivery: Delivery,
        *,
        formers: Collection[str],
        kind: Kind,
        new: Article | None,
        wrong: Sequence[Slip],
    ) -> tuple[str, ...]:
        """What each message would say: what was wrong replaced where it stands, else composed anew; empty if nothing
        could be put in their place.
        """
        if new is None:
            return ()
        limits, posts = limits_of(account), [p for _, p in said]
        old = tuple(p.text for p in posts)

        def fit(texts: tuple[str, ...]) -> bool:
            return texts != old and all(
                t == p.text or (t and limits.fits(t, media=bool(p.media))) for t, p in zip(texts, posts, strict=True)
            )

        if kind is Kind.MOVED:
            texts = tuple(changes.readdressed(t, formers, new.url) for t in old)
            return texts if fit(texts) else ()
        right = (facts.amended(t, facts.told(wrong, t, now=new)) for t in old)
        texts = tuple(changes.readdressed(t, formers, new.url) for t in right)
        if fit(texts):
            return texts
        if not facts.told(wrong, *old, now=new):
            return old  # only what stands beside it is wrong: its title, its picture, its link card
        below = tuple(p.text for kind, p in said if kind is StepKind.COMMENT)
        try:
            fresh = self._composed(new, account, delivery, thread=len(old) - len(below) > 1)
        except HandbillError:
            return ()
        texts = (*(p.text for p in fresh), *below)
        return texts if texts != old else ()

    def _composed(self, article: Article, account: Account, delivery: Delivery, *, thread: bool = False) -> list[Post]:
        studio = self._parts.planner.studio
        content: Content = studio.written(article)
        if thread:
            return [c.post for c in studio.thread_for(article, content, account, delivery=delivery.id)]
        return [studio.post_for(article, content, account, variant=delivery.share, delivery=delivery.id).post]

    # Putting right

    def approve(self, name: str, choices: Mapping[str, Action] | None = None, *, by: str = "") -> Change:
        """Carry a change out, each delivery as proposed or as ``choices`` say; raises Refused if somebody decided.

        An ``ask`` that nobody answered is refused: what it shall be must be said.
        """
        found = self._parts.aftercare.change(name)
        _refuse_decided(found)
        chosen = []
        for proposal in found.proposals:
            action = (choices or {}).get(proposal.delivery, proposal.action)
            asked = dataclasses.replace(proposal, action=action)
            if action is Action.ASK or action not in proposal.options:
                there = ", ".join(o for o in proposal.options if o is not Action.ASK)
                raise Refused(
                    f"Nobody said what becomes of {self._called(proposal.delivery)}",
                    do=f"Choose one of: {there}; on the command line: --do {proposal.delivery}={Action.LEAVE}",
                )
            if why := self._other_now(asked, found.kind):
                self._parts.aftercare.recheck_at(found.article, self._parts.now(), sooner=True)
                do = (
                    f"Wait until its article is looked at again, or: handbill changes look {found.article}; then decide"
                )
                raise Refused(f"{why} {self._called(proposal.delivery)}", do=do)
            chosen.append(asked)
        approved = dataclasses.replace(found, state=State.APPROVED, proposals=tuple(chosen), by=by)
        self._decide(found, approved)
        self._carry_out(approved)
        return approved

    def _other_now(self, proposal: Proposal, kind: Kind) -> str:
        """What has happened to a post since this was proposed, so that something else could be done about it now."""
        if proposal.action is Action.LEAVE or kind in PAGE_GONE:  # whatever it says by now, it is taken back
            return ""
        with suppress(NotFound):
            delivery = self._parts.deliveries.get(proposal.delivery)
            if delivery.status in PUBLIC and not proposal.out:
                return "What was planned has gone out meanwhile, so it is no longer the same that can be done:"
            if delivery.status in UNDER_WAY and not proposal.out:
                return "What was planned may be out by now, which nobody knows yet:"
            if _rewritten(proposal, delivery):
                return "Somebody has changed"
        return ""

    def _called(self, name: str) -> str:
        """A delivery as a person knows it."""
        with suppress(NotFound):
            delivery = self._parts.deliveries.get(name)
            account = self._parts.records.account(delivery.account)
            return f"the post on {account.platform} ({account.name}), {name}"
        return name

    def dismiss(self, name: str, *, by: str = "") -> Change:
        """Nothing is done about a change; raises Refused if somebody decided."""
        found = self._parts.aftercare.change(name)
        dismissed = dataclasses.replace(found, state=State.DISMISSED, by=by)
        self._decide(found, dismissed)
        self._release(found.article, by=by)
        return dismissed

    def _decide(self, before: Change, after: Change) -> None:
        _refuse_decided(before)
        if not self._parts.aftercare.decide(before, after):
            raise Undecided("Somebody has decided about this change just now", do=SEE)

    def finish(self, workspace: str) -> None:
        """Carry out what was approved and what a worker that was lost, or a change meanwhile, left undone."""
        for change in self._parts.aftercare.changes(workspace):
            if change.state is State.APPROVED:
                self._carry_out(change)

    def _carry_out(self, change: Change) -> None:
        done = self._parts.aftercare.applied(change)
        if _about(change.proposals) <= done:
            return
        for proposal in change.proposals:
            if proposal.delivery in done:
                continue
            try:
                self._apply(change, proposal)
            except NotFound:
                log.info("nothing to carry out", change=change.id, delivery=proposal.delivery)
            except HandbillError as error:
                log.info("not carried out yet", change=change.id, delivery=proposal.delivery, reason=str(error))
                continue
            self._parts.aftercare.mark_applied(change, proposal.delivery)
        self._release(change.article, by=change.by)

    def _apply(self, change: Change, proposal: Proposal) -> None:
        """Add the steps that a decision asks for; by their keys, what was added before is not added again."""
        if proposal.action is Action.LEAVE:
            return
        delivery = self._parts.deliveries.get(proposal.delivery)
        if delivery.status in PENDING and not delivery.step:
            if proposal.action is Action.DELETE:
                if _rewritten(proposal, delivery) and change.kind not in PAGE_GONE:
                    self._parts.aftercare.recheck_at(delivery.article, self._parts.now(), sooner=True)
                    raise Refused("Somebody has changed it since this was approved, and is asked again")
                decisions.cancel(self._parts.deliveries, delivery.id, by=change.by)
            else:
                told = self._edit(change, proposal, delivery)
                then = edit.rewritten(delivery, told, delivery.version)
                if _rewritten(proposal, delivery) and [s.post for s in then] != [s.post for s in delivery.steps]:
                    self._parts.aftercare.recheck_at(delivery.article, self._parts.now(), sooner=True)
                    raise Refused("Somebody has changed it since this was approved, and is asked again")
                edit.change(self._parts, delivery.id, told, by=change.by, seen=delivery.fence)
            return
        if delivery.status in UNDER_WAY:
            raise Refused(f"It is {delivery.status}: nobody knows yet what is public of it")
        if not proposal.out and change.kind not in PAGE_GONE:  # it went out before this was carried out, and is asked
            self._parts.aftercare.recheck_at(delivery.article, self._parts.now(), sooner=True)
            return
        steps = self._steps(change, proposal, delivery) if delivery.messages else []
        if not steps or any(s.key == steps[0].key for s in delivery.steps):
            return
        self._parts.deliveries.change(
            delivery.id,
            S.SCHEDULED,
            origins=PUBLIC,
            note=f"{proposal.action}, as {change.by or 'somebody'} approved: the article was {change.kind}",
            due=self._parts.deliveries.now(),
            steps=(*delivery.steps[: delivery.step], *steps),
            seen=delivery.fence,
            fields={"due": round(delivery.due.timestamp() * 1000), "attempts": 0, "reason": "", "looks": 0},
        )

    def _edit(self, change: Change, proposal: Proposal, delivery: Delivery) -> edit.Edit:
        """What is to be different of a delivery that is not out yet, so that it says what was approved."""
        texts, kinds, was = proposal.said, [s.kind for s in delivery.steps], delivery.steps[0].post
        below = texts[-1] if kinds[-1] is StepKind.COMMENT and len(texts) > 1 else None
        parts = tuple(texts[1:] if below is None else texts[1:-1])
        told = edit.Edit(text=texts[0], parts=parts if StepKind.REPLY in kinds else None, comment=below)
        link = _linked(was.link, self._formers(delivery.article), change)
        if change.kind is not Kind.CORRECTED:
            return dataclasses.replace(told, link=link)
        post = self._told_above(dataclasses.replace(was, text=texts[0]), was, delivery)
        picture = self._new_picture(proposal, delivery, was) or None
        return dataclasses.replace(told, link=link, title=post.title, description=post.description, picture=picture)

    def _new_picture(self, proposal: Proposal, delivery: Delivery, was: Post) -> tuple[Media, ...]:
        """The pictures that were approved in the place of those of a post; empty if they stay."""
        if not proposal.alt or not was.media:
            return ()
        article, _ = self._parts.records.article(delivery.article)
        made = self._redrawn(self._parts.records.account(delivery.account), was, article, alt=proposal.alt)
        return (*made, *was.media[1:]) if made else ()

    def _steps(self, change: Change, proposal: Proposal, delivery: Delivery) -> list[Step]:
        own, replies = _apart(delivery)
        false = [(StepKind.DELETE, replies[n], n) for n in sorted(proposal.false & set(replies), reverse=True)]
        made: list[tuple[StepKind, Post, int]] = []
        if proposal.action is Action.EDIT:
            made = [*self._edits(change, proposal, delivery), *false]
        elif proposal.action is Action.RETRACT:
            made = false
        elif proposal.action is Action.REPLY:
            text = proposal.reply
            post = Post(text=text, facets=edit.facets(text), language=own[0].post.language)
            made = [*false, (StepKind.REPLY, post, 0)]
        elif proposal.action in {Action.DELETE, Action.REPOST}:
            made = [(StepKind.DELETE, m.post, m.step) for m in reversed(delivery.messages)]
            if proposal.action is Action.REPOST:
                made += [(kind, post, 0) for kind, post in self._anew(proposal, delivery)]
        base = delivery.step
        return [
            Step(
                kind=kind,
                ordinal=base + number,
                key=digest("step", delivery.id, kind, number, change.id, length=40),
                post=post,
                of=of,
                change=change.id,
            )
            for number, (kind, post, of) in enumerate(made)
        ]

    def _edits(self, change: Change, proposal: Proposal, delivery: Delivery) -> list[tuple[StepKind, Post, int]]:
        """The edits that make a delivery's messages, and replies below them, say what was approved."""
        own, replies = _apart(delivery)
        formers = self._formers(delivery.article)
        made: list[tuple[StepKind, Post, int]] = []
        for message, text in zip(own, proposal.said, strict=False):
            link = _linked(message.post.link, formers, change)
            post = dataclasses.replace(message.post, link=link, text=text, facets=edit.facets(text, link))
            if message is own[0] and change.kind is Kind.CORRECTED:
                post = self._told_above(post, message.post, delivery)
                if publishers.load(delivery.platform).repictures:
                    media = self._new_picture(proposal, delivery, message.post) or post.media
                    post = dataclasses.replace(post, media=media)
            if self._shown(delivery, post) != self._shown(delivery, message.post):
                made.append((StepKind.EDIT, post, message.step))
        for step, text in proposal.below:
            if text and step in replies:
                post = dataclasses.replace(replies[step], text=text, facets=edit.facets(text))
                made.append((StepKind.EDIT, post, step))
        return made

    def _shown(self, delivery: Delivery, post: Post) -> tuple[str, ...]:
        """What readers see of a message."""
        account = self._parts.records.account(delivery.account)
        pictures = [t for m in post.media for t in (m.sha256, m.alt)]
        return (post.text, *publishers.load(delivery.platform).apart(post, account.settings), *pictures)

    def _told_above(self, post: Post, was: Post, delivery: Delivery) -> Post:
        """``post`` with title and summary as its article is now, where it has them; as it was if that is not known."""
        with suppress(HandbillError):
            article, _ = self._parts.records.article(delivery.article)
            title = heading(article, limits_of(self._parts.records.account(delivery.account)))
            post = dataclasses.replace(post, title=changes.title_over(was, post.text, title, article.language))
            if was.description:
                post = dataclasses.replace(post, description=clean(self._parts.planner.studio.written(article).short))
        return post

    def _anew(self, proposal: Proposal, delivery: Delivery) -> list[tuple[StepKind, Post]]:
        """What takes the place of what was deleted: the words that were approved, and its picture, drawn anew unless
        what stands on it is right.
        """
        article, _ = self._parts.records.article(delivery.article)
        account = self._parts.records.account(delivery.account)
        first, was = self._composed(article, account, delivery)[0], delivery.messages[0].post
        if media := self._new_picture(proposal, delivery, was) or _there(was.media):
            first = dataclasses.replace(first, media=media)
        old = [(delivery.steps[m.step].kind, m.post) for m in _apart(delivery)[0]]
        found = []
        for number, text in enumerate(proposal.said):
            kind, was = old[number] if len(old) == len(proposal.said) else (StepKind.REPLY, Post(text=""))
            post = dataclasses.replace(was, language=first.language) if number else first
            made = dataclasses.replace(post, text=text, facets=edit.facets(text, post.link))
            found.append((kind if number else StepKind.POST, made))
        return found


def _first(change: str) -> str:
    """The id of the first change that was made of what this one is about."""
    home, _, name = change.rpartition(".")
    return f"{home}.{name.partition('-')[0]}"


def _there(media: tuple[Media, ...]) -> tuple[Media, ...]:
    """Pictures, if their files are still here."""
    return media if all(Path(m.path).is_file() for m in media) else ()


def _refuse_decided(change: Change) -> None:
    if change.state is not State.OPEN:
        if change.by in WITHDRAWN:
            why = change.by.removeprefix("Handbill: ")
            raise Undecided("Nobody has to decide about this change any more", why=why, do=SEE)
        did = "left all as it is" if change.state is State.DISMISSED else "approved this change"
        raise Undecided(f"{change.by or 'Somebody'} has {did} already", do=SEE)


def _gave_up(delivery: Delivery, change: Change) -> bool:
    """Whether a step that a change asked for was given up."""
    return any(s.failed and s.change == change.id for s in delivery.steps)


def _wrong(account: Account, said: Sequence[Post], slips: Iterable[Slip], new: Article | None) -> list[Slip]:
    """Those of the slips that an account's posts say, on their pictures and beside them, too."""
    drawn = [t for p in said for t in changes.pictured(p)]
    titles = [p.title for p in said if limits_of(account).link_card]
    return facts.told(slips, *drawn, *(p.text for p in said), *_beside(account, said), *titles, now=new)


def _beside(account: Account, said: Iterable[Post]) -> list[str]:
    adapter = publishers.load(account.platform)
    return [t for p in said for t in adapter.apart(p, account.settings)]


def _anew(why: Iterable[str]) -> tuple[str, ...]:
    """``why`` of what cannot be edited: nobody need know what an edit would leave."""
    stays = {changes.PICTURE_WRONG, changes.PICTURE_TITLE}
    return tuple(changes.PICTURE_ANEW if line in stays else line for line in why)


def _apart(delivery: Delivery) -> tuple[list[Message], dict[int, Post]]:
    """The messages of what was posted, and the replies that its article's changes added, by their steps."""
    added = changes.replies(delivery)
    own = [m for m in delivery.messages if m.step not in added]
    if not own:  # somebody took the post away and not what stands below it
        return list(delivery.messages), {}
    return own, {m.step: m.post for m in delivery.messages if m.step in added}


def _unnamed(delivery: Delivery) -> bool:
    """Whether nothing but a web address, which somebody gave, is known of one of a delivery's messages."""
    return any(m.receipt.id.startswith(("https://", "http://")) for m in delivery.messages)


def _rewritten(proposal: Proposal, delivery: Delivery) -> bool:
    """Whether what is not out yet says something else than when this was proposed."""
    return bool(delivery.status in PENDING and proposal.version and delivery.version != proposal.version)


def _other_words(proposal: Proposal, was: Proposal) -> bool:
    """Whether a post has other words than those that were decided about."""
    return bool(was.version) and proposal.version != was.version


def _missed(proposal: Proposal, was: Proposal) -> bool:
    """Whether what was approved about a post, and is carried out, has left it as it was: it was being sent then."""
    return not (proposal.out or was.out or was.action is Action.LEAVE) and proposal.version == was.version


def _overtook(proposal: Proposal, last: Change, was: Proposal) -> bool:
    """Whether a post went out before what was approved about it was carried out."""
    return proposal.out and not was.out and last.state is State.APPROVED and was.action is not Action.LEAVE


def _about(proposals: Iterable[Proposal]) -> frozenset[str]:
    return frozenset(p.delivery for p in proposals)


def _versions(proposals: Iterable[Proposal]) -> frozenset[tuple[str, int, bool]]:
    """The deliveries, as they are, that proposals are about."""
    return frozenset((p.delivery, p.version, p.out) for p in proposals)


def _asked(change: Change) -> tuple[Kind, tuple[str, ...], str, frozenset[tuple[str, int, bool]]]:
    """What a change is about."""
    return change.kind, change.what, change.address, _versions(change.proposals)


def _moved_to(new: Article | None) -> list[str]:
    return [f"it is at {new.url} now"] if new else []


def _linked(link: str | None, formers: Iterable[str], change: Change) -> str | None:
    """A post's link with the article's new address in the place of those before; a short link is left as it is."""
    return changes.readdressed(link, formers, change.address) if link and change.address else link
