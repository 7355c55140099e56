"""How Mastodon and the servers that speak its API take a post: JSON, a repeatable key, limits that each server sets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.counting import URL_LENGTH
from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unavailable, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.oauth import OAuth
from publishers.core.post import Commit, Media, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

CLOCKS = timedelta(minutes=5)  # how far the server's clock and ours may be apart
PAGE = 40
# The key is kept an hour: https://docs.joinmastodon.org/methods/statuses/#headers
REPEATABLE = Proof(kind=ProofClass.A, window=timedelta(minutes=55), then=ProofClass.B)
# Hollo keeps it an hour too, but does not see a first request that is still running (its src/api/v1/statuses.ts).
IN_SEQUENCE = Proof(kind=ProofClass.A, window=timedelta(minutes=55), settle=timedelta(seconds=90), then=ProofClass.B)
LOOKED_UP = Proof(kind=ProofClass.B)
# Releases before this one take a second status while the first is being written (https://github.com/mastodon/mastodon/
# pull/37879) or answer the repeat with 500 (https://github.com/mastodon/mastodon/issues/40399).
KEYED_SINCE = (4, 7, 2)
RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:[-+]\S*)?")
COMPATIBLE = re.compile(r"\(compatible; ([A-Za-z][\w.]*)|^([A-Za-z]\w*)/\d")  # "2.7.2 (compatible; Pleroma 2.9.1)"
UNKNOWN = "unknown"
MASTODON, HOLLO, PIXELFED = "mastodon", "hollo", "pixelfed"
KNOWN = {MASTODON, HOLLO, PIXELFED, "pleroma", "akkoma"}  # of whose ways with a key nothing is left to try
SEEN_BY = ("public", "unlisted", "private", "direct")
TRIED = "Handbill tries whether this server knows a repeated request. Nobody else can see this; it is gone in a moment."
# Who else gets a key is worse off: Pixelfed (its ApiV1Controller) refuses one it has seen even if that request came to
# nothing, Pleroma (its idempotency_plug.ex) says an old refusal again for hours, GoToSocial and Takahe do not read it.
KEYED = {MASTODON, HOLLO}
ALT = {PIXELFED: 1000}  # PF_MEDIA_MAX_ALTTEXT_LENGTH, which its description of itself leaves out
NODEINFO = "http://nodeinfo.diaspora.software/ns/schema/2."
WEBSITE = "https://github.com/handbill/handbill"
REMOTE = re.compile(r"(@\w+(?:[.-]\w+)*)@\w+(?:[.:-]\w+)*")
LOCKED_OUT = (
    *("authorized scopes", "Your login is"),  # Mastodon
    *("Invalid credentials", "Insufficient permissions"),  # Pleroma
    *("insufficient scope", "insufficient_scope", "out_of_scope_for_token"),  # GoToSocial, Hollo, Takahe
)

GONE = {404, 410}


class Mastodon(Publisher):
    """One account on a server that speaks the Mastodon API (https://docs.joinmastodon.org/client/intro/)."""

    label: ClassVar = "Mastodon"
    limits: ClassVar = Limits(
        text=500,
        counting="mastodon",
        hashtags=4,
        media=4,
        media_bytes=16_000_000,
        media_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
        alt=1500,
        thread=True,
        warning=True,
    )
    fields: ClassVar = (
        Setting(name="server", label="Server, such as https://mastodon.social"),
        Setting(name="access_token", label="Access token with the scopes read and write", secret=True),
        Setting(
            name="visibility", label="Who sees posts: public, unlisted or private", required=False, default="public"
        ),
    )
    # https://docs.joinmastodon.org/spec/oauth, read on 25 November 2026; a token has no end
    oauth: ClassVar = OAuth(
        authorize="/oauth/authorize",
        endpoint="/oauth/token",
        revoke="/oauth/revoke",
        register="/api/v1/apps",
        asks=("server",),
        scopes=("read:accounts", "read:statuses", "write:media", "write:statuses"),
    )
    repictures: ClassVar = True
    proof: ClassVar = REPEATABLE
    # What ``@user@server`` stands in is another server's page of it, with a number of its own there.
    addressed: ClassVar = r"(?:^|/@[^/@]+/(?:statuses/)?|/statuses/|/notice/|/p/[^/]+/|/s/)(\w+)(?=[/?#]|$)"
    unverified: ClassVar = (
        "never run against a real server of any kind; which other releases of Mastodon answer a repeat with 500; "
        "Pleroma, Akkoma, Pixelfed, GoToSocial, Takahe and Hollo as their source has them"
    )
    budgets: ClassVar = (Budget(posts=300, seconds=300),)  # https://docs.joinmastodon.org/api/rate-limits/

    def connect(self) -> Profile:
        if self._seen_by() not in SEEN_BY:
            raise Unauthorized(f"visibility is one of {', '.join(SEEN_BY)}")
        me = self._me()
        number, name = me.pick("id"), me.pick("acct")
        server = self._instance()
        host = str(server.get("domain") or urlsplit(self.base).netloc)
        software = _software(server) or self._nodeinfo()
        return Profile(
            name=f"@{name}@{host}",
            url=str(me.json().get("url") or ""),
            limits=_limits(server, software),
            proof=IN_SEQUENCE if self.settings.get("keys") == str(server["version"]) else _proof(server, software),
            settings={"account_id": number, "software": software},
        )

    def draft(self, post: Post, key: str, reply_to: Receipt | None) -> Prepared:
        if self._software() == PIXELFED:
            if not post.media and reply_to is None:
                raise Unsupported("a post on Pixelfed needs a picture")
            if "direct" in {post.visibility, self._seen_by()}:
                raise Unsupported("Pixelfed knows no direct posts")
        return self.prepare(post, key)

    def register(self, *, redirect: str, name: str) -> Mapping[str, str]:
        own = self._oauth()
        # Pixelfed knows the wide scopes alone: its config/passport and AuthServiceProvider name no narrower ones.
        scopes = "read write" if self._nodeinfo() == PIXELFED else " ".join(own.scopes)
        form = {"client_name": name, "redirect_uris": redirect, "scopes": scopes, "website": WEBSITE}
        answer = self.call("POST", own.register, form=form)
        app = {k: answer.pick(k) for k in ("client_id", "client_secret")}
        self.http.hide(app["client_secret"])
        return {**app, "scopes": scopes}

    def revoke(self) -> None:
        own = self._oauth()
        if self.settings.get("client_id"):
            self.call("POST", own.revoke, **own.revocation(self.settings, self.settings.get("access_token", "")))

    def prepare(self, post: Post, key: str) -> Prepared:
        del key
        answers = [self._upload(m) for m in post.media]
        prepared: dict[str, Any] = {"media": [a.pick("id") for a in answers]} if answers else {}
        if pending := [a.pick("id") for a in answers if a.status == 202]:
            prepared["pending"] = pending
        return prepared

    def probe(self, key: str) -> Mapping[str, str]:
        """Whether this server knows a repeated request: two direct posts to nobody under one key, both taken away."""
        if self._software() in KNOWN:
            raise Unsupported(f"what {self._software()} does with a repeated request is known")
        version = str(self._instance()["version"])
        headers, said = {**self._auth(), "Idempotency-Key": key}, {"status": TRIED, "visibility": "direct"}
        made: dict[str, str] = {}
        try:
            for _ in range(2):
                answer = self.call("POST", "/api/v1/statuses", headers=headers, json=said)
                made[answer.pick("id")] = str(answer.json().get("visibility"))
                if set(made.values()) != {"direct"}:
                    raise Rejected("this server shows a direct post to others; it was taken away again")
        finally:
            for number in made:
                self.delete(Receipt(id=number))
        return {"keys": version if len(made) == 1 else "ignored"}

    def create(self, post: Post, commit: Commit) -> Receipt:
        for number in commit.prepared.get("pending", ()):
            self._await(number)
        body = {**_said(post), "visibility": self._seen_by() if post.visibility == "public" else post.visibility}
        if media := commit.prepared.get("media"):
            body["media_ids"] = list(media)
        if commit.reply_to is not None:
            body["in_reply_to_id"] = commit.reply_to.id
        headers = self._auth()
        if self._software() in KEYED or self.settings.get("keys", "ignored") != "ignored":
            headers["Idempotency-Key"] = commit.key
        return self._public(post, self.commit("POST", "/api/v1/statuses", headers=headers, json=body))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        number = self.settings.get("account_id") or self._me().pick("id")
        params = {"limit": str(PAGE), "exclude_reblogs": "true"}
        found: list[Receipt] = []
        while True:
            answer = self.call("GET", f"/api/v1/accounts/{number}/statuses", headers=self._auth(), params=params)
            statuses = answer.json()
            try:
                dated = [(s, datetime.fromisoformat(s["created_at"])) for s in statuses]
                recent = [s for s, at in dated if at >= commit.at - CLOCKS]
                found += [_receipt(s) for s in recent if _is(s, post, commit.reply_to)]
            except (KeyError, TypeError, ValueError) as error:
                raise answer.unreadable("the answer is not a list of statuses") from error
            if not isinstance(statuses, list) or (statuses and params.get("max_id") == str(statuses[-1]["id"])):
                raise answer.unreadable("the answer is not a page of statuses")
            if len(recent) < len(statuses) or not statuses:
                return tuple(found)
            params["max_id"] = str(statuses[-1]["id"])

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        body = _said(post)
        for number in commit.prepared.get("pending", ()) if commit.fresh else ():
            self._await(number)
        if media := commit.pictures(receipt):
            # Pictures that are not named again are taken away.
            body["media_ids"] = media
            pairs = zip(media, post.media, strict=False)
            body["media_attributes"] = [{"id": number, "description": picture.alt} for number, picture in pairs]
        return self._public(post, self.commit("PUT", self._status(receipt), headers=self._auth(), json=body))

    def locate(self, address: str) -> Receipt:
        return super().locate(self.ours(address))

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self.call("GET", self._status(receipt), headers=self._auth())
        except Rejected as error:
            if error.status in GONE:
                return None
            raise
        answer.pick("id")
        status = answer.json()
        try:
            page, media = _read(status), list(status.get("media_attachments") or ())
            return Seen(
                text="".join(page.shown).strip(),
                same=_says(page, post),
                pictures=len(media),
                alts=tuple(str(m.get("description") or "") for m in media),
                # A picture stands in the card's place; and not every server says whether there is one.
                card=bool(status["card"]) if post.link and not post.media and "card" in status else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a status") from error

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", self._status(receipt), headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        answer = self.call("GET", self._status(receipt), headers=self._auth())
        counts = {"likes": "favourites_count", "shares": "reblogs_count", "replies": "replies_count"}
        return {ours: int(answer.pick(theirs)) for ours, theirs in counts.items()}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words = answer.status, answer.words()
        if status == 429:
            wait = answer.retry_after(default=300, epoch_header="x-ratelimit-reset")
            return RateLimited("the server asks to wait", retry_after=wait, status=429, words=words)
        if status == 403 and any(reason in words for reason in LOCKED_OUT):
            return Unauthorized("the server gives this token no right to post", status=403, words=words)
        if status == 400 and "json" not in answer.headers.get("content-type", ""):
            # One server answers a token it does not know so, in HTML.
            return Unauthorized("the server does not understand who we are", status=400, words=words)
        if status == 422 and "finished processing" in words:
            return Unavailable("the server is still working on the picture", status=422, words=words)
        if status == 422 and "not found or already attached" in words:  # what no post names is kept for a day only
            return Unavailable("the server has forgotten the picture", stale=True, status=422, words=words)
        return judge(answer)

    def _upload(self, media: Media) -> Answer:
        return self.call(
            "POST",
            "/api/v2/media",
            headers=self._auth(),
            form={"description": media.alt} if media.alt else None,
            files={"file": ("picture", media.read(), media.mime)},
        )

    def _await(self, number: str) -> None:
        """Raise Unavailable while the server still works on a picture."""
        try:
            answer = self.call("GET", f"/api/v1/media/{number}", headers=self._auth())
        except Rejected as error:
            if error.status != 404:  # what is part of a status already is not found
                raise
        else:
            if answer.status == 206:
                raise Unavailable("the server is still working on the picture", status=206)

    def _instance(self) -> dict[str, Any]:
        try:
            answer = self.call("GET", "/api/v2/instance", headers=self._auth())
        except Rejected:
            answer = self.call("GET", "/api/v1/instance", headers=self._auth())
        told = answer.json()
        if not isinstance(told, dict) or not told.get("version"):
            raise answer.unreadable("the answer does not describe a server")
        return told

    def _nodeinfo(self) -> str:
        """The server's software where its description does not tell; see https://nodeinfo.diaspora.software."""
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

    def _software(self) -> str:
        """What ``connect`` found; an account that was connected before it asked counts as Mastodon's own."""
        return self.settings.get("software") or MASTODON

    def _seen_by(self) -> str:
        return self.settings.get("visibility") or SEEN_BY[0]

    def _public(self, post: Post, answer: Answer) -> Receipt:
        """The receipt of a status that is public as it was sent: some servers drop what they do not understand."""
        answer.pick("id")
        if post.text:
            answer.pick("content")
        return _receipt(answer.json())

    def _me(self) -> Answer:
        return self.call("GET", "/api/v1/accounts/verify_credentials", headers=self._auth())

    def _status(self, receipt: Receipt) -> str:
        return f"/api/v1/statuses/{receipt.id}"

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}


def _said(post: Post) -> dict[str, Any]:
    body: dict[str, Any] = {"status": post.text}
    if post.warning:
        body |= {"spoiler_text": post.warning, "sensitive": True}
    if post.language:
        body["language"] = post.language
    return body


def _receipt(status: Mapping[str, Any]) -> Receipt:
    media = [str(m["id"]) for m in status.get("media_attachments") or ()]
    return Receipt(
        id=str(status["id"]),
        url=str(status.get("url") or status.get("uri") or "") or None,
        extra={"media": media} if media else {},
    )


def _software(server: Mapping[str, Any]) -> str:
    """Which software a server says it is, in small letters; empty if its description does not tell."""
    if found := COMPATIBLE.search(str(server.get("version", ""))):
        return (found[1] or found[2]).lower()
    return str(server.get("source_url") or "").rstrip("/").rpartition("/")[2].lower()


def _proof(server: Mapping[str, Any], software: str) -> Proof:
    """How this software settles a lost answer; what is not known for certain is looked up."""
    if software == HOLLO:
        return IN_SEQUENCE
    release = RELEASE.fullmatch(str(server.get("version", "")))
    if software == MASTODON and release and tuple(map(int, release.groups())) >= KEYED_SINCE:
        return REPEATABLE
    return LOOKED_UP


def _limits(server: Mapping[str, Any], software: str) -> dict[str, Any]:
    """What the server says it takes, where it says so in a way that makes sense."""
    told = _mapping(server.get("configuration"))
    statuses, media = _mapping(told.get("statuses")), _mapping(told.get("media_attachments"))
    more = _mapping(_mapping(server.get("pleroma")).get("metadata"))
    numbers = {
        "text": statuses.get("max_characters") or server.get("max_toot_chars"),
        "media": statuses.get("max_media_attachments"),
        "media_bytes": media.get("image_size_limit") or server.get("upload_limit"),
        "alt": media.get("description_limit")
        or server.get("description_limit")
        or more.get("description_limit")
        or ALT.get(software),
    }
    limits: dict[str, Any] = {k: v for k, v in numbers.items() if isinstance(v, int) and v > 0}
    if types := [t for t in Mastodon.limits.media_types if t in (media.get("supported_mime_types") or ())]:
        limits["media_types"] = types
    if software != MASTODON or statuses.get("characters_reserved_per_url") != URL_LENGTH:
        # Others count every character, links in full, whatever they write here.
        limits["counting"] = "codepoints"
    return limits


def _mapping(told: Any) -> Mapping[str, Any]:
    return told if isinstance(told, dict) else {}


def _is(status: Mapping[str, Any], post: Post, reply_to: Receipt | None) -> bool:
    """Whether ``status`` says what ``post`` says, in answer to the same message."""
    if status.get("reblog") or status.get("in_reply_to_id") != (reply_to.id if reply_to else None):
        return False
    return _says(_read(status), post)


def _read(status: Mapping[str, Any]) -> _Page:
    page = _Page()
    page.feed(str(status["content"]))
    page.close()
    return page


def _says(page: _Page, post: Post) -> bool:
    return _letters(post.text) in {_letters("".join(page.shown)), _letters("".join(page.linked))}


def _letters(text: str) -> str:
    """What stays of a text on every server: no white space, and no server behind a mention."""
    return "".join(REMOTE.sub(r"\1", unicodedata.normalize("NFC", text)).split())


class _Page(HTMLParser):
    """The text of a status as its HTML shows it, and as it reads with every link's whole address in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.linked: list[str] = []
        self._address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in {"p", "br"}:
            self.handle_data("\n")
        elif tag == "a" and not {"mention", "hashtag"} & set((told.get("class") or "").split()):
            self._address = told.get("href") or ""
            self.linked.append(self._address)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._address = ""

    def handle_data(self, data: str) -> None:
        self.shown.append(data)
        if not self._address:
            self.linked.append(data)
