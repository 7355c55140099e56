"""How Threads takes a post: a container that fetches its picture from a public address, then published by its id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from publishers.core.errors import PublishError, Rejected, Unavailable, Unsupported
from publishers.core.graph import CLOCKS, Graph, fault, letters, missing, moment
from publishers.core.http import Answer
from publishers.core.limits import Limits
from publishers.core.oauth import OAuth, Renewal
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Setting

# A container lives for a day: https://developers.facebook.com/documentation/threads/troubleshooting
PUBLISHED_BY_ID = Proof(kind=ProofClass.A2, window=timedelta(hours=23), then=ProofClass.B)
FIELDS = "id,text,timestamp,permalink"
METRICS = {"views": "views", "likes": "likes", "replies": "replies", "reposts": "shares", "quotes": "shares"}
QUOTAS = {False: ("quota_usage", "config"), True: ("reply_quota_usage", "reply_config")}
NO_CONTAINER = (24, 4279009)


class Threads(Graph):
    """One Threads profile (https://developers.facebook.com/documentation/threads)."""

    label: ClassVar = "Threads"
    home: ClassVar = "https://graph.threads.net"
    grants: ClassVar = "th"
    limits: ClassVar = Limits(
        text=500,
        counting="threads",
        hashtags=1,  # the first one becomes the post's topic, the others stay plain words
        media_bytes=8_000_000,
        alt=1000,
        cards=((1080, 1350), (1200, 630)),
        thread=True,
    )
    fields: ClassVar = (
        Setting(
            name="access_token",
            label="Long-lived token with threads_basic, threads_content_publish and the rest of the guide's scopes",
            secret=True,
        ),
    )
    # https://developers.facebook.com/documentation/threads/get-started/get-access-tokens-and-permissions, of August
    # 2026, read on 25 November 2026
    oauth: ClassVar = OAuth(
        authorize="https://threads.com/oauth/authorize",
        endpoint="https://graph.threads.net/oauth/access_token",
        scopes=(
            "threads_basic",
            "threads_content_publish",
            "threads_read_replies",
            "threads_manage_replies",
            "threads_manage_insights",
            "threads_delete",
        ),
        pkce=False,
        comma=True,
        https=True,
    )
    # 60 days; no sooner than a day after it was given, and never after its end: .../get-started/long-lived-tokens
    renewal: ClassVar = Renewal(ahead=timedelta(days=30), young=timedelta(hours=24))
    proof: ClassVar = PUBLISHED_BY_ID
    # Replies have a budget of their own, 1,000: https://developers.facebook.com/documentation/threads/overview
    budgets: ClassVar = (Budget(posts=250, seconds=86_400),)
    pulls: ClassVar = True
    unverified: ClassVar = (
        "never run against the real platform; whether a container published twice makes one post; whether "
        "refresh_access_token takes the token from a header; how it answers for a post that is gone"
    )

    def path(self, name: str) -> str:
        return f"/v1.0/{name}"

    def connect(self) -> Profile:
        me = self.read("me", fields="id,username")
        name = me.pick("username")
        # Asks for the right to publish too, so a token without it is told apart here.
        self.read("me/threads_publishing_limit", fields="quota_usage,config,reply_quota_usage,reply_config")
        return Profile(name=f"@{name}", url=f"{self._site()}/@{name}", settings={"user_id": me.pick("id")})

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        del key
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on Threads is public and carries no warning")
        self.spend("me/threads_publishing_limit", *QUOTAS[reply_to is not None])
        form = {"media_type": "IMAGE" if post.media else "TEXT", "text": post.text}
        for picture in post.media[:1]:
            if not picture.url:
                raise Unavailable("Threads fetches pictures itself, and this one has no public address")
            form |= {"image_url": picture.url, "alt_text": picture.alt} if picture.alt else {"image_url": picture.url}
        if post.link and not post.media:
            form["link_attachment"] = post.link
        if reply_to is not None:
            form["reply_to_id"] = reply_to.id
        return {"container": self.call("POST", self.path("me/threads"), headers=self.auth(), form=form).pick("id")}

    def create(self, post: Post, commit: Commit) -> Receipt:
        del post
        container = self.ready(commit.prepared)
        form = {"creation_id": container}
        answer = self.commit("POST", self.path("me/threads_publish"), headers=self.auth(), form=form)
        return Receipt(id=answer.pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        container = commit.prepared.get("container")
        if container and self.unpublished(str(container)):
            return ()
        found = self._look(post, commit)
        if container and not found:
            raise Unavailable("Threads neither lists it nor says that it is unpublished")
        return found

    def _look(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        since = str(int((commit.at - CLOCKS).timestamp()))
        name, fields = ("me/replies", f"{FIELDS},replied_to") if commit.reply_to else ("me/threads", FIELDS)
        found: list[Receipt] = []
        for answer, page in self.listed(name, fields=fields, since=since):
            try:
                found += [
                    Receipt(id=str(t["id"]), url=str(t.get("permalink") or "") or None)
                    for t in page
                    if letters(str(t.get("text", ""))) == letters(post.text)
                    and moment(t["timestamp"]) >= commit.at - CLOCKS
                    and (commit.reply_to is None or str(t["replied_to"]["id"]) == commit.reply_to.id)
                ]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
        return tuple(found)

    def locate(self, address: str) -> Receipt:
        return self.found(address, "me/threads", "me/replies")

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        return self.seen(receipt.id, "text", post)

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", self.path(receipt.id), headers=self.auth())
        except Rejected as error:
            if not missing(error):
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.read(f"{receipt.id}/insights", metric=",".join(METRICS))
        counts = dict.fromkeys(METRICS.values(), 0)
        try:
            for one in answer.json()["data"]:
                if one["name"] in METRICS:
                    counts[METRICS[one["name"]]] += int(one["values"][0]["value"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer has no numbers") from error
        return counts

    def refresh(self) -> Mapping[str, str]:
        return self.lengthen()

    def classify(self, answer: Answer) -> PublishError | None:
        told: Mapping[str, Any] = fault(answer) if answer.status >= 300 else {}
        if (told.get("code"), told.get("error_subcode")) == NO_CONTAINER:
            # Some containers are never found, even when they were finished: https://github.com/trypostit/trypost/pull/280
            what = "Threads has lost the draft"
            return Unavailable(what, stale=True, status=answer.status, words=answer.words())
        return super().classify(answer)

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://www.threads.com"
