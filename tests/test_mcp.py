"""An assistant looks freely, changes nothing unless told so outright, and never leaves its workspace."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.newsroom import runtime
from tests.test_web import Desk
from worker.commands.mcp import server as mcp_server
from worker.model import Status

ROOT = Path(__file__).parents[1]


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


def call(desk, tool, **arguments):
    """What a tool answers, and whether it refused."""
    answer = asyncio.run(mcp_server(desk.parts, "main").call_tool(tool, arguments))
    assert not answer.is_error, answer
    return json.loads(answer.content[0].text)


def refused(desk, tool, **arguments):
    try:
        answer = asyncio.run(mcp_server(desk.parts, "main").call_tool(tool, arguments))
    except Exception as error:  # noqa: BLE001 - the SDK has an error of its own for a tool that failed
        return str(error)
    assert answer.is_error
    return answer.content[0].text


def test_looking_shows_the_queue_and_no_path_of_this_machine(desk):
    desk.account()
    delivery = desk.plan("Hello", to=Status.PARKED)
    desk.plan("Theirs", workspace="other")

    queue = call(desk, "queue")
    found = call(desk, "delivery", delivery=delivery)

    assert (queue["by_status"], queue["unknown"]) == ({"parked": 1}, 1)
    assert (found["text"], found["history"][0]["note"]) == ("Hello", "planned")
    assert str(desk.folder) not in json.dumps(found)


@pytest.mark.parametrize("tool", ["edit_post", "cancel", "stop"])
def test_nothing_changes_unless_it_is_told_outright(desk, tool):
    desk.account()
    delivery = desk.plan("Hello")
    arguments = {"edit_post": {"delivery": delivery, "text": "Other"}, "cancel": {"delivery": delivery}, "stop": {}}[
        tool
    ]
    before = desk.parts.deliveries.get(delivery)

    assert call(desk, tool, **arguments)["dry_run"] is True
    assert desk.parts.deliveries.get(delivery) == before
    assert desk.parts.deliveries.paused() == {}

    call(desk, tool, dry_run=False, **arguments)
    after = desk.parts.deliveries.get(delivery)
    changed = {"edit_post": after.steps[0].post.text == "Other", "cancel": after.status is Status.CANCELLED,
               "stop": "workspace:main" in desk.parts.deliveries.paused()}  # fmt: skip
    assert changed[tool]
    assert [e.actor.name for e in desk.parts.audit.page("main", most=9)[0]] == ["assistant"]


def test_a_dry_run_of_an_edit_says_what_the_platform_would_refuse(desk):
    desk.account()
    delivery = desk.plan("Hello")

    told = call(desk, "edit_post", delivery=delivery, text="x" * 6000)

    assert "5,000" in told["faults"][0]


def test_another_workspace_and_a_file_of_this_machine_are_out_of_reach(desk):
    desk.account()
    desk.account("foreign", workspace="other")
    theirs = desk.plan("Theirs", workspace="other", due=datetime.now(UTC) + timedelta(days=1))

    for tool in ("delivery", "cancel"):
        assert "There is no delivery" in refused(desk, tool, delivery=theirs)
    assert "There is no account" in refused(desk, "stop", account="other.foreign", dry_run=False)
    assert "no web address" in refused(desk, "preview", source=str(ROOT / "README.md"), accounts=["fake"])
    assert desk.status(theirs) is Status.SCHEDULED


def test_it_speaks_the_protocol_on_standard_input_and_output(server, tmp_path):
    runtime(server, tmp_path).close()
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "mcp"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "HANDBILL_REDIS_URL": server.url,
                                     "HANDBILL_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    with process:
        for line in asked:
            process.stdin.write(json.dumps(line).encode() + b"\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        second = json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(20)
    assert first["result"]["serverInfo"]["name"] == "handbill"
    names = {t["name"] for t in second["result"]["tools"]}
    assert names == {"queue", "deliveries", "delivery", "accounts", "preview", "share", "edit_post", "cancel", "stop"}
