"""How a delivery becomes public: tick wakes what is due, publish sends it once, confirm settles lost answers."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

import publishers
from publishers.core.errors import PublishError, RateLimited, Unavailable, Unconfirmed, Unsupported
from publishers.core.post import Commit, Post, Receipt
from publishers.core.publisher import Proof, ProofClass, Publisher
from worker import approval, lifecycle, pull, receipts, reminders
from worker import log as logs
from worker.errors import HandbillError, NotFound
from worker.model import Account, Delivery, Status, Step, StepKind
from worker.pipeline.accounts import AGAIN, Accounts, Renewed, app_key, limits_of, proof_of
from worker.settings import Settings
from worker.store.deliveries import WAITING_MOST, Deliveries, End, Turn
from worker.store.keys import SHARDS
from worker.store.records import Records
from worker.watch import traces

log = structlog.get_logger()

LOOKS = (1, 3, 10)
"""A look-up that finds nothing is repeated after these multiples of the settle time; then the post is due again."""

COMMIT_MARGIN = 2.0
"""Seconds of the lease that must be left beyond the commit's own deadline."""

LOST = "the worker was lost before it sent anything"
"""What the script ``claim`` gives as the reason of such a post."""

UNSENT = {
    "paused": "paused before it was sent",
    "not durable": "Redis could not make the intent durable",
    "busy": "all posts that may be in flight at once were",
}
"""Why a post that was prepared was not sent now."""

PLACE_SHARE = 0.4
"""How much of the time that a worker may prepare a post it may wait for a place to send it from."""

CLOCKS = timedelta(minutes=4)
"""How far a platform's clock may be behind ours: adapters look from five minutes before the commit on."""

STOPPED_WAIT = 60.0
"""Seconds until it is looked again whether somebody can be told whose account is stopped."""


