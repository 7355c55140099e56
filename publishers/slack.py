"""How Slack takes a post: rich text blocks that hold no markup, refusals inside a 200, a marker to look it up by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

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
from publishers.core.oauth import Choice, OAuth, Renewal
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

CLOCKS = timedelta(minutes=5)  # how far Slack's clock and ours may be apart
PAGE = 100
EVENT = "handbill_post"
JOINER = "\u2060"  # stands in a text so that nothing in it turns into a mention or tag
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}  # what an image block takes
NEEDED = ("chat:write", "files:write", "files:read")
HISTORY = {"channels:history", "groups:history"}

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
BUSY = {"ratelimited", "rate_limited", "message_limit_exceeded"}
# What ends in a fatal_error may have been done in part, by the same page; of the others it says nothing.
UNSURE = {"unknown_error", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
NO_RIGHT = {
    *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"),
    *("missing_scope", "no_permission", "access_denied", "accesslimited", "org_login_required", "ekm_access_denied"),
    *("channel_not_found", "not_in_channel", "is_archived", "team_access_not_granted", "team_not_found"),
    *("restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel"),
}


class Slack(Publisher):
    """One channel of a Slack workspace, written to by an app's bot (https://docs.slack.dev)."""

    label: ClassVar = "Slack"
    team = True
    home: ClassVar = "https://slack.com"
    limits: ClassVar = Limits(
        # A text may have 40,000, blocks no more than some 13,000 with all their JSON
        # (https://github.com/slackapi/bolt-js/issues/2509); Slack itself advises 4,000.
        text=4000,
        hashtags=0,  # Slack knows none
        media=4,
        media_bytes=10_000_000,
        media_types=tuple(SUFFIX),
        alt=1000,
        cards=((1200, 630),),
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="bot_token", label="Bot token of your app, which begins with xoxb-", secret=True),
        Setting(name="channel", label="Channel's id, such as C0123456789"),
        Setting(name="refresh_token", label="Refresh token, where tokens rotate", secret=True, required=False),
    )
    # https://docs.slack.dev/authentication/installing-with-oauth, read on 25 November 2026.
    # Its S256 is for public apps, which may not ask for a bot: https://docs.slack.dev/authentication/using-pkce
    oauth: ClassVar = OAuth(
        authorize="https://slack.com/oauth/v2/authorize",
        endpoint="https://slack.com/api/oauth.v2.access",
        scopes=(*NEEDED, "channels:read", "channels:history", "groups:read", "groups:history"),
        pkce=False,
        comma=True,
        https=True,
        access="bot_token",
    )
    # Only where the app rotates its tokens: 12 hours, and a refresh token works once.
    renewal: ClassVar = Renewal(ahead=timedelta(hours=1), asked=True)
    pasted: ClassVar = "bot token"
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.B)
    budgets: ClassVar = (Budget(posts=1, seconds=1),)  # https://docs.slack.dev/apis/web-api/rate-limits
    addressed: ClassVar = r"(?:^|/archives/\w+/p)(\d{10}\.?\d{6})(?=[/?#]|$)"
    unverified: ClassVar = (
        "never run against the real platform; how long Slack works on a picture before it can be shown"
    )

    def connect(self) -> Profile:
        answer = self._get("auth.test")
        scopes = set(answer.headers.get("x-oauth-scopes", "").replace(" ", "").split(",")) - {""}
        if scopes and (missing := [s for s in NEEDED if s not in scopes]):
            raise Unauthorized(f"the app lacks {', '.join(missing)}; add it under OAuth & Permissions and reinstall it")
        workspace, team = answer.pick("url").rstrip("/"), answer.pick("team")
        channel = self._channel()
        return Profile(
            name=f"{self._name(channel)} at {team}",
            url=f"{workspace}/archives/{channel}",
            proof=Proof(kind=ProofClass.B if self._reads(channel, scopes) else ProofClass.C),
            settings={"user_id": answer.pick("user_id"), "workspace": workspace},
        )

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("channel"):
            return ()
        found: list[Choice] = []
        params = {"types": "public_channel,private_channel", "exclude_archived": "true", "limit": "200"}
        while True:
            answer = self._get("conversations.list", params)
            try:
                page = answer.json()
                for one in page["channels"]:
                    hint = "" if one.get("is_member") else " (first invite the app there with /invite)"
                    found.append(Choice(label=f"#{one['name']}{hint}", settings={"channel": str(one["id"])}))
                more = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of channels") from error
            if not more or params.get("cursor") == more:
                break
            params["cursor"] = more
        if not found:
            raise Unauthorized("Slack names no channel that the app may see")
        return tuple(sorted(found, key=lambda c: ("(" in c.label, c.label)))

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def upload(self, media: Media) -> str:
        content = media.read()
        told = {"filename": f"picture.{SUFFIX[media.mime]}", "length": str(len(content))}
        form = {**told, "alt_txt": media.alt} if media.alt else told
        answer = self._ok(self.call("POST", "/api/files.getUploadURLExternal", headers=self._auth(), form=form))
        number, place = answer.pick("file_id"), answer.pick("upload_url")
        self.call("POST", place, headers={"Content-Type": media.mime}, content=content)
        # Without a channel the file stays the app's own until a message shows it.
        body = {"files": [{"id": number}]}
        self._ok(self.call("POST", "/api/files.completeUploadExternal", headers=self._auth(), json=body))
        return number

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Slack message is for the whole channel and carries no warning")
        media = list(commit.prepared.get("media", ()))
        for number in media:
            self._await(number)
        body: dict[str, Any] = {
            "channel": self._channel(),
            **_said(post, media),
            # The picture is the article's own: what Slack would fetch of the link would show it again.
            "unfurl_links": not media,
            "unfurl_media": not media,
            "metadata": {"event_type": EVENT, "event_payload": {"key": commit.key}},
        }
        if (root := commit.root or commit.reply_to) is not None:
            body["thread_ts"] = root.id
        answer = self._ok(self.commit("POST", "/api/chat.postMessage", headers=self._auth(), json=body))
        return self._receipt(answer.pick("ts"), root, media)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        me = self.settings.get("user_id") or self._get("auth.test").pick("user_id")
        root = commit.root or commit.reply_to
        params = {
            "channel": self._channel(),
            "oldest": f"{(commit.at - CLOCKS).timestamp():.6f}",
            "limit": str(PAGE),
            "include_all_metadata": "true",
        }
        if root is not None:
            params["ts"] = root.id
        found: list[Receipt] = []
        while True:
            answer = self._get("conversations.replies" if root else "conversations.history", params)
            try:
                page = answer.json()
                ours = [m for m in page["messages"] if m.get("user") == me and _under(m) == (root.id if root else None)]
                found += [self._receipt(str(m["ts"]), root, _files(m)) for m in ours if _is(m, post, commit)]
                more = (page.get("response_metadata") or {}).get("next_cursor") if page.get("has_more") else ""
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of messages") from error
            if not more:
                return tuple(found)
            params["cursor"] = str(more)

    def locate(self, address: str) -> Receipt:
        ts = self.named(address).replace(".", "")
        return Receipt(id=f"{ts[:10]}.{ts[10:]}", url=address if "://" in address else None)

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        thread = parse_qs(urlsplit(receipt.url or "").query).get("thread_ts", [receipt.id])[0]
        span = {"latest": receipt.id, "oldest": receipt.id, "inclusive": "true"}
        try:
            answer = self._get("conversations.replies", {"channel": self._channel(), "ts": thread, **span})
        except Rejected as error:
            if "thread_not_found" in error.words or "message_not_found" in error.words:
                return None
            raise
        try:
            found = [m for m in answer.json()["messages"] if str(m["ts"]) == receipt.id]
            if not found or found[0].get("subtype") == "tombstone":
                return None
            text = _shown(found[0])
            return Seen(text=text, same=text_hash(text) == text_hash(post.text), pictures=len(_files(found[0])))
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a list of messages") from error

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        media = commit.pictures(receipt)
        for number in media if commit.fresh else ():
            self._await(number)
        body = {"channel": self._channel(), "ts": receipt.id, **_said(post, media)}
        self._ok(self.commit("POST", "/api/chat.update", headers=self._auth(), json=body))
        return commit.shown(receipt)

    def delete(self, receipt: Receipt) -> None:
        body = {"channel": self._channel(), "ts": receipt.id}
        try:
            self._ok(self.commit("POST", "/api/chat.delete", headers=self._auth(), json=body))
        except Rejected as error:
            if "message_not_found" not in error.words:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        params = {"channel": self._channel(), "ts": receipt.id, "limit": "1"}
        answer = self._get("conversations.replies", params)
        answer.pick("messages", 0, "ts")
        message = answer.json()["messages"][0]
        try:
            likes = sum(int(r["count"]) for r in message.get("reactions") or ())
            return {"likes": likes, "replies": int(message.get("reply_count", 0))}
        except (KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer's reactions cannot be counted") from error

    def classify(self, answer: Answer) -> PublishError | None:
        code = _refusal(answer)
        if not code or answer.status >= 300:
            return judge(answer)
        words, status = answer.words(), answer.status
        if code in BUSY:
            return RateLimited("Slack asks to wait", retry_after=answer.retry_after(), status=status, words=words)
        if code in UNSURE:
            kind = Unconfirmed if answer.commit else Unavailable
            return kind(f"Slack answered {code}", status=status, words=words)
        if code in NO_RIGHT:
            return Unauthorized(f"Slack does not let the app do this ({code})", status=status, words=words)
        return Rejected(f"Slack answered {code}", status=status, words=words)

    def _name(self, channel: str) -> str:
        """The channel's name, where the app may ask for it."""
        try:
            return "#" + self._get("conversations.info", {"channel": channel}).pick("channel", "name")
        except Unauthorized as error:
            if "missing_scope" not in error.words:
                raise Unauthorized(_stranger(channel), words=error.words) from None
            return channel

    def _reads(self, channel: str, scopes: set[str]) -> bool:
        """Whether a lost answer can be looked up: the app may read the channel, and is in it."""
        if scopes and not scopes & HISTORY:
            return False
        try:
            self._get("conversations.history", {"channel": channel, "limit": "1"})
        except Unauthorized as error:
            if "missing_scope" in error.words or "chat:write.public" in scopes:
                return False
            raise Unauthorized(_stranger(channel), words=error.words) from None
        return True

    def _await(self, number: str) -> None:
        """Raise Unavailable while Slack still works on a picture: a block with it would be refused.

        https://github.com/slackapi/slack-github-action/issues/413
        """
        answer = self._get("files.info", {"file": number})
        answer.pick("file", "id")
        if not answer.json()["file"].get("mimetype"):
            raise Unavailable("Slack is still working on the picture", status=answer.status)

    def _get(self, method: str, params: Mapping[str, str] | None = None) -> Answer:
        return self._ok(self.call("GET", f"/api/{method}", headers=self._auth(), params=params))

    def _ok(self, answer: Answer) -> Answer:
        body = answer.json()
        if not isinstance(body, dict) or body.get("ok") is not True:
            raise answer.unreadable("the answer is not ok")
        return answer

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('bot_token', '')}"}

    def _channel(self) -> str:
        return self.settings.get("channel", "")

    def _receipt(self, ts: str, root: Receipt | None, media: Iterable[str]) -> Receipt:
        url = f"{self.settings.get('workspace') or self.base}/archives/{self._channel()}/p{ts.replace('.', '')}"
        if root is not None:
            url += f"?thread_ts={root.id}&cid={self._channel()}"
        kept = list(media)
        return Receipt(id=ts, url=url, extra={"media": kept} if kept else {})


