"""The connection to Redis: how it is opened, what it must promise before it may hold the truth, and the scripts."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from worker.errors import StoreDown
from worker.store import keys, upgrade

LUA = Path(__file__).parent / "lua"
SCHEMA = "3"
IMPORTING = "importing"
"""Stands in the schema's place while an archive is read in: what is half there is used by nobody."""

DURABLE_MS = 3000
"""How long a commit waits for its intent to reach the disk before it is put off."""

CONNECTIONS = 10_000
"""More than there are threads: redis-py's own limit of 100 would make the 101st fail, with a receipt in hand."""

PATIENCE = Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries=7)
"""A server that restarts is waited for, about 2 s: a worker may hold a receipt that is nowhere else. Every script may
be run again after an answer that was lost."""

AGAIN, BETWEEN = 12, 1.0
"""How often, with how many seconds between, a server that is away is told what became of a commit: most of a minute in
all, as long as a large store takes to be read back."""


SWAP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Of two who change one field at once, one does."""

Call = tuple[str, int | str, tuple[object, ...]]
"""A script, the shard it is for (or what its keys begin with), and what it is told."""


@functools.cache
def _source(name: str) -> str:
    parts = ["common", *(["item"] if name.startswith("item_") else []), name]
    return "".join((LUA / f"{part}.lua").read_text() for part in parts)


class Store:
    """One pool of connections to the Redis or Valkey that holds the truth."""

    sleep: Callable[[float], None] = staticmethod(time.sleep)
    """Replaced where a simulated world has another time."""

    def __init__(self, client: redis.Redis, *, where: str, replicas: int = 0) -> None:
        self.client = client
        self.where = where
        self._replicas = replicas
        self._sha: dict[str, str] = {}
        self._waits: tuple[object, ...] = ()

    def run(self, script: str, shard: int | str, *args: object) -> Any:
        """Run one of the Lua scripts on one shard, or on the keys that begin with a text, as one step."""
        return self._pipe([(script, shard, args)])[0]

    def run_each(self, script: str, root: str, calls: Iterable[Sequence[object]]) -> list[Any]:
        """Run a script several times in one round trip, each time as one step."""
        return self._pipe([(script, root, tuple(args)) for args in calls])

    def run_stubbornly(self, *calls: Call) -> list[Any]:
        """Run scripts in one trip, each as one step, asking a server that is away again and again: what is told here is
        known nowhere else.
        """
        for _ in range(AGAIN):
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                return self._pipe(calls)
            self.sleep(BETWEEN)
        return self._pipe(calls)

    def run_durably(self, script: str, shard: int | str, *args: object) -> tuple[Any, bool]:
        """Run a script, then wait until what it wrote is on the disk, and on the replicas that must have it; False if
        that was not certain in time.
        """
        if not self._waits:
            return self.run(script, shard, *args), True
        # Both commands go down one connection: the second speaks of the writes of its own.
        answer, said = self._pipe([(script, shard, args)], (*self._waits, DURABLE_MS))
        reached = said if isinstance(said, list) else [said]
        return answer, all(int(n) >= int(str(wanted)) for n, wanted in zip(reached, self._waits[1:], strict=True))

    def each_shard(self, script: str, *args: object) -> list[Any]:
        """Run a script on every shard in one round trip."""
        return self._pipe([(script, shard, args) for shard in range(keys.SHARDS)])

    def _pipe(self, calls: Sequence[Call], *commands: tuple[object, ...]) -> list[Any]:
        for script, _, _ in calls:
            if script not in self._sha:
                self._sha[script] = self.client.script_load(_source(script))
        with self.client.pipeline(transaction=False) as pipe:
            for script, shard, args in calls:
                root = shard if isinstance(shard, str) else keys.root(shard)
                pipe.evalsha(self._sha[script], 1, root, *(_text(a) for a in args))
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            try:
                return pipe.execute()
            except redis.exceptions.NoScriptError:
                # A server that was restarted has forgotten every script; what another worker gave it again meanwhile
                # has run, and may run again.
                self._sha.clear()
        return self._pipe(calls, *commands)

    def rewrite(self, key: str, field: str, change: Callable[[bytes | None], str]) -> None:
        """Change one field of a hash; ``change`` (from None if it is not there) is asked again if somebody was quicker.

        What it raises is raised, and nothing is changed then.
        """
        while True:
            found = cast("bytes | None", self.client.hget(key, field))
            if self.client.eval(SWAP, 1, key, field, found or b"", change(found)):
                return

    def now_ms(self) -> int:
        """Redis' own clock, milliseconds since 1970; the only one that decides what is due."""
        seconds, micros = self.client.time()
        return seconds * 1000 + micros // 1000

    def check(self, *, trial: bool, anew: bool = False) -> list[str]:
        """Refuse a server that could lose a post or evict one; returns what was overlooked because of ``trial``.

        ``anew`` throws away what an import left half done, which is refused otherwise. Raises StoreDown with the line
        that mends it.
        """
        server = self.client.info("server")
        version = _version(str(server.get("valkey_version") or server.get("redis_version", "0")))
        try:
            config = {**self._config("append*"), **self._config("maxmemory-policy")}
        except redis.ResponseError:
            config = {}
        waitaof = version >= (7, 2)
        kept = config.get("appendonly") == "yes"
        if self._replicas:
            self._waits = ("WAITAOF", int(kept), self._replicas) if waitaof else ("WAIT", self._replicas)
        elif waitaof and kept and config.get("appendfsync") != "always":
            self._waits = ("WAITAOF", 1, 0)
        else:
            self._waits = ()
        self._claim_schema(anew=anew)
        faults = list(_faults(version, config))
        if faults and not trial:
            why, do = faults[0]
            raise StoreDown(
                f"{self.where} may not hold posts", why=why, do=f"Mend: {do} (or HANDBILL_TRIAL=1 for a trial)"
            )
        return [f"{why}; mend: {do}" for why, do in faults]

    def _claim_schema(self, *, anew: bool) -> None:
        stored = cast("bytes | None", self.client.get(keys.schema()))
        if anew and stored == IMPORTING.encode():
            for key in self.client.scan_iter(match=f"{keys.PREFIX}:*", count=1000):
                self.client.delete(key)
            stored = None
        if stored in {b"1", b"2"}:
            upgrade.bring_up(self, SCHEMA)
            return
        if stored is None:
            self.client.set(keys.schema(), SCHEMA, nx=True)
        elif stored.decode() == IMPORTING:
            do = "Run handbill import again, which begins anew"
            raise StoreDown(f"{self.where} holds half an archive", why="an import did not end", do=do)
        elif stored.decode() != SCHEMA:
            do = "Use the version of Handbill that wrote it"
            raise StoreDown(f"{self.where} holds data of schema {stored.decode()}", why=f"this is {SCHEMA}", do=do)

    def _config(self, pattern: str) -> dict[str, str]:
        found = cast("dict[Any, Any]", self.client.config_get(pattern))
        return {_plain(k): _plain(v) for k, v in found.items()}

    def ping(self) -> None:
        """Raise StoreDown if Redis does not answer."""
        try:
            self.client.ping()
        except redis.RedisError as error:
            raise down(self.where, error) from None

    def close(self) -> None:
        """Close every connection."""
        self.client.close()


