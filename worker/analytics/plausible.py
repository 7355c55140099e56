"""Plausible: one question of its Stats API v2 for all posts, by ``utm_content``.

https://plausible.io/docs/stats-api-v2 and lib/plausible_web/plugs/authorize_public_api.ex, both read on 2026-11-26: 401
for a key that does not fit the site, 402 without a plan that has the API, 429 beyond 600 questions an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from publishers.core.http import Http, judge
from worker.analytics.service import Service, Setting, Window

DIMENSION = "visit:utm_content"


def _visits(http: Http, told: Mapping[str, str], marks: Sequence[str], window: Window) -> dict[str, int]:
    body = {
        "site_id": told["site"],
        "metrics": ["visits"],
        "date_range": list(window.days),
        "dimensions": [DIMENSION],
        "filters": [["is", DIMENSION, list(marks)]],
    }
    headers = {"Authorization": f"Bearer {told['key']}"}
    answer = http.send("POST", f"{told['server'].rstrip('/')}/api/v2/query", commit=False, headers=headers, json=body)
    if error := judge(answer):
        raise error
    try:
        return {str(row["dimensions"][0]): int(row["metrics"][0]) for row in answer.json()["results"]}
    except (KeyError, IndexError, TypeError, ValueError):
        raise answer.unreadable("the answer has no rows of visits") from None


PLAUSIBLE = Service(
    name="plausible",
    label="Plausible",
    settings=(
        Setting(name="server", label="Its address", default="https://plausible.io"),
        Setting(name="site", label="Site, as Plausible calls it"),
        Setting(name="key", label="API key", secret=True),
    ),
    parameter=lambda _: "utm_content",
    site="site",
    advice="Make a Stats API key in Plausible's account settings, for somebody who may see the site",
    visits=_visits,
)
