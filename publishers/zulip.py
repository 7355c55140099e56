"""How Zulip takes a post: a message in a channel's topic, every sign of its markup written as what HTML calls it."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import JOINER, closed, escaped, headline, marked
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

API = "/api/v1"
CONTENT = 10_000  # a longer message is cut by the server: MAX_MESSAGE_LENGTH in zproject/default_settings.py
TOPIC = 60  # and so is a longer topic: https://zulip.com/api/send-message
CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
PAGE = 100
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
NO_RIGHT = {"STREAM_DOES_NOT_EXIST", "USER_DEACTIVATED", "REALM_DEACTIVATED", "INVALID_API_KEY"}
# Zulip's Markdown knows no backslash but every entity of HTML: build_inlinepatterns in zerver/lib/markdown/__init__.py.
# At the beginning of a line stand headings, quotes, lists, rules and, of the whole message, /me, /poll and /todo.
MARKUP = re.compile(
    r"(?P<begin>^[ \t]*(?:[>+_/-]|\d{1,9}[.)]))|(?P<indent>^[ \t]+)|[*`\[\]<@#$~|]|:(?=[\w+-]+:)|&(?=#?\w+;)",
    re.MULTILINE,
)
# Inside a link's own words no entity is read, and nothing else either but these.
LABEL = re.compile(r"[*`<@#$~|](?!\u2060)")


class Zulip(Publisher):
    """One channel of a Zulip organisation, written to by a bot (https://zulip.com/api/)."""

    label: ClassVar = "Zulip"
    team = True
    limits: ClassVar = Limits(
        text=CONTENT // 5,  # each sign of markup is sent as five
        title=TOPIC,
        hashtags=0,  # they would look like channels
        media=4,
        media_bytes=10_000_000,
        media_types=tuple(SUFFIX),
        alt=500,
        cards=((1200, 630),),
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Organisation's address, such as https://paper.zulipchat.com"),
        Setting(name="bot_email", label="Bot's e-mail address, such as handbill-bot@paper.zulipchat.com"),
        Setting(name="api_key", label="Bot's API key", secret=True),
        Setting(name="channel", label="Channel, such as news"),
        Setting(name="topic", label="Topic; without one every article has its own", required=False),
    )
    pasted: ClassVar = "bot's API key"
    # local_id and queue_id only come back in events: zerver/actions/message_send.py compares them with nothing.
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.B)
    budgets: ClassVar = (Budget(posts=200, seconds=60),)  # https://zulip.com/api/rest-error-handling
    addressed: ClassVar = r"(?:^|/near/)(\d+)(?=[/?#]|$)"
    unverified: ClassVar = (
        "never run against a real server; whether the server's language changes the words by which a message that is "
        "gone is told; the new ways of showing a picture that Zulip 12 brings"
    )

    def connect(self) -> Profile:
        me = self._get("/users/me")
        user, name, channel = me.pick("user_id"), me.pick("full_name"), self._name()
        try:
            number = self._get("/get_stream_id", {"stream": channel}).pick("stream_id")
        except Rejected as error:
            what = f"the organisation has no channel {channel}, or the bot may not see it"
            raise Unauthorized(what, status=error.status, words=error.words) from None
        told = self._get(f"/users/{user}/subscriptions/{number}")
        if told.pick("is_subscribed") != "True":
            raise Unauthorized(f"{name} does not follow #{channel}; subscribe the bot to the channel")
        return Profile(
            name=f"#{channel} as {html.unescape(name)}",
            url=f"{self.base}/#narrow/stream/{number}",
            settings={"user_id": user, "channel_id": number},
        )

    def upload(self, media: Media) -> str:
        files = {"filename": (f"picture.{SUFFIX[media.mime]}", media.read(), media.mime)}
        answer = self.call("POST", f"{API}/user_uploads", headers=self._auth(), files=files)
        return answer.pick("uri") if answer.told("uri") else answer.pick("url")  # the newer name since Zulip 9

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Zulip message is for the whole channel and carries no warning")
        media = _pictures(post, commit.prepared.get("media", ()))
        topic = self._topic(post, commit)
        form = {"type": "stream", "to": self._channel(), "topic": topic, "content": _content(post, media)}
        answer = self.commit("POST", f"{API}/messages", headers=self._auth(), form=form)
        return self._receipt(answer.pick("id"), topic, media)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        me = self.settings.get("user_id") or self._get("/users/me").pick("user_id")
        since, topic = (commit.at - CLOCKS).timestamp(), self._topic(post, commit)
        media = _pictures(post, commit.prepared.get("media", ()))
        wanted = text_hash(_content(post, media))
        narrow = [
            {"operator": "stream", "operand": int(self._channel())},
            {"operator": "topic", "operand": topic},
            {"operator": "sender", "operand": int(me)},
        ]
        params = {
            "anchor": "newest",
            "num_before": str(PAGE),
            "num_after": "0",
            "apply_markdown": "false",
            "narrow": json.dumps(narrow, separators=(",", ":")),
        }
        found: list[Receipt] = []
        while True:
            answer = self._get("/messages", params)
            try:
                told = answer.json()
                listed = [(m, float(m["timestamp"])) for m in told["messages"]]
                recent = [m for m, at in listed if at >= since]
                same = [m for m in recent if text_hash(str(m["content"])) == wanted]
                found += [self._receipt(str(m["id"]), topic, media) for m in reversed(same)]
                if told["found_oldest"] or len(recent) < len(listed):
                    return tuple(found)
                anchor = str(min(int(m["id"]) for m, _ in listed))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of messages") from error
            if params["anchor"] == anchor:
                raise answer.unreadable("the answer is the same page again")
            params |= {"anchor": anchor, "include_anchor": "false"}

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._get(f"/messages/{receipt.id}", {"apply_markdown": "false"})
        except Rejected as error:
            if "Invalid message" in error.words:
                return None
            raise
        content = answer.pick("message", "content")
        media = [str(m) for m in receipt.extra.get("media", ())]
        there = [m for m in media if m in content]
        same = text_hash(content) == text_hash(_content(post, media))
        return Seen(text=html.unescape(content), same=same, pictures=len(there))

    def locate(self, address: str) -> Receipt:
        number = self.named(self.ours(address))
        return self._receipt(number, self._get(f"/messages/{number}").pick("message", "subject"), [])

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        told = () if commit.fresh else receipt.extra.get("media")
        media = [str(m) for m in told or _pictures(post, commit.prepared.get("media", ()))]
        form = {"content": _content(post, media)}
        answer = self.commit("PATCH", f"{API}/messages/{receipt.id}", headers=self._auth(), form=form)
        answer.pick("result")
        return dataclasses.replace(receipt, extra={**receipt.extra, "media": media}) if media else receipt

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", f"{API}/messages/{receipt.id}", headers=self._auth())
        except Rejected as error:
            if "Invalid message" not in error.words:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self._get(f"/messages/{receipt.id}", {"apply_markdown": "false"})
        answer.pick("message", "id")
        reactions = answer.told("message", "reactions")
        if not isinstance(reactions, list):
            raise answer.unreadable("the answer's reactions cannot be counted")
        return {"likes": len(reactions)}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), str(answer.told("code") or "")
        if status == 429:
            wait = answer.retry_after(told=answer.told("retry-after"))
            return RateLimited("the server asks to wait", retry_after=wait, status=status, words=words)
        if status == 403 or (400 <= status < 500 and (code in NO_RIGHT or "Not authorized" in words)):
            return Unauthorized("the bot may not do this in the channel", status=status, words=words)
        return judge(answer)

    def _topic(self, post: Post, commit: Commit) -> str:
        """Where it stands: in the topic of what it answers, else the account's or the article's own."""
        if commit.reply_to is not None:
            return str((commit.root or commit.reply_to).extra.get("topic") or self.settings.get("topic") or "")
        topic = self.settings.get("topic", "").strip() or post.title or post.text.strip().partition("\n")[0]
        topic = " ".join(topic.split())
        if len(topic) <= TOPIC:
            return topic
        whole = topic[: TOPIC - 1] if topic[TOPIC - 1] == " " else topic[: TOPIC - 1].rpartition(" ")[0]
        return (whole or topic[: TOPIC - 1]).rstrip(" ,;:–—-") + "…"

    def _name(self) -> str:
        return self.settings.get("channel", "").strip().lstrip("#")

    def _channel(self) -> str:
        if not (number := self.settings.get("channel_id", "")).isdecimal():
            number = self._get("/get_stream_id", {"stream": self._name()}).pick("stream_id")
        return number

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", API + path, headers=self._auth(), params=params)

    def _auth(self) -> dict[str, str]:
        pair = f"{self.settings.get('bot_email', '')}:{self.settings.get('api_key', '')}"
        token = base64.b64encode(pair.encode()).decode()
        self.http.hide(token)
        return {"Authorization": f"Basic {token}"}

    def _receipt(self, number: str, topic: str, media: list[str]) -> Receipt:
        # As web/src/internal_url.ts writes addresses
        place = quote(topic, safe="-_~!*'()").replace(".", "%2E").replace("%", ".")
        url = f"{self.base}/#narrow/stream/{self._channel()}/topic/{place}/near/{number}"
        return Receipt(id=number, url=url, extra={"topic": topic, **({"media": media} if media else {})})


