"""How Rocket.Chat takes a post: a message whose id is our own key, so that the server keeps it once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unconfirmed, Unsupported
from publishers.core.http import DAY, Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import JOINER, closed, escaped, headline, marked
from publishers.core.post import Commit, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

API = "/api/v1"
SIZE = "Message_MaxAllowedSize"
PLACES = {"c": "channel", "p": "group", "d": "direct"}
WAIT = re.compile(r"wait (\d+) seconds")
PATIENCE = 60.0  # ten calls a minute, unless the server's owner says otherwise
GONE = "No message found"
KNOWN = "Cannot read prop"  # how the server stumbles over a message that it has already
NO_RIGHT = re.compile(
    r"error-(?:not-allowed|room-not-found|invalid-room|invalid-user|unauthorized|user-is-not-in-room)"
    r"|not-authorized|unauthorized|readonly|read-only|blocked|archived",
    re.IGNORECASE,
)
# What its parser makes a picture of where it stands alone, tried out on @rocket.chat/message-parser 0.31.35.
FACE = r"(?:[>'0O]?[:;=]['^]?-?[()\[\]DLOPXb3/\\*$#@.]|[8BX*#%D]-?[)DP]|D:|</?3|>\.<|-_+-|\*?\\[0O]/\*?)(?=[\s#@*]|\Z)"
# What it reads as markup: a backslash takes these signs, and all else is broken by a joiner, what begins a line and a
# face by one before it. Behind ":" and "=" a backslash would be the mouth of a face, and the sign would be read.
MARKUP = re.compile(
    rf"(?P<face>(?<!\S)(?={FACE}))|(?P<begin>^[ \t]*(?:[>-]|\d{{1,9}}[.)]))|(?P<indent>^[ \t]+)|(?P<sign>[*_`~#])"
    rf"|(?P<broken>\\(?=[(\[#.])|[@<](?=[^\s{JOINER}])|\|(?=\|)|\](?=\()|:(?=[\w+-]+:)|(?<!\w):(?=[^\s\w{JOINER}])"
    r"|[:=](?=[*_`~#]))",
    re.MULTILINE,
)
PLAIN = re.compile(r"[^*_~`\\:@#<|\[\]!]+")  # a title of nothing else can be bold: inside, no backslash is read

EDGES = re.compile(r"^-?\)|=$")  # what a face would be with the star of bold beside it


class RocketChat(Publisher):
    """One room of a Rocket.Chat server, written to by a bot (https://developer.rocket.chat/apidocs)."""

    label: ClassVar = "Rocket.Chat"
    team = True
    limits: ClassVar = Limits(
        text=2500,  # half of Message_MaxAllowedSize's 5,000, since every sign may need a backslash
        hashtags=0,  # they would name rooms
        media=0,  # a file is a message of its own there, with an id of its own, that no repeat could be known by
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Server, such as https://chat.example.org"),
        Setting(name="user_id", label="Bot's user id, shown with its access token"),
        Setting(name="auth_token", label="Bot's personal access token", secret=True),
        Setting(name="room", label="Channel, such as news"),
    )
    pasted: ClassVar = "access token"
    # chat.sendMessage takes the message's id from us and keeps none twice: sendMessage() of
    # apps/meteor/app/lib/server/functions/sendMessage.ts. chat.postMessage would not.
    proof: ClassVar = Proof(kind=ProofClass.A)
    budgets: ClassVar = (Budget(posts=5, seconds=60),)  # of ten calls a minute two go into each post
    addressed: ClassVar = r"(?:^|[?&]msg=)(\w+)(?=[&#]|$)"
    unverified: ClassVar = (
        "never run against a real server; what a repeated id is answered with (it is looked up before each send); "
        "formulas between dollar signs, where a server's owner has turned them on"
    )

    def connect(self) -> Profile:
        me = self._get("/me")
        name = me.pick("username")
        try:
            room = self._get("/rooms.info", {"roomName": self._name()})
        except (Rejected, Unauthorized) as error:
            if error.status != 400:
                raise
            what = f"the server has no room {self._name()}, or the bot may not see it"
            raise Unauthorized(what, status=error.status, words=error.words) from None
        number, kind = room.pick("room", "_id"), str(room.told("room", "t") or "c")
        if room.told("room", "encrypted"):
            raise Unauthorized("the room is encrypted, and Handbill writes in clear: choose a room that is not")
        if room.told("room", "archived"):
            raise Unauthorized(f"the room {self._name()} is archived")
        if not self._get("/subscriptions.getOne", {"roomId": number}).told("subscription"):
            raise Unauthorized(f"@{name} is not in the room {self._name()}; add it there")
        shown = str(room.told("room", "name") or self._name())
        place = f"{PLACES.get(kind, 'channel')}/{shown}"
        return Profile(
            name=f"#{shown} as @{name}",
            url=f"{self.base}/{place}",
            limits=self._limits(),
            settings={"room_id": number, "place": place},
        )

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Rocket.Chat message is for the whole room and carries no warning")
        # The server takes an id once, but answers a repeat with an error of its own making.
        for found in self.find(post, commit):
            return found
        message: dict[str, Any] = {"_id": commit.key, "rid": self._room(), "msg": markdown(post)}
        if (root := commit.root or commit.reply_to) is not None:
            message["tmid"] = root.id
        body = {"message": message}
        answer = self.commit("POST", f"{API}/chat.sendMessage", headers=self._auth(), json=body)
        return self._receipt(answer.pick("message", "_id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post  # the message's number is the step's own key
        answer = self._message(commit.key)
        return (self._receipt(answer.pick("message", "_id")),) if answer else ()

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        if (answer := self._message(receipt.id)) is None:
            return None
        text = str(answer.told("message", "msg") or "")
        return Seen(text=text, same=text_hash(text) == text_hash(markdown(post)))

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        body = {"roomId": self._room(), "msgId": receipt.id, "text": markdown(post)}
        self.commit("POST", f"{API}/chat.update", headers=self._auth(), json=body).pick("message", "_id")
        return receipt

    def delete(self, receipt: Receipt) -> None:
        body = {"roomId": self._room(), "msgId": receipt.id}
        try:
            self.commit("POST", f"{API}/chat.delete", headers=self._auth(), json=body)
        except Rejected as error:
            if GONE not in error.words:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        if (answer := self._message(receipt.id)) is None:
            raise Rejected("the message is gone")
        answer.pick("message", "_id")
        reactions = answer.told("message", "reactions") or {}
        try:
            likes = sum(len(r["usernames"]) for r in reactions.values())
            return {"likes": likes, "replies": int(answer.told("message", "tcount") or 0)}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer's reactions cannot be counted") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 429 or "error-too-many-requests" in words:
            told = WAIT.search(words)
            wait = answer.retry_after(default=min(float(told[1]), DAY) if told else PATIENCE)
            return RateLimited("the server asks to wait", retry_after=wait, status=status, words=words)
        if status == 403 or (status == 400 and NO_RIGHT.search(words)):
            return Unauthorized("the bot may not do this in the room", status=status, words=words)
        if status == 400 and answer.commit and KNOWN in words:
            return Unconfirmed("the server has a message of this id", status=status, words=words)
        return judge(answer)

    def _message(self, number: str) -> Answer | None:
        """The message of this id; None if the server has none. It says so by a refusal that gives no reason."""
        try:
            answer = self._get("/chat.getMessage", {"msgId": number})
        except Rejected as error:
            if error.status == 400 and error.words.replace(" ", "") == '{"success":false}':
                return None
            raise
        answer.pick("message", "_id")
        return answer

    def _limits(self) -> dict[str, int]:
        told = self._get("/settings.public", {"_id": SIZE}).told("settings")
        for one in told if isinstance(told, list) else ():
            value = one.get("value") if isinstance(one, dict) and one.get("_id") == SIZE else None
            if type(value) is int and value > 1:
                return {"text": value // 2}
        return {}

    def _name(self) -> str:
        return self.settings.get("room", "").strip().lstrip("#")

    def _room(self) -> str:
        return self.settings.get("room_id") or self._get("/rooms.info", {"roomName": self._name()}).pick("room", "_id")

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", API + path, headers=self._auth(), params=params)

    def _auth(self) -> dict[str, str]:
        return {"X-Auth-Token": self.settings.get("auth_token", ""), "X-User-Id": self.settings.get("user_id", "")}

    def _receipt(self, number: str) -> Receipt:
        place = self.settings.get("place") or f"channel/{self._name()}"
        return Receipt(id=number, url=f"{self.base}/{place}?msg={number}")


def markdown(post: Post) -> str:
    """The text in Rocket.Chat's Markdown: its own links are live, a plain title is bold, all else is words."""
    words, done = escaped(post.text, MARKUP, _instead), headline(post)
    if not done or not PLAIN.fullmatch(post.text, 0, done) or EDGES.search(post.text[:done]):
        return marked(post, words, _link)
    return f"*{words(0, done)}*" + marked(post, words, _link, start=done)


def _link(said: str, link: str) -> str:
    return link if said == link else f"[{said}]({closed(link)})"


def _instead(found: re.Match[str]) -> str:
    sign = found[0].lstrip()
    match found.lastgroup:
        case "indent":
            return ""
        case "begin" | "face":
            return JOINER + sign
        case "broken":
            return sign + JOINER
        case _:
            return f"\\{sign}"
