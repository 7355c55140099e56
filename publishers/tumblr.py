"""How Tumblr takes a post: blocks of words, pictures and links, as a draft that its number then makes public."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unavailable, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import headline, slug
from publishers.core.oauth import Choice, OAuth, Renewal
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

DRAFT, PUBLISHED = "draft", "published"
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
HOUR = 3600.0
# Subcodes of https://github.com/tumblr/docs/blob/master/api.md#posts---createreblog-a-post-neue-post-format
FULL = {8004, 8011, 8022, 8023}  # no more pictures, posts in the queue, or posts today
WINDOWS = ("perday", "perhour")


class Tumblr(Publisher):
    """One blog on Tumblr (https://github.com/tumblr/docs)."""

    label: ClassVar = "Tumblr"
    home: ClassVar = "https://api.tumblr.com/v2"
    # https://github.com/tumblr/docs/blob/master/npf-spec.md: 4,096 code points in a block of words, 30 pictures
    limits: ClassVar = Limits(
        text=4096,
        hashtags=10,
        media=10,
        media_bytes=10_000_000,
        media_types=tuple(SUFFIX),
        alt=4096,
        link_in_text=False,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="OAuth 2 access token", secret=True),
        Setting(name="blog", label="Blog, such as staff for staff.tumblr.com", rehearsal="{account}"),
        Setting(name="refresh_token", label="Refresh token", secret=True, required=False),
        Setting(name="client_id", label="Client id of your app", required=False),
        Setting(name="client_secret", label="Client secret of your app", secret=True, required=False),
    )
    # api.md, "OAuth2 Authorization", read on 26 November 2026
    oauth: ClassVar = OAuth(
        authorize="https://www.tumblr.com/oauth2/authorize",
        endpoint="https://api.tumblr.com/v2/oauth2/token",
        scopes=("write", "offline_access"),
        pkce=False,
    )
    renewal: ClassVar = Renewal(ahead=timedelta(minutes=20))  # it lives 42 minutes, as expires_in says
    proof: ClassVar = Proof(kind=ProofClass.A2)
    budgets: ClassVar = (Budget(posts=250, seconds=86_400),)  # api.md, "Rate Limits"; a day is the calendar's
    unverified: ClassVar = (
        "never run against the real platform; whether its apps still get these scopes; what it takes beyond 10 MB; "
        "how a blog's time zone ends its day; whether its list of drafts shows the slug by which one is found again"
    )

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        del settings
        return (post.title, post.description) if post.link else ()

    def connect(self) -> Profile:
        answer = self.call("GET", "/user/info", headers=self._auth())
        blogs = self._blogs(answer)
        wanted = self.settings.get("blog", "").strip().removeprefix("@").removesuffix(".tumblr.com")
        if wanted not in blogs:
            raise Unauthorized(f"this account may not post to {wanted or 'no blog'}; its blogs are {', '.join(blogs)}")
        title = str(blogs[wanted].get("title") or "")
        return Profile(
            name=f"{title} ({wanted})" if title and title != "Untitled" else wanted,
            url=f"{self._site()}/{quote(wanted)}",
            settings={"blog": wanted},
        )

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("blog"):
            return ()
        blogs = self._blogs(self.call("GET", "/user/info", headers=self._auth()))
        return tuple(Choice(label=name, settings={"blog": name}) for name in blogs)

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on Tumblr is public and carries no warning through its API")
        if reply_to is not None:
            raise Unsupported("nothing answers a post on Tumblr: replies cannot be written through the API")
        own = _own(key)
        if left := self._left(own):  # an earlier try made it and lost the answer
            return {"draft": left, **({"media": self._pictures(left)} if post.media else {})}
        uploads = [
            {"type": m.mime, "identifier": f"picture-{n}", "width": m.width, "height": m.height}
            for n, m in enumerate(post.media, 1)
        ]
        said = {**_said(post, [[u] for u in uploads], DRAFT), "slug": own}
        if not post.media:
            return {"draft": self._created(self.call("POST", self._posts(), headers=self._auth(), json=said))}
        files = {
            str(u["identifier"]): (f"{u['identifier']}.{SUFFIX[m.mime]}", m.read(), m.mime)
            for u, m in zip(uploads, post.media, strict=True)
        }
        form = {"json": json.dumps(said, ensure_ascii=False)}
        number = self._created(self.call("POST", self._posts(), headers=self._auth(), form=form, files=files))
        return {"draft": number, "media": self._pictures(number)}

    def create(self, post: Post, commit: Commit) -> Receipt:
        number = str(commit.prepared["draft"])
        media = list(commit.prepared.get("media", ()))
        body = {**_said(post, media, PUBLISHED), "slug": slug(post) or _slug(post.title) or _own(commit.key)}
        try:
            self._created(self.commit("PUT", f"{self._posts()}/{number}", headers=self._auth(), json=body))
        except Rejected as error:
            if error.status != 404:
                raise
            raise Unavailable("somebody has deleted the draft", stale=True, status=404, words=error.words) from None
        return self._receipt(number, media)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post  # the draft's number is the post's
        number, media = str(commit.prepared.get("draft") or ""), list(commit.prepared.get("media", ()))
        if not number:
            return ()
        try:
            answer = self.call("GET", f"{self._posts()}/{number}", headers=self._auth(), params={"post_format": "npf"})
        except Rejected as error:
            if error.status != 404:
                raise
            raise Unsupported("somebody has deleted the post or its draft; nobody can tell which") from None
        state = answer.pick("response", "state")
        return (self._receipt(number, media),) if state == PUBLISHED else ()

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        path = f"{self._posts()}/{receipt.id}"
        try:
            answer = self.call("GET", path, headers=self._auth(), params={"post_format": "npf"})
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        if answer.pick("response", "state") != PUBLISHED:
            return None
        try:
            blocks = list(answer.json()["response"]["content"])
            words = [str(b["text"]) for b in blocks if b["type"] == "text"]
            alts = tuple(str(b.get("alt_text") or "") for b in blocks if b["type"] == "image")
            card = any(b["type"] == "link" for b in blocks)
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post's blocks") from error
        ours = [b["text"] for b in _words(post, _tagged(post)[0])]
        same = text_hash(" ".join(words)) == text_hash(" ".join(ours))
        shown = card if post.link else None
        return Seen(text="\n\n".join(words), same=same, pictures=len(alts), alts=alts, card=shown)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        media = list(receipt.extra.get("media") or commit.prepared.get("media", ()))
        body = _said(post, media, PUBLISHED)
        self._created(self.commit("PUT", f"{self._posts()}/{receipt.id}", headers=self._auth(), json=body))
        return receipt

    def delete(self, receipt: Receipt) -> None:
        path = f"/blog/{self._blog()}/post/delete"
        try:
            self.commit("POST", path, headers=self._auth(), json={"id": receipt.id})
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        params = {"id": receipt.id, "mode": "conversation"}
        answer = self.call("GET", f"/blog/{self._blog()}/notes", headers=self._auth(), params=params)
        try:
            notes, likes, shares = (
                int(answer.pick("response", f"total_{name}")) for name in ("notes", "likes", "reblogs")
            )
        except ValueError as error:
            raise answer.unreadable("the answer has no numbers") from error
        return {"likes": likes, "shares": shares, "replies": max(0, notes - likes - shares)}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        code = answer.told("errors", 0, "code")
        if status == 429 or (status == 403 and code in FULL):
            wait = answer.retry_after(default=_reset(answer))
            return RateLimited("Tumblr asks to wait", retry_after=wait, status=status, words=words)
        if status == 403:
            return Unauthorized("Tumblr does not allow this account to do that", status=403, words=words)
        return judge(answer)

    def _blogs(self, answer: Answer) -> dict[str, Mapping[str, Any]]:
        """The blogs that this account may post to, by their names."""
        try:
            blogs = {str(b["name"]): b for b in answer.json()["response"]["user"]["blogs"]}
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer names no blogs") from error
        if not blogs:
            raise answer.unreadable("the answer names no blogs")
        return blogs

    def _pictures(self, number: str) -> list[Any]:
        """The draft's pictures as Tumblr keeps them, in their order: whoever changes a post names them again."""
        path = f"{self._posts()}/{number}"
        answer = self.call("GET", path, headers=self._auth(), params={"post_format": "npf"})
        try:
            blocks = answer.json()["response"]["content"]
            return [block["media"] for block in blocks if block["type"] == "image"]
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post's blocks") from error

    def _left(self, own: str) -> str:
        """The number of a draft whose slug is our own, among the newest; empty if there is none."""
        answer = self.call("GET", f"{self._posts()}/draft", headers=self._auth())
        posts = answer.told("response", "posts")
        if not isinstance(posts, list) or not all(isinstance(p, dict) for p in posts):
            raise answer.unreadable("the answer is not a list of drafts")
        return next((str(p.get("id_string") or p["id"]) for p in posts if p.get("slug") == own and p.get("id")), "")

    def _created(self, answer: Answer) -> str:
        return answer.pick("response", "id")

    def _blog(self) -> str:
        if not (blog := self.settings.get("blog", "")):
            raise Unauthorized("the account has no blog; connect it again and choose one")
        return quote(blog, safe="")

    def _posts(self) -> str:
        return f"/blog/{self._blog()}/posts"

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://www.tumblr.com"

    def _receipt(self, number: str, media: list[Any]) -> Receipt:
        extra = {"media": media} if media else {}
        return Receipt(id=number, url=f"{self._site()}/{self._blog()}/{number}", extra=extra)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}


