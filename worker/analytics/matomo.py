"""Matomo: its reporting API, by campaign (what every Matomo has) or by ``utm_content`` (a plugin that its cloud has).

https://developer.matomo.org/api-reference/reporting-api, plugins/Referrers/API.php (getCampaigns) and
github.com/matomo-org/plugin-MarketingCampaignsReporting (getContent), read on 2026-11-26. The token goes in the form:
Matomo 5 takes tokens that are "secure only" nowhere else. Errors come as JSON with any status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from publishers.core.errors import Rejected, Unauthorized
from publishers.core.http import Http, judge
from worker.analytics.service import Service, Setting, Window

METHODS = {"utm_campaign": "Referrers.getCampaigns", "utm_content": "MarketingCampaignsReporting.getContent"}
NO_TOKEN = ("authenticate", "token_auth", "access", "logged in")
"""Words by which Matomo says that the token is not good, or not for this site."""


def _visits(http: Http, told: Mapping[str, str], marks: Sequence[str], window: Window) -> dict[str, int]:
    form = {
        "module": "API",
        "method": METHODS.get(told["parameter"], METHODS["utm_campaign"]),
        "idSite": told["site"],
        "period": "range",
        "date": ",".join(window.days),
        "format": "JSON",
        "filter_limit": "-1",
        "filter_column": "label",
        "filter_pattern": f"^({'|'.join(marks)})$",
        "token_auth": told["token"],
    }
    answer = http.send("POST", f"{told['server'].rstrip('/')}/index.php", commit=False, form=form)
    if answer.told("result") == "error":
        said = http.redact(str(answer.told("message")))
        kind = Unauthorized if any(word in said.lower() for word in NO_TOKEN) else Rejected
        raise kind("Matomo refuses", status=answer.status, words=said)
    if error := judge(answer):
        raise error
    try:
        return {str(row["label"]): int(row["nb_visits"]) for row in answer.json()}
    except (KeyError, TypeError, ValueError):
        raise answer.unreadable("the answer has no rows of visits") from None


MATOMO = Service(
    name="matomo",
    label="Matomo",
    settings=(
        Setting(name="server", label="Its address"),
        Setting(name="site", label="Number of the site"),
        Setting(name="token", label="Token", secret=True),
        Setting(
            name="parameter",
            label="What tells links apart: utm_campaign, or utm_content with the plugin MarketingCampaignsReporting",
            default="utm_campaign",
        ),
    ),
    parameter=lambda told: told["parameter"] if told["parameter"] in METHODS else "utm_campaign",
    site="site",
    advice="Make a token in Matomo's personal settings, for somebody who may see the site",
    visits=_visits,
)
