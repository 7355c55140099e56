"""What every adapter must keep: one suite for all of them, fed by one fixture each (publishers/README.md says how)."""

import dataclasses
import email
import functools
import hashlib
import json
import os
import tempfile
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import publishers
from publishers.core import counting, errors
from publishers.core.errors import PublishError, RateLimited, Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Media, Post, Receipt
from publishers.core.publisher import ProofClass, Publisher

FIXTURES = Path(__file__).parent / "fixtures" / "publishers"
KEY = "5e1fc0de" * 5
AT = datetime(2026, 11, 24, 10, 15, 30, 250_000, tzinfo=UTC)
NOW = AT + timedelta(seconds=2)
LATER = AT + timedelta(minutes=20)

SCENES = ("connect", "create", "find", "edit", "delete", "metrics", "refresh")
COMMITS = ("create", "edit", "delete")
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LOST = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)
UNREADABLE = (
    *(b"", b"<html>It works!</html>", b"{}", b"null", b'"yes"', b'{"ok": tr'),
    pytest.param(b"[" * 100_000, id="nested"),
)
WORDS = "the platform's own words"
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


@functools.cache
def fixture(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def described():
    return sorted(path.stem for path in FIXTURES.glob("*.json"))


def answered(name):
    """Whether a message may answer another on this platform, as its fixture shows."""
    return any(case.get("reply_to") for case in fixture(name)["create"])


def over(transport):
    return [n for n in publishers.names() if n in described() and fixture(n).get("transport", "http") == transport]


@dataclasses.dataclass(frozen=True)
class Case:
    """One case of one platform's fixture; ``place`` is the request in question, where a test is about one."""

    name: str
    scene: str
    told: dict
    place: int = 0

    @property
    def exchange(self):
        return self.told["exchange"]

    @property
    def commit(self):
        """The place of the commit."""
        return next(n for n, step in enumerate(self.exchange) if step.get("commit"))

    @property
    def is_commit(self):
        return bool(self.exchange[self.place].get("commit"))


def listed(generator):
    return functools.wraps(generator)(lambda *args, **kwargs: list(generator(*args, **kwargs)))


@listed
def cases(*scenes):
    """Each case of these scenes of every platform that is spoken to over HTTP, named for pytest."""
    for name in over("http"):
        for scene in scenes:
            for number, told in enumerate(fixture(name).get(scene, [])):
                yield pytest.param(Case(name, scene, told), id=f"{name}-{scene}-{told.get('name', number)}")


@listed
def places(*scenes, repeatable=False):
    """Each request of each such case, by its place; ``repeatable`` leaves the commits out."""
    for param in cases(*scenes):
        for place in range(len(param.values[0].exchange)):
            case = dataclasses.replace(param.values[0], place=place)
            if not (repeatable and case.is_commit):
                yield pytest.param(case, id=f"{param.id}-{place}")


def picture(number):
    return b"picture %d of the contract suite" % number


def content(text):
    """The bytes that a fixture means: ``<picture 1>`` is the first picture, all else is itself."""
    if text.startswith("<picture ") and text.endswith(">"):
        return picture(int(text.removeprefix("<picture ").removesuffix(">")))
    return text.encode()


def read_post(told, folder):
    media = []
    for number, one in enumerate(told.get("media", []), 1):
        path = folder / f"picture-{number}"
        path.write_bytes(picture(number))
        digest = hashlib.sha256(picture(number)).hexdigest()
        media.append(Media(**{"path": str(path), "sha256": digest, "size": len(picture(number)), **one}))
    facets = tuple(Facet(**f) for f in told.get("facets", []))
    return Post(**{**told, "facets": facets, "media": tuple(media)})


def read_receipt(told):
    return None if told is None else Receipt(**told)


def secrets_of(name, *settings):
    declared = {f.name for f in publishers.load(name).fields if f.secret}
    return {value for s in settings for key, value in s.items() if key in declared and value}


class Body(httpx.SyncByteStream):
    """A body that has yet to be read, as one from a socket has."""

    def __init__(self, body):
        self.body = body

    def __iter__(self):
        yield self.body


def reply(status, body, **headers):
    return httpx.Response(status, headers=headers, stream=Body(body if isinstance(body, bytes) else body.encode()))


class Wire(Http):
    """Plays one exchange of a fixture in order and keeps what was sent, with the adapter's word on each request."""

    def __init__(self, exchange, *, now=NOW, fault=None):
        self.exchange, self.fault = exchange, fault
        self.sent, self.commits = [], []
        super().__init__(transport=httpx.MockTransport(self._answer), now=lambda: now)

    def send(self, method, url, *, commit, **request):
        self.commits.append(commit)
        return super().send(method, url, commit=commit, **request)

    def _answer(self, request):
        place = len(self.sent)
        self.sent.append(request)
        request.read()
        assert place < len(self.exchange), f"one request too many: {request.method} {request.url}"
        if self.fault is not None and (answer := self.fault(place, request)) is not None:
            return answer
        told = self.exchange[place].get("answer", {})
        body = json.dumps(told["json"]) if "json" in told else told.get("text", "")
        return reply(told.get("status", 200), body, **told.get("headers", {}))


class Stage:
    """A case ready to be played: by the same account, each time with a fresh client."""

    def __init__(self, case, folder):
        self.case, self.told, self.scene = case, case.told, case.scene
        self.settings = {**fixture(case.name)["settings"], **self.told.get("settings", {})}
        for gone in self.told.get("without", []):
            self.settings.pop(gone, None)
        self.post = read_post(self.told.get("post") or fixture(case.name)["create"][0]["post"], folder)
        self.reply_to, self.root = read_receipt(self.told.get("reply_to")), read_receipt(self.told.get("root"))
        self.target = read_receipt(self.told.get("target"))
        self.secrets = secrets_of(case.name, self.settings)
        self.prepared = None

    def commit(self, prepared):
        return Commit(key=KEY, at=AT, prepared=prepared, reply_to=self.reply_to, root=self.root)

    def adapter(self, wire):
        return publishers.load(self.case.name)(dict(self.settings), wire)

    def play(self, wire):
        """What the adapter gives back, whatever the scene."""
        with wire:
            adapter = self.adapter(wire)
            match self.scene:
                case "create":
                    self.prepared = adapter.draft(self.post, KEY, self.reply_to)
                    return adapter.create(self.post, self.commit(json.loads(json.dumps(self.prepared))))
                case "edit":
                    return adapter.edit(self.target, self.post, self.commit({}))
                case "find":
                    return adapter.find(self.post, self.commit(self.told.get("prepared", {})))
                case "delete" | "metrics":
                    return getattr(adapter, self.scene)(self.target)
                case _:
                    return getattr(adapter, self.scene)()

    def outcome(self, answer):
        """The error that ``answer`` at the case's place leads to, or None, and the wire it happened on."""
        wire = Wire(self.case.exchange, fault=at(self.case.place, answer))
        try:
            self.play(wire)
        except PublishError as error:
            return error, wire
        return None, wire


@pytest.fixture
def stage(case, tmp_path):
    return Stage(case, tmp_path)


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch):
    def refuse(seconds):
        raise AssertionError("an adapter slept")

    monkeypatch.setattr(time, "sleep", refuse)


