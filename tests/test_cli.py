"""The command line's contracts: what it prints, where, and how it refuses."""

from __future__ import annotations

import dataclasses
import http.server
import io
import json
import socket
import sys
import threading
from datetime import datetime, timedelta

import pytest

import publishers
from worker import cli
from worker.model import Status
from worker.settings import TEMPLATES, settings

SAMPLE = str(TEMPLATES / "sample" / "index.html")
PROSE = "The council met on Monday and agreed to repair the old bridge over the river before the winter. " * 8


@pytest.fixture
def handbill(tmp_path, monkeypatch, capsys):
    """Run a command in this process: its exit code, stdout and stderr."""
    monkeypatch.setenv("HANDBILL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*words, stdin=None):
        settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["handbill", *words])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    yield run
    settings.cache_clear()


@pytest.fixture(scope="module")
def site():
    """A web site on loopback with every kind of page that is no article."""

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answers = {
                "/404": (404, "text/html", b"gone"),
                "/500": (500, "text/html", b"oops"),
                "/empty": (200, "text/html", b""),
                "/list": (200, "text/html", b"<html><body><ul>" + b"<li><a href='/a'>A</a></li>" * 50 + b"</ul></body></html>"),
                "/binary": (200, "application/octet-stream", bytes(range(256)) * 40),
                "/huge": (200, "text/html", b"<p>" + b"x " * 11_000_000),
                "/article": (200, "text/html; charset=utf-8", f"<html><head><title>Bridge to be repaired</title></head><body><article><h1>Bridge to be repaired</h1><p>{PROSE}</p></article></body></html>".encode()),
            }  # fmt: skip
            status, kind, body = answers[self.path]
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def refused(result):
    """The one line of a refusal."""
    code, out, err = result
    assert code == 1
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.strip()


@pytest.mark.parametrize("path", ["404", "500", "empty", "list", "binary", "huge"])
def test_a_page_that_is_no_article_is_one_clear_line_and_stores_nothing(handbill, site, monkeypatch, path, tmp_path):
    monkeypatch.setenv("HANDBILL_ALLOW_HOSTS", site)

    line = refused(handbill("preview", f"http://{site}/{path}", "--json"))

    assert len(line) < 300
    assert not list((tmp_path / "data").rglob("*.jpg"))


def test_a_dead_host_is_one_clear_line(handbill):
    assert "nowhere.invalid" in refused(handbill("preview", "http://nowhere.invalid/a"))


def test_a_private_address_is_refused_unless_it_is_allowed(handbill, site):
    assert "port" in refused(handbill("preview", f"http://{site}/article"))
    assert "private" in refused(handbill("preview", "http://127.0.0.1/article"))


@pytest.mark.parametrize("name", ["missing.html", ".", "picture.png"])
def test_a_file_that_cannot_be_an_article_is_one_clear_line(handbill, tmp_path, name):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))

    refused(handbill("preview", name))


def test_preview_prints_the_promised_json_and_nothing_else(handbill, tmp_path):
    code, out, _ = handbill("preview", SAMPLE, "--json", "--out", str(tmp_path / "pictures"))
    found = json.loads(out)

    assert code == 0
    assert set(found) == {"article", "content", "posts"}
    assert set(found["article"]) == {"url", "title", "author", "site", "language", "published_at", "text", "image"}
    assert set(found["content"]) == {"summary", "sentences", "hashtags", "alt", "notes"}
    assert set(found["content"]["summary"]) == {"short", "medium", "long"}
    text = found["article"]["text"]
    for sentence in found["content"]["sentences"]:
        assert text[sentence["source_offset"] :][: len(sentence["text"])] == sentence["text"]
    assert [p["platform"] for p in found["posts"]] == list(publishers.names()), "for programs, every platform there is"
    for post in found["posts"]:
        assert set(post) == {
            "platform",
            "text",
            "length",
            "limit",
            "hashtags",
            "link",
            "media",
            "facets",
            "parts",
            "comment",
            "warning",
            "warnings",
            "cost",
        }
        assert post["length"] <= post["limit"]
        for media in post["media"]:
            assert set(media) == {"path", "width", "height", "bytes", "alt"}
            assert media["path"].startswith(str(tmp_path / "pictures"))
        for facet in post["facets"]:
            assert set(facet) == {"type", "start", "end", "value"}
            shown = post["text"][facet["start"] : facet["end"]]
            assert shown == (f"#{facet['value']}" if facet["type"] == "tag" else facet["value"])


def test_preview_of_one_platform_shows_only_that(handbill):
    _, out, _ = handbill("preview", SAMPLE, "--platform", "mastodon", "--json")

    assert [p["platform"] for p in json.loads(out)["posts"]] == ["mastodon"]


