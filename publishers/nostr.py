"""How Nostr takes a note: an event signed here, the same however often it is told, told to each relay in turn."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from publishers.core import secp256k1
from publishers.core.channel import Channel
from publishers.core.errors import (
    PublishError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unconfirmed,
    Unsupported,
)
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import JOINER
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting, text_hash

Found = TypeVar("Found")
NOTE, REPOST, DELETION, REACTION, RELAYS, BLOSSOM, SIGNING_IN = 1, 6, 5, 7, 10_002, 24_242, 22_242
SUBSCRIPTION = "handbill"
MARK = "handbill"  # the tag with the step's key: two steps with the same words in one second are two events
RELAYS_MOST = 5
COUNTED = 500  # reactions that are asked for at once
GATEWAY = "https://njump.me"
SWITCHING = 101
WORDS = 300
ROOM = 300  # characters that a picture's address may take of a relay's limit
# What readers' apps make of words that look like it: names, notes, invoices. NIP-19, NIP-21, NIP-27
LIVE = re.compile(r"(?i)((?:npub|nprofile|nevent|naddr|note|nrelay)1|lnurl1|lnbc[0-9a-z]*1)(?=[02-9ac-hj-np-z]{20})")
# What a refusal begins with: NIP-01, NIP-42
NEVER, NO_RIGHT, SIGN_IN = ("invalid", "pow", "mute"), ("blocked", "restricted"), "auth-required"
Event = dict[str, Any]


class Nostr(Publisher):
    """One key, heard by the relays of one account (https://github.com/nostr-protocol/nips)."""

    label: ClassVar = "Nostr"
    limits: ClassVar = Limits(
        text=5000,  # there is none in the protocol; what relays say of themselves (NIP-11) is taken when it is less
        hashtags=4,
        media=1,
        media_bytes=5_000_000,
        media_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
        alt=1000,  # there is none; NIP-11 limits a whole event
        thread=True,
        warning=True,
    )
    fields: ClassVar = (
        Setting(name="secret_key", label="Secret key (nsec1…, or 64 hex digits)", secret=True, rehearsal="5e" * 32),
        Setting(name="relays", label="Relays, such as wss://nos.lol wss://relay.damus.io"),
        Setting(name="blossom", label="Blossom server for pictures (https://…)", required=False),
        Setting(
            name="quorum",
            label="How many relays must have a note before it counts as published",
            required=False,
            default="1",
        ),
    )
    pasted: ClassVar = "secret key"
    # An event's id is the hash of all that it says: a relay that has it says so, and there is never a second one.
    proof: ClassVar = Proof(kind=ProofClass.A)
    unverified: ClassVar = (
        "run against nostr-relay 1.14 on loopback alone; pictures never against a real Blossom server; what "
        "relays do that want a sign-in; lists of relays are believed without checking their signature"
    )

    def connect(self) -> Profile:
        key, _ = self._key(), self._quorum()
        told = [self._may_write(relay) for relay in self._relays()]
        about = self._newest(0)
        try:
            name = str(json.loads(about["content"]).get("name") or "") if about else ""
        except (ValueError, AttributeError, TypeError):
            name = ""
        npub = secp256k1.bech32("npub", key)
        shortest = min((n for n in told if n > ROOM), default=0) - ROOM
        limits: dict[str, Any] = {"text": shortest} if 0 < shortest < self.limits.text else {}
        if not self._blossom():
            limits["media"] = 0
        return Profile(
            name=name or f"{npub[:12]}…",
            url=f"{self._gateway()}/{npub}",
            limits=limits,
            settings={"relays_found": " ".join(self._listed()), "npub": npub},
        )

    def upload(self, media: Media) -> dict[str, str]:
        # https://github.com/hzrd149/blossom, BUD-02 and BUD-11
        content, now = media.read(), int(self.http.now().timestamp())
        tags = [["t", "upload"], ["x", media.sha256], ["expiration", str(now + 600)]]
        signed = _text(self._event(BLOSSOM, now, tags, "Upload a picture")).encode()
        token = base64.urlsafe_b64encode(signed).rstrip(b"=")
        headers = {"Authorization": f"Nostr {token.decode()}", "Content-Type": media.mime, "X-SHA-256": media.sha256}
        answer = self.call("PUT", f"{self._blossom()}/upload", headers=headers, content=content)
        return {"url": answer.pick("url"), "sha256": media.sha256}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.visibility != "public":
            raise Unsupported("a note on Nostr is for everybody")
        event = self._note(post, commit)
        return self._receipt(event, self._tell_all(event, self._quorum()))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        event = self._note(post, commit)
        having, lost = self._ask_all(lambda relay, wait: bool(self._read(relay, {"ids": [event["id"]]}, wait)))
        if relays := [relay for relay, has in having if has]:
            return (self._receipt(event, relays),)
        if lost:
            raise lost[0]  # whoever did not answer may have it
        return ()

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        told, lost = self._ask_all(lambda relay, wait: self._read(relay, {"ids": [receipt.id]}, wait))
        found = [e for _, events in told for e in events if e.get("id") == receipt.id]
        if not found:
            if lost:
                raise lost[0]
            return None
        content, tags = str(found[0].get("content") or ""), found[0].get("tags") or ()
        about = [
            dict(str(p).partition(" ")[::2] for p in t[1:]) for t in tags if isinstance(t, list) and t[:1] == ["imeta"]
        ]
        for one in about:
            content = content.replace(one.get("url", ""), "").strip()
        said = text_hash(content.replace(JOINER, "")) == text_hash(post.text.replace(JOINER, ""))
        return Seen(text=content, same=said, pictures=len(about), alts=tuple(one.get("alt", "") for one in about))

    def spread(self, receipt: Receipt) -> tuple[str, ...]:
        """Relays that were away get the note from one that has it, unless its author has taken it back since."""
        told, _ = self._ask_all(lambda relay, wait: self._read(relay, {"ids": [receipt.id]}, wait))
        kept = {relay: note for relay, events in told for e in events if (note := self._again(e, receipt.id))}
        lacking = [relay for relay in self._relays() if relay not in kept]
        if not kept or not lacking:
            return ()
        asked = {"kinds": [DELETION], "authors": [self._key().hex()], "#e": [receipt.id]}
        gone, unsure = self._ask_all(lambda relay, wait: self._read(relay, asked, wait), kept)
        if unsure:
            raise unsure[0]
        if any(e.get("kind") == DELETION for _, events in gone for e in events):
            return ()
        note = next(iter(kept.values()))
        having, _ = self._ask_all(lambda relay, wait: self._tell(relay, note, wait), lacking)
        return tuple(relay for relay in lacking if relay not in dict(having))

    def delete(self, receipt: Receipt) -> None:
        at = int(self.http.now().timestamp())
        self._tell_all(self._event(DELETION, at, [["e", receipt.id], ["k", str(NOTE)]], ""))

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        asked = {"kinds": [NOTE, REPOST, REACTION], "#e": [receipt.id], "limit": COUNTED}
        told, lost = self._ask_all(lambda relay, wait: self._read(relay, asked, wait))
        if lost and not told:
            raise lost[0]
        kinds = {e.get("id"): (e.get("kind"), e.get("content")) for _, events in told for e in events}
        found = list(kinds.values())
        return {
            "likes": sum(kind == REACTION and content != "-" for kind, content in found),
            "shares": sum(kind == REPOST for kind, _ in found),
            "replies": sum(kind == NOTE for kind, _ in found),
        }

    def classify(self, answer: Answer) -> PublishError | None:
        if answer.status in {402, 403}:
            what = "the server takes nothing of this key"
            return (
                Unauthorized(what, status=answer.status, words=answer.words())
                if answer.status == 402
                else judge(answer)
            )
        return judge(answer)

    # What is said

    def _note(self, post: Post, commit: Commit) -> Event:
        """The event of a step: made of the post and its commit alone, so that it is always the same."""
        content, done, tags = "", 0, []
        for facet in sorted(post.facets, key=lambda f: f.start):
            if facet.type in {"link", "tag"}:
                content += _quiet(post.text[done : facet.start]) + post.text[facet.start : facet.end]
                done = facet.end
                tags.append(["r", facet.value] if facet.type == "link" else ["t", facet.value.lower()])
        content += _quiet(post.text[done:])
        for told, picture in zip(commit.prepared.get("media", ()), post.media, strict=False):
            content += f"\n\n{told['url']}"
            size = f"dim {picture.width}x{picture.height}"
            about = [f"url {told['url']}", f"m {picture.mime}", size, f"x {told['sha256']}"]
            tags.append(["imeta", *about, *([f"alt {' '.join(picture.alt.split())}"] if picture.alt else [])])
        if post.warning:
            tags.append(["content-warning", post.warning])
        if post.language:
            tags += [["L", "ISO-639-1"], ["l", post.language.partition("-")[0], "ISO-639-1"]]
        tags = [*self._answering(commit), *tags, [MARK, commit.key]]
        return self._event(NOTE, int(commit.at.timestamp()), tags, content.strip())

    def _answering(self, commit: Commit) -> list[list[str]]:
        """NIP-10: the first note of the thread, the one that is answered if it is another, and who wrote them."""
        if commit.reply_to is None:
            return []
        me, root = self._key().hex(), commit.root or commit.reply_to
        marked = [(root, "root")] if root.id == commit.reply_to.id else [(root, "root"), (commit.reply_to, "reply")]
        return [*(["e", r.id, _hint(r), marker, me] for r, marker in marked), ["p", me]]

    def _event(self, kind: int, at: int, tags: list[list[str]], content: str) -> Event:
        """NIP-01: its id is the hash of what it says, and its signature is of the id."""
        key = self._key().hex()
        number = hashlib.sha256(_text([0, key, at, kind, tags, content]).encode()).hexdigest()
        signed = secp256k1.sign(self._secret(), bytes.fromhex(number)).hex()
        said = {"id": number, "pubkey": key, "created_at": at, "kind": kind, "tags": tags, "content": content}
        return {**said, "sig": signed}

    def _again(self, told: Event, number: str) -> Event | None:
        """The event that a relay has under this id, signed anew; None if what it says has another, or is no event."""
        try:
            event = self._event(told["kind"], told["created_at"], told["tags"], told["content"])
        except (KeyError, TypeError, ValueError):
            return None
        return event if event["id"] == number else None

    # Who it is said to

    def _tell_all(self, event: Event, enough: int = 1) -> list[str]:
        """Tell every relay of one event; returns those that have it. It is the same one wherever it is told.

        It is public with the first that has it, and counts as that once ``enough`` have. If none has it for certain,
        what may have happened counts.
        """
        told, lost = self._ask_all(lambda relay, wait: self._tell(relay, event, wait))
        if len(told) >= enough:
            return [relay for relay, _ in told]
        if told:
            raise Unconfirmed(f"{len(told)} of {enough} relays have it so far ({lost[0]})")
        for kind in (Unconfirmed, RateLimited, Unavailable, Unauthorized, PublishError):
            for error in lost:
                if isinstance(error, kind):
                    raise error
        raise Unauthorized("the account has no relay")

    def _ask_all(
        self, ask: Callable[[str, float], Found], relays: Iterable[str] | None = None
    ) -> tuple[list[tuple[str, Found]], list[PublishError]]:
        """What each relay says, and what went wrong with the others; one that hangs takes no more than its share."""
        told: list[tuple[str, Found]] = []
        lost: list[PublishError] = []
        asked = list(self._relays() if relays is None else relays)
        for place, relay in enumerate(asked):
            try:
                told.append((relay, ask(relay, self.http.left() / (len(asked) - place))))
            except PublishError as error:
                lost.append(error)
        return told, lost

    def _tell(self, relay: str, event: Event, seconds: float) -> None:
        """Give one relay an event."""

        def say(channel: Channel) -> tuple[bool, str]:
            """Say it, and once more if the relay wants to know first who says it (NIP-42)."""
            challenge = ""
            channel.send(_text(["EVENT", event]))
            while True:
                kind, *told = _heard(channel)
                if kind == "AUTH" and told:
                    challenge = str(told[0])
                elif kind == "OK" and len(told) > 1 and told[0] in {event["id"], ""}:
                    # nostr-relay 1.14 names no event when it refuses one, and there is but one here
                    taken, why = bool(told[0] and told[1]), str(told[2] if len(told) > 2 else "")
                    if taken or not challenge or not why.startswith(SIGN_IN):
                        return taken, why
                    self._sign_in(channel, relay, challenge)
                    challenge = ""
                    channel.send(_text(["EVENT", event]))

        taken, why = self.talk(relay, say, commit=True, seconds=seconds)
        why = self.http.redact(" ".join(why.split())[:WORDS])
        if not taken and not why.startswith("duplicate"):
            raise self._refused(relay, why)

    def _read(self, relay: str, wanted: Mapping[str, Any], seconds: float) -> list[Event]:
        """The events of a relay that are wanted; raises Unavailable if it does not say that these are all."""

        def say(channel: Channel) -> list[Event]:
            found, challenge, asked = [], "", _text(["REQ", SUBSCRIPTION, wanted])
            channel.send(asked)
            while True:
                kind, *told = _heard(channel)
                if kind == "AUTH" and told:
                    challenge = str(told[0])
                if told[:1] != [SUBSCRIPTION]:
                    continue
                if kind == "EVENT" and len(told) > 1 and isinstance(told[1], dict):
                    found.append(told[1])
                elif kind == "EOSE":
                    return found
                elif kind == "CLOSED":
                    if not challenge or not str(told[-1]).startswith(SIGN_IN):
                        raise ValueError(f"the relay does not say ({told[-1]})")
                    self._sign_in(channel, relay, challenge)
                    challenge = ""
                    channel.send(asked)

        return self.talk(relay, say, seconds=seconds)

    def _sign_in(self, channel: Channel, relay: str, challenge: str) -> None:
        at = int(self.http.now().timestamp())
        event = self._event(SIGNING_IN, at, [["relay", relay], ["challenge", challenge]], "")
        channel.send(_text(["AUTH", event]))
        while True:
            kind, *told = _heard(channel)
            if kind == "OK" and told[:1] == [event["id"]]:
                return

    def _refused(self, relay: str, why: str) -> PublishError:
        """What a relay's OK false means (NIP-01)."""
        prefix, what, words = why.partition(":")[0].strip(), f"{urlsplit(relay).netloc} does not take it", why
        if prefix == "rate-limited":
            return RateLimited(what, retry_after=60, status=SWITCHING, words=words)
        if prefix in NO_RIGHT or prefix == SIGN_IN:
            return Unauthorized(what, status=SWITCHING, words=words)
        return (Rejected if prefix in NEVER else Unconfirmed)(what, status=SWITCHING, words=words)

    def _may_write(self, relay: str) -> int:
        """What a relay says of itself (NIP-11): raises Unauthorized if it does not take our notes; returns how long one
        may be, 0 if it does not say.
        """
        about = f"http{relay.removeprefix('ws')}"
        answer = self.call("GET", about, headers={"Accept": "application/nostr+json"})
        limits = answer.told("limitation")
        limits = limits if isinstance(limits, dict) else {}
        host = urlsplit(relay).netloc
        if limits.get("payment_required"):
            raise Unauthorized(f"{host} wants to be paid first; see what it says of itself, or leave it out")
        if isinstance(work := limits.get("min_pow_difficulty"), int) and work > 0:
            raise Unauthorized(f"{host} wants proof of work, which Handbill does not do; leave it out")
        longest = limits.get("max_content_length")
        return longest if type(longest) is int else 0

    def _newest(self, kind: int) -> Event | None:
        """The newest event of this kind that this key has signed; None if no relay that answers has one."""
        asked = {"kinds": [kind], "authors": [self._key().hex()], "limit": 1}
        told, lost = self._ask_all(lambda relay, wait: self._read(relay, asked, wait))
        if lost and not told:
            raise lost[0]
        events = [e for _, events in told for e in events if e.get("pubkey") == self._key().hex()]
        return max(events, key=lambda e: int(e.get("created_at") or 0), default=None)

    def _listed(self) -> list[str]:
        """The relays on which the account's readers look for it (NIP-65)."""
        if self.settings.get("server"):
            return []
        told = self._newest(RELAYS)
        tags = [t for t in (told or {}).get("tags") or () if isinstance(t, list) and t[:1] == ["r"] and len(t) > 1]
        return [str(t[1]) for t in tags if str(t[1]).startswith("wss://") and t[2:3] != ["read"]][:RELAYS_MOST]

    def _relays(self) -> list[str]:
        """Where notes go: the relays that were given, and those that the account's own list adds."""
        if self.settings.get("server"):
            return [f"ws{self.base.removeprefix('http')}/"]
        given = self.settings.get("relays", "").replace(",", " ").split()
        if wrong := [r for r in given if not r.startswith(("wss://", "ws://")) or not urlsplit(r).hostname]:
            raise Unauthorized(f"{wrong[0][:80]} is no relay; they are written wss://relay.example")
        if not given:
            raise Unauthorized("the account has no relay")
        found: dict[str, str] = {}
        for relay in [*given, *self.settings.get("relays_found", "").split()]:
            found.setdefault(relay.rstrip("/"), relay)
        return list(found.values())[: max(RELAYS_MOST, len(given))]

    def _quorum(self) -> int:
        given = self.settings.get("quorum", "").strip() or "1"
        if not given.isdecimal() or not 0 < int(given) <= len(self._relays()):
            raise Unauthorized(f"quorum is a number from 1 to {len(self._relays())}, the number of relays")
        return int(given)

    def _blossom(self) -> str:
        return self.base if self.settings.get("server") else self.settings.get("blossom", "").rstrip("/")

    def _gateway(self) -> str:
        return self.base if self.settings.get("server") else GATEWAY

    def _receipt(self, event: Event, relays: list[str]) -> Receipt:
        hints = b"".join(_field(1, r.encode()) for r in relays[:1])
        named = _field(0, bytes.fromhex(event["id"])) + hints + _field(2, bytes.fromhex(event["pubkey"]))
        url = f"{self._gateway()}/{secp256k1.bech32('nevent', named)}"
        return Receipt(id=event["id"], url=url, extra={"relays": relays})

    def _key(self) -> bytes:
        return self._pair[1]

    def _secret(self) -> bytes:
        return self._pair[0]

    @functools.cached_property
    def _pair(self) -> tuple[bytes, bytes]:
        """The secret key and the public one."""
        given = self.settings.get("secret_key", "").strip()
        try:
            secret = bytes.fromhex(given) if len(given) == 64 else secp256k1.from_bech32(given, "nsec")
            public = secp256k1.public_key(secret)
        except ValueError as error:
            raise Unauthorized(f"the secret key cannot be read: {error}") from None
        self.http.hide(secret.hex())
        return secret, public


def _text(told: Any) -> str:
    """JSON as NIP-01 writes it: no white space, nothing escaped that need not be."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _heard(channel: Channel) -> list[Any]:
    told = json.loads(channel.receive())
    if not isinstance(told, list) or not told:
        raise ValueError("the answer is no message of a relay")
    return told


def _quiet(words: str) -> str:
    """Words in which nothing is a name, a note or an invoice: the joiner shows nothing."""
    return LIVE.sub(lambda found: f"{found[1][:-1]}{JOINER}{found[1][-1]}", words)


def _hint(receipt: Receipt) -> str:
    relays = receipt.extra.get("relays") or ()
    return str(relays[0]) if relays else ""


def _field(kind: int, content: bytes) -> bytes:
    """NIP-19: what it is, how long it is, and it."""
    return bytes([kind, len(content)]) + content
