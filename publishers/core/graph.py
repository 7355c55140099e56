"""What the platforms that speak the Graph API share: numbered errors, the token's place, cursors, drafts in containers.

https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from publishers.core.errors import PublishError, RateLimited, Rejected, Unauthorized, Unavailable, Unconfirmed
from publishers.core.http import DAY, SOONEST, WORDS, Answer, judge
from publishers.core.oauth import refusal
from publishers.core.post import Post, Prepared, Receipt, Seen
from publishers.core.publisher import Publisher

TRANSIENT = {1, 2}
# From 80000 on: business use cases (80001 Pages, 80002 Instagram), whose refusals come as 400.
# https://developers.facebook.com/docs/graph-api/overview/rate-limiting, https://github.com/trypostit/trypost/pull/281
WAIT = {4, 17, 32, 341, 613, *range(80_000, 80_015)}
DUPLICATE = 506
UNAUTHORIZED = (
    ({102, 190}, "does not accept the token"),
    ({3, 10, *range(200, 300)}, "gives this token no right to do this"),
    ({368}, "has blocked this account from posting for now"),
)
PATIENCE = 600.0  # where it asks to wait and does not say how long
USAGE = "x-business-use-case-usage"
CLOCKS = timedelta(minutes=5)  # how far the platform's clock and ours may be apart
PAGE = 100


class Graph(Publisher):
    """One account on a platform behind the Graph API; its setting ``access_token`` goes into a header."""

    container_state: ClassVar[str] = "status"
    """The field of a draft (a container) that says how far the platform is with it."""
    grants: ClassVar[str] = ""
    """The letters before ``_exchange_token`` where a token of one hour is made into one of 60 days."""

    @abstractmethod
    def path(self, name: str) -> str:
        """Where ``name``, an object or one of its lists, is found on this platform's version of the API."""

    def classify(self, answer: Answer) -> PublishError | None:
        error = judge(answer)
        told = fault(answer)
        if error is None or "code" not in told:
            return error
        code, status, words = told["code"], answer.status, spoken(told)
        if answer.commit and status >= 500:
            # Threads has said "no permission" (10) in a 5xx about what it had published all the same:
            # https://github.com/tirthpatell/fia-f1-docs-bot/pull/52
            return Unconfirmed(f"{self.label} answered {status}", status=status, words=words)
        if code in WAIT:
            wait = answer.retry_after(default=_regained(answer))
            return RateLimited(f"{self.label} asks to wait", retry_after=wait, status=status, words=words)
        for codes, what in UNAUTHORIZED:
            if code in codes:
                return Unauthorized(f"{self.label} {what}", status=status, words=words)
        if code in TRANSIENT or told.get("is_transient") is True:
            # What is called transient may have happened all the same: https://github.com/arsduo/koala/issues/699
            kind = Unconfirmed if answer.commit else Unavailable
            return kind(f"{self.label} had a passing trouble", status=status, words=words)
        error.words = words
        return error

    def auth(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.settings.get('access_token', '')}"}

    def exchange(self, code: str, *, redirect: str, verifier: str) -> Mapping[str, str]:
        first = dict(super().exchange(code, redirect=redirect, verifier=verifier))
        # The protocol has no other place for the two than the address.
        given = {"client_secret": self.settings.get("client_secret", ""), "access_token": first["access_token"]}
        params = {"grant_type": f"{self.grants}_exchange_token", **given}
        return {**first, **self._lasting("/access_token", params=params)}

    def lengthen(self) -> Mapping[str, str]:
        """``refresh`` where a token is renewed by itself."""
        params = {"grant_type": f"{self.grants}_refresh_token"}
        return self._lasting("/refresh_access_token", headers=self.auth(), params=params)

    def _lasting(self, path: str, **request: Any) -> Mapping[str, str]:
        try:
            answer = self.call("GET", path, **request)
        except (Rejected, Unauthorized) as error:
            raise refusal(error) from None
        kept = self._oauth().read(answer)
        self.http.hide(kept["access_token"])
        return kept

    def read(self, name: str, **params: str) -> Answer:
        """One object or list."""
        return self.call("GET", self.path(name), headers=self.auth(), params=params)

    def seen(self, name: str, field: str, post: Post) -> Seen | None:
        """A message read again, whose words are in ``field``; None if it is not there any more."""
        try:
            answer = self.read(name, fields=f"id,{field}")
        except Rejected as error:
            if missing(error):
                return None
            raise
        answer.pick("id")
        text = str(answer.json().get(field) or "")
        return Seen(text=text, same=letters(text) == letters(post.text))

    def found(self, address: str, *lists: str, link: str = "permalink") -> Receipt:
        """A message of ours by its address, which shows no id: the account's own lists are searched for it."""
        wanted = _last(address)
        for name in lists:
            for answer, page in self.listed(name, fields=f"id,{link}"):
                try:
                    for row in page:
                        place = str(row.get(link) or "")
                        if wanted and wanted in {str(row["id"]), _last(place)}:
                            return Receipt(id=str(row["id"]), url=place or None)
                except (KeyError, TypeError, AttributeError) as error:
                    raise answer.unreadable("the answer is not a list of posts") from error
        raise Rejected("the account has no such post")

    def listed(self, name: str, **params: str) -> Iterator[tuple[Answer, list[Mapping[str, Any]]]]:
        """A list page by page, each with the answer it came in."""
        after = ""
        while True:
            answer = self.read(name, **params, limit=str(PAGE), **({"after": after} if after else {}))
            page = answer.json()
            try:
                found = list(page["data"])
                paging = page.get("paging") or {}
                following = str((paging.get("cursors") or {}).get("after") or "") if paging.get("next") else ""
            except (KeyError, TypeError, AttributeError) as error:
                raise answer.unreadable("the answer is not a list") from error
            if following == after != "":
                raise answer.unreadable("the answer is the same page again")
            yield answer, found
            if not following:
                return
            after = following

    def state(self, container: str) -> str:
        """How far the platform is with a draft: FINISHED, IN_PROGRESS, PUBLISHED, EXPIRED or ERROR."""
        try:
            return self.read(container, fields=self.container_state).pick(self.container_state)
        except Rejected as error:
            # What is public already may be told as a post, which has no such field:
            # https://github.com/exileum/meta-mcp/issues/143
            if f"nonexisting field ({self.container_state})" in error.words:
                return "PUBLISHED"
            raise

    def ready(self, prepared: Prepared) -> str:
        """The draft, if it can be published now; Unavailable if not yet or no more, Unconfirmed if it already is."""
        container = str(prepared.get("container", ""))
        try:
            state = self.state(container) if container else "missing"
        except Rejected as error:
            if not missing(error):
                raise
            state = "missing"
        match state:
            case "FINISHED":
                return container
            case "PUBLISHED":
                raise Unconfirmed(f"{self.label} says that this draft is public already")
            case "IN_PROGRESS":
                raise Unavailable(f"{self.label} is still fetching the picture")
            case other:
                # A picture that could not be fetched may be there in a minute, and a draft lives for a day.
                raise Unavailable(f"{self.label} can do nothing with this draft ({other})", stale=True)

    def unpublished(self, container: str) -> bool:
        """Whether a draft is certainly not public; raises Unavailable while nobody can say."""
        state = self.state(container)
        if state == "IN_PROGRESS":
            raise Unavailable(f"{self.label} is still at it")
        return state == "FINISHED"

    def spend(self, name: str, usage: str, config: str) -> None:
        """Raise RateLimited if the list ``name`` says that the account's quota of posts is used up."""
        answer = self.read(name, fields=f"{usage},{config}")
        try:
            quota = answer.json()["data"][0]
            used, total = int(quota[usage]), int(quota[config]["quota_total"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise answer.unreadable("the answer does not say how much may be posted") from error
        if used >= total:
            what = f"{self.label} takes {total} posts in 24 hours from this account, and has them"
            raise RateLimited(what, retry_after=PATIENCE)


def fault(answer: Answer) -> Mapping[str, Any]:
    """The ``error`` of an answer; empty if there is none."""
    told = answer.told("error")
    return told if isinstance(told, dict) else {}


def spoken(told: Mapping[str, Any]) -> str:
    """What an ``error`` says to people, with its numbers."""
    said = [str(told[k]) for k in ("message", "error_user_msg") if told.get(k)]
    numbers = "/".join(str(told[k]) for k in ("code", "error_subcode") if told.get(k) is not None)
    return f"{' '.join(dict.fromkeys(said))} ({numbers})"[:WORDS]


def missing(error: PublishError) -> bool:
    """Whether a refusal says that there is no such object."""
    return error.status == 404 or error.words.endswith("(100/33)")


def letters(text: str) -> str:
    """What stays of a text whatever the platform did to its white space and the signs of its hashtags."""
    return "".join(text.replace("#", "").replace("\uff03", "").split())


def moment(value: str) -> datetime:
    """An instant as the Graph API writes it, such as 2026-11-24T10:15:31+0000; raises ValueError."""
    return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")


def _regained(answer: Answer) -> float:
    """Seconds until calls are taken again, where the answer tells (in minutes, for each of the app's limits)."""
    try:
        told = json.loads(answer.headers.get(USAGE, "{}"))
        minutes = [
            float(one["estimated_time_to_regain_access"])
            for limits in told.values()
            for one in limits
            if one.get("estimated_time_to_regain_access")
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return PATIENCE
    return min(max(max(minutes, default=PATIENCE / 60) * 60, SOONEST), DAY)


def _last(address: str) -> str:
    """The last part of an address, or an id alone."""
    return address.strip().partition("?")[0].rstrip("/").rpartition("/")[2]
