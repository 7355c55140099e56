"""Posts, reads back, answers, changes and deletes for real, wherever the keys are in the environment.

``HANDBILL_LIVE_<PLATFORM>_<SETTING>`` holds each setting, such as HANDBILL_LIVE_MASTODON_SERVER and
HANDBILL_LIVE_MASTODON_ACCESS_TOKEN. Instagram and Threads also want HANDBILL_LIVE_PICTURE_URL, the public address of a
JPEG of 1200 x 630 pixels. Only ``make test-live`` runs this; use accounts that nobody reads.
"""

import os

import pytest

import publishers
from tests.live.journey import Journey

NETWORKED = [n for n in publishers.names() if publishers.load(n).networked]


def given(platform, name):
    return os.environ.get(f"HANDBILL_LIVE_{platform}_{name}".upper(), "")


@pytest.mark.parametrize("platform", NETWORKED)
def test_a_post_goes_out_is_found_answered_changed_and_taken_away(platform, tmp_path, capsys):
    adapter = publishers.load(platform)
    settings = {f.name: given(platform, f.name) or f.default for f in adapter.fields}
    settings["server"] = given(platform, "server")
    wanted = [f.name for f in adapter.fields if f.required and not settings[f.name]]
    picture = os.environ.get("HANDBILL_LIVE_PICTURE_URL", "")
    missing = [f"HANDBILL_LIVE_{platform}_{name}".upper() for name in wanted]
    if adapter.pulls and not picture:
        missing.append("HANDBILL_LIVE_PICTURE_URL")
    if missing:
        pytest.skip(f"not in the environment: {', '.join(missing)}")
    allow = tuple(os.environ.get("HANDBILL_ALLOW_HOSTS", "").replace(",", " ").split())
    journey = Journey(platform, {k: v for k, v in settings.items() if v}, tmp_path, picture_url=picture, allow=allow)
    try:
        journey.run()
    finally:
        with capsys.disabled():
            print("", *(f"  {platform}: {line}" for line in journey.told), sep="\n")  # noqa: T201 - whoever started this looks on