def test_preview_without_a_choice_shows_a_few_platforms_then_the_accounts_there_are_and_names_the_others(
    handbill, monkeypatch
):
    monkeypatch.setenv("HANDBILL_DEMO_PLATFORMS", "mastodon, telegram")
    _, before, few = handbill("preview", SAMPLE)
    handbill("accounts", "add", "outbox", "--name", "desk")
    handbill("accounts", "set", "outbox-desk", "--disclaimer", "Ours.")
    _, after, own = handbill("preview", SAMPLE)

    shown = [line.split()[0] for line in before.splitlines() if line.endswith("─")]
    assert shown == ["mastodon", "telegram"]
    names = ", ".join(publishers.names())
    assert few == f"These are some platforms; see others by --platform NAME: {names}\n"
    assert [line.split()[0] for line in after.splitlines() if line.endswith("─")] == ["main.outbox-desk"]
    assert "Ours." in after
    assert own == f"These are your accounts; see others by --platform NAME: {names}\n"


def test_preview_says_so_where_the_accounts_cannot_be_known(handbill, monkeypatch):
    monkeypatch.setenv("HANDBILL_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HANDBILL_DEMO_PLATFORMS", "mastodon")
    code, out, err = handbill("preview", SAMPLE)

    assert code == 0
    assert "mastodon" in out
    why, what = err.splitlines()
    assert why.startswith("Redis at 127.0.0.1:1 does not answer: ")
    assert why.endswith(". Start it, or correct HANDBILL_REDIS_URL")
    assert what.startswith("These are some platforms; ")


def test_preview_shows_a_thread_where_the_platform_has_one(handbill):
    _, out, _ = handbill("preview", SAMPLE, "--platform", "x", "--platform", "telegram", "--thread", "--json")
    x, telegram = json.loads(out)["posts"]

    assert len(x["parts"]) > 2
    assert x["text"] == x["parts"][0]
    assert x["cost"] == pytest.approx(0.205 + 0.015 * (len(x["parts"]) - 1))
    assert telegram["parts"] == []


def test_preview_shows_variants_of_other_sentences(handbill):
    _, out, _ = handbill("preview", SAMPLE, "--platform", "x", "--variants", "3", "--json")
    posts = json.loads(out)["posts"]

    assert [p["platform"] for p in posts] == ["x"] * 3
    assert len({p["text"] for p in posts}) == 3


def test_preview_says_on_stderr_what_a_reader_would_stumble_over(handbill, tmp_path):
    (tmp_path / "loud.txt").write_text(f"THE OLD BRIDGE OPENS\n\n{PROSE}\n")
    code, out, err = handbill("preview", "loud.txt", "--platform", "x", "--json")

    assert code == 0
    assert err == "The title is all in capitals: THE OLD BRIDGE OPENS\n"
    assert json.loads(out)["posts"][0]["warnings"] == [err.strip()]