def at(place, answer):
    """A fault: this answer (or exception) at one place, the fixture's everywhere else."""

    def fault(here, request):
        if here != place:
            return None
        if isinstance(answer, type):
            raise answer(f"as seen at {request.url} with {dict(request.headers)} {request.content!r}", request=request)
        return answer

    return fault


def as_told(request):
    """A request in the words of the fixture: its body by content type, its headers apart."""
    body, kind = request.content, request.headers.get("content-type", "")
    told = {"method": request.method, "url": str(request.url)}
    if kind.startswith("application/json"):
        told["json"] = json.loads(body)
    elif kind.startswith("application/x-www-form-urlencoded"):
        told["form"] = dict(httpx.QueryParams(body.decode()).multi_items())
    elif kind.startswith("multipart/form-data"):
        message = email.message_from_bytes(b"Content-Type: %s\r\n\r\n" % kind.encode() + body)
        told["multipart"] = {}
        for part in message.get_payload():
            field = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            named = part.get_filename()
            told["multipart"][field] = value.decode() if named is None else [named, value, part.get_content_type()]
    elif body:
        told["body"] = body
    return told


def wanted(told):
    """The fixture's request with its pictures put in."""
    told = {k: v for k, v in told.items() if k != "headers"}
    if "body" in told:
        told["body"] = content(told["body"])
    if "multipart" in told:
        told["multipart"] = {
            k: [v[0], content(v[1]), v[2]] if isinstance(v, list) else v for k, v in told["multipart"].items()
        }
    return told


