"""How X takes a post: OAuth 2 user token, weighted length, t.co links, a duplicate text refused with 403."""

from __future__ import annotations

import dataclasses
import html
import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from publishers.core.counting import urls
from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unconfirmed, Unsupported
from publishers.core.http import DAY, Answer, judge
from publishers.core.limits import Limits
from publishers.core.oauth import CLIENT_ID, CLIENT_SECRET, OAuth, Renewal, place
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

NO_ACCESS = ("client-forbidden", "oauth1-permissions", "unsupported-authentication")
# A public app has none.
OPTIONAL_SECRET = dataclasses.replace(CLIENT_SECRET, required=False)
CLOCKS = timedelta(minutes=5)  # how far X's clock and ours may be apart


class X(Publisher):
    """One X account, spoken to through API v2 (https://docs.x.com/x-api)."""

    label: ClassVar = "X"
    home: ClassVar = "https://api.x.com"
    limits: ClassVar = Limits(
        text=280,
        counting="x",
        hashtags=2,
        media=4,
        media_bytes=5_000_000,
        media_types=("image/jpeg", "image/png", "image/webp"),
        alt=1000,
        cards=((1200, 675),),
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="OAuth 2 user access token", secret=True),
        Setting(name="refresh_token", label="Refresh token", secret=True, required=False),
        Setting(name="client_id", label="OAuth 2 client id", required=False),
        Setting(name="client_secret", label="OAuth 2 client secret", secret=True, required=False),
    )
    # https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token, read on 25 November 2026
    oauth: ClassVar = OAuth(
        authorize="https://x.com/i/oauth2/authorize",
        endpoint="https://api.x.com/2/oauth2/token",
        revoke="https://api.x.com/2/oauth2/revoke",
        scopes=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        app=(CLIENT_ID, OPTIONAL_SECRET),
        basic=True,
    )
    # A token lives two hours, a refresh token works once.
    renewal: ClassVar = Renewal(ahead=timedelta(minutes=20), asked=True)
    pasted: ClassVar = "access and refresh token"
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.B)
    # Its rules forbid "duplicative or substantially similar" posts on one account and name no span:
    # https://help.circleboom.com/publish/faq/scheduling-tweet-rules (read 2026-11-26)
    reshares: ClassVar = timedelta(days=365)
    edits_anew: ClassVar = True
    edits_for: ClassVar = timedelta(hours=1)
    reading_costs: ClassVar = 0.001  # a post of one's own: https://docs.x.com/x-api/getting-started/pricing, 2026
    # https://docs.x.com/x-api/fundamentals/rate-limits
    budgets: ClassVar = (Budget(posts=100, seconds=900), Budget(posts=10_000, seconds=86_400, app=True))
    addressed: ClassVar = r"(?:^|/status/)(\d+)(?=[/?#]|$)"
    unverified: ClassVar = (
        "never run against the real platform; whether an app that pays as it goes may answer its own posts, as a "
        "thread does; whether a changed post keeps its picture; whether tweet.fields will be renamed post.fields"
    )

    def connect(self) -> Profile:
        data = self._me()
        name = str(data.get("username") or data.get("name") or data["id"])
        return Profile(
            name=f"@{name}", url=f"{self._site()}/{name}", settings={"user_id": str(data["id"]), "username": name}
        )

    def upload(self, media: Media) -> str:
        answer = self.call(
            "POST",
            "/2/media/upload",
            headers=self._auth(),
            form={"media_category": "tweet_image"},
            files={"media": ("picture", media.read(), media.mime)},
        )
        number = answer.pick("data", "id")
        if media.alt:
            alt = {"id": number, "metadata": {"alt_text": {"text": media.alt}}}
            self.call("POST", "/2/media/metadata", headers=self._auth(), json=alt)
        return number

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on X is public and carries no warning")
        body: dict[str, Any] = {"text": post.text}
        if media := commit.prepared.get("media"):
            body["media"] = {"media_ids": list(media)}
        if commit.reply_to is not None:
            body["reply"] = {"in_reply_to_tweet_id": commit.reply_to.id}
        return self._sent(body)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        user = self.settings.get("user_id") or str(self._me()["id"])
        params = {
            "max_results": "100",
            "start_time": (commit.at - CLOCKS).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tweet.fields": "entities,referenced_tweets",
        }
        media = list(commit.prepared.get("media", ()))  # a list of posts names media keys, which no edit takes
        kept = {"media": media} if media else {}
        found: list[Receipt] = []
        while True:
            answer = self.call("GET", f"/2/users/{user}/tweets", headers=self._auth(), params=params)
            try:
                page = answer.json()
                more = page["meta"].get("next_token")
                found += [
                    self._receipt(str(t["id"]), kept) for t in page.get("data", ()) if _is(t, post, commit.reply_to)
                ]
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
            if not more:
                return tuple(found)
            params["pagination_token"] = str(more)

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        params = {"tweet.fields": "attachments,entities,referenced_tweets"}
        try:
            answer = self.call("GET", f"/2/tweets/{receipt.id}", headers=self._auth(), params=params)
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        try:
            told = answer.json()
            if "data" not in told and any(e.get("title") == "Not Found Error" for e in told["errors"]):
                return None  # what is not there is a 200 with this error: https://docs.x.com/x-api/fundamentals/response-codes-and-errors
            tweet = told["data"]
            text = _text(tweet)
            media = (tweet.get("attachments") or {}).get("media_keys") or ()
            same = text_hash(text) == text_hash(unicodedata.normalize("NFC", post.text))
            return Seen(text=text.strip(), same=same, pictures=len(media))
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post") from error

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        """X gives the changed post a number of its own; it wants a Premium account, and no more than an hour gone."""
        body: dict[str, Any] = {"text": post.text, "edit_options": {"previous_post_id": receipt.id}}
        if media := commit.pictures(receipt):
            body["media"] = {"media_ids": media}
        return self._sent(body)

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", f"/2/tweets/{receipt.id}", headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        params = {"tweet.fields": "public_metrics"}
        answer = self.call("GET", f"/2/tweets/{receipt.id}", headers=self._auth(), params=params)
        try:
            counts = answer.json()["data"]["public_metrics"]
            return {
                "likes": int(counts["like_count"]),
                # "repost" in the API description 2.167, "retweet" in https://docs.x.com/x-api/fundamentals/fields
                "shares": int(counts.get("repost_count", counts.get("retweet_count", 0))) + int(counts["quote_count"]),
                "replies": int(counts["reply_count"]),
                "views": int(counts["impression_count"]),
            }
        except (KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer has no public_metrics") from error

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def revoke(self) -> None:
        own = self._oauth()
        # Without the renewal token the other one ends by itself within two hours.
        token = self.settings.get("refresh_token") or self.settings.get("access_token", "")
        if self.settings.get("client_id"):
            self.call("POST", place(own.revoke, self._own()), **own.revocation(self.settings, token))

    @classmethod
    def price(cls, post: Post) -> float:
        # https://docs.x.com/x-api/getting-started/pricing, of August 2026; an alt text is "Media Metadata"
        return (0.20 if urls(post.text) else 0.015) + 0.005 * sum(bool(m.alt) for m in post.media)

    def classify(self, answer: Answer) -> PublishError | None:
        words, body = answer.words(), answer.body.decode("utf-8", "replace")
        if answer.status == 429:
            capped = "usage-capped" in body
            wait = DAY if capped else answer.retry_after(default=900, epoch_header="x-rate-limit-reset")
            what = "the monthly cap of this X app is reached" if capped else "X asks to wait"
            return RateLimited(what, retry_after=wait, status=429, words=words)
        if answer.status == 403 and answer.commit and "duplicate content" in body.lower():
            # Names no post: it may be ours, sent a moment ago. https://github.com/plhery/node-twitter-api-v2/issues/469
            return Unconfirmed("X says it already has a post with this text", status=403, words=words)
        if answer.status == 403 and any(problem in body for problem in NO_ACCESS):
            return Unauthorized("X gives this app no right to post", status=403, words=words)
        return judge(answer)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}

    def _me(self) -> dict[str, Any]:
        answer = self.call("GET", "/2/users/me", headers=self._auth())
        answer.pick("data", "id")
        return dict(answer.json()["data"])

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://x.com"

    def _sent(self, body: Mapping[str, Any]) -> Receipt:
        answer = self.commit("POST", "/2/tweets", headers=self._auth(), json=body)
        media = (body.get("media") or {}).get("media_ids")
        return self._receipt(answer.pick("data", "id"), {"media": media} if media else {})

    def _receipt(self, number: str, extra: Mapping[str, Any] | None = None) -> Receipt:
        return Receipt(id=number, url=f"{self._site()}/i/web/status/{number}", extra=extra or {})


def _is(tweet: Mapping[str, Any], post: Post, reply_to: Receipt | None) -> bool:
    """Whether ``tweet`` says what ``post`` says, in answer to the same message."""
    references = tweet.get("referenced_tweets") or tweet.get("referenced_posts") or ()
    answers = {str(r.get("id")) for r in references if r.get("type") == "replied_to"}
    if answers != ({reply_to.id} if reply_to else set()):
        return False
    return text_hash(_text(tweet)) == text_hash(unicodedata.normalize("NFC", post.text))


def _text(tweet: Mapping[str, Any]) -> str:
    """The text as it was sent: with the links themselves, and without the one that stands for a picture."""
    text = html.unescape(str(tweet.get("text", "")))
    for link in (tweet.get("entities") or {}).get("urls", ()):
        picture = bool(link.get("media_key")) or "/photo/" in str(link.get("expanded_url", ""))
        # X puts a t.co address in place of every link, and appends one for a picture.
        text = text.replace(str(link.get("url")), "" if picture else str(link.get("expanded_url")))
    return unicodedata.normalize("NFC", text)