def test_preview_reads_standard_input(handbill, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text(f"Bridge to be repaired\n\n{PROSE}\n")
    with source.open("rb") as stdin:
        code, out, _ = handbill("preview", "-", "--platform", "mastodon", "--json", stdin=io.TextIOWrapper(stdin))

    assert code == 0
    assert json.loads(out)["article"]["title"] == "Bridge to be repaired"


def test_an_unknown_platform_names_those_there_are(handbill):
    assert "mastodon" in refused(handbill("preview", SAMPLE, "--platform", "myspace"))


def test_count_prints_one_length_per_line_as_the_platform_counts(handbill):
    lines = '"hello"\n"https://example.org/a/very/long/address/that/goes/on/and/on"\n'
    code, out, _ = handbill("count", "--platform", "mastodon", stdin=io.StringIO(lines))

    assert (code, out) == (0, "5\n23\n")


def test_count_says_which_line_is_no_json_string(handbill):
    code, _, err = handbill("count", "--platform", "mastodon", stdin=io.StringIO('"a"\nb\n'))

    assert code == 1
    assert "Line 2 is no JSON string" in err


def test_a_redis_that_is_not_there_is_one_clear_line(handbill, monkeypatch):
    monkeypatch.setenv("HANDBILL_REDIS_URL", "redis://127.0.0.1:1/0")

    assert "Redis at 127.0.0.1:1 does not answer" in refused(handbill("deliveries"))


def test_a_port_in_use_is_one_clear_line(handbill, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("HANDBILL_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("HANDBILL_REHEARSAL_URL", "http://127.0.0.1:1")

        assert "HANDBILL_PORT" in refused(handbill("up"))


def test_a_setting_that_cannot_be_used_is_named(handbill, monkeypatch):
    monkeypatch.setenv("HANDBILL_ZONE", "Europe/Atlantis")

    assert "HANDBILL_ZONE cannot be used" in refused(handbill("deliveries"))


def test_an_unknown_account_says_where_to_look(handbill):
    assert "handbill accounts list" in refused(handbill("share", SAMPLE, "--account", "nobody"))


def test_sharing_without_any_account_says_how_to_add_one(handbill):
    assert "handbill accounts add" in refused(handbill("share", SAMPLE))


def test_connecting_without_what_is_needed_names_it(handbill):
    assert "--set access_token=" in refused(handbill("accounts", "add", "mastodon"))


def test_wrong_usage_exits_with_2(handbill):
    assert handbill("delivery", "resolve", "x")[0] == 2
    assert handbill("nonsense")[0] == 2
    assert handbill("pause")[0] == 2


def test_an_outbox_takes_an_article_by_slot_once_and_shows_it(handbill):
    assert handbill("accounts", "add", "outbox")[0] == 0
    code, out, err = handbill("share", SAMPLE, "--at", "slot", "--json")
    first = json.loads(out)["deliveries"]
    _, again, _ = handbill("share", SAMPLE, "--at", "now", "--json")

    assert code == 0
    assert "No worker is running" in err
    assert [d["status"] for d in first] == ["scheduled"]
    assert json.loads(again)["deliveries"] == first
    identity = first[0]["id"]
    shown = json.loads(handbill("delivery", "show", identity, "--json")[1])
    assert [e["status"] for e in shown["history"]] == ["scheduled"]
    assert handbill("delivery", "cancel", identity)[0] == 0
    assert "it is cancelled" in refused(handbill("delivery", "cancel", identity))


def test_an_account_speaks_as_it_was_told_to(handbill, tmp_path):
    (tmp_path / "own.txt").write_text("# hashtags: 2\nRead: {title}\n{link}\n{hashtags}\n")
    assert handbill("accounts", "add", "outbox")[0] == 0
    words = [
        "--template",
        "own.txt",
        "--always-tag",
        "#CityNews",
        "--utm",
        "utm_source={platform}",
        "--disclaimer",
        "Ours.",
    ]
    assert handbill("accounts", "set", "outbox", *words)[0] == 0
    text = json.loads(handbill("preview", SAMPLE, "--account", "outbox", "--json")[1])["posts"][0]["text"]
    lines = text.splitlines()

    assert lines[0].startswith("Read: ")
    assert lines[1].endswith("?utm_source=outbox")
    assert lines[2].startswith("#CityNews #")
    assert lines[-1] == "Ours."
    assert "there is no {nobody}" in refused(handbill("accounts", "set", "outbox", "--disclaimer", "{nobody}"))
    assert "own2.txt" in refused(handbill("accounts", "set", "outbox", "--template", "own2.txt"))


def test_an_account_that_is_connected_again_keeps_its_words_and_its_calendar(handbill):
    assert handbill("accounts", "add", "outbox")[0] == 0
    assert handbill("accounts", "set", "outbox", "--zone", "Asia/Tokyo", "--disclaimer", "Ours.")[0] == 0
    assert handbill("accounts", "add", "outbox")[0] == 0

    assert json.loads(handbill("accounts", "list", "--json")[1])[0]["zone"] == "Asia/Tokyo"
    text = json.loads(handbill("preview", SAMPLE, "--account", "outbox", "--json")[1])["posts"][0]["text"]
    assert text.endswith("\n\nOurs.")


def test_a_refused_share_leaves_nothing_behind_and_a_cancel_frees_its_slot(handbill):
    handbill("accounts", "add", "outbox")
    handbill("accounts", "add", "outbox", "--name", "second", "--set", "folder=second")
    handbill("accounts", "set", "outbox-second", "--calendar", "not 2027-01-01")

    assert "has no free slot" in refused(handbill("share", SAMPLE, "--at", "slot"))
    assert json.loads(handbill("deliveries", "--json")[1]) == []
    other = f"{datetime.now().astimezone() + timedelta(hours=12):%H}:00"  # no slot passes between the two
    handbill("accounts", "set", "outbox", "--calendar", f"mon-sun {other}")
    first = json.loads(handbill("share", SAMPLE, "--account", "outbox", "--at", "slot", "--json")[1])["deliveries"][0]
    handbill("delivery", "cancel", first["id"])
    again = handbill("share", SAMPLE, "--account", "outbox", "--at", "slot", "--again", "--json")
    second = json.loads(again[1])["deliveries"][0]
    assert second["id"] != first["id"]
    assert second["due"] == first["due"]
    assert second["text"] != first["text"]


def test_an_account_is_never_taken_over_by_another_one(handbill):
    handbill("accounts", "add", "outbox", "--name", "東京", "--set", "folder=tokyo")
    handbill("accounts", "add", "outbox", "--name", "大阪", "--set", "folder=osaka")

    assert len(json.loads(handbill("accounts", "list", "--json")[1])) == 2
    assert "is taken" in refused(handbill("accounts", "add", "outbox", "--name", "東京", "--set", "folder=elsewhere"))


def test_the_demo_refuses_to_run_beside_real_accounts(handbill, monkeypatch):
    monkeypatch.setattr(publishers.load("outbox"), "networked", True)
    handbill("accounts", "add", "outbox")

    assert "beside real accounts" in refused(handbill("demo"))


@pytest.mark.parametrize("minutes", ["-600", "nan", "1e300"])
def test_a_stagger_that_cannot_be_is_refused(handbill, minutes):
    handbill("accounts", "add", "outbox")

    assert "stagger" in refused(handbill("share", SAMPLE, "--stagger", minutes))


def test_a_stagger_lies_between_one_account_and_the_next(handbill):
    for name in ("one", "two", "three"):
        handbill("accounts", "add", "outbox", "--name", name, "--set", f"folder={name}")

    shared = json.loads(handbill("share", SAMPLE, "--at", "2036-01-02T09:00", "--stagger", "20", "--json")[1])
    instants = sorted(datetime.fromisoformat(d["due"]) for d in shared["deliveries"])
    assert [later - instants[0] for later in instants] == [timedelta(minutes=m) for m in (0, 20, 40)]


def test_markup_in_an_article_is_shown_as_it_is(handbill, tmp_path):
    (tmp_path / "a.txt").write_text(f"Why [/b] closes\n\n{PROSE}\n")
    handbill("accounts", "add", "outbox")

    assert "[/b]" in handbill("preview", "a.txt")[1]
    assert handbill("share", "a.txt")[0] == 0
    assert "Why [/b] closes" in handbill("deliveries")[1]


@pytest.mark.parametrize(
    ("ended", "advice"),
    [
        (["failed"], "main.a is failed: the answer was 422. Mend that, then: handbill delivery retry main.a\n"),
        (
            ["failed", "published", "parked"],
            (
                "main.c is parked: no answer came. Look whether it is there, then: handbill delivery resolve main.c "
                "--there ADDRESS, or --send-again (1 more: handbill deliveries)\n"
            ),
        ),
        (["published", "edited"], ""),
    ],
)
def test_waiting_for_what_does_not_go_out_says_why_and_what_to_do(handbill, monkeypatch, ended, advice):
    def over(parts, planned):
        (one,) = planned
        why = {"failed": "the answer was 422.", "parked": "no answer came"}
        return [
            dataclasses.replace(one, id=f"main.{name}", status=Status(status), reason=why.get(status, ""))
            for name, status in zip("abc", ended, strict=False)
        ], ""

    monkeypatch.setattr("worker.pipeline.share.wait_for", over)
    monkeypatch.setattr("worker.store.records.Records.alive", lambda _: ["publish@here"])
    handbill("accounts", "add", "outbox")

    code, _, err = handbill("share", SAMPLE, "--wait")
    assert err == advice
    assert code == (1 if advice else 0)


def test_waiting_without_a_worker_ends(handbill, monkeypatch):
    monkeypatch.setattr("worker.pipeline.share.PATIENCE", 0.3)
    handbill("accounts", "add", "outbox")

    code, _, err = handbill("share", SAMPLE, "--wait")
    assert code == 1
    assert "no worker is running" in err


def test_an_emergency_stop_of_a_workspace_that_is_not_there_fails(handbill):
    assert "nothing was paused" in refused(handbill("pause", "--workspace", "typo"))


def test_a_token_can_be_taken_away(handbill):
    handbill("tokens", "create", "--scope", "read", "--name", "site")
    found = json.loads(handbill("tokens", "list", "--json")[1])

    assert [(t["scope"], t["name"]) for t in found] == [("read", "site")]
    assert handbill("tokens", "revoke", found[0]["id"])[0] == 0
    assert json.loads(handbill("tokens", "list", "--json")[1]) == []


def test_a_token_is_shown_once_as_json(handbill):
    code, out, _ = handbill("tokens", "create", "--scope", "read", "--json")

    assert code == 0
    assert json.loads(out)["token"].startswith("hb_")


def test_doctor_says_what_is_wrong_and_what_to_do(handbill):
    code, out, _ = handbill("doctor", "--json")

    assert code == 1
    assert [f["do"] for f in json.loads(out) if not f["ok"]] == ["Run: handbill up"]


def test_top_without_a_terminal_looks_once_and_ends(handbill):
    code, out, _ = handbill("top")

    assert code == 0
    assert "0 late" in out
    assert "– published/min" in out  # one look tells no rate
    assert "No worker consumes" in out
    assert "\x1b" not in out
