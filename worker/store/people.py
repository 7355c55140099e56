"""Users, members, sessions, one-time links and counted tries in Redis; of every secret only what proves it is kept."""

from __future__ import annotations

import hashlib
import json
import secrets as random_secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from worker.errors import NotFound, Refused
from worker.model import from_json, to_json
from worker.people import Invitation, Role, Session, User
from worker.store import keys
from worker.store.redis import Store
from worker.store.secrets import Vault

IDLE = timedelta(days=7)
LONGEST = timedelta(days=30)
TOUCH = 60.0
"""Seconds; a session's last use is written down no more often than this."""

DEVICE = timedelta(days=180)

ADD_USER = """
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], ARGV[2], ARGV[1]) end
return 1
"""

SET_ROLE = """
local function owners()
  local n = 0
  for _, role in ipairs(redis.call('HVALS', KEYS[1])) do if role == 'owner' then n = n + 1 end end
  return n
end
local had = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[4] ~= '' and had ~= ARGV[4] then return 'other' end
if had == 'owner' and ARGV[3] ~= 'owner' and owners() == 1 then return 'last' end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
return had or 'none'
"""
"""A workspace never loses its last owner, even to two owners who remove each other at once."""

TAKE = "local f = redis.call('HGETALL', KEYS[1]) redis.call('DEL', KEYS[1]) return f"
"""Of any number who follow a one-time link at once, one gets what is behind it."""

TAKE_FLASH = "local line = redis.call('HGET', KEYS[1], 'flash') redis.call('HDEL', KEYS[1], 'flash') return line"
"""Of two pages asked for at once, one says the line, and none takes away what neither has read."""

TRY = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local every, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local next = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = next - now - every * (most - 1)
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%d', next + every), 'PX', every * (most + 1))
return 0
"""
"""The generic cell rate: ``most`` at once, then one ``every`` ms. Nobody is ever locked out, only slowed."""

GIVE_BACK = """
local next = tonumber(redis.call('GET', KEYS[1]) or '0')
if next > 0 then redis.call('SET', KEYS[1], string.format('%d', next - tonumber(ARGV[1])), 'KEEPTTL') end
return 0
"""


def digest(secret: str) -> str:
    """What is kept of a secret that is random enough to need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


