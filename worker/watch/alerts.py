"""People are told of what is wrong through accounts of ours: once for each condition, gathered into one message."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

import publishers
from publishers.core.errors import PublishError, Unconfirmed
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post
from publishers.core.publisher import Publisher
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, digest
from worker.pipeline.accounts import limits_of
from worker.runtime import Runtime, utc_now
from worker.store.alerts import Channels
from worker.store.redis import lost
from worker.watch.conditions import TITLES, URGENT, Condition, Kind, conditions

log = structlog.get_logger()

EVERY_SECONDS = 30.0
DIGEST = timedelta(minutes=15)
"""What is not urgent is gathered for so long after the message before."""

PASSED = timedelta(minutes=10)
"""A condition that comes back within this is the same one: what flickers is told once."""

NAMED = 5
SECONDS = 20.0

TRIES_DOUBLED = 6
"""How often the pause before the next try of such a message doubles: to half an hour."""

AWAY_SECONDS = 60.0
"""How long Redis may refuse to answer or to write before people are told: a restart is shorter."""


@dataclass
class _Away:
    """One time in which Redis takes nothing: ``since`` when, who is ``owed`` the message, when that is tried again."""

    since: float
    at: datetime
    owed: dict[str, tuple[Account, Mapping[str, str], Publisher]] = field(default_factory=dict)
    again: float = 0.0
    tries: int = 0

    def end(self, file: int | None) -> None:
        """Redis is back."""
        for _, _, publisher in self.owed.values():
            publisher.http.close()
        if file is not None:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)


class Alerts:
    """Any number of processes may look; a lock lets one of them tell.

    Where Redis itself is what is wrong there is no such lock, and nothing to be read: a process that is made ``alone``
    tells then whoever it knew of before; of several with one data folder, one.
    """

    def __init__(self, parts: Runtime, *, alone: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._channels = Channels(parts.store)
        self._alone = alone
        self._clock = clock
        self._known: dict[str, tuple[Account, Mapping[str, str], Publisher]] = {}
        self._away: _Away | None = None
        self._file: int | None = None

    def close(self) -> None:
        """Let another process tell, and let go of what was kept for that."""
        for _, _, publisher in [*self._known.values(), *(self._away.owed.values() if self._away else ())]:
            publisher.http.close()
        if self._file is not None:
            os.close(self._file)
        self._known, self._away, self._file = {}, None, None

    def add(self, account: Account, kinds: Sequence[str] = ()) -> None:
        """Tell the readers of an account; raises Refused where they are the public, HandbillError for unknown kinds."""
        if not publishers.load(account.platform).inside(account.settings):
            fit = ", ".join(n for n in publishers.names() if publishers.load(n).team)
            why = "what is posted there is public"
            raise Refused(f"{account.id} cannot take alerts", why=why, do=f"Use an account of one of: {fit}")
        if unknown := [k for k in kinds if k not in set(Kind)]:
            raise HandbillError(f"There is no kind {unknown[0]}", do=f"Use any of: {', '.join(Kind)}")
        self._channels.save(account.id, kinds)

    def remove(self, account: str) -> None:
        """Tell them no more; raises NotFound."""
        if not self._channels.remove(account):
            raise NotFound(f"{account} is told of nothing", do="See: handbill alerts list")

    def listed(self, workspace: str) -> dict[str, tuple[str, ...]]:
        """Who is told of what."""
        return self._channels.listed(workspace)

    def try_out(self, account: Account) -> None:
        """Send a message that says that alerts come this way; raises PublishError."""
        text = "Handbill: alerts come this way."
        self._send(account.id, text, "test", str(self._parts.now().timestamp()), title=text)

    def round(self) -> int:
        """Look, and tell whoever is to be told; returns how many messages were sent."""
        parts = self._parts
        try:
            with parts.records.lock(parts.settings.workspace, "alerts", seconds=EVERY_SECONDS * 4) as mine:
                sent = self._round() if mine else 0
            if self._alone:
                self._remember()
        except Exception as error:
            if not (self._alone and lost(error)):
                raise
            return self._by_heart(str(error).partition("\n")[0][:200])
        if self._away is not None:
            self._away.end(self._file)
            self._away = None
        return sent

    def _remember(self) -> None:
        """Keep in mind who wants to know of the installation as a whole."""
        if self._file is None:
            self._file = _lock_file(self._parts.settings.data_dir)
        channels = self._channels.listed(self._parts.settings.workspace)
        known, self._known = self._known, {}
        for name in (n for n, kinds in channels.items() if not kinds or Kind.REDIS in kinds):
            try:
                account, secrets = self._parts.records.opened(name)
                if name in known and known[name][:2] == (account, secrets):
                    self._known[name] = known[name]
                else:
                    self._known[name] = (account, secrets, self._parts.accounts.adapter(account, secrets))
            except HandbillError as error:
                log.warning("an alert could not be told here", account=name, reason=str(error))

    def _by_heart(self, why: str) -> int:
        """Tell them, once each, that Redis has taken nothing for a while; who certainly was not told is told again."""
        now = self._clock()
        away = self._away = self._away or _Away(now, utc_now())
        log.warning("no alert can be kept", reason=why)
        if now - away.since < AWAY_SECONDS or now < away.again or not _take(self._file):
            return 0
        if self._known:
            away.owed, self._known = self._known, {}
        sent = 0
        here = f"{why} (seen from {socket.gethostname()})"
        found = [Condition("redis:away", Kind.REDIS, here, "Free its disk or start it, and see its log")]
        text = message(found, self._parts.settings.origin)
        for name, (account, _, publisher) in list(away.owed.items()):
            try:
                key = (away.at.isoformat(), "redis:away")
                self._speak(account, publisher, text, utc_now(), *key, title=subject(found))
                sent += 1
            except Unconfirmed:  # perhaps told: not told twice
                pass
            except (PublishError, HandbillError) as error:
                log.warning("an alert was not taken", account=name, reason=str(error))
                continue
            except Exception:
                log.exception("an alert was perhaps not taken", account=name)
            del away.owed[name]
            publisher.http.close()
        away.again = now + EVERY_SECONDS * 2**away.tries
        away.tries = min(away.tries + 1, TRIES_DOUBLED)
        return sent

    def _round(self) -> int:
        channels = {w: self._channels.listed(w) for w in self._parts.records.workspaces()}
        if not any(channels.values()):
            return 0
        now, told = self._parts.now(), self._channels.told()
        found = {c.name: c for c in conditions(self._parts)}
        self._tidy(found, told)
        fresh = [c for name, c in found.items() if name not in told and self._wanted(c, channels)]
        lately = max(told.values(), default=now - DIGEST)
        if not fresh or not (now - lately >= DIGEST or any(c.kind in URGENT for c in fresh)):
            return 0
        taken = self._channels.tell([c.name for c in fresh], now)
        sent, undone = 0, set(taken)
        for workspace, accounts in channels.items():
            for account, kinds in accounts.items():
                mine = [c for c in fresh if c.name in taken and self._concerns(c, workspace, kinds)]
                if not mine:
                    continue
                names = sorted(c.name for c in mine)
                try:
                    text = message(mine, self._parts.settings.origin)
                    self._send(account, text, now.isoformat(), *names, title=subject(mine))
                    sent += 1
                    undone -= set(names)
                except Unconfirmed:  # perhaps told: not told twice
                    undone -= set(names)
                except (PublishError, HandbillError) as error:
                    log.warning("an alert was not taken", account=account, reason=str(error))
                except Exception:
                    undone -= set(names)
                    log.exception("an alert was perhaps not taken", account=account)
        self._channels.forget(undone)  # somebody wants to know, and certainly does not: the next round tells them
        return sent

    def _tidy(self, found: dict[str, Condition], told: Mapping[str, datetime]) -> None:
        now, passing = self._parts.now(), self._channels.passing()
        gone = [n for n in told if n not in found]
        self._channels.mark(gone=gone, back=[n for n in passing if n in found], moment=now)
        self._channels.forget(n for n in gone if n in passing and now - passing[n] >= PASSED)

    def _wanted(self, condition: Condition, channels: Mapping[str, Mapping[str, Sequence[str]]]) -> bool:
        rows = ((workspace, kinds) for workspace, accounts in channels.items() for kinds in accounts.values())
        return any(self._concerns(condition, workspace, kinds) for workspace, kinds in rows)

    def _concerns(self, condition: Condition, workspace: str, kinds: Sequence[str]) -> bool:
        """A workspace hears of its own; of the installation as a whole, the workspace of the settings hears."""
        whose = condition.workspace or self._parts.settings.workspace
        return whose == workspace and (not kinds or condition.kind in kinds)

    def _send(self, name: str, text: str, *key: str, title: str) -> None:
        account, publisher = self._parts.accounts.open(name)
        with publisher.http:
            self._speak(account, publisher, text, self._parts.now(), *key, title=title)

    @staticmethod
    def _speak(account: Account, publisher: Publisher, text: str, now: datetime, *key: str, title: str) -> None:
        publisher.http.expire(SECONDS)
        limits = limits_of(account)
        post = Post(text=fitted(text, limits), title=title[: limits.title or 0])
        commit = digest("alert", account.id, *key, length=40)
        prepared = publisher.draft(post, commit, None)
        publisher.create(post, Commit(key=commit, at=now, prepared=prepared))


def _lock_file(folder: Path) -> int | None:
    """What is locked when Redis is away; it is made before, for a full disk may be why. None: it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / "alerts.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None