def check_sent(wire, exchange):
    assert [as_told(r) for r in wire.sent] == [wanted(step["request"]) for step in exchange]
    for request, step in zip(wire.sent, exchange, strict=True):
        for header, value in step["request"].get("headers", {}).items():
            assert request.headers.get(header) == value, f"{header} of {request.method} {request.url}"


def raw(request, fresh=()):
    """A request to the byte, without the headers that the protocol wants new with each attempt."""
    headers = [(name, value) for name, value in sorted(request.headers.multi_items()) if name not in fresh]
    return request.method, str(request.url), headers, request.content


def plain(receipt):
    return json.loads(json.dumps(dataclasses.asdict(receipt)))


def whole(told):
    """A receipt as the fixture tells it, with what it leaves out."""
    return {"url": None, "extra": {}, **told}


def without_secrets(error, secrets):
    text = "".join(traceback.format_exception(error))
    text += repr(error) + repr(vars(error)) + "".join(map(repr, (error.__cause__, error.args)))
    found = [s for s in secrets if s in text]
    assert found == [], f"a secret is in the error: {type(error).__name__}"


# The fixtures themselves


def test_every_platform_has_a_fixture_and_every_fixture_a_platform():
    assert described() == list(publishers.names())


@pytest.mark.parametrize("name", described())
def test_a_fixture_is_in_words_that_the_suite_knows(name):
    told = fixture(name)
    known = {"transport", "settings", "secret_in_url", "fresh", "bare_success", "refusals", "oauth", *SCENES}
    assert set(told) <= known
    for scene in SCENES:
        for case in told.get(scene, []):
            assert set(case) <= {
                *("name", "settings", "without", "post", "reply_to", "root", "target", "prepared", "exchange"),
                *("profile", "receipt", "receipts", "numbers", "kept", "files"),
            }, f"{scene} {case.get('name')}"
            for step in case.get("exchange", []):
                assert set(step) <= {"request", "answer", "commit", "session"}
                assert set(step["request"]) <= {"method", "url", "headers", "json", "form", "multipart", "body"}
                assert set(step.get("answer", {})) <= {"status", "headers", "json", "text"}
    for refusal in told.get("refusals", []):
        assert set(refusal) <= {"status", "headers", "json", "text", "error", "retry_after", "on"}
        assert refusal["error"] is None or issubclass(getattr(errors, refusal["error"]), PublishError)


@pytest.mark.parametrize("name", described())
def test_a_fixture_shows_everything_the_adapter_can_and_nothing_it_cannot(name):
    adapter, told = publishers.load(name), fixture(name)
    shown = {scene for scene in SCENES if told.get(scene)}
    able = {method for method in SCENES if method in {"connect", "create"} or adapter.can(method)}
    if told.get("transport", "http") == "http":
        assert shown == able
        assert answered(name) or not (adapter.limits.thread or adapter.limits.comment), (
            "no case shows how a reply is sent"
        )
        pictured = any(case["post"].get("media") for case in told["create"])
        assert pictured == bool(adapter.limits.media), "no case shows how a picture is sent, or one that cannot be"
        if adapter.can("find"):
            counts = [len(case["receipts"]) for case in told["find"]]
            assert 0 in counts
            assert 1 in counts
        for scene in COMMITS:
            for case in told.get(scene, []):
                marked = [n for n, step in enumerate(case["exchange"]) if step.get("commit")]
                assert marked == [len(case["exchange"]) - 1], f"{scene}: exactly one commit, and it comes last"
    else:
        assert shown == {"create"}


