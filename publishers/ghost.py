"""How Ghost takes a post: a draft with a slug of our own, published by its id, its title and picture apart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from publishers.core.errors import PublishError, Rejected, Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import letters, marked, sections, slug, titled
from publishers.core.post import Commit, Media, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting

API = "/ghost/api/admin"
VERSION = "v5.0"  # what we were written for; newer servers answer as it did
MINUTES = 5  # how long a signature may be good: https://docs.ghost.org/admin-api/#token-authentication
EXCERPT = 300  # custom_excerpt's length in core/server/data/schema/schema.js
ALT = 191
TITLE = 255
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
COPY = "copy it again from the integration: 24 signs, a colon and 64 signs"
TAG = re.compile(r"<[^>]*>")
PUBLIC = {"published", "sent"}


class Ghost(Publisher):
    """One Ghost site, written to through a custom integration of its own (https://docs.ghost.org/admin-api/)."""

    label: ClassVar = "Ghost"
    limits: ClassVar = Limits(
        text=100_000,
        title=TITLE,
        hashtags=5,  # they become the post's tags
        media_bytes=5_000_000,
        media_types=tuple(SUFFIX),
        alt=ALT,
        cards=((1200, 630),),
    )
    fields: ClassVar = (
        Setting(name="server", label="Site's address, such as https://example.org"),
        Setting(name="admin_key", label="Admin API key of a custom integration, id:secret", secret=True),
    )
    pasted: ClassVar = "Admin API key"
    # A slug is no key, a repeat gets "-2"; a draft's id is one, and its updated_at lets nothing change twice.
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.A2)
    reshares: ClassVar = None  # a site has an article once
    unverified: ClassVar = "run against Ghost 6.65 on one machine, never against a public site or a newsletter"

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        del settings
        return (post.title, post.description if len(post.description) <= EXCERPT else "")

    def connect(self) -> Profile:
        site = self._get("/site/")
        self._get("/posts/", {"limit": "1", "fields": "id"})
        return Profile(name=site.pick("site", "title"), url=site.pick("site", "url"))

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        if reply_to is not None:
            raise Unsupported("nothing but a reader's comment answers a post on Ghost")
        own = f"handbill-{key[:20]}"
        # An earlier try may have made it and lost the answer.
        wanted = {"filter": f"slug:{own}+status:draft", "fields": "id,updated_at"}
        found = self._get("/posts/", wanted)
        if not isinstance(drafts := found.told("posts"), list):
            raise found.unreadable("the answer is not a list of posts")
        if drafts:
            return _drafted(found)
        body = {**_said(post), "status": "draft", "slug": own}
        if post.media:
            body |= _shown(self.upload(post.media[0]), post.media[0])
        posts = {"posts": [body]}
        return _drafted(self.call("POST", f"{API}/posts/?source=html", headers=self._auth(), json=posts))

    def upload(self, media: Media) -> str:
        files = {"file": (f"{media.sha256[:16]}.{SUFFIX[media.mime]}", media.read(), media.mime)}
        form = {"purpose": "image", "ref": media.sha256[:16]}
        answer = self.call("POST", f"{API}/images/upload/", headers=self._auth(), form=form, files=files)
        return answer.pick("images", 0, "url")

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a Ghost post is public and carries no warning through this adapter")
        if commit.reply_to is not None:
            raise Unsupported("nothing but a reader's comment answers a post on Ghost")
        number, since = self._prepared(commit)
        body = {"status": "published", "slug": slug(post) or f"handbill-{commit.key[:20]}", "updated_at": since}
        return self._public(self.commit("PUT", f"{API}/posts/{number}/", headers=self._auth(), json={"posts": [body]}))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post  # the draft's id says which it is
        if commit.reply_to is not None:
            raise Unsupported("nothing but a reader's comment answers a post on Ghost")
        number, _ = self._prepared(commit)
        try:
            answer = self._get(f"/posts/{number}/", {"fields": "id,status,url"})
        except Rejected as error:
            if error.status == 404:
                raise Unsupported("somebody has deleted the post, before or after it was public") from None
            raise
        return (self._public(answer),) if answer.pick("posts", 0, "status") in PUBLIC else ()

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._get(f"/posts/{receipt.id}/", {"formats": "html"})
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        if answer.pick("posts", 0, "status") not in PUBLIC:
            return None
        title, body = answer.pick("posts", 0, "title"), str(answer.told("posts", 0, "html") or "")
        shown = html.unescape(TAG.sub("", body.replace("</p>", "</p>\n\n").replace("<br>", "<br>\n"))).strip()
        said = _said(post)
        same = title == said["title"] and letters(shown) == letters(html.unescape(TAG.sub("", said["html"])))
        picture = answer.told("posts", 0, "feature_image")
        alts = (str(answer.told("posts", 0, "feature_image_alt") or ""),) if picture else ()
        return Seen(text=f"{title}\n\n{shown}".strip(), same=same, pictures=len(alts), alts=alts)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        since = self._get(f"/posts/{receipt.id}/", {"fields": "id,updated_at"}).pick("posts", 0, "updated_at")
        # A picture that is not named again stays.
        shown = [_shown(str(place), m) for place, m in zip(commit.pictures(receipt), post.media, strict=False)]
        posts = {"posts": [{**_said(post), **(shown[0] if commit.fresh and shown else {}), "updated_at": since}]}
        self._public(self.commit("PUT", f"{API}/posts/{receipt.id}/?source=html", headers=self._auth(), json=posts))
        return receipt

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", f"{API}/posts/{receipt.id}/", headers=self._auth())
        except (Rejected, Unavailable) as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self._get(f"/posts/{receipt.id}/", {"include": "count.clicks,count.positive_feedback"})
        counts = {"likes": "positive_feedback", "clicks": "clicks"}
        try:
            return {ours: int(answer.pick("posts", 0, "count", theirs)) for ours, theirs in counts.items()}
        except ValueError as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, kind = answer.status, answer.words(), str(answer.told("errors", 0, "type") or "")
        if status == 401:
            return Unauthorized(f"Ghost does not know this Admin API key; {COPY}", status=status, words=words)
        if status == 403:
            return Unauthorized("Ghost does not let this integration do this", status=status, words=words)
        if status == 404 and answer.commit and kind == "NotFoundError":
            return Unavailable("somebody has deleted the draft", stale=True, status=status, words=words)
        if status == 409 and kind == "UpdateCollisionError":
            what = "the post was changed since: perhaps it is public already"
            return (Unconfirmed if answer.commit else Unavailable)(what, status=status, words=words)
        return judge(answer)

    def _public(self, answer: Answer) -> Receipt:
        if (status := answer.pick("posts", 0, "status")) not in PUBLIC:
            raise answer.unreadable(f"Ghost says that the post is {status}")
        return Receipt(id=answer.pick("posts", 0, "id"), url=answer.pick("posts", 0, "url"))

    def _prepared(self, commit: Commit) -> tuple[str, str]:
        number, since = commit.prepared.get("draft"), commit.prepared.get("updated_at")
        if not number or not since:
            raise Unsupported("there is no draft to publish")
        return str(number), str(since)

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", API + path, headers=self._auth(), params=params)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Ghost {self._signed()}", "Accept-Version": VERSION}

    def _signed(self) -> str:
        """A token that is good for this attempt alone (RFC 7519, HS256)."""
        key = self.settings.get("admin_key", "").strip()
        number, _, secret = key.partition(":")
        try:
            private = bytes.fromhex(secret)
        except ValueError:
            raise Unauthorized(f"this is no Admin API key; {COPY}") from None
        self.http.hide(secret)
        now = int(self.http.now().timestamp())
        told = (
            {"alg": "HS256", "typ": "JWT", "kid": number},
            {"iat": now, "exp": now + 60 * MINUTES, "aud": "/admin/"},
        )
        content = b".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in told)
        signature = hmac.new(private, content, hashlib.sha256).digest()
        token = (content + b"." + _base64(signature)).decode()
        self.http.hide(token)
        return token


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _drafted(answer: Answer) -> dict[str, str]:
    return {"draft": answer.pick("posts", 0, "id"), "updated_at": answer.pick("posts", 0, "updated_at")}


def _said(post: Post) -> dict[str, Any]:
    post = titled(post, TITLE)
    said: dict[str, Any] = {"title": post.title, "html": _body(post)}
    if post.link:
        said["canonical_url"] = post.link  # search engines are sent to the article itself
    if post.description and len(post.description) <= EXCERPT:
        said["custom_excerpt"] = post.description
    if tags := sections(post).tags:
        said["tags"] = [{"name": tag} for tag in tags]
    return said


def _shown(place: str, picture: Media) -> dict[str, str]:
    return {"feature_image": place, "feature_image_alt": picture.alt[:ALT]}


def _body(post: Post) -> str:
    """The paragraphs as HTML in which only the post's own links are markup."""

    def words(start: int, end: int) -> str:
        return html.escape(post.text[start:end], quote=False).replace("\n", "<br>")

    parts = [marked(post, words, _link, start=start, end=end) for start, end in sections(post).body]
    return "".join(f"<p>{part}</p>" for part in parts)


def _link(said: str, link: str) -> str:
    return f'<a href="{html.escape(link)}">{html.escape(said, quote=False) if said == link else said}</a>'
