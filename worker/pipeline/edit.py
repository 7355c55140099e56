"""What a person changes about a post before it goes out: its time, words, pictures and targets, and who approves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import publishers
from publishers.core import counting
from publishers.core.limits import Limits
from publishers.core.post import Facet, Media, Post
from worker import changes, decisions, schedule
from worker.changes import Action, Change, Kind, State
from worker.errors import HandbillError, NotFound, Refused, Undecided
from worker.model import Account, Delivery, Status, Step, StepKind, step_key
from worker.pipeline.accounts import limits_of
from worker.pipeline.witness import witness
from worker.schedule import When

if TYPE_CHECKING:
    from worker.runtime import Runtime

S = Status

OPEN = (S.DRAFT, S.AWAITING_APPROVAL, S.SCHEDULED, S.HELD, S.FAILED)
"""Statuses of a delivery that a person may still change: no attempt of it is under way, and none was lost."""

LONGEST_ALT = 10_000  # code points; beyond any platform's own limit
MOST_PARTS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be different of a delivery; None leaves it. ``picture`` ``()`` takes the picture away.

    ``parts`` are the texts of the replies that make a thread, ``comment`` that of the first comment ("" = none);
    ``title``, ``description`` and ``link`` are what its article says of itself.
    """

    text: str | None = None
    alt: str | None = None
    picture: tuple[Media, ...] | None = None
    warning: str | None = None
    parts: tuple[str, ...] | None = None
    comment: str | None = None
    title: str | None = None
    description: str | None = None
    link: str | None = None


def facets(text: str, link: str | None = None) -> tuple[Facet, ...]:
    """What in a text that a person wrote is a link, a hashtag or a mention; ``link`` is one whatever its host."""
    links = {(a, b) for a, b in counting.urls(text) if "://" in text[a:b]}
    if link and (at := text.find(link)) >= 0 and not any(a < at + len(link) and at < b for a, b in links):
        links.add((at, at + len(link)))
    found = [Facet(type="link", start=a, end=b, value=text[a:b]) for a, b in links]
    found += [Facet(type="tag", start=a, end=b, value=text[a:b].lstrip("#＃")) for a, b in counting.hashtags(text)]
    found += [Facet(type="mention", start=a, end=b, value=text[a:b].lstrip("@＠")) for a, b in counting.mentions(text)]
    return tuple(sorted(found, key=lambda f: f.start))


def rewritten(delivery: Delivery, edit: Edit, version: int) -> tuple[Step, ...]:
    """The steps of a delivery as ``edit`` wants them, with keys of ``version``, nothing of them prepared (pure)."""
    first = delivery.steps[0].post
    told = {"title": edit.title, "description": edit.description, "link": edit.link}
    first = dataclasses.replace(first, **{name: said for name, said in told.items() if said is not None})  # type: ignore[arg-type]  # each is a text
    if edit.text is not None and (text := _tidy(edit.text)) != first.text:
        first = dataclasses.replace(first, text=text, facets=facets(text, first.link))
    if edit.picture is not None:
        first = dataclasses.replace(first, media=edit.picture)
    if edit.alt is not None and first.media:
        alt = " ".join(edit.alt.split())
        first = dataclasses.replace(first, media=(first.media[0].described(alt), *first.media[1:]))
    if edit.warning is not None:
        first = dataclasses.replace(first, warning=" ".join(edit.warning.split()))
    replies = [s.post for s in delivery.steps if s.kind is StepKind.REPLY]
    if edit.parts is not None:
        replies = _posts(edit.parts, replies, first)
    comments = [s.post for s in delivery.steps if s.kind is StepKind.COMMENT]
    if edit.comment is not None:
        comments = _posts([edit.comment], comments, first)
    kinds = [(StepKind.POST, first)]
    kinds += [(StepKind.REPLY, p) for p in replies] + [(StepKind.COMMENT, p) for p in comments]
    return tuple(
        Step(kind=kind, ordinal=number, key=step_key(delivery.id, kind, number, version), post=post)
        for number, (kind, post) in enumerate(kinds)
    )