class Engine:
    """Moves deliveries.

    ``wake`` sends messages that say "look at this id"; ``depth`` is how many such messages wait in the broker.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        records: Records,
        accounts: Accounts,
        settings: Settings,
        *,
        wake: Callable[[Sequence[str]], None],
        depth: Callable[[], int],
        now: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        self._deliveries = deliveries
        self._records = records
        self._accounts = accounts
        self._settings = settings
        self._wake = wake
        self._depth = depth
        self._now = now
        self._rng = rng
        self._places = threading.BoundedSemaphore(settings.publish_threads)
        self.following = float("inf")
        """Seconds from the last tick until more is due; 0 or less if that tick could not take everything."""

    def tick(self, free: int = WAITING_MOST) -> int:
        """Wake what is due and mend what lost workers left; any number of callers do no harm. Returns how many.

        ``free`` is how many more posts this worker could take up at once: with none, nothing is woken.
        """
        ids, self.following = self._deliveries.claim(
            most=min(free, WAITING_MOST - self._depth()) if free > 0 else 0,
            settle=self._settings.settle_seconds or Proof(kind=ProofClass.C).settle.total_seconds(),
            wake=self._settings.wake_seconds,
            attempts=self._settings.attempts,
        )
        if ids:
            self._wake(ids)
        return len(ids)

    def publish(self, delivery: str, more: Callable[[], bool] = lambda: False) -> str:
        """Look at a delivery and do what its status asks for; returns the status it has now, or why nothing was done.

        Then do so with whatever else is due, without a wake-up, for as long as ``more`` says so. Safe to call any
        number of times, at any time, from any number of workers.
        """
        turn = self._deliveries.begin(delivery, **self._terms)
        word, following = self._end(turn, more) if isinstance(turn, Turn) else (turn, self._take(more))
        while following:
            _, following = self._end(following, more)
        return word

    @property
    def _terms(self) -> dict[str, float]:
        return {"lease": self._settings.lease_seconds, "stale": self._settings.stale_hours * 3600}

    def _take(self, more: Callable[[], bool]) -> Turn | None:
        return self._deliveries.take(**self._terms, shard=self._rng.randrange(SHARDS)) if more() else None

    def _end(self, turn: Turn, more: Callable[[], bool]) -> tuple[str, Turn | None]:
        """Work on a delivery and store what came of it; if there is to be a next one, the same trip takes it."""
        end = self._work(turn)
        if end is None:
            return "lost", self._take(more)
        if end.to in lifecycle.FINAL:
            traces.settled(turn.delivery, end.to, now=self._now())
        if more():
            shard = self._rng.randrange(SHARDS)
            return end.to, self._deliveries.finish_and_take(turn, end, **self._terms, shard=shard)
        self._deliveries.finish(turn, end)
        return end.to, None

    def _work(self, turn: Turn) -> End | None:
        """Do what the status of a delivery asks for; None if it is somebody else's by now."""
        with (
            structlog.contextvars.bound_contextvars(
                delivery=turn.delivery.id,
                article=turn.delivery.article,
                account=turn.delivery.account,
                platform=turn.delivery.platform,
                attempt=turn.delivery.attempts + 1,
            ),
            traces.turn(turn.delivery),
        ):
            end = self._tried(turn)
            return _given_up(turn, end) if end is not None else None

    def _tried(self, turn: Turn) -> End | None:
        delivery = turn.delivery
        if delivery.step and delivery.reason == LOST and delivery.attempts >= self._settings.attempts:
            return _stop(turn, f"{LOST}, too often to try again")
        try:
            account, publisher = self._accounts.open(delivery.account)
        except NotFound as error:
            return _stop(turn, str(error))
        except HandbillError as error:
            return self._later(turn, Unavailable(str(error)), proof=Proof(kind=ProofClass.B))
        with publisher.http, logs.hiding(publisher.http.redact):
            return _discreet(self._attempt(turn, account, publisher), publisher.http.redact)

    def _attempt(self, turn: Turn, account: Account, publisher: Publisher) -> End | None:
        settled = turn.delivery.status is Status.UNCONFIRMED or turn.delivery.step > 0
        if not settled and account.approval and not approval.covered(turn.delivery):
            why = "nobody has approved it as it is now"
            return End(Status.AWAITING_APPROVAL, why, fields={"reason": why})
        if publisher.by_hand:
            return self._tell(turn, account, publisher)
        return self._speak(turn, turn.delivery.current, account, publisher)

    def _speak(self, turn: Turn, step: Step, account: Account, publisher: Publisher) -> End | None:
        """Send what the step says, or settle what became of it."""
        if turn.delivery.status is Status.UNCONFIRMED:
            return self._confirm(turn, step, account, publisher)
        return self._send(turn, step, account, publisher)

    def _tell(self, turn: Turn, account: Account, publisher: Publisher) -> End | None:
        """Tell the person who posts by hand, by their own account, that it is time: sent as any post is, once.

        Whatever comes of telling them again, the post goes on waiting for them.
        """
        told = turn.delivery.current.reminders
        if len(told) >= reminders.MOST:
            return End(Status.AWAITING_PERSON, "told often enough")
        try:
            channel, speaker = self._accounts.open(account.settings.get("channel", ""))
        except HandbillError as error:
            return _waits_on(turn, _stop(turn, f"{account.name} cannot be told: {error}"))
        place, person = getattr(publisher, "place", publisher.label), account.settings.get("person", account.name)
        with speaker.http, logs.hiding(speaker.http.redact):
            if why := self._stopped(channel.id):
                return _waits_on(turn, End(Status.SCHEDULED, why, wait=STOPPED_WAIT, fields={"reason": why}))
            whom = {"place": place, "person": person}
            step = reminders.step(self._settings, turn.delivery, **whom, limits=limits_of(channel), now=turn.at)
            speaker.http.hide(step.post.link or "")
            end = _discreet(self._speak(turn, step, channel, speaker), speaker.http.redact)
        if end is None:
            return None
        if end.to is Status.PARKED:  # nobody need decide: it comes back to them, and they say when it is done
            end = _asked(turn, Receipt(id="unknown"), f"perhaps told: {end.note}")
        elif end.to is not Status.AWAITING_PERSON:
            return _waits_on(turn, end)
        last = len(told) + 1 >= reminders.MOST
        note = f"{person} was told{' again' if told else ''} by {channel.name} ({channel.id.partition('.')[2]})"
        wait = None if last else self._settings.reminder_hours * 3600
        return dataclasses.replace(end, wait=wait, note=end.note if end.note.startswith("perhaps") else note)

    def _stopped(self, account: str) -> str:
        """Why nothing may be sent by the account that tells somebody; empty if it may."""
        paused = self._deliveries.paused()
        return next(
            (paused[k][1] for k in (f"{w}:{account}" for w in ("account", "connect", "limit")) if k in paused), ""
        )

    def _send(self, turn: Turn, step: Step, account: Account, publisher: Publisher) -> End | None:
        """Prepare, make the intent durable, send the one commit."""
        proof = proof_of(account)
        try:
            step = self._prepare(turn, step, account, publisher)
            self._spend(account, publisher)
        except Unconfirmed as error:
            return self._later(turn, Unavailable(error.what, status=error.status, words=error.words), proof=proof)
        except PublishError as error:
            return self._refused(turn, account, publisher, error, proof)
        except Exception as error:
            log.exception("preparing failed")
            return self._later(turn, Unavailable(f"preparing failed ({type(error).__name__}: {error})"), proof=proof)

        def put_off(word: str) -> End:
            note = UNSENT[word]
            return End(Status.SCHEDULED, note, wait=1.0, fields={"reason": note})

        return self._once(turn, step, account, publisher, put_off)

    def _once(
        self, turn: Turn, step: Step, account: Account, publisher: Publisher, put_off: Callable[[str], End]
    ) -> End | None:
        """Make the intent durable and send the commit, from one of the places that there are."""
        with self._place() as mine:
            word = self._intend(turn, step, publisher) if mine else "busy"
            if word == "ok":
                return self._commit(turn, step, account, publisher)
        return None if word == "lost" else put_off(word)

    @contextmanager
    def _place(self) -> Iterator[bool]:
        """One of the posts that may be in flight at once, if one becomes free in time.

        Hands beyond these store what came of the last post and prepare the next while the others wait for platforms.
        """
        mine = self._places.acquire(timeout=self._settings.spare_seconds * PLACE_SHARE)
        try:
            yield mine
        finally:
            if mine:
                self._places.release()

    def _prepare(self, turn: Turn, step: Step, account: Account, publisher: Publisher) -> Step:
        at = turn.at
        anew = step.kind is StepKind.EDIT and publisher.repictures and _repictured(turn.delivery, step)
        if step.prepared is None and (anew or step.kind not in {StepKind.EDIT, StepKind.DELETE}):
            post = self._within_reach(step.post, account) if publisher.pulls else step.post
            if anew:  # its pictures alone: a draft would be another message
                prepared = publisher.prepare(post, step.key)
            else:
                prepared = publisher.draft(post, step.key, _answered(turn.delivery))
            step = dataclasses.replace(step, prepared=dict(prepared))
            if step.prepared:
                self._deliveries.keep(turn, _with(turn.delivery, step))
                at = self._deliveries.now()  # preparing took a while
        return step if step.at else dataclasses.replace(step, at=at)

    def _within_reach(self, post: Post, account: Account) -> Post:
        """``post`` with an address for each picture at which the platform can fetch it."""
        if post.media and not account.rehearsal and not self._settings.public_url:
            raise Unavailable(pull.MISSING)
        made = [pull.address(self._settings, m, self._now(), rehearsal=account.rehearsal) for m in post.media]
        media = tuple(dataclasses.replace(m, url=url) for m, url in zip(post.media, made, strict=True))
        return dataclasses.replace(post, media=media)

    def _spend(self, account: Account, publisher: Publisher) -> None:
        """Stay within the platform's published rates, over all workers; raises RateLimited."""
        wait = self._records.spend(account, app_key(account, publisher.base), publisher.budgets)
        if wait > 0:
            raise RateLimited(f"{publisher.label}'s own rate would be passed", retry_after=wait)

    def _intend(self, turn: Turn, step: Step, publisher: Publisher) -> str:
        """Store the intent; from then on the right to send lasts as long as the lease is sure to."""
        seconds = self._settings.request_seconds + COMMIT_MARGIN
        publisher.http.expire(seconds)
        return self._deliveries.intend(turn, _with(turn.delivery, step), seconds=seconds)

    def _commit(self, turn: Turn, step: Step, account: Account, publisher: Publisher) -> End:
        """The irreversible request; from here on an unknown error means "perhaps public"."""
        proof = proof_of(account)
        try:
            receipt = _perform(turn.delivery, step, publisher)
        except PublishError as error:
            return self._refused(turn, account, publisher, error, proof)
        except Exception as error:
            log.exception("the commit ended in an error of ours")
            return self._later(turn, Unconfirmed(f"perhaps sent ({type(error).__name__})"), proof=proof)
        below = step.kind is StepKind.REPLY and step.change  # what is public stays as it is
        done = "replied" if below else lifecycle.DONE.get(step.kind, Status.PUBLISHED)
        return _published(turn, step, receipt, f"{done} {receipt.url or receipt.id}")

    def _confirm(self, turn: Turn, step: Step, account: Account, publisher: Publisher) -> End | None:  # noqa: PLR0911 - one per class and outcome
        """Settle a lost answer by what this account's platform can prove."""
        proof = proof_of(account)
        kind = self._class_now(step, proof, account.platform)
        if kind is ProofClass.C:
            return self._witness(turn, step, publisher, proof)
        if kind is ProofClass.A:
            return self._repeat(turn, step, account, publisher)
        try:
            found = publisher.find(step.post, _commit(turn.delivery, step))
        except Unsupported as error:
            return _park(turn, str(error))
        except PublishError as error:
            return self._refused(turn, account, publisher, error, proof)
        except Exception as error:
            log.exception("the look-up failed")
            return self._later(turn, Unconfirmed(f"the look-up failed ({type(error).__name__})"), proof=proof)
        if not found and kind is ProofClass.A2 and step.prepared:  # what has no draft is looked for
            return self._repeat(turn, step, account, publisher)
        if not found and (minutes := self._behind(account, publisher)):
            why = f"{publisher.label}'s clock is {minutes} minutes behind ours"
            return _park(turn, f"{why}: that a look-up did not find it proves nothing")
        return self._looked(turn, step, found, proof)

    def _behind(self, account: Account, publisher: Publisher) -> int:
        """Minutes that a platform's clock is behind ours, where that is more than a look-up allows for; else 0.

        Posts are looked for from the commit's instant on: if ours was ahead, the platform dates them before it.
        """
        if account.rehearsal or publisher.http.told is None:  # a rehearsed week passes in a minute
            return 0
        behind = self._deliveries.now() - publisher.http.told
        return int(behind.total_seconds() // 60) if behind > CLOCKS else 0

    def _witness(self, turn: Turn, step: Step, publisher: Publisher, proof: Proof) -> End:
        """Park what no machine can settle, with what a look-up saw where there is one: only what it found is proof."""
        why = "nobody but a person can tell whether it is there"
        if not publisher.can("find"):
            return _park(turn, why)
        try:
            found = publisher.find(step.post, _commit(turn.delivery, step))
        except PublishError as error:
            return _park(turn, f"a look-up failed ({error}); {why}")
        except Exception as error:
            log.exception("the look-up failed")
            return _park(turn, f"a look-up failed ({type(error).__name__}); {why}")
        if found:
            return self._looked(turn, step, found, proof)
        return _park(turn, f"a look-up did not see it, which proves nothing here; {why}")

    def _looked(self, turn: Turn, step: Step, found: tuple[Receipt, ...], proof: Proof) -> End:
        """What a look-up that was answered means: it is there, not yet, or not at all."""
        if found:
            note = f"found {found[0].url or found[0].id}"
            if len(found) > 1:
                note = f"found {len(found)} times: {', '.join(r.url or r.id for r in found)}"
                self._deliveries.mark_double(turn.delivery.id)
            return _published(turn, step, found[0], note)
        looks = turn.looks + 1
        if looks < len(LOOKS):
            note = f"look {looks} of {len(LOOKS)} did not find it"
            wait = self._settle(proof) * LOOKS[looks]
            return End(Status.UNCONFIRMED, note, wait=wait, fields={"looks": looks})
        note = f"{looks} looks did not find it: it was not published, and is due again"
        steps = _with(turn.delivery, dataclasses.replace(step, prepared=None, at=None))
        fields = {"looks": 0, "uncertain": 0, "reason": ""}
        return End(Status.SCHEDULED, note, wait=0, steps=steps, costs=True, fields=fields)

    def _repeat(self, turn: Turn, step: Step, account: Account, publisher: Publisher) -> End | None:
        """Send the same commit again, where the platform takes it for the same."""
        return self._once(
            turn, step, account, publisher, lambda word: End(Status.UNCONFIRMED, f"{word}: not repeated now", wait=5.0)
        )

    def _refused(self, turn: Turn, account: Account, publisher: Publisher, error: PublishError, proof: Proof) -> End:
        """An answer that is not success, or none: the table says what is next, here it is done."""
        outcome, said = self._judge(turn, error, proof), publisher.http.redact(str(error))
        renewed = self._accounts.renew(account, publisher.settings) if outcome.reconnect else Renewed.DONE
        if renewed is Renewed.LATER:
            until = self._deliveries.now() + AGAIN
            self._deliveries.pause(f"limit:{account.id}", until=until, why=f"no new token yet: {said}")
        if renewed is Renewed.REFUSED:
            why = f"{account.name} must be connected again: {said}"
            self._deliveries.pause(f"connect:{account.id}", until=None, why=why)
            log.warning("account paused", reason=why)
        if outcome.pause:
            until = self._deliveries.now() + timedelta(seconds=outcome.pause)
            self._deliveries.pause(f"limit:{account.id}", until=until, why=f"asked to wait: {said}")
        return self._settle_turn(turn, error, outcome, proof)

    def _later(self, turn: Turn, error: PublishError, *, proof: Proof) -> End:
        return self._settle_turn(turn, error, self._judge(turn, error, proof), proof)

    def _judge(self, turn: Turn, error: PublishError, proof: Proof) -> lifecycle.Outcome:
        if turn.delivery.status is not Status.UNCONFIRMED and isinstance(error, RateLimited):
            log.info("rate limited", seconds=error.retry_after)
        return lifecycle.after(
            error,
            attempts=turn.delivery.attempts,
            most=self._settings.attempts,
            uncertain=turn.uncertain,
            settle=self._settle(proof),
            first=self._settings.backoff_seconds,
            rng=self._rng,
        )

    def _settle_turn(self, turn: Turn, error: PublishError, outcome: lifecycle.Outcome, proof: Proof) -> End:
        fields: dict[str, object] = {"reason": str(error)}
        if outcome.status is Status.UNCONFIRMED:
            fields["uncertain"] = 1
        wait = None if outcome.status in {Status.FAILED, Status.PARKED} else outcome.wait
        if (
            outcome.status is Status.UNCONFIRMED
            and self._class_now(turn.delivery.current, proof, turn.delivery.platform) is ProofClass.C
        ):
            wait = 0.0
        note = f"{type(error).__name__}: {error}"
        steps = None
        if isinstance(error, Unavailable) and error.stale and outcome.status is Status.SCHEDULED:
            steps = _with(turn.delivery, dataclasses.replace(turn.delivery.current, prepared=None, at=None))
        log.warning("not published", status=str(outcome.status), error=type(error).__name__, reason=str(error))
        return End(outcome.status, note, wait=wait, steps=steps, costs=outcome.costs, fields=fields)

    def _class_now(self, step: Step, proof: Proof, platform: str) -> ProofClass:
        if step.kind is StepKind.DELETE or (step.kind is StepKind.EDIT and not publishers.load(platform).edits_anew):
            return ProofClass.A
        if proof.window is not None and step.at is not None and self._deliveries.now() - step.at > proof.window:
            return proof.then
        return proof.kind

    def _settle(self, proof: Proof) -> float:
        return self._settings.settle_seconds or proof.settle.total_seconds()


def _discreet(end: End | None, redacted: Callable[[str], str]) -> End | None:
    """What is kept of a turn, without secrets: a platform may say in its answer all that it was asked with."""
    if end is None:
        return None
    fields = {k: redacted(v) if isinstance(v, str) else v for k, v in end.fields.items()}
    return dataclasses.replace(end, note=redacted(end.note), fields=fields)


def _published(turn: Turn, step: Step, receipt: Receipt, note: str) -> End:
    if step.kind is StepKind.REMIND:
        return _asked(turn, receipt, f"told {receipt.url or receipt.id}")
    steps = _with(turn.delivery, dataclasses.replace(step, receipt=receipt))
    fields: dict[str, object] = {"uncertain": 0, "looks": 0, "reason": "", "step": turn.delivery.step + 1}
    if turn.delivery.step + 1 < len(steps):
        return End(Status.SCHEDULED, note, wait=0, steps=steps, fields=fields | {"attempts": 0})
    log.info("published", url=receipt.url or receipt.id)
    after = dataclasses.replace(turn.delivery, steps=steps)
    to = lifecycle.standing(after) if step.kind is StepKind.DELETE else lifecycle.DONE[step.kind]
    return End(to, note, steps=steps, fields=fields)


def _asked(turn: Turn, receipt: Receipt, note: str) -> End:
    """A person has been told; what is told next is another message."""
    known = turn.delivery.current
    steps = _with(
        turn.delivery,
        dataclasses.replace(known, reminders=(*known.reminders, receipt), at=None, prepared=None),
    )
    fields: dict[str, object] = {"uncertain": 0, "looks": 0, "attempts": 0, "reason": ""}
    return End(Status.AWAITING_PERSON, note, steps=steps, fields=fields)


def _waits_on(turn: Turn, end: End) -> End:
    """What telling a person came to, if it is not told: after the first time, they know, and it waits for them."""
    if not turn.delivery.current.reminders or end.to is Status.UNCONFIRMED:
        return end
    return dataclasses.replace(end, to=Status.AWAITING_PERSON)


def _park(turn: Turn, why: str) -> End:
    step = turn.delivery.current
    sent = f"sent at {step.at:%Y-%m-%d %H:%M:%S %Z}" if step.at else "sent"
    size = len(step.post.text.encode())
    note = f"{sent}, {size} bytes of text, no answer; {why}"
    return End(Status.PARKED, note, fields={"reason": note})


def _stop(turn: Turn, why: str) -> End:
    to = Status.PARKED if turn.uncertain else Status.FAILED
    return End(to, why, fields={"reason": why})


def _perform(delivery: Delivery, step: Step, publisher: Publisher) -> Receipt:
    if step.kind not in {StepKind.EDIT, StepKind.DELETE}:
        return publisher.create(step.post, _commit(delivery, step))
    target = next((m.receipt for m in delivery.messages if m.step == step.of), delivery.steps[step.of].receipt)
    if target is None:
        raise Unsupported("what was to be changed was never public")
    if step.kind is StepKind.EDIT:
        return publisher.edit(target, step.post, _commit(delivery, step))
    publisher.delete(target)
    return target


def _commit(delivery: Delivery, step: Step) -> Commit:
    assert step.at is not None
    root = _answered(delivery, first=True)
    prepared = step.prepared
    fresh = step.kind is StepKind.EDIT and prepared is not None
    if step.kind is StepKind.EDIT and prepared is None:  # a receipt that was looked up may not tell its pictures
        before = (s for s in delivery.steps[: delivery.step] if s.of == step.of and s.kind is StepKind.EDIT)
        made = [s.prepared for s in (delivery.steps[step.of], *before) if s.prepared is not None and not s.failed]
        prepared = made[-1] if made else None
    answers = _answered(delivery)
    return Commit(key=step.key, at=step.at, prepared=prepared or {}, reply_to=answers, root=root, fresh=fresh)


def _repictured(delivery: Delivery, step: Step) -> bool:
    """Whether an edit gives its message other pictures, or other alt texts."""
    there = next((m.post.media for m in delivery.messages if m.step == step.of), ())
    return [(m.sha256, m.alt) for m in step.post.media] != [(m.sha256, m.alt) for m in there]


def _answered(delivery: Delivery, *, first: bool = False) -> Receipt | None:
    """The receipt of what the message of the current step answers, or of the first of its thread; None for a post."""
    step = delivery.current
    if step.kind is StepKind.POST:
        return None
    there = [m.receipt for m in delivery.messages if step.kind is not StepKind.EDIT or m.step < step.of]
    return there[0 if first else -1] if there else None


def _given_up(turn: Turn, end: End) -> End:
    """A post whose edit, deletion or correction came to nothing stays what it was: public, and says why.

    Like steps that follow (the other parts of a thread) are still done; what builds on it is not.
    """
    delivery, step = turn.delivery, turn.delivery.current
    added = step.change or step.kind in {StepKind.EDIT, StepKind.DELETE}
    if end.to is not Status.FAILED or not added or not delivery.messages:
        return end
    steps = _with(delivery, dataclasses.replace(step, failed=end.note, prepared=None))
    rest = delivery.steps[delivery.step + 1 :]
    why = f"the {step.kind} was given up: {end.note}"
    fields = {**end.fields, "reason": why, "uncertain": 0, "looks": 0, "attempts": 0, "step": delivery.step + 1}
    note = f"{receipts.GIVEN_UP}{why}"
    log.warning("given up", step=str(step.kind), reason=end.note)
    if rest and all(s.kind is step.kind for s in rest):
        return End(Status.SCHEDULED, note, wait=0, steps=steps, fields=fields)
    return End(lifecycle.standing(delivery), note, steps=steps[: delivery.step + 1], fields=fields)


def _with(delivery: Delivery, step: Step) -> tuple[Step, ...]:
    if step.kind is StepKind.REMIND:  # what was to be posted is kept, not what its person is told
        known = delivery.current
        step = dataclasses.replace(step, kind=known.kind, key=known.key, post=known.post)
    return (*delivery.steps[: delivery.step], step, *delivery.steps[delivery.step + 1 :])
