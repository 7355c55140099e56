"""What every adapter promises of what it declares, sends and makes of an answer; folders have promises of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from publishers.contract.conversation import told
from publishers.contract.promise import Asked, Promised, asked_of, must, once, same
from publishers.contract.scene import (
    AT,
    COMMITS,
    KEY,
    LATER,
    LOST,
    NEVER_SENT,
    NOW,
    SCENES,
    UNREADABLE,
    WORDS,
    Case,
    Stage,
    Subject,
    Told,
    Wire,
    as_told,
    plain,
    raw,
    read_post,
    reply,
    shown,
    wanted,
    whole,
)
from publishers.core import counting, errors
from publishers.core.errors import PublishError, RateLimited, Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Post, Receipt, Seen
from publishers.core.publisher import ProofClass, Publisher

BODIES = {"json", "text", "messages"}  # the ways in which a refusal may have words of its own
REFUSALS = (  # what a status means unless the fixture knows better
    (400, "Rejected"),
    (401, "Unauthorized"),
    (403, "Rejected"),
    (404, "Rejected"),
    (429, "RateLimited"),
    (500, "Unconfirmed"),
    (503, "Unconfirmed"),
    (302, "Unconfirmed"),
)
TRANSPORTS: Mapping[str, tuple[str, ...]] = {
    "http": SCENES,
    "folder": ("create",),
    "person": ("create",),
    "mail": ("create",),
    "library": ("create",),
}
NUMBERS = {"likes", "shares", "replies", "views", "clicks"}


def sent_as_told(wire: Wire, exchange: list[dict[str, Any]]) -> None:
    """Every request is the one that the fixture tells, and no other was sent."""
    same([as_told(r) for r in wire.sent], [wanted(step["request"]) for step in exchange], "what was sent")
    for request, step in zip(wire.sent, exchange, strict=True):
        for header, value in step["request"].get("headers", {}).items():
            same(request.headers.get(header), value, f"header {header} of {request.method} {request.url}")


def tells_no_secret(error: BaseException | None, secrets: set[str]) -> None:
    """Nothing about an error has a secret in it."""
    if error is not None:
        must(not [s for s in secrets if s in shown(error)], f"a secret is in the error: {type(error).__name__}")


def cases(*scenes: str) -> Promised:
    """A promise asked of each case of these scenes."""
    return asked_of(lambda subject: [(name, (case,)) for name, case in subject.cases(*scenes)])


# The fixture itself


@asked_of(once)
def a_fixture_is_in_words_that_the_suite_knows(subject: Subject, _: Path) -> None:
    known = {"transport", "settings", "secret_in_url", "fresh", "bare_success", "own_number", "refusals", "oauth"}
    _known(subject.told, {*known, *SCENES}, "the fixture")
    must(subject.transport in TRANSPORTS, f"transport is one of {', '.join(TRANSPORTS)}")
    for scene in SCENES:
        for case in subject.told.get(scene, []):
            words = {"name", "settings", "without", "post", "reply_to", "root", "target", "prepared", "exchange"}
            words |= {"profile", "receipt", "receipts", "seen", "numbers", "kept", "files"}
            _known(case, words, f"a case of {scene}")
            for step in case.get("exchange", []):
                _known(step, {"request", "answer", "commit", "session"}, f"an exchange of {scene}")
                body = {"json", "form", "multipart", "body", "messages"}
                _known(step["request"], {"method", "url", "headers", *body}, f"a request of {scene}")
                answer = {"status", "headers", "json", "text", "messages"}
                _known(step.get("answer", {}), answer, f"an answer of {scene}")
    for refusal in subject.told.get("refusals", []):
        _known(refusal, {"status", "headers", *BODIES, "error", "retry_after", "on"}, "a refusal")
        kind = refusal["error"] and getattr(errors, refusal["error"], None)
        must(kind is None or issubclass(kind, PublishError), f"{refusal['error']} is not one of the six errors")


def _known(told: Told, words: set[str], where: str) -> None:
    must(not set(told) - words, f"{where} has words that the suite does not know: {sorted(set(told) - words)}")


@asked_of(once)
def a_fixture_shows_everything_the_adapter_can_and_nothing_it_cannot(subject: Subject, _: Path) -> None:
    told, kind = subject.told, subject.kind
    scenes = {scene for scene in SCENES if told.get(scene)}
    if subject.transport != "http":
        same(scenes, set(TRANSPORTS[subject.transport]), "the scenes that are shown")
        return
    same(scenes, {s for s in SCENES if s in {"connect", "create"} or kind.can(s)}, "the scenes that are shown")
    must(answered(subject) or not _answers(subject), "no case shows how a reply is sent")
    pictured = any(case["post"].get("media") for case in told["create"])
    same(pictured, bool(kind.limits.media), "whether a case shows a picture, and whether one can be sent")
    if kind.can("find"):
        counts = {len(case["receipts"]) for case in told["find"]}
        must({0, 1} <= counts, "look-ups show one that finds nothing and one that finds a message")
    for scene in COMMITS:
        for case in told.get(scene, []):
            marked = [n for n, step in enumerate(case["exchange"]) if step.get("commit")]
            same(marked, [len(case["exchange"]) - 1], f"{scene}: exactly one commit, and it comes last")


def answered(subject: Subject) -> bool:
    """Whether a message may answer another on this platform, as its fixture shows."""
    return any(case.get("reply_to") for case in subject.told["create"])


def _answers(subject: Subject) -> bool:
    return subject.kind.limits.thread or subject.kind.limits.comment


@asked_of(once)
def a_fixture_gives_every_secret_a_value_of_its_own_that_can_be_searched_for(subject: Subject, _: Path) -> None:
    values = [subject.told["settings"].get(f.name, "") for f in subject.kind.fields if f.secret]
    must(all(len(v) >= 12 for v in values), "every secret field needs a value of 12 characters or more")
    must(len(set(values)) == len(values), "two secret fields have the same value")


# What is declared


@asked_of(once)
def what_is_declared_makes_sense(subject: Subject, _: Path) -> None:
    kind, limits = subject.kind, subject.kind.limits
    must(kind.label.strip(), "the label is empty")
    must(limits.counting in counting.COUNTERS, f"{limits.counting} is no name in counting.COUNTERS")
    same(limits.length("ab"), 2, "the length of 'ab'")
    must(0 < limits.text <= 100_000, "limits.text is beyond 1 to 100,000")
    must(limits.caption is None or 0 < limits.caption <= 100_000, "limits.caption is beyond 1 to 100,000")
    must(limits.text_bytes is None or limits.text_bytes >= limits.text, "fewer bytes than letters")
    must(limits.hashtags >= 0, "limits.hashtags is negative")
    must(0 <= limits.media <= 20, "limits.media is beyond 0 to 20")
    must(limits.media == 0 or 100_000 <= limits.media_bytes <= 100_000_000, "limits.media_bytes is implausible")
    _only(limits.media_types, {"image/jpeg", "image/png", "image/webp", "image/gif"}, "limits.media_types")
    must(limits.alt >= 0, "limits.alt is negative")
    must(not (limits.thread and limits.comment), "an answer is a message of its own or a comment, not both")
    must(limits.warning or not limits.labels, "labels without warning")
    must(limits.cards, "no card size")
    must(all(200 <= w <= 4096 and 200 <= h <= 4096 for w, h in limits.cards), "a card size is implausible")
    must(len({f.name for f in kind.fields}) == len(kind.fields), "two fields have one name")
    must(all(f.name.isidentifier() and f.label.strip() for f in kind.fields), "a field has no proper name or label")
    must(isinstance(kind.proof.kind, ProofClass), "proof.kind is no ProofClass")
    must(kind.proof.settle > timedelta(0), "proof.settle is not positive")
    must(kind.proof.window is None or kind.proof.window > kind.proof.settle, "the window ends before it is looked into")
    looked = ProofClass.B in {kind.proof.kind, kind.proof.then}
    must(not looked or kind.can("find"), "class B is settled by a look-up, and there is no find")
    must(all(b.posts > 0 and b.seconds > 0 for b in kind.budgets), "a budget is not positive")


def _only(found: tuple[str, ...], known: set[str], what: str) -> None:
    must(not set(found) - known, f"{what} has {sorted(set(found) - known)}")


# What is sent


@cases("connect")
def connecting_reads_and_tells_who_we_are(case: Case, folder: Path) -> None:
    wire = Wire(case.exchange)
    profile = Stage(case, folder).play(wire)
    sent_as_told(wire, case.exchange)
    same(wire.commits, [False] * len(wire.sent), "commits")
    for request, step in zip(wire.sent, case.exchange, strict=True):
        reads = request.method in {"GET", "HEAD"} or step.get("session")
        must(reads, f"{request.method} {request.url} changes things")
    told = case.told["profile"]
    same(profile.name, told["name"], "name")
    same(profile.url, told.get("url", ""), "url")
    same(json.loads(json.dumps(profile.limits)), told.get("limits", {}), "limits")
    same(profile.proof.kind.value if profile.proof else None, told.get("proof"), "proof")
    same(dict(profile.settings), told.get("settings", {}), "settings")
    same(case.subject.kind.limits.override(profile.limits).length("ab"), 2, "the length of 'ab'")


@cases("create")
def a_post_is_sent_as_written_with_one_commit_that_comes_last(case: Case, folder: Path) -> None:
    wire = Wire(case.exchange)
    receipt = Stage(case, folder).play(wire)
    sent_as_told(wire, case.exchange)
    same(wire.commits, [bool(step.get("commit")) for step in case.exchange], "commits")
    same(plain(receipt), whole(case.told["receipt"]), "receipt")


@cases("create")
def the_same_commit_again_is_the_same_to_the_byte(case: Case, folder: Path) -> None:
    stage = Stage(case, folder)
    first = Wire(case.exchange)
    receipt = stage.play(first)
    with Wire(case.exchange) as wire:
        stage.adapter(wire).draft(stage.post, KEY, stage.reply_to)
        done = len(wire.sent)
    fresh = case.subject.told.get("fresh", {})
    for now in (NOW, LATER):
        with Wire(case.exchange[done:], now=now) as wire:
            again = stage.adapter(wire).create(stage.post, stage.commit(stage.prepared))
        same([raw(r, fresh) for r in wire.sent], [raw(r, fresh) for r in first.sent[done:]], "the repeat")
        same(again, receipt, "the repeat's receipt")


def _keyed(subject: Subject) -> Asked:
    return list(_first(subject)) if subject.kind.proof.kind is ProofClass.A else []


def _first(subject: Subject) -> Iterator[tuple[str, tuple[Case]]]:
    for name, case in subject.cases("create"):
        yield name, (case,)
        return


@asked_of(_keyed)
def the_key_is_the_steps_and_not_the_trys(case: Case, folder: Path) -> None:
    sent = []
    for key in (KEY, "a" * 40):
        stage = Stage(case, folder)
        with Wire(case.exchange) as wire:
            adapter = stage.adapter(wire)
            prepared = adapter.draft(stage.post, key, None)
            adapter.create(stage.post, Commit(key=key, at=AT, prepared=prepared))
        sent.append(raw(wire.sent[-1]))
    must(sent[0] != sent[1], "two steps with the same words would be taken for one")


def _unwarned(subject: Subject) -> Asked:
    limits = subject.kind.limits
    return list(_first(subject)) if not limits.warning or limits.labels else []


@asked_of(_unwarned)
def a_warning_that_the_platform_cannot_show_is_never_left_out(case: Case, folder: Path) -> None:
    stage = Stage(case, folder)
    stage.post = dataclasses.replace(stage.post, warning="Flood")
    wire = Wire(case.exchange)
    try:
        stage.play(wire)
    except Unsupported:
        must(True not in wire.commits, "it was sent, and refused afterwards")
    else:
        must(None, "the warning was left out silently")


def _unanswered(subject: Subject) -> Asked:
    return [] if answered(subject) else list(_first(subject))


@asked_of(_unanswered)
def an_answer_where_nothing_is_answered_is_never_a_message_of_its_own(case: Case, folder: Path) -> None:
    stage = Stage(case, folder)
    stage.reply_to = stage.root = Receipt(id="4711")
    wire = Wire(stage.case.exchange)
    try:
        stage.play(wire)
    except Unsupported:
        must(True not in wire.commits, "it was sent, and refused afterwards")
    else:
        must(None, "it became a message of its own")


@cases("create")
def preparing_sends_only_what_may_be_repeated(case: Case, folder: Path) -> None:
    stage = Stage(case, folder)
    with Wire(case.exchange) as wire:
        prepared = stage.adapter(wire).draft(stage.post, KEY, stage.reply_to)
    must(True not in wire.commits, "preparing sent a commit")
    same(json.loads(json.dumps(prepared)), prepared, "what was prepared, as JSON keeps it")


@cases("find", "read_back", "metrics", "refresh", "edit", "delete")
def the_other_acts_send_what_is_written_and_give_back_what_they_should(case: Case, folder: Path) -> None:
    wire = Wire(case.exchange)
    got = Stage(case, folder).play(wire)
    sent_as_told(wire, case.exchange)
    same(wire.commits, [bool(step.get("commit")) for step in case.exchange], "commits")
    match case.scene:
        case "find":
            reads = [
                r.method in {"GET", "HEAD"} or s.get("session") for r, s in zip(wire.sent, case.exchange, strict=True)
            ]
            must(all(reads), "a look-up only reads")
            same([plain(r) for r in got], [whole(r) for r in case.told["receipts"]], "what was found")
        case "read_back":
            reads = [
                r.method in {"GET", "HEAD"} or s.get("session") for r, s in zip(wire.sent, case.exchange, strict=True)
            ]
            must(all(reads), "reading a message again only reads")
            told = case.told["seen"]
            if told and "alts" in told:
                told = {**told, "alts": tuple(told["alts"])}
            same(got, told and Seen(**told), "what is there")
        case "metrics":
            same(dict(got), case.told["numbers"], "numbers")
            _only(tuple(got), NUMBERS, "the numbers")
        case "refresh":
            same(dict(got), case.told["kept"], "what is kept")
        case "edit":
            same(plain(got), whole(case.told["receipt"]), "receipt")
        case "delete":
            same(got, None, "what deleting gives back")


CHANGES = ("another text", "a text that goes on", "a week later", "in answer to another")


def _compared(subject: Subject) -> Asked:
    """Each look-up that finds a message by what it says, when it was said and what it answers: not by a number that is
    ours, nor by our own mark in it.
    """
    if subject.told.get("own_number"):
        return
    for name, case in subject.cases("find"):
        drafted = subject.kind.proof.kind is ProofClass.A2 and not case.told.get("reply_to")
        if case.told["receipts"] and not drafted and KEY not in json.dumps(case.exchange):
            yield from ((f"{name}-{change}", (case, change)) for change in CHANGES)


@asked_of(_compared)
def a_look_up_compares_the_text_the_time_and_what_is_answered(case: Case, change: str, folder: Path) -> None:
    stage = Stage(case, folder)
    commit = stage.commit(case.told.get("prepared", {}))
    if change == "another text":
        stage.post = dataclasses.replace(stage.post, text="Something else altogether", facets=())
    elif change == "a text that goes on":
        stage.post = dataclasses.replace(stage.post, text=f"{stage.post.text} and more")
    elif change == "a week later":
        commit = dataclasses.replace(commit, at=AT + timedelta(days=7))
    else:
        commit = dataclasses.replace(commit, reply_to=Receipt(id="4711"), root=Receipt(id="4711"))
    more = [{"request": {}, "answer": {"status": 404}}] * 3  # whoever finds nothing may ask on
    with Wire([*case.exchange, *more]) as wire:
        try:
            got = stage.adapter(wire).find(stage.post, commit)
        except PublishError:  # which proves nothing, and so does no harm
            got = ()
    if got:
        must(change in CHANGES[2:], f"it took {got} for a message with {change}")
        asked = [str(request.url) for request in wire.sent]
        before = [step["request"]["url"] for step in case.exchange]
        must(asked != before, "the platform was asked the same as before, and the answer believed")


@cases(*SCENES)
def no_secret_is_in_an_address(case: Case, folder: Path) -> None:
    stage, wire = Stage(case, folder), Wire(case.exchange)
    stage.play(wire)
    if case.subject.told.get("secret_in_url"):
        return  # the fixture says why the protocol leaves no choice
    addresses = " ".join(str(r.url) for r in wire.sent)
    must(not [s for s in stage.secrets if s in addresses], "a secret is in an address")


# What an answer means


def _refusals(subject: Subject, scene: str) -> Iterator[dict[str, Any]]:
    """Each refusal of a commit: what every platform may answer, and what this one's fixture adds or corrects."""
    told = [r for r in subject.told.get("refusals", []) if scene in r.get("on", COMMITS)]
    corrected = {r["status"]: r for r in told if not BODIES & set(r)}
    for status, error in REFUSALS:
        yield {"status": status, "error": error, **corrected.pop(status, {})}
    yield from corrected.values()
    yield from (r for r in told if BODIES & set(r))


