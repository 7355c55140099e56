"""How Pinterest takes a Pin: one request with the picture in it, to one board, its link apart from its words."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from publishers.core.errors import PublishError, Rejected, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import JOINER, apart
from publishers.core.oauth import Choice, OAuth, Renewal
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting, text_hash

TITLE = 100
PAGE = 250
CLOCKS = timedelta(minutes=5)  # how far Pinterest's clock and ours may be apart
PUBLIC = "PUBLIC"
TRIAL = "trial"  # what the refusal of an app that may post to nobody but its sandbox speaks of


class Pinterest(Publisher):
    """One board of one Pinterest account (https://developers.pinterest.com/docs/api/v5/)."""

    label: ClassVar = "Pinterest"
    home: ClassVar = "https://api.pinterest.com/v5"
    # PinCreate in https://github.com/pinterest/api-description (5.23.0)
    limits: ClassVar = Limits(
        text=800,
        title=TITLE,
        hashtags=3,
        media=1,
        media_bytes=10_000_000,
        alt=500,
        cards=((1000, 1500),),  # two to three: https://help.pinterest.com/en/business/article/pinterest-product-specs
        link_in_text=False,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="OAuth 2 access token", secret=True),
        Setting(name="board_id", label="Board's number", rehearsal="7001"),
        Setting(name="refresh_token", label="Refresh token", secret=True, required=False),
        Setting(name="client_id", label="Client id of your app", required=False),
        Setting(name="client_secret", label="Client secret of your app", secret=True, required=False),
    )
    oauth: ClassVar = OAuth(
        authorize="https://www.pinterest.com/oauth/",
        endpoint="https://api.pinterest.com/v5/oauth/token",
        scopes=("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read"),
        pkce=False,
        basic=True,
        comma=True,
    )
    renewal: ClassVar = Renewal(ahead=timedelta(days=7))  # it lives 30 days, as expires_in says
    proof: ClassVar = Proof(kind=ProofClass.B)
    unverified: ClassVar = (
        "never run against the real platform; in which order a board lists its Pins and how soon a new one is among "
        "them; how many requests its categories allow; whether a repeated Pin is refused; what it takes beyond 10 MB"
    )

    def connect(self) -> Profile:
        me = self.call("GET", "/user_account", headers=self._auth())
        name = me.pick("username")
        board = self._board()
        if board.told("privacy") not in {None, PUBLIC}:
            raise Unauthorized(
                f"the board {board.pick('name')} is {board.pick('privacy').lower()}: nobody would see Pins"
            )
        return Profile(
            name=f"{board.pick('name')} of {name}",
            url=f"{self._site()}/{quote(name)}/",
            settings={"username": name, "board_id": board.pick("id")},
        )

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("board_id"):
            return ()
        found: list[Choice] = []
        params = {"page_size": str(PAGE), "privacy": PUBLIC}
        while True:
            answer = self.call("GET", "/boards", headers=self._auth(), params=params)
            try:
                page = answer.json()
                found += [Choice(label=str(b["name"]), settings={"board_id": str(b["id"])}) for b in page["items"]]
                more = str(page.get("bookmark") or "")
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of boards") from error
            if not more or params.get("bookmark") == more:
                break
            params["bookmark"] = more
        if not found:
            raise Unauthorized("this account has no public board; make one first")
        return tuple(found)

    def prepare(self, post: Post, key: str) -> Prepared:
        del key
        _check(post)
        return {}  # the picture goes with the Pin itself

    def create(self, post: Post, commit: Commit) -> Receipt:
        _check(post)
        if commit.reply_to is not None:
            raise Unsupported("nothing answers a Pin: comments cannot be written through the API")
        picture = post.media[0]
        body = {
            "board_id": self.settings.get("board_id", ""),
            **_said(post),
            "media_source": {
                "source_type": "image_base64",
                "content_type": picture.mime,
                "data": base64.b64encode(picture.read()).decode(),
            },
        }
        answer = self.commit("POST", "/pins", headers=self._auth(), json=body)
        return self._receipt(answer.pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        found: list[Receipt] = []
        params = {"page_size": str(PAGE)}
        board = quote(self.settings.get("board_id", ""), safe="")
        while True:
            answer = self.call("GET", f"/boards/{board}/pins", headers=self._auth(), params=params)
            try:
                page = answer.json()
                dated = [(pin, _moment(str(pin["created_at"]))) for pin in page["items"]]
                recent = [pin for pin, at in dated if at >= commit.at - CLOCKS]
                found += [self._receipt(str(pin["id"])) for pin in recent if _is(pin, post)]
                more = str(page.get("bookmark") or "")
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise answer.unreadable("the answer is not a list of Pins") from error
            if not more or (dated and not recent):
                return tuple(found) if commit.reply_to is None else ()
            if params.get("bookmark") == more:
                raise answer.unreadable("the answer is not a page of Pins")
            params["bookmark"] = more

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self.call("GET", f"/pins/{quote(receipt.id, safe='')}", headers=self._auth())
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        answer.pick("id")
        pin = answer.json()
        text = "\n\n".join(str(pin[name]) for name in ("title", "description") if pin.get(name))
        linked = _place(str(pin.get("link") or "")) == _place(post.link) if post.link else None
        return Seen(text=text, same=_is(pin, post), pictures=1, alts=(str(pin.get("alt_text") or ""),), card=linked)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        _check(post)
        answer = self.commit("PATCH", f"/pins/{quote(receipt.id, safe='')}", headers=self._auth(), json=_said(post))
        return self._receipt(answer.pick("id"))

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", f"/pins/{quote(receipt.id, safe='')}", headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        path = f"/pins/{quote(receipt.id, safe='')}"
        answer = self.call("GET", path, headers=self._auth(), params={"pin_metrics": "true"})
        answer.pick("id")
        told = answer.told("pin_metrics", "lifetime_metrics") or {}
        names = {"likes": "reaction", "replies": "comment", "views": "impression", "clicks": "clickthrough"}
        return {ours: told[theirs] for ours, theirs in names.items() if type(told.get(theirs)) is int}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 403 and TRIAL in words.lower():
            what = "this app has trial access, which posts to nobody; ask Pinterest for standard access"
            return Unauthorized(what, status=403, words=words)
        if status == 403:
            return Unauthorized("Pinterest does not allow this token to do that", status=403, words=words)
        return judge(answer)

    def _board(self) -> Answer:
        board = self.settings.get("board_id", "").strip()
        if not board:
            raise Unauthorized("the account has no board; connect it again and choose one")
        try:
            return self.call("GET", f"/boards/{quote(board, safe='')}", headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise
            raise Unauthorized(f"there is no board {board} that this account may use", status=404) from None

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://www.pinterest.com"

    def _receipt(self, number: str) -> Receipt:
        return Receipt(id=number, url=f"{self._site()}/pin/{number}/")

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}


def _check(post: Post) -> None:
    if post.warning or post.visibility != "public":
        raise Unsupported("a Pin is public and carries no warning")
    if not post.media:
        raise Unsupported("a Pin needs a picture")


def _said(post: Post) -> dict[str, Any]:
    title, start = apart(post, TITLE)
    said = {"title": title, "description": post.text[start:].strip()}
    if post.link:
        said["link"] = post.link
    if post.media and post.media[0].alt:
        said["alt_text"] = post.media[0].alt
    return said


def _is(pin: Mapping[str, Any], post: Post) -> bool:
    """Whether ``pin`` says what this post would say, and leads to the same place."""
    said = _said(post)
    words = all(_same(str(pin.get(name) or ""), said[name]) for name in ("title", "description"))
    return words and (not post.link or _place(str(pin.get("link") or "")) == _place(post.link))


def _same(theirs: str, ours: str) -> bool:
    return text_hash(theirs.replace(JOINER, "")) == text_hash(ours.replace(JOINER, ""))


def _place(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _moment(told: str) -> datetime:
    """When a Pin was made; where the zone is left out it is UTC."""
    moment = datetime.fromisoformat(told)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
