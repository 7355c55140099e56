"""How VK takes a post: a record on a wall with its photos, answers and refusals both inside a 200."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterable, Mapping
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
from publishers.core.markup import JOINER, escaped
from publishers.core.oauth import CLIENT_ID, CLIENT_SECRET, Choice, OAuth, Renewal, place
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

VERSION = "5.199"
CLOCKS = timedelta(minutes=5)  # how far VK's clock and ours may be apart
PAGE = 100
GROUPS = 1000
DEVICE = "device_id"
# VK ID's own client sends no secret; an app that has one may prove with it who it is.
OPTIONAL_SECRET = dataclasses.replace(CLIENT_SECRET, required=False)
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}
NEEDED = {"wall": 1 << 13, "photos": 1 << 2, "groups": 1 << 18}  # https://dev.vk.com/reference/access-rights
EDITOR = 2  # from this level on a community's helper may post in its name

# https://dev.vk.com/reference/errors
CAPTCHA, TOO_MUCH = 14, 29
WAITS = {6: 1.0, 9: 3600.0, CAPTCHA: 3600.0, TOO_MUCH: 3600.0}  # 6: a second's rate, 9: flood
NO_RIGHT = {5, 7, 15, 17, 18, 20, 21, 23, 24, 27, 28, 30, 203, 214, 219, 224}
# 214 is told of who may not write there and of who has written enough for today: "you can only add 50 posts a day"
ENOUGH = re.compile(r"\bposts? (?:a|per) day\b|\bper day\b", re.IGNORECASE)
UNSURE = {1, 10, 13}
# What its clients make a mention or link of in a text: [id1|Name], @name, *id1. https://dev.vk.com/method/wall.post
MARKUP = re.compile(rf"\[(?=[^\[\]|\s]+\|)|@(?=[^\s{JOINER}])|\*(?=\w)")


class Vk(Publisher):
    """One wall on VK, a community's or a person's (https://dev.vk.com/method/wall.post)."""

    label: ClassVar = "VK"
    home: ClassVar = "https://api.vk.com"
    limits: ClassVar = Limits(
        text=15_000,
        hashtags=3,
        media=4,
        media_bytes=10_000_000,
        media_types=tuple(SUFFIX),
        cards=((1200, 630),),
        comment=True,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="Access token of a person who manages the wall", secret=True),
        Setting(name="group", label="Community: its number or short name; without one your own wall", required=False),
        Setting(name="refresh_token", label="Refresh token, where VK ID gave one", secret=True, required=False),
        Setting(name=DEVICE, label="Device that VK ID named when it gave the tokens", required=False),
        Setting(name="client_id", label="Client id of your app", required=False),
        Setting(name="client_secret", label="Client secret of your app", secret=True, required=False),
    )
    # VK ID, which is OAuth 2.1: https://id.vk.com/about/business/go/docs/ru/vkid/latest/vk-id/connection
    # /api-integration/api-description and src/auth/auth.ts of https://github.com/VKCOM/vkid-web-sdk, both read on
    # 26 November 2026. The device that comes back with the code must be named whenever a token is asked for.
    oauth: ClassVar = OAuth(
        authorize="https://id.vk.com/authorize",
        endpoint="https://id.vk.com/oauth2/auth",
        revoke="https://id.vk.com/oauth2/logout",
        scopes=("wall", "photos", "groups"),
        app=(CLIENT_ID, OPTIONAL_SECRET),
        https=True,
        carries=(DEVICE,),
        states="handbill",
    )
    # A token lives an hour, a refresh token works once.
    renewal: ClassVar = Renewal(ahead=timedelta(minutes=20), asked=True)
    # `guid` is there "to avoid duplication", for how long and what a repeat is answered with is not told
    # (https://github.com/VKCOM/vk-api-schema, 5.199, wall/methods.json).
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.B)
    budgets: ClassVar = (Budget(posts=1, seconds=1), Budget(posts=50, seconds=86_400))
    addressed: ClassVar = r"(?:^|/wall)(-?\d+_\d+)$"
    unverified: ClassVar = (
        "never run against the real platform; what a repeated guid is answered with and for how long; the token in a "
        "header; how long a text may be; whether VK ID gives new apps the right to write on walls (its support decides)"
    )

    def connect(self) -> Profile:
        me = self._get("users.get", {})
        user, name = me.pick("response", 0, "id"), me.pick("response", 0, "first_name")
        given = self._get("account.getAppPermissions", {}).pick("response")
        if given.isdecimal() and (missing := [n for n, bit in NEEDED.items() if not int(given) & bit]):
            raise Unauthorized(f"the token lacks {', '.join(missing)}; make one that has these rights")
        if not (group := self._group()):
            return Profile(name=name, url=f"{self._site()}/id{user}", settings={"owner": user, "user_id": user})
        answer = self._get("groups.getById", {"group_id": group})
        place = ("response", "groups", 0) if isinstance(answer.told("response"), dict) else ("response", 0)
        number, title = answer.pick(*place, "id"), answer.pick(*place, "name")
        level = answer.told(*place, "admin_level")
        if not isinstance(level, int) or level < EDITOR:
            raise Unauthorized(f"{name} is no editor or administrator of {title}")
        url = f"{self._site()}/{answer.told(*place, 'screen_name') or f'club{number}'}"
        return Profile(name=f"{title} through {name}", url=url, settings={"owner": f"-{number}", "user_id": user})

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("group"):
            return ()
        answer = self._get("groups.get", {"extended": "1", "filter": "editor", "count": str(GROUPS)})
        try:
            found = [(str(g["name"]), str(g["id"])) for g in answer.json()["response"]["items"]]
        except (KeyError, TypeError) as error:
            raise answer.unreadable("the answer is not a list of communities") from error
        walls = [Choice(label=name, settings={"group": number}) for name, number in found]
        return (*walls, Choice(label="Your own wall", settings={}))

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def revoke(self) -> None:
        if client := self.settings.get("client_id"):
            form = {"client_id": client, "access_token": self.settings.get("access_token", "")}
            self.call("POST", place(self._oauth().revoke, self._own()), form=form)

    def upload(self, media: Media) -> str:
        group = {"group_id": self._owner()[1:]} if self._owner().startswith("-") else {}
        place = self._get("photos.getWallUploadServer", group).pick("response", "upload_url")
        files = {"photo": (f"picture.{SUFFIX[media.mime]}", media.read(), media.mime)}
        taken = self.call("POST", place, files=files)
        told = {name: taken.pick(name) for name in ("server", "photo", "hash")}
        kept = self._ok(
            self.call("POST", "/method/photos.saveWallPhoto", headers=self._auth(), form=_form({**group, **told}))
        )
        return f"photo{kept.pick('response', 0, 'owner_id')}_{kept.pick('response', 0, 'id')}"

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a record on VK is public and carries no warning")
        if commit.reply_to is not None:
            return self._comment(post, commit)
        attached = _attached(post, commit.prepared.get("media", ()))
        form = {"owner_id": self._owner(), "message": _said(post), "guid": commit.key, **attached}
        if self._owner().startswith("-"):
            form["from_group"] = "1"
        answer = self._commit("wall.post", form)
        return self._record(answer.pick("response", "post_id"), attached)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        since, found, wanted = (commit.at - CLOCKS).timestamp(), list[Receipt](), text_hash(_said(post))
        under = _under(commit) if commit.reply_to is not None else None
        author = self._owner()  # a community writes in its own name, and readers may say the same below it
        attached = _attached(post, commit.prepared.get("media", ()))
        for page in range(100):
            span = {"owner_id": self._owner(), "count": str(PAGE), "offset": str(page * PAGE)}
            if under:
                answer = self._get("wall.getComments", {**span, "post_id": under, "sort": "desc"})
            else:
                answer = self._get("wall.get", {**span, "filter": "owner"})
            try:
                listed = [(one, float(one["date"])) for one in answer.json()["response"]["items"]]
                # A record that is pinned stands first, however old it is.
                recent = [one for one, at in listed if at >= since]
                ours = [one for one in recent if str(one.get("from_id", author)) == author]
                same = [str(o["id"]) for o in ours if text_hash(html.unescape(str(o["text"]))) == wanted]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of records") from error
            found += [self._below(n, under) if under else self._record(n, attached) for n in same]
            if len(listed) < PAGE or not recent:
                return tuple(found)
        raise Unavailable("the wall has too many records to look through")

    def answering(self, receipt: Receipt, answered: Receipt) -> Receipt:
        on = str(answered.extra.get("on") or answered.id.rpartition("_")[2])
        return dataclasses.replace(receipt, extra={**receipt.extra, "on": on})

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        if "on" in receipt.extra:
            raise Unsupported("VK gives no way to read one comment again")
        answer = self._get("wall.getById", {"posts": receipt.id})
        one = _first(answer)
        if one is None or one.get("is_deleted"):
            return None
        text = html.unescape(str(one.get("text") or ""))
        kinds = [str(a.get("type")) for a in one.get("attachments") or () if isinstance(a, dict)]
        same = text_hash(text) == text_hash(_said(post))
        card = ("link" in kinds) if post.link and not post.media else None
        return Seen(text=text, same=same, pictures=kinds.count("photo"), card=card)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        number = receipt.id.rpartition("_")[2]
        if "on" in receipt.extra:
            form = {"owner_id": self._owner(), "comment_id": number, "message": _said(post)}
            self._commit("wall.editComment", form)
            return receipt
        # What is attached and not named again is taken away.
        known = "" if commit.fresh else str(receipt.extra.get("attachments") or "")
        kept = {"attachments": known} if known else _attached(post, commit.prepared.get("media", ()))
        form = {"owner_id": self._owner(), "post_id": number, "message": _said(post), **kept}
        self._commit("wall.edit", form)
        return dataclasses.replace(receipt, extra={**receipt.extra, **kept})

    def delete(self, receipt: Receipt) -> None:
        number = receipt.id.rpartition("_")[2]
        if "on" in receipt.extra:
            method, form = "wall.deleteComment", {"owner_id": self._owner(), "comment_id": number}
        else:
            method, form = "wall.delete", {"owner_id": self._owner(), "post_id": number}
        self._commit(method, form)  # answered 1, of a record that is gone too

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        if "on" in receipt.extra:
            raise Unsupported("VK gives no numbers of one comment")
        answer = self._get("wall.getById", {"posts": receipt.id})
        one = _first(answer)
        if one is None:
            raise Rejected("the record is gone")
        counts = {"likes": "likes", "shares": "reposts", "replies": "comments", "views": "views"}
        told = {ours: one[theirs].get("count") for ours, theirs in counts.items() if isinstance(one.get(theirs), dict)}
        return {name: value for name, value in told.items() if type(value) is int}

    def classify(self, answer: Answer) -> PublishError | None:
        code, named = answer.told("error", "error_code"), answer.told("error")
        if answer.status < 300 and isinstance(named, str) and not answer.commit:  # how VK ID refuses
            return Rejected(f"VK ID answered {named}", status=answer.status, words=answer.words())
        if answer.status >= 300 or not isinstance(code, int):
            return judge(answer)
        words, status = str(answer.told("error", "error_msg") or code), answer.status
        what = f"VK answered {code}"
        if wait := WAITS.get(TOO_MUCH if code in NO_RIGHT and ENOUGH.search(words) else code):
            what = "VK asks to wait" if code != CAPTCHA else "VK asks for a captcha"
            return RateLimited(what, retry_after=answer.retry_after(default=wait), status=status, words=words)
        if code in NO_RIGHT:
            return Unauthorized(what, status=status, words=words)
        if code in UNSURE:
            return (Unconfirmed if answer.commit else Unavailable)(what, status=status, words=words)
        return Rejected(what, status=status, words=words)

    def _comment(self, post: Post, commit: Commit) -> Receipt:
        if post.media:
            raise Unsupported("a comment on VK takes no picture through this adapter")
        under, answers = _under(commit), commit.reply_to
        form = {"owner_id": self._owner(), "post_id": under, "message": _said(post), "guid": commit.key}
        if self._owner().startswith("-"):
            form["from_group"] = self._owner()[1:]
        if answers is not None and "on" in answers.extra:
            form["reply_to_comment"] = answers.id.rpartition("_")[2]
        return self._below(self._commit("wall.createComment", form).pick("response", "comment_id"), under)

    def _record(self, number: str, attached: Mapping[str, str]) -> Receipt:
        name = f"{self._owner()}_{number}"
        return Receipt(id=name, url=f"{self._site()}/wall{name}", extra=dict(attached))

    def _below(self, number: str, under: str) -> Receipt:
        name = f"{self._owner()}_{number}"
        return Receipt(id=name, url=f"{self._site()}/wall{self._owner()}_{under}?reply={number}", extra={"on": under})

    def _group(self) -> str:
        group = self.settings.get("group", "").strip().rstrip("/").rpartition("/")[2]
        return re.sub(r"^(?:club|public)(?=\d+$)", "", group)

    def _owner(self) -> str:
        if not (owner := self.settings.get("owner", "")):
            raise Unauthorized("the wall is not known yet; connect the account again")
        return owner

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://vk.com"

    def _get(self, method: str, params: Mapping[str, str]) -> Answer:
        return self._ok(self.call("GET", f"/method/{method}", headers=self._auth(), params=_form(params)))

    def _commit(self, method: str, form: Mapping[str, str]) -> Answer:
        return self._ok(self.commit("POST", f"/method/{method}", headers=self._auth(), form=_form(form)))

    def _ok(self, answer: Answer) -> Answer:
        if answer.told("response") is None:
            raise answer.unreadable("the answer has no response")
        return answer

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}


def _form(values: Mapping[str, str]) -> dict[str, str]:
    return {**values, "v": VERSION}


def _said(post: Post) -> str:
    """The text with nothing in it that VK would make a mention of."""
    words = escaped(post.text, MARKUP, lambda found: found[0] + JOINER)
    return words(0, len(post.text))


def _attached(post: Post, media: Iterable[Any]) -> dict[str, str]:
    """The photos or, without any, the link, of which VK draws a card."""
    named = [str(m) for m in media] or ([post.link] if post.link else [])
    return {"attachments": ",".join(named)} if named else {}


def _under(commit: Commit) -> str:
    """The number of the record that a comment stands under."""
    first = commit.root or commit.reply_to
    assert first is not None  # asked before
    return str(first.extra.get("on") or first.id.rpartition("_")[2])


def _first(answer: Answer) -> Mapping[str, Any] | None:
    """The one record of an answer, which is a list or holds one; None if it is empty."""
    told = answer.told("response")
    items = told.get("items") if isinstance(told, dict) else told
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise answer.unreadable("the answer is not a list of records")
    return items[0] if items else None