def _refused(subject: Subject) -> Asked:
    for name, case in subject.cases(*COMMITS):
        found = dataclasses.replace(case, place=case.commit)
        for number, refusal in enumerate(_refusals(subject, case.scene)):
            yield f"{name}-{refusal['status']}-{number}", (found, refusal)


def _answer_of(refusal: Mapping[str, Any], secrets: set[str]) -> Any:
    """The answer a fixture tells of; without a body it has the platform's words, and every secret echoed in them."""
    headers = dict(refusal.get("headers", {}))
    if refusal["status"] == 429 and "retry_after" not in refusal:
        headers["Retry-After"] = "7"
    if refusal["status"] == 302:
        headers["Location"] = "https://elsewhere.example/"
    if "messages" in refusal:
        return told(refusal["messages"])
    if "text" in refusal:
        return reply(refusal["status"], refusal["text"], **headers)
    echo = {"error": WORDS, "message": WORDS, "seen": sorted(secrets)}
    headers["Content-Type"] = "application/json"
    return reply(refusal["status"], json.dumps(refusal.get("json", echo)), **headers)


@asked_of(_refused)
def every_answer_to_a_commit_says_what_may_happen_next(case: Case, refusal: Mapping[str, Any], folder: Path) -> None:
    stage = Stage(case, folder)
    error, wire = stage.outcome(_answer_of(refusal, stage.secrets))
    sent = len(wire.sent) == len(case.exchange)
    must(sent, "something was sent after the commit, or the commit never was")
    same(type(error).__name__ if error else None, refusal["error"], f"what {refusal['status']} means ({error})")
    if error is None:
        return
    same(error.status, refusal["status"], "the error's status")
    if isinstance(error, RateLimited):
        same(error.retry_after, refusal.get("retry_after", 7.0), "seconds to wait")
    if not BODIES & set(refusal):
        must(WORDS in str(error), "the error does not have the platform's own words")
    tells_no_secret(error, stage.secrets)