class People:
    """Everything stored about those who sign in."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._redis = store.client
        self._vault = vault

    # Users

    def add(self, user: User) -> None:
        """Store a new user; raises Refused if the mail address is taken."""
        names = (keys.people("users"), keys.people("emails"))
        if not self._redis.eval(ADD_USER, 2, *names, user.id, user.email, to_json(user)):
            raise Refused(f"There is already somebody with the address {user.email}")

    def save(self, user: User) -> None:
        """Store what changed of a user; the mail address stays."""
        self._redis.hset(keys.people("users"), user.id, to_json(user))

    def with_zone(self, user: User, zone: str, *, fixed: bool = False) -> User:
        """The user with another time zone, stored."""
        changed = replace(user, zone=zone, zone_fixed=fixed)
        self.save(changed)
        return changed

    def user(self, identity: str) -> User:
        """A user by id; raises NotFound."""
        found = cast("bytes | None", self._redis.hget(keys.people("users"), identity))
        if found is None:
            raise NotFound("There is no such person")
        return from_json(User, found)

    def by_email(self, email: str) -> User | None:
        """A user by mail address, as ``email_of`` writes it."""
        found = cast("bytes | None", self._redis.hget(keys.people("emails"), email))
        return self.user(found.decode()) if found else None

    def users(self, ids: Iterable[str] | None = None) -> list[User]:
        """Users by name; all of them if no ids are given."""
        if ids is None:
            found = list(cast("dict[bytes, bytes]", self._redis.hgetall(keys.people("users"))).values())
        else:
            wanted = list(ids)
            rows = cast("list[bytes | None]", self._redis.hmget(keys.people("users"), wanted)) if wanted else []
            found = [f for f in rows if f]
        return sorted((from_json(User, f) for f in found), key=lambda u: (u.name.casefold(), u.id))

    def forget(self, user: User) -> None:
        """Remove a user with every session; memberships are taken away first, by ``set_role``."""
        self.end_sessions(user.id)
        known = cast("dict[bytes, bytes]", self._redis.hgetall(keys.people("subjects")))
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.people("users"), user.id)
            pipe.hdel(keys.people("passwords"), user.id)
            pipe.hdel(keys.people("factors"), user.id)
            pipe.delete(keys.people(f"devices:{user.id}"), keys.people(f"member-of:{user.id}"))
            if user.email:
                pipe.hdel(keys.people("emails"), user.email)
            for subject in (s for s, whose in known.items() if whose.decode() == user.id):
                pipe.hdel(keys.people("subjects"), subject)
            pipe.execute()

    def claimed(self) -> bool:
        """Whether somebody has an account of their own here (the demo's guest has none)."""
        return bool(self._redis.hlen(keys.people("emails")))

    def by_subject(self, subject: str) -> User | None:
        """A user by what an identity provider calls them: its address, a space, its id."""
        found = cast("bytes | None", self._redis.hget(keys.people("subjects"), subject))
        try:
            return self.user(found.decode()) if found else None
        except NotFound:
            return None

    def bind_subject(self, subject: str, user: str) -> None:
        """Know a user by what an identity provider calls them."""
        self._redis.hset(keys.people("subjects"), subject, user)

    # Passwords and second factors

    def set_password(self, user: str, kept: str) -> None:
        """Keep the hash of a password in place of the one before."""
        self._redis.hset(keys.people("passwords"), user, kept)

    def password(self, user: str) -> str:
        """The hash of the password; empty if there is none."""
        found = cast("bytes | None", self._redis.hget(keys.people("passwords"), user))
        return found.decode() if found else ""

    def set_factor(self, user: str, values: Mapping[str, str] | None) -> None:
        """Keep what the second factor needs, encrypted; None takes it away."""
        if values is None:
            self._redis.hdel(keys.people("factors"), user)
        else:
            self._redis.hset(keys.people("factors"), user, self._vault.lock(user, values))

    def factor(self, user: str) -> dict[str, str]:
        """What the second factor needs; empty if there is none."""
        locked = cast("bytes | None", self._redis.hget(keys.people("factors"), user))
        return self._vault.unlock(user, locked) if locked else {}

    # Members

    def set_role(self, user: str, workspace: str, role: Role | None, *, was: Role | None = None) -> Role | None:
        """Give somebody a role in a workspace, or none; returns the one before.

        Raises Refused for its last owner, and if they have another role than they ``was`` said to have.
        """
        names = (keys.people(f"members:{workspace}"), keys.people(f"member-of:{user}"))
        told = (user, workspace, role or "", was or "")
        answer = cast("bytes", self._redis.eval(SET_ROLE, 2, *names, *told)).decode()
        if answer == "other":
            raise Refused("Somebody gave them another role meanwhile", do="Look again, then repeat")
        if answer == "last":
            do = "Make somebody else an owner first"
            raise Refused("A workspace needs an owner", why="this is the last one", do=do)
        if role:
            self._redis.sadd(keys.workspaces(), workspace)
        return Role(answer) if answer != "none" else None

    def members(self, workspace: str) -> dict[str, Role]:
        """Who is in a workspace, by id."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.people(f"members:{workspace}")))
        return {u.decode(): Role(r.decode()) for u, r in found.items()}

    def memberships(self, user: str) -> dict[str, Role]:
        """The workspaces that somebody is in."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.people(f"member-of:{user}")))
        return {w.decode(): Role(r.decode()) for w, r in sorted(found.items())}

    # Workspaces

    def name_workspace(self, workspace: str, name: str) -> None:
        """Call a workspace something; it exists from then on."""
        self._redis.hset(keys.people("names"), workspace, name)
        self._redis.sadd(keys.workspaces(), workspace)

    def forget_workspace(self, workspace: str) -> None:
        """Take everybody out of a workspace, its last owner too, with its invitations and its name."""
        members = self.members(workspace)
        for invitation in self.invitations(workspace):
            self.withdraw(workspace, invitation.id)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.people(f"members:{workspace}"), keys.people(f"invitations:{workspace}"))
            for user in members:
                pipe.hdel(keys.people(f"member-of:{user}"), workspace)
            pipe.hdel(keys.people("names"), workspace)
            pipe.execute()

    def names(self) -> dict[str, str]:
        """What workspaces are called, those that were given a name."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.people("names")))
        return {w.decode(): n.decode() for w, n in found.items()}

    # Sessions

    def open_session(self, user: str, workspace: str, *, agent: str, address: str) -> str:
        """A new session; returns what its cookie holds, which is not kept."""
        secret = random_secrets.token_urlsafe(32)
        now = self._now()
        ends = now + int(LONGEST.total_seconds() * 1000)
        name = keys.people(f"session:{digest(secret)}")
        fields: dict[Any, Any] = {
            "user": user,
            "workspace": workspace,
            "created": now,
            "seen": now,
            "ends": ends,
            "agent": agent[:200],
            "address": address,
        }
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(name, mapping=fields)
            pipe.pexpireat(name, min(now + _ms(IDLE), ends))
            pipe.zadd(keys.people(f"sessions:{user}"), {digest(secret): ends})
            pipe.zremrangebyscore(keys.people(f"sessions:{user}"), "-inf", now)
            pipe.execute()
        return secret

    def session(self, secret: str) -> tuple[Session, User, dict[str, Role], bool] | None:
        """Who is signed in with a cookie: session, user, roles by workspace, and whether a flash line waits; or None.

        Its last use is written down, which lets it live longer.
        """
        identity = digest(secret)
        name = keys.people(f"session:{identity}")
        fields = {k.decode(): v.decode() for k, v in cast("dict[bytes, bytes]", self._redis.hgetall(name)).items()}
        if "user" not in fields:
            return None
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(keys.people("users"), fields["user"])
            pipe.hgetall(keys.people(f"member-of:{fields['user']}"))
            pipe.time()
            found, roles, (seconds, micros) = pipe.execute()
        now = seconds * 1000 + micros // 1000
        if found is None or now >= int(fields["ends"]):
            return None
        if now - int(fields["seen"]) > TOUCH * 1000:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(name, "seen", now)
                pipe.pexpireat(name, min(now + _ms(IDLE), int(fields["ends"])))
                pipe.execute()
        by_workspace = {w.decode(): Role(r.decode()) for w, r in sorted(roles.items())}
        return _session(identity, fields), from_json(User, found), by_workspace, "flash" in fields

    def sessions(self, user: str) -> list[Session]:
        """Where somebody is signed in, the latest use first."""
        ids = cast("list[bytes]", self._redis.zrange(keys.people(f"sessions:{user}"), 0, -1))
        with self._redis.pipeline(transaction=False) as pipe:
            for identity in ids:
                pipe.hgetall(keys.people(f"session:{identity.decode()}"))
            rows = pipe.execute()
        gone = [i for i, row in zip(ids, rows, strict=True) if not row]
        if gone:
            self._redis.zrem(keys.people(f"sessions:{user}"), *gone)
        found = [
            _session(i.decode(), {k.decode(): v.decode() for k, v in row.items()})
            for i, row in zip(ids, rows, strict=True)
            if row
        ]
        return sorted(found, key=lambda s: s.seen_at, reverse=True)

    def enter(self, session: str, workspace: str) -> None:
        """Have a session look at another workspace."""
        if self._redis.exists(keys.people(f"session:{session}")):
            self._redis.hset(keys.people(f"session:{session}"), "workspace", workspace)

    def flash(self, session: str, line: str) -> None:
        """Keep a line for the next page of a session."""
        name = keys.people(f"session:{session}")
        if self._redis.exists(name):
            self._redis.hset(name, "flash", line)

    def take_flash(self, session: str) -> str:
        """The line kept for the next page, which is kept no more; empty if there is none."""
        found = cast("bytes | None", self._redis.eval(TAKE_FLASH, 1, keys.people(f"session:{session}")))
        return found.decode() if found else ""

    def end_session(self, user: str, session: str) -> None:
        """Sign a browser out."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.people(f"session:{session}"))
            pipe.zrem(keys.people(f"sessions:{user}"), session)
            pipe.execute()

    def end_sessions(self, user: str, *, but: str = "") -> int:
        """Sign somebody out everywhere, ``but`` in one session; returns how many there were."""
        ended = [s.id for s in self.sessions(user) if s.id != but]
        for session in ended:
            self.end_session(user, session)
        return len(ended)

    # One-time links

    def make_link(self, kind: str, *, life: timedelta, **fields: str) -> str:
        """A link that works once; returns its secret, which is not kept."""
        secret = random_secrets.token_urlsafe(24)
        name = keys.people(f"link:{digest(secret)}")
        ends = self._now() + _ms(life)
        given: dict[Any, Any] = {"kind": kind, "ends": ends, **fields}
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(name, mapping=given)
            pipe.pexpireat(name, ends)
            if kind == "invitation":
                pipe.zadd(keys.people(f"invitations:{fields['workspace']}"), {digest(secret): ends})
            pipe.execute()
        return secret

    def link(self, secret: str, kind: str) -> dict[str, str] | None:
        """What is behind a link, which still works afterwards; None if it is of another kind or no more."""
        found = cast("dict[bytes, bytes]", self._redis.hgetall(keys.people(f"link:{digest(secret)}")))
        fields = {k.decode(): v.decode() for k, v in found.items()}
        return fields if fields.get("kind") == kind else None

    def take_link(self, secret: str, kind: str) -> dict[str, str] | None:
        """What is behind a link, which is used up; None if it is of another kind or no more."""
        if self.link(secret, kind) is None:
            return None
        name = digest(secret)
        flat = cast("list[bytes]", self._redis.eval(TAKE, 1, keys.people(f"link:{name}")))
        pairs = iter(flat)
        fields = {k.decode(): v.decode() for k, v in zip(pairs, pairs, strict=True)}
        if fields.get("workspace"):
            self._redis.zrem(keys.people(f"invitations:{fields['workspace']}"), name)
        return fields or None

    def invitations(self, workspace: str) -> list[Invitation]:
        """Invitations that still work."""
        name = keys.people(f"invitations:{workspace}")
        self._redis.zremrangebyscore(name, "-inf", self._now())
        ids = [i.decode() for i in cast("list[bytes]", self._redis.zrange(name, 0, -1))]
        found = []
        for identity in ids:
            row = cast("dict[bytes, bytes]", self._redis.hgetall(keys.people(f"link:{identity}")))
            f = {k.decode(): v.decode() for k, v in row.items()}
            if f:
                found.append(
                    Invitation(
                        id=identity,
                        email=f["email"],
                        workspace=f["workspace"],
                        role=Role(f["role"]),
                        by=f["by"],
                        ends_at=_moment(f["ends"]),
                    )
                )
        return found

    def withdraw(self, workspace: str, invitation: str) -> bool:
        """Make an invitation useless; False if it is none of this workspace."""
        if not self._redis.zrem(keys.people(f"invitations:{workspace}"), invitation):
            return False
        self._redis.delete(keys.people(f"link:{invitation}"))
        return True

    # Tries

    def try_in(self, bucket: str, *, most: int, every: float) -> float:
        """Count one try: 0 if it may be made, else the seconds until the next one may; ``every`` in seconds."""
        wait = cast("int", self._redis.eval(TRY, 1, keys.people(f"tries:{bucket}"), int(every * 1000), most))
        return wait / 1000

    def give_back(self, bucket: str, *, every: float) -> None:
        """Take back the try that was counted last, and no other."""
        self._redis.eval(GIVE_BACK, 1, keys.people(f"tries:{bucket}"), int(every * 1000))

    def forgive(self, bucket: str) -> None:
        """Forget the tries of a bucket."""
        self._redis.delete(keys.people(f"tries:{bucket}"))

    def remember_device(self, user: str) -> str:
        """A browser that this user has signed in with; returns what its cookie holds."""
        secret = random_secrets.token_urlsafe(24)
        name = keys.people(f"devices:{user}")
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(name, {digest(secret): self._now() + _ms(DEVICE)})
            pipe.zremrangebyscore(name, "-inf", self._now())
            pipe.zremrangebyrank(name, 0, -51)
            pipe.execute()
        return secret

    def knows_device(self, user: str, secret: str) -> bool:
        """Whether this user has signed in with that browser before."""
        ends = self._redis.zscore(keys.people(f"devices:{user}"), digest(secret)) if secret else None
        return ends is not None and ends > self._now()

    def once(self, name: str, *, seconds: float) -> bool:
        """Whether ``name`` is used for the first time within ``seconds``, such as a code that may be used once."""
        return bool(self._redis.set(keys.people(f"once:{name}"), "1", nx=True, px=int(seconds * 1000)))

    def _now(self) -> int:
        seconds, micros = self._redis.time()
        return seconds * 1000 + micros // 1000


def new_user_id() -> str:
    """An id for a new user."""
    return f"u-{random_secrets.token_hex(8)}"


def flash_line(text: str, tone: str) -> str:
    """A flash line as a session keeps it."""
    return json.dumps([text, tone], ensure_ascii=False)


def _session(identity: str, f: Mapping[str, str]) -> Session:
    return Session(
        id=identity,
        user=f["user"],
        workspace=f["workspace"],
        created_at=_moment(f["created"]),
        seen_at=_moment(f["seen"]),
        ends_at=_moment(f["ends"]),
        agent=f.get("agent", ""),
        address=f.get("address", ""),
    )


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _moment(ms: str) -> datetime:
    return datetime.fromtimestamp(int(ms) / 1000, UTC)
