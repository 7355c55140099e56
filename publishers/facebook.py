"""How a Facebook Page takes a post: unpublished photos first, then one feed post; a lost answer is looked up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from publishers.core.errors import PublishError, Rejected, Unauthorized, Unconfirmed, Unsupported
from publishers.core.graph import CLOCKS, DUPLICATE, Graph, fault, letters, missing, moment, spoken
from publishers.core.http import Answer
from publishers.core.limits import Limits
from publishers.core.oauth import Choice, OAuth, granted
from publishers.core.post import Commit, Media, Post, Prepared, Receipt, Seen
from publishers.core.publisher import Profile, Proof, ProofClass, Setting

VERSION = "v26.0"
PHOTO_DUPLICATE = 1366051
PAGE_FIELDS = "id,name,link,access_token"
TASK = "CREATE_CONTENT"


class Facebook(Graph):
    """One Page (https://developers.facebook.com/documentation/pages-api). What answers a post is a comment under it."""

    label: ClassVar = "Facebook Page"
    home: ClassVar = "https://graph.facebook.com"
    limits: ClassVar = Limits(text=63_206, hashtags=3, media=10, media_bytes=10_000_000, alt=1000, comment=True)
    fields: ClassVar = (
        Setting(
            name="access_token",
            label="Page token, or a long-lived user token with pages_manage_posts and the rest of the guide's scopes",
            secret=True,
        ),
        Setting(name="page_id", label="The Page's number, if the token may post to several", required=False),
        Setting(name="version", label=f"API version, such as {VERSION}", required=False),
    )
    # https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow, read on 25 November 2026.
    # The Page's token that comes of a long-lived one has no end, so nothing is renewed.
    oauth: ClassVar = OAuth(
        authorize=f"https://www.facebook.com/{VERSION}/dialog/oauth",
        endpoint=f"https://graph.facebook.com/{VERSION}/oauth/access_token",
        scopes=(
            "pages_show_list",
            "pages_manage_posts",
            "pages_read_engagement",
            "pages_manage_engagement",
            "pages_read_user_content",
        ),
        pkce=False,
        comma=True,
        https=True,
    )
    pasted: ClassVar = "Page or user token"
    proof: ClassVar = Proof(kind=ProofClass.B)
    unverified: ClassVar = (
        "never run against the real platform; how long an alt text may be; whether a Page token reads its own "
        "access_token; how soon the feed lists a new post"
    )

    def path(self, name: str) -> str:
        return f"/{self.settings.get('version') or VERSION}/{name}"

    def connect(self) -> Profile:
        page = self._page()
        try:
            number, name = str(page["id"]), str(page["name"])
        except (KeyError, TypeError) as error:
            raise Unauthorized("Facebook does not say which Page this is") from error
        if TASK not in page.get("tasks", [TASK]):
            raise Unauthorized(f"this token may not create content on the Page {name}; ask its owner for that task")
        token = str(page.get("access_token") or "")
        self.http.hide(token)
        kept = {"page_id": number, **({"access_token": token} if token else {})}
        return Profile(name=name, url=str(page.get("link") or self._receipt(number).url), settings=kept)

    def _page(self) -> Mapping[str, Any]:
        """The Page this account posts to, with a token of its own where the given one is a person's."""
        if number := self.settings.get("page_id", ""):
            found = self.read(number, fields=PAGE_FIELDS).json()
            return found if isinstance(found, dict) else {}
        try:
            pages = self._pages()
        except Rejected:  # a Page has no accounts: the token is the Page's own
            found = self.read("me", fields="id,name,link").json()
            return found if isinstance(found, dict) else {}
        if len(pages) != 1:
            named = ", ".join(f"page_id={p.get('id')} ({p.get('name')})" for p in pages) or "none"
            raise Unauthorized(f"give the page_id of one of the Pages that this token may post to: {named}")
        return pages[0]

    def _pages(self) -> list[dict[str, Any]]:
        answer = self.read("me/accounts", fields=f"{PAGE_FIELDS},tasks")
        try:
            return [dict(p) for p in answer.json()["data"]]
        except (KeyError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer is not a list of Pages") from error

    def exchange(self, code: str, *, redirect: str, verifier: str) -> Mapping[str, str]:
        short = self._granted(self.asked(code, redirect=redirect, verifier=verifier))["access_token"]
        # https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived
        app = {k: self.settings.get(k, "") for k in ("client_id", "client_secret")}
        kept = dict(self._granted({"form": {"grant_type": "fb_exchange_token", **app, "fb_exchange_token": short}}))
        kept.pop("expires_at", None)  # of the person's token; the Page's, which is kept in its place, has none
        headers = {"Authorization": f"Bearer {kept['access_token']}"}
        answer = self.call("GET", self.path("me/permissions"), headers=headers)
        try:
            kept["granted"] = granted([p["permission"] for p in answer.json()["data"] if p["status"] == "granted"])
        except (KeyError, TypeError) as error:
            raise answer.unreadable("the answer is not a list of permissions") from error
        return kept

    def choices(self) -> tuple[Choice, ...]:
        if self.settings.get("page_id"):
            return ()
        found = [p for p in self._pages() if TASK in p.get("tasks", [TASK])]
        if not found:
            raise Unauthorized("Facebook names no Page on which you may create content; tick one when it asks")
        return tuple(Choice(label=str(p["name"]), settings={"page_id": str(p["id"])}) for p in found)

    def prepare(self, post: Post, key: str) -> Prepared:
        if post.warning or post.visibility != "public":
            raise Unsupported("a post on a Page is public and carries no warning")
        return super().prepare(post, key)

    def upload(self, media: Media) -> str:
        form = {"published": "false", **({"alt_text_custom": media.alt} if media.alt else {})}
        files = {"source": ("picture", media.read(), media.mime)}
        path = self.path(f"{self._number()}/photos")
        return self.call("POST", path, headers=self.auth(), form=form, files=files).pick("id")

    def create(self, post: Post, commit: Commit) -> Receipt:
        media = list(commit.prepared.get("media", ()))
        form = {"message": post.text}
        if commit.reply_to is not None:
            if media:  # a comment has room for one
                form["attachment_id"] = media[0]
            path = self.path(f"{_under(commit.reply_to)}/comments")
            answer = self.commit("POST", path, headers=self.auth(), form=form)
            return self._receipt(answer.pick("id"), commit.reply_to)
        if media:
            form["attached_media"] = json.dumps([{"media_fbid": number} for number in media])
        elif post.link:
            form["link"] = post.link
        answer = self.commit("POST", self.path(f"{self._number()}/feed"), headers=self.auth(), form=form)
        return self._receipt(answer.pick("id"))

    def find(self, post: Post, commit: Commit) -> tuple[Receipt, ...]:
        since = str(int((commit.at - CLOCKS).timestamp()))
        name, more = f"{self._number()}/feed", {}
        if commit.reply_to is not None:
            name, more = f"{_under(commit.reply_to)}/comments", {"filter": "stream"}
        found: list[Receipt] = []
        for answer, page in self.listed(name, fields="id,message,created_time,from", since=since, **more):
            try:
                ours = [
                    str(row["id"])
                    for row in page
                    if letters(str(row.get("message", ""))) == letters(post.text)
                    and moment(row["created_time"]) >= commit.at - CLOCKS
                    and str((row.get("from") or {}).get("id", self._number())) == self._number()
                ]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list of posts") from error
            found += [self._receipt(number, commit.reply_to) for number in ours]
        return tuple(found)

    def locate(self, address: str) -> Receipt:
        return self.found(address, f"{self._number()}/feed", link="permalink_url")

    def read_back(self, receipt: Receipt, post: Post) -> Seen | None:
        below = "on" in receipt.extra
        try:
            answer = self.read(receipt.id, fields="message" if below else "message,attachments{type,subattachments}")
        except Rejected as error:
            if missing(error):
                return None
            raise
        answer.pick("id")
        try:
            told = answer.json()
            text = str(told.get("message", ""))
            shown = [] if below else list((told.get("attachments") or {}).get("data") or ())
            albums = [len((a.get("subattachments") or {}).get("data") or ()) or 1 for a in shown]
            kinds = {str(a.get("type")) for a in shown}
        except (KeyError, TypeError, AttributeError) as error:
            raise answer.unreadable("the answer is not a post") from error
        pictures = sum(albums) if kinds <= {"photo", "album"} else 0
        card = "share" in kinds if post.link and not post.media and not below else None
        return Seen(
            text=text, same=letters(text) == letters(post.text), pictures=None if below else pictures, card=card
        )

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        del commit
        answer = self.commit("POST", self.path(receipt.id), headers=self.auth(), form={"message": post.text})
        if answer.told("success") is not True:
            raise answer.unreadable("Facebook does not say that it was changed")
        return receipt

    def delete(self, receipt: Receipt) -> None:
        try:
            self.commit("DELETE", self.path(receipt.id), headers=self.auth())
        except Rejected as error:
            if not missing(error):
                raise

    def metrics(self, receipt: Receipt) -> Mapping[str, int]:
        summary = "summary(total_count).limit(0)"
        more = "" if "on" in receipt.extra else ",shares"
        answer = self.read(receipt.id, fields=f"reactions.{summary},comments.{summary}{more}")
        try:
            told = answer.json()
            return {
                "likes": int(told["reactions"]["summary"]["total_count"]),
                "replies": int(told["comments"]["summary"]["total_count"]),
                "shares": int((told.get("shares") or {}).get("count", 0)),  # left out while there are none
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise answer.unreadable("the answer has no numbers") from error

    def classify(self, answer: Answer) -> PublishError | None:
        told = fault(answer) if answer.status >= 300 else {}
        if answer.commit and (told.get("code") == DUPLICATE or told.get("error_subcode") == PHOTO_DUPLICATE):
            # Names no post: it may be ours, sent a moment ago.
            what = "Facebook says that the Page has just posted this"
            return Unconfirmed(what, status=answer.status, words=spoken(told))
        return super().classify(answer)

    def _number(self) -> str:
        number = self.settings.get("page_id", "")
        if not number:
            raise Unauthorized("the account has no Page yet; connect it again")
        return number

    def _receipt(self, number: str, answered: Receipt | None = None) -> Receipt:
        if answered is not None:
            return Receipt(id=number, url=answered.url, extra={"on": _under(answered)})
        site = self.base if self.settings.get("server") else "https://www.facebook.com"
        return Receipt(id=number, url=f"{site}/{number}")


def _under(receipt: Receipt) -> str:
    """The post that a comment stands under: what answers a comment stands there too."""
    return str(receipt.extra.get("on", receipt.id))