def _broken(faults: tuple[type[Exception], ...]) -> Promised:
    return asked_of(
        lambda subject: [
            (f"{name}-{fault.__name__}", (case, fault)) for name, case in subject.places(*SCENES) for fault in faults
        ]
    )


@_broken(NEVER_SENT)
def what_was_never_sent_is_unavailable(case: Case, fault: Any, folder: Path) -> None:
    stage = Stage(case, folder)
    error, wire = stage.outcome(fault)
    same(type(error), Unavailable, "the error")
    same(len(wire.sent), case.place + 1, "requests sent")
    tells_no_secret(error, stage.secrets)


@_broken(LOST)
def a_lost_answer_is_unconfirmed_after_a_commit_and_harmless_before(case: Case, fault: Any, folder: Path) -> None:
    stage = Stage(case, folder)
    error, wire = stage.outcome(fault)
    same(type(error), Unconfirmed if case.is_commit else Unavailable, "the error")
    must(len(wire.sent) == case.place + 1, "a lost answer is never answered with another request")
    tells_no_secret(error, stage.secrets)


def _unreadable(*scenes: str) -> Promised:
    return asked_of(
        lambda subject: [
            (f"{name}-{what}", (case, body))
            for name, case in subject.places(*scenes)
            for what, body in UNREADABLE.items()
        ]
    )