def _own(key: str) -> str:
    """The slug of a draft while it is one, by which it is known again."""
    return f"handbill-{key[:20]}"


def _slug(title: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:80].strip("-")


def _said(post: Post, media: list[Any], state: str) -> dict[str, Any]:
    """The post as blocks: its pictures, its words, the card of its link; and its tags, which stand below it."""
    blocks: list[dict[str, Any]] = []
    for one, picture in zip(media, post.media, strict=False):
        alt = {"alt_text": picture.alt} if picture.alt else {}
        blocks.append({"type": "image", "media": one, **alt})
    end, tags = _tagged(post)
    blocks += _words(post, end)
    if post.link:
        card = {"url": post.link, "title": post.title, "description": post.description}
        blocks.append({"type": "link", **{k: v for k, v in card.items() if v}})
    said: dict[str, Any] = {"content": blocks, "state": state}
    if tags:
        said["tags"] = ",".join(tags)
    if post.link:
        said["source_url"] = post.link
    return said


def _tagged(post: Post) -> tuple[int, list[str]]:
    """Where the words end before a last paragraph of nothing but tags, and these; the whole text, if there is none."""
    start = post.text.rfind("\n\n") + 2 if "\n\n" in post.text else 0
    tags = [f for f in post.facets if f.type == "tag" and f.start >= start]
    rest = post.text[start:]
    for tag in tags:
        rest = rest.replace(post.text[tag.start : tag.end], "", 1)
    if not tags or rest.strip():
        return len(post.text), []
    return start, [tag.value for tag in tags]


def _words(post: Post, end: int) -> list[dict[str, Any]]:
    """A block for each paragraph; the first is a heading if it is the article's title. Only our own links are live."""
    blocks, start, done = [], 0, headline(post)
    for paragraph in post.text[:end].split("\n\n"):
        stop = start + len(paragraph)
        if paragraph.strip():
            block: dict[str, Any] = {"type": "text", "text": paragraph}
            if done and start == 0 and stop == done:
                block["subtype"] = "heading1"
            links = [f for f in post.facets if f.type == "link" and start <= f.start and f.end <= stop]
            if links:
                block["formatting"] = [
                    {"type": "link", "start": f.start - start, "end": f.end - start, "url": f.value} for f in links
                ]
            blocks.append(block)
        start = stop + 2
    return blocks


def _reset(answer: Answer) -> float:
    """Seconds until what is spent is given again, by its headers; an hour where it does not say."""
    for window in WINDOWS:
        if answer.headers.get(f"x-ratelimit-{window}-remaining") == "0":
            reset = answer.headers.get(f"x-ratelimit-{window}-reset", "")
            return float(reset) if reset.isdecimal() else HOUR
    return HOUR
