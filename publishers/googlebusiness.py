"""How a Google Business Profile takes a post: plain words, a picture that Google fetches, a button that leads on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from publishers.core import oauth
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
from publishers.core.oauth import Choice, OAuth, Renewal
from publishers.core.post import Commit, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting, text_hash

# Google keeps accounts, places and posts under three hosts: https://developers.google.com/my-business/ref_overview
ACCOUNTS = "https://mybusinessaccountmanagement.googleapis.com/v1"
PLACES = "https://mybusinessbusinessinformation.googleapis.com/v1"
POSTS = "https://mybusiness.googleapis.com/v4"
CLOCKS = timedelta(minutes=5)  # how far Google's clock and ours may be apart
PAGE = 100
REFUSED = "REJECTED"
UNSURE = {"ABORTED", "ALREADY_EXISTS"}


class GoogleBusiness(Publisher):
    """One location of a Google Business Profile (https://developers.google.com/my-business/reference/rest/v4)."""

    label: ClassVar = "Google Business Profile"
    limits: ClassVar = Limits(
        text=1500,  # https://support.google.com/business/answer/7662907
        hashtags=0,  # Google knows none
        media_bytes=5_000_000,
        cards=((1200, 900), (1200, 630)),
        link_in_text=False,  # a button leads to the article; an address in the words would not be live
        link_card=False,
    )
    fields: ClassVar = (
        Setting(name="access_token", label="OAuth 2 access token", secret=True),
        Setting(
            name="location",
            label="Location, such as accounts/123/locations/456; the only one if left out",
            required=False,
        ),
        Setting(name="refresh_token", label="Refresh token", secret=True, required=False),
        Setting(name="client_id", label="Client id of your app", required=False),
        Setting(name="client_secret", label="Client secret of your app", secret=True, required=False),
        Setting(
            name="button", label="Button: LEARN_MORE, or another of Google's", required=False, default="LEARN_MORE"
        ),
    )
    # https://developers.google.com/identity/protocols/oauth2/web-server
    oauth: ClassVar = OAuth(
        authorize="https://accounts.google.com/o/oauth2/v2/auth",
        endpoint="https://oauth2.googleapis.com/token",
        revoke="https://oauth2.googleapis.com/revoke",
        scopes=("https://www.googleapis.com/auth/business.manage",),
        more={"access_type": "offline", "prompt": "consent"},  # without these there is no refresh token
    )
    renewal: ClassVar = Renewal(ahead=timedelta(minutes=10))  # it lives an hour
    pulls: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.B)
    # Ten changes a minute and location: https://developers.google.com/my-business/content/limits
    budgets: ClassVar = (Budget(posts=10, seconds=60), Budget(posts=300, seconds=60, app=True))
    unverified: ClassVar = (
        "never run against the real platform, where every project needs Google's approval first; how soon the list has "
        "a new post; how Google counts its 1,500 characters; whether a changed post keeps its picture"
    )

    def connect(self) -> Profile:
        if not self.settings.get("location"):
            found = self.choices()
            if len(found) > 1:
                named = ", ".join(f"{c.settings['location']} ({c.label})" for c in found)
                raise Unauthorized(f"set location to one of: {named}")
            self.settings = {**self.settings, **found[0].settings}
        place = self._location()
        location = f"locations/{place.rpartition('/')[2]}"
        answer = self._get(f"{PLACES}/{location}", {"readMask": "title,metadata"})
        name, metadata = answer.pick("title"), answer.told("metadata") or {}
        if metadata.get("canOperateLocalPost") is False:
            raise Unauthorized(f"Google takes no posts for {name}: its kind of business has none")
        return Profile(name=name, url=str(metadata.get("mapsUri") or ""), settings={"location": place})

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("location"):
            return ()
        found: list[Choice] = []
        for account in self._pages(f"{ACCOUNTS}/accounts", {"pageSize": "20"}, "accounts"):
            owner = str(account.get("name") or "")
            asked = {"pageSize": str(PAGE), "readMask": "name,title,storefrontAddress"}
            for one in self._pages(f"{PLACES}/{owner}/locations", asked, "locations"):
                where = (one.get("storefrontAddress") or {}).get("locality")
                label = f"{one.get('title') or one.get('name')}" + (f", {where}" if where else "")
                found.append(Choice(label=label, settings={"location": f"{owner}/{one.get('name')}"}))
        if not found:
            raise Unauthorized("this person manages no location on Google")
        return tuple(found)

    def refresh(self) -> Mapping[str, str]:
        return self.renewed()

    def revoke(self) -> None:
        if token := self.settings.get("refresh_token") or self.settings.get("access_token"):
            own = self._oauth()
            self.call("POST", oauth.place(own.revoke, self._own()), form={"token": token})

    def prepare(self, post: Post, key: str) -> Prepared:
        del key
        # Google fetches the picture itself when the post is made; its address is kept, so that a repeat is the same.
        for picture in post.media[:1]:
            if not picture.url.startswith("https://") and not self._own():
                raise Unsupported("Google fetches pictures from https addresses alone")
            return {"picture": picture.url}
        return {}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on a Business Profile is public and carries no warning")
        if commit.reply_to is not None:
            raise Unsupported("nothing answers a post on a Business Profile")
        body: dict[str, Any] = {"topicType": "STANDARD", **self._said(post)}
        if post.language:
            body["languageCode"] = post.language
        if picture := commit.prepared.get("picture"):
            body["media"] = [{"mediaFormat": "PHOTO", "sourceUrl": str(picture)}]
        answer = self.commit(
            "POST", self._at(f"{POSTS}/{self._location()}/localPosts"), headers=self._auth(), json=body
        )
        return self._receipt(answer)

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        if commit.reply_to is not None:
            raise Unsupported("nothing answers a post on a Business Profile")
        since, found, params = commit.at - CLOCKS, list[Receipt](), {"pageSize": str(PAGE)}
        while True:
            answer = self._get(f"{POSTS}/{self._location()}/localPosts", params)
            try:
                told = answer.json()
                # Without any post the list is not there at all, and neither is anything else.
                listed = [(p, datetime.fromisoformat(p["createTime"])) for p in told.get("localPosts", ())]
                recent = [p for p, at in listed if at >= since]
                found += [self._kept(p) for p in recent if _is(p, post)]
                more = str(told.get("nextPageToken") or "")
                strange = not listed and bool(told.keys() - {"nextPageToken", "localPosts"})
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
            if strange or (not listed and "json" not in answer.headers.get("content-type", "")):
                raise answer.unreadable("the answer is not a list of posts")
            if not more or (listed and not recent):  # in which order they come is not told
                return tuple(found)
            if params.get("pageToken") == more:
                raise answer.unreadable("the answer is the same page again")
            params["pageToken"] = more

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        try:
            answer = self._get(f"{POSTS}/{receipt.id}")
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        answer.pick("name")
        if answer.told("state") == REFUSED:  # Google looks a post through, and takes it away again
            return None
        pictures = answer.told("media")
        shown = str(answer.told("summary") or "")
        same = _is(answer.json(), post)
        return Seen(text=shown, same=same, pictures=len(pictures) if isinstance(pictures, list) else 0)

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        said = self._said(post)
        place, params = self._at(f"{POSTS}/{receipt.id}"), {"updateMask": ",".join(said)}
        return self._receipt(self.commit("PATCH", place, headers=self._auth(), params=params, json=said))

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", self._at(f"{POSTS}/{receipt.id}"), headers=self._auth())
        except Rejected as error:
            if error.status != 404:
                raise

    def classify(self, answer: Answer) -> PublishError | None:
        status, words, code = answer.status, answer.words(), str(answer.told("error", "status") or "")
        if status == 429 or code == "RESOURCE_EXHAUSTED":
            return RateLimited("Google asks to wait", retry_after=answer.retry_after(), status=status, words=words)
        if status == 403:
            what = "Google does not let this account, or this app, post there"
            return Unauthorized(what, status=status, words=words)
        if status == 409 or code in UNSURE:
            kind = Unconfirmed if answer.commit else Unavailable
            return kind(f"Google answered {code or status}", status=status, words=words)
        return judge(answer)

    def _said(self, post: Post) -> dict[str, Any]:
        said: dict[str, Any] = {"summary": post.text}
        if post.link:
            button = self.settings.get("button", "").strip() or "LEARN_MORE"
            said["callToAction"] = {"actionType": button, "url": post.link}
        return said

    def _pages(self, place: str, asked: Mapping[str, str], name: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        params = dict(asked)
        while True:
            answer = self._get(place, params)
            told = answer.json()
            rows = told.get(name, []) if isinstance(told, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise answer.unreadable(f"the answer is not a list of {name}")
            found += rows
            more = str(told.get("nextPageToken") or "")
            if not more or params.get("pageToken") == more:
                return found
            params["pageToken"] = more

    def _location(self) -> str:
        """The location with its account, as posts want it."""
        parts = self.settings.get("location", "").strip().strip("/").split("/")
        if len(parts) != 4 or (parts[0], parts[2]) != ("accounts", "locations") or not all(p.isalnum() for p in parts):
            raise Unauthorized("the location is written accounts/123/locations/456; sign in to choose it")
        return "/".join(parts)

    def _at(self, address: str) -> str:
        return oauth.place(address, self._own())

    def _get(self, address: str, params: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", self._at(address), headers=self._auth(), params=params)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}

    def _receipt(self, answer: Answer) -> Receipt:
        answer.pick("name")
        return self._kept(answer.json())

    def _kept(self, told: Mapping[str, Any]) -> Receipt:
        return Receipt(id=str(told["name"]), url=str(told.get("searchUrl") or "") or None)


def _is(told: Mapping[str, Any], post: Post) -> bool:
    """Whether a post says what ``post`` says, and its button leads to the same article."""
    leads = str((told.get("callToAction") or {}).get("url") or "")
    return text_hash(str(told.get("summary") or "")) == text_hash(post.text) and leads == (post.link or "")