@pytest.mark.parametrize("name", described())
def test_a_fixture_gives_every_secret_a_value_of_its_own_that_can_be_searched_for(name):
    fields = publishers.load(name).fields
    given = fixture(name)["settings"]
    values = [given.get(f.name, "") for f in fields if f.secret]
    assert all(len(v) >= 12 for v in values), "every secret field needs a value of 12 characters or more"
    assert len(set(values)) == len(values)


# What an adapter declares


@pytest.mark.parametrize("name", publishers.names())
def test_what_is_declared_makes_sense(name):
    adapter = publishers.load(name)
    limits = adapter.limits
    assert issubclass(adapter, Publisher)
    assert adapter.label.strip()
    assert limits.counting in counting.COUNTERS
    assert limits.length("ab") == 2
    assert 0 < limits.text <= 100_000
    assert limits.caption is None or 0 < limits.caption <= 100_000
    assert limits.text_bytes is None or limits.text_bytes >= limits.text
    assert limits.hashtags >= 0
    assert 0 <= limits.media <= 20
    assert limits.media == 0 or 100_000 <= limits.media_bytes <= 100_000_000
    assert set(limits.media_types) <= {"image/jpeg", "image/png", "image/webp", "image/gif"}
    assert limits.alt >= 0
    assert not (limits.thread and limits.comment), "an answer is a message of its own or a comment"
    assert limits.warning or not limits.labels
    assert limits.cards
    assert all(200 <= w <= 4096 and 200 <= h <= 4096 for w, h in limits.cards)
    assert len({f.name for f in adapter.fields}) == len(adapter.fields)
    assert all(f.name.isidentifier() and f.label.strip() for f in adapter.fields)
    assert isinstance(adapter.proof.kind, ProofClass)
    assert adapter.proof.settle > timedelta(0)
    assert adapter.proof.window is None or adapter.proof.window > adapter.proof.settle
    if ProofClass.B in {adapter.proof.kind, adapter.proof.then}:
        assert adapter.can("find"), "class B is settled by a look-up"
    assert all(b.posts > 0 and b.seconds > 0 for b in adapter.budgets)


# What is sent


@pytest.mark.parametrize("case", cases("connect"))
def test_connecting_reads_and_tells_who_we_are(case, stage):
    wire = Wire(case.exchange)
    profile = stage.play(wire)
    check_sent(wire, case.exchange)
    assert wire.commits == [False] * len(wire.sent)
    for request, step in zip(wire.sent, case.exchange, strict=True):
        assert request.method in {"GET", "HEAD"} or step.get("session"), (
            f"{request.method} {request.url} changes things"
        )
    told = case.told["profile"]
    assert profile.name == told["name"]
    assert profile.url == told.get("url", "")
    assert json.loads(json.dumps(profile.limits)) == told.get("limits", {})
    assert (profile.proof.kind if profile.proof else None) == told.get("proof")
    assert profile.settings == told.get("settings", {})
    assert publishers.load(case.name).limits.override(profile.limits).length("ab") == 2


@pytest.mark.parametrize("case", cases("create"))
def test_a_post_is_sent_as_written_with_one_commit_that_comes_last(case, stage):
    wire = Wire(case.exchange)
    receipt = stage.play(wire)
    check_sent(wire, case.exchange)
    assert wire.commits == [bool(step.get("commit")) for step in case.exchange]
    assert plain(receipt) == whole(case.told["receipt"])


@pytest.mark.parametrize("case", cases("create"))
def test_the_same_commit_again_is_the_same_to_the_byte(case, stage):
    first = Wire(case.exchange)
    receipt = stage.play(first)
    with Wire(case.exchange) as wire:
        stage.adapter(wire).draft(stage.post, KEY, stage.reply_to)
        done = len(wire.sent)
    for now in (NOW, LATER):
        with Wire(case.exchange[done:], now=now) as wire:
            again = stage.adapter(wire).create(stage.post, stage.commit(stage.prepared))
        fresh = fixture(case.name).get("fresh", {})
        assert [raw(r, fresh) for r in wire.sent] == [raw(r, fresh) for r in first.sent[done:]]
        assert again == receipt


