"""The shape of an adapter: what it declares, what it must write, and what it may leave out."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar, final
from urllib.parse import unquote, urlsplit

from publishers.core import oauth
from publishers.core.channel import Channel
from publishers.core.errors import PublishError, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, Http, judge
from publishers.core.limits import Limits
from publishers.core.oauth import Choice, OAuth, Renewal
from publishers.core.post import Commit, Media, Post, Prepared, Receipt, Seen
from publishers.core.setting import Setting

__all__ = (
    "Budget",
    "Choice",
    "OAuth",
    "Profile",
    "Proof",
    "ProofClass",
    "Publisher",
    "Renewal",
    "Setting",
    "text_hash",
)


Said = TypeVar("Said")


class ProofClass(StrEnum):
    """How a lost answer is settled; the letters are explained in README, "What Handbill promises"."""

    A = "A"
    A2 = "A2"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A: the same commit may be repeated within ``window`` (None = for ever). A2: a draft is published by id, and
    its state can be read. B: a look-up settles it, not before ``settle``. C: nobody can tell but a person.

    ``then`` is the class that holds once the window has passed.
    """

    kind: ProofClass
    window: timedelta | None = None
    settle: timedelta = timedelta(seconds=45)
    then: ProofClass = ProofClass.C


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many messages may be sent within any ``seconds``, counted per account or per ``app`` (all its accounts)."""

    posts: int
    seconds: float
    app: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What ``connect`` learned: the account's name and address, the instance's own limits and class,
    and settings to keep (tokens among them).
    """

    name: str
    url: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)
    proof: Proof | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