def _said(post: Post, media: Iterable[str]) -> dict[str, Any]:
    """The post as blocks, which know no markup, and as the plain text of its notification."""
    blocks: list[dict[str, Any]] = []
    if elements := _elements(post):
        section = {"type": "rich_text_section", "elements": elements}
        blocks.append({"type": "rich_text", "elements": [section]})
    alts = [m.alt for m in post.media]
    for place, number in enumerate(media):
        alt = (alts[place] if place < len(alts) else "") or post.title or "Picture"  # an image block must have one
        blocks.append({"type": "image", "slack_file": {"id": number}, "alt_text": alt})
    text = post.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text, "parse": "none", "blocks": blocks}


def _elements(post: Post) -> list[dict[str, Any]]:
    """The text cut at its links; a title that begins it is bold."""
    elements: list[dict[str, Any]] = []
    headline = post.text.partition("\n")[0]
    done = 0
    if (
        headline
        and headline.replace(JOINER, "") == post.title
        and not any(f.start < len(headline) for f in post.facets)
    ):
        elements.append({"type": "text", "text": headline, "style": {"bold": True}})
        done = len(headline)
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "link":
            continue
        if done < facet.start:
            elements.append({"type": "text", "text": post.text[done : facet.start]})
        said = post.text[facet.start : facet.end]
        elements.append({"type": "link", "url": facet.value, **({} if said == facet.value else {"text": said})})
        done = facet.end
    if done < len(post.text):
        elements.append({"type": "text", "text": post.text[done:]})
    return elements


