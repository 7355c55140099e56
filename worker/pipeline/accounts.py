"""How an account is connected, opened for one attempt, and given a new token."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import structlog

import publishers
from publishers.core.errors import PublishError, Unauthorized
from publishers.core.http import Http
from publishers.core.limits import Limits
from publishers.core.publisher import Profile, Proof, Publisher
from worker import pull
from worker.errors import HandbillError, Refused
from worker.model import Account, digest
from worker.settings import Settings
from worker.store.records import Records

log = structlog.get_logger()

REFRESH_SECONDS = 60.0
REHEARSAL_SECRET = "rehearsal"  # noqa: S105 - stand-ins take any token; this one says what it is


def limits_of(account: Account) -> Limits:
    """What the account's platform takes, with what its instance said of itself."""
    return publishers.load(account.platform).limits.override(account.limits)


def proof_of(account: Account) -> Proof:
    """How a lost answer is settled on this account's instance."""
    return account.proof or publishers.load(account.platform).proof


class Accounts:
    """Opens adapters; ``http`` makes the client for one attempt and is replaced in tests."""

    def __init__(self, records: Records, settings: Settings, *, http: Callable[..., Http] = Http) -> None:
        for package in settings.packages:
            publishers.register(package)
        self._records = records
        self._settings = settings
        self._http = http

    def find(self, name: str, workspace: str) -> Account:
        """The account with this id, with or without its workspace in front."""
        return self._records.account(name if "." in name else f"{workspace}.{name}")

    def open(self, account: str) -> tuple[Account, Publisher]:
        """An account and its adapter for one attempt, with the secrets in clear; raises NotFound."""
        found, secrets = self._records.opened(account)
        return found, self._adapter(found, secrets)

    def connect(
        self,
        platform: str,
        given: Mapping[str, str],
        *,
        workspace: str,
        name: str = "",
        rehearsal: bool = False,
    ) -> Account:
        """Ask the platform who we are, then store the account; raises HandbillError, and stores nothing then.

        One that is connected again keeps its calendar and its voices.
        """
        try:
            adapter = publishers.load(platform)
        except KeyError:
            do = f"Use one of: {', '.join(publishers.names())}"
            raise HandbillError(f"There is no platform {platform}", do=do) from None
        if rehearsal and not adapter.networked:
            raise HandbillError(
                f"{adapter.label} needs no rehearsal", why="it sends nothing", do="Leave --rehearsal out"
            )
        if adapter.pulls and not rehearsal:
            pull.check(self._settings)
        values = self._values(adapter, platform, given, rehearsal=rehearsal)
        account = Account(
            id=f"{workspace}.{platform}",
            platform=platform,
            name=name or platform,
            workspace=workspace,
            zone=self._settings.zone,
            rehearsal=rehearsal,
        )
        slug = _slug(name) if name else ("rehearsal" if rehearsal else "")
        if slug:
            account = dataclasses.replace(account, id=f"{workspace}.{platform}-{slug}")
        profile = self._profile(account, values)
        if not slug and _slug(profile.name) not in {"", platform}:
            account = dataclasses.replace(account, id=f"{workspace}.{platform}-{_slug(profile.name)}")
        kept = {**values, **{k: v for k, v in profile.settings.items() if v}}
        secret = {f.name for f in adapter.fields if f.secret}
        account = dataclasses.replace(
            account,
            name=name or profile.name or platform,
            url=profile.url,
            limits=dict(profile.limits),
            proof=profile.proof,
            settings={k: v for k, v in kept.items() if k not in secret},
        )
        if known := next((a for a in self._records.accounts(workspace) if a.id == account.id), None):
            if known.name != account.name or (known.url and account.url and known.url != account.url):
                do = "Give the new one a name of its own with --name, or remove the old one"
                raise Refused(f"{account.id} is taken", why=f"it is {known.name} {known.url}".rstrip(), do=do)
            account = dataclasses.replace(account, zone=known.zone, calendar=known.calendar, voices=known.voices)
        self._records.save_account(account, {k: v for k, v in kept.items() if k in secret})
        return account

    def check(self, account: Account) -> Profile:
        """Ask the platform again who we are and what it takes; keeps what is new. Raises HandbillError."""
        if publishers.load(account.platform).pulls and not account.rehearsal:
            pull.check(self._settings)
        secrets = self._records.secrets(account)
        profile = self._profile(account, {**account.settings, **secrets})
        secret = {f.name for f in publishers.load(account.platform).fields if f.secret}
        new = {k: v for k, v in profile.settings.items() if v}
        renewed = dataclasses.replace(
            account,
            url=profile.url or account.url,
            limits=dict(profile.limits),
            proof=profile.proof,
            settings={**account.settings, **{k: v for k, v in new.items() if k not in secret}},
        )
        self._records.save_account(renewed, {**secrets, **{k: v for k, v in new.items() if k in secret}})
        return profile

    def renew(self, account: Account, used: Mapping[str, str]) -> bool:
        """Get a new token, once for however many workers ask; False if only a person can help.

        ``used`` are the settings that were refused: if others are stored by now, those are to be tried first.
        The new token is stored before anyone uses it, and never replaced by nothing.
        """
        with self._records.lock(account.workspace, f"refresh:{account.id}", seconds=REFRESH_SECONDS) as mine:
            if not mine:
                return True
            account, secrets = self._records.opened(account.id)
            adapter = self._adapter(account, secrets)
            if dict(adapter.settings) != dict(used):
                return True
            if self._records.renewed_lately(account):
                return False
            with adapter.http:
                try:
                    new = {k: v for k, v in adapter.refresh().items() if v}
                except (Unauthorized, KeyError, TypeError, ValueError) as error:
                    log.warning("no new token", account=account.id, error=type(error).__name__)
                    return False
                except PublishError:
                    return True
            secret = {f.name for f in adapter.fields if f.secret}
            kept = {**account.settings, **{k: v for k, v in new.items() if k not in secret}}
            self._records.save_account(
                dataclasses.replace(account, settings=kept),
                {**secrets, **{k: v for k, v in new.items() if k in secret}},
            )
            self._records.mark_renewed(account, seconds=REFRESH_SECONDS)
            return True

    def _values(
        self, adapter: type[Publisher], platform: str, given: Mapping[str, str], *, rehearsal: bool
    ) -> dict[str, str]:
        known = {f.name for f in adapter.fields} | {"server"}
        if unknown := set(given) - known:
            do = f"Settings of {platform}: {', '.join(sorted(known))}"
            raise HandbillError(f"{platform} has no setting {min(unknown)}", do=do)
        values = {k: v for k, v in given.items() if v}
        missing = []
        for field in adapter.fields:
            if field.name in values:
                continue
            if field.default:
                values[field.name] = field.default.replace("{data_dir}", str(self._settings.data_dir.resolve()))
            elif field.required and rehearsal:
                values[field.name] = REHEARSAL_SECRET
            elif field.required:
                missing.append(field)
        if missing:
            wanted = ", ".join(f"--set {f.name}=… ({f.label})" for f in missing)
            raise HandbillError(f"{adapter.label} needs more to connect", why=f"missing {wanted}", do="Give them")
        return values

    def _profile(self, account: Account, values: Mapping[str, str]) -> Profile:
        adapter = self._adapter(account, values)
        try:
            with adapter.http:
                return adapter.connect()
        except PublishError as error:
            do = "Check the address and the token"
            if account.rehearsal:
                do = "Start the rehearsal platforms with: handbill up"
            raise Refused(f"{adapter.label} cannot be connected", why=str(error), do=do) from None

    def _adapter(self, account: Account, values: Mapping[str, str]) -> Publisher:
        everything = {**account.settings, **values}
        allow = set(self._settings.allowed)
        if account.rehearsal:
            slug = account.id.partition(".")[2]
            everything["server"] = f"{self._settings.rehearsal}/{account.platform}/{slug}"
            parts = urlsplit(self._settings.rehearsal)
            allow.add(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
        adapter = publishers.load(account.platform)
        secrets = [everything.get(f.name, "") for f in adapter.fields if f.secret]
        http = self._http(seconds=self._settings.request_seconds, allow=allow, secrets=secrets)
        return adapter(everything, http)


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return slug if slug or not name.strip() else digest(name, length=8)
