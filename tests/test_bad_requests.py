"""A platform that says no is not asked again: 10,000 refusals in ten minutes would ban this machine from Discord."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from publishers.contract.scene import reply
from publishers.core.http import Http
from publishers.core.post import Post
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.pipeline.accounts import Accounts
from worker.pipeline.publish import Engine
from worker.settings import Settings
from worker.store import open_store
from worker.store.deliveries import Deliveries
from worker.store.records import Records
from worker.store.secrets import Vault

KEY = "7Hn2y1Zq3mZ3p6Yp0bq2kqXx0W1m8dKQ3o0v8m0m0mE="
POSTS, ACCOUNTS = 300, 3
# 401, 403 and 429 are counted: https://discord.com/developers/docs/topics/rate-limits, "Invalid Request Limit"
REFUSALS = {
    "a dead token": (401, {"message": "401: Unauthorized", "code": 0}, {}),
    "a right taken away": (403, {"message": "Missing Permissions", "code": 50013}, {}),
    "a channel that is gone": (404, {"message": "Unknown Channel", "code": 10003}, {}),
    "slow mode": (429, {"message": "You are being rate limited.", "retry_after": 30.5, "global": False}, {}),
    "the ban itself": (429, "<html>error code: 1015</html>", {"Retry-After": "600"}),
}


@pytest.fixture
def engine(server, tmp_path):
    """An engine with its deliveries, and the answers that Discord gave; called with the one it always gives."""
    store = open_store(server.url)
    store.client.flushall()
    store.check(trial=False)
    settings = Settings(data_dir=tmp_path, redis_url=server.url)
    records, deliveries = Records(store, Vault(KEY)), Deliveries(store)

    def build(status, body, headers):
        answers = []

        def answer(request):
            del request
            answers.append(status)
            return reply(status, json.dumps(body) if isinstance(body, dict) else body, **headers)

        def client(**told):
            return Http(**{**told, "transport": httpx.MockTransport(answer)})

        accounts = Accounts(records, settings, http=client)
        made = Engine(
            deliveries, records, accounts, settings, wake=lambda _: None, depth=lambda: 0,
            now=lambda: datetime.now(UTC), rng=random.Random(1),
        )  # fmt: skip
        return made, answers

    yield build, records, deliveries
    store.close()


def plan(records, deliveries):
    ids = []
    for number in range(ACCOUNTS):
        settings = {"channel_id": str(22 + number), "user_id": "4711", "guild_id": "1"}
        account = Account(id=f"main.discord-{number}", platform="discord", name="Discord", settings=settings)
        records.save_account(account, {"token": f"discord-secret-token-{number}"})
        for post in range(POSTS // ACCOUNTS):
            identity = delivery_id(f"main.article-{post}", account.id, 0)
            step = Step(
                kind=StepKind.POST,
                ordinal=0,
                key=step_key(identity, StepKind.POST, 0, 1),
                post=Post(text=f"Post {post}"),
            )
            delivery = Delivery(
                id=identity, article=f"main.article-{post}", account=account.id, platform="discord",
                status=Status.SCHEDULED, due=datetime.now(UTC) - timedelta(seconds=1), steps=(step,),
            )  # fmt: skip
            assert deliveries.create(delivery, note="planned")
            ids.append(identity)
    return ids


@pytest.mark.parametrize("refusal", REFUSALS)
def test_three_hundred_posts_that_are_due_make_one_bad_request_an_account(refusal, engine):
    build, records, deliveries = engine
    made, answers = build(*REFUSALS[refusal])
    ids = plan(records, deliveries)
    for _ in range(2):
        for identity in ids:
            made.publish(identity)
    assert len(answers) == ACCOUNTS
    assert {deliveries.get(i).status for i in ids} == {Status.SCHEDULED}
    assert all(deliveries.get(i).attempts == 0 for i in ids)
