"""How Lemmy takes a post to a community: a title, a link with its own thumbnail, words in Markdown, comments below."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import JOINER, apart, closed, escaped, marked
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

API = "/api/v3"  # which 1.0 speaks too, all but pictures and reading one comment: crates/api/routes_v3/src/lib.rs
API_1 = "/api/v4"
TITLE = 200  # is_valid_post_title in crates/utils/src/utils/validation.rs
NSFW = "nsfw"
PAGE = 50
CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
LOOKED_UP = Proof(kind=ProofClass.B)
NOBODY = Proof(kind=ProofClass.C)
UNDETERMINED = 0  # the language of what has none
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
SLUR = "*removed*"  # what the server puts in place of words that it does not like
POST, COMMENT = "post", "comment"
LEMMY_1 = (1,)
RELEASE = re.compile(r"\d+")
# What CommonMark and Lemmy's own rules read as markup; https://spec.commonmark.org/0.31.2/#backslash-escapes takes any
# sign of ASCII behind a backslash. At the beginning of a line it is a heading, a quote, a list, a rule or a spoiler.
MARKUP = re.compile(
    r"(?P<end>(?<=[^\n])\n(?=[^\n]))|(?P<begin>^[ \t]*(?:[#>+=:-]|\d{1,9}[.)]))|(?P<indent>^[ \t]+)"
    r"|[\\`*_\[\]<>&^~|]|:(?=[\w+-]+:)",
    re.MULTILINE,
)
# Names of crates/utils/src/error.rs
NO_RIGHT = {
    *("not_logged_in", "incorrect_login", "email_not_verified", "registration_application_is_pending"),
    *("registration_denied", "site_ban", "person_is_banned_from_site", "banned_from_community", "deleted"),
    *("person_is_banned_from_community", "only_mods_can_post_in_community", "instance_is_private"),
    *("couldnt_find_community", "missing_totp_token", "incorrect_totp_token"),
}
GONE = {"couldnt_find_post", "couldnt_find_comment", "couldnt_update_post", "couldnt_update_comment", "couldnt_update"}
BUSY = {"rate_limit_error", "too_many_requests"}


class Lemmy(Publisher):
    """One member of a Lemmy server posting to one community (https://join-lemmy.org/docs/contributors/04-api.html)."""

    label: ClassVar = "Lemmy"
    limits: ClassVar = Limits(
        # A comment has 10,000 characters, a post 50,000 (validation.rs); half of it, since each may need a backslash.
        text=5000,
        title=TITLE,
        hashtags=0,  # Lemmy knows none in its texts
        media=1,
        media_bytes=5_000_000,
        media_types=("image/jpeg", "image/png", "image/webp"),
        alt=1500,
        link_in_text=False,
        comment=True,
        warning=True,
        labels=(NSFW,),
    )
    fields: ClassVar = (
        Setting(name="server", label="Server, such as https://lemmy.world"),
        Setting(name="community", label="Community, such as news or news@lemmy.ml"),
        Setting(name="username", label="Name or e-mail address", required=False, rehearsal="{account}"),
        Setting(name="password", label="Password", secret=True, required=False, rehearsal="rehearsal"),
        Setting(name="access_token", label="Or the token (jwt) of a session", secret=True, required=False),
    )
    pasted: ClassVar = "name and password"
    repictures: ClassVar = True
    proof: ClassVar = LOOKED_UP
    reshares: ClassVar = None  # a link stands in a community once, or its moderators call the second one spam
    budgets: ClassVar = (Budget(posts=6, seconds=600),)  # what a server is set up with: local_site_rate_limit
    addressed: ClassVar = r"(?:^|/)((?:post|comment)/\d+)(?=[/?#]|$)"
    unverified: ClassVar = (
        "never run against a real server; 0.19 and 1.0 as their source has them; whether readers' apps show the alt "
        "text of a link's thumbnail; what a server takes beyond 5 MB"
    )

    def connect(self) -> Profile:
        token = {} if self.settings.get("access_token") else dict(self.refresh())
        self.settings = {**self.settings, **token}
        site = self.call("GET", f"{API}/site", headers=self._auth())
        version = site.pick("version")
        if not site.told("my_user"):
            raise Unauthorized("the server does not know this session; connect the account again")
        me = site.told("my_user", "local_user_view", "person")
        number, name = site.pick("my_user", "local_user_view", "person", "id"), str(me.get("name"))
        found = self._community()
        community = found.told("community_view", "community")
        where, shown = (
            found.pick("community_view", "community", "id"),
            found.pick("community_view", "community", "name"),
        )
        self._may_post(site, community)
        mine, theirs = site.told("my_user", "discussion_languages") or [], found.told("discussion_languages") or []
        host = urlsplit(str(community.get("actor_id") or self.base)).netloc
        address = f"{shown}@{host}" if host != urlsplit(self.base).netloc else shown
        return Profile(
            name=f"{name}@{urlsplit(self.base).netloc} in {address}",
            url=f"{self.base}/c/{address}",
            proof=LOOKED_UP if _sees_itself(site, mine) else NOBODY,
            settings={
                **token,
                "person_id": number,
                "community_id": where,
                "languages": _languages(site, mine, theirs),
                "images": f"{API_1}/image" if _release(version) >= LEMMY_1 else "/pictrs/image",
            },
        )

    def refresh(self) -> Mapping[str, str]:
        """Open a session: it has no end, but a new password or the member ends it."""
        name, password = self.settings.get("username", ""), self.settings.get("password", "")
        if not name or not password:
            raise Unauthorized("Lemmy does not accept the session; give a name and a password, or a new token")
        answer = self.call("POST", f"{API}/user/login", json={"username_or_email": name, "password": password})
        if answer.told("registration_created") or answer.told("verify_email_sent"):
            raise Unauthorized("the server has not let this member in yet; its e-mail or application is open")
        token = answer.pick("jwt")
        self.http.hide(token)
        return {"access_token": token}

    def upload(self, media: Media) -> dict[str, str]:
        path, name = self.settings.get("images") or "/pictrs/image", f"picture.{SUFFIX[media.mime]}"
        answer = self.call("POST", path, headers=self._auth(), files={"images[]": (name, media.read(), media.mime)})
        if answer.told("image_url"):
            return {"url": answer.pick("image_url")}
        return {"url": f"{self.base}/pictrs/image/{answer.pick('files', 0, 'file')}"}

    def create(self, post: Post, commit: Commit) -> Receipt:
        _check(post, commit.reply_to)
        if commit.reply_to is not None:
            root = commit.root or commit.reply_to
            body: dict[str, Any] = {"content": markdown(post), "post_id": _number(root)}
            if commit.reply_to.id.startswith(COMMENT):
                body["parent_id"] = _number(commit.reply_to)
            answer = self.commit("POST", f"{API}/comment", headers=self._auth(), json={**body, **self._language(post)})
            return self._receipt(COMMENT, answer.pick("comment_view", "comment", "id"))
        thumbnail = next((str(m["url"]) for m in commit.prepared.get("media", ())), "")
        body = {"community_id": int(self._setting("community_id")), **self._said(post, thumbnail)}
        answer = self.commit("POST", f"{API}/post", headers=self._auth(), json=body)
        return self._receipt(POST, answer.pick("post_view", "post", "id"), thumbnail)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if commit.reply_to is not None:
            return tuple(self._comments(post, commit))
        found: list[Receipt] = []
        asked = {"community_id": self._setting("community_id"), "sort": "New", "type_": "All"}
        asked |= dict.fromkeys(("show_nsfw", "show_read", "show_hidden"), "true")
        for answer, one in self._listed("post", "posts", asked, commit):
            try:
                if self._is(one, post):
                    found.append(self._receipt(POST, str(one["post"]["id"]), _thumbnail(one["post"], post)))
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
        return tuple(found)

    def locate(self, address: str) -> Receipt:
        return super().locate(self.ours(address))

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        kind = COMMENT if receipt.id.startswith(COMMENT) else POST
        try:
            answer = self._one(receipt, kind)
        except Rejected as error:
            if error.status == 404 or any(f'"{code}"' in error.words for code in GONE):
                return None
            raise
        answer.pick(f"{kind}_view", kind, "id")
        told = answer.json()[f"{kind}_view"][kind]
        if told.get("deleted") or told.get("removed"):
            return None
        if kind == COMMENT:
            content = str(told.get("content") or "")
            return Seen(text=content, same=_same(content, markdown(post)))
        try:
            same = self._is({"post": told}, post)
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post") from error
        text = "\n\n".join(part for part in (str(told["name"]), str(told.get("body") or "")) if part)
        thumbnail = _thumbnail(told, post)
        alts = (str(told.get("alt_text") or ""),) if thumbnail else ()
        return Seen(
            text=text, same=same, pictures=len(alts), alts=alts, card=bool(told.get("url")) if post.link else None
        )

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        _check(post, receipt if receipt.id.startswith(COMMENT) else None)
        if receipt.id.startswith(COMMENT):
            body: dict[str, Any] = {"comment_id": _number(receipt), "content": markdown(post), **self._language(post)}
            self.commit("PUT", f"{API}/comment", headers=self._auth(), json=body).pick("comment_view", "comment", "id")
            return receipt
        made = next((str(m["url"]) for m in commit.prepared.get("media", ())), "")
        known = "" if commit.fresh else str(receipt.extra.get("thumbnail") or "")
        body = {"post_id": _number(receipt), **self._said(post, known or made)}
        self.commit("PUT", f"{API}/post", headers=self._auth(), json=body).pick("post_view", "post", "id")
        shown = {"thumbnail": known or made} if known or made else {}
        return dataclasses.replace(receipt, extra={**receipt.extra, **shown})

    def delete(self, receipt: Receipt) -> None:
        kind = COMMENT if receipt.id.startswith(COMMENT) else POST
        body = {f"{kind}_id": _number(receipt), "deleted": True}
        try:
            self.commit("POST", f"{API}/{kind}/delete", headers=self._auth(), json=body)
        except Rejected as error:
            if error.status != 404 and not any(f'"{code}"' in error.words for code in GONE):
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        kind = COMMENT if receipt.id.startswith(COMMENT) else POST
        answer = self._one(receipt, kind)
        counts = {"likes": "upvotes", "replies": "child_count" if kind == COMMENT else "comments"}
        place = kind if kind == COMMENT and self._is_1() else "counts"
        try:
            return {ours: int(answer.pick(f"{kind}_view", place, theirs)) for ours, theirs in counts.items()}
        except ValueError as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), str(answer.told("error") or "")
        if status == 429 or (400 <= status < 500 and code in BUSY):
            wait = answer.retry_after(default=600)  # it never says; a server is set up with as many seconds
            return RateLimited("the server asks to wait", retry_after=wait, status=status, words=words)
        if 400 <= status < 500 and code in NO_RIGHT:
            return Unauthorized(f"the server does not allow this ({code})", status=status, words=words)
        return judge(answer)

    def _one(self, receipt: Receipt, kind: str) -> Answer:
        api = API_1 if kind == COMMENT and self._is_1() else API
        return self.call("GET", f"{api}/{kind}", headers=self._auth(), params={"id": str(_number(receipt))})

    def _is_1(self) -> bool:
        """Whether the server is Lemmy 1.0 or newer, as ``connect`` found."""
        return self.settings.get("images", "").startswith(API_1)

    def _community(self) -> Answer:
        name = self._setting("community").strip().rstrip("/").lstrip("!")
        if "://" in name:  # its address, on our server or its own
            parts = urlsplit(name)
            named = parts.path.rpartition("/")[2]
            ours = parts.netloc == urlsplit(self.base).netloc or "@" in named
            name = named if ours else f"{named}@{parts.netloc}"
        try:
            return self.call("GET", f"{API}/community", headers=self._auth(), params={"name": name})
        except (Rejected, Unauthorized) as error:
            if isinstance(error, Unauthorized) and "couldnt_find_community" not in error.words:
                raise
            why = f"{urlsplit(self.base).netloc} knows no community {name}, or does not federate with its server"
            raise Unauthorized(why, status=error.status, words=error.words) from None

    def _may_post(self, site: Answer, community: Mapping[str, Any]) -> None:
        """Raise Unauthorized, saying why, unless this member may post in the community."""
        name = community.get("name")
        if community.get("removed") or community.get("deleted"):
            raise Unauthorized(f"the community {name} was taken away")
        if not community.get("posting_restricted_to_mods"):
            return
        mine = [m["community"]["id"] for m in site.told("my_user", "moderates") or () if isinstance(m, dict)]
        if community.get("id") not in mine:
            raise Unauthorized(f"missing permission: only its moderators may post in {name}")

    def _said(self, post: Post, thumbnail: str) -> dict[str, Any]:
        title, text = split(post)
        said: dict[str, Any] = {"name": title, "nsfw": post.warning == NSFW, **self._language(post)}
        if text:
            said["body"] = text
        if link := post.link or thumbnail:
            said["url"] = link
        if thumbnail:
            said |= {"custom_thumbnail": thumbnail} if post.link else {}
            said |= {"alt_text": post.media[0].alt} if post.media and post.media[0].alt else {}
        return said

    def _language(self, post: Post) -> dict[str, int]:
        known = dict(pair.split(":") for pair in self.settings.get("languages", "").split())
        language = (post.language or "").partition("-")[0]
        return {"language_id": int(known[language])} if language in known else {}

    def _listed(
        self, kind: str, many: str, asked: Mapping[str, str], commit: Commit
    ) -> Iterator[tuple[Answer, Mapping[str, Any]]]:
        """What this member has written there since, newest first; what is pinned comes first however old it is."""
        me, number, before = self._setting("person_id"), 1, ""
        while True:
            params = {**asked, "limit": str(PAGE), "page": str(number)}
            answer = self.call("GET", f"{API}/{kind}/list", headers=self._auth(), params=params)
            try:
                dated = [(one, datetime.fromisoformat(one[kind]["published"])) for one in answer.json()[many]]
                recent = [one for one, at in dated if at >= commit.at - CLOCKS]
                own = [one for one in recent if str(one[kind]["creator_id"]) == me]
                old = [one for one, at in dated if at < commit.at - CLOCKS and not _pinned(one[kind])]
                last = str(dated[-1][0][kind]["id"]) if dated else ""
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable(f"the answer is not a list of {many}") from error
            if last and last == before:
                raise answer.unreadable("the answer is the same page again")
            yield from ((answer, one) for one in own)
            if old or len(dated) < PAGE:
                return
            number, before = number + 1, last

    def _comments(self, post: Post, commit: Commit) -> Iterator[Receipt]:
        assert commit.reply_to is not None  # asked before
        root, wanted = commit.root or commit.reply_to, markdown(post)
        parent = str(_number(commit.reply_to)) if commit.reply_to.id.startswith(COMMENT) else "0"
        asked = {"post_id": str(_number(root)), "sort": "New", "type_": "All"}
        for answer, one in self._listed("comment", "comments", asked, commit):
            try:
                told = one["comment"]
                path = str(told["path"]).split(".")
                if path[-2:-1] == [parent] and not told.get("deleted") and _same(str(told["content"]), wanted):
                    yield self._receipt(COMMENT, str(told["id"]))
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of comments") from error

    def _is(self, one: Mapping[str, Any], post: Post) -> bool:
        """Whether ``one`` is what this post would have made: same title, same words, same link."""
        told = one["post"]
        if told.get("deleted") or told.get("removed"):
            return False
        title, text = split(post)
        if not _same(str(told["name"]), title) or not _same(str(told.get("body") or ""), text):
            return False
        return not post.link or _place(str(told.get("url") or "")) == _place(post.link)

    def _receipt(self, kind: str, number: str, thumbnail: str = "") -> Receipt:
        extra = {"thumbnail": thumbnail} if thumbnail else {}
        return Receipt(id=f"{kind}/{number}", url=f"{self.base}/{kind}/{number}", extra=extra)

    def _setting(self, name: str) -> str:
        value = self.settings.get(name, "")
        if not value or (name.endswith("_id") and not value.isdecimal()):
            raise Unauthorized(f"the account's {name.replace('_', ' ')} is not known; connect it again")
        return value

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}


