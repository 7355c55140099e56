"""How Matrix takes a post: one event under a transaction of our own, HTML with no markup but ours, and no mention."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from publishers.core.counting import matrix_html
from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.post import Commit, Media, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

API = "/_matrix/client/v3"
KEY = "io.github.handbill.key"  # what a message of ours is known by; a server keeps fields that it does not know
# https://github.com/matrix-org/matrix-spec-proposals/pull/3552; messages have no field of the specification's for it
ALT, MARKUP = "org.matrix.msc1767.alt_text", "org.matrix.msc1767.markup"
CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
PAGE = 100
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
EVENTS_DEFAULT = 0  # the power to send where a room says nothing of it
CREATORS_SINCE = 12  # from this room version on whoever made a room may do everything in it
# Synapse keeps a transaction for a day in its database (its _cleanup_old_transaction_ids, in 1.163.2). Nobody says how
# long others do, and some keep it in memory alone: there a lost answer is looked up.
REPEATABLE = Proof(kind=ProofClass.A, window=timedelta(hours=23), then=ProofClass.B)
LOOKED_UP = Proof(kind=ProofClass.B)
# https://spec.matrix.org/v1.16/client-server-api/#common-error-codes
NO_RIGHT = {
    *("M_FORBIDDEN", "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED", "M_USER_SUSPENDED"),
    *("M_CONSENT_NOT_GIVEN", "M_GUEST_ACCESS_FORBIDDEN", "ORG_MATRIX_EXPIRED_ACCOUNT"),
}


class Matrix(Publisher):
    """One room on any homeserver (https://spec.matrix.org/latest/client-server-api/)."""

    label: ClassVar = "Matrix"
    team = True
    limits: ClassVar = Limits(
        # An event may have 65,536 bytes (https://spec.matrix.org/v1.16/client-server-api/#size-limits). A correction
        # holds the text four times, as words and as HTML, for those who know of corrections and those who do not.
        text=15_000,
        counting="matrix",
        hashtags=0,  # Matrix knows none
        media=1,
        media_bytes=50_000_000,
        media_types=tuple(SUFFIX),
        alt=1000,
        cards=((1200, 630),),
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Homeserver, such as https://matrix.example.org"),
        Setting(name="access_token", label="Access token of a session that is Handbill's alone", secret=True),
        Setting(name="room", label="Room, such as #news:example.org or !id:example.org"),
    )
    repictures: ClassVar = True
    proof: ClassVar = REPEATABLE
    # Synapse's rc_message: 10 at once, then one in five seconds
    # (https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html#rc_message).
    budgets: ClassVar = (Budget(posts=10, seconds=50),)
    addressed: ClassVar = r"(?:^|/)(\$[^/?#]+)"
    unverified: ClassVar = (
        "run against Synapse 1.163 on loopback alone; tokens that end are not renewed; "
        "other servers are looked through instead of repeated; "
        "alt text stands in the field of a proposal (MSC3552), which few clients read"
    )

    def connect(self) -> Profile:
        me = self._get("/account/whoami")
        user, device = me.pick("user_id"), _told(me).get("device_id")
        room = self._room_id()
        self._may_send(room, user)
        if self._state(room, "m.room.encryption") is not None:
            raise Unauthorized("the room is encrypted, and Handbill writes in clear: choose a room that is not")
        named = self._state(room, "m.room.name")
        name = str(_told(named).get("name") or "") if named else ""
        wanted = self._room()
        return Profile(
            name=f"{name or wanted} as {user}",
            url=f"https://matrix.to/#/{quote(wanted, safe='')}",
            limits=self._limits(),
            proof=REPEATABLE if device and self._software() == "synapse" else LOOKED_UP,
            settings={"user_id": user, "device_id": str(device or ""), "room_id": room},
        )

    def prepare(self, post: Post, key: str) -> Prepared:
        _expressible(post)
        # A server knows a transaction only in the session that began it.
        return {"device": self.settings.get("device_id", ""), **super().prepare(post, key)}

    def upload(self, media: Media) -> dict[str, Any]:
        name = f"picture.{SUFFIX[media.mime]}"
        answer = self.call(
            "POST",
            "/_matrix/media/v3/upload",
            params={"filename": name},
            headers={**self._auth(), "Content-Type": media.mime},
            content=media.read(),
        )
        info = {"mimetype": media.mime, "w": media.width, "h": media.height, "size": media.size}
        return {"url": answer.pick("content_uri"), "filename": name, "info": info}

    def create(self, post: Post, commit: Commit) -> Receipt:
        _expressible(post)
        device = self.settings.get("device_id", "")
        if commit.prepared.get("device", device) != device and (found := self.find(post, commit)):
            return found[0]  # another session does not know what the first one sent
        media = list(commit.prepared.get("media", ()))
        body = {**_said(post, media), KEY: commit.key}
        if commit.reply_to is not None:
            body["m.relates_to"] = {
                "rel_type": "m.thread",
                "event_id": (commit.root or commit.reply_to).id,
                "is_falling_back": True,  # for clients without threads it answers the message before
                "m.in_reply_to": {"event_id": commit.reply_to.id},
            }
        answer = self.commit("PUT", self._sending(commit.key), headers=self._auth(), json=body)
        return self._receipt(answer.pick("event_id"), media)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post  # a message bears the step's own key
        me = self.settings.get("user_id") or self._get("/account/whoami").pick("user_id")
        # What other servers say of the time is theirs to invent; what our own messages say is our server's.
        wanted = json.dumps({"senders": [me], "types": ["m.room.message"]}, separators=(",", ":"))
        params = {"dir": "b", "limit": str(PAGE), "filter": wanted}
        found: list[Receipt] = []
        while True:
            answer = self._get(f"/rooms/{self._place()}/messages", params)
            try:
                page = answer.json()
                ours = [e for e in page["chunk"] if e["sender"] == me]
                sent = [datetime.fromtimestamp(e["origin_server_ts"] / 1000, UTC) for e in ours]
                found += [self._receipt(str(e["event_id"]), _media(e)) for e in ours if _is(e, commit)]
                more = str(page.get("end") or "")
            except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
                raise answer.unreadable("the answer is not a list of events") from error
            if not more or any(at < commit.at - CLOCKS for at in sent):
                return tuple(found)
            if params.get("from") == more:
                raise answer.unreadable("the answer is the same page again")
            params["from"] = more

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._get(f"/rooms/{self._place()}/event/{quote(receipt.id, safe='')}")
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        answer.pick("event_id")
        try:
            event = answer.json()
            content = event["content"]
            if not content:  # redacted: the event stays, its words are gone
                return None
            told = ((event.get("unsigned") or {}).get("m.relations") or {}).get("m.replace") or {}
            content = (told.get("content") or {}).get("m.new_content") or content
            body = str(content["body"])
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a message") from error
        return Seen(text=body, same=body == post.text, pictures=int(content.get("msgtype") == "m.image"))

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        said = _said(post, commit.pictures(receipt))
        body = {
            **said,
            "body": f"* {said['body']}",
            "formatted_body": f"* {said['formatted_body']}",
            "m.new_content": said,
            "m.relates_to": {"rel_type": "m.replace", "event_id": receipt.id},
        }
        self.commit("PUT", self._sending(commit.key), headers=self._auth(), json=body).pick("event_id")
        return commit.shown(receipt)

    def delete(self, receipt: Receipt) -> None:
        key = hashlib.sha256(f"redact {receipt.id}".encode()).hexdigest()[:40]
        path = f"{API}/rooms/{self._place()}/redact/{quote(receipt.id, safe='')}/{key}"
        try:
            self.commit("PUT", path, headers=self._auth(), json={}).pick("event_id")
        except Rejected as error:
            if error.status != 404 or "M_NOT_FOUND" not in error.words:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        event = quote(receipt.id, safe="")
        message = self._get(f"/rooms/{self._place()}/event/{event}")
        message.pick("event_id")
        try:
            thread = (message.json().get("unsigned") or {}).get("m.relations") or {}
            replies = int((thread.get("m.thread") or {}).get("count", 0))
        except (AttributeError, TypeError, ValueError) as error:
            raise message.unreadable("the answer's thread cannot be counted") from error
        likes, params = 0, {"limit": str(PAGE)}
        while True:
            place = f"/_matrix/client/v1/rooms/{self._place()}/relations/{event}/m.annotation"
            answer = self.call("GET", place, headers=self._auth(), params=params)
            try:
                page = answer.json()
                likes += len(list(page["chunk"]))
                more = str(page.get("next_batch") or "")
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of reactions") from error
            if not more or params.get("from") == more:
                return {"likes": likes, "replies": replies}
            params["from"] = more

    def classify(self, answer: Answer) -> PublishError | None:
        if answer.status < 400 or answer.status >= 500:
            return judge(answer)
        code, words = _code(answer), answer.words()
        if answer.status == 429 or code == "M_LIMIT_EXCEEDED":
            wait = answer.retry_after(default=_milliseconds(answer) / 1000)
            return RateLimited("the server asks to wait", retry_after=wait, status=answer.status, words=words)
        if code in NO_RIGHT:
            return Unauthorized(f"the server does not allow this ({code})", status=answer.status, words=words)
        return judge(answer)

    def _may_send(self, room: str, user: str) -> None:
        """Raise Unauthorized, naming what is missing, unless this account may write in the room."""
        try:
            found = self._state(room, "m.room.power_levels")
        except Unauthorized as error:
            if error.status != 403:
                raise
            why = f"{user} is not in the room {self._room()}; invite it there and accept the invitation"
            raise Unauthorized(why, status=403, words=error.words) from None
        if found is None:
            return
        levels = _told(found)
        try:
            needed = int((levels.get("events") or {}).get("m.room.message", levels.get("events_default", 0)))
            has = int((levels.get("users") or {}).get(user, levels.get("users_default", EVENTS_DEFAULT)))
        except (AttributeError, TypeError, ValueError) as error:
            raise found.unreadable("the answer is no list of powers") from error
        if has < needed and not self._made(room, user):
            raise Unauthorized(
                f"missing permission: {user} has power level {has} in the room, and sending a message takes {needed}; "
                "a moderator of the room can raise it"
            )

    def _made(self, room: str, user: str) -> bool:
        """Whether this account made the room, in a version of rooms in which that is all the power there is."""
        whole = self.call("GET", f"{API}/rooms/{quote(room, safe='')}/state", headers=self._auth())
        try:
            (made,) = (e for e in whole.json() if e["type"] == "m.room.create")
            version = str(made["content"].get("room_version", "1"))
            creators = {made["sender"], *made["content"].get("additional_creators", ())}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise whole.unreadable("the answer does not describe a room") from error
        return version.isdecimal() and int(version) >= CREATORS_SINCE and user in creators

    def _state(self, room: str, kind: str) -> Answer | None:
        """A room's state of this kind; None if it has none."""
        try:
            return self._get(f"/rooms/{quote(room, safe='')}/state/{kind}")
        except Rejected as error:
            if error.status != 404:
                raise
            return None

    def _limits(self) -> dict[str, Any]:
        try:
            size = _told(self.call("GET", "/_matrix/client/v1/media/config", headers=self._auth())).get("m.upload.size")
        except Rejected:  # servers before 1.11 of the specification
            return {}
        return {"media_bytes": size} if type(size) is int and size > 0 else {}

    def _software(self) -> str:
        """Which software the server says it is, in small letters; empty if it does not tell."""
        try:
            return self.call("GET", "/_matrix/federation/v1/version").pick("server", "name").lower()
        except PublishError as error:
            if error.status is None:
                raise
            return ""

    def _room_id(self) -> str:
        room = self._room()
        if not room.startswith("#"):
            return room
        try:
            return self._get(f"/directory/room/{quote(room, safe='')}").pick("room_id")
        except Rejected as error:
            if error.status != 404:
                raise
            raise Unauthorized(f"the server knows no room {room}", status=404, words=error.words) from None

    def _room(self) -> str:
        return self.settings.get("room", "").strip()

    def _place(self) -> str:
        return quote(self.settings.get("room_id") or self._room_id(), safe="")

    def _sending(self, key: str) -> str:
        return f"{API}/rooms/{self._place()}/send/m.room.message/{key}"

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", API + path, headers=self._auth(), params=params)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}

    def _receipt(self, event: str, media: list[Any]) -> Receipt:
        room = self.settings.get("room_id") or self._room()
        url = f"https://matrix.to/#/{quote(room, safe='')}/{quote(event, safe='')}"
        return Receipt(id=event, url=url, extra={"media": media} if media else {})


def _expressible(post: Post) -> None:
    if post.warning or post.visibility != "public":
        raise Unsupported("a Matrix message is for the whole room and carries no warning")


def _said(post: Post, media: list[Any]) -> dict[str, Any]:
    """The message as words and as HTML; with a picture it is the picture's caption."""
    said: dict[str, Any] = {
        "msgtype": "m.text",
        "body": post.text,
        "format": "org.matrix.custom.html",
        "formatted_body": _marked(post),
        "m.mentions": {},  # whatever the words look like, they call nobody
    }
    for picture in media[:1]:
        alt = post.media[0].alt if post.media else ""
        said |= {"msgtype": "m.image", **picture}
        if alt:
            said[ALT] = {MARKUP: [{"body": alt}]}
    return said


def _marked(post: Post) -> str:
    """The text as HTML: its links, and a title that begins it in bold."""
    marked, done = "", 0
    headline = post.text.partition("\n")[0]
    if (
        headline
        and headline.replace("\u2060", "") == post.title
        and not any(f.start < len(headline) for f in post.facets)
    ):
        marked, done = f"<strong>{matrix_html(headline)}</strong>", len(headline)
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "link" or not facet.value.startswith(("https://", "http://")):
            continue
        words = matrix_html(post.text[facet.start : facet.end])
        marked += f'{matrix_html(post.text[done : facet.start])}<a href="{html.escape(facet.value)}">{words}</a>'
        done = facet.end
    return marked + matrix_html(post.text[done:])


def _is(event: Mapping[str, Any], commit: Commit) -> bool:
    """Whether an event bears this commit's key; one that was taken away bears nothing any more."""
    content = event.get("content") or {}
    return bool(content.get(KEY) == commit.key)


def _media(event: Mapping[str, Any]) -> list[Any]:
    content = event.get("content") or {}
    if content.get("msgtype") != "m.image":
        return []
    return [{name: content[name] for name in ("url", "filename", "info")}]


def _told(answer: Answer) -> Mapping[str, Any]:
    told = answer.json()
    if not isinstance(told, dict):
        raise answer.unreadable("the answer is not an object")
    return told


def _code(answer: Answer) -> str:
    """Matrix's own word for a refusal; empty if there is none."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    return str(told.get("errcode") or "") if isinstance(told, dict) else ""


def _milliseconds(answer: Answer) -> float:
    """What servers before 1.10 of the specification say in place of Retry-After."""
    try:
        value = json.loads(answer.body)["retry_after_ms"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 60_000
    return float(value) if type(value) is int else 60_000