def _faults(version: tuple[int, ...], config: dict[str, str]) -> Iterator[tuple[str, str]]:
    if version < (7, 0):
        yield f"version {'.'.join(map(str, version))} is too old", "use Redis ≥ 7.0 or Valkey ≥ 7.2"
    if not config:
        yield "CONFIG GET is not allowed, so persistence cannot be checked", "allow +config|get"
        return
    if config.get("appendonly") != "yes":
        yield "it keeps nothing on disk", "CONFIG SET appendonly yes"
    elif config.get("appendfsync") == "no":
        yield "it never waits for the disk", "CONFIG SET appendfsync everysec"
    elif config.get("appendfsync") != "always" and version < (7, 2):
        yield "this version cannot wait for the disk", "CONFIG SET appendfsync always"
    if config.get("maxmemory-policy") != "noeviction":
        yield "it may evict what it holds", "CONFIG SET maxmemory-policy noeviction"


ESCAPED = "it cannot be read; in a password / is written %2F, ? %3F, # %23 and @ %40"


def down(where: str, error: Exception) -> StoreDown:
    """The one clear line for a Redis that does not answer."""
    reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
    return StoreDown(f"Redis at {where} does not answer", why=reason, do="Start it, or correct HANDBILL_REDIS_URL")


def lost(error: Exception) -> str:
    """The one clear line if ``error`` means that Redis went away during a command; empty otherwise."""
    return str(down("its address", error)) if isinstance(error, redis.RedisError) else ""