@_unreadable("create")
def an_answer_that_cannot_be_read_is_unconfirmed_after_a_commit_and_never_before(
    case: Case, body: bytes, folder: Path
) -> None:
    error, wire = Stage(case, folder).outcome(reply(200, body))
    if case.is_commit and case.subject.told.get("bare_success"):
        same(error, None, "the error")
    elif case.is_commit:
        same(type(error), Unconfirmed, "the error")
        same(len(wire.sent), len(case.exchange), "requests sent")
    else:
        must(type(error) is not Unconfirmed, "what may be repeated was taken for a commit")


def _refused_before(subject: Subject) -> Asked:
    for name, case in subject.places("create", "find", repeatable=True):
        for status in (401, 403, 404, 429, 500, 503, 302):
            yield f"{name}-{status}", (case, status)


@asked_of(_refused_before)
def a_refusal_before_the_commit_is_certain(case: Case, status: int, folder: Path) -> None:
    answer = reply(status, json.dumps({"error": WORDS}), **{"Retry-After": "7"})
    error, _ = Stage(case, folder).outcome(answer)
    if error is None:
        must(case.scene == "create", "a look-up that was refused proves nothing")
        same(status, 404, "only what is not there may be passed over: the status")
        return
    must(type(error) is not Unconfirmed, "what may be repeated was taken for a commit")
    known = {401: Unauthorized, 429: RateLimited, 500: Unavailable, 503: Unavailable}
    must(isinstance(error, known.get(status, PublishError)), f"{status} became {type(error).__name__}")