def split(post: Post) -> tuple[str, str]:
    """A post's title, which Lemmy shows as it is, and the Markdown below it; no word of the text is lost."""
    title, start = apart(post, TITLE)
    return title, markdown(post, start).strip()


def markdown(post: Post, start: int = 0) -> str:
    """The text from ``start`` on in Markdown: only the post's own links are live, all else stands as it is."""
    return marked(post, escaped(post.text, MARKUP, _instead), _link, start=start)


def _link(said: str, link: str) -> str:
    return f"<{closed(link)}>" if said == link else f"[{said}]({closed(link)})"


def _instead(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "end":
            return "  \n"
        case "indent":
            return ""
        case _:
            sign = found[0].lstrip()
            return f"{sign[:-1]}\\{sign[-1]}"


def _check(post: Post, reply_to: Receipt | None) -> None:
    if post.visibility != "public":
        raise Unsupported("a post on Lemmy is for everybody who may read the community")
    if post.warning not in {"", NSFW} or (post.warning and reply_to is not None):
        raise Unsupported(f"Lemmy warns of a post by {NSFW} alone, and of a comment not at all")


def _sees_itself(site: Answer, languages: list[Any]) -> bool:
    """Whether this member is shown its own posts: its settings may hide those of bots and of other languages."""
    view = site.told("my_user", "local_user_view") or {}
    bot = view.get("person", {}).get("bot_account") and not view.get("local_user", {}).get("show_bot_accounts", True)
    return not bot and (not languages or UNDETERMINED in languages)


def _languages(site: Answer, mine: list[Any], theirs: list[Any]) -> str:
    """Which languages may be named here, each with its number on this server."""
    allowed = [x for x in site.told("all_languages") or () if isinstance(x, dict) and x.get("code") != "und"]
    kept = {
        str(x["code"]): x["id"]
        for x in allowed
        if type(x.get("id")) is int and (not mine or x["id"] in mine) and (not theirs or x["id"] in theirs)
    }
    return " ".join(f"{code}:{number}" for code, number in sorted(kept.items()))


def _thumbnail(told: Mapping[str, Any], post: Post) -> str:
    """The picture that a post was made with, if it had one."""
    return str((told.get("thumbnail_url") if post.link else told.get("url")) or "") if post.media else ""


def _pinned(told: Mapping[str, Any]) -> bool:
    return bool(told.get("featured_community") or told.get("featured_local"))


def _same(theirs: str, ours: str) -> bool:
    """Whether the words are ours, but for those that the server has taken out."""
    left = [" ".join(part.split()) for part in theirs.replace(JOINER, "").split(SLUR)]
    pattern = r"\s*.*?\s*".join(re.escape(part) for part in left)
    return re.fullmatch(pattern, " ".join(ours.replace(JOINER, "").split())) is not None


def _place(link: str) -> str:
    """What stays of an address: the server writes it in its own way and takes trackers out."""
    parts = urlsplit(link)
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _number(receipt: Receipt) -> int:
    return int(receipt.id.rpartition("/")[2])


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in RELEASE.findall(version)[:3])
