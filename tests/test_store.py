"""What the store demands of Redis, and what it keeps secret."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from publishers.core.post import Post
from worker.errors import HandbillError, NotFound, StoreDown
from worker.model import Account, Delivery, Status, Step, StepKind, delivery_id, step_key
from worker.store import Deliveries, Records, keys, open_store
from worker.store.redis import _sentinels, _without_password, refuse_open
from worker.store.secrets import Vault, key_of


@pytest.fixture
def store(server):
    opened = open_store(server.url, trial=True)
    opened.client.config_set("appendonly", "yes")
    opened.client.config_set("appendfsync", "everysec")
    opened.client.config_set("maxmemory-policy", "noeviction")
    opened.client.flushall()
    opened.check(trial=False)
    yield opened
    opened.client.flushall()
    opened.client.config_set("appendonly", "yes")
    opened.client.config_set("appendfsync", "everysec")
    opened.client.config_set("maxmemory-policy", "noeviction")
    opened.close()


def planned(store, text="Hello", due=None):
    identity = delivery_id("main.a", "main.acc", 0)
    step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=Post(text=text))
    delivery = Delivery(
        id=identity, article="main.a", account="main.acc", platform="p", status=Status.SCHEDULED,
        due=due or datetime.now(UTC) - timedelta(seconds=1), steps=(step,),
    )  # fmt: skip
    Deliveries(store).create(delivery, note="planned")
    return delivery


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("maxmemory-policy", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
        ("appendfsync", "no", "CONFIG SET appendfsync everysec"),
        ("appendonly", "no", "CONFIG SET appendonly yes"),
    ],
)
def test_a_server_that_could_lose_a_post_is_refused_with_the_line_that_mends_it(store, server, name, value, mend):
    store.client.config_set(name, value)

    with pytest.raises(StoreDown, match=mend):
        open_store(server.url)
    assert mend in open_store(server.url, trial=True).check(trial=True)[0]


def test_an_intent_is_on_the_disk_before_it_counts(store):
    deliveries = Deliveries(store)
    turn = deliveries.begin(planned(store).id, lease=60, stale=3600)

    assert deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
    assert store.client.execute_command("WAITAOF", 1, 0, 1)[0] == 1


def test_an_intent_that_does_not_reach_the_disk_is_no_intent(store, monkeypatch):
    """With `appendfsync no` nothing asks the disk, so the server cannot say that the intent is there."""
    monkeypatch.setattr("worker.store.redis.DURABLE_MS", 100)
    deliveries = Deliveries(store)
    turn = deliveries.begin(planned(store).id, lease=60, stale=3600)
    store.client.config_set("appendfsync", "no")

    assert deliveries.intend(turn, turn.delivery.steps, seconds=1) == "not durable"


def test_data_of_another_schema_is_refused(store, server):
    store.client.set(keys.schema(), "99")

    with pytest.raises(StoreDown, match="holds data of schema 99"):
        open_store(server.url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://127.0.0.1:1/0", "Redis at 127.0.0.1:1 does not answer"),
        ("http://127.0.0.1", "is no Redis address"),
        ("redis://:hunter2@127.0.0.1:1/0", "Redis at 127.0.0.1:1 does not answer"),
    ],
)
def test_a_redis_that_is_not_there_is_one_clear_line_without_its_password(url, words):
    with pytest.raises(StoreDown, match=words) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_are_unreadable_in_redis_and_bound_to_their_account(store):
    records = Records(store, Vault(Fernet.generate_key().decode()))
    account = Account(id="main.p", platform="p", name="P")
    records.save_account(account, {"token": "canary-secret"})

    assert records.secrets(account) == {"token": "canary-secret"}
    locked = store.client.hget(f"{keys.home('main')}secrets", account.id)
    assert b"canary" not in locked
    store.client.hset(f"{keys.home('main')}secrets", "main.q", locked)
    with pytest.raises(HandbillError, match=r"belong to main\.p"):
        records.secrets(dataclasses.replace(account, id="main.q"))


def test_old_keys_still_open_what_they_locked_and_a_lost_key_says_so(store):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    locked = Vault(old).lock("row", {"a": "b"})

    assert Vault(f"{new},{old}").unlock("row", locked) == {"a": "b"}
    with pytest.raises(HandbillError, match="no key fits"):
        Vault(new).unlock("row", locked)


def test_a_key_is_made_once_and_kept_for_this_user_alone(tmp_path):
    key = key_of(tmp_path, "")

    assert key_of(tmp_path, "") == key
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_removed_account_leaves_no_secret(store):
    records = Records(store, Vault(Fernet.generate_key().decode()))
    account = Account(id="main.p", platform="p", name="P")
    records.save_account(account, {"token": "x"})
    records.remove_account(account)

    assert records.secrets(account) == {}
    with pytest.raises(NotFound, match=r"There is no account main\.p"):
        records.account("main.p")


def test_an_api_token_is_kept_as_a_hash_only(store):
    records = Records(store, Vault(Fernet.generate_key().decode()))
    token = records.create_token(scope="read", workspace="main")

    digest = hashlib.sha256(token.encode()).hexdigest()
    assert records.token(token) == {"id": digest[:12], "scope": "read", "workspace": "main", "name": ""}
    assert records.token("hb_wrong") is None
    assert token.encode() not in b"".join(store.client.hgetall(keys.tokens()))


def test_two_planners_never_take_one_slot(store):
    records = Records(store, Vault(Fernet.generate_key().decode()))
    account = Account(id="main.p", platform="p", name="P")
    noon = datetime(2027, 1, 1, 12, tzinfo=UTC)

    assert records.reserve(account, "d1", noon, gap=60)
    assert not records.reserve(account, "d2", noon + timedelta(seconds=30), gap=60)
    assert records.reserve(account, "d2", noon + timedelta(seconds=60), gap=60)
    assert records.reserve(account, "d1", noon, gap=60)


def test_every_id_and_key_carries_its_workspace_and_shard(store):
    delivery = planned(store)
    shard = keys.shard(delivery.id)

    assert delivery.id.startswith("main.")
    assert store.client.exists(f"handbill:{{{shard}}}:delivery:{delivery.id}")


def test_the_scheduling_record_of_a_pending_delivery_is_small(store):
    for number in range(200):
        identity = delivery_id("main.a", "main.acc", number)
        step = Step(kind=StepKind.POST, ordinal=0, key=step_key(identity, StepKind.POST, 0, 1), post=Post(text="x"))
        Deliveries(store).create(
            Delivery(
                id=identity, article="main.0123456789abcdef0123", account="main.mastodon-example", platform="mastodon",
                status=Status.SCHEDULED, due=datetime(2027, 1, 1, tzinfo=UTC), wall="2027-01-01 09:00",
                zone="Europe/Vienna", steps=(step,),
            ),
            note="planned",
        )  # fmt: skip
    record = f"handbill:{{{keys.shard(identity)}}}:delivery:{identity}"
    queues = [k for k in store.client.keys("*") if b":due" in k or b":status:" in k]

    each = store.client.memory_usage(record) + sum(store.client.memory_usage(k, samples=0) for k in queues) / 200
    assert each <= 700


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://state.example:6379/0", "HANDBILL_REDIS_URL has no password"),
        ("rediss://state.example:6379/0", "HANDBILL_REDIS_URL has no password"),
        ("sentinel://one.example:26379,two.example:26379/posts", "HANDBILL_REDIS_URL has no password"),
        ("sentinel://nowhere", "is no Redis address"),
    ],
)
def test_a_redis_of_another_machine_that_takes_anyone_is_refused_before_it_is_spoken_to(url, words):
    with pytest.raises(StoreDown, match=words):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "open_to_all"),
    [
        ("amqp://guest:guest@broker.example//", True),
        ("amqp://broker.example//", True),
        ("amqp://handbill:long-and-random@broker.example//", False),
        ("amqp://guest:guest@127.0.0.1//", False),
        ("redis://:long-and-random@broker.example/0", False),
        ("rediss://broker.example/0?ssl_certfile=/c.pem", False),
        ("", False),
    ],
)
def test_a_broker_with_the_password_that_everybody_knows_is_refused(url, open_to_all):
    if open_to_all:
        with pytest.raises(StoreDown, match="guest and guest"):
            refuse_open(url, "HANDBILL_BROKER_URL")
    else:
        refuse_open(url, "HANDBILL_BROKER_URL")


def test_sentinels_and_passwords_are_read_and_never_shown():
    url = "sentinel://:hunter%402@one.example:26379,two.example:26380/posts"
    assert _sentinels(url) == ([("one.example", 26379), ("two.example", 26380)], "posts", "hunter@2")
    assert "hunter" not in _without_password(url)


def test_a_key_that_nobody_drew_is_refused():
    for made_up in (b"0" * 32, b"password" * 4, bytes(32)):
        with pytest.raises(HandbillError, match="is not a Fernet key"):
            Vault(base64.urlsafe_b64encode(made_up).decode())
    for _ in range(200):
        assert Vault(Fernet.generate_key().decode()).lock("row", {})
