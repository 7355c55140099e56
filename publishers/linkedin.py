"""How LinkedIn takes a post: versioned REST, an author urn, and commentary in its "little" text format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote

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
from publishers.core.oauth import Choice, OAuth, Renewal, Role
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting, text_hash

ORGANIZATION = "urn:li:organization:"
PERSON = "urn:li:person:"
RESERVED = re.compile(r"[|{}@\[\]()<>#*_~\\]")
ELEMENT = re.compile(r"\{hashtag\|\\?([#\uff03])\|((?:\\.|[^\\}])*)\}|\\(.)", re.DOTALL)
URN = re.compile(r"urn:li:\w+:\d+")
CLOCKS = timedelta(minutes=5)  # how far LinkedIn's clock and ours may be apart
PAGE = 100
# A limit is for a UTC day, no page gives its number and no answer says how much of it is left:
# https://learn.microsoft.com/linkedin/shared/api-guide/concepts/rate-limits, read in November 2026
PATIENCE = 900.0
CARD, PUBLISHED = "card", "PUBLISHED"
GONE = {404, 410}
# Each month's version lives for a year, this one until July 2027:
# https://learn.microsoft.com/linkedin/marketing/integrations/migrations, read in November 2026
VERSION = "202607"
MEMBER = ("openid", "profile", "w_member_social")
DISTRIBUTION = {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []}


class LinkedIn(Publisher):
    """One member or organisation page, spoken to through the Posts API
    (https://learn.microsoft.com/linkedin/marketing/community-management/shares/posts-api).
    """

    label: ClassVar = "LinkedIn"
    home: ClassVar = "https://api.linkedin.com"
    retitles: ClassVar = False  # an edit changes the commentary alone, and the card stays
    limits: ClassVar = Limits(
        text=3000,
        hashtags=3,
        media=20,
        media_bytes=8_000_000,
        media_types=("image/jpeg", "image/png", "image/gif"),
        alt=4086,
        cards=((1200, 627),),
        comment=True,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="OAuth 2 access token", secret=True),
        Setting(name="author", label=f"Author, such as {ORGANIZATION}123; empty is the token's member", required=False),
        Setting(name="embed", label="Under the text: images or card", required=False, default="images"),
        Setting(name="version", label=f"API version, such as {VERSION}", required=False),
        Setting(name="refresh_token", label="Refresh token, where LinkedIn gives one", secret=True, required=False),
    )
    # https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow, read on 25 November 2026.
    # An app has either the members' products or Community Management, so a person says which.
    oauth: ClassVar = OAuth(
        authorize="https://www.linkedin.com/oauth/v2/authorization",
        endpoint="https://www.linkedin.com/oauth/v2/accessToken",
        scopes=MEMBER,
        roles={
            "member": Role(label="Yourself", scopes=MEMBER),
            "organization": Role(
                label="An organisation's page that you administer",
                scopes=("w_organization_social", "r_organization_social", "rw_organization_admin"),
            ),
        },
        pkce=False,  # LinkedIn knows it for native apps alone
    )
    # 60 days; who gets no refresh token must connect again: .../authentication/programmatic-refresh-tokens
    renewal: ClassVar = Renewal(ahead=timedelta(days=7))
    # Only an organisation's posts may be read back, so a member's lost answer is settled by a person.
    proof: ClassVar = Proof(kind=ProofClass.C)
    # 422 DUPLICATE_POST for a day or two, as reported: https://github.com/Arisamiga/Linkedin-RSS/issues/5
    reshares: ClassVar = timedelta(days=7)
    addressed: ClassVar = r"(urn:li:(?:activity|share|ugcPost):\d+)"
    partly: ClassVar = dict.fromkeys(("find", "read_back", "metrics"), "organisations")
    unverified: ClassVar = (
        "never run against the real platform; how its 3,000 characters are counted; how many posts it takes in a day "
        "(neither is documented); the body of a comment's edit and of several pictures in one post"
    )

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        card = bool(post.link) and (settings.get("embed") == "card" or not post.media)
        return (post.title, post.description) if card else ()

    def connect(self) -> Profile:
        author = self.settings.get("author", "")
        limits = {"link_in_text": False, "media": 1} if self._card() else {}
        if author.startswith(ORGANIZATION):
            path = f"/rest/organizations/{author.removeprefix(ORGANIZATION)}"
            answer = self.call("GET", path, headers=self._headers())
            name, vanity = answer.pick("localizedName"), str(answer.json().get("vanityName", ""))
            return Profile(
                name=name,
                url=f"{self._site()}/company/{vanity}" if vanity else "",
                limits=limits,
                proof=Proof(kind=ProofClass.B),
                settings={"author": author},
            )
        answer = self.call("GET", "/v2/userinfo", headers=self._headers())
        member = PERSON + answer.pick("sub")
        if author and author != member:
            raise Unauthorized(f"the token belongs to {member}, not to {author}; correct the author or the token")
        proof, kept = Proof(kind=ProofClass.C), {"author": member}
        return Profile(name=answer.pick("name"), limits=limits, proof=proof, settings=kept)

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("role") != "organization" or self.settings.get("author"):
            return ()
        params = {"q": "roleAssignee", "role": "ADMINISTRATOR", "state": "APPROVED"}
        found: list[Choice] = []
        for one in self._list("/rest/organizationAcls", params, {}):
            urn = str(one.get("organization") or one.get("organizationTarget") or "")
            if urn.startswith(ORGANIZATION):
                path = f"/rest/organizations/{urn.removeprefix(ORGANIZATION)}"
                name = self.call("GET", path, headers=self._headers()).pick("localizedName")
                found.append(Choice(label=name, settings={"author": urn}))
        if not found:
            raise Unauthorized("LinkedIn names no organisation whose page you administer")
        return tuple(found)

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def upload(self, media: Media) -> dict[str, str]:
        asked = {"initializeUploadRequest": {"owner": self._author()}}
        answer = self.call("POST", "/rest/images?action=initializeUpload", headers=self._headers(), json=asked)
        place, image = answer.pick("value", "uploadUrl"), answer.pick("value", "image")
        self.call("PUT", place, headers={**self._headers(), "Content-Type": media.mime}, content=media.read())
        return {"id": image, "altText": media.alt}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if commit.reply_to is not None:
            return self._comment(post, commit.reply_to)
        _check(post)
        body: dict[str, Any] = {
            "author": self._author(),
            "commentary": _little(post),
            "visibility": "PUBLIC",
            "distribution": DISTRIBUTION,
            "lifecycleState": PUBLISHED,
            "isReshareDisabledByAuthor": False,
        }
        if content := self._content(post, list(commit.prepared.get("media", ()))):
            body["content"] = content
        answer = self.commit("POST", "/rest/posts", headers=self._headers(), json=body)
        return self._receipt(answer.header("x-restli-id"))

    def _content(self, post: Post, media: list[dict[str, str]]) -> dict[str, Any]:
        if post.link and (self._card() or not media):
            # LinkedIn reads no page by itself: the card is what is sent here.
            card = {"source": post.link, "title": post.title or post.link, "description": post.description}
            return {"article": {**card, "thumbnail": media[0]["id"]} if media else card}
        if len(media) > 1:
            return {"multiImage": {"images": media}}
        if media:
            return {"media": {**media[0], "title": post.title} if post.title else media[0]}
        return {}

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if not self._author().startswith(ORGANIZATION):
            raise Unsupported("LinkedIn lets no app read a member's posts")
        since = (commit.at - CLOCKS).timestamp() * 1000
        wanted = text_hash(post.text)
        try:
            said = self._said(commit.reply_to, since)
            return tuple(r for r, text, at in said if at >= since and text_hash(text) == wanted)
        except (KeyError, TypeError) as error:
            raise Unavailable("LinkedIn's list of posts cannot be read") from error

    def _said(self, on: Receipt | None, since: float) -> list[tuple[Receipt, str, float]]:
        """What the author has said, in posts or under ``on``: receipt, text, milliseconds since 1970."""
        if on is not None:
            return [
                (self._comment_receipt(str(c["id"]), on), str(c["message"]["text"]), c["created"]["time"])
                for c in self._list(_comments(on), {}, {})
                if c["actor"] == self._author()
            ]
        params = {"q": "author", "author": self._author(), "sortBy": "CREATED"}
        return [
            (self._receipt(str(p["id"])), _plain(str(p.get("commentary", ""))), p["createdAt"])
            for p in self._list("/rest/posts", params, {"X-RestLi-Method": "FINDER"}, since)
        ]

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        if not self._author().startswith(ORGANIZATION):
            raise Unsupported("LinkedIn lets no app read a member's posts")
        try:
            place = self._place(receipt).partition("?")[0]
            answer = self.call("GET", place, headers=self._headers())
        except Rejected as error:
            if error.status in GONE:
                return None
            raise
        try:
            told = answer.json()
            if "on" in receipt.extra:
                text = str(told["message"]["text"])
                return Seen(text=text, same=text_hash(text) == text_hash(post.text))
            text, content = _plain(str(told["commentary"])), told.get("content") or {}
            pictures = list((content.get("multiImage") or {}).get("images") or ())
            pictures += [content["media"]] if content.get("media") else []
            alts = tuple(str(p["altText"]) for p in pictures if p.get("altText"))
            state = str(told.get("lifecycleState", PUBLISHED))
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post") from error
        if state != PUBLISHED:
            raise Unavailable(f"LinkedIn says that the post is {state}")
        card = bool(content.get("article")) if post.link and (self._card() or not post.media) else None
        # A picture whose alt text it does not tell need not be without one.
        return Seen(
            text=text,
            same=text_hash(text) == text_hash(post.text),
            pictures=None if card else len(pictures),
            alts=alts if len(alts) == len(pictures) else None,
            card=card,
        )

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        headers = {**self._headers(), "X-RestLi-Method": "PARTIAL_UPDATE"}
        patch: dict[str, Any] = {"$set": {"commentary": _little(post)}}
        if "on" in receipt.extra:
            patch = {"message": {"$set": {"text": post.text}}}
        self.commit("POST", self._place(receipt), headers=headers, json={"patch": patch})
        return receipt

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", self._place(receipt), headers=self._headers())
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        if not self._author().startswith(ORGANIZATION) or "on" in receipt.extra:
            raise Unsupported("LinkedIn tells an app how often an organisation's posts were liked, and of no others")
        path = f"/rest/socialMetadata/{quote(receipt.id, safe='')}"
        answer = self.call("GET", path, headers=self._headers())
        try:
            told = answer.json()
            reactions = [int(one["count"]) for one in (told.get("reactionSummaries") or {}).values()]
            return {"likes": sum(reactions), "replies": int(told["commentSummary"]["count"])}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        words, body = answer.words(), answer.body.decode("utf-8", "replace")
        if answer.status == 422 and answer.commit and "DUPLICATE_POST" in body:
            # The urn named may be our own lost post or one that answers 404: look, never trust.
            # https://github.com/ComposioHQ/composio/issues/2710
            urn = URN.search(body)
            what = f"LinkedIn already has this post{f' as {urn[0]}' if urn else ''}"
            return Unconfirmed(what, status=422, words=words)
        if answer.status == 429:
            wait = answer.retry_after(default=PATIENCE)
            return RateLimited("LinkedIn asks to wait", retry_after=wait, status=429, words=words)
        if answer.status == 426:
            what = "LinkedIn has retired this API version; set the account's version to a newer month"
            return Unauthorized(what, status=426, words=words)
        if answer.status == 403:
            return Unauthorized("LinkedIn gives this token no right to do this", status=403, words=words)
        return judge(answer)

    def _comment(self, post: Post, on: Receipt) -> Receipt:
        if post.media:
            raise Unsupported("a LinkedIn comment takes no picture through this adapter")
        _check(post)
        body = {"actor": self._author(), "object": _under(on), "message": {"text": post.text}}
        answer = self.commit("POST", _comments(on), headers=self._headers(), json=body)
        return self._comment_receipt(answer.header("x-restli-id"), on)

    def _list(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], since: float = 0.0
    ) -> list[dict[str, Any]]:
        """The elements of a paged collection; of posts, which come newest first, those made ``since`` and some more.

        A page may have fewer than were asked for and not be the last: then it names the next one.
        https://learn.microsoft.com/linkedin/shared/api-guide/concepts/pagination
        """
        elements: list[dict[str, Any]] = []
        start = 0
        while True:
            page = {**params, "start": str(start), "count": str(PAGE)}
            answer = self.call("GET", path, headers={**self._headers(), **headers}, params=page)
            try:
                found = list(answer.json()["elements"])
                links = (answer.json().get("paging") or {}).get("links") or ()
                more = len(found) >= PAGE or any(link.get("rel") == "next" for link in links)
                old = bool(found) and since > 0 and all(one["createdAt"] < since for one in found)
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer has no elements") from error
            elements += found
            start += PAGE
            if not more or old:
                return elements

    def _place(self, receipt: Receipt) -> str:
        """Where a post or a comment is changed and deleted."""
        if parent := receipt.extra.get("on"):
            actor = quote(self._author(), safe="")
            return f"/rest/socialActions/{quote(str(parent), safe='')}/comments/{receipt.id}?actor={actor}"
        return f"/rest/posts/{quote(receipt.id, safe='')}"

    def _card(self) -> bool:
        return self.settings.get("embed") == CARD

    def _author(self) -> str:
        author = self.settings.get("author", "")
        if not author:
            raise Unauthorized("the account has no author yet; connect it again")
        return author

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.settings.get('access_token', '')}",
            "Linkedin-Version": self.settings.get("version") or VERSION,
            "X-Restli-Protocol-Version": "2.0.0",
        }

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://www.linkedin.com"

    def _receipt(self, urn: str) -> Receipt:
        return Receipt(id=urn, url=f"{self._site()}/feed/update/{urn}")

    def _comment_receipt(self, number: str, on: Receipt) -> Receipt:
        return Receipt(id=number, url=on.url, extra={"on": _under(on)})


def _under(on: Receipt) -> str:
    """The urn of the post that a comment belongs to: what answers a comment stands under the same post."""
    return str(on.extra.get("on", on.id))


def _comments(on: Receipt) -> str:
    return f"/rest/socialActions/{quote(_under(on), safe='')}/comments"


def _check(post: Post) -> None:
    if post.warning or post.visibility != "public":
        raise Unsupported("a LinkedIn post is public and carries no warning")


def _little(post: Post) -> str:
    """The text in LinkedIn's format, every reserved character escaped: an unescaped one silently cuts the post.

    https://learn.microsoft.com/linkedin/marketing/community-management/shares/little-text-format
    """
    parts: list[str] = []
    done = 0
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "tag":
            continue
        sign, tag = post.text[facet.start], post.text[facet.start + 1 : facet.end]
        parts += (_escape(post.text[done : facet.start]), f"{{hashtag|{_escape(sign)}|{_escape(tag)}}}")
        done = facet.end
    return "".join(parts) + _escape(post.text[done:])


def _plain(little: str) -> str:
    """What a reader sees of a text in LinkedIn's format."""
    return ELEMENT.sub(lambda m: m[1] + _plain(m[2]) if m[1] else m[3], little)


def _escape(text: str) -> str:
    return RESERVED.sub(lambda m: "\\" + m[0], text)
