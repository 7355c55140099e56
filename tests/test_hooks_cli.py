"""``handbill hooks`` and the ready step for a deploy pipeline, each as its user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import uvicorn
import yaml
from typer.testing import CliRunner

from tests.newsroom import runtime
from tests.ports import started
from tests.test_webhooks import ghost
from web.app import create_app
from worker.commands import hooks as commands
from worker.errors import HandbillError, NotFound, Refused
from worker.intake.model import Kind, Source
from worker.model import Account

ACTION = Path(__file__).parents[1] / ".github" / "actions" / "share" / "action.yml"
ARTICLE = "https://lantern.example/tide-gates/?a=1&b='2'"


@pytest.fixture
def parts(server, tmp_path, monkeypatch):
    made = runtime(server, tmp_path, public_url="https://handbill.example")
    made.store.client.flushdb()
    made.sources.save(Source(id="main.lantern", kind=Kind.FEED, address="https://lantern.example/feed/"))
    monkeypatch.setattr(commands, "parts", lambda: contextlib.nullcontext(made))
    monkeypatch.setattr(commands, "settings", lambda: made.settings)
    yield made
    made.close()


def run(*words):
    done = CliRunner().invoke(commands.cli, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_address_is_opened_shown_and_closed(parts):
    opened = json.loads(run("open", "lantern", "ghost", "--json"))
    hook = parts.hooks.of("main.lantern")
    assert opened == {
        "source": "main.lantern",
        "system": "ghost",
        "address": f"https://handbill.example/hooks/{hook.token}",
        "secret": hook.secrets[0],
    }
    assert opened["secret"].startswith("whsec_")
    shown = run("show", "lantern")
    assert opened["address"] in shown
    assert opened["secret"] not in shown + run("show", "lantern", "--json")
    run("close", "main.lantern")
    assert parts.hooks.of("main.lantern") is None
    assert json.loads(run("show", "lantern", "--json"))["address"] is None
    with pytest.raises(NotFound, match="has no address"):
        run("close", "lantern")


def test_a_secret_is_given_in_a_file_and_changed_beside_the_old_one(parts, tmp_path):
    (tmp_path / "secret.txt").write_text("the-first-secret\n")
    run("open", "lantern", "ghost", "--secret", f"@{tmp_path / 'secret.txt'}")
    address = parts.hooks.of("main.lantern").token
    second = json.loads(run("secret", "lantern", "--json"))["secret"]
    assert parts.hooks.of("main.lantern").secrets == (second, "the-first-secret")
    run("secret", "lantern", "--secret", "the-third-secret", "--only")
    hook = parts.hooks.of("main.lantern")
    assert (hook.secrets, hook.token) == (("the-third-secret",), address)
    with pytest.raises(HandbillError, match="too short"):
        run("secret", "lantern", "--secret", "short")
    with pytest.raises(HandbillError, match="cannot be read"):
        run("secret", "lantern", "--secret", "@/no/such/file")


def test_an_address_for_pings_alone_has_no_secret(parts):
    assert json.loads(run("open", "lantern", "--json"))["secret"] is None
    with pytest.raises(HandbillError, match="pings alone"):
        run("secret", "lantern")


def test_a_mapping_and_what_it_cannot_be(parts):
    run("open", "lantern", "strapi", "--map", "url=https://lantern.example/{entry.slug}/")
    assert parts.hooks.of("main.lantern").mapped.url == "https://lantern.example/{entry.slug}/"
    with pytest.raises(Refused, match="words cannot be mapped"):
        run("open", "lantern", "json", "--map", "words=x")
    with pytest.raises(Refused, match="no kind of webhook"):
        run("open", "lantern", "fax")
    with pytest.raises(NotFound):
        run("open", "nobody", "ghost")
    assert CliRunner().invoke(commands.cli, ["open", "lantern", "json", "--map", "url"]).exit_code == 2


def test_what_was_heard_is_shown_and_every_system_is_listed(parts):
    run("open", "lantern", "ghost", "--secret", "a-secret-of-32-letters-and-more!")
    sent = ghost({"current": {"id": "1", "url": "https://lantern.example/a", "status": "published"}, "previous": {}}, t=str(round(time.time() * 1000)))  # fmt: skip
    parts.receiver.webhook(parts.hooks.of("main.lantern"), sent, parts.now())
    assert "published    https://lantern.example/a" in run("show", "lantern")
    listed = json.loads(run("systems", "--json"))
    assert {"ghost", "wordpress", "standard", "github", "contentful", "sanity", "strapi", "json"} == set(listed)


@pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("curl")), reason="the step needs jq and curl, as CI machines have"
)
def test_the_ready_step_shares_an_article_from_a_pipeline(parts):
    parts.records.save_account(Account(id="main.outbox", platform="outbox", name="outbox"))
    token = parts.records.create_token(scope="write", workspace="main")
    step = yaml.safe_load(ACTION.read_text())
    (only,) = step["runs"]["steps"]
    assert set(only["env"]) == {"HANDBILL", "TOKEN", "ARTICLE", "ACCOUNTS", "AT"}
    config = uvicorn.Config(create_app(parts), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    web = uvicorn.Server(config)
    thread = started(web)
    try:
        port = web.servers[0].sockets[0].getsockname()[1]
        env = {"HANDBILL": f"http://127.0.0.1:{port}/", "TOKEN": token, "ACCOUNTS": "outbox", "AT": "now"}
        for article, works in ((f"{ARTICLE}\n{ARTICLE}\n", True), ("file:///etc/passwd", False)):
            done = subprocess.run(
                ["bash", "-c", only["run"].replace("--retry 5 --retry-all-errors", "")],
                env={**os.environ, **env, "ARTICLE": article}, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert (done.returncode == 0) is works, done.stdout + done.stderr
            assert token not in done.stdout + done.stderr
    finally:
        web.should_exit = True
        thread.join(10)
    items = parts.sources.items([i for _, i in parts.sources.latest("main")])
    assert [(i.candidate.address, i.candidate.accounts) for i in items] == [(ARTICLE, ("main.outbox",))]
