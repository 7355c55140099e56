"""Umami: the query strings by which readers came, in its cloud or on a server of one's own; ``utm_content`` is in them.

https://umami.is/docs/api/website-stats, https://umami.is/docs/cloud/api-key (50 questions in 15 seconds) and
src/app/api/websites/[websiteId]/metrics/route.ts, read on 2026-11-26. Versions 2 and 3 both have ``type=query``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, quote

from publishers.core.errors import Unauthorized
from publishers.core.http import Http, judge
from worker.analytics.service import Service, Setting, Window

CLOUD = "https://api.umami.is"
MOST = "10000"


def _visits(http: Http, told: Mapping[str, str], marks: Sequence[str], window: Window) -> dict[str, int]:
    server = told["server"].rstrip("/")
    root = f"{server}/v1" if server == CLOUD else f"{server}/api"
    params = {
        "type": "query",
        "search": "utm_content",
        "startAt": str(round(window.begin.timestamp() * 1000)),
        "endAt": str(round(window.end.timestamp() * 1000)),
        "limit": MOST,
    }
    place = f"{root}/websites/{quote(told['site'], safe='')}/metrics"
    answer = http.send("GET", place, commit=False, headers=_signed_in(http, root, told), params=params)
    if error := judge(answer):
        raise error
    found: Counter[str] = Counter()
    wanted = set(marks)
    try:
        for row in answer.json():
            for mark in set(parse_qs(str(row["x"]).lstrip("?")).get("utm_content", ())) & wanted:
                found[mark] += int(row["y"])
    except (KeyError, TypeError, ValueError):
        raise answer.unreadable("the answer has no rows of visits") from None
    return dict(found)


def _signed_in(http: Http, root: str, told: Mapping[str, str]) -> dict[str, str]:
    """The header that proves who asks: a key, or the token that a name and a password are given."""
    if told["key"]:
        return {"x-umami-api-key": told["key"]}
    if not told["password"]:
        raise Unauthorized("Umami wants a key, or a name and a password")
    body = {"username": told["user"], "password": told["password"]}
    answer = http.send("POST", f"{root}/auth/login", commit=False, json=body)
    if error := judge(answer):
        raise error
    token = answer.pick("token")
    http.hide(token)
    return {"Authorization": f"Bearer {token}"}


UMAMI = Service(
    name="umami",
    label="Umami",
    settings=(
        Setting(name="server", label="Its address", default=CLOUD),
        Setting(name="site", label="Id of the website"),
        Setting(name="key", label="API key", secret=True, needed=False),
        Setting(name="user", label="Name, on a server of your own", needed=False),
        Setting(name="password", label="Password, on a server of your own", secret=True, needed=False),
    ),
    parameter=lambda _: "utm_content",
    site="site",
    advice="Give an API key (cloud), or a name and a password of somebody who may see the website",
    visits=_visits,
)
