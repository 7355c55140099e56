"""Articles, accounts, their secrets, API tokens and short locks in Redis: plain records of a workspace."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import secrets as random_secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from publishers.core.publisher import Budget
from worker import approval
from worker.errors import NotFound
from worker.model import Account, Article, Brand, Content, from_json, to_json
from worker.store import keys
from worker.store.connections import Connections
from worker.store.redis import Store
from worker.store.secrets import Vault
from worker.store.signs import Signs

TOKEN_ID = 12

RESERVE = """
local at, gap = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - 90 * 86400000)
if gap > 0 then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], at - gap + 1, at + gap - 1)) do
    if other ~= ARGV[1] then return 0 end
  end
end
redis.call('ZADD', KEYS[1], at, ARGV[1])
return 1
"""
"""The check of the gap and the entry are one step, so two planners never take one slot."""

SPEND = """
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
local longest, wait = 0, 0
for i = 3, #ARGV, 2 do
  local most, window = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  longest = math.max(longest, window)
  local oldest = redis.call('ZRANGE', KEYS[1], -most, -most, 'WITHSCORES')
  if oldest[2] then wait = math.max(wait, tonumber(oldest[2]) + window - now) end
end
if wait > 0 then return wait end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - longest)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], longest)
return 0
"""
"""A log of the sends within the longest window; the n-th newest says whether n more fit into a window."""

ARRIVE = """
local home, id, record, content = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('HSET', KEYS[1], 'article', record, 'content', content)
if new then
  local t = redis.call('TIME')
  local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  redis.call('HSET', KEYS[1], 'arrived', now)
  for _, list in ipairs({'all', 'new'}) do redis.call('ZADD', home .. 'articles:' .. list, now, id) end
