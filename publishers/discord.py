"""How Discord takes a post: a bot's or a webhook's message in one request with its pictures, markup escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from publishers.core.counting import MARKDOWN
from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.oauth import CLIENT_ID, CLIENT_SECRET, Choice, OAuth, place, refusal
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

API = "/api/v10"
# https://discord.com/developers/docs/reference#user-agent: others may be refused
AGENT = "DiscordBot (https://github.com/handbill/handbill, 1)"
WEBHOOK = re.compile(r"https://(?:\w+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(\d+)/([\w-]+)/?")
CONTENT = 2000
EPOCH = 1_420_070_400_000  # https://discord.com/developers/docs/reference#snowflakes
CLOCKS = timedelta(minutes=5)  # how far Discord's clock and ours may be apart
PAGE = 100
SUPPRESS_EMBEDS = 1 << 2
JOINER = "\u2060"  # stands in a text so that nothing in it turns into a mention or tag
SILENT = {"parse": [], "replied_user": False}  # whatever the text says, nobody is called
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}

ADMINISTRATOR = 1 << 3
READ_HISTORY = 1 << 16
NEEDED = {"View Channel": 1 << 10, "Send Messages": 1 << 11, "Embed Links": 1 << 14, "Attach Files": 1 << 15}
WRITTEN_TO = {0, 5}  # text and announcement channels

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
BUSY = {20016, 20028, 40062, 130000}  # slow mode, too many messages here, a service's limit, overloaded
GONE = {10003, 10004, 10015, 50027}  # channel, server, webhook, webhook's token
REFUSED = {50035, 200000, 240000}  # malformed, and twice the server's own filter
# A nonce is looked for in "the past few minutes": https://discord.com/developers/docs/resources/message#create-message
REPEATABLE = timedelta(minutes=2)
BOT = Proof(kind=ProofClass.A, window=REPEATABLE, then=ProofClass.B)
BLIND_BOT = Proof(kind=ProofClass.A, window=REPEATABLE, then=ProofClass.C)
NO_BOT = Proof(kind=ProofClass.C)


class Discord(Publisher):
    """One channel, written to by a bot or through an incoming webhook (https://discord.com/developers/docs)."""

    label: ClassVar = "Discord"
    team = True
    home: ClassVar = "https://discord.com"
    limits: ClassVar = Limits(
        text=CONTENT,
        counting="discord",
        hashtags=0,  # Discord knows none
        media=10,
        media_bytes=10_000_000,
        media_types=tuple(SUFFIX),
        alt=1024,
        cards=((1200, 675),),
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="token", label="Bot token, or the whole address of an incoming webhook", secret=True),
        Setting(name="channel_id", label="Channel's number; a webhook has its own", required=False),
    )
    # Invites the bot; what posts is the bot's own token, so the person's is not kept.
    # https://discord.com/developers/docs/topics/oauth2#advanced-bot-authorization, read on 25 November 2026
    oauth: ClassVar = OAuth(
        authorize="https://discord.com/oauth2/authorize",
        endpoint="https://discord.com/api/v10/oauth2/token",
        scopes=("bot",),
        app=(CLIENT_ID, CLIENT_SECRET, Setting(name="token", label="Bot token of your app", secret=True)),
        pkce=False,
        more={"permissions": str(sum(NEEDED.values()) | READ_HISTORY), "integration_type": "0"},
    )
    pasted: ClassVar = "bot token or webhook"
    repictures: ClassVar = True
    proof: ClassVar = BOT
    # All of one bot's requests: https://discord.com/developers/docs/topics/rate-limits#global-rate-limit; each
    # channel's own rate is not published, it comes with every answer.
    budgets: ClassVar = (Budget(posts=5, seconds=5), Budget(posts=50, seconds=1, app=True))
    addressed: ClassVar = r"(?:^|/channels/[^/]+/\d+/)(\d+)(?=[/?#]|$)"
    partly: ClassVar = {"find": "bots"}
    unverified: ClassVar = "never run against the real platform; how long exactly a nonce is kept"

    def connect(self) -> Profile:
        if self._webhook():
            return self._connect_webhook()
        me = self._me()
        channel, guild, rights = self._standing(me, self.settings.get("channel_id") or self._only_channel())
        if missing := [name for name, bit in NEEDED.items() if not rights & bit]:
            raise Unauthorized(f"the bot lacks {', '.join(missing)} in #{channel.get('name')}; give it these rights")
        return Profile(
            name=f"#{channel.get('name')} at {guild.get('name')}",
            url=self._address(str(guild["id"]), str(channel["id"])),
            proof=BOT if rights & READ_HISTORY else BLIND_BOT,
            settings={"user_id": me, "guild_id": str(guild["id"]), "channel_id": str(channel["id"])},
        )

    def _connect_webhook(self) -> Profile:
        answer = self.call("GET", API + self._hook_path(), headers=self._auth())
        channel, guild = answer.pick("channel_id"), str(answer.json().get("guild_id") or "@me")
        return Profile(
            name=str(answer.json().get("name") or "Webhook"),
            url=self._address(guild, channel),
            limits={"thread": False},
            proof=NO_BOT,
            settings={"guild_id": guild, "channel_id": channel},
        )

    def exchange(self, code: str, *, redirect: str, verifier: str) -> Mapping[str, str]:
        own = self._oauth()
        try:
            asked = self.asked(code, redirect=redirect, verifier=verifier)
            answer = self.call("POST", place(own.endpoint, self._own()), **asked)
        except (Rejected, Unauthorized) as error:
            raise refusal(error) from None
        self.http.hide(own.read(answer)["access_token"])
        return {"guild_id": answer.pick("guild", "id"), "granted": "bot"}

    def choices(self) -> tuple[Choice, ...]:
        guild = self.settings.get("guild_id", "")
        if not guild or self.settings.get("channel_id"):
            return ()
        rows = [c for c in self._listed(f"/guilds/{guild}/channels") if c.get("type") in WRITTEN_TO]
        if not rows:
            raise Unauthorized("the server has no text channel that the bot can see")
        rows.sort(key=lambda c: int(c.get("position") or 0))
        return tuple(Choice(label=f"#{c.get('name')}", settings={"channel_id": str(c["id"])}) for c in rows)

    def prepare(self, post: Post, key: str) -> Prepared:
        del post, key
        return {}  # the pictures travel in the commit itself

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Discord message is for the whole channel and carries no warning")
        body: dict[str, Any] = {"content": content(post), "allowed_mentions": SILENT}
        if self._webhook():
            if commit.reply_to is not None:
                raise Unsupported("a Discord webhook cannot reply; connect a bot")
            path = f"{self._hook_path()}?wait=true"
        else:
            path = self._channel_path()
            body |= {"nonce": commit.key[:25], "enforce_nonce": True}
            if commit.reply_to is not None:
                body["message_reference"] = {"message_id": commit.reply_to.id}
        if not post.media:
            return self._receipt(self.commit("POST", API + path, headers=self._auth(), json=body))
        # A link would show the article's own picture a second time below this one.
        body["flags"] = SUPPRESS_EMBEDS
        return self._receipt(self.commit("POST", API + path, headers=self._auth(), **_attached(body, post)))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if self._webhook():
            raise Unsupported("a Discord webhook cannot read its channel")
        me = self.settings.get("user_id") or self._me()
        after = max(int((commit.at - CLOCKS).timestamp() * 1000) - EPOCH, 0) << 22
        found: list[Receipt] = []
        whole = True
        while whole:
            answer = self.call("GET", API + self._channel_path(), headers=self._auth(), params=_page(after))
            page = _list(answer)
            try:
                newer = [m for m in page if int(m["id"]) > after]
                found += [self._message(m) for m in newer if _is(m, me, post, commit.reply_to)]
                after = max((int(m["id"]) for m in newer), default=after)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of messages") from error
            whole = len(page) == PAGE and bool(newer)
        if not found:
            # Without this right the list is empty, whatever was said: docs/resources/message#get-channel-messages
            _, _, rights = self._standing(me, str(self.settings.get("channel_id")))
            if not rights & READ_HISTORY:
                raise Unauthorized("the bot lacks Read Message History, so nobody can tell; give it this right")
        return tuple(found)

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self.call("GET", API + self._message_path(receipt), headers=self._auth())
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        answer.pick("id")
        told = answer.json()
        try:
            text, files = str(told["content"]), list(told.get("attachments") or ())
            alts = tuple(str(f.get("description") or "") for f in files)
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a message") from error
        return Seen(text=text, same=text_hash(text) == text_hash(content(post)), pictures=len(files), alts=alts)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        body: dict[str, Any] = {"content": content(post), "allowed_mentions": SILENT}
        request: dict[str, Any] = {"json": body}
        # Pictures that are not named again are taken away.
        if commit.fresh and post.media:
            request = _attached(body, post)
        elif media := receipt.extra.get("media"):
            said = dict(zip(media, (m.alt for m in post.media), strict=False))
            body["attachments"] = [{"id": n, "description": said[n]} if n in said else {"id": n} for n in media]
        return self._receipt(self.commit("PATCH", API + self._message_path(receipt), headers=self._auth(), **request))

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", API + self._message_path(receipt), headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.call("GET", API + self._message_path(receipt), headers=self._auth())
        answer.pick("id")
        try:
            return {"likes": sum(int(r["count"]) for r in answer.json().get("reactions") or ())}
        except (KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer's reactions cannot be counted") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), _code(answer)
        if status == 429 or (400 <= status < 500 and code in BUSY):
            # No JSON: not Discord's limit but the ban of this machine's address, which lasts longer.
            wait = answer.retry_after(told=answer.told("retry_after"), default=600.0)
            return RateLimited("Discord asks to wait", retry_after=wait, status=status, words=words)
        if 400 <= status < 500 and code in REFUSED:
            return Rejected(f"the platform answered {status}", status=status, words=words)
        if status in {401, 403} or (status == 404 and code in GONE):
            # 10,000 of these in 10 minutes ban this machine, so nothing more is sent until a person has looked:
            # https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
            return Unauthorized("Discord does not let us write to this channel", status=status, words=words)
        return judge(answer)

    def _only_channel(self) -> str:
        """The one channel that the bot could write to; which there are, if it is not one."""
        seen: list[tuple[str, str]] = []
        for guild in self._listed("/users/@me/guilds"):
            channels = self._listed(f"/guilds/{guild.get('id')}/channels")
            seen += [(str(c.get("id")), str(c.get("name"))) for c in channels if c.get("type") in WRITTEN_TO]
        if len(seen) != 1:
            known = ", ".join(f"{number} (#{name})" for number, name in seen[:20]) or "none: invite the bot to a server"
            raise Unauthorized(f"channel_id is missing; the bot sees {known}")
        return seen[0][0]

    def _me(self) -> str:
        return self.call("GET", f"{API}/users/@me", headers=self._auth()).pick("id")

    def _standing(self, me: str, number: str) -> tuple[Mapping[str, Any], Mapping[str, Any], int]:
        """The channel, its server and the bot's rights in it, as reckoned in
        https://discord.com/developers/docs/topics/permissions.
        """
        channel = self._one(f"/channels/{number}", "id", "guild_id")
        guild = self._one(f"/guilds/{channel['guild_id']}", "id")
        answer = self.call("GET", f"{API}/guilds/{guild['id']}/members/{me}", headers=self._auth())
        try:
            mine = {str(guild["id"]), *map(str, answer.json()["roles"])}
            rights = 0
            for role in guild["roles"]:
                rights |= int(role["permissions"]) if str(role["id"]) in mine else 0
            if rights & ADMINISTRATOR:
                return channel, guild, -1
            told = {str(o["id"]): (int(o["allow"]), int(o["deny"])) for o in channel.get("permission_overwrites") or ()}
        except (KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answers do not say what the bot may do") from error
        for group in ({str(guild["id"])}, mine - {str(guild["id"])}, {me}):
            given = [told[who] for who in group if who in told]
            for _, deny in given:
                rights &= ~deny
            for allow, _ in given:
                rights |= allow
        return channel, guild, rights

    def _one(self, path: str, *needed: str) -> Mapping[str, Any]:
        answer = self.call("GET", API + path, headers=self._auth())
        for name in needed:
            answer.pick(name)
        told: Mapping[str, Any] = answer.json()
        return told

    def _listed(self, path: str) -> list[Mapping[str, Any]]:
        return _list(self.call("GET", API + path, headers=self._auth()))

    def _webhook(self) -> re.Match[str] | None:
        """The webhook's number and token, if the account is one."""
        found = WEBHOOK.fullmatch(self.settings.get("token", "").strip())
        if found:
            self.http.hide(found[2])
        return found

    def _auth(self) -> dict[str, str]:
        if self._webhook():
            return {"User-Agent": AGENT}
        token = self.settings.get("token", "").strip()
        if "://" in token:
            raise Unauthorized(
                "this is not the address of a Discord webhook; copy it again from the channel's settings"
            )
        return {"User-Agent": AGENT, "Authorization": f"Bot {token.removeprefix('Bot ')}"}

    def _hook_path(self) -> str:
        found = self._webhook()
        assert found  # asked before
        return f"/webhooks/{found[1]}/{found[2]}"

    def _channel_path(self) -> str:
        if not (channel := self.settings.get("channel_id")):
            raise Unauthorized("the account has no channel yet; connect it again")
        return f"/channels/{channel}/messages"

    def _message_path(self, receipt: Receipt) -> str:
        if self._webhook():
            return f"{self._hook_path()}/messages/{receipt.id}"
        return f"{self._channel_path()}/{receipt.id}"

    def _address(self, *parts: str) -> str:
        return "/".join([self.base, "channels", *parts])

    def _receipt(self, answer: Answer) -> Receipt:
        answer.pick("id")
        try:
            return self._message(answer.json())
        except (KeyError, TypeError) as error:
            raise answer.unreadable("the answer is not a message") from error

    def _message(self, message: Mapping[str, Any]) -> Receipt:
        number = str(message["id"])
        channel = str(message.get("channel_id") or self.settings.get("channel_id"))
        media = [str(a["id"]) for a in message.get("attachments") or ()]
        return Receipt(
            id=number,
            url=self._address(self.settings.get("guild_id") or "@me", channel, number),
            extra={"media": media} if media else {},
        )


def content(post: Post) -> str:
    """The text in Discord's markdown: only the post's own links are live, all else stands as it is.

    The title, where the text begins with it, is set in bold.
    """
    parts: list[str] = []
    done = 0
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "link":
            continue
        said = post.text[facet.start : facet.end]
        parts.append(_escape(post.text, done, facet.start))
        parts.append(said if said == facet.value else f"[{_escape(said)}]({_closed(facet.value)})")
        done = facet.end
    text = "".join(parts) + _escape(post.text, done)
    headline = post.text.partition("\n")[0]
    if not headline or headline.replace(JOINER, "") != post.title or any(f.start < len(headline) for f in post.facets):
        return text
    shown = _escape(headline)
    return f"**{shown}**{text[len(shown) :]}" if len(text) + 4 <= CONTENT else text


def _escape(text: str, start: int = 0, end: int | None = None) -> str:
    """A stretch of the text as Discord shows it unchanged."""
    end = len(text) if end is None else end
    done, parts = start, []
    for sign in MARKDOWN.finditer(text, start, end):
        parts += [text[done : sign.start()], "\\", sign[0]]
        done = sign.end()
    return "".join(parts) + text[done:end]


def _closed(link: str) -> str:
    return link.replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def _attached(body: Mapping[str, Any], post: Post) -> dict[str, Any]:
    """The request of a message that brings its pictures with it."""
    named = [(n, f"picture-{n + 1}.{SUFFIX[m.mime]}", m) for n, m in enumerate(post.media)]
    told = [{"id": str(n), "filename": name, "description": m.alt} for n, name, m in named]
    return {
        "form": {"payload_json": json.dumps({**body, "attachments": told}, ensure_ascii=False)},
        "files": {f"files[{n}]": (name, m.read(), m.mime) for n, name, m in named},
    }


def _is(message: Mapping[str, Any], me: str, post: Post, reply_to: Receipt | None) -> bool:
    """Whether ``message`` is ours and says what ``post`` says, in answer to the same message."""
    answered = (message.get("message_reference") or {}).get("message_id")
    if str(message["author"]["id"]) != me or answered != (reply_to.id if reply_to else None):
        return False
    return text_hash(str(message["content"])) == text_hash(content(post))


def _list(answer: Answer) -> list[Mapping[str, Any]]:
    told = answer.json()
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise answer.unreadable("the answer is not a list")
    return told


def _page(after: int) -> dict[str, str]:
    return {"limit": str(PAGE), "after": str(after)}


def _code(answer: Answer) -> int:
    """Discord's own number for a refusal; 0 if it gives none."""
    code = answer.told("code")
    return code if isinstance(code, int) else 0
