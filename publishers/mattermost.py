"""How Mattermost takes a post: Markdown in which only our own is live, under a mark that readers do not see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import JOINER, closed, escaped, headline, marked
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

API = "/api/v4"
KEY = "handbill_key"  # what a post of ours is known by; a server keeps properties that it does not know
CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
PAGE = 100
WAIT = 5.0
BACKSLASH = "\\"
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
NUMBER = re.compile(r"[a-z0-9]{26}")
CLOSED = (  # what is wrong with the channel and not with the post, in server/channels/app/post.go
    "can_not_post_to_deleted",
    "town_square_read_only",
    "can_not_post_in_restricted_dm",
    "channel.get.existing",
)
# What its clients read as markup. A backslash takes these signs from both parsers, the web's and the phones'; what
# calls somebody or names a channel is looked for in the words, and broken by a joiner. https://docs.mattermost.com
# /end-user-guide/collaborate/format-messages.html and https://github.com/mattermost/marked
# What its pages show a picture for (emoticonPatterns in webapp/channels/src/utils/emoticons.tsx).
# A letter is one of ASCII there.
FACE = r"(?a:(?<!\w)(?:[:;](?=['`’]?-?[()\[\]@/|$]|-?[dDpPsSoOxX]\b)|[xX]-(?=[dD]\b)))"
MARKUP = re.compile(
    rf"(?P<begin>^[ \t]*(?:[#>+=-]|\d{{1,9}}[.)]))|(?P<indent>^[ \t]+)"
    rf"|(?P<call>{FACE}|[@$<](?=[^\s{JOINER}])|:(?=[\w+-]+:)|&(?=#?\w+;))|(?P<sign>[\\`*_{{}}\[\]|])|(?P<wave>~)",
    re.MULTILINE,
)


class Mattermost(Publisher):
    """One channel of a Mattermost server, written to by a bot (https://developers.mattermost.com/api-documentation)."""

    label: ClassVar = "Mattermost"
    team = True
    limits: ClassVar = Limits(
        # A post has 16,383 characters, or what the server says; half of it, since every one may need a backslash.
        text=8000,
        hashtags=0,  # they would open a search
        media=5,
        media_bytes=20_000_000,
        media_types=tuple(SUFFIX),
        cards=((1200, 630),),
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Server, such as https://chat.example.org"),
        Setting(name="access_token", label="Access token of the bot", secret=True),
        Setting(name="channel", label="Channel: team/channel as in its address, or its id"),
    )
    pasted: ClassVar = "bot token"
    # The server knows a repeat by pending_post_id, for 30 seconds and in its memory alone (pendingPostIDsCacheTTL in
    # server/channels/app/post.go): it is sent, and nothing is built on it.
    proof: ClassVar = Proof(kind=ProofClass.B)
    # Off unless the server's owner turns it on, and then: RateLimitSettings in server/public/model/config.go
    budgets: ClassVar = (Budget(posts=10, seconds=1),)
    addressed: ClassVar = r"(?:^|/pl/)([a-z0-9]{26})(?=[/?#]|$)"
    unverified: ClassVar = (
        "never run against a real server; whether every client leaves out the preview of a link where the post asks so"
    )

    def connect(self) -> Profile:
        me = self._get("/users/me")
        user, name = me.pick("id"), me.pick("username")
        channel, shown, team = self._place()
        try:
            self._get(f"/channels/{channel}/members/{user}")
        except PublishError as error:
            if error.status not in {403, 404}:
                raise
            what = f"@{name} is not in the channel {shown}; add it there"
            raise Unauthorized(what, status=error.status, words=error.words) from None
        told = self._get("/config/client", {"format": "old"})
        limits = {
            ours: int(size) // part
            for ours, theirs, part in (("text", "MaxPostSize", 2), ("media_bytes", "MaxFileSize", 1))
            if (size := str(told.told(theirs) or "")).isdecimal() and int(size) >= part
        }
        if told.told("EnableFileAttachments") == "false":
            limits["media"] = 0
        return Profile(
            name=f"{shown} as @{name}",
            url=f"{self.base}/{team}/channels/{shown.partition('/')[2]}" if team else self.base,
            limits=limits,
            settings={"user_id": user, "channel_id": channel, "team": team},
        )

    def upload(self, media: Media) -> str:
        files = {"files": (f"picture.{SUFFIX[media.mime]}", media.read(), media.mime)}
        form = {"channel_id": self._channel()}
        answer = self.call("POST", f"{API}/files", headers=self._auth(), form=form, files=files)
        return answer.pick("file_infos", 0, "id")

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Mattermost post is for the whole channel and carries no warning")
        media = list(commit.prepared.get("media", ()))
        body: dict[str, Any] = {
            "channel_id": self._channel(),
            "message": markdown(post),
            "pending_post_id": commit.key,
            # The picture is the article's own: what the server would fetch of the link would show it again.
            "props": {KEY: commit.key, **({"remove_link_preview": "true"} if media else {})},
        }
        if media:
            body["file_ids"] = media
        if (root := commit.root or commit.reply_to) is not None:
            body["root_id"] = root.id
        answer = self.commit("POST", f"{API}/posts", headers=self._auth(), json=body)
        return self._receipt(answer.pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        me = self.settings.get("user_id") or self._get("/users/me").pick("id")
        root = commit.root or commit.reply_to
        since = (commit.at - CLOCKS).timestamp() * 1000
        found: list[Receipt] = []
        for page in range(1_000):
            answer = self._get(f"/channels/{self._channel()}/posts", {"page": str(page), "per_page": str(PAGE)})
            try:
                told = answer.json()
                listed = [told["posts"][number] for number in told["order"]]
                ages = [float(p["create_at"]) for p in listed]
                ours = [p for p, at in zip(listed, ages, strict=True) if at >= since and p["user_id"] == me]
                under = [p for p in ours if (p.get("root_id") or None) == (root.id if root else None)]
                found += [self._receipt(str(p["id"])) for p in under if _is(p, post, commit)]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
            if len(listed) < PAGE or min(ages) < since:
                return tuple(found)
        raise answer.unreadable("the channel has too many posts to look through")

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._get(f"/posts/{receipt.id}")
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        answer.pick("id")
        if answer.told("delete_at"):
            return None
        text, files = str(answer.told("message") or ""), answer.told("file_ids") or []
        same = text_hash(text) == text_hash(markdown(post))
        return Seen(text=text, same=same, pictures=len(files) if isinstance(files, list) else None)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        place = f"{API}/posts/{receipt.id}/patch"
        self.commit("PUT", place, headers=self._auth(), json={"message": markdown(post)}).pick("id")
        return receipt

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", f"{API}/posts/{receipt.id}", headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self._get(f"/posts/{receipt.id}")
        answer.pick("id")
        told = answer.json()
        try:
            likes = len((told.get("metadata") or {}).get("reactions") or ())
            return {"likes": likes, "replies": int(told.get("reply_count") or 0)}
        except (AttributeError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer's reactions cannot be counted") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), str(answer.told("id") or "")
        if status == 429:
            wait = answer.retry_after(default=WAIT)
            return RateLimited("the server asks to wait", retry_after=wait, status=status, words=words)
        if status == 403 or (400 <= status < 500 and any(name in code for name in CLOSED)):
            return Unauthorized("the bot may not do this in the channel", status=status, words=words)
        return judge(answer)

    def _place(self) -> tuple[str, str, str]:
        """The channel's id, its name as people write it, and its team's name (empty where it has none)."""
        given = self.settings.get("channel", "").strip().strip("/")
        team, _, name = given.partition("/")
        try:
            if name:
                answer = self._get(f"/teams/name/{team}/channels/name/{name}")
            elif NUMBER.fullmatch(given):
                answer = self._get(f"/channels/{given}")
                told = answer.told("team_id")
                team = self._get(f"/teams/{told}").pick("name") if told else ""
            else:
                team = self._only_team()
                answer = self._get(f"/teams/name/{team}/channels/name/{given}")
        except Rejected as error:
            if error.status != 404:
                raise
            what = f"the server knows no channel {given}, or the bot is not in its team"
            raise Unauthorized(what, status=404, words=error.words) from None
        if answer.told("delete_at"):
            raise Unauthorized(f"the channel {given} is archived")
        shown = answer.pick("name")
        return answer.pick("id"), f"{team}/{shown}" if team else shown, team

    def _only_team(self) -> str:
        """The team of a channel that is given by its name alone."""
        answer = self._get("/users/me/teams")
        try:
            names = [str(team["name"]) for team in answer.json()]
        except (KeyError, TypeError) as error:
            raise answer.unreadable("the answer is not a list of teams") from error
        if len(names) != 1:
            named = f"; the bot is in {', '.join(names)}" if names else "; the bot is in no team"
            raise Unauthorized(
                f"the channel is written team/channel, as in its address, or by its id of 26 signs{named}"
            )
        return names[0]

    def _channel(self) -> str:
        return self.settings.get("channel_id") or self._place()[0]

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", API + path, headers=self._auth(), params=params)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}

    def _receipt(self, number: str) -> Receipt:
        return Receipt(id=number, url=f"{self.base}/{self.settings.get('team') or '_redirect'}/pl/{number}")


def markdown(post: Post) -> str:
    """The text in Mattermost's Markdown: its own links are live, a title that begins it is bold, all else is words."""
    words, done = escaped(post.text, MARKUP, _instead), headline(post)
    title = f"**{words(0, done)}**" if done else ""
    return title + marked(post, words, _link, start=done)


def _link(said: str, link: str) -> str:
    return link if said == link else f"[{said}]({closed(link)})"


def _instead(found: re.Match[str]) -> str:
    sign = found[0].lstrip()
    match found.lastgroup:
        case "indent":
            return ""
        case "begin":
            return f"{sign[:-1]}{JOINER if sign == '=' else BACKSLASH}{sign[-1]}"
        case "call":
            return sign + JOINER
        case "wave":
            return f"{BACKSLASH}{sign}{JOINER}"
        case _:
            return f"{BACKSLASH}{sign}"


def _is(one: Mapping[str, Any], post: Post, commit: Commit) -> bool:
    """Whether ``one`` bears this commit's mark or, where it bears none, says what ``post`` says."""
    if one.get("delete_at"):
        return False
    if mark := (one.get("props") or {}).get(KEY):
        return bool(mark == commit.key)
    return text_hash(str(one["message"])) == text_hash(markdown(post))
