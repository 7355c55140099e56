"""Posts to Bluesky's own server through a line that loses answers after the server has acted: one record for each."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import random
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.chaos import housed, step_of, unfinished
from publishers.bluesky import COLLECTION
from tests.servers import bluesky_pds
from worker.model import Delivery, Status, delivery_id
from worker.settings import Settings

pytestmark = pytest.mark.pds

CI = os.environ.get("CI") == "true"
DROPPED = 0.3
"""Share of the answers to a commit that are lost after the server gave them."""

CALM = 240.0
HASTE = {"SETTLE_SECONDS": "0.3", "BACKOFF_SECONDS": "0.3", "ATTEMPTS": "30", "PUBLISH_THREADS": "16", "LOG": "warning"}


class Line:
    """A proxy on loopback that hands every request on and, of a commit's answers, not a byte in ``DROPPED`` of them."""

    def __init__(self, server, seed):
        self.dropped = self.handed = 0
        line, dice, lock = self, random.Random(seed), threading.Lock()
        upstream = urllib.parse.urlsplit(server)

        class Hop(BaseHTTPRequestHandler):
            def do_GET(self):
                self._hand_on()

            def do_POST(self):
                self._hand_on()

            def _hand_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                there = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=60)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
                there.request(self.command, self.path, body, headers)
                with there.getresponse() as answer:
                    told = answer.read()
                there.close()
                if self.path.endswith("putRecord"):
                    assert answer.status == 200, told
                    with lock:
                        lost = dice.random() < DROPPED
                        line.dropped += lost
                        line.handed += not lost
                    if lost:
                        self.close_connection = True
                        return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Hop)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def records(server, did):
    """The text of every post of the account, as anybody can read them."""
    found, cursor = [], ""
    while True:
        asked = urllib.parse.urlencode({"repo": did, "collection": COLLECTION, "limit": 100, "cursor": cursor})
        with urllib.request.urlopen(f"{server}/xrpc/com.atproto.repo.listRecords?{asked}") as answer:
            page = json.load(answer)
        found += [r["value"]["text"] for r in page["records"]]
        cursor = page.get("cursor", "")
        if not cursor or not page["records"]:
            return found


@pytest.fixture(scope="module")
def server():
    if (why := bluesky_pds.missing()) and not CI:
        pytest.skip(why)
    try:
        bluesky_pds.installed()
    except subprocess.SubprocessError as error:
        if CI:
            raise
        pytest.skip(f"Bluesky's server could not be installed ({error})")
    with bluesky_pds.running() as address:
        yield address


def plan(parts, account, count):
    """Schedule ``count`` posts, all due now; returns the texts they must have."""
    texts = [f"Post {number}: the tide gates close at {number % 24}:00." for number in range(count)]
    for number, text in enumerate(texts):
        name = delivery_id(f"main.tide{number}", account.id, 0)
        delivery = Delivery(
            id=name, article=f"main.tide{number}", account=account.id, platform="bluesky", status=Status.SCHEDULED,
            due=datetime.now(UTC), steps=(step_of(name, text),),
        )  # fmt: skip
        parts.deliveries.create(delivery, note="planned")
    return texts


@pytest.mark.parametrize(
    "count", [pytest.param(40, id="everyday"), pytest.param(500, id="nightly", marks=pytest.mark.nightly)]
)
def test_every_post_is_one_record_however_many_answers_are_lost(count, server, tmp_path, monkeypatch):
    handle = f"tide{count}.test"
    told = {"email": f"{handle}@example.org", "handle": handle, "password": "the account's own"}
    session = bluesky_pds.call(server, "com.atproto.server.createAccount", told)
    made = bluesky_pds.call(server, "com.atproto.server.createAppPassword", {"name": "t"}, session["accessJwt"])
    with Line(server, seed=count) as line, contextlib.ExitStack() as stack:
        hosts = ",".join(u.removeprefix("http://") for u in (server, line.url))
        for name, value in {"DATA_DIR": tmp_path, "ALLOW_HOSTS": hosts, **HASTE}.items():
            monkeypatch.setenv(f"HANDBILL_{name}", str(value))
        log = stack.enter_context((tmp_path / "workers.log").open("w"))
        _, _, parts = stack.enter_context(housed(Settings(), log))
        given = {"server": server, "identifier": handle, "app_password": made["password"]}
        account = parts.accounts.connect("bluesky", given, workspace="main")
        secrets = parts.records.secrets(account)
        parts.records.save_account(
            dataclasses.replace(account, settings={**account.settings, "pds": line.url}), secrets
        )

        texts = plan(parts, account, count)
        end = time.monotonic() + CALM
        while unfinished(parts) and time.monotonic() < end:
            time.sleep(0.2)

        assert {s: n for s, n in parts.deliveries.count().items() if n} == {Status.PUBLISHED: count}
        assert line.dropped > count * DROPPED / 2, "the line lost too little to prove anything"
        assert sorted(records(server, session["did"])) == sorted(texts)
        print(f"{count} posts, {line.dropped} answers lost, {line.handed} handed on")  # noqa: T201 - with -s: the figures