def faults(steps: Sequence[Step], limits: Limits, label: str) -> list[str]:
    """Why a platform would not take this as it stands, one line each, by its own counting (pure)."""
    first = steps[0].post
    found = []
    if not first.text.strip() and not first.media:
        found.append("There is nothing in it")
    for number, step in enumerate(steps):
        name = _name(step, number, len(steps))
        found += [f"{name} {what}" for what in _too_long(step.post, limits, label)]
        if number and not step.post.text.strip():
            found.append(f"{name} is empty")
    if len(first.media) > limits.media:
        found.append(f"{label} takes {limits.media or 'no'} pictures, and these are {len(first.media)}")
    if limits.alt and (longest := max((len(m.alt) for m in first.media), default=0)) > limits.alt:
        found.append(f"The alt text has {longest:,} characters of the {limits.alt:,} that {label} takes")
    if first.warning and not limits.warning:
        found.append(f"{label} has no content warnings")
    elif first.warning and limits.labels and first.warning not in limits.labels:
        found.append(f"{label} has no label {first.warning!r}, only {', '.join(limits.labels)}")
    if any(s.kind is StepKind.REPLY for s in steps) and not limits.thread:
        found.append(f"{label} has no threads")
    if any(s.kind is StepKind.COMMENT for s in steps) and not (limits.thread or limits.comment):
        found.append(f"{label} takes no first comment through this adapter")
    return found


def counted(post: Post, limits: Limits) -> str:
    """What of a post its platform counts: a content warning in words of one's own counts with the text."""
    return f"{post.warning}{post.text}" if limits.warning and not limits.labels else post.text


def hints(steps: Sequence[Step], limits: Limits) -> list[str]:
    """What somebody would want to know before it goes out, and what hinders nobody (pure)."""
    first = steps[0].post
    found = []
    if limits.alt and any(not m.alt for m in first.media):
        found.append("The picture has no alt text: who cannot see it will not know what it shows.")
    tags = sum(f.type == "tag" for f in first.facets)
    if tags > max(limits.hashtags, 1):
        found.append(f"{tags} hashtags are more than readers like here: {limits.hashtags} at most would be usual.")
    linked = any(f.type == "link" for s in steps for f in s.post.facets)
    if first.link and limits.link_in_text and not linked:
        found.append("The link to the article is not in the text, and here it shows nowhere else.")
    return found


def change(parts: Runtime, delivery: str, edit: Edit, *, by: str = "", seen: int | None = None) -> Delivery:
    """Change what a delivery says; its keys change with it, and an approval is void.

    A draft may be kept with faults, anything else raises Refused naming them. Refused, too, once an attempt has begun
    and if ``seen`` is not the fence it has.
    """
    found = _open(parts, delivery, seen)
    account = parts.records.account(found.account)
    steps = rewritten(found, edit, found.version + 1)
    if [(s.kind, s.post) for s in steps] == [(s.kind, s.post) for s in found.steps]:
        return found
    if found.status is not S.DRAFT:
        _check(steps, account)
    to = _after(parts, found, account)
    asked = found.asked or (to in {S.HELD, S.FAILED} and bool(found.approval))
    parts.deliveries.change(
        found.id,
        to,
        origins=[found.status],
        note=f"edited{_signed(by)}{_voided(found)}",
        due=found.due,
        steps=steps,
        seen=found.fence,
        fields={"version": found.version + 1, "approval": "", "approver": "", "reason": found.waits}
        | ({"asked": "1"} if asked else {}),
    )
    return parts.deliveries.get(found.id)