@pytest.mark.parametrize("name", [n for n in over("http") if publishers.load(n).proof.kind is ProofClass.A])
def test_the_key_is_the_steps_and_not_the_trys(name, tmp_path):
    case = Case(name, "create", fixture(name)["create"][0])
    sent = []
    for key in (KEY, "a" * 40):
        stage = Stage(case, tmp_path)
        with Wire(case.exchange) as wire:
            adapter = stage.adapter(wire)
            prepared = adapter.draft(stage.post, key, None)
            adapter.create(stage.post, Commit(key=key, at=AT, prepared=prepared))
        sent.append(raw(wire.sent[-1]))
    assert sent[0] != sent[1], "two steps with the same words would be taken for one"


@pytest.mark.parametrize(
    "name", [n for n in over("http") if not publishers.load(n).limits.warning or publishers.load(n).limits.labels]
)
def test_a_warning_that_the_platform_cannot_show_is_never_left_out(name, tmp_path):
    case = Case(name, "create", fixture(name)["create"][0])
    stage = Stage(case, tmp_path)
    stage.post = dataclasses.replace(stage.post, warning="Flood")
    wire = Wire(case.exchange)
    with pytest.raises(Unsupported):
        stage.play(wire)
    assert True not in wire.commits


@pytest.mark.parametrize("name", [n for n in over("http") if not answered(n)])
def test_an_answer_where_nothing_is_answered_is_never_a_message_of_its_own(name, tmp_path):
    stage = Stage(Case(name, "create", fixture(name)["create"][0]), tmp_path)
    stage.reply_to = stage.root = Receipt(id="4711")
    wire = Wire(stage.case.exchange)
    with pytest.raises(Unsupported):
        stage.play(wire)
    assert True not in wire.commits


@pytest.mark.parametrize("case", cases("create"))
def test_preparing_sends_only_what_may_be_repeated(case, stage):
    with Wire(case.exchange) as wire:
        prepared = stage.adapter(wire).draft(stage.post, KEY, stage.reply_to)
    assert True not in wire.commits
    assert json.loads(json.dumps(prepared)) == prepared


@pytest.mark.parametrize("case", cases("find", "metrics", "refresh", "edit", "delete"))
def test_the_other_acts_send_what_is_written_and_give_back_what_they_should(case, stage):
    wire = Wire(case.exchange)
    got = stage.play(wire)
    check_sent(wire, case.exchange)
    assert wire.commits == [bool(step.get("commit")) for step in case.exchange]
    match case.scene:
        case "find":
            assert all(request.method in {"GET", "HEAD"} for request in wire.sent)
            assert [plain(r) for r in got] == [whole(r) for r in stage.told["receipts"]]
        case "metrics":
            assert got == stage.told["numbers"]
            assert set(got) <= {"likes", "shares", "replies", "views", "clicks"}
        case "refresh":
            assert got == stage.told["kept"]
        case "edit":
            assert plain(got) == whole(stage.told["receipt"])
        case "delete":
            assert got is None


@listed
def compared():
    """Each look-up that finds a message by what it says, when it was said and what it answers: not by a number that is
    ours, nor by our own mark in it.
    """
    for param in cases("find"):
        case = param.values[0]
        drafted = publishers.load(case.name).proof.kind is ProofClass.A2 and not case.told.get("reply_to")
        if case.told["receipts"] and not drafted and case.name != "bluesky" and KEY not in json.dumps(case.exchange):
            yield param


@pytest.mark.parametrize("case", compared())
@pytest.mark.parametrize("change", ["another text", "a text that goes on", "a week later", "in answer to another"])
def test_a_look_up_compares_the_text_the_time_and_what_is_answered(case, change, stage):
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
        assert change in {"a week later", "in answer to another"}
        asked = [str(request.url) for request in wire.sent]
        assert asked != [step["request"]["url"] for step in case.exchange], "the platform was asked the same as before"