end
return new and 1 or 0
"""
"""An article that is read again keeps its place and what was decided about it."""

SORT = """
local home, id, from, to = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local at = redis.call('HGET', KEYS[1], 'arrived')
if not at or (from ~= '' and not redis.call('ZSCORE', home .. 'articles:' .. from, id)) then return 0 end
for _, list in ipairs({'new', 'planned', 'skipped'}) do redis.call('ZREM', home .. 'articles:' .. list, id) end
redis.call('ZADD', home .. 'articles:' .. to, at, id)
return 1
"""
"""Puts an article into one of the lists new, planned and skipped; only if it is in ``from``, where one is named."""

UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


Change = Callable[[Account, dict[str, str]], tuple[Account, Mapping[str, str] | None]]
"""From an account and its secrets to what they shall be; no secrets leave the stored ones alone."""


class Records:
    """Everything stored that is not a delivery.

    ``clock``, in milliseconds since 1970, stands in for Redis' own where rates are counted in a simulated world.
    """

    def __init__(self, store: Store, vault: Vault, *, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock
        self._store = store
        self._redis = store.client
        self._vault = vault
        self._signs = Signs(store)
        self.connections = Connections(store, vault)

    # Articles

    def save_article(self, article: Article, content: Content) -> None:
        """Store an article with what was written about it, in place of what was there."""
        home = keys.home(article.workspace)
        key = f"{home}article:{article.id}"
        self._redis.eval(ARRIVE, 1, key, home, article.id, to_json(article), to_json(content))
        self._redis.sadd(keys.workspaces(), article.workspace)

    def article(self, article: str) -> tuple[Article, Content]:
        """An article and its content; raises NotFound."""
        home = keys.home(_workspace(article))
        found = cast("list[bytes | None]", self._redis.hmget(f"{home}article:{article}", ["article", "content"]))
        if found[0] is None or found[1] is None:
            raise NotFound(f"There is no article {article}")
        return from_json(Article, found[0]), from_json(Content, found[1])

    def arrived(
        self, workspace: str, shelf: str, *, most: int, before: tuple[datetime, str] | None = None
    ) -> list[tuple[datetime, str]]:
        """When articles on a shelf (``new``, ``planned``, ``skipped`` or ``all``) arrived, and their ids; latest first.

        ``before`` is such a pair: only what comes after it in this order is returned.
        """
        key = f"{keys.home(workspace)}articles:{shelf}"
        rows: list[tuple[bytes, float]]
        if before is None:
            rows = cast("Any", self._redis.zrange(key, 0, most - 1, desc=True, withscores=True))
        else:
            at = round(before[0].timestamp() * 1000)
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrange(key, at, at, byscore=True, withscores=True)
                pipe.zrange(key, f"({at}", "-inf", desc=True, byscore=True, offset=0, num=most, withscores=True)
                same, rest = pipe.execute()
            rows = [r for r in (*same, *rest) if (int(r[1]), r[0].decode()) < (at, before[1])]
        found = [(datetime.fromtimestamp(ms / 1000, UTC), article.decode()) for article, ms in rows]
        return sorted(found, reverse=True)[:most]

    def shelves(self, workspace: str) -> dict[str, int]:
        """How many articles are on each shelf."""
        names = ("new", "planned", "skipped", "all")
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.zcard(f"{keys.home(workspace)}articles:{name}")
            return dict(zip(names, pipe.execute(), strict=True))

    def stock(self) -> list[int]:
        """How many articles are on the shelves of every workspace, and how many changes of articles there are: for
        whoever asks whether any came or went.
        """
        workspaces = self.workspaces()
        with self._redis.pipeline(transaction=False) as pipe:
            for workspace in workspaces:
                for shelf in ("new", "planned", "skipped"):
                    pipe.zcard(f"{keys.home(workspace)}articles:{shelf}")
                pipe.hlen(keys.aftercare(workspace, "changes"))
            return list(pipe.execute())

    def articles(self, ids: Iterable[str]) -> dict[str, tuple[Article, Content]]:
        """Articles with what was written about them, by id; those that are gone are left out."""
        wanted = list(ids)
        with self._redis.pipeline(transaction=False) as pipe:
            for article in wanted:
                pipe.hmget(f"{keys.home(_workspace(article))}article:{article}", ["article", "content"])
            rows = pipe.execute()
        return {
            name: (from_json(Article, row[0]), from_json(Content, row[1]))
            for name, row in zip(wanted, rows, strict=True)
            if row[0] is not None and row[1] is not None
        }

    def shelve(self, article: str, shelf: str, *, only_from: str = "") -> bool:
        """Put an article on the shelf ``new``, ``planned`` or ``skipped``; False if it is gone or not where it was."""
        home = keys.home(_workspace(article))
        return bool(self._redis.eval(SORT, 1, f"{home}article:{article}", home, article, only_from, shelf))

    def titles(self, articles: Iterable[str]) -> dict[str, str]:
        """The titles of articles by id; those that are gone are left out."""
        wanted = list(articles)
        with self._redis.pipeline(transaction=False) as pipe:
            for article in wanted:
                pipe.hget(f"{keys.home(_workspace(article))}article:{article}", "article")
            found = pipe.execute()
        return {a: from_json(Article, f).title for a, f in zip(wanted, found, strict=True) if f}

    def link_delivery(self, article: str, delivery: str) -> None:
        """Remember that a delivery belongs to an article; before the delivery is stored, so none is ever lost."""
        self._redis.sadd(f"{keys.home(_workspace(article))}article:{article}:deliveries", delivery)
        self.shelve(article, "planned")

    def unlink_delivery(self, article: str, delivery: str) -> None:
        """Forget that a draft belonged to an article, which is new again if it was the only one."""
        key = f"{keys.home(_workspace(article))}article:{article}:deliveries"
        self._redis.srem(key, delivery)
        if not self._redis.exists(key):
            self.shelve(article, "new", only_from="planned")

    def deliveries_of(self, article: str) -> list[str]:
        """Ids of an article's deliveries."""
        found = cast(
            "set[bytes]", self._redis.smembers(f"{keys.home(_workspace(article))}article:{article}:deliveries")
        )
        return sorted(i.decode() for i in found)

    def deliveries_of_many(self, articles: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the deliveries of many articles, by article."""
        with self._redis.pipeline(transaction=False) as pipe:
            for article in articles:
                pipe.smembers(f"{keys.home(_workspace(article))}article:{article}:deliveries")
            found = pipe.execute()
        return {a: sorted(i.decode() for i in ids) for a, ids in zip(articles, found, strict=True)}

    # Accounts

    def save_account(self, account: Account, secrets: Mapping[str, str] | None = None) -> None:
        """Store an account; ``secrets`` None leaves the stored ones alone."""
        home = keys.home(account.workspace)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"{home}accounts", account.id, to_json(account))
            if secrets is not None:
                pipe.hset(f"{home}secrets", account.id, self._vault.lock(account.id, secrets))
            pipe.execute()
        self._redis.sadd(keys.workspaces(), account.workspace)

    def change_account(self, account: str, change: Change) -> Account:
        """Change an account, and its secrets if ``change`` gives some, on the disk when this returns.

        ``change`` is called again if anybody else changed either meanwhile, so nothing that was read before is put
        back. Raises NotFound.
        """
        home = keys.home(_workspace(account))
        while True:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.hget(f"{home}accounts", account)
                pipe.hget(f"{home}secrets", account)
                found, locked = pipe.execute()
            if found is None:
                raise NotFound(f"There is no account {account}", do="See: handbill accounts list")
            known, secrets = change(_account(found), self._vault.unlock(account, locked) if locked else {})
            sealed = b"" if secrets is None else self._vault.lock(account, secrets)
            told = (account, found.decode(), (locked or b"").decode(), to_json(known), sealed.decode())
            if self._store.run_durably("account", home, *told)[0]:
                return known

    def account(self, account: str) -> Account:
        """An account by its id; raises NotFound naming the ones there are."""
        home = keys.home(_workspace(account))
        found = cast("bytes | None", self._redis.hget(f"{home}accounts", account))
        if found is None:
            raise NotFound(f"There is no account {account}", do="See: handbill accounts list")
        return from_json(Account, found)

    def opened(self, account: str) -> tuple[Account, dict[str, str]]:
        """An account and its secrets in clear, as they belong together; raises NotFound.

        Where it does not say itself whether its posts wait for approval, it says what its workspace does.
        """
        found, locked, asked = self._store.run("opened", keys.home(_workspace(account)), account)
        if found is None:
            raise NotFound(f"There is no account {account}", do="See: handbill accounts list")
        known = _account(found)
        known = dataclasses.replace(known, approval=approval.wanted(known, workspace=bool(asked)))
        return known, self._vault.unlock(account, locked) if locked else {}

    def accounts(self, workspace: str) -> list[Account]:
        """Every account of a workspace, by id."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(f"{keys.home(workspace)}accounts"))
        return sorted((from_json(Account, v) for v in found.values()), key=lambda a: a.id)

    def secrets(self, account: Account) -> dict[str, str]:
        """The account's secret settings, in clear."""
        locked = cast("bytes | None", self._redis.hget(f"{keys.home(account.workspace)}secrets", account.id))
        return self._vault.unlock(account.id, locked) if locked else {}

    def mark_renewed(self, account: Account, *, seconds: float) -> None:
        """Remember that the account's token is new; a new token that is refused cannot be mended by another."""
        self._redis.set(f"{keys.home(account.workspace)}renewed:{account.id}", "1", px=int(seconds * 1000))

    def renewed_lately(self, account: Account) -> bool:
        """Whether the account got a new token in the last minute."""
        return bool(self._redis.exists(f"{keys.home(account.workspace)}renewed:{account.id}"))

    def remove_account(self, account: Account) -> None:
        """Forget an account and its secrets."""
        home = keys.home(account.workspace)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(f"{home}accounts", account.id)
            pipe.hdel(f"{home}secrets", account.id)
            pipe.execute()
        self.connections.forget(account.id)

    def workspaces(self) -> list[str]:
        """Every workspace that holds something."""
        return sorted(w.decode() for w in cast("set[bytes]", self._redis.smembers(keys.workspaces())))

    def require_approval(self, workspace: str, *, wanted: bool) -> None:
        """Let posts of the workspace's accounts wait for approval, where the account itself says nothing."""
        key = f"{keys.home(workspace)}approval"
        if wanted:
            self._redis.set(key, 1)
        else:
            self._redis.delete(key)

    def needs_approval(self, account: Account) -> bool:
        """Whether the account's posts wait for somebody's approval."""
        return approval.wanted(account, workspace=self.approval(account.workspace))

    def approval(self, workspace: str) -> bool:
        """Whether posts of the workspace wait for approval, where the account says nothing."""
        return bool(self._redis.exists(f"{keys.home(workspace)}approval"))

    def forget(self, workspace: str) -> None:
        """Remove everything that belongs to a workspace and not to a delivery, its tokens and its audit log too."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.tokens()))
        if mine := [d for d, r in found.items() if json.loads(r)["workspace"] == workspace]:
            self._redis.hdel(keys.tokens(), *mine)
        for key in self._redis.scan_iter(match=f"{keys.home(workspace)}*", count=1000):
            self._redis.delete(key)
        self._redis.srem(keys.workspaces(), workspace)

    # Brands

    def save_brand(self, brand: Brand) -> None:
        """Store a brand, in place of the one of that name."""
        self._redis.hset(f"{keys.home(brand.workspace)}brands", brand.name, to_json(brand))
        self._redis.sadd(keys.workspaces(), brand.workspace)

    def change_brand(self, workspace: str, name: str, change: Callable[[Brand | None], Brand]) -> Brand:
        """Make a brand of what is there under its name (None: nothing), whoever else changes it meanwhile."""
        made: list[Brand] = []

        def changed(found: bytes | None) -> str:
            made.append(change(from_json(Brand, found) if found else None))
            return to_json(made[-1])

        self._store.rewrite(f"{keys.home(workspace)}brands", name, changed)
        self._redis.sadd(keys.workspaces(), workspace)
        return made[-1]

    def brands(self, workspace: str) -> list[Brand]:
        """Every brand of a workspace, by name."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(f"{keys.home(workspace)}brands"))
        return sorted((from_json(Brand, v) for v in found.values()), key=lambda b: b.name)

    def remove_brand(self, workspace: str, name: str) -> None:
        """Forget a brand; raises NotFound."""
        if not self._redis.hdel(f"{keys.home(workspace)}brands", name):
            raise NotFound(f"There is no brand {name}", do="See: handbill brand list")

    # Calendars

    def reserve(self, account: Account, delivery: str, instant: datetime, *, gap: float) -> bool:
        """Take an instant in the account's calendar; False if another delivery is nearer than ``gap`` seconds.

        A delivery has one place: a new one replaces it. ``gap`` 0 always succeeds.
        """
        key = keys.calendar(account.id)
        score = round(instant.timestamp() * 1000)
        return bool(self._redis.eval(RESERVE, 1, key, delivery, score, max(int(gap * 1000), 0)))

    def taken(self, account: Account, *, since: datetime, until: datetime | None = None) -> dict[str, datetime]:
        """Where the account's deliveries stand in its calendar from ``since`` on, up to ``until``, by delivery."""
        key = keys.calendar(account.id)
        found = cast(
            "list[tuple[bytes, float]]",
            self._redis.zrangebyscore(
                key, since.timestamp() * 1000, "+inf" if until is None else until.timestamp() * 1000, withscores=True
            ),
        )
        return {d.decode(): datetime.fromtimestamp(ms / 1000, UTC) for d, ms in found}

    def coming(self, account: Account, *, since: datetime) -> int:
        """How many of the account's deliveries stand in its calendar from ``since`` on."""
        return self._redis.zcount(keys.calendar(account.id), since.timestamp() * 1000, "+inf")

    def come(self, account: Account, *, since: datetime, most: int) -> tuple[str, ...]:
        """Which of the account's deliveries stand in its calendar from ``since`` on, the first ``most`` of them."""
        rows = self._redis.zrangebyscore(keys.calendar(account.id), since.timestamp() * 1000, "+inf", 0, most)
        return tuple(row.decode() for row in cast("list[bytes]", rows))

    def following(self, account: Account, *, since: datetime) -> datetime | None:
        """When the account's next delivery stands in its calendar."""
        key, at = keys.calendar(account.id), since.timestamp() * 1000
        rows: list[tuple[bytes, float]] = cast("Any", self._redis.zrangebyscore(key, at, "+inf", 0, 1, withscores=True))
        return datetime.fromtimestamp(rows[0][1] / 1000, UTC) if rows else None

    def booked(self, accounts: Sequence[str], days: Sequence[datetime]) -> dict[str, list[int]]:
        """How many places of each account's calendar are taken, day by day; ``days`` are as for a plan's days."""
        bounds = [round(d.timestamp() * 1000) for d in days]
        with self._redis.pipeline(transaction=False) as pipe:
            for account in accounts:
                for begin, end in itertools.pairwise(bounds):
                    pipe.zcount(keys.calendar(account), begin, f"({end}")
            found = pipe.execute()
        count = len(bounds) - 1
        return {account: found[i * count : (i + 1) * count] for i, account in enumerate(accounts)}

    # Rates

    def spend(self, account: Account, app: str, budgets: Sequence[Budget]) -> float:
        """Take one message from every budget, or from none: seconds to wait, 0 if it may be sent now.

        Counted in any window of the budget's length, by Redis' clock, over all workers.
        """
        for wanted in (True, False):
            shared = [b for b in budgets if b.app is wanted]
            if not shared:
                continue
            key = keys.budget(keys.ALL, app) if wanted else keys.budget(account.workspace, account.id)
            rows = [x for b in shared for x in (b.posts, int(b.seconds * 1000))]
            now = self._clock() if self._clock else ""
            wait = cast("int", self._redis.eval(SPEND, 1, key, random_secrets.token_hex(6), now, *rows))
            if wait > 0:
                return wait / 1000
        return 0.0

    # API tokens

    def create_token(self, *, scope: str, workspace: str, name: str = "", by: str = "") -> str:
        """Make an API token and return it; only its hash is kept, so it can be shown once.

        ``by`` is the id of the token that asked for it: with that one, this one ends.
        """
        token = f"hb_{random_secrets.token_urlsafe(32)}"
        record = json.dumps({"scope": scope, "workspace": workspace, "name": name} | ({"by": by} if by else {}))
        self._redis.hset(keys.tokens(), hashlib.sha256(token.encode()).hexdigest(), record)
        return token

    def tokens(self, workspace: str) -> list[dict[str, Any]]:
        """The tokens of a workspace: id (the start of the hash), scope, name, and by which token it was made."""
        return [t for _, t in self._tokens(workspace)]

    def revoke(self, workspace: str, identity: str) -> bool:
        """Forget the workspace's token with this id, and those that were made with it; False if there is none."""
        known, wanted = self._tokens(workspace), {identity}
        while more := {t["id"] for _, t in known if t["by"] in wanted} - wanted:
            wanted |= more
        gone = [d for d, t in known if t["id"] in wanted]
        return bool(gone and self._redis.hdel(keys.tokens(), *gone))

    def _tokens(self, workspace: str) -> list[tuple[str, dict[str, Any]]]:
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.tokens()))
        rows = [(d.decode(), {"id": d.decode()[:TOKEN_ID], "by": "", **json.loads(r)}) for d, r in found.items()]
        return sorted(((d, t) for d, t in rows if t["workspace"] == workspace), key=lambda row: row[0])

    def token(self, token: str) -> dict[str, Any] | None:
        """Id, scope, workspace and name of a token; None if it is not one of ours."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = cast("bytes | None", self._redis.hget(keys.tokens(), digest))
        return {"id": digest[:TOKEN_ID], **json.loads(found)} if found else None

    # Short locks and signs of life

    @contextmanager
    def lock(self, workspace: str, name: str, *, seconds: float) -> Iterator[bool]:
        """Hold ``name`` for at most ``seconds``; yields False if somebody else does."""
        key = f"{keys.home(workspace)}lock:{name}"
        mine = random_secrets.token_hex(8)
        got = bool(self._redis.set(key, mine, nx=True, px=int(seconds * 1000)))
        try:
            yield got
        finally:
            if got:
                self._redis.eval(UNLOCK, 1, key, mine)

    def due_again(self, what: str, *, seconds: float) -> bool:
        """Whether nobody has said so of ``what`` within so many seconds; whoever hears True has said so."""
        return bool(self._redis.set(f"{keys.home(keys.ALL)}lately:{what}", 1, nx=True, px=int(seconds * 1000)))

    def seen_alive(self, worker: str, *, seconds: float) -> None:
        """A canary task came back to ``worker``; the sign lasts ``seconds``."""
        self._signs.give(worker, seconds=seconds)

    def alive(self) -> list[str]:
        """Workers whose canary came back lately."""
        return self._signs.alive()

    def older(self) -> list[str]:
        """Those of them that are of a version before."""
        return self._signs.older()


@functools.lru_cache(maxsize=256)
def _account(stored: bytes) -> Account:
    return from_json(Account, stored)


def _workspace(record: str) -> str:
    return record.partition(".")[0]