def _is(message: Mapping[str, Any], post: Post, commit: Commit) -> bool:
    """Whether ``message`` bears this commit's mark or, where it bears none, says what ``post`` says."""
    marked = (message.get("metadata") or {}).get("event_payload") or {}
    if marked:
        return bool(marked.get("key") == commit.key)
    return text_hash(_shown(message)) == text_hash(post.text)


def _shown(message: Mapping[str, Any]) -> str:
    """What a reader sees of a message's blocks."""
    sections = [s for b in message.get("blocks") or () if b["type"] == "rich_text" for s in b["elements"]]
    return "".join(str(e.get("text") or e.get("url") or "") for s in sections for e in s["elements"])


def _under(message: Mapping[str, Any]) -> str | None:
    """The first message of the thread that ``message`` answers in."""
    thread = message.get("thread_ts")
    return str(thread) if thread and thread != message["ts"] else None


def _files(message: Mapping[str, Any]) -> list[str]:
    return [str(b["slack_file"]["id"]) for b in message.get("blocks") or () if b.get("slack_file")]


def _stranger(channel: str) -> str:
    return f"the app is not in the channel {channel}; invite it there with /invite, and give the channel's id"


def _refusal(answer: Answer) -> str:
    """Slack's own word for a refusal, which may come with any status; empty if there is none."""
    return str(answer.told("error") or "unknown_error") if answer.told("ok") is False else ""
