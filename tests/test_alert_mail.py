"""What is wrong reaches people as a mail: once, through a real mail server, and every byte of it is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.newsroom import runtime
from tests.test_mail import PASSWORD, Box, Server, box, certificate, read, server, settings
from worker.embedded import Embedded
from worker.errors import Refused
from worker.watch.alerts import Alerts

__all__ = ["box", "certificate", "server"]  # fixtures

GOLDEN = Path(__file__).parent / "fixtures" / "mails" / "alert.eml"
NOW = datetime(2026, 11, 26, 7, 30, tzinfo=UTC)


@pytest.fixture
def house(tmp_path, server, monkeypatch):
    with Embedded.start(tmp_path / "redis") as redis:
        parts = runtime(redis, tmp_path, allow_hosts=server.name)
        monkeypatch.setattr(parts, "now", lambda: NOW)
        for pool in ("publish", "content", "intake"):
            parts.records.seen_alive(f"{pool}@here", seconds=900)
        yield parts
        parts.close()


def connect(parts, server, **changed):
    given = settings(server, to="ops@larkhaven.example", **changed)
    return parts.accounts.connect("smtp", given, workspace="main", name="Ops")


def test_a_digest_of_what_is_wrong_arrives_as_one_mail_to_the_byte(house, server: Server, box: Box):
    account = connect(house, server, unsubscribe=None)
    alerts = Alerts(house)
    alerts.add(account)
    house.deliveries.pause("account:main.smtp-ops", until=None, why="stopped by hand <at once>")
    house.deliveries.pause("connect:main.other", until=None, why="its token ended")
    house.deliveries.mark_double("main.0123456789abcdef0123")

    assert alerts.round() == 1
    for minutes in (1, 20, 90):
        house.now = lambda m=minutes: NOW + timedelta(minutes=m)
        assert alerts.round() == 0

    [envelope] = box.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("news@larkhaven.example", ["ops@larkhaven.example"])
    assert envelope.content.count(b"\n") == envelope.content.count(b"\r\n")
    assert envelope.content.replace(b"\r\n", b"\n") == GOLDEN.read_bytes()
    mail = read(envelope)
    assert mail["Subject"] == "Handbill: Public more than once, Paused"
    assert mail.get_body(("plain",)).get_content() == (
        "Handbill:\n"
        "Public more than once: main.0123456789abcdef0123\n"
        "  → handbill delivery show main.0123456789abcdef0123\n"
        "Paused (2): main.smtp-ops: stopped by hand <at once>; main.other: its token ended\n"
        "http://127.0.0.1:8484\n"
    )
    assert PASSWORD.encode() not in envelope.content


def test_an_alert_whose_answer_is_lost_is_not_mailed_twice_and_one_that_was_refused_is_told_again(house, server, box):
    account = connect(house, server, unsubscribe=None)
    alerts = Alerts(house)
    alerts.add(account)
    house.deliveries.pause("account:main.x", until=None, why="stopped")
    box.answer = "452 no room"
    assert alerts.round() == 0
    box.answer, box.cut = "250 OK", "kept"
    house.now = lambda: NOW + timedelta(hours=1)
    assert alerts.round() == 0
    box.cut = ""
    house.now = lambda: NOW + timedelta(hours=2)
    assert alerts.round() == 0
    assert len(box.mails) == 1


def test_a_list_that_readers_can_leave_is_told_of_nothing(house, server):
    account = connect(house, server)
    with pytest.raises(Refused, match="what is posted there is public"):
        Alerts(house).add(account)
    assert account not in house.accounts.channels("main")


def test_trying_it_out_sends_one_mail(house, server, box):
    account = connect(house, server, unsubscribe=None)
    Alerts(house).try_out(account)
    [envelope] = box.mails
    assert "alerts come this way" in read(envelope).get_body(("plain",)).get_content()