def move(parts: Runtime, delivery: str, when: When, *, by: str = "", seen: int | None = None) -> Delivery:
    """Let a delivery go out at another time; raises Refused with every reason that forbids it.

    One that was held, or failed, is planned again, unless somebody must decide about its article first.
    """
    found = _open(parts, delivery, seen)
    if found.status in {S.SCHEDULED, S.HELD, S.FAILED}:
        refuse_undecided(parts, found)
    account = parts.records.account(found.account)
    if when.wall:  # who says now means now, as when a draft is finished; and now has passed before it is looked at
        _allow(parts, account, found, when)
    to = _after(parts, found, account)
    if to is S.FAILED or to is S.HELD:
        asked = found.asked or bool(found.approval)
        to = S.AWAITING_APPROVAL if asked or parts.records.needs_approval(account) else S.SCHEDULED
    shifted = " (moved by a clock change)" if when.shifted else ""
    note = f"moved to {when.said}{shifted}{_signed(by)}{_voided(found)}"
    fields: dict[str, object] = {"approval": "", "approver": ""}
    waits = _overtaken(parts, found) if found.status in {S.FAILED, S.HELD} else ""
    if waits:
        fields |= {"reason": waits, "waits": waits, "asked": "1" if to is S.AWAITING_APPROVAL else ""}
        to, note = S.HELD, f"{note}; {waits}"
    _place(parts, account, found, when, to=to, note=note, fields=fields)
    return _ask(parts, found.id, waits)


def finish(parts: Runtime, delivery: str, when: When | None, *, by: str = "", seen: int | None = None) -> Delivery:
    """A draft is ready: it is planned for ``when`` (None = the account's next free slot), or waits for approval then.

    Where somebody must decide about its article's change first, it is held until then.

    Raises Refused with everything the platform would not take and everything that forbids the time.
    """
    found = _open(parts, delivery, seen)
    if found.status is not S.DRAFT:
        raise Refused(f"{found.id} is no draft", why=f"it is {found.status}")
    refuse_gone(parts, found.article)
    account = parts.records.account(found.account)
    _check(found.steps, account)
    if when is None:
        when = next_slot(parts, account, delivery=found.id)
    elif when.wall:
        _allow(parts, account, found, when)
    _, wanted = parts.reader.speaking(parts.records.article(found.article)[0], ())
    needs = wanted or parts.records.needs_approval(account)
    note = f"planned for {when.said}{_signed(by)}"
    if undecided(parts, found):
        held: dict[str, object] = {"reason": changes.WAITS, "waits": changes.WAITS, "asked": "1" if needs else ""}
        _place(parts, account, found, when, to=S.HELD, note=f"{note}; {changes.WAITS}", fields=held)
        parts.aftercare.recheck_at(found.article, parts.now(), sooner=True)  # it may be right by now
    else:
        _place(parts, account, found, when, to=S.AWAITING_APPROVAL if needs else S.SCHEDULED, note=note)
    return parts.deliveries.get(found.id)


def send_back(parts: Runtime, delivery: str, why: str, *, by: str = "") -> Delivery:
    """Somebody looked and wants it otherwise: it is a draft again, and says why."""
    found = parts.deliveries.get(delivery)
    reason = " ".join(why.split()) or "sent back"
    parts.deliveries.change(
        delivery,
        S.DRAFT,
        origins=[S.AWAITING_APPROVAL],
        note=f"sent back{_signed(by)}: {reason}",
        due=found.due,
        seen=found.fence,
        fields={"reason": reason},
    )
    return parts.deliveries.get(delivery)


def drop(parts: Runtime, delivery: str, *, by: str = "") -> None:
    """An account is no target any more: a draft vanishes, what was planned is cancelled."""
    found = _open(parts, delivery, None)
    if found.status is S.DRAFT:
        parts.deliveries.discard(found.id)
        parts.records.unlink_delivery(found.article, found.id)
    else:
        parts.deliveries.change(
            found.id, S.CANCELLED, origins=[found.status], note=f"cancelled{_signed(by)}", seen=found.fence
        )
    parts.deliveries.release(found.account, found.id)