@pytest.mark.parametrize("case", cases(*SCENES))
def test_no_secret_is_in_an_address(case, stage):
    wire = Wire(case.exchange)
    stage.play(wire)
    if fixture(case.name).get("secret_in_url"):
        return  # the fixture says why the protocol leaves no choice
    addresses = " ".join(str(r.url) for r in wire.sent)
    assert not [s for s in stage.secrets if s in addresses]


# What an answer means


def refusals(name, scene):
    """Each refusal of a commit: what every platform may answer, and what this one's fixture adds or corrects."""
    told = [r for r in fixture(name).get("refusals", []) if scene in r.get("on", COMMITS)]
    corrected = {r["status"]: r for r in told if not {"json", "text"} & set(r)}
    for status, error in REFUSALS:
        yield {"status": status, "error": error, **corrected.pop(status, {})}
    yield from corrected.values()
    yield from (r for r in told if {"json", "text"} & set(r))


@listed
def refused():
    for param in cases(*COMMITS):
        case = dataclasses.replace(param.values[0], place=param.values[0].commit)
        for number, refusal in enumerate(refusals(case.name, case.scene)):
            yield pytest.param(case, refusal, id=f"{param.id}-{refusal['status']}-{number}")


def answer_of(refusal, secrets):
    """The answer a fixture tells of; without a body it has the platform's words, and every secret echoed in them."""
    headers = dict(refusal.get("headers", {}))
    if refusal["status"] == 429 and "retry_after" not in refusal:
        headers["Retry-After"] = "7"
    if refusal["status"] == 302:
        headers["Location"] = "https://elsewhere.example/"
    if "text" in refusal:
        return reply(refusal["status"], refusal["text"], **headers)
    echo = {"error": WORDS, "message": WORDS, "seen": sorted(secrets)}
    headers["Content-Type"] = "application/json"
    return reply(refusal["status"], json.dumps(refusal.get("json", echo)), **headers)


@pytest.mark.parametrize(("case", "refusal"), refused())
def test_every_answer_to_a_commit_says_what_may_happen_next(case, refusal, stage):
    error, wire = stage.outcome(answer_of(refusal, stage.secrets))
    assert len(wire.sent) == len(case.exchange), "something was sent after the commit, or the commit never was"
    assert (type(error).__name__ if error else None) == refusal["error"]
    if error is None:
        return
    assert error.status == refusal["status"]
    if isinstance(error, RateLimited):
        assert error.retry_after == refusal.get("retry_after", 7.0)
    if not {"json", "text"} & set(refusal):
        assert WORDS in str(error)
    without_secrets(error, stage.secrets)


@pytest.mark.parametrize("case", places(*SCENES))
@pytest.mark.parametrize("fault", NEVER_SENT)
def test_what_was_never_sent_is_unavailable(case, fault, stage):
    error, wire = stage.outcome(fault)
    assert type(error) is Unavailable
    assert len(wire.sent) == case.place + 1
    without_secrets(error, stage.secrets)


@pytest.mark.parametrize("case", places(*SCENES))
@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_is_unconfirmed_after_a_commit_and_harmless_before(case, fault, stage):
    error, wire = stage.outcome(fault)
    assert type(error) is (Unconfirmed if case.is_commit else Unavailable)
    assert len(wire.sent) == case.place + 1, "a lost answer is never answered with another request"
    without_secrets(error, stage.secrets)


