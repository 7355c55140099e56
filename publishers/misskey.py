"""How Misskey and its kin (such as Sharkey) take a note: all by POST, words in markup, alt text on the drive file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from publishers.core.counting import misskey_markup
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
from publishers.core.oauth import OAuth, challenge
from publishers.core.post import Commit, Media, Post, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
PAGE = 100
SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
VISIBILITY = {"public": "public", "unlisted": "home", "private": "followers", "direct": "specified"}
OWN = ("public", "home", "followers")
UNKNOWN = "unknown"
SHARKEY = "sharkey"
NODEINFO = "http://nodeinfo.diaspora.software/ns/schema/2."
LOOKED_UP = Proof(kind=ProofClass.B)
NOBODY = Proof(kind=ProofClass.C)
# Servers before this one write a cat's words in a cat's way, so that a look-up would not know them again: the change
# "nyaize in the client" of https://github.com/misskey-dev/misskey/blob/develop/CHANGELOG.md, named from memory.
CATS_SINCE = (2023, 11, 0)
PLAIN = re.compile(r"<plain>(.*?)</plain>", re.DOTALL)
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
NO_RIGHT = {
    *("AUTHENTICATION_FAILED", "CREDENTIAL_REQUIRED", "PERMISSION_DENIED", "ACCESS_DENIED", "ROLE_PERMISSION_DENIED"),
    *("YOUR_ACCOUNT_SUSPENDED", "YOUR_ACCOUNT_MOVED"),
}
GONE = {"NO_SUCH_NOTE"}


class Misskey(Publisher):
    """One account on a server that speaks Misskey's API (https://misskey-hub.net/en/docs/for-developers/api/)."""

    label: ClassVar = "Misskey"
    # https://github.com/misskey-dev/misskey: const.ts (3,000 characters, alt text 512), endpoints/notes/create.ts
    limits: ClassVar = Limits(
        text=3000,
        counting="misskey",
        hashtags=4,
        media=16,
        media_bytes=10_000_000,
        media_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
        alt=512,
        thread=True,
        warning=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Server, such as https://misskey.io"),
        Setting(name="access_token", label="Access token", secret=True),
        Setting(name="visibility", label="Who sees posts: public, home or followers", required=False, default="public"),
    )
    # MiAuth: a page for a session that only we know, and a token for whoever knows it; there are no apps to register.
    # https://misskey-hub.net/en/docs/for-developers/api/token/miauth/, read on 26 November 2026
    oauth: ClassVar = OAuth(
        protocol="MiAuth",
        authorize="/miauth/",
        endpoint="/api/miauth/",
        register="/api/meta",
        asks=("server",),
        scopes=("read:account", "write:drive", "write:notes"),
        pkce=False,
        answer="session",
    )
    repictures: ClassVar = True
    proof: ClassVar = LOOKED_UP
    budgets: ClassVar = (Budget(posts=300, seconds=3600),)  # endpoints/notes/create.ts
    addressed: ClassVar = r"(?:^|/notes/)(\w+)(?=[/?#]|$)"
    partly: ClassVar = {"edit": "Sharkey"}
    unverified: ClassVar = (
        "never run against a real server of any kind; Misskey, Sharkey and others as their source has them; since "
        "which release a cat's words are kept as they are; what servers take beyond 10 MB"
    )

    def connect(self) -> Profile:
        if self._seen_by() not in OWN:
            raise Unauthorized(f"visibility is one of {', '.join(OWN)}")
        me = self._ask("i")
        number, name = me.pick("id"), me.pick("username")
        # A request with nothing in it is refused in any case, and before that if the token has not the right to it.
        self._may("write:notes", "notes/create", {"visibility": "nobody"})
        self._may("write:drive", "drive/files/update", {"fileId": ""})
        answer = self._ask("meta", detail=True)
        version, server = answer.pick("version"), answer.json()
        software = self._nodeinfo()
        cat = bool(me.json().get("isCat")) and _release(version) < CATS_SINCE
        return Profile(
            name=f"@{name}@{urlsplit(self.base).netloc}",
            url=f"{self.base}/@{name}",
            limits=_limits(server, me.json()),
            proof=NOBODY if cat else LOOKED_UP,
            settings={"account_id": number, "software": software},
        )

    def register(self, *, redirect: str, name: str) -> Mapping[str, str]:
        """No app is registered: the server is asked whether it has MiAuth, and our name is all there is to know."""
        del redirect
        answer = self.call("POST", "/api/meta", json={"detail": True})
        if answer.told("features", "miauth") is False or not answer.told("version"):
            raise Rejected("this is no server of Misskey's kind with MiAuth (Misskey 12.27 and newer)")
        return {"client_id": name, "scopes": " ".join(self._oauth().scopes)}

    def authorization(self, *, redirect: str, state: str, verifier: str, role: str = "") -> str:
        del role
        own = self._oauth()
        asked = {
            "name": self.settings.get("client_id", ""),
            "callback": f"{redirect}?{urlencode({'state': state})}",
            "permission": ",".join(own.scopes),
        }
        return f"{self.base}{own.authorize}{challenge(verifier)}?{urlencode(asked, quote_via=quote)}"

    def exchange(self, code: str, *, redirect: str, verifier: str) -> Mapping[str, str]:
        del redirect
        session = challenge(verifier)  # whatever came back: the only one that we asked with
        self.http.hide(code, verifier, session)
        answer = self.call("POST", f"{self._oauth().endpoint}{session}/check", json={})
        if answer.told("ok") is False:
            raise Unauthorized(
                "the server gave no token: nobody has allowed it yet, or it was given before", status=200
            )
        token = answer.pick("token")
        self.http.hide(token)
        return {"access_token": token}

    def upload(self, media: Media) -> str:
        # Without `force` a picture that the drive has already comes back with the alt text it had then.
        form = {"i": self._token(), "force": "true", **({"comment": media.alt} if media.alt else {})}
        files = {"file": (f"picture.{SUFFIX[media.mime]}", media.read(), media.mime)}
        return self.call("POST", "/api/drive/files/create", form=form, files=files).pick("id")

    def create(self, post: Post, commit: Commit) -> Receipt:
        body = self._said(post)
        if media := commit.prepared.get("media"):
            body["fileIds"] = list(media)
        if commit.reply_to is not None:
            body["replyId"] = commit.reply_to.id
        return self._receipt(self.commit("POST", "/api/notes/create", json=body), "createdNote")

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        number = self.settings.get("account_id") or self._ask("i").pick("id")
        # Its newer releases leave out answers unless they are asked for by one name, older ones know another.
        asked = {"userId": number, "withReplies": True, "includeReplies": True, "limit": PAGE}
        wanted, parent = _markup(post), commit.reply_to.id if commit.reply_to else None
        found: list[Receipt] = []
        while True:
            answer = self._ask("users/notes", **asked)
            try:
                notes = [(n, datetime.fromisoformat(n["createdAt"]), str(n["id"])) for n in answer.json()]
                recent = [n for n, at, _ in notes if at >= commit.at - CLOCKS]
                found += [self._kept(n) for n in recent if _is(n, wanted, parent)]
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise answer.unreadable("the answer is not a list of notes") from error
            if not isinstance(answer.json(), list) or (notes and asked.get("untilId") == notes[-1][2]):
                raise answer.unreadable("the answer is not a page of notes")
            if len(recent) < len(notes) or not notes:
                return tuple(found)
            asked["untilId"] = notes[-1][2]

    def locate(self, address: str) -> Receipt:
        return super().locate(self.ours(address))

    def answering(self, receipt: Receipt, answered: Receipt) -> Receipt:
        return dataclasses.replace(receipt, extra={**receipt.extra, "reply_to": answered.id})

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._ask("notes/show", noteId=receipt.id)
        except Rejected as error:
            if error.status == 404 or any(code in error.words for code in GONE):
                return None
            raise
        answer.pick("id")
        note = answer.json()
        try:
            text, files = str(note["text"] or ""), list(note.get("files") or ())
            alts = tuple(str(f.get("comment") or "") for f in files)
            warned = (note.get("cw") or "") == post.warning
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a note") from error
        same = text_hash(text) == text_hash(_markup(post)) and warned
        return Seen(text=PLAIN.sub(r"\1", text), same=same, pictures=len(files), alts=alts)

    @classmethod
    def alterable(cls, settings: Mapping[str, str]) -> bool:
        return settings.get("software") == SHARKEY

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        if self.settings.get("software") != SHARKEY:
            raise Unsupported("Misskey lets nobody change a note; delete it and write a new one")
        body = {**self._said(post), "editId": receipt.id}
        if media := commit.pictures(receipt):
            body["fileIds"] = media  # pictures that are not named again are taken away
        if parent := receipt.extra.get("reply_to"):
            body["replyId"] = parent
        return self._receipt(self.commit("POST", "/api/notes/edit", json=body), "createdNote")

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("POST", "/api/notes/delete", json={"i": self._token(), "noteId": receipt.id})
        except Rejected as error:
            if error.status != 404 and not any(code in error.words for code in GONE):
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self._ask("notes/show", noteId=receipt.id)
        try:
            note = answer.json()
            likes = sum(int(n) for n in note["reactions"].values())
            return {"likes": likes, "shares": int(note["renoteCount"]), "replies": int(note["repliesCount"])}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        code = str(answer.told("error", "code") or "")
        if status == 429 or code == "RATE_LIMIT_EXCEEDED":
            return RateLimited("the server asks to wait", retry_after=_wait(answer), status=status, words=words)
        if 200 <= status < 300:
            if not code:
                return None
            # Some say of a request that they have just had: we are at it.
            kind = Unconfirmed if answer.commit else Unavailable
            return kind(f"the server answered {code}", status=status, words=words)
        if status < 500 and code in NO_RIGHT:
            return Unauthorized(f"the server does not allow this ({code})", status=status, words=words)
        if status == 400 and code == "NO_SUCH_FILE":
            return Unavailable("the server has forgotten the picture", stale=True, status=400, words=words)
        return judge(answer)

    def _said(self, post: Post) -> dict[str, Any]:
        if post.visibility not in VISIBILITY:
            raise Unsupported(f"a note is never {post.visibility}")
        seen_by = self._seen_by() if post.visibility == "public" else VISIBILITY[post.visibility]
        body: dict[str, Any] = {"i": self._token(), "visibility": seen_by}
        if post.text:
            body["text"] = _markup(post)
        if post.warning:
            body["cw"] = post.warning
        return body

    def _may(self, scope: str, endpoint: str, refused: Mapping[str, Any]) -> None:
        """Raise Unauthorized, naming the scope, unless this token has it: asked with what is refused in any case."""
        try:
            self._ask(endpoint, **refused)
        except Unauthorized as error:
            if "PERMISSION_DENIED" not in error.words:
                raise
            raise Unauthorized(f"the token lacks {scope}", status=error.status, words=error.words) from None
        except Rejected as error:
            if error.status not in {400, 404}:
                raise

    def _ask(self, endpoint: str, **given: Any) -> Answer:
        return self.call("POST", f"/api/{endpoint}", json={"i": self._token(), **given})

    def _receipt(self, answer: Answer, place: str) -> Receipt:
        answer.pick(place, "id")
        return self._kept(answer.json()[place])

    def _kept(self, note: Mapping[str, Any]) -> Receipt:
        extra: dict[str, Any] = {}
        if media := [str(f) for f in note.get("fileIds") or ()]:
            extra["media"] = media
        if note.get("replyId"):
            extra["reply_to"] = str(note["replyId"])
        return Receipt(id=str(note["id"]), url=f"{self.base}/notes/{note['id']}", extra=extra)

    def _nodeinfo(self) -> str:
        """The server's software, which its description of itself does not tell; see https://nodeinfo.diaspora.software."""
        try:
            links = self.call("GET", "/.well-known/nodeinfo").json()["links"]
            places = [str(k["href"]) for k in links if str(k["rel"]).startswith(NODEINFO)]
            here = [p for p in places if urlsplit(p).netloc == urlsplit(self.base).netloc]
            return self.call("GET", here[-1]).pick("software", "name").lower()
        except PublishError as error:
            if error.status is None:
                raise
            return UNKNOWN
        except (KeyError, IndexError, TypeError, AttributeError):
            return UNKNOWN

    def _seen_by(self) -> str:
        return self.settings.get("visibility") or OWN[0]

    def _token(self) -> str:
        return self.settings.get("access_token", "")