def open_store(url: str, *, trial: bool = False, anew: bool = False, replicas: int = 0) -> Store:
    """Connect to ``url`` (redis://, rediss://, unix://, or sentinel://[:password@]host:port,host:port/name) and check
    that it may hold the truth; ``anew`` as there, ``replicas`` must have an intent on disk too before it counts.
    """
    try:
        where = _without_password(url)
        refuse_open(url, "HANDBILL_REDIS_URL", trial=trial)
        client = _client(url)
    except ValueError as error:
        # Neither the address nor what the library says of it: either may hold a part of the password.
        why = str(error) if url.startswith("sentinel://") else ESCAPED
        do = "Give redis://:password@host:6379/0"
        raise StoreDown("What HANDBILL_REDIS_URL holds is no Redis address", why=why, do=do) from None
    store = Store(client, where=where, replicas=replicas)
    try:
        store.check(trial=trial, anew=anew)
    except redis.RedisError as error:
        raise down(where, error) from None
    return store


def _client(url: str) -> redis.Redis:
    options: dict[str, Any] = {
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "health_check_interval": 15,
        "max_connections": CONNECTIONS,
        "retry": PATIENCE,
        "protocol": 2,
    }
    if not url.startswith("sentinel://"):
        return redis.Redis.from_url(url, **options)
    hosts, name, password = _sentinels(url)
    watchers: Any = Sentinel(hosts, socket_timeout=2, socket_connect_timeout=2)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    return cast("redis.Redis", watchers.master_for(name, password=password or None, **options))


def _sentinels(url: str) -> tuple[list[tuple[str, int]], str, str]:
    """Where the sentinels listen, what they call the server, and the server's password."""
    place, _, name = url.removeprefix("sentinel://").partition("/")
    login, _, hosts = place.rpartition("@")
    pairs = [host.rpartition(":") for host in hosts.split(",") if host]
    if not pairs or not name or not all(h and p.isdigit() for h, _, p in pairs):
        raise ValueError("write sentinel://:password@host:26379,host:26379/name")
    return [(h, int(p)) for h, _, p in pairs], name, unquote(login.partition(":")[2])


def refuse_open(url: str, setting: str, *, trial: bool = False) -> None:
    """Raise StoreDown for a server on another machine that takes anyone, or a broker's well-known password."""
    parts = urlsplit(url)
    if url.startswith("sentinel://"):
        hosts, _, password = _sentinels(url)
        names = [h for h, _ in hosts]
    else:
        names, password = [parts.hostname or ""], parts.password or ""
    if trial or not parts.scheme or all(_is_here(name) for name in names):
        return
    if parts.scheme in {"redis", "rediss", "sentinel"} and not password and "ssl_certfile" not in parts.query:
        do = f"Give it one (requirepass, or an ACL user) and write it into {setting}"
        raise StoreDown(f"{names[0]} may be open to anyone", why=f"{setting} has no password", do=do)
    if parts.scheme.startswith("amqp") and (parts.username or "guest", password or "guest") == ("guest", "guest"):
        do = f"Make a user of its own and write it into {setting}"
        raise StoreDown(f"{names[0]} is open to anyone", why="guest and guest is what everybody tries first", do=do)


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_password(url: str) -> str:
    if url.startswith("sentinel://"):
        return url.rpartition("@")[2].removeprefix("sentinel://")
    parts = urlsplit(url)
    if parts.hostname:
        return f"{parts.hostname}:{parts.port or 6379}"
    return parts.path if parts.scheme == "unix" else "its address"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(p) for p in text.split(".")[:3] if p.isdigit())


def _plain(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _text(value: object) -> bytes | str:
    if value is None:
        return ""
    return value if isinstance(value, (bytes, str)) else str(value)