def accept(
    parts: Runtime,
    article: str,
    accounts: Sequence[Account],
    *,
    approve: bool = False,
    draft: bool = False,
    thread: bool = False,
    again: bool = False,
) -> list[Delivery]:
    """Plan an article on accounts, each in its next free slot; with ``draft`` for somebody to finish.

    With ``again`` once more where it is planned or out already, with ``approve`` they wait for approval even where the
    account asks for none. A draft holds no slot: it is given one
    when it is finished.
    """
    if not accounts:
        raise HandbillError("There is no account to post to", do="Connect one")
    refuse_gone(parts, article)

    def due(account: Account, delivery: str) -> When:
        return next_slot(parts, account, delivery=delivery, take=not draft)

    return parts.planner.plan(article, accounts, due=due, approve=approve, draft=draft, thread=thread, again=again)


def approve(parts: Runtime, delivery: str, *, seal: str = "", by: str = "") -> None:
    """``decisions.approve``, unless the article is gone by now, or somebody must decide about it; raises Refused."""
    refuse_undecided(parts, parts.deliveries.get(delivery))
    decisions.approve(parts.deliveries, delivery, seal=seal, by=by)


def retry(parts: Runtime, delivery: str, *, by: str = "", approves: bool = False) -> Delivery:
    """``decisions.retry``, unless the article is gone by now, or somebody must decide about it; raises Refused.

    What says something that its article does not say any more is held until somebody has decided about that.
    """
    found = parts.deliveries.get(delivery)
    refuse_undecided(parts, found)
    waits = _overtaken(parts, found)
    decisions.retry(parts.deliveries, delivery, by=by, approves=approves, waits=waits)
    return _ask(parts, delivery, waits)


def resolve(
    parts: Runtime, delivery: str, *, there: str, seen: int | None = None, by: str = "", approves: bool = False
) -> Delivery:
    """``decisions.resolve``, as what can answer it sees it; Refused, too, to send again what is of a gone article.

    What is to be sent again and says something that its article does not say any more is held, as by ``retry``.
    """
    waits = ""
    if not there:
        found = parts.deliveries.get(delivery)
        refuse_gone(parts, found.article)
        waits = _overtaken(parts, found)
    told: dict[str, Any] = {"there": there, "seen": seen, "by": by, "approves": approves, "waits": waits}
    decisions.resolve(parts.deliveries, delivery, witness=witness(parts.accounts), **told)
    return _ask(parts, delivery, waits)


def _overtaken(parts: Runtime, delivery: Delivery) -> str:
    """Why what was sent again is to be held, if it is: its article was corrected since it was written."""
    if not parts.changes.says_wrong(delivery):
        return ""
    # Who holds it may be lost before they ask.
    parts.aftercare.recheck_at(delivery.article, parts.now(), sooner=True)
    return changes.WAITS


def _ask(parts: Runtime, delivery: str, waits: str) -> Delivery:
    """A delivery after somebody had it sent again; what is held is asked about at once."""
    found = parts.deliveries.get(delivery)
    if waits:
        parts.changes.ask(found.article)
    return found


def refuse_undecided(parts: Runtime, delivery: Delivery) -> None:
    """Raise Refused for a post of an article that is gone, or of which it says what somebody must decide about."""
    refuse_gone(parts, delivery.article)
    change = undecided(parts, delivery)
    if change and change.state is State.OPEN:
        do = f"Decide on the page Changes, or: handbill changes approve {change.id} (or dismiss); or cancel the post"
        raise Undecided("Somebody must decide about its article's change first", why=change.what[0], do=do)
    if change:
        by, do = change.by or "somebody", "Wait until a worker has done that, or edit or cancel the post"
        raise Undecided(
            f"What {by} approved about its article's change is carried out first", why=change.what[0], do=do
        )


