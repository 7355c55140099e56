"""How an article and its posts stay one thing: its page is looked at again, and posts that are wrong are put right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

import publishers
from publishers.core.guard import Deadline
from publishers.core.post import Post
from worker import changes, decisions
from worker.changes import Action, Change, Kind, Proposal, Slip, State
from worker.content.article import extract
from worker.content.compose import clean, heading
from worker.errors import HandbillError, NotFound, Refused
from worker.intake import gate
from worker.intake.client import Answer
from worker.intake.fetch import ACCEPT, page_of
from worker.intake.identity import address_key, guid_key
from worker.intake.polite import Guest
from worker.intake.webhooks import Kind as Heard
from worker.model import Account, Article, Content, Delivery, Status, Step, StepKind, article_id, digest
from worker.pipeline import edit
from worker.pipeline.accounts import limits_of
from worker.shortener import own

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
WAITS = "its article has changed: somebody must decide about that first"
"""Why what was planned and says something wrong is held."""

SAID = "the site said: "
NOTHING = "Nothing of what was posted is wrong"
AGAIN, ONCE_MORE = "Handbill: it is there again", "Handbill: it has changed once more"
"""Who takes a proposal back that is out of date."""

PUBLIC = (S.PUBLISHED, S.EDITED)
PENDING = (S.DRAFT, S.AWAITING_APPROVAL, S.SCHEDULED, S.HELD)
UNDER_WAY = (S.PREPARING, S.PUBLISHING, S.UNCONFIRMED, S.PARKED, S.AWAITING_PERSON)
"""Nobody knows yet whether it is public: what is wrong with it is found when it is."""

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
        """Look at once at what a source's system said was updated or taken back."""
        wanted = (Heard.UPDATED, Heard.UNPUBLISHED, Heard.DELETED)
        heard = self._parts.hooks.heard(workspace, wanted)
        since = self._parts.aftercare.events_until(workspace)
        fresh = [h for h in reversed(heard) if since is None or h.at > since]
        for one in fresh:
            for name in self._articles(workspace, one.event.url, one.event.id, one.source):
                if one.event.kind is Heard.UPDATED:
                    self._parts.aftercare.recheck_at(name, self._parts.now())
                else:
                    with suppress(NotFound):
                        article, _ = self._parts.records.article(name)
                        self._found(article, Kind.GONE, [f"{SAID}{one.event.kind}"], since=one.at)
        if fresh:
            self._parts.aftercare.mark_events(workspace, fresh[-1].at)

    def _articles(self, workspace: str, url: str, guid: str, source: str) -> list[str]:
        """The articles that an event is about."""
        known = [k for k in (address_key(url), guid_key(guid, source)) if k]
        ids = [i for i in self._parts.sources.known(workspace, known) if i]
        named = [i.article for i in self._parts.sources.items(ids) if i.article]
        shared = [article_id(workspace, url)] if url else []  # by hand or by the API: no source brought it
        return list(dict.fromkeys([*named, *self._parts.records.articles(shared)]))

    def recheck(self, name: str) -> list[Change]:
        """Look at an article's page now; the changes that ask for something, none if it is as it was.

        Raises NotFound for an article that is not kept any more.
        """
        article, _ = self._parts.records.article(name)
        self._again(name)
        config = self._parts.settings
        most = int(config.fetch_megabytes * 1_000_000)
        try:
            answer = self._ask(article.url, deadline=Deadline(config.request_seconds), accept=ACCEPT, max_bytes=most)
            if answer.status in GONE:
                why = f"its page answers {answer.status}"
                return self._doubted(article, Kind.GONE, why, at_once=GONE[answer.status])
            if why := gate.elsewhere(article.url, answer):
                return self._doubted(article, Kind.HIDDEN, why)
            page = page_of(answer, max_bytes=most)
            new = extract(page, workspace=article.workspace)
        except HandbillError as error:  # a page that cannot be read says nothing about what was posted
            log.info("not looked at again", article=name, reason=str(error))
            return []
        said = gate.declared(page.content) if page.kind == "html" else []
        if why := gate.hidden(answer, said):
            self._parts.aftercare.is_there(name)
            return self._found(article, Kind.HIDDEN, [why])
        return self._compared(article, new) or self._still_gone(article)

    def _still_gone(self, article: Article) -> list[Change]:
        """Its system said that it is gone, whatever its page shows: what has become public since is wrong, too."""
        care = self._parts.aftercare
        why = care.stopped(article.workspace).get(article.id, "")
        if not why.startswith(SAID):
            return []
        known = (c for c in care.changes(article.workspace) if c.article == article.id and c.kind is Kind.GONE)
        last = next((c for c in known if c.what[0] == why), None)
        return self._found(article, Kind.GONE, [why], of=_first(last.id) if last else "")

    def _again(self, name: str) -> None:
        """Say when the page is looked at next."""
        ids = self._parts.records.deliveries_of(name)
        posts = [d for d in self._parts.deliveries.several(ids) if d.status in PUBLIC]
        now = self._parts.now()
        first = min((d.steps[0].at or d.due for d in posts), default=now)
        if now - first > OVER or not posts:
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

    def _is_there(self, article: Article) -> None:
        """Its page is there: what was proposed because it was not is out of date, unless its system itself said so."""
        care = self._parts.aftercare
        care.is_there(article.id)
        for change in self._open(article):
            if change.kind in {Kind.GONE, Kind.HIDDEN} and not change.what[0].startswith(SAID):
                care.decide(change, dataclasses.replace(change, state=State.DISMISSED, by=AGAIN))
                if care.stopped(article.workspace).get(article.id) == change.what[0]:
                    care.allow(article.id)

    def _open(self, article: Article) -> list[Change]:
        """The changes of an article that nobody has decided about."""
        found = self._parts.aftercare.changes(article.workspace)
        return [c for c in found if c.article == article.id and c.state is State.OPEN]

    def _compared(self, article: Article, new: Article) -> list[Change]:
        """The changes between what was posted and what stands there now; the article is kept as it is now."""
        first = self._parts.aftercare.original(article.id) or article
        slips = list(dict.fromkeys([*changes.slips(first, new), *changes.slips(article, new)]))
        now = dataclasses.replace(new, id=article.id, folder=article.folder)
        moved = address_key(new.url) != address_key(article.url)
        if moved and gate.at_the_front(new.url):
            return self._doubted(article, Kind.HIDDEN, f"its canonical address is the front page: {new.url}")
        self._is_there(article)
        found: list[Change] = []
        if slips:
            self._parts.aftercare.keep_original(article)  # what is sent just now may say this
            found += self._found(article, Kind.CORRECTED, [s.what for s in slips], new=now, slips=slips)
        if moved:
            done = {p.delivery for c in found for p in c.proposals}  # their new words have the new address, too
            found += self._found(article, Kind.MOVED, [f"it is at {new.url} now"], new=now, but=done)
            self._follow(article, new.url)
        if (now.title, now.text, now.url) != (article.title, article.text, article.url):
            self._parts.records.save_article(now, self._parts.planner.studio.written(now))
        return found

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
            self._parts.aftercare.stop(article.id, what[0])
            self._parts.evergreens.take_back(article.workspace)
            self._hold(self._parts.records.deliveries_of(article.id), what[0])
        ids = self._parts.records.deliveries_of(article.id)
        posts = [d for d in self._parts.deliveries.several(ids) if d.id not in but]
        name = digest("change", article.id, kind, *what, *([since.isoformat()] if since else []), length=20)
        first = of or f"{article.workspace}.{name}"
        same = [c for c in self._parts.aftercare.changes(article.workspace) if _first(c.id) == first]
        decided = self._decided(same, posts)
        made = [self._proposal(d, article, kind, new, slips) for d in posts if d.id not in decided]
        proposals = tuple(p for p in made if p is not None)
        waiting = {p.delivery for c in same if c.state is State.OPEN for p in c.proposals}
        if {p.delivery for p in proposals} <= waiting:
            return []
        before = self._open(article) if not but else []
        change = Change(
            id=f"{first}-{len(same) + 1}" if same else first,
            article=article.id,
            kind=kind,
            found_at=self._parts.now(),
            what=tuple(what),
            proposals=proposals,
            address=new.url if new else "",
            before=article.url,
            workspace=article.workspace,
        )
        if not self._parts.aftercare.add_change(change):
            return []
        for old in before:  # what it proposed is in this one, or is wrong by now
            care = self._parts.aftercare
            care.decide(old, dataclasses.replace(old, state=State.DISMISSED, by=ONCE_MORE))
        if kind is Kind.CORRECTED:
            self._hold([p.delivery for p in proposals], WAITS)
        log.warning("an article changed after it was posted", article=article.id, change=change.id, kind=str(kind))
        return [change]

    def _decided(self, same: Iterable[Change], posts: Iterable[Delivery]) -> set[str]:
        """The deliveries about which somebody has decided, unless what was to be done was given up."""
        known = {d.id: d for d in posts}
        found = set()
        for change in same:
            if change.state is State.APPROVED:
                mine = (p.delivery for p in change.proposals if p.delivery in known)
                found |= {name for name in mine if not _gave_up(known[name], change)}
            elif change.state is State.DISMISSED and change.by not in {AGAIN, ONCE_MORE}:
                found |= {p.delivery for p in change.proposals}
        return found

    def unmended(self, workspace: str) -> list[Delivery]:
        """Posts that are public as they were, because what somebody approved about them was given up."""
        known = self._parts.aftercare.changes(workspace)
        since: set[str] = set()  # what a later change is about
        wrong: list[str] = []
        for change in known:  # the latest first
            names = [p.delivery for p in change.proposals if p.delivery not in since]
            if change.state is State.APPROVED:
                posts = self._parts.deliveries.several(names)
                wrong += [d.id for d in posts if d.status in PUBLIC and _gave_up(d, change)]
            if change.state is not State.DISMISSED or change.by not in {AGAIN, ONCE_MORE}:
                since |= set(names)
        return list(self._parts.deliveries.several(wrong))

    def nothing_new(self, article: str) -> str:
        """What to say when a look at an article has found nothing."""
        found = self._parts.aftercare.changes(article.partition(".")[0])
        posts = self._parts.deliveries.several(self._parts.records.deliveries_of(article))
        waiting = sum(c.article == article and c.state is State.OPEN for c in found)
        unknown = sum(d.status in UNDER_WAY for d in posts)
        told = [f"changes that wait for a decision: {waiting}"] if waiting else []
        told += [f"posts of which nobody knows yet whether they are out: {unknown}"] if unknown else []
        return f"Nothing new was found; {'; '.join(told)}" if told else NOTHING

    def _hold(self, ids: Iterable[str], why: str) -> None:
        """Let nothing of these go out before somebody has decided."""
        held: dict[str, Any] = {"note": why, "fields": {"reason": why}}
        for delivery in self._parts.deliveries.several(ids):
            if delivery.status is S.SCHEDULED and not delivery.step:
                with suppress(Refused, NotFound):
                    self._parts.deliveries.change(
                        delivery.id, S.HELD, origins=[S.SCHEDULED], seen=delivery.fence, **held
                    )

    def _resume(self, name: str, *, by: str, why: str = WAITS) -> None:
        """Let what was held until somebody decided go out: at its time, or in the next free slot if that is over."""
        with suppress(NotFound):
            delivery = self._parts.deliveries.get(name)
            if delivery.status is not S.HELD or delivery.reason != why:
                return
            account = self._parts.records.account(delivery.account)
            fields: dict[str, object] = {"reason": ""}
            due = delivery.due
            if due <= self._parts.now():
                slot = edit.next_slot(self._parts, account, delivery=name, take=True)
                due = slot.instant
                fields |= {"wall": slot.wall, "zone": slot.zone}
            to = S.AWAITING_APPROVAL if self._parts.records.needs_approval(account) else S.SCHEDULED
            note = f"{by or 'somebody'} decided about its article's change"
            self._parts.deliveries.change(
                name, to, origins=[S.HELD], note=note, due=due, seen=delivery.fence, fields=fields
            )

    def _proposal(
        self, delivery: Delivery, article: Article, kind: Kind, new: Article | None, slips: Sequence[Slip]
    ) -> Proposal | None:
        """What could be done about one delivery; None if nothing of it is wrong."""
        public = delivery.status in PUBLIC and delivery.messages
        if not public and (delivery.status not in PENDING or delivery.step):
            return None
        try:
            account = self._parts.records.account(delivery.account)
        except NotFound:
            return None
        said = [m.post for m in delivery.messages] if public else [s.post for s in delivery.steps]
        adapter, limits = publishers.load(account.platform), limits_of(account)
        beside = [t for p in said for t in adapter.apart(p, account.settings)]
        wrong = changes.told(
            slips, *(p.text for p in said), *beside, *(p.title for p in said if limits.link_card), now=new
        )
        if kind is Kind.CORRECTED and not wrong:
            return None
        kinds = [delivery.steps[m.step].kind for m in delivery.messages] if public else [s.kind for s in delivery.steps]
        texts = self._texts(
            account,
            list(zip(kinds, said, strict=True)),
            delivery,
            article=article,
            kind=kind,
            new=new,
            wrong=wrong,
        )
        if kind is Kind.MOVED and not texts:
            return None
        link = (new or article).url
        reply = changes.correction(kind, wrong, link if kind is not Kind.GONE else "")
        why = [s.what for s in wrong]
        if public and kind is Kind.CORRECTED and said[0].media:
            why.append("an edit leaves its picture as it is")
        title = said[0].title
        if public:
            if kind is Kind.CORRECTED and new is not None and texts:
                title = changes.title_over(said[0], texts[0], heading(new, limits), new.language)
            wrong_apart = bool(changes.told(wrong, *beside))
            edits = len(texts) == len(said) and (texts != tuple(p.text for p in said) or wrong_apart)
            if edits and not adapter.retitles:
                edits = title == said[0].title and not wrong_apart
            sure = new is None or gate.site_of(new.url) == gate.site_of(article.url)
            options = self._options(delivery, account, kind, replaces=bool(texts), edits=edits, sure=sure)
        else:
            first = {Kind.GONE: [], Kind.HIDDEN: [Action.ASK]}.get(kind, [Action.EDIT])
            options = [*first, Action.DELETE, Action.LEAVE]
        return Proposal(
            delivery=delivery.id,
            action=options[0],
            options=tuple(options),
            text=texts[0] if texts else "",
            texts=texts if len(texts) > 1 else (),
            title=title if title != said[0].title and adapter.apart(said[0], account.settings) else "",
            reply=reply,
            why=tuple(why),
        )

    def _options(
        self, delivery: Delivery, account: Account, kind: Kind, *, replaces: bool, edits: bool, sure: bool = True
    ) -> list[Action]:
        adapter, limits = publishers.load(account.platform), limits_of(account)
        age = self._parts.now() - (delivery.steps[0].at or delivery.due)
        return changes.propose(
            kind,
            edits=edits and adapter.can("edit") and (adapter.edits_for is None or age < adapter.edits_for),
            replaces=replaces,
            deletes=adapter.can("delete"),
            replies=limits.thread or limits.comment,
            fresh=age < changes.FRESH,
            sure=sure,
        )

    def _texts(
        self,
        account: Account,
        said: Sequence[tuple[StepKind, Post]],
        delivery: Delivery,
        *,
        article: Article,
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
            texts = tuple(t.replace(article.url, new.url) for t in old)
            return texts if fit(texts) else ()
        texts = tuple(changes.amended(t, changes.told(wrong, t, now=new)).replace(article.url, new.url) for t in old)
        if fit(texts):
            return texts
        if not changes.told(wrong, *old, now=new):
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
        chosen = []
        for proposal in found.proposals:
            action = (choices or {}).get(proposal.delivery, proposal.action)
            if action is Action.ASK or action not in proposal.options:
                there = ", ".join(o for o in proposal.options if o is not Action.ASK)
                raise Refused(
                    f"Nobody said what becomes of {self._called(proposal.delivery)}",
                    do=f"Choose one of: {there}; on the command line: --do {proposal.delivery}={Action.LEAVE}",
                )
            chosen.append(dataclasses.replace(proposal, action=action))
        approved = dataclasses.replace(found, state=State.APPROVED, proposals=tuple(chosen), by=by)
        self._decide(found, approved)
        self._carry_out(approved)
        return approved

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
        for proposal in found.proposals:
            self._resume(proposal.delivery, by=by)
        return dismissed

    def _decide(self, before: Change, after: Change) -> None:
        if before.state is not State.OPEN or not self._parts.aftercare.decide(before, after):
            raise Refused("Somebody has decided about this change", do="Look at it again")

    def finish(self, workspace: str) -> None:
        """Carry out what was approved and what a worker that was lost, or a change meanwhile, left undone."""
        for change in self._parts.aftercare.changes(workspace):
            if change.state is State.APPROVED:
                self._carry_out(change)

    def _carry_out(self, change: Change) -> None:
        done = self._parts.aftercare.applied(change)
        for proposal in change.proposals:
            if proposal.delivery in done:
                continue
            try:
                self._apply(change, proposal)
            except Refused as error:
                log.info("not carried out yet", change=change.id, delivery=proposal.delivery, reason=str(error))
                continue
            except NotFound:
                log.info("nothing to carry out", change=change.id, delivery=proposal.delivery)
            self._parts.aftercare.mark_applied(change, proposal.delivery)

    def _apply(self, change: Change, proposal: Proposal) -> None:
        """Add the steps that a decision asks for; by their keys, what was added before is not added again."""
        if proposal.action is Action.LEAVE:
            self._resume(proposal.delivery, by=change.by)
            return
        delivery = self._parts.deliveries.get(proposal.delivery)
        if delivery.status in PENDING and not delivery.step:
            if proposal.action is Action.DELETE:
                decisions.cancel(self._parts.deliveries, delivery.id, by=change.by)
            else:
                told = _edit(delivery, proposal.said)
                edit.change(self._parts, delivery.id, told, by=change.by, seen=delivery.fence)
                if delivery.reason == WAITS:
                    self._resume(delivery.id, by=change.by, why="")  # an edit takes the reason away
            return
        if delivery.status in UNDER_WAY:
            raise Refused(f"It is {delivery.status}: nobody knows yet what is public of it")
        steps = self._steps(change, proposal, delivery)
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

    def _steps(self, change: Change, proposal: Proposal, delivery: Delivery) -> list[Step]:
        there = delivery.messages
        made: list[tuple[StepKind, Post, int]] = []
        if proposal.action is Action.EDIT:
            for message, text in zip(there, proposal.said, strict=False):
                link = _moved(message.post.link, change)
                post = dataclasses.replace(message.post, link=link, text=text, facets=edit.facets(text, link))
                if message is there[0] and change.kind is Kind.CORRECTED:
                    post = self._told_above(post, message.post, delivery)
                if self._shown(delivery, post) != self._shown(delivery, message.post):
                    made.append((StepKind.EDIT, post, message.step))
        elif proposal.action is Action.REPLY:
            text = proposal.reply
            post = Post(text=text, facets=edit.facets(text), language=there[0].post.language)
            made = [(StepKind.REPLY, post, 0)]
        elif proposal.action in {Action.DELETE, Action.REPOST}:
            made = [(StepKind.DELETE, m.post, m.step) for m in reversed(there)]
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

    def _shown(self, delivery: Delivery, post: Post) -> tuple[str, ...]:
        """What readers see of a message's words."""
        account = self._parts.records.account(delivery.account)
        return (post.text, *publishers.load(delivery.platform).apart(post, account.settings))

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
        """What takes the place of what was deleted: the words that were approved, with a new picture."""
        article, _ = self._parts.records.article(delivery.article)
        account = self._parts.records.account(delivery.account)
        first = self._composed(article, account, delivery)[0]
        old = [(delivery.steps[m.step].kind, m.post) for m in delivery.messages]
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


def _gave_up(delivery: Delivery, change: Change) -> bool:
    """Whether a step that a change asked for was given up."""
    return any(s.failed and s.change == change.id for s in delivery.steps)


def _edit(delivery: Delivery, texts: Sequence[str]) -> edit.Edit:
    """What is to be different of a delivery that is not out yet, so that it says ``texts``."""
    kinds = [s.kind for s in delivery.steps]
    below = texts[-1] if kinds[-1] is StepKind.COMMENT and len(texts) > 1 else None
    parts = tuple(texts[1:] if below is None else texts[1:-1])
    return edit.Edit(text=texts[0], parts=parts if StepKind.REPLY in kinds else None, comment=below)


def _moved(link: str | None, change: Change) -> str | None:
    """A post's link with the article's new address in the place of the old; a short link is left as it is."""
    if link is None or not change.address:
        return link
    if not change.before:  # found before changes kept it
        return change.address if change.kind is Kind.MOVED else link
    return change.address + link[len(change.before) :] if link.startswith(change.before) else link
