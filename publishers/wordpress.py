"""How a self-hosted WordPress takes a post: a draft with a slug of our own, published by its number; comments."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

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
from publishers.core.post import Commit, Facet, Media, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting

ROOT, QUERY = "path", "query"  # where a site answers: below /wp-json, or to ?rest_route=
CLOCKS = timedelta(minutes=5)  # how far the site's clock and ours may be apart
PAGE = 100
FLOOD = 20.0  # seconds; an author may comment every 15
JOINER = "\u2060"  # stands in a text so that nothing in it turns into a mention or tag
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
NEEDED = ("edit_posts", "publish_posts", "upload_files")
PUBLIC, APPROVED = {"publish", "future", "private"}, "approved"
GONE = {404, 410}  # not there, and in the trash already
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
TAG = re.compile(r"<[^>]*>")
GAP = re.compile(r"\n{2,}")
PARAGRAPH = re.compile(r"\S(?:[^\n]|\n(?!\s*\n))*")


class WordPress(Publisher):
    """One author's posts on one site (https://developer.wordpress.org/rest-api/reference/posts/)."""

    label: ClassVar = "WordPress"
    limits: ClassVar = Limits(
        text=100_000,
        hashtags=5,  # they become the post's tags
        media_bytes=2_000_000,  # what PHP takes unless somebody allowed it more
        media_types=tuple(SUFFIX),
        alt=2000,
        comment=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Site's address, such as https://example.org"),
        Setting(name="username", label="User who writes the posts, at least an author"),
        Setting(name="app_password", label="Application password of this user", secret=True),
    )
    pasted: ClassVar = "application password"
    # A slug is no key, a repeat gets "-2" (https://github.com/WP-API/WP-API/issues/2984); a draft's number is one.
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.A2)
    reshares: ClassVar = None  # a site has an article once
    unverified: ClassVar = "run against WordPress 6.1 on one machine, never against a public site or with plugins"

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        del settings
        return (post.title, post.description)

    def connect(self) -> Profile:
        rest, answer = self._root()
        self.settings = {**self.settings, "rest": rest}
        site, url = answer.pick("name"), answer.pick("url")
        me = self._call("GET", "/wp/v2/users/me", {"context": "edit"})
        number, name = me.pick("id"), me.pick("name")
        may = me.json().get("capabilities")
        missing = [right for right in NEEDED if not isinstance(may, dict) or not may.get(right)]
        if missing:
            raise Unauthorized(f"{name} lacks {', '.join(missing)}; give this user the role Author or Editor")
        return Profile(
            name=f"{html.unescape(name)} at {html.unescape(site)}",
            url=url,
            settings={"rest": rest, "user_id": number},
        )

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        if reply_to is not None:
            return {}  # a comment has no draft
        slug = f"handbill-{key[:20]}"
        # An earlier try may have made it and lost the answer.
        found = self._call("GET", "/wp/v2/posts", {"slug": slug, "status": "draft", "context": "edit"})
        drafts = found.json()
        if not isinstance(drafts, list):
            raise found.unreadable("the answer is not a list of posts")
        if drafts:
            return {"draft": found.pick(0, "id")}
        body: dict[str, Any] = {**_said(post), "status": "draft", "slug": slug}
        if post.media:
            body["featured_media"] = self.upload(post.media[0])
        if tags := _split(post)[2]:
            body["tags"] = [self._tag(tag) for tag in tags]
        return {"draft": self._call("POST", "/wp/v2/posts", json=body).pick("id")}

    def upload(self, media: Media) -> int:
        name = f"{media.sha256[:16]}.{SUFFIX[media.mime]}"
        answer = self._call(
            "POST", "/wp/v2/media", form={"alt_text": media.alt}, files={"file": (name, media.read(), media.mime)}
        )
        return _number(answer, answer.pick("id"))

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a WordPress post is public and carries no warning through this adapter")
        if commit.reply_to is not None:
            return self._comment(post, commit.reply_to)
        # A repeat changes nothing: the post keeps its number, its slug and the time at which it first was public.
        body = {"status": "publish", "slug": _slug(post) or f"handbill-{commit.key[:20]}"}
        return self._public(self._commit(f"/wp/v2/posts/{self._drafted(commit)}", json=body))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if commit.reply_to is not None:
            return self._comments(post, commit, commit.reply_to)
        answer = self._call("GET", f"/wp/v2/posts/{self._drafted(commit)}", {"context": "edit"})
        status = answer.pick("status")
        if status == "trash":
            raise Unsupported("somebody has put the post into the trash, before or after it was public")
        return (self._public(answer),) if status in PUBLIC else ()

    def answering(self, receipt: Receipt, answered: Receipt) -> Receipt:
        return dataclasses.replace(receipt, extra={**receipt.extra, "on": str(answered.extra.get("on", answered.id))})

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        below = "on" in receipt.extra
        try:
            answer = self._call("GET", _place(receipt), {"context": "edit"})
        except (Rejected, Unavailable) as error:
            if error.status in GONE:
                return None
            raise
        if answer.pick("status") not in ({APPROVED} if below else PUBLIC):
            return None
        told = answer.json()
        try:
            title = "" if below else _shown(str(told["title"]["raw"]))
            content = _shown(str(told["content"]["raw"]))
            picture = 0 if below else int(told["featured_media"])
        except (KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer is not a post") from error
        wanted = {"title": "", "content": _comment(post)} if below else _said(post)
        same = [_letters(_shown(wanted[name])) for name in ("title", "content")] == [_letters(title), _letters(content)]
        text = "\n\n".join(part for part in (title, content) if part)
        alts = (self._alt(picture),) if picture else ()
        return Seen(text=text, same=same, pictures=None if below else len(alts), alts=None if below else alts)

    def _alt(self, picture: int) -> str:
        answer = self._call("GET", f"/wp/v2/media/{picture}", {"context": "edit"})
        told = answer.told("alt_text")
        if not isinstance(told, str):
            raise answer.unreadable("the answer is not a picture")
        return html.unescape(told)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        comment, said = {"content": _comment(post)}, _said(post)
        if commit.fresh and (media := commit.pictures(receipt)):
            said["featured_media"] = media[0]
        try:
            self._commit(_place(receipt), json=comment if "on" in receipt.extra else said)
        except Unavailable as error:
            if error.stale:
                raise Rejected("somebody has deleted the post", status=error.status, words=error.words) from None
            raise
        return receipt

    def delete(self, receipt: Receipt) -> None:
        try:
            self._commit(_place(receipt), method="DELETE")
        except (Rejected, Unavailable) as error:
            if error.status not in GONE:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        about = {"parent": receipt.id} if "on" in receipt.extra else {"post": receipt.id}
        answer = self._call("GET", "/wp/v2/comments", {**about, "per_page": "1"})
        return {"replies": _number(answer, answer.header("x-wp-total"))}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), _code(answer)
        if status == 400 and code == "term_exists":
            return None  # the answer has the tag's number
        if status in {400, 429} and code == "comment_flood":  # 400 from WordPress 6.1
            wait = answer.retry_after(default=FLOOD)
            return RateLimited("WordPress takes no comments so quickly", retry_after=wait, status=status, words=words)
        if status == 409 and code == "comment_duplicate":
            what = "WordPress already has this comment"
            return (Unconfirmed if answer.commit else Rejected)(what, status=status, words=words)
        if status == 403 or (status == 404 and code == "rest_no_route"):
            what = "WordPress, or a plugin that guards it, refuses us"
            return Unauthorized(what, status=status, words=words)
        if status == 404 and code == "rest_post_invalid_id":
            return Unavailable("somebody has deleted the draft", stale=True, status=status, words=words)
        return judge(answer)

    def _comment(self, post: Post, on: Receipt) -> Receipt:
        if post.media:
            raise Unsupported("a WordPress comment takes no picture")
        body = {"post": int(str(on.extra.get("on", on.id))), "content": _comment(post)}
        if "on" in on.extra:
            body["parent"] = int(on.id)
        return self._said_below(self._commit("/wp/v2/comments", json=body), on)

    def _comments(self, post: Post, commit: Commit, on: Receipt) -> tuple[Receipt, ...]:
        """Our own comments below ``on`` that say what ``post`` says."""
        asked = {
            "post": str(on.extra.get("on", on.id)),
            "parent": on.id if "on" in on.extra else "0",
            "author": self.settings.get("user_id") or self._call("GET", "/wp/v2/users/me").pick("id"),
            "after": (commit.at - CLOCKS).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": "all",
            "per_page": str(PAGE),
        }
        answer = self._call("GET", "/wp/v2/comments", asked)
        comments = answer.json()
        try:
            same = [c for c in comments if _letters(_plain(str(c["content"]["rendered"]))) == _letters(post.text)]
            found = tuple(self._below(c, on) for c in same)
        except (KeyError, TypeError) as error:
            raise answer.unreadable("the answer is not a list of comments") from error
        if not isinstance(comments, list) or (not found and len(comments) >= PAGE):
            raise answer.unreadable("the comments cannot all be seen")
        return found

    def _said_below(self, answer: Answer, on: Receipt) -> Receipt:
        answer.pick("id")
        return self._below(answer.json(), on)

    def _below(self, comment: Mapping[str, Any], on: Receipt) -> Receipt:
        link = comment.get("link")
        extra = {"on": str(on.extra.get("on", on.id))}
        return Receipt(id=str(comment["id"]), url=str(link) if link else None, extra=extra)

    def _public(self, answer: Answer) -> Receipt:
        number, link = answer.pick("id"), answer.pick("link")
        if (status := answer.pick("status")) not in PUBLIC:
            raise answer.unreadable(f"WordPress says that the post is {status}")
        return Receipt(id=number, url=link)

    def _drafted(self, commit: Commit) -> str:
        if not (number := commit.prepared.get("draft")):
            raise Unsupported("there is no draft to publish")
        return str(number)

    def _tag(self, name: str) -> int:
        """The number of a tag, made if the site has none of this name."""
        answer = self._call("POST", "/wp/v2/tags", json={"name": name})
        return _number(answer, answer.pick("id") if answer.status < 300 else answer.pick("data", "term_id"))

    def _root(self) -> tuple[str, Answer]:
        """Where the API answers, and what it says of the site: without pretty permalinks there is no /wp-json."""
        try:
            answer = self.call("GET", "/wp-json/", headers=self._auth())
            answer.pick("name")
        except PublishError as error:
            if error.status not in {200, 404}:
                raise
            return QUERY, self.call("GET", "/", headers=self._auth(), params={"rest_route": "/"})
        return ROOT, answer

    def _call(self, method: str, route: str, params: Mapping[str, str] | None = None, **body: Any) -> Answer:
        path, asked = self._at(route, params or {})
        return self.call(method, path, headers=self._auth(), params=asked, **body)

    def _commit(self, route: str, *, json: Any = None, method: str = "POST") -> Answer:
        path, asked = self._at(route, {})
        return self.commit(method, path, headers=self._auth(), params=asked, json=json)

    def _at(self, route: str, params: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        if self.settings.get("rest") == QUERY:
            return "/", {"rest_route": route, **params}
        return f"/wp-json{route}", dict(params)

    def _auth(self) -> dict[str, str]:
        user, password = self.settings.get("username", ""), self.settings.get("app_password", "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.http.hide(token)
        return {"Authorization": f"Basic {token}"}


def _place(receipt: Receipt) -> str:
    return f"/wp/v2/{'comments' if 'on' in receipt.extra else 'posts'}/{receipt.id}"


def _said(post: Post) -> dict[str, Any]:
    title, content, _ = _split(post)
    return {"title": title, "content": content, "excerpt": _escape(post.description)}


def _comment(post: Post) -> str:
    """A comment as WordPress stores it: only one it need not change is known to it when it comes a second time.

    Seen on 6.1: it adds rel to a link, and then takes the same comment again. A bare address is shown as a link anyway.
    """
    if any(f.type == "link" and post.text[f.start : f.end] != f.value for f in post.facets):
        return _html(post, post.text, 0)
    return _escape(post.text)


def _split(post: Post) -> tuple[str, str, list[str]]:
    """The title, the paragraphs as blocks of HTML, and the tags.

    A first line that is the title and a last paragraph of nothing but hashtags are shown by the theme in their places.
    """
    headline = post.text.partition("\n")[0]
    done = len(headline) if headline.strip().replace(JOINER, "") == post.title else 0
    paragraphs = [(m.start(), m[0].rstrip()) for m in PARAGRAPH.finditer(post.text, done)]
    tags = _tags(post.facets, *paragraphs[-1]) if paragraphs else []
    if tags:
        del paragraphs[-1]
    blocks = [
        f"<!-- wp:paragraph -->\n<p>{_html(post, said, start)}</p>\n<!-- /wp:paragraph -->"
        for start, said in paragraphs
    ]
    return _escape(post.title), "\n\n".join(blocks), tags


def _tags(facets: tuple[Facet, ...], start: int, said: str) -> list[str]:
    """The hashtags of a paragraph that has nothing else."""
    inside = [f for f in facets if f.type == "tag" and start <= f.start and f.end <= start + len(said)]
    rest = said
    for facet in sorted(inside, key=lambda f: f.start, reverse=True):
        rest = rest[: facet.start - start] + rest[facet.end - start :]
    return [] if rest.strip() else [f.value for f in inside]


def _html(post: Post, said: str, start: int) -> str:
    """A stretch of the text in HTML; only the post's own links are live."""
    parts: list[str] = []
    done = start
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type == "link" and done <= facet.start and facet.end <= start + len(said):
            words = _escape(post.text[facet.start : facet.end])
            parts += (_escape(post.text[done : facet.start]), f'<a href="{html.escape(facet.value)}">{words}</a>')
            done = facet.end
    return "".join([*parts, _escape(post.text[done : start + len(said)])]).replace("\n", "<br>")


def _escape(text: str) -> str:
    """HTML in which WordPress finds no shortcode either, written as WordPress itself stores it."""
    return html.escape(text, quote=False).replace("[", "&#091;").replace("]", "&#093;")


def _plain(content: str) -> str:
    """What a reader sees of a comment's HTML."""
    return html.unescape(TAG.sub("", content))


def _shown(content: str) -> str:
    """What a reader sees of a post's HTML, its paragraphs apart."""
    return GAP.sub("\n\n", _plain(content.replace("<br>", "\n"))).strip()


def _letters(text: str) -> str:
    """What stays of a text when WordPress has made paragraphs, curly quotes, dashes and smileys of it."""
    return "".join(c for c in text if c.isalnum())


def _slug(post: Post) -> str:
    """The last part of the article's own address, where it is made of words."""
    last = urlsplit(post.link or "").path.rstrip("/").rpartition("/")[2].partition(".")[0].lower()
    return last if SLUG.fullmatch(last) and len(last) <= 100 else ""


def _code(answer: Answer) -> str:
    """WordPress's own word for a refusal; empty if there is none."""
    return str(answer.told("code") or "")


def _number(answer: Answer, said: str) -> int:
    if not said.isdecimal():
        raise answer.unreadable("the answer has no number")
    return int(said)