def _markup(post: Post) -> str:
    return misskey_markup(post.text, [(f.start, f.end) for f in post.facets])


def _limits(server: Mapping[str, Any], me: Mapping[str, Any]) -> dict[str, Any]:
    """What the server says it takes, from everybody and from this account's role."""
    own = me.get("policies")
    megabytes = own.get("maxFileSizeMb") if isinstance(own, dict) else None
    numbers = {
        "text": server.get("maxNoteTextLength"),
        "alt": server.get("maxAltTextLength"),  # Sharkey's
        "media_bytes": megabytes * 1_000_000 if isinstance(megabytes, int) else None,
    }
    return {k: v for k, v in numbers.items() if type(v) is int and v > 0}


def _release(version: str) -> tuple[int, ...]:
    found = RELEASE.match(version)
    return tuple(map(int, found.groups())) if found else ()


def _is(note: Mapping[str, Any], wanted: str, parent: str | None) -> bool:
    """Whether ``note`` says what is wanted, in answer to the same note."""
    if note.get("renoteId") or (note.get("replyId") or None) != parent:
        return False
    return text_hash(str(note["text"] or "")) == text_hash(wanted)


def _wait(answer: Answer) -> float:
    """Seconds to wait: Retry-After, else the instant in milliseconds that a refusal names."""
    reset = answer.told("error", "info", "resetMs")
    if "retry-after" in answer.headers or type(reset) not in {int, float}:
        return answer.retry_after(default=300)
    return min(max(float(reset) / 1000 - answer.now.timestamp(), SOONEST), DAY)
