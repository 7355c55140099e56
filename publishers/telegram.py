"""How Telegram takes a post: a bot sends one message to a chat, UTF-16 entities and the photo in one request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from publishers.core.counting import utf16
from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

NO_RIGHT = ("chat not found", "not enough rights", "need administrator rights", "bot is not a member")
GONE = ("message to delete not found", "message not found")
SUPERGROUP = "-100"  # the prefix the Bot API puts before a channel's or supergroup's own number


class Telegram(Publisher):
    """One channel, group or chat, spoken to by a bot (https://core.telegram.org/bots/api)."""

    label: ClassVar = "Telegram"
    team = True
    home: ClassVar = "https://api.telegram.org"
    # A message may answer another, but a channel's readers see no thread, and one lost answer would stop it (class C).
    limits: ClassVar = Limits(text=4096, counting="utf16", caption=1024, media_bytes=10_000_000, cards=((1280, 720),))
    fields: ClassVar = (
        Setting(name="bot_token", label="Bot token from @BotFather", secret=True),
        Setting(name="chat_id", label="Channel, such as @yourchannel, or a chat's number"),
    )
    pasted: ClassVar = "bot token"
    # A bot has no key to repeat with and cannot read a channel: https://github.com/tdlib/telegram-bot-api/issues/482
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.C)
    budgets: ClassVar = (
        Budget(posts=20, seconds=60),
    )  # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    addressed: ClassVar = r"(?:^|/)(\d+)(?=[?#]|$)"
    unverified: ClassVar = "never run against the real platform"

    def connect(self) -> Profile:
        self._result(self.call("GET", self._path("getMe")))
        chat = self._result(self.call("POST", self._path("getChat"), json={"chat_id": self.settings["chat_id"]}))
        name = str(chat.get("username", ""))
        title = str(chat.get("title") or chat.get("first_name") or self.settings["chat_id"])
        return Profile(name=f"@{name}" if name else title, url=f"{self._site()}/{name}" if name else "")

    def prepare(self, post: Post, key: str) -> Prepared:
        del post, key
        return {}  # the photo travels in the commit itself

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Telegram message is for the whole chat and carries no warning")
        target: dict[str, Any] = {"chat_id": self.settings["chat_id"]}
        if commit.reply_to is not None:
            target["reply_parameters"] = {"message_id": int(commit.reply_to.id)}
        if not post.media:
            answer = self.commit("POST", self._path("sendMessage"), json={**target, **_message(post)})
            return self._receipt(answer)
        # A form's structured fields are JSON texts: https://core.telegram.org/bots/api#making-requests
        fields = {**target, **_caption(post)}
        form = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in fields.items()}
        picture = post.media[0]
        files = {"photo": ("picture", picture.read(), picture.mime)}
        return self._receipt(self.commit("POST", self._path("sendPhoto"), form=form, files=files))

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        target = {"chat_id": self.settings["chat_id"], "message_id": int(receipt.id)}
        photo = bool(receipt.extra.get("photo") or post.media)  # a receipt that a person gave does not tell
        path = self._path("editMessageCaption" if photo else "editMessageText")
        request: dict[str, Any] = {"json": {**target, **(_caption(post) if photo else _message(post))}}
        if commit.fresh and post.media:
            path, picture = self._path("editMessageMedia"), post.media[0]
            media = {"type": "photo", "media": "attach://picture", **_caption(post)}
            form = {**target, "media": json.dumps(media, ensure_ascii=False), "message_id": receipt.id}
            request = {"form": form, "files": {"picture": ("picture", picture.read(), picture.mime)}}
        try:
            self.commit("POST", path, **request)
        except Rejected as error:
            if "message is not modified" not in error.words:
                raise
        return receipt

    def delete(self, receipt: Receipt) -> None:
        target = {"chat_id": self.settings["chat_id"], "message_id": int(receipt.id)}
        try:
            self.commit("POST", self._path("deleteMessage"), json=target)
        except Rejected as error:
            if not any(words in error.words for words in GONE):
                raise

    def classify(self, answer: Answer) -> PublishError | None:
        words = answer.words()
        if answer.status == 429:
            wait = answer.retry_after(told=answer.told("parameters", "retry_after"))
            return RateLimited("Telegram asks to wait", retry_after=wait, status=429, words=words)
        if answer.status in {401, 404}:  # 404 is what a token of the wrong shape gets
            return Unauthorized("Telegram does not know this bot token", status=answer.status, words=words)
        if answer.status == 403:  # a bot that was removed or blocked
            return Unauthorized("the bot may not write to this chat", status=answer.status, words=words)
        # https://core.telegram.org/bots/api#responseparameters
        if answer.status == 400 and b"migrate_to_chat_id" in answer.body:
            return Unauthorized("the group has moved to a new chat number", status=400, words=words)
        if answer.status == 400 and any(reason in words for reason in NO_RIGHT):
            return Unauthorized("the bot may not write to this chat", status=400, words=words)
        return judge(answer)

    def _path(self, method: str) -> str:
        return f"/bot{self.settings.get('bot_token', '')}/{method}"

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://t.me"

    def _result(self, answer: Answer) -> dict[str, Any]:
        body = answer.json()
        if not isinstance(body, dict) or body.get("ok") is not True or not isinstance(body.get("result"), dict):
            raise answer.unreadable("the answer is not ok")
        return dict(body["result"])

    def _receipt(self, answer: Answer) -> Receipt:
        message = self._result(answer)
        number = answer.pick("result", "message_id")
        chat = message.get("chat") or {}
        url = None
        if username := chat.get("username"):
            url = f"{self._site()}/{username}/{number}"
        elif (own := str(chat.get("id", ""))).startswith(SUPERGROUP):
            # Opens for members only: https://core.telegram.org/api/links#message-links
            url = f"{self._site()}/c/{own.removeprefix(SUPERGROUP)}/{number}"
        return Receipt(id=number, url=url, extra={"photo": True} if message.get("photo") else {})


def _message(post: Post) -> dict[str, Any]:
    preview = {"url": post.link, "prefer_large_media": True} if post.link else {"is_disabled": True}
    return {"text": post.text, "entities": _entities(post), "link_preview_options": preview}


def _caption(post: Post) -> dict[str, Any]:
    return {"caption": post.text, "caption_entities": _entities(post)}


def _entities(post: Post) -> list[Mapping[str, Any]]:
    """The facets in UTF-16 units; sent instead of a parse_mode, so nothing in the text can turn into markup."""
    entities: list[Mapping[str, Any]] = []
    for facet in post.facets:
        said = post.text[facet.start : facet.end]
        place = {"offset": utf16(post.text[: facet.start]), "length": utf16(said)}
        if facet.type == "link" and said != facet.value:
            entities.append({"type": "text_link", **place, "url": facet.value})
        else:
            entities.append({"type": {"link": "url", "tag": "hashtag"}.get(facet.type, "mention"), **place})
    return entities
