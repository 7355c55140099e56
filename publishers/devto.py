"""How Dev.to, or another Forem, takes a post: an article that is a draft first, published by its number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from publishers.core.errors import PublishError, Rejected, Unauthorized, Unavailable, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import closed, commonmark, marked, sections, titled
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

API = "/api/articles"
ACCEPT = "application/vnd.forem.api-v1+json"  # https://developers.forem.com/api/v1
TITLE = 128
TAGS = 4
CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
PAGE = 30
PAGES = 100
ALONE = "Dev.to lets no program answer an article"


class DevTo(Publisher):
    """One member's articles on dev.to or on any other Forem (https://developers.forem.com/api/v1)."""

    label: ClassVar = "Dev.to"
    home: ClassVar = "https://dev.to"
    limits: ClassVar = Limits(
        text=50_000,
        title=TITLE,
        hashtags=TAGS,  # they become the article's tags
        media=0,  # a cover is an address that must stay for good, and ours are good for a day
        link_card=False,
    )
    fields: ClassVar = (
        Setting(name="api_key", label="API key", secret=True),
        Setting(name="organization", label="Number of the organisation to write for", required=False),
        Setting(name="server", label="Server, if it is not dev.to", required=False),
    )
    pasted: ClassVar = "API key"
    # A draft's number is a key; https://github.com/forem/forem/blob/main/app/controllers/concerns/api
    # /articles_controller.rb
    erases: ClassVar = False  # a deleted article is a draft, which keeps its canonical address
    proof: ClassVar = Proof(kind=ProofClass.A2)
    reshares: ClassVar = None  # a site has an article once
    # RateLimitChecker in app/services: 9 in 30 seconds, and fewer for new members
    budgets: ClassVar = (Budget(posts=9, seconds=30),)
    unverified: ClassVar = (
        "never run against the real platform; whether publishing a draft twice changes its time; taking an article "
        "back by making it a draft again; what its disclosure of artificial intelligence asks of programs"
    )

    def connect(self) -> Profile:
        me = self._get("/api/users/me")
        name = me.pick("username")
        number = self.settings.get("organization", "").strip()
        if number and not number.isdecimal():
            raise Unauthorized("the organisation is a number; its page's source names it as data-organization-id")
        return Profile(name=f"@{name}", url=f"{self.base}/{name}", settings={"username": name})

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        del key
        if reply_to is not None:
            raise Unsupported(ALONE)
        said = self._said(post)
        # An earlier try may have made it and lost the answer.
        for answer, one in self._articles("unpublished"):
            try:
                if one["title"] == said["title"] and text_hash(str(one["body_markdown"])) == text_hash(
                    said["body_markdown"]
                ):
                    return {"draft": str(one["id"])}
            except (KeyError, TypeError) as error:
                raise answer.unreadable("the answer is not a list of articles") from error
        body = {"article": {**said, "published": False}}
        return {"draft": self.call("POST", API, headers=self._headers(), json=body).pick("id")}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("an article on Dev.to is public and carries no warning")
        # The canonical address may be there once; a draft does not take it yet, so that no orphan stands in the way.
        article: dict[str, Any] = {"published": True, **({"canonical_url": post.link} if post.link else {})}
        return self._receipt(self._change(self._drafted(commit), article))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post  # the draft's number says which it is
        number, since = self._drafted(commit), commit.at - CLOCKS
        for answer, one in self._articles("published"):
            try:
                if str(one["id"]) == number:
                    return (Receipt(id=number, url=str(one["url"])),)
                if datetime.fromisoformat(str(one["published_at"])) < since:
                    return ()
            except (KeyError, TypeError, ValueError) as error:
                raise answer.unreadable("the answer is not a list of articles") from error
        return ()

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._get(f"{API}/{receipt.id}")
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        title, body = answer.pick("title"), answer.pick("body_markdown")
        said = self._said(post)
        same = title == said["title"] and text_hash(body) == text_hash(said["body_markdown"])
        return Seen(text=f"{title}\n\n{body}", same=same)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        self._change(receipt.id, self._said(post)).pick("id")
        return receipt

    def delete(self, receipt: Receipt) -> None:
        # There is no other way to take an article from readers: it is the author's draft again.
        try:
            self._change(receipt.id, {"published": False})
        except (Rejected, Unavailable) as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self._get(f"{API}/{receipt.id}")
        counts = {"likes": "public_reactions_count", "replies": "comments_count"}
        try:
            return {ours: int(answer.pick(theirs)) for ours, theirs in counts.items()}
        except ValueError as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 403:
            return Unauthorized("Dev.to does not let this key do this", status=status, words=words)
        if status == 404 and answer.commit:
            what = "the article, or its draft, is gone"
            return Unavailable(what, stale=True, status=status, words=words)
        return judge(answer)

    def _said(self, post: Post) -> dict[str, Any]:
        post = titled(post, TITLE)
        said: dict[str, Any] = {"title": post.title, "body_markdown": markdown(post)}
        if tags := _tags(sections(post).tags):
            said["tags"] = tags
        if number := self.settings.get("organization", "").strip():
            said["organization_id"] = int(number)
        return said

    def _change(self, number: str, article: Mapping[str, Any]) -> Answer:
        return self.commit("PUT", f"{API}/{number}", headers=self._headers(), json={"article": article})

    def _articles(self, which: str) -> Iterator[tuple[Answer, Mapping[str, Any]]]:
        """The member's articles, newest first, with the answer that each came in."""
        for page in range(1, PAGES):
            answer = self._get(f"{API}/me/{which}", {"page": str(page), "per_page": str(PAGE)})
            listed = answer.json()
            if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
                raise answer.unreadable("the answer is not a list of articles")
            yield from ((answer, one) for one in listed)
            if len(listed) < PAGE:
                return
        raise Unavailable("there are too many articles to look through")

    def _drafted(self, commit: Commit) -> str:
        if commit.reply_to is not None:
            raise Unsupported(ALONE)
        if not (number := commit.prepared.get("draft")):
            raise Unsupported("there is no draft to publish")
        return str(number)

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", path, headers=self._headers(), params=params)

    def _headers(self) -> dict[str, str]:
        return {"api-key": self.settings.get("api_key", ""), "Accept": ACCEPT}

    def _receipt(self, answer: Answer) -> Receipt:
        return Receipt(id=answer.pick("id"), url=answer.pick("url"))


def markdown(post: Post) -> str:
    """The body in Forem's Markdown: only the post's own links are live, no Liquid tag, no mention, no front matter."""
    words = commonmark(post.text)
    return "\n\n".join(marked(post, words, _link, start=start, end=end) for start, end in sections(post).body)


def _link(said: str, link: str) -> str:
    return f"<{link}>" if said == link and not set(link) & set("<> ") else f"[{said}]({closed(link)})"


def _tags(names: tuple[str, ...]) -> list[str]:
    """The tags as Forem has them: up to four, of small letters and digits alone."""
    plain = [re.sub(r"[\W_]", "", name.lower())[:30] for name in names]
    return list(dict.fromkeys(name for name in plain if name))[:TAGS]
