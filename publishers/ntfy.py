"""How ntfy takes a post: one notification under a sequence of our own, its title apart, its link behind a tap."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import DAY, Answer, judge
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

MESSAGE = 4096  # bytes; the server makes a file of a longer one: https://docs.ntfy.sh/publish/#limitations
CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
REFILL = 5.0  # seconds in which one more request is allowed
JOINER = "\u2060"  # stands in a text so that nothing in it turns into a mention or tag
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
# The whole day's messages and bytes: server/errors.go in https://github.com/binwiederhier/ntfy
SPENT = {42905, 42908}


class Ntfy(Publisher):
    """One topic on ntfy.sh or on a server of one's own (https://docs.ntfy.sh)."""

    label: ClassVar = "ntfy"
    team = True
    home: ClassVar = "https://ntfy.sh"
    limits: ClassVar = Limits(
        text=MESSAGE,
        counting="utf8",
        hashtags=0,  # ntfy knows none
        media=1,
        media_bytes=2_000_000,  # what ntfy.sh takes; another server says its own
        media_types=tuple(SUFFIX),
        cards=((1200, 630),),
        link_in_text=False,  # whoever taps the notification is at the article
        link_card=False,
    )
    fields: ClassVar = (
        Setting(name="topic", label="Topic, such as thepaper-news"),
        Setting(name="server", label="Server, if it is not ntfy.sh", required=False),
        Setting(name="access_token", label="Access token, which begins with tk_", secret=True, required=False),
        Setting(name="priority", label="Priority, 1 to 5; 3 where nothing is said", required=False),
        Setting(name="pictures", label="Pictures: yes or none", required=False, default="yes"),
    )
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.B)
    # 60 requests at once, then one in five seconds: https://docs.ntfy.sh/publish/#limitations
    budgets: ClassVar = (Budget(posts=60, seconds=300),)
    unverified: ClassVar = (
        "never run against a real server; whether the token may write is known only once it does; sequences as the "
        "documentation of 2.16 has them (older servers change and delete nothing); ntfy.sh's 250 messages a day"
    )

    def connect(self) -> Profile:
        topic, priority = self._topic(), self.settings.get("priority", "")
        if priority not in {"", *"12345"}:
            raise Unauthorized("priority is a number from 1 to 5")
        if self.settings.get("pictures", "yes") not in {"yes", "none"}:
            raise Unauthorized("pictures is either yes or none")
        account = self.call("GET", "/v1/account", headers=self._auth())
        who = account.pick("username")
        limits: dict[str, Any] = {}
        size = account.told("limits", "attachment_file_size")
        if self.settings.get("pictures") == "none" or size == 0:
            limits["media"] = 0
        elif type(size) is int and size > 0:
            limits["media_bytes"] = size
        kept = account.told("limits", "messages_expiry_duration")
        reads = type(kept) is int and kept > 0 and self._reads(topic)
        return Profile(
            name=f"{topic} at {urlsplit(self.base).netloc}" + ("" if who == "*" else f" as {who}"),
            url=f"{self.base}/{topic}",
            limits=limits,
            proof=Proof(kind=ProofClass.B if reads else ProofClass.C),
        )

    def prepare(self, post: Post, key: str) -> Prepared:
        del post, key
        return {}  # the picture travels in the commit itself

    def create(self, post: Post, commit: Commit) -> Receipt:
        if commit.reply_to is not None:
            raise Unsupported("nothing answers a notification")
        return self._receipt(self._publish(post, commit.key))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if commit.reply_to is not None:
            raise Unsupported("nothing answers a notification")
        since = str(int((commit.at - CLOCKS).timestamp()))
        params = {"poll": "1", "since": since}
        answer = self.call("GET", f"/{self._topic()}/json", headers=self._auth(), params=params)
        if "ndjson" not in answer.headers.get("content-type", ""):  # an empty page is an answer, an empty body is none
            raise answer.unreadable("the answer is not a list of messages")
        try:
            told = [json.loads(line) for line in answer.body.decode().split("\n") if line.strip()]
            ours = [m for m in told if m["event"] == "message" and self._is(m, post, commit)]
            # A message that was changed since is there again, under the same sequence.
            return tuple({str(m.get("sequence_id") or m["id"]): self._kept(m) for m in reversed(ours)}.values())
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a list of messages") from error

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        self._publish(post, self._sequence(receipt)).pick("id")
        return receipt

    def delete(self, receipt: Receipt) -> None:
        self.commit("DELETE", f"/{self._topic()}/{self._sequence(receipt)}", headers=self._auth()).pick("event")

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), answer.told("code")
        if status == 429:
            wait = answer.retry_after(default=_midnight(answer.now) if code in SPENT else REFILL)
            return RateLimited("ntfy asks to wait", retry_after=wait, status=status, words=words)
        if status == 403:
            return Unauthorized("this token may not use the topic", status=status, words=words)
        if status == 404 and code == 40401:
            return Rejected("the server knows no such address", status=status, words=words)
        return judge(answer)

    def _publish(self, post: Post, sequence: str) -> Answer:
        """The one request: JSON, or the picture itself with the words in its headers."""
        if post.warning or post.visibility != "public":
            raise Unsupported("a notification is for everybody who reads the topic and carries no warning")
        title, message = _split(post)
        priority = self.settings.get("priority", "")
        if not post.media or self.settings.get("pictures") == "none":
            body: dict[str, Any] = {"topic": self._topic(), "message": message, "sequence_id": sequence}
            body |= {name: value for name, value in (("title", title), ("click", post.link)) if value}
            if priority:
                body["priority"] = int(priority)
            return self.commit("POST", "/", headers=self._auth(), json=body)
        picture = post.media[0]
        told = {
            # In a header the server takes the two signs \n for the end of a line.
            "X-Message": message.replace("\\n", f"\\{JOINER}n"),
            "X-Title": title,
            "X-Click": post.link or "",
            "X-Priority": priority,
            "X-Filename": f"picture.{SUFFIX[picture.mime]}",
            "X-Sequence-ID": sequence,
        }
        headers = {name: _encoded(value) for name, value in told.items() if value}
        content = {"Content-Type": picture.mime, **headers, **self._auth()}
        return self.commit("PUT", f"/{self._topic()}", headers=content, content=picture.read())

    def _receipt(self, answer: Answer) -> Receipt:
        answer.pick("id")
        return self._kept(answer.json())

    def _kept(self, message: Mapping[str, Any]) -> Receipt:
        sequence = str(message.get("sequence_id") or "")
        extra = {"sequence": sequence} if sequence else {}
        return Receipt(id=str(message["id"]), url=f"{self.base}/{self._topic()}", extra=extra)

    def _is(self, message: Mapping[str, Any], post: Post, commit: Commit) -> bool:
        """Whether ``message`` is of this commit's sequence or, where it has none, says what ``post`` says."""
        if message.get("sequence_id"):
            return bool(message["sequence_id"] == commit.key)
        title, text = _split(post)
        same = _same(str(message.get("message") or ""), text) and str(message.get("title") or "") == title
        since = (commit.at - CLOCKS).timestamp()
        return same and float(message["time"]) >= since and str(message.get("click") or "") == (post.link or "")

    def _sequence(self, receipt: Receipt) -> str:
        if not (sequence := str(receipt.extra.get("sequence") or "")):
            raise Unsupported("the server is older than ntfy 2.16 and changes or deletes no notification")
        return sequence

    def _reads(self, topic: str) -> bool:
        """Whether a lost answer can be looked up: the token may read the topic too."""
        try:
            self.call("GET", f"/{topic}/auth", headers=self._auth())
        except Unauthorized as error:
            if error.status != 403:
                raise
            return False
        return True

    def _topic(self) -> str:
        topic = self.settings.get("topic", "").strip().strip("/")
        if not (0 < len(topic) <= 64 and topic.isascii() and topic.replace("-", "").replace("_", "").isalnum()):
            raise Unauthorized("a topic is 1 to 64 letters, digits, - and _")
        return topic

    def _auth(self) -> dict[str, str]:
        token = self.settings.get("access_token", "")
        return {"Authorization": f"Bearer {token}"} if token else {}


def _split(post: Post) -> tuple[str, str]:
    """The title and the message: a first line that is the article's title stands in the notification's own."""
    headline, _, rest = post.text.partition("\n")
    if rest.strip() and headline.replace(JOINER, "") == post.title:
        return headline, rest.strip()
    return "", post.text.strip()


def _same(theirs: str, ours: str) -> bool:
    return text_hash(theirs.replace(JOINER, "")) == text_hash(ours.replace(JOINER, ""))


def _encoded(value: str) -> str:
    """A header's value as RFC 2047 writes what is not ASCII: https://docs.ntfy.sh/publish/#list-of-all-parameters."""
    if value.isascii() and value.isprintable() and not value.startswith("=?"):
        return value
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _midnight(now: datetime) -> float:
    """Seconds until the day ends for which messages are counted: at midnight UTC."""
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return min((end - now).total_seconds(), DAY)