def undecided(parts: Runtime, delivery: Delivery) -> Change | None:
    """The correction of its article that somebody must decide about before a post goes out, or the change that was
    approved about it as it is and is not carried out yet.
    """
    for change in parts.aftercare.changes(delivery.workspace):
        mine = [p for p in change.proposals if p.delivery == delivery.id and not p.out]
        if mine and change.state is State.OPEN and change.kind is Kind.CORRECTED:
            return change
        left = [p for p in mine if p.action is not Action.LEAVE and p.version in {0, delivery.version}]
        if left and change.state is State.APPROVED and delivery.id not in parts.aftercare.applied(change):
            return change
    return None


def refuse_gone(parts: Runtime, article: str) -> None:
    """Raise Refused if an article was taken down: nothing more is posted of it until it is there again."""
    if why := parts.aftercare.gone(article.partition(".")[0]).get(article):
        look, allow = f"handbill changes look {article}", f"handbill evergreen allow {article}"
        do = f"See the page Changes, or look at its page again: {look}; or, to post it all the same, first: {allow}"
        raise Undecided("The article is gone", why=why, do=do)


def skip(parts: Runtime, article: str) -> None:
    """An article is not posted; raises Refused if it is planned."""
    if not parts.records.shelve(article, "skipped", only_from="new"):
        raise Refused("Only a new article can be skipped", do="Cancel its posts instead")


def bring_back(parts: Runtime, article: str) -> None:
    """An article that was skipped is new again."""
    if not parts.records.shelve(article, "new", only_from="skipped"):
        raise Refused("This article was not skipped")


def next_slot(
    parts: Runtime, account: Account, *, delivery: str = "", take: bool = False, after: datetime | None = None
) -> When:
    """The account's next free slot, which the platform's rates allow; with ``take`` it is taken for ``delivery``.

    ``after`` None is now.
    """
    now = parts.now()
    rates = publishers.load(account.platform).budgets
    gap = max(account.calendar.gap * 60, 1)
    begin = first = max(now, after or now)
    while begin < first + timedelta(days=schedule.HORIZON_DAYS):  # a week at a time: who plans far ahead has many posts
        end = begin + timedelta(days=7)
        taken = _taken(parts, account, begin, end, delivery)
        for when in schedule.slots(account.calendar, zone=account.zone, after=begin, taken=taken):
            if when.instant > end:
                break
            if schedule.forbidden(account.calendar, when, now=now, taken=taken, rates=rates):
                continue
            if not take or parts.records.reserve(account, delivery, when.instant, gap=gap):
                return when
        begin = end
    do = f"Give it more times in its calendar: handbill accounts set {account.id} --calendar 'mon-fri 09:00 13:00'"
    raise HandbillError(f"{account.id} has no free slot within {schedule.HORIZON_DAYS} days", do=do)


def objections(parts: Runtime, account: Account, when: When, *, delivery: str = "") -> list[str]:
    """Why a delivery of the account may not go out then; empty if it may."""
    when = schedule.at_instant(when.instant, account.zone)  # quiet hours and days are the account's
    rates = publishers.load(account.platform).budgets
    taken = _taken(parts, account, when.instant, when.instant, delivery)
    return schedule.forbidden(account.calendar, when, now=parts.now(), taken=taken, rates=rates)


def _taken(parts: Runtime, account: Account, begin: datetime, end: datetime, delivery: str) -> list[datetime]:
    """When other posts of the account are due, near enough to matter for anything between two instants."""
    rates = publishers.load(account.platform).budgets
    near = timedelta(seconds=max((r.seconds for r in rates), default=0.0)) + timedelta(days=1)
    there = parts.records.taken(account, since=begin - near, until=end + near)
    return [t for name, t in there.items() if name != delivery]