def markdown(post: Post) -> str:
    """The text in Zulip's Markdown: its own links are live, a title that begins it is bold, all else is words."""
    words, done = escaped(post.text, MARKUP, _instead), headline(post)
    title = f"**{words(0, done)}**" if done else ""
    return title + marked(post, words, _link, start=done)


def _content(post: Post, media: Iterable[str]) -> str:
    content = "\n\n".join([part for part in (markdown(post), *media) if part])
    if len(content) > CONTENT:
        raise Unsupported(f"the message is longer than {CONTENT} signs, and Zulip would cut it")
    return content


def _pictures(post: Post, places: Iterable[Any]) -> list[str]:
    """Each picture as a link that Zulip shows it below; the link's words are its alt text."""
    alts = [m.alt for m in post.media]
    named = [(alts[n] if n < len(alts) else "", str(place)) for n, place in enumerate(places)]
    return [f"[{_label(alt) or 'picture'}]({place})" for alt, place in named]


def _link(said: str, link: str) -> str:
    return link if said == link else f"[{_label(html.unescape(said))}]({closed(link)})"


def _label(words: str) -> str:
    words = words.replace("[", "(").replace("]", ")")
    return " ".join(LABEL.sub(lambda found: found[0] + JOINER, words).split())


def _instead(found: re.Match[str]) -> str:
    if found.lastgroup == "indent":
        return ""
    sign = found[0].lstrip()
    return f"{sign[:-1]}&#{ord(sign[-1])};"