def _take(file: int | None) -> bool:
    """Whether no other process of the folder tells; where that cannot be known, better twice than not at all."""
    try:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def subject(found: Sequence[Condition]) -> str:
    """What is wrong in a line, the worst first, for whoever shows one above the message."""
    return f"Handbill: {', '.join(TITLES[kind] for kind in Kind if any(c.kind is kind for c in found))}"


def message(found: Sequence[Condition], page: str) -> str:
    """What people read: a line for each kind, the worst first, with the first few of each and what to do."""
    lines = ["Handbill:"]
    for kind in Kind:
        mine = [c for c in found if c.kind is kind]
        if not mine:
            continue
        more = f" and {len(mine) - NAMED} more" if len(mine) > NAMED else ""
        count = f" ({len(mine)})" if len(mine) > 1 else ""
        lines.append(f"{TITLES[kind]}{count}: {'; '.join(c.text for c in mine[:NAMED])}{more}")
        if len(mine) == 1:
            lines.append(f"  → {mine[0].do}")
    return "\n".join([*lines, page])


def fitted(text: str, limits: Limits) -> str:
    """The text without the last of its lines that do not fit, before the address; the first stays, cut."""
    lines = text.split("\n")
    while len(lines) > 2 and limits.length("\n".join(lines)) > limits.text:
        lines.pop(-2)
    text = "\n".join(lines)
    while limits.length(text) > limits.text:
        text = text[: -max(2, (limits.length(text) - limits.text) // 2)] + "…"
    return text