@_unreadable("find", "read_back", "metrics")
def a_look_up_that_cannot_be_read_proves_nothing(case: Case, body: bytes, folder: Path) -> None:
    error, _ = Stage(case, folder).outcome(reply(200, body))
    same(type(error), Unavailable, "the error")


@_unreadable("connect", "refresh")
def whatever_a_server_says_of_itself_only_the_six_errors_come_out(case: Case, body: bytes, folder: Path) -> None:
    stage = Stage(case, folder)
    error, _ = stage.outcome(reply(200, body))
    must(type(error) is not Unconfirmed, "what may be repeated was taken for a commit")
    tells_no_secret(error, stage.secrets)


# Adapters that hand in mail; what becomes of it is shown with a real server (tests/test_mail.py)


def _mail(subject: Subject) -> Asked:
    return once(subject) if subject.transport == "mail" else []


@asked_of(_mail)
def where_no_mail_server_can_be_reached_nothing_was_handed_in(subject: Subject, folder: Path) -> None:
    post = read_post(subject.told["create"][0]["post"], folder)
    secrets = subject.secrets(subject.told["settings"])
    for act in ("connect", "create"):
        with Http() as http:
            http.expire(0)
            adapter = subject.kind(dict(subject.told["settings"]), http)
            try:
                if act == "connect":
                    adapter.connect()
                else:
                    adapter.create(post, Commit(key=KEY, at=AT, prepared=adapter.prepare(post, KEY)))
            except PublishError as error:
                same(type(error), Unavailable, f"the error of {act}")
                tells_no_secret(error, secrets)
            else:
                must(None, f"{act} came to a good end without a server")


