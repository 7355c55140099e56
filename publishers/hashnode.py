"""How Hashnode takes a post: GraphQL, a draft with a slug of our own, published by its id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

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
from publishers.core.markup import closed, commonmark, marked, sections, slug, titled
from publishers.core.post import Commit, Media, Post, Prepared, Receipt
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

CDN = "https://cdn.hashnode.com"
TAGS = 5
TITLE = 250
KEPT = 10  # signs of the key in the slug, by which a post is ours
ALONE = "Hashnode lets no program answer a post"
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}

ME = "query Me($host: String!) { me { id username } publication(host: $host) { id title url } }"
UPLOAD = (
    "mutation Upload($input: CreateImageUploadInput!) { createImageUploadURL(input: $input) "
    "{ presignedPost { url fields } } }"
)
DRAFT = "mutation Draft($input: CreateDraftInput!) { createDraft(input: $input) { draft { id } } }"
PUBLISH = "mutation Publish($input: PublishDraftInput!) { publishDraft(input: $input) { post { id slug url } } }"
UPDATE = "mutation Update($input: UpdatePostInput!) { updatePost(input: $input) { post { id url } } }"
FIND = "query Find($id: ObjectId!, $slug: String!) { publication(id: $id) { id post(slug: $slug) { id slug url } } }"
COUNT = "query Count($id: ID!) { post(id: $id) { id reactionCount responseCount views } }"


class Hashnode(Publisher):
    """One publication on Hashnode, with a Pro plan (https://github.com/Hashnode/gql-skill)."""

    label: ClassVar = "Hashnode"
    home: ClassVar = "https://gql-beta.hashnode.com"
    limits: ClassVar = Limits(
        text=30_000,  # a request has 100 KB, and every sign may need a backslash
        text_bytes=40_000,
        title=TITLE,
        hashtags=TAGS,  # they become the post's tags
        media_bytes=8_000_000,
        media_types=tuple(SUFFIX),
        cards=((1600, 840), (1200, 630)),
        link_card=False,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="Personal access token", secret=True),
        Setting(name="host", label="Publication's host, such as blog.example.org or paper.hashnode.dev"),
    )
    pasted: ClassVar = "personal access token"
    # Reads may be 25 seconds old: errors-and-limits.md of the same repository.
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.A2, settle=timedelta(seconds=60))
    reshares: ClassVar = None  # a site has an article once
    budgets: ClassVar = (Budget(posts=100, seconds=60, app=True),)  # 500 mutations a minute, not enforced
    unverified: ClassVar = (
        "never run against the real platform; what publishing a draft twice is answered with; whether a slug is kept "
        "as given; alt text of a cover, for which there is no field; nothing of this API deletes a post"
    )

    def connect(self) -> Profile:
        answer = self._ask(ME, {"host": self._host()})
        name = answer.pick("data", "me", "username")
        if not answer.told("data", "publication"):
            raise Unauthorized(f"Hashnode knows no publication at {self._host()}")
        return Profile(
            name=f"{answer.pick('data', 'publication', 'title')} as @{name}",
            url=answer.pick("data", "publication", "url"),
            settings={"publication_id": answer.pick("data", "publication", "id")},
        )

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        if reply_to is not None:
            raise Unsupported(ALONE)
        said: dict[str, Any] = {**_said(post), "publicationId": self._publication(), "slug": _slug(post, key)}
        if post.media:
            said["coverImageOptions"] = {"coverImageURL": self.upload(post.media[0])}
        # A draft that an earlier try left cannot be looked up by its slug; nobody sees it.
        return {"draft": self._ask(DRAFT, {"input": said}).pick("data", "createDraft", "draft", "id")}

    def upload(self, media: Media) -> str:
        answer = self._ask(UPLOAD, {"input": {"contentType": media.mime}})
        place = answer.pick("data", "createImageUploadURL", "presignedPost", "url")
        fields = answer.told("data", "createImageUploadURL", "presignedPost", "fields")
        if not isinstance(fields, dict) or not fields.get("key"):
            raise answer.unreadable("the answer has no place for the picture")
        form = {str(name): str(value) for name, value in fields.items()}
        name = f"{media.sha256[:16]}.{SUFFIX[media.mime]}"
        self.call("POST", place, form=form, files={"file": (name, media.read(), media.mime)})
        return f"{CDN}/{form['key']}"

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on Hashnode is public and carries no warning")
        if commit.reply_to is not None:
            raise Unsupported(ALONE)
        if not (number := commit.prepared.get("draft")):
            raise Unsupported("there is no draft to publish")
        answer = self._send_off(PUBLISH, {"input": {"draftId": str(number)}})
        return _receipt(answer, "publishDraft")

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if commit.reply_to is not None:
            raise Unsupported(ALONE)
        answer = self._ask(FIND, {"id": self._publication(), "slug": _slug(post, commit.key)})
        answer.pick("data", "publication", "id")
        return (_receipt(answer, "publication"),) if answer.told("data", "publication", "post") else ()

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        said = _said(post)
        if commit.fresh and (media := commit.pictures(receipt)):
            said["coverImageOptions"] = {"coverImageURL": media[0]}
        answer = self._send_off(UPDATE, {"input": {"id": receipt.id, **said}})
        answer.pick("data", "updatePost", "post", "id")
        return receipt

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self._ask(COUNT, {"id": receipt.id})
        answer.pick("data", "post", "id")
        counts = {"likes": "reactionCount", "replies": "responseCount", "views": "views"}
        told = {ours: answer.told("data", "post", theirs) for ours, theirs in counts.items()}
        return {name: value for name, value in told.items() if type(value) is int}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 429:
            return RateLimited("Hashnode asks to wait", retry_after=answer.retry_after(), status=status, words=words)
        errors = answer.told("errors")
        if status in {401, 403} or not isinstance(errors, list) or not errors:
            return Unauthorized("Hashnode refuses us", status=status, words=words) if status == 403 else judge(answer)
        code = str(answer.told("errors", 0, "extensions", "code") or "")
        said = str(answer.told("errors", 0, "message") or code)
        match code:
            case "UNAUTHENTICATED" | "FORBIDDEN":
                return Unauthorized("Hashnode does not let this token do this", status=status, words=said)
            case "NOT_FOUND" if answer.commit:
                return Unconfirmed("Hashnode has this draft, or post, no more", status=status, words=said)
            case "NOT_FOUND" | "BAD_USER_INPUT" | "GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED":
                return Rejected(f"Hashnode answered {code}", status=status, words=said)
            case _:
                kind = Unconfirmed if answer.commit else Unavailable
                return kind(f"Hashnode answered {code or status}", status=status, words=said)

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Answer:
        """A question, or what may be asked for twice: GraphQL takes all of them by POST."""
        return self.call("POST", "/", headers=self._auth(), json={"query": query, "variables": variables})

    def _send_off(self, query: str, variables: Mapping[str, Any]) -> Answer:
        return self.commit("POST", "/", headers=self._auth(), json={"query": query, "variables": variables})

    def _host(self) -> str:
        host = self.settings.get("host", "").strip().lower()
        return host.removeprefix("https://").removeprefix("http://").strip("/")

    def _publication(self) -> str:
        if not (number := self.settings.get("publication_id", "")):
            raise Unauthorized("the publication is not known yet; connect the account again")
        return number

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}


def _receipt(answer: Answer, place: str) -> Receipt:
    return Receipt(id=answer.pick("data", place, "post", "id"), url=answer.pick("data", place, "post", "url"))


def _slug(post: Post, key: str) -> str:
    """An address that only this post can have, by which it is found again."""
    return f"{(slug(post) or 'handbill')[:80].rstrip('-')}-{key[:KEPT]}"


def _said(post: Post) -> dict[str, Any]:
    post = titled(post, TITLE)
    said: dict[str, Any] = {"title": post.title, "contentMarkdown": markdown(post)}
    if post.link:
        said["originalArticleURL"] = post.link
    if tags := [{"slug": tag, "name": name} for name in sections(post).tags[:TAGS] if (tag := _tag(name))]:
        said["tags"] = tags
    return said


def markdown(post: Post) -> str:
    """The body in Hashnode's Markdown: only the post's own links are live, no widget, no embed, no mention."""
    words = commonmark(post.text)
    return "\n\n".join(marked(post, words, _link, start=start, end=end) for start, end in sections(post).body)


def _link(said: str, link: str) -> str:
    return f"<{link}>" if said == link and not set(link) & set("<> ") else f"[{said}]({closed(link)})"


def _tag(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50]
