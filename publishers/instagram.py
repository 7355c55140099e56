"""How Instagram takes a post: a container that fetches its JPEG from a public address, then published by its id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unavailable, Unsupported
from publishers.core.graph import CLOCKS, PATIENCE, Graph, fault, letters, missing, moment, spoken
from publishers.core.http import Answer
from publishers.core.limits import Limits
from publishers.core.oauth import OAuth, Renewal
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Setting

VERSION = "v26.0"
FACEBOOK_LOGIN = "graph.facebook.com"
# A container lives for a day: https://developers.facebook.com/documentation/instagram-platform/content-publishing
PUBLISHED_BY_ID = Proof(kind=ProofClass.A2, window=timedelta(hours=23), then=ProofClass.B)
METRICS = {"views": "views", "likes": "likes", "comments": "replies", "shares": "shares"}
# https://developers.facebook.com/documentation/instagram-platform/instagram-graph-api/reference/error-codes
FETCHING = {-2, -1, 9004}
NOT_READY = {2207027}
NO_CONTAINER = {2207006, 2207008, 2207020}
FULL = {2207042}
RESTRICTED = {2207050}


class Instagram(Graph):
    """One professional account, connected with Instagram's own sign-in or with Facebook's (its setting ``server``).

    What answers a post is a comment under it.
    """

    label: ClassVar = "Instagram"
    home: ClassVar = "https://graph.instagram.com"
    container_state: ClassVar = "status_code"
    grants: ClassVar = "ig"
    limits: ClassVar = Limits(
        text=2200,
        hashtags=15,  # it takes 30
        media_bytes=8_000_000,
        # https://developers.facebook.com/documentation/instagram-platform/content-publishing#limitations: JPEG alone
        media_types=("image/jpeg",),
        alt=1000,
        cards=((1080, 1350),),
        link_in_text=False,
        link_card=False,
        comment=True,
    )
    fields: ClassVar = (
        Setting(
            name="access_token",
            label="Long-lived token with instagram_business_basic and instagram_business_content_publish",
            secret=True,
        ),
        Setting(
            name="account_id", label="The account's number, for a token from Facebook's sign-in alone", required=False
        ),
        Setting(name="version", label=f"API version, such as {VERSION}", required=False),
    )
    # https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login, read on
    # 25 November 2026
    oauth: ClassVar = OAuth(
        authorize="https://www.instagram.com/oauth/authorize",
        endpoint="https://api.instagram.com/oauth/access_token",
        scopes=(
            "instagram_business_basic",
            "instagram_business_content_publish",
            "instagram_business_manage_comments",
            "instagram_business_manage_insights",
        ),
        pkce=False,
        comma=True,
        https=True,
    )
    # 60 days; no sooner than a day after it was given, and never after its end
    renewal: ClassVar = Renewal(ahead=timedelta(days=30), young=timedelta(hours=24))
    proof: ClassVar = PUBLISHED_BY_ID
    # 50 by the reference, 100 by the guide: the account is asked before each post, this only bounds a burst.
    budgets: ClassVar = (Budget(posts=100, seconds=86_400),)
    pulls: ClassVar = True
    partly: ClassVar = {"delete": "Facebook’s sign-in"}
    unverified: ClassVar = (
        "never run against the real platform; whether a container published twice makes one post; whether "
        "refresh_access_token takes the token from a header; how long an alt text may be"
    )

    def path(self, name: str) -> str:
        return f"/{self.settings.get('version') or VERSION}/{name}"

    def connect(self) -> Profile:
        number = self.settings.get("account_id", "")
        me = self.read(number or "me", fields="username" if number else "user_id,username")
        name = me.pick("username")
        number = number or me.pick("user_id")
        # Asks for the right to publish too, so a token without it is told apart here.
        self.read(f"{number}/content_publishing_limit", fields="quota_usage,config")
        url = f"{self._site()}/{name}"
        return Profile(name=f"@{name}", url=url, settings={"account_id": number, "username": name})

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        del key
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on Instagram is public and carries no warning")
        if reply_to is not None:
            if post.media:
                raise Unsupported("a comment on Instagram takes no picture")
            return {}
        if not post.media:
            raise Unsupported("a post on Instagram needs a picture")
        picture = post.media[0]
        if not picture.url:
            raise Unavailable("Instagram fetches pictures itself, and this one has no public address")
        self.spend(f"{self._number()}/content_publishing_limit", "quota_usage", "config")
        form = {"image_url": picture.url, "caption": post.text}
        if picture.alt:
            form["alt_text"] = picture.alt
        path = self.path(f"{self._number()}/media")
        return {"container": self.call("POST", path, headers=self.auth(), form=form).pick("id")}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if commit.reply_to is not None:
            on = _under(commit.reply_to)
            path, form = self.path(f"{on}/comments"), {"message": post.text}
            answer = self.commit("POST", path, headers=self.auth(), form=form)
            return Receipt(id=answer.pick("id"), url=commit.reply_to.url, extra={"on": on})
        form = {"creation_id": self.ready(commit.prepared)}
        answer = self.commit("POST", self.path(f"{self._number()}/media_publish"), headers=self.auth(), form=form)
        return Receipt(id=answer.pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if commit.reply_to is not None:
            on = _under(commit.reply_to)
            rows = self._since(f"{on}/comments", "text", "username", commit)
            own = [r for r in rows if r.get("username") == self.settings.get("username")]
            return tuple(
                Receipt(id=str(r["id"]), url=commit.reply_to.url, extra={"on": on}) for r in _saying(post, own, "text")
            )
        container = commit.prepared.get("container")
        if container and self.unpublished(str(container)):
            return ()
        rows = _saying(post, self._since(f"{self._number()}/media", "caption", "permalink", commit), "caption")
        if container and not rows:
            raise Unavailable("Instagram neither lists it nor says that it is unpublished")
        return tuple(Receipt(id=str(r["id"]), url=str(r.get("permalink") or "") or None) for r in rows)

    def _since(self, name: str, text: str, more: str, commit: Commit) -> list[Mapping[str, Any]]:
        """What a list has from the commit on; posts come newest first, comments in any order."""
        found: list[Mapping[str, Any]] = []
        for answer, page in self.listed(name, fields=f"id,{text},timestamp,{more}"):
            try:
                recent = [r for r in page if moment(r["timestamp"]) >= commit.at - CLOCKS and r["id"]]
            except (KeyError, TypeError, ValueError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
            found += recent
            if commit.reply_to is None and len(recent) < len(page):
                break
        return found

    def locate(self, address: str) -> Receipt:
        return self.found(address, f"{self._number()}/media")

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        return self.seen(receipt.id, "text" if "on" in receipt.extra else "caption", post)

    def delete(self, receipt: Receipt) -> None:
        if "on" not in receipt.extra and not self.settings.get("server"):
            raise Unsupported("Instagram deletes no post for a token of its own sign-in; take it down in the app")
        try:
            self.commit("DELETE", self.path(receipt.id), headers=self.auth())
        except Rejected as error:
            if not missing(error):
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.read(f"{receipt.id}/insights", metric=",".join(METRICS))
        try:
            told = {one["name"]: int(one["values"][0]["value"]) for one in answer.json()["data"]}
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer has no numbers") from error
        return {ours: told.get(theirs, 0) for theirs, ours in METRICS.items()}

    def refresh(self) -> Mapping[str, str]:
        if urlsplit(self.base).hostname == FACEBOOK_LOGIN:
            return super().refresh()
        return self.lengthen()

    def classify(self, answer: Answer) -> PublishError | None:
        told = fault(answer) if answer.status >= 300 else {}
        code, subcode, status = told.get("code"), told.get("error_subcode"), answer.status
        words = spoken(told)
        if subcode in NO_CONTAINER:
            return Unavailable("Instagram has lost the draft", stale=True, status=status, words=words)
        if subcode in NOT_READY:
            return Unavailable("Instagram is still fetching the picture", status=status, words=words)
        if subcode in FULL:
            what = "Instagram takes no more posts from this account today"
            return RateLimited(what, retry_after=PATIENCE, status=status, words=words)
        if subcode in RESTRICTED:
            return Unauthorized("Instagram has restricted this account", status=status, words=words)
        if code in FETCHING and not answer.commit:
            return Unavailable("Instagram could not fetch the picture", status=status, words=words)
        return super().classify(answer)

    def _number(self) -> str:
        number = self.settings.get("account_id", "")
        if not number:
            raise Unauthorized("the account has no number yet; connect it again")
        return number

    def _site(self) -> str:
        known = urlsplit(self.base).hostname in {FACEBOOK_LOGIN, urlsplit(self.home).hostname}
        return "https://www.instagram.com" if known else self.base


def _under(receipt: Receipt) -> str:
    """The post that a comment stands under: what answers a comment stands there too."""
    return str(receipt.extra.get("on", receipt.id))


def _saying(post: Post, rows: list[Mapping[str, Any]], field: str) -> list[Mapping[str, Any]]:
    return [r for r in rows if letters(str(r.get(field) or "")) == letters(post.text)]
