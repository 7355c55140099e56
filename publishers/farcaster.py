"""How Farcaster takes a post: a cast of 320 bytes through Neynar, its link as an embed, looked up by its author."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unconfirmed, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

API = "/v2/farcaster"
CLOCKS = timedelta(minutes=5)  # how far the author's clock in a cast and ours may be apart
PAGE = 150
IDEM = 16  # "Recommended format is a 16-character string": Idem in https://github.com/neynarxyz/oas
NO_RIGHT = ("signer", "api key", "api_key", "apikey", "permission", "credit", "subscription")


class Farcaster(Publisher):
    """One Farcaster account, written to through Neynar with a signer that its owner approved (https://docs.neynar.com)."""

    label: ClassVar = "Farcaster"
    home: ClassVar = "https://api.neynar.com"
    limits: ClassVar = Limits(
        # https://github.com/farcasterxyz/protocol/blob/main/docs/SPECIFICATION.md, section 1.4; of the longer ones
        # that exist by now Neynar says nothing
        text=320,
        counting="utf8",
        hashtags=0,  # Farcaster knows none
        media=0,  # a picture is an address that must stay for good, and ours are good for a day
        link_in_text=False,
        thread=True,
    )
    fields: ClassVar = (
        Setting(name="api_key", label="Neynar API key", secret=True),
        Setting(name="signer_uuid", label="UUID of an approved signer, made with the same key", secret=True),
        Setting(name="channel", label="Channel's id, without its slash", required=False),
    )
    pasted: ClassVar = "API key and signer"
    # Neynar promises that `idem` prevents a second cast, and not for how long or whether one that still runs counts.
    proof: ClassVar = Proof(kind=ProofClass.B)
    # The smallest plan of https://docs.neynar.com/reference/what-are-the-rate-limits-on-neynar-apis, November 2026
    budgets: ClassVar = (Budget(posts=5, seconds=1, app=True), Budget(posts=300, seconds=60, app=True))
    unverified: ClassVar = (
        "never run against the real platform; what Neynar does with a repeated `idem`; how long a new cast takes to be "
        "in its author's list; which status refuses a signer that was revoked"
    )

    def connect(self) -> Profile:
        params = {"signer_uuid": self.settings.get("signer_uuid", "")}
        answer = self.call("GET", f"{API}/signer", headers=self._auth(), params=params)
        status = answer.pick("status")
        if status != "approved":
            raise Unauthorized(
                f"the signer is {status.replace('_', ' ')}; its owner approves it in their Farcaster app"
            )
        fid = answer.pick("fid")
        if not fid.isdecimal():
            raise answer.unreadable("the answer names no account")
        user = self.call("GET", f"{API}/user/bulk", headers=self._auth(), params={"fids": fid})
        name = user.pick("users", 0, "username")
        return Profile(name=f"@{name}", url=f"{self._site()}/{name}", settings={"fid": fid, "username": name})

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a cast is public and carries no warning")
        body: dict[str, Any] = {"signer_uuid": self.settings.get("signer_uuid", ""), "text": post.text}
        if post.link:
            body["embeds"] = [{"url": post.link}]
        if commit.reply_to is not None:
            body |= {"parent": commit.reply_to.id, "parent_author_fid": int(self._fid())}
        elif channel := self.settings.get("channel", "").strip("/ "):
            body["channel_id"] = channel
        body["idem"] = commit.key[:IDEM]
        answer = self.commit("POST", f"{API}/cast/", headers=self._auth(), json=body)
        return self._receipt(answer.pick("cast", "hash"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        params = {"fid": self._fid(), "limit": str(PAGE), "include_replies": "true"}
        parent = commit.reply_to.id if commit.reply_to else None
        found: list[Receipt] = []
        while True:
            answer = self.call("GET", f"{API}/feed/user/casts", headers=self._auth(), params=params)
            try:
                told = answer.json()
                dated = [(c, datetime.fromisoformat(str(c["timestamp"]))) for c in told["casts"]]
                recent = [c for c, at in dated if at >= commit.at - CLOCKS]
                found += [self._receipt(str(c["hash"])) for c in recent if _is(c, post, parent)]
                cursor = str((told.get("next") or {}).get("cursor") or "")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of casts") from error
            if not cursor or len(recent) < len(dated):
                return tuple(found)
            if params.get("cursor") == cursor:
                raise answer.unreadable("the answer is not a page of casts")
            params["cursor"] = cursor

    def locate(self, address: str) -> Receipt:
        params = {"identifier": address.strip(), "type": "url" if "://" in address else "hash"}
        answer = self.call("GET", f"{API}/cast", headers=self._auth(), params=params)
        if answer.pick("cast", "author", "fid") != self._fid():
            raise Rejected("it is somebody else's cast")
        return self._receipt(answer.pick("cast", "hash"))

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        params = {"identifier": receipt.id, "type": "hash"}
        try:
            answer = self.call("GET", f"{API}/cast", headers=self._auth(), params=params)
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        text = answer.pick("cast", "text")
        try:
            links = {e.get("url") for e in answer.json()["cast"].get("embeds") or ()}
        except (TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a cast") from error
        same = text_hash(text) == text_hash(post.text)
        return Seen(text=text, same=same, card=post.link in links if post.link else None)

    def delete(self, receipt: Receipt) -> None:
        body = {"signer_uuid": self.settings.get("signer_uuid", ""), "target_hash": receipt.id}
        try:
            self.commit("DELETE", f"{API}/cast/", headers=self._auth(), json=body)
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        params = {"identifier": receipt.id, "type": "hash"}
        answer = self.call("GET", f"{API}/cast", headers=self._auth(), params=params)
        places = {"likes": ("reactions", "likes_count"), "shares": ("reactions", "recasts_count")}
        places["replies"] = ("replies", "count")
        try:
            return {name: int(answer.pick("cast", *place)) for name, place in places.items()}
        except ValueError as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 429:
            return RateLimited("Neynar asks to wait", retry_after=answer.retry_after(), status=429, words=words)
        if status == 402 or (status in {400, 403, 404} and any(w in words.lower() for w in NO_RIGHT)):
            return Unauthorized("Neynar takes nothing under this key and signer", status=status, words=words)
        if status == 409 and answer.commit:  # an `idem` that is known: perhaps our own
            return Unconfirmed("Neynar has this request already", status=409, words=words)
        return judge(answer)

    def _fid(self) -> str:
        """The account's number, which ``connect`` found."""
        if not (fid := self.settings.get("fid", "")).isdecimal():
            raise Unauthorized("the account's number is not known yet; connect it again")
        return fid

    def _auth(self) -> dict[str, str]:
        return {"x-api-key": self.settings.get("api_key", "")}

    def _site(self) -> str:
        return self.base if self.settings.get("server") else "https://farcaster.xyz"

    def _receipt(self, number: str) -> Receipt:
        # https://docs.farcaster.xyz/reference/farcaster/intent-urls
        return Receipt(id=number, url=f"{self._site()}/~/conversations/{number}")


def _is(cast: Mapping[str, Any], post: Post, parent: str | None) -> bool:
    """Whether ``cast`` says what ``post`` says, with the same link, in answer to the same cast."""
    if (cast.get("parent_hash") or None) != parent or text_hash(str(cast["text"])) != text_hash(post.text):
        return False
    return not post.link or post.link in {e.get("url") for e in cast.get("embeds") or ()}