def _open(parts: Runtime, delivery: str, seen: int | None) -> Delivery:
    """The delivery, if it may be changed and is as it was looked at."""
    found = parts.deliveries.get(delivery)
    if found.status not in OPEN:
        do = "Wait until the attempt has ended" if found.status in {S.PREPARING, S.PUBLISHING, S.UNCONFIRMED} else ""
        raise Refused(f"{delivery} cannot be changed any more", why=f"it is {found.status}", do=do)
    if found.step:
        raise Refused(f"{delivery} cannot be changed any more", why="the first part of it is public")
    if seen is not None and seen != found.fence:
        whose = parts.records.account(found.account).name
        raise Refused(f"The post of {whose} was changed meanwhile", do="Look at it again, then repeat")
    return found


def _after(parts: Runtime, delivery: Delivery, account: Account) -> Status:
    """The status of a delivery that a person has changed."""
    # What was approved is approved anew, also where its source asked for that and not the account.
    if delivery.status is S.SCHEDULED and (delivery.approval or parts.records.needs_approval(account)):
        return S.AWAITING_APPROVAL
    return delivery.status


def _check(steps: Sequence[Step], account: Account) -> None:
    label = publishers.load(account.platform).label
    if found := faults(steps, limits_of(account), label):
        raise Refused(f"{label} would not take this", why="; ".join(found), do="Change it")


def _allow(parts: Runtime, account: Account, delivery: Delivery, when: When) -> None:
    if found := objections(parts, account, when, delivery=delivery.id):
        raise Refused(f"{account.name} cannot post then", why="; ".join(found), do="Choose another time")


def _place(
    parts: Runtime,
    account: Account,
    delivery: Delivery,
    when: When,
    *,
    to: Status,
    note: str,
    fields: dict[str, object] | None = None,
) -> None:
    """Take the new place in the account's calendar, then move the delivery; the old place is kept if that fails."""
    gap = account.calendar.gap * 60 if when.wall else 0
    if not parts.records.reserve(account, delivery.id, when.instant, gap=gap):
        raise Refused(f"{account.name} cannot post then", why="somebody took that time meanwhile", do="Choose another")
    values: dict[str, object] = {"wall": when.wall, "zone": when.zone, "attempts": 0, "reason": "", **(fields or {})}
    try:
        parts.deliveries.change(
            delivery.id, to, origins=[delivery.status], note=note, due=when.instant, seen=delivery.fence, fields=values
        )
    except (Refused, NotFound):
        if delivery.status is S.DRAFT:
            parts.deliveries.release(account.id, delivery.id)
        else:
            parts.records.reserve(account, delivery.id, delivery.due, gap=0)
        raise


def _posts(texts: Sequence[str], old: Sequence[Post], first: Post) -> list[Post]:
    """One post for each text that is not empty; one that says the same as before stays as it was."""
    found = []
    for number, text in enumerate(t for t in map(_tidy, texts[:MOST_PARTS]) if t):
        was = old[number] if number < len(old) else Post(text="", language=first.language)
        found.append(was if was.text == text else dataclasses.replace(was, text=text, facets=facets(text)))
    return found


def _too_long(post: Post, limits: Limits, label: str) -> Iterator[str]:
    media = bool(post.media)
    said = counted(post, limits)
    length, room = limits.length(said), limits.room(media=media)
    if length > room:
        yield f"is {length - room:,} too long: {length:,} of {room:,}, as {label} counts"
    elif not limits.fits(said, media=media):
        yield f"is too long: {len(said.encode()):,} bytes of {limits.text_bytes:,}"


def _name(step: Step, number: int, count: int) -> str:
    if step.kind is StepKind.COMMENT:
        return "The first comment"
    return f"Part {number + 1}" if count > 1 and step.kind is StepKind.REPLY else "The text"


def _tidy(text: str) -> str:
    """What a form sends, as a post has it: lines end in one way, and nothing hangs over."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


def _signed(by: str) -> str:
    return f" by {by}" if by else ""


def _voided(delivery: Delivery) -> str:
    return f"; the approval of {delivery.approver or 'before'} is void" if delivery.approval else ""
