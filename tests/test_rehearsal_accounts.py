"""Trying a platform without an account: the stand-in of each is connected with nothing given, and can be posted to."""

from __future__ import annotations

import importlib.util
import json
import urllib.request

import pytest

import publishers
from tests.newsroom import runtime
from worker.errors import Refused
from worker.watch.alerts import Alerts

pytestmark = pytest.mark.redis
REHEARSED = [n for n in publishers.names() if (kind := publishers.load(n)).networked and kind.rehearsed]
if importlib.util.find_spec("apprise") is None:  # an extra
    REHEARSED.remove("apprise")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it as it is imported
@pytest.mark.parametrize("name", ["", "Night desk"])
def test_every_platform_that_has_a_stand_in_is_tried_with_nothing_given(server, rehearsal, tmp_path, name):
    parts = runtime(server, tmp_path, rehearsal_url=rehearsal)
    try:
        assert {"lemmy", "nostr", "pinterest", "tumblr"} <= set(REHEARSED)
        for platform in REHEARSED:
            account = parts.accounts.connect(platform, {}, workspace="main", name=name, rehearsal=True)
            assert account.id == f"main.{platform}-{'night-desk' if name else 'rehearsal'}"
            parts.accounts.stand_in(account)  # as `handbill rehearse` does
    finally:
        parts.close()


def test_a_stand_in_that_is_there_and_refuses_is_not_said_to_be_missing(server, rehearsal, tmp_path):
    parts = runtime(server, tmp_path, rehearsal_url=rehearsal)
    try:
        with pytest.raises(Refused) as refused:
            parts.accounts.connect("nostr", {"secret_key": "nsec1wrong"}, workspace="main", rehearsal=True)
        assert "the secret key cannot be read" in refused.value.why
        assert refused.value.do == "Check the address and the token"
    finally:
        parts.close()


def test_where_no_stand_ins_run_the_way_to_start_them_is_said(server, tmp_path):
    parts = runtime(server, tmp_path, rehearsal_url="http://127.0.0.1:9")
    try:
        with pytest.raises(Refused) as refused:
            parts.accounts.connect("mastodon", {}, workspace="main", rehearsal=True)
        assert refused.value.do == "Start the rehearsal platforms with: handbill up"
    finally:
        parts.close()


def test_a_stand_in_that_answers_elsewhere_after_a_restart_is_the_same_account(server, rehearsal, tmp_path):
    for address in (rehearsal, rehearsal.replace("127.0.0.1", "localhost")):
        parts = runtime(server, tmp_path, rehearsal_url=address)
        try:
            for platform in ("mastodon", "bluesky"):
                account = parts.accounts.connect(platform, {}, workspace="moved", rehearsal=True)
                assert account.url.startswith(address)
                assert parts.records.accounts("moved").count(account) == 1
            assert parts.records.account("moved.mastodon-rehearsal").name.endswith(address.removeprefix("http://"))
            with pytest.raises(Refused) as refused:
                parts.accounts.connect("mastodon", {}, workspace="moved", name="Rehearsal", rehearsal=True)
            assert refused.value.do == "Give the new one a name of its own (--name), or remove the old one"
        finally:
            parts.close()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it as it is imported
def test_an_alert_arrives_through_every_kind_of_channel_that_a_team_reads(server, rehearsal, tmp_path):
    parts = runtime(server, tmp_path, rehearsal_url=rehearsal)
    alerts = Alerts(parts)
    try:
        channels = [n for n in REHEARSED if publishers.load(n).team]
        assert {"slack", "telegram", "webhook"} <= set(channels)  # and mail: test_alert_mail.py
        for platform in channels:
            alerts.add(parts.accounts.connect(platform, {}, workspace="main", name="Alerts", rehearsal=True))
        parts.deliveries.pause("workspace:main", until=None, why="a fire in the press room")
        assert alerts.round() == len(channels)
        with urllib.request.urlopen(f"{rehearsal}/_seen") as answer:
            seen = json.load(answer)
        told = {post["platform"] for post in seen if "a fire in the press room" in str(post)}
        assert told == set(channels)
    finally:
        parts.deliveries.resume("workspace:main")
        parts.close()
