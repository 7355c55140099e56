"""How long accounts can still post: tokens are renewed ahead of their end, and what outlives one is known before."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

import publishers
from worker.model import Account
from worker.pipeline.accounts import Accounts, Renewed, renewable
from worker.store.connections import Renewal
from worker.store.deliveries import Deliveries
from worker.store.records import Records

log = structlog.get_logger()

NAMED = 3
"""How many of the posts that come after a token's end are named."""

SOON = timedelta(days=7)
"""A token that a person must renew and that ends sooner is spoken of."""

SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account's token stands. ``expires`` is its own end, ``ends`` when nothing but a person can help any more
    (None = never, or nobody knows), ``renews`` whether it is renewed by itself, ``refused`` the platform's word against
    that, ``outlived`` how many planned posts come after ``ends``, ``which`` the first of them.
    """

    expires: datetime | None = None
    ends: datetime | None = None
    renews: bool = False
    refused: str = ""
    outlived: int = 0
    which: tuple[str, ...] = ()

    def left(self, now: datetime) -> timedelta | None:
        """How long until a person is needed; None if that is not known to come."""
        return None if self.ends is None else max(self.ends - now, timedelta(0))

    def says(self, now: datetime) -> str:
        """What people should know, in a few words; empty if there is nothing to know."""
        left = self.left(now)
        if left is None:
            return ""
        when = "has ended" if not left else f"ends in {_span(left)}"
        words = f"token {when}: connect it again" if left < SOON or self.refused else f"token {when}"
        if self.outlived:
            words += f"; {self.outlived} planned {'post comes' if self.outlived == 1 else 'posts come'} after that"
            more = self.outlived - len(self.which)
            words += f": {', '.join(self.which)}{f' and {more} more' if more > 0 else ''}" if self.which else ""
        return words


class Renewals:
    """Looks after every account's token; any number of workers may sweep at once, each token is renewed by one."""

    def __init__(
        self, records: Records, deliveries: Deliveries, accounts: Accounts, *, now: Callable[[], datetime]
    ) -> None:
        self._records = records
        self._deliveries = deliveries
        self._accounts = accounts
        self._now = now

    def standing(self, account: Account) -> Standing:
        """How the account's token stands now."""
        expires, longest = _moment(account, "expires_at"), _moment(account, "refresh_expires_at")
        last = self._records.connections.renewal(account.id)
        renews = renewable(account, self._records.secrets(account))
        refused = last.why if last and last.refused else ""
        ends = longest if renews and not refused else expires
        outlived = self._records.coming(account, since=ends) if ends else 0
        which = self._records.come(account, since=ends, most=NAMED) if ends and outlived else ()
        own = renews and not refused
        return Standing(expires=expires, ends=ends, renews=own, refused=refused, outlived=outlived, which=which)

    def planned(self, account: Account) -> int:
        """How many posts are planned on the account from now on."""
        return self._records.coming(account, since=self._now())

    def sweep(self) -> int:
        """Renew every token whose time has come; an account whose token has ended for good is paused. Returns how many
        were renewed.
        """
        done = 0
        for workspace in self._records.workspaces():
            notes = self._records.connections.renewals(workspace)
            for account in self._records.accounts(workspace):
                try:
                    if self._due(account, notes.get(account.id)):
                        still = functools.partial(self._still_due, account.id)
                        done += self._accounts.renew_ahead(account.id, due=still) is Renewed.DONE
                    self._close(account)
                except Exception as error:  # noqa: BLE001 - one account's trouble is not the others'
                    log.warning("not looked after", account=account.id, error=type(error).__name__)
        return done

    def _still_due(self, account: str) -> bool:
        return self._due(self._records.account(account), self._records.connections.renewal(account))

    def _due(self, account: Account, last: Renewal | None) -> bool:
        """Whether the platform's policy asks for a new token now."""
        policy, now = publishers.load(account.platform).renewal, self._now()
        if policy is None or (last and last.following and last.following > now):
            return False
        expires, age = _moment(account, "expires_at"), now - last.at if last else timedelta.max
        if age < policy.young or not renewable(account, self._records.secrets(account)):
            return False
        near = expires is None or expires - now < policy.ahead
        if not policy.asked:
            return near
        coming = self._records.taken(account, since=now).values()
        return (near and any(at - now < policy.ahead for at in coming)) or policy.rest < age < timedelta.max

    def _close(self, account: Account) -> None:
        """Pause an account whose token has ended and that cannot get another: better said now than at the next post."""
        standing = self.standing(self._records.account(account.id))
        if standing.ends is None or standing.ends > self._now():
            return
        why = f"{account.name} must be connected again: its token ended on {standing.ends:%d %B %Y, %H:%M} UTC"
        if standing.refused:
            why += f" and cannot be renewed: {standing.refused}"
        if f"connect:{account.id}" not in self._deliveries.paused():
            self._deliveries.pause(f"connect:{account.id}", until=None, why=why)
            log.warning("account paused", account=account.id, reason=why)


def _moment(account: Account, name: str) -> datetime | None:
    told = account.settings.get(name, "")
    return datetime.fromisoformat(told) if told else None


def _span(left: timedelta) -> str:
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if left >= unit:
            number = left // unit
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "a minute"
