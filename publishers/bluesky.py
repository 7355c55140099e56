"""How Bluesky takes a post: one record under a key of our own in the account's repository, offsets in UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unavailable, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.post import Commit, Facet, Media, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

COLLECTION = "app.bsky.feed.post"
PDS = "#atproto_pds"
LETTERS = "234567abcdefghijklmnopqrstuvwxyz"  # https://atproto.com/specs/tid
# What an author may say of a post; every reader's own settings decide what it does there: com.atproto.label.defs
# #labelValue, https://docs.bsky.app/docs/advanced-guides/moderation, both read in November 2026
LABELS = ("graphic-media", "nudity", "sexual", "porn")
CLOSED = {"AccountTakedown", "AccountSuspended", "AccountDeactivated", "RepoTakendown", "RepoDeactivated"}
STALE = {"ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired", "AuthFactorTokenRequired"}


class Bluesky(Publisher):
    """One account of the AT Protocol, on Bluesky's own servers or on its owner's (https://docs.bsky.app)."""

    label: ClassVar = "Bluesky"
    home: ClassVar = "https://bsky.social"
    limits: ClassVar = Limits(
        text=300,
        counting="graphemes",
        text_bytes=3000,
        media=4,
        # Today's lexicon allows 2,000,000, but a server refuses what its own older copy of it does not allow.
        media_bytes=1_000_000,
        media_types=("image/jpeg", "image/png", "image/webp"),
        alt=2000,  # what Bluesky's own app writes; the lexicon sets no limit
        thread=True,
        warning=True,
        labels=LABELS,
    )
    fields: ClassVar = (
        Setting(name="identifier", label="Handle, such as you.bsky.social, or e-mail address"),
        Setting(name="app_password", label="App password, from Settings, Privacy and security", secret=True),
        Setting(name="embed", label="Under the text: images or card", required=False, default="images"),
        Setting(name="access_jwt", label="Session, kept by Handbill", secret=True, required=False),
        Setting(name="refresh_jwt", label="Session's renewal, kept by Handbill", secret=True, required=False),
    )
    pasted: ClassVar = "app password"
    proof: ClassVar = Proof(kind=ProofClass.A, settle=timedelta(seconds=5))
    addressed: ClassVar = r"(?:^|/post/|/app\.bsky\.feed\.post/)([2-7a-z]{13})(?=[/?#]|$)"
    unverified: ClassVar = "run against Bluesky's own server on one machine, never against bsky.social"
    # A record costs 3 of 5,000 points an hour and 35,000 a day: https://docs.bsky.app/docs/advanced-guides/rate-limits
    budgets: ClassVar = (Budget(posts=1666, seconds=3600), Budget(posts=11_666, seconds=86_400))

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        card = bool(post.link) and (settings.get("embed") == "card" or not post.media)
        return (post.title, post.description) if card else ()

    def connect(self) -> Profile:
        session = self._open()
        handle = session.pick("handle")
        card = self.settings.get("embed") == "card"
        return Profile(
            name=f"@{handle}",
            url=f"{self._site()}/profile/{handle}",
            limits={"link_in_text": False, "media": 1} if card else {},
            settings=self._kept(session),
        )

    def refresh(self) -> Mapping[str, str]:
        if token := self.settings.get("refresh_jwt"):
            try:
                return self._kept(self._session("refreshSession", headers={"Authorization": f"Bearer {token}"}))
            except (Unauthorized, Rejected):
                pass
        return self._kept(self._open())

    def prepare(self, post: Post, key: str) -> Prepared:
        del key
        pictures = post.media[:1] if self._card(post) else post.media
        prepared: dict[str, Any] = {}
        if pictures:
            prepared["media"] = [self.upload(m) for m in pictures]
        if people := self._people(post):
            prepared["people"] = people
        return prepared

    def upload(self, media: Media) -> Mapping[str, Any]:
        headers = {**self._auth(), "Content-Type": media.mime}
        answer = self.call("POST", self._at("com.atproto.repo.uploadBlob"), headers=headers, content=media.read())
        answer.pick("blob", "ref", "$link")
        return {"blob": answer.json()["blob"], "alt": media.alt, "width": media.width, "height": media.height}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.visibility != "public":
            raise Unsupported("a Bluesky post is public")
        record: dict[str, Any] = {"$type": COLLECTION, "text": post.text, "createdAt": _moment(commit.at)}
        if post.language:
            record["langs"] = [post.language]
        if post.warning:
            if post.warning not in LABELS:
                raise Unsupported(f"Bluesky knows no warning but {', '.join(LABELS)}")
            record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": post.warning}]}
        if facets := _facets(post, commit.prepared.get("people", {})):
            record["facets"] = facets
        if embed := self._embed(post, commit.prepared.get("media", ())):
            record["embed"] = embed
        if commit.reply_to is not None:
            root, parent = _ref(commit.root or commit.reply_to), _ref(commit.reply_to)
            record["reply"] = {"root": root, "parent": parent}
        # The same record again changes nothing; swapRecord keeps another one with this key from being overwritten.
        # https://github.com/bluesky-social/atproto/blob/main/packages/pds/src/api/com/atproto/repo/putRecord.ts
        body = {**self._place(tid(commit)), "record": record, "swapRecord": None}
        return self._receipt(
            self.commit("POST", self._at("com.atproto.repo.putRecord"), headers=self._auth(), json=body)
        )

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        del post
        try:
            answer = self.call(
                "GET", self._at("com.atproto.repo.getRecord"), headers=self._auth(), params=self._place(tid(commit))
            )
        except Rejected as error:
            if error.status == 400 and "RecordNotFound" in error.words:
                return ()
            raise
        return (self._receipt(answer),)

    def locate(self, address: str) -> Receipt:
        place = self._place(self.named(address))
        try:
            return self._receipt(
                self.call("GET", self._at("com.atproto.repo.getRecord"), headers=self._auth(), params=place)
            )
        except Rejected as error:
            if error.status == 400 and "RecordNotFound" in error.words:
                raise Rejected("the account has no such post", status=400, words=error.words) from None
            raise

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        path, place = self._at("com.atproto.repo.getRecord"), self._place(receipt.id)
        try:
            answer = self.call("GET", path, headers=self._auth(), params=place)
        except Rejected as error:
            if error.status == 400 and "RecordNotFound" in error.words:
                return None
            raise
        text = answer.pick("value", "text")
        try:
            record = answer.json()["value"]
            embed = record.get("embed") or {}
            images = list(embed.get("images") or ())
            alts = tuple(str(i["alt"]) for i in images)
            links = {str(f["uri"]) for facet in record.get("facets") or () for f in facet["features"] if "uri" in f}
            card = (embed.get("external") or {}).get("uri")
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post") from error
        wanted = {f.value for f in post.facets if f.type == "link"}
        same = text == post.text and wanted <= links
        if self._card(post):
            return Seen(text=text, same=same, card=card == post.link)
        return Seen(text=text, same=same, pictures=len(images), alts=alts)

    def delete(self, receipt: Receipt) -> None:
        path = self._at("com.atproto.repo.deleteRecord")
        self.commit("POST", path, headers=self._auth(), json=self._place(receipt.id))

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        asked = {"uris": str(receipt.extra["uri"])}
        answer = self.call("GET", self._at("app.bsky.feed.getPosts"), headers=self._auth(), params=asked)
        likes, replies, reposts, quotes = (
            int(answer.pick("posts", 0, f"{what}Count")) for what in ("like", "reply", "repost", "quote")
        )
        return {"likes": likes, "shares": reposts + quotes, "replies": replies}

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, name = answer.status, answer.words(), _error(answer)
        if status == 429:
            wait = answer.retry_after(default=300, epoch_header="ratelimit-reset")
            return RateLimited("Bluesky asks to wait", retry_after=wait, status=429, words=words)
        if 400 <= status < 500 and name in STALE:  # an expired token comes as 400
            return Unauthorized("Bluesky does not accept the session", status=status, words=words)
        if 400 <= status < 500 and name in CLOSED:
            return Unauthorized("Bluesky has closed this account", status=status, words=words)
        if status == 400 and name == "BlobNotFound":  # what no post names is kept for some hours only
            return Unavailable("Bluesky has forgotten the picture", stale=True, status=400, words=words)
        return judge(answer)

    def _open(self) -> Answer:
        given = {"identifier": self.settings.get("identifier", ""), "password": self.settings.get("app_password", "")}
        return self._session("createSession", json=given)

    def _session(self, method: str, **request: Any) -> Answer:
        answer = self.call("POST", f"/xrpc/com.atproto.server.{method}", **request)
        self.http.hide(answer.pick("accessJwt"), answer.pick("refreshJwt"))
        return answer

    def _kept(self, session: Answer) -> dict[str, str]:
        kept = {"did": session.pick("did"), "handle": session.pick("handle")}
        kept |= {"access_jwt": session.pick("accessJwt"), "refresh_jwt": session.pick("refreshJwt")}
        if pds := _pds(session.json()):
            kept["pds"] = pds
        return kept

    def _people(self, post: Post) -> dict[str, str]:
        """The ids of those whom the text mentions; a name that nobody has stays plain text."""
        people = {}
        for handle in dict.fromkeys(f.value for f in post.facets if f.type == "mention"):
            path = self._at("com.atproto.identity.resolveHandle")
            try:
                people[handle] = self.call("GET", path, headers=self._auth(), params={"handle": handle}).pick("did")
            except Rejected as error:
                if error.status not in {400, 404}:
                    raise
        return people

    def _card(self, post: Post) -> bool:
        """Whether the article's link is shown as a card, which leaves no place for pictures."""
        return bool(post.link) and (self.settings.get("embed") == "card" or not post.media)

    def _embed(self, post: Post, media: Any) -> dict[str, Any] | None:
        if self._card(post):
            card = {"uri": post.link, "title": post.title, "description": post.description}
            if media:
                card["thumb"] = media[0]["blob"]
            return {"$type": "app.bsky.embed.external", "external": card}
        if not media:
            return None
        images = [
            {"image": m["blob"], "alt": m["alt"], "aspectRatio": {"width": m["width"], "height": m["height"]}}
            for m in media
        ]
        return {"$type": "app.bsky.embed.images", "images": images}

    def _place(self, key: str) -> dict[str, str]:
        return {"repo": self._did(), "collection": COLLECTION, "rkey": key}

    def _did(self) -> str:
        if not (did := self.settings.get("did", "")):
            raise Unauthorized("the account has no session yet; connect it again")
        return did

    def _auth(self) -> dict[str, str]:
        if not (token := self.settings.get("access_jwt", "")):
            raise Unauthorized("the account has no session yet; connect it again")
        return {"Authorization": f"Bearer {token}"}

    def _at(self, method: str) -> str:
        """Where the account's own server answers, which need not be the one that opened the session."""
        return f"{self.settings.get('pds') or self.base}/xrpc/{method}"

    def _site(self) -> str:
        """Where readers are: a server with a path of its own is a stand-in that shows its posts itself."""
        return self.base if urlsplit(self.base).path else "https://bsky.app"

    def _receipt(self, answer: Answer) -> Receipt:
        uri, cid = answer.pick("uri"), answer.pick("cid")
        key = uri.rpartition("/")[2]
        who = self.settings.get("handle") or self._did()
        return Receipt(id=key, url=f"{self._site()}/profile/{who}/post/{key}", extra={"uri": uri, "cid": cid})


def tid(commit: Commit) -> str:
    """The record's key: an instant in microseconds and a number, both the same whenever this commit is repeated.

    The instant is the commit's to the millisecond, the rest comes from its key: commits of one millisecond differ.
    """
    drawn = int(commit.key, 16)
    instant = int(commit.at.timestamp() * 1000) * 1000 + drawn % 1000
    number = instant << 10 | drawn // 1000 % 1024
    return "".join(LETTERS[number >> shift & 31] for shift in range(60, -1, -5))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facets(post: Post, people: Mapping[str, str]) -> list[dict[str, Any]]:
    features: dict[str, Any] = {
        "link": lambda f: {"$type": "app.bsky.richtext.facet#link", "uri": f.value},
        "tag": lambda f: {"$type": "app.bsky.richtext.facet#tag", "tag": f.value},
        "mention": lambda f: {"$type": "app.bsky.richtext.facet#mention", "did": people[f.value]},
    }
    known = [f for f in post.facets if f.type != "mention" or f.value in people]
    return [{"index": _index(post, f), "features": [features[f.type](f)]} for f in known]


def _index(post: Post, facet: Facet) -> dict[str, int]:
    """The facet's place in UTF-8 bytes."""
    start = len(post.text[: facet.start].encode())
    return {"byteStart": start, "byteEnd": start + len(post.text[facet.start : facet.end].encode())}


def _ref(receipt: Receipt) -> dict[str, str]:
    return {"uri": str(receipt.extra["uri"]), "cid": str(receipt.extra["cid"])}


def _error(answer: Answer) -> str:
    """The name of the error, if the answer has one."""
    return str(answer.told("error") or "")


def _pds(session: Mapping[str, Any]) -> str:
    """The address of the server that keeps the account, if the session says so."""
    try:
        services = {s["id"]: str(s["serviceEndpoint"]) for s in session["didDoc"]["service"]}
    except (KeyError, TypeError):
        return ""
    return next((url.rstrip("/") for name, url in services.items() if name.endswith(PDS)), "")