class Publisher(ABC):
    """One account on one platform. Adapters raise; they never sleep, loop over attempts or decide what is next.

    ``settings`` are the account's values, secrets in clear; ``http`` is the only way out.
    """

    label: ClassVar[str]
    limits: ClassVar[Limits]
    fields: ClassVar[tuple[Setting, ...]]
    proof: ClassVar[Proof]
    budgets: ClassVar[tuple[Budget, ...]] = ()
    """The platform's published rates; waiting for one costs no attempt."""
    home: ClassVar[str] = ""
    """The platform's own address, where it has one for everybody; the setting ``server`` replaces it."""
    networked: ClassVar[bool] = True
    """Whether it speaks to a platform over the network; what does not needs no rehearsal."""
    reshares: ClassVar[timedelta | None] = timedelta(0)
    """How long a text must not be nearly that of one before, by the platform's own rules; None: an article is taken
    once."""
    edits_for: ClassVar[timedelta | None] = None
    """How long after it went out a message may be edited; None: for ever."""
    retitles: ClassVar[bool] = True
    """Whether an edit changes what stands apart from the text, too."""
    repictures: ClassVar[bool] = False
    """Whether an edit may put other pictures, prepared for it, in the place of those the message has."""
    edits_anew: ClassVar[bool] = False
    """Whether an edited message has a new id: an edit whose answer is lost is then looked up as a new message is."""
    erases: ClassVar[bool] = True
    """Whether a deleted message makes room for the same article anew."""
    team: ClassVar[bool] = False
    """Whether a team or one person reads what is posted, not the public: then alerts may go there."""
    guarded: ClassVar[bool] = True
    """Whether each of its connections is checked and has a deadline; what speaks by itself is off unless allowed."""
    rehearsed: ClassVar[bool] = True
    """Whether there is a stand-in of it to rehearse with (rehearsal/)."""
    by_hand: ClassVar[bool] = False
    """Whether a person posts there, and is told so by an account of a platform for a ``team``."""
    reading_costs: ClassVar[float] = 0.0
    """What asking for one message costs, in US dollars."""
    pulls: ClassVar[bool] = False
    """Whether it fetches pictures itself, from ``Media.url``."""
    oauth: ClassVar[OAuth | None] = None
    """How a person's consent connects an account, where the platform has OAuth 2."""
    pasted: ClassVar[str] = "token"
    """What a person pastes to connect an account; empty if nothing can be."""
    renewal: ClassVar[Renewal | None] = None
    """When ``refresh`` is asked for before the token ends; None = when the token is refused."""
    addressed: ClassVar[str] = ""
    """Where a message's address shows its id, which may also stand alone: a pattern whose first group is it."""
    partly: ClassVar[Mapping[str, str]] = {}
    """Of which accounts alone, by the methods that do not serve all of them, for the capability table."""
    unverified: ClassVar[str] = ""
    """What nobody has checked against the real platform yet, for the capability table."""

    def __init__(self, settings: Mapping[str, str], http: Http) -> None:
        self.settings = settings
        self.http = http
        self.base = self.base_of(settings)
        http.hide(*(settings.get(name, "") for name in self.secrets()))

    @classmethod
    def inside(cls, settings: Mapping[str, str]) -> bool:
        """Whether a team reads what an account with these settings posts, not the public."""
        del settings
        return cls.team

    @classmethod
    def base_of(cls, settings: Mapping[str, str]) -> str:
        """Where the API of an account with these settings begins."""
        base = (settings.get("server") or cls.home).rstrip("/")
        return base if not base or "://" in base else f"https://{base}"

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        """What readers see of ``post`` beside its text, on an account with these settings: its title, its summary."""
        del settings
        return (post.title,) if cls.limits.title else ()

    @classmethod
    def alterable(cls, settings: Mapping[str, str]) -> bool:
        """Whether messages of an account with these settings can be edited."""
        del settings
        return cls.can("edit")

    @abstractmethod
    def connect(self) -> Profile:
        """Ask the platform who we are and what it takes; changes nothing there."""

    def prepare(self, post: Post, key: str) -> Prepared:
        """Everything that may be repeated: uploads, a draft. The result is stored before the commit."""
        del key
        return {"media": [self.upload(m) for m in post.media]} if post.media else {}

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        """``prepare``, for a platform where what is prepared must know which message it answers."""
        del reply_to
        return self.prepare(post, key)

    def upload(self, media: Media) -> Any:
        """Give the platform one picture; returns its id there as JSON."""
        raise Unsupported(f"{self.label} takes no pictures through this adapter")

    def probe(self, key: str) -> Mapping[str, str]:
        """Try, with messages that nobody can see, what reading cannot tell; returns settings to keep.

        Whatever it makes it takes away again. ``key`` is new with each try.
        """
        del key
        raise Unsupported(f"there is nothing to try out on {self.label}")

    @abstractmethod
    def create(self, post: Post, commit: Commit) -> Receipt:
        """Make the message public with exactly one irreversible request, the last one sent."""

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        """Every message on the platform that this commit may have made; reads only.

        Returns nothing only if the platform was really asked and does not have it; raises otherwise.
        """
        raise Unsupported(f"{self.label} gives no way to look a message up")

    def locate(self, address: str) -> Receipt:
        """The receipt of the message at an address that a person gives, or with an id; reads only.

        Raises Rejected if it is no message's, Unsupported if this adapter cannot tell whose it is.
        """
        return Receipt(id=self.named(address), url=address if "://" in address else None)

    def answering(self, receipt: Receipt, answered: Receipt) -> Receipt:
        """``receipt`` as a person gave it, of a message that answers another: with what changing it needs to know."""
        del answered
        return receipt

    @final
    def ours(self, address: str) -> str:
        """``address``, unless it is another server's, where numbers stand for other messages; raises Rejected."""
        if "://" in address and urlsplit(address).netloc.lower() != urlsplit(self.base).netloc.lower():
            raise Rejected("it is on another server than the account")
        return address

    @final
    def named(self, address: str) -> str:
        """The id that an address shows; raises as ``locate`` does."""
        if not self.addressed:
            raise Unsupported(f"{self.label} shows no message's id in its address")
        found = re.search(self.addressed, unquote(address.strip()))
        if found is None:
            raise Rejected("it shows no message's id")
        return found[1]

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        """What has become of a message that said ``post``; reads only. None: it is not there any more."""
        raise Unsupported(f"{self.label} gives no way to read a message again")

    def spread(self, receipt: Receipt) -> tuple[str, ...]:
        """Where a message lies in several places: give the same one to those that have not taken it yet.

        Returns those that still lack it. Harmless whenever and however often it is done.
        """
        del receipt
        raise Unsupported(f"a message on {self.label} lies in one place")

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        """Change a public message; one commit. ``commit.prepared`` is what was prepared for the message itself: where
        an edit must name its pictures again, a receipt that was looked up or given by a person may not tell them.
        """
        raise Unsupported(f"{self.label} gives no way to edit a message")

    def delete(self, receipt: Receipt) -> None:
        """Take a public message away; one commit; a message that is already gone is a success."""
        raise Unsupported(f"{self.label} gives no way to delete a message")

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        """What readers did with a message: likes, shares, replies, views, clicks, where the platform says so."""
        raise Unsupported(f"{self.label} gives no numbers")

    def refresh(self) -> Mapping[str, str]:
        """Get a new token; returns the settings to keep. Raises Unauthorized if only a person can help."""
        raise Unauthorized(f"{self.label} does not accept the token; connect the account again")

    def authorization(self, *, redirect: str, state: str, verifier: str, role: str = "") -> str:
        """The address of the page where a person allows us to post."""
        client = self.settings.get("client_id", "")
        own, scopes = self._oauth(), self.settings.get("scopes", "")
        given = {"redirect": redirect, "state": state, "verifier": verifier, "role": role, "scopes": scopes}
        return own.address(self._own(), client, **given)

    def register(self, *, redirect: str, name: str) -> Mapping[str, str]:
        """Register an app with the account's server; returns its credentials."""
        raise Unsupported(f"{self.label} registers no app by itself")

    def exchange(self, code: str, *, redirect: str, verifier: str) -> Mapping[str, str]:
        """Turn the code that a person was sent back with into the settings to keep.

        Raises Unauthorized if the platform does not take it; what is lost on the way is Unavailable, the code with it.
        """
        return self._granted(self.asked(code, redirect=redirect, verifier=verifier))

    def asked(self, code: str, *, redirect: str, verifier: str) -> Mapping[str, Any]:
        """The request of ``exchange``; the code and its verifier are hidden from every error from now on."""
        self.http.hide(code, verifier)
        return self._oauth().exchange(self.settings, code=code, redirect=redirect, verifier=verifier)

    def choices(self) -> tuple[Choice, ...]:
        """What this token may post to, where a person has to choose."""
        return ()

    def revoke(self) -> None:  # noqa: B027 - most platforms do not want to know
        """Tell the platform that the token is not used any more, where it wants to know."""

    def renewed(self) -> Mapping[str, str]:
        """``refresh`` by OAuth 2's renewal token, for adapters whose platform gives one."""
        token, own = self.settings.get("refresh_token", ""), self._oauth()
        if not token or not self.settings.get("client_id"):
            raise Unauthorized(f"{self.label} gave no way to renew the token; connect the account again")
        return self._granted(own.renewal(self.settings, token))

    def _granted(self, asked: Mapping[str, Any]) -> Mapping[str, str]:
        own = self._oauth()
        try:
            answer = self.call("POST", oauth.place(own.endpoint, self._own()), **asked)
        except (Rejected, Unauthorized) as error:
            raise oauth.refusal(error) from None
        kept = own.read(answer)
        self.http.hide(kept[own.access], kept.get("refresh_token", ""))
        return kept

    def _oauth(self) -> OAuth:
        if self.oauth is None:
            raise Unsupported(f"{self.label} has no OAuth 2 here")
        return self.oauth

    def _own(self) -> str:
        """The account's own server; empty where the platform has one address for everybody."""
        return self.base if self.settings.get("server") else ""

    @final
    @classmethod
    def secrets(cls) -> frozenset[str]:
        """The names of the settings that are stored encrypted and never shown."""
        app = cls.oauth.app if cls.oauth else ()
        return frozenset(f.name for f in (*cls.fields, *app) if f.secret)

    @classmethod
    def price(cls, post: Post) -> float:
        """What the platform takes for sending this message, in US dollars; 0 where it takes nothing."""
        del post
        return 0.0

    def classify(self, answer: Answer) -> PublishError | None:
        """What this platform's answer means; override to read the platform's own codes. None = success."""
        return judge(answer)

    @final
    @classmethod
    def can(cls, method: str) -> bool:
        """Whether the adapter wrote ``method`` itself: silence means unsupported."""
        return getattr(cls, method) is not getattr(Publisher, method)

    @final
    def call(self, method: str, path: str, **request: Any) -> Answer:
        """A repeatable request (reading, uploading); raises what ``classify`` says of a refusal."""
        return self._send(method, path, commit=False, **request)

    @final
    def commit(self, method: str, path: str, **request: Any) -> Answer:
        """The irreversible request; raises what ``classify`` says of a refusal."""
        return self._send(method, path, commit=True, **request)

    @final
    def talk(
        self, url: str, say: Callable[[Channel], Said], *, commit: bool = False, seconds: float | None = None
    ) -> Said:
        """A conversation over a WebSocket, which is the irreversible request if ``commit`` says so."""
        got = self.http.talk(url, say, commit=commit, seconds=seconds)
        if not isinstance(got, Answer):
            return got
        error = self.classify(got) or got.unreadable("the answer is no WebSocket")
        error.words = self.http.redact(error.words)
        raise error

    def _send(self, method: str, path: str, *, commit: bool, **request: Any) -> Answer:
        url = path if path.startswith(("http://", "https://")) else self.base + path
        answer = self.http.send(method, url, commit=commit, **request)
        error = self.classify(answer)
        if error is not None:
            error.words = self.http.redact(error.words)  # a refusal inside a 200 is not redacted before
            raise error
        return answer


def text_hash(text: str) -> str:
    """The hash by which a look-up recognises a text whatever the platform did to its white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