@pytest.mark.parametrize("case", places("create"))
@pytest.mark.parametrize("body", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_unconfirmed_after_a_commit_and_never_before(case, body, stage):
    error, wire = stage.outcome(reply(200, body))
    if case.is_commit and fixture(case.name).get("bare_success"):
        assert error is None
    elif case.is_commit:
        assert type(error) is Unconfirmed
        assert len(wire.sent) == len(case.exchange)
    else:
        assert type(error) is not Unconfirmed


@pytest.mark.parametrize("case", places("create", "find", repeatable=True))
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503, 302])
def test_a_refusal_before_the_commit_is_certain(case, status, stage):
    error, _ = stage.outcome(reply(status, json.dumps({"error": WORDS}), **{"Retry-After": "7"}))
    if error is None:
        assert case.scene == "create", "a look-up that was refused proves nothing"
        assert status == 404, "only what is not there may be passed over"
        return
    assert type(error) is not Unconfirmed
    for known, kind in ((401, Unauthorized), (429, RateLimited), (500, Unavailable), (503, Unavailable)):
        assert status != known or type(error) is kind


@pytest.mark.parametrize("case", places("find", "metrics"))
@pytest.mark.parametrize("body", UNREADABLE)
def test_a_look_up_that_cannot_be_read_proves_nothing(case, body, stage):
    error, _ = stage.outcome(reply(200, body))
    assert type(error) is Unavailable


@pytest.mark.parametrize("case", places("connect", "refresh"))
@pytest.mark.parametrize("body", UNREADABLE)
def test_whatever_a_server_says_of_itself_only_our_own_errors_come_out(case, body, stage):
    error, _ = stage.outcome(reply(200, body))
    assert type(error) is not Unconfirmed
    if error:
        without_secrets(error, stage.secrets)


# Adapters that keep their posts in a folder


@pytest.fixture
def folder(name, tmp_path):
    """The account's settings and its first post, in a folder of their own."""
    case = fixture(name)["create"][0]
    settings = {k: v.replace("{tmp}", str(tmp_path)) for k, v in fixture(name)["settings"].items()}
    return settings, read_post(case["post"], tmp_path), case


def keep(name, settings, post):
    with Wire([]) as wire:
        adapter = publishers.load(name)(settings, wire)
        prepared = json.loads(json.dumps(adapter.prepare(post, KEY)))
        return adapter.create(post, Commit(key=KEY, at=AT, prepared=prepared))


def there(name, settings, post):
    with Wire([]) as wire:
        return publishers.load(name)(settings, wire).find(post, Commit(key=KEY, at=AT))


def files(settings, *, hidden=False):
    root = Path(settings["folder"])
    return {p.name: p.read_bytes() for p in root.iterdir() if hidden or not p.name.startswith(".")}


@pytest.mark.parametrize("name", over("folder"))
def test_a_folder_takes_a_post_once_however_often_it_is_given(name, folder, tmp_path):
    settings, post, case = folder
    receipt = keep(name, settings, post)
    kept = files(settings)
    told = json.loads(json.dumps(case["receipt"]).replace("{tmp}", str(tmp_path)))
    assert plain(receipt) == whole(told)
    assert sorted(kept) == sorted(case["files"])
    assert keep(name, settings, post) == receipt
    assert files(settings) == kept


@pytest.mark.parametrize("name", over("folder"))
def test_a_folder_that_cannot_be_made_is_unavailable(name, folder):
    settings, post, _ = folder
    Path(settings["folder"]).write_text("something is in the way")
    with pytest.raises(Unavailable):
        keep(name, settings, post)


@pytest.mark.parametrize("name", over("folder"))
@pytest.mark.parametrize("call", [(os, "fsync"), (os, "fdopen"), (Path, "replace"), (tempfile, "mkstemp")])
@pytest.mark.parametrize("nth", range(1, 6))
def test_a_disk_that_fails_at_any_moment_is_never_believed_too_much(name, folder, call, nth, monkeypatch):
    settings, post, _ = folder
    with Wire([]) as wire:
        publishers.load(name)(settings, wire).connect()
    left = [nth]
    owner, function = call
    real = getattr(owner, function)

    def failing(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, function, failing)
        try:
            receipt = keep(name, settings, post)
        except Unavailable:
            receipt = None
        except Unconfirmed:
            receipt = "perhaps"
    found = there(name, settings, post)
    assert receipt == "perhaps" or found == ((receipt,) if receipt else ())
    again = keep(name, settings, post)
    assert there(name, settings, post) == (again,)
