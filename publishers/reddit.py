"""How Reddit takes a post: a form per submission, refusals inside a 200 (some of them a success), words in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from publishers.core import counting
from publishers.core.errors import (
    PublishError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unconfirmed,
    Unsupported,
)
from publishers.core.http import DAY, SOONEST, Answer, judge
from publishers.core.limits import Limits
from publishers.core.oauth import OAuth, Renewal, place
from publishers.core.post import Commit, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

TITLE = 300  # VTitle in https://github.com/reddit-archive/reddit/blob/master/r2/r2/lib/validator/validator.py
SELF, LINK = "self", "link"
NSFW, SPOILER = "nsfw", "spoiler"
CLOCKS = timedelta(minutes=5)  # how far Reddit's clock and ours may be apart
PAGE = 100
JOINER = "\u2060"  # stands in a text so that nothing in it turns into a mention or tag
NAMED = re.compile(r"(?<=[uUrR]/)(?=\w)")
DELETED, REMOVED_BY_OTHERS = "[deleted]", "[removed]"
REMOVED = {"", REMOVED_BY_OTHERS}  # what a moderator leaves of a text
# https://github.com/praw-dev/praw/blob/main/praw/reddit.py reads the same words
TOLD = re.compile(r"(\d+) (milliseconds?|seconds?|minutes?|hours?)")
SECONDS = {"m": 60.0, "s": 1.0, "h": 3600.0}
PATIENCE = 600.0  # where it says no time
# Names of https://github.com/reddit-archive/reddit/blob/master/r2/r2/lib/errors.py
BUSY = {"RATELIMIT", "SUBREDDIT_RATELIMIT"}
UNSURE = {"ALREADY_SUB", "CONFLICT"}
NO_RIGHT = {
    *("USER_REQUIRED", "VERIFIED_USER_REQUIRED", "NO_VERIFIED_EMAIL", "EXPIRED", "IN_TIMEOUT", "BANNED_IP"),
    *("SUBREDDIT_NOEXIST", "SUBREDDIT_NOTALLOWED", "SUBREDDIT_NO_ACCESS", "SUBREDDIT_REQUIRED", "NO_SELFS", "NO_LINKS"),
}
LINKS = "t3_"  # how the ids of posts begin; those of comments: t1_


class Reddit(Publisher):
    """One member posting to one subreddit (https://www.reddit.com/dev/api)."""

    label: ClassVar = "Reddit"
    home: ClassVar = "https://oauth.reddit.com"
    limits: ClassVar = Limits(
        text=40_000,  # SELFTEXT_MAX_LENGTH; a comment has 10,000 (r2/r2/models/link.py, r2/r2/lib/validator)
        counting="reddit",
        title=TITLE,
        hashtags=0,  # Reddit knows none
        media=0,  # an uploaded picture is answered without the post's id, so no receipt could be kept
        link_in_text=False,
        comment=True,
        warning=True,
        labels=(NSFW, SPOILER),
    )
    fields: ClassVar = (
        Setting(name="subreddit", label="Subreddit, such as test; u_yourname is your own profile"),
        Setting(name="kind", label="A link post or a text post: link or self", required=False, default=LINK),
        Setting(name="flair", label="Flair: its words or its id", required=False),
        Setting(name="access_token", label="OAuth 2 access token", secret=True),
        Setting(name="refresh_token", label="Refresh token", secret=True, required=False),
        Setting(name="client_id", label="Client id of your app", required=False),
        Setting(name="client_secret", label="Client secret of your app", secret=True, required=False),
    )
    # https://github.com/reddit-archive/reddit/wiki/OAuth2, named from memory and not read again
    oauth: ClassVar = OAuth(
        authorize="https://www.reddit.com/api/v1/authorize",
        endpoint="https://www.reddit.com/api/v1/access_token",
        revoke="https://www.reddit.com/api/v1/revoke_token",
        scopes=("identity", "submit", "edit", "history", "read", "flair"),
        asks=("subreddit",),
        pkce=False,
        basic=True,
        more={"duration": "permanent"},  # without it there is no refresh token
    )
    renewal: ClassVar = Renewal(ahead=timedelta(minutes=20))  # it lives an hour or a day, as expires_in says
    proof: ClassVar = Proof(kind=ProofClass.B)
    reshares: ClassVar = None  # a link stands in a community once: ALREADY_SUB, and moderators call the second spam
    retitles: ClassVar = False
    # Every submission is two requests, and an app may send 60 a minute by
    # https://github.com/reddit-archive/reddit/wiki/API; what a new member may post hangs on karma and is not published.
    budgets: ClassVar = (Budget(posts=25, seconds=60, app=True),)
    unverified: ClassVar = (
        "never run against the real platform; the limit of requests now in force and how an app gets its approval; "
        "how long a new post takes to be in the member's own list; editing the text below a link; how "
        "its newer apps show escaped signs"
    )

    def connect(self) -> Profile:
        if (kind := self._kind()) not in {SELF, LINK}:
            raise Unauthorized(f"kind is {LINK} or {SELF}")
        name = self._me()
        told = self._about()
        shown = str(told.get("display_name") or self._subreddit())
        if told.get("user_is_banned"):
            raise Unauthorized(f"u/{name} is banned from r/{shown}")
        if told.get("submission_type") in {SELF, LINK} and told["submission_type"] != kind:
            raise Unauthorized(f"r/{shown} takes only {told['submission_type']} posts; set the account's kind to that")
        rules = self.call("GET", f"/api/v1/{shown}/post_requirements", headers=self._headers(), params=_raw()).json()
        rules = rules if isinstance(rules, dict) else {}
        limits: dict[str, Any] = {"link_in_text": True} if kind == SELF else {}
        if isinstance(most := rules.get("title_text_max_length"), int) and 0 < most < TITLE:
            limits["title"] = most
        kept = {"username": name, "subreddit": shown}
        if self.settings.get("flair") or rules.get("is_flair_required"):
            kept |= self._flair(shown)
        return Profile(name=f"u/{name} in r/{shown}", url=f"{self._site()}/r/{shown}", limits=limits, settings=kept)

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def revoke(self) -> None:
        own = self._oauth()
        if self.settings.get("client_id") and (token := self.settings.get("refresh_token")):
            asked = own.revocation(self.settings, token)
            self.call("POST", place(own.revoke, self._own()), **self._named(asked))

    def create(self, post: Post, commit: Commit) -> Receipt:
        _check(post, commit.reply_to)
        # A refusal "too fast" may come with the post all the same (https://github.com/praw-dev/praw/issues/1768), and
        # Reddit knows no key: what one try may have left is looked for before the next one sends anything.
        for found in self.find(post, commit):
            return found
        if commit.reply_to is not None:
            form = {"api_type": "json", "thing_id": _under(commit).id, "text": markdown(post)}
            answer = self.commit("POST", "/api/comment", headers=self._headers(), params=_raw(), form=form)
            return self._said(answer)
        title, _ = split(post)
        form = {
            "api_type": "json",
            "sr": self._subreddit(),
            "title": title,
            "nsfw": _bool(post.warning == NSFW),
            "spoiler": _bool(post.warning == SPOILER),
            "resubmit": "false",
            "sendreplies": "true",
            "validate_on_submit": "true",
            **self._content(post),
        }
        for name in ("flair_id", "flair_text"):
            if value := self.settings.get(name):
                form[name] = value
        answer = self.commit("POST", "/api/submit", headers=self._headers(), params=_raw(), form=form)
        return Receipt(
            id=answer.pick("json", "data", "name"), url=answer.pick("json", "data", "url"), extra={"title": title}
        )

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        since = (commit.at - CLOCKS).timestamp()
        found: list[Receipt] = []
        for answer, one in self._own_things("submitted" if commit.reply_to is None else "comments", since):
            try:
                if self._is(one, post, commit):
                    found.append(self._receipt(one))
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
        return tuple(found)

    def locate(self, address: str) -> Receipt:
        if re.fullmatch(r"t[13]_\w+", address.strip()):
            return Receipt(id=address.strip())
        if (found := re.search(r"/comments/(\w+)(?:/[^/?#]*/(\w+))?", address)) is None:
            raise Rejected("it shows no message's id")
        return Receipt(id=f"t1_{found[2]}" if found[2] else f"t3_{found[1]}", url=address)

    def _title(self, receipt: Receipt) -> str:
        answer = self.call("GET", "/api/info", headers=self._headers(), params={"id": receipt.id, **_raw()})
        return answer.pick("data", "children", 0, "data", "title")

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        answer = self.call("GET", "/api/info", headers=self._headers(), params={"id": receipt.id, **_raw()})
        try:
            found = answer.json()["data"]["children"]
            if not found:
                return None
            one = found[0]["data"]
            below = "body" in one
            text = str(one["body"] if below else one["title"])
            said = text if below else str(one.get("selftext") or "")
            if str(one["author"]) == DELETED or said == REMOVED_BY_OTHERS:
                return None
            title, words = split(post)
            linked = None if below or one.get("is_self") or not post.link else one["url"] == post.link
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post") from error
        if below:
            return Seen(text=text, same=_same(text, markdown(post)))
        return Seen(text=text, same=_same(text, title) and (not said or _same(said, words)), card=linked)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        text = markdown(post)
        if receipt.id.startswith(LINKS):
            title, text = split(post)
            if title != (receipt.extra.get("title") or self._title(receipt)):  # whoever gives a receipt tells no title
                raise Unsupported("Reddit lets nobody change a title; delete the post and write a new one")
        form = {"api_type": "json", "thing_id": receipt.id, "text": text}
        answer = self.commit("POST", "/api/editusertext", headers=self._headers(), params=_raw(), form=form)
        answer.pick("json", "data", "things", 0, "kind")
        return receipt

    def delete(self, receipt: Receipt) -> None:
        form = {"api_type": "json", "id": receipt.id}
        try:
            self.commit("POST", "/api/del", headers=self._headers(), params=_raw(), form=form)
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.call("GET", "/api/info", headers=self._headers(), params={"id": receipt.id, **_raw()})
        score = int(float(answer.pick("data", "children", 0, "data", "score")))
        told = answer.json()["data"]["children"][0]["data"]
        counts = {"shares": "num_crossposts", "replies": "num_comments", "views": "view_count"}
        numbers = {ours: told[theirs] for ours, theirs in counts.items() if isinstance(told.get(theirs), int)}
        return {"likes": max(0, score), **numbers}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 429:
            reset = _number(answer.headers.get("x-ratelimit-reset"))
            wait = answer.retry_after(default=60.0 if reset is None else reset)
            return RateLimited("Reddit asks to wait", retry_after=wait, status=429, words=words)
        if status == 403 and (why := _barred(answer)):
            return Unauthorized(why, status=403, words=words)
        if status >= 300:
            return judge(answer)
        told = _told(answer)
        if told.get("error") and isinstance(told["error"], str):  # how a token is refused, in a 200
            return Unauthorized(f"Reddit answered {told['error']}", status=status, words=words)
        inside = told.get("json")
        inside = inside if isinstance(inside, dict) else {}
        data = inside.get("data")
        # What was made is read before what was refused: https://github.com/praw-dev/praw/issues/1768
        if not inside.get("errors") or (isinstance(data, dict) and (data.get("id") or data.get("things"))):
            return None
        return self._refused(answer, inside)

    def _refused(self, answer: Answer, inside: Mapping[str, Any]) -> PublishError:
        first = inside["errors"][0] if isinstance(inside["errors"], list) else [inside["errors"]]
        code = str(first[0]) if isinstance(first, list) and first else str(first)
        said = " ".join(str(w) for w in first[:2]) if isinstance(first, list) else str(first)
        status, what = answer.status, f"Reddit answered {code}"
        if code in BUSY:
            wait = _number(inside.get("ratelimit")) or _spoken(said) or PATIENCE
            wait = min(max(wait, SOONEST), DAY)
            return RateLimited("Reddit asks to wait", retry_after=wait, status=status, words=said)
        if code in UNSURE:
            kind = Unconfirmed if answer.commit else Unavailable
            return kind(what, status=status, words=said)
        return (Unauthorized if code in NO_RIGHT else Rejected)(what, status=status, words=said)

    def _granted(self, asked: Mapping[str, Any]) -> Mapping[str, str]:
        return super()._granted(self._named(asked))

    def _named(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A request of OAuth with our name in it: Reddit slows down and blocks those that bear a common one."""
        return {**asked, "headers": {**asked.get("headers", {}), "User-Agent": self._agent()}}

    def _agent(self) -> str:
        # https://github.com/reddit-archive/reddit/wiki/API: platform, app, version and who is responsible
        who = self.settings.get("username") or "the member who signed in"
        return f"web:{self.settings.get('client_id') or 'handbill'}:handbill 1 (by /u/{who})"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}", "User-Agent": self._agent()}

    def _kind(self) -> str:
        return self.settings.get("kind") or LINK

    def _subreddit(self) -> str:
        """The subreddit's name, however it was written down."""
        name = self.settings.get("subreddit", "").strip().rstrip("/")
        for before in ("/r/", "r/"):
            _, found, rest = name.rpartition(before)
            name = rest if found else name
        if not re.fullmatch(r"\w{2,25}", name, re.ASCII):
            raise Unauthorized("the account has no subreddit, or not one that can exist; give its name without r/")
        return name

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://www.reddit.com"

    def _me(self) -> str:
        return self.call("GET", "/api/v1/me", headers=self._headers(), params=_raw()).pick("name")

    def _about(self) -> Mapping[str, Any]:
        name = self._subreddit()
        try:
            answer = self.call("GET", f"/r/{name}/about", headers=self._headers(), params=_raw())
        except PublishError as error:
            if error.status not in {302, 403, 404}:
                raise
            what = f"there is no r/{name}, or this account may not see it"
            raise Unauthorized(what, status=error.status, words=error.words) from None
        answer.pick("data", "display_name")
        told: Mapping[str, Any] = answer.json()["data"]
        return told

    def _flair(self, subreddit: str) -> dict[str, str]:
        """The flair to post with; which there are, if it is none of them."""
        answer = self.call("GET", f"/r/{subreddit}/api/link_flair_v2", headers=self._headers(), params=_raw())
        try:
            known = [(str(f["id"]), str(f.get("text") or "")) for f in answer.json()]
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a list of flairs") from error
        wanted = self.settings.get("flair", "").strip()
        for number, text in known:
            if wanted and wanted.casefold() in {number.casefold(), text.strip().casefold()}:
                return {"flair_id": number, "flair_text": text}
        there = ", ".join(text or number for number, text in known) or "none"
        raise Unauthorized(f"r/{subreddit} wants one of its flairs; set flair to one of: {there}")

    def _content(self, post: Post) -> dict[str, str]:
        """A link with the text below it, or the text alone."""
        _, text = split(post)
        if self._kind() == SELF or not post.link:
            return {"kind": SELF, "text": text}
        return {"kind": LINK, "url": post.link, **({"text": text} if text else {})}

    def _own_things(self, listing: str, since: float) -> Iterator[tuple[Answer, Mapping[str, Any]]]:
        """What the member has written, newest first, with the answer it came in."""
        name = self.settings.get("username") or self._me()
        params = {"sort": "new", "limit": str(PAGE), **_raw()}
        while True:
            answer = self.call("GET", f"/user/{name}/{listing}", headers=self._headers(), params=params)
            try:
                page = answer.json()["data"]
                things = [(child["data"], float(child["data"]["created_utc"])) for child in page["children"]]
                after = str(page.get("after") or "")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
            recent = [one for one, at in things if at >= since]
            yield from ((answer, one) for one in recent)
            if not after or len(recent) < len(things):
                return
            if params.get("after") == after:
                raise answer.unreadable("the answer is not a page of posts")
            params["after"] = after

    def _is(self, one: Mapping[str, Any], post: Post, commit: Commit) -> bool:
        """Whether ``one`` is what this commit would have made: same place, same words, same link."""
        if commit.reply_to is not None:
            return bool(one["parent_id"] == _under(commit).id and _same(str(one["body"]), markdown(post)))
        if str(one["subreddit"]).casefold() != self._subreddit().casefold():
            return False
        title, text = split(post)
        content = self._content(post)
        if bool(one.get("is_self")) != (content["kind"] == SELF) or not _same(str(one["title"]), title):
            return False
        if content["kind"] == LINK and one["url"] != post.link:
            return False
        return str(one.get("selftext") or "") in REMOVED or _same(str(one["selftext"]), text)

    def _said(self, answer: Answer) -> Receipt:
        """The receipt of a comment just written."""
        answer.pick("json", "data", "things", 0, "data", "name")
        return self._receipt(answer.json()["json"]["data"]["things"][0]["data"])

    def _receipt(self, one: Mapping[str, Any]) -> Receipt:
        name = str(one["name"])
        path = str(one.get("permalink") or "")
        if not path and "link_id" in one:
            path = f"/comments/{str(one['link_id']).removeprefix('t3_')}/_/{name.removeprefix('t1_')}/"
        extra = {"title": str(one["title"])} if "title" in one else {}
        return Receipt(id=name, url=f"{self._site()}{path}" if path else None, extra=extra)


def split(post: Post) -> tuple[str, str]:
    """A post's title, which Reddit shows as it is, and the Markdown below it; no word of the text is lost."""
    headline, _, _ = post.text.partition("\n")
    shown = headline.replace(JOINER, "").strip()
    marked = any(f.type == "link" and f.start < len(headline) for f in post.facets)
    if (not post.title or shown == post.title) and shown and len(shown) <= TITLE and not marked:
        return _title(shown), markdown(post, len(headline)).strip()
    title = post.title or shown
    if len(title) > TITLE:
        title = title[: TITLE - 1].rpartition(" ")[0].rstrip() or title[: TITLE - 1]
        title += "…"
    return _title(title), markdown(post).strip()


def _title(text: str) -> str:
    """On one line, and naming no member or community."""
    return " ".join(NAMED.sub(JOINER, text).split())[:TITLE]


def markdown(post: Post, start: int = 0) -> str:
    """The text from ``start`` on in Reddit's Markdown: only the post's own links are live, all else stands as it is."""
    parts: list[str] = []
    done = start
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "link" or facet.start < start:
            continue
        said = counting.reddit_markup(post.text, facet.start, facet.end)
        parts += [counting.reddit_markup(post.text, done, facet.start), f"[{said}]({_closed(facet.value)})"]
        done = facet.end
    return "".join(parts) + counting.reddit_markup(post.text, done, len(post.text))


def _closed(link: str) -> str:
    instead = {" ": "%20", "(": "%28", ")": "%29", "\\": "%5C", "<": "%3C", ">": "%3E"}
    return "".join(instead.get(c, c) for c in link)


def _check(post: Post, reply_to: Receipt | None) -> None:
    if post.visibility != "public":
        raise Unsupported("a Reddit post is for everybody who may read the subreddit")
    if post.warning not in {"", NSFW, SPOILER} or (post.warning and reply_to is not None):
        raise Unsupported(f"Reddit warns of a post by {NSFW} or {SPOILER} alone, and of a comment not at all")


def _under(commit: Commit) -> Receipt:
    """The post that a comment stands under: all of them stand under the post itself."""
    under = commit.root or commit.reply_to
    assert under is not None  # asked before
    return under


def _same(theirs: str, ours: str) -> bool:
    return text_hash(theirs.replace(JOINER, "")) == text_hash(ours.replace(JOINER, ""))


def _raw() -> dict[str, str]:
    return {"raw_json": "1"}  # else &, < and > come back as HTML


def _bool(value: object) -> str:
    return "true" if value else "false"


def _barred(answer: Answer) -> str:
    """Why nothing at all may be done; empty if it is only this."""
    if "insufficient_scope" in answer.headers.get("www-authenticate", ""):
        return "the token lacks a scope; sign in again"
    if "json" not in answer.headers.get("content-type", "json"):
        return "Reddit blocks this app or this machine"
    return ""


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _number(told: Any) -> float | None:
    try:
        return float(told)
    except (TypeError, ValueError):
        return None


def _spoken(words: str) -> float | None:
    """The seconds of "Take a break for 11 minutes"; the next whole one, so that it is not too early."""
    found = TOLD.search(words)
    if not found:
        return None
    return 1.0 if found[2].startswith("milli") else int(found[1]) * SECONDS[found[2][0]] + 1