# Adapters of platforms where a person posts


def _person(subject: Subject) -> Asked:
    return once(subject) if subject.transport == "person" else []


@asked_of(_person)
def where_a_person_posts_nothing_is_sent_and_nobody_is_spoken_to(subject: Subject, folder: Path) -> None:
    must(subject.kind.by_hand, "it is not said to be posted by hand")
    post = read_post(subject.told["create"][0]["post"], folder)
    with Wire([]) as wire:
        adapter = subject.kind(dict(subject.told["settings"]), wire)
        told = subject.told["create"][0]["profile"]
        profile = adapter.connect()
        same((profile.name, profile.url, dict(profile.limits)), (told["name"], told["url"], told["limits"]), "profile")
        try:
            adapter.create(post, Commit(key=KEY, at=AT))
        except Unsupported:
            same(wire.sent, [], "what was sent")
        else:
            must(None, "it says that it has posted")


# Adapters that keep their posts in a folder


class Kept:
    """An adapter that keeps its posts in a folder, with its settings and its first post."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.kind, self.case = subject.kind, subject.told["create"][0]
        self.settings = {k: v.replace("{tmp}", str(folder)) for k, v in subject.told["settings"].items()}
        self.post: Post = read_post(self.case["post"], folder)
        self.told = json.loads(json.dumps(self.case["receipt"]).replace("{tmp}", str(folder)))

    @contextlib.contextmanager
    def adapter(self) -> Iterator[Publisher]:
        """The adapter, with no way out."""
        with Wire([]) as wire:
            yield self.kind(self.settings, wire)

    def keep(self) -> Receipt:
        """Give it the post."""
        with self.adapter() as adapter:
            prepared = json.loads(json.dumps(adapter.prepare(self.post, KEY)))
            return adapter.create(self.post, Commit(key=KEY, at=AT, prepared=prepared))

    def there(self) -> tuple[Receipt, ...]:
        """Look for the post."""
        with self.adapter() as adapter:
            return adapter.find(self.post, Commit(key=KEY, at=AT))

    def files(self) -> dict[str, bytes]:
        """What lies in the folder, but for what is hidden."""
        return {p.name: p.read_bytes() for p in Path(self.settings["folder"]).iterdir() if not p.name.startswith(".")}


def _folder(subject: Subject) -> Asked:
    return once(subject) if subject.transport == "folder" else []


@asked_of(_folder)
def a_folder_takes_a_post_once_however_often_it_is_given(subject: Subject, folder: Path) -> None:
    kept = Kept(subject, folder)
    receipt = kept.keep()
    files = kept.files()
    same(plain(receipt), whole(kept.told), "receipt")
    same(sorted(files), sorted(kept.case["files"]), "files")
    same(kept.keep(), receipt, "the repeat's receipt")
    same(kept.files(), files, "files after the repeat")


@asked_of(_folder)
def a_folder_that_cannot_be_made_is_unavailable(subject: Subject, folder: Path) -> None:
    kept = Kept(subject, folder)
    Path(kept.settings["folder"]).write_text("something is in the way")
    try:
        kept.keep()
    except Unavailable:
        return
    must(None, "it kept a post where there is no folder")


DISK: tuple[tuple[Any, str], ...] = ((os, "fsync"), (os, "fdopen"), (Path, "replace"), (tempfile, "mkstemp"))


def _disk(subject: Subject) -> Asked:
    if subject.transport == "folder":
        for owner, name in DISK:
            yield from ((f"{name}-{nth}", (subject, owner, name, nth)) for nth in range(1, 6))


@asked_of(_disk)
def a_disk_that_fails_at_any_moment_is_never_believed_too_much(
    subject: Subject, owner: Any, name: str, nth: int, folder: Path
) -> None:
    kept = Kept(subject, folder)
    with kept.adapter() as adapter:
        adapter.connect()
    left, real = [nth], getattr(owner, name)

    def failing(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    receipt: Receipt | None = None
    sure = True
    with mock.patch.object(owner, name, failing):
        try:
            receipt = kept.keep()
        except Unavailable:
            pass
        except Unconfirmed:
            sure = False
    must(not sure or kept.there() == ((receipt,) if receipt else ()), "what it said is not what is there")
    again = kept.keep()
    same(kept.there(), (again,), "what is there after another try")
