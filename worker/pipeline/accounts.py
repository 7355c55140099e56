"""How an account is connected, opened for one attempt, and given a new token."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import structlog

import publishers
from publishers.core.errors import PublishError, Unauthorized, Unavailable
from publishers.core.http import STAND_INS, Http
from publishers.core.limits import Limits
from publishers.core.publisher import Profile, Proof, Publisher
from worker import log as logs
from worker import pull, reminders
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, digest
from worker.settings import Settings
from worker.store.connections import Renewal
from worker.store.records import Records

log = structlog.get_logger()

NEW_FOR = 60.0
"""Seconds in which a new token that is refused too cannot be mended by another."""

SPARE = 15.0
"""Seconds of a renewal's lock beyond its last request: what was answered must be stored before it ends."""

AGAIN = timedelta(seconds=30)
AGAIN_MOST = timedelta(hours=6)
"""How long after a renewal that came to nothing the next is tried; doubles with each."""

KEEPING = (0.0, 0.5, 2.0, 5.0)
"""Pauses between tries to store a token that is nowhere else."""


class Renewed(StrEnum):
    """What came of a renewal: a token to be tried, none yet, or none without a person."""

    DONE = "done"
    LATER = "later"
    REFUSED = "refused"


def limits_of(account: Account) -> Limits:
    """What the account's platform takes, with what its instance said of itself."""
    return publishers.load(account.platform).limits.override(account.limits)


def proof_of(account: Account) -> Proof:
    """How a lost answer is settled on this account's instance."""
    return account.proof or publishers.load(account.platform).proof


def renewable(account: Account, secrets: Mapping[str, str]) -> bool:
    """Whether the account's token can be renewed without a person."""
    kind = publishers.load(account.platform)
    by_token = any(f.name == "refresh_token" for f in kind.fields)
    return kind.can("refresh") and (not by_token or bool(secrets.get("refresh_token")))


class Accounts:
    """Opens adapters; ``http`` makes the client for one attempt, and it and the clock are replaced in tests."""

    def __init__(
        self,
        records: Records,
        settings: Settings,
        *,
        http: Callable[..., Http] = Http,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        for package in settings.packages:
            publishers.register(package)
        self._records = records
        self._settings = settings
        self._http = http
        self._now = now

    def find(self, name: str, workspace: str) -> Account:
        """The account with this id, with or without its workspace in front."""
        return self._records.account(name if "." in name else f"{workspace}.{name}")

    def own(self, name: str, workspace: str) -> Account:
        """The account with this id, if it is the workspace's; raises NotFound."""
        found = self.find(name, workspace)
        if found.workspace != workspace:
            raise NotFound(f"There is no account {name} in {workspace}", do="See: handbill accounts list")
        return found

    def receivers(self, workspace: str) -> list[Account]:
        """The accounts that get an article where none are named: the active ones without a digest.

        Raises HandbillError if there are none.
        """
        if found := [a for a in self._records.accounts(workspace) if a.active and not a.digest]:
            return found
        raise HandbillError("There is no account to post to", do="Add one: handbill accounts add PLATFORM")

    def open(self, account: str) -> tuple[Account, Publisher]:
        """An account and its adapter for one attempt, with the secrets in clear; raises NotFound."""
        found, secrets = self._records.opened(account)
        return found, self.adapter(found, secrets)

    def draft(
        self, platform: str, *, workspace: str, name: str = "", zone: str = "", rehearsal: bool = False
    ) -> Account:
        """An account that is not connected yet; raises HandbillError if there can be none such."""
        try:
            kind = publishers.load(platform)
        except KeyError:
            do = f"Use one of: {', '.join(publishers.names())}"
            raise HandbillError(f"There is no platform {platform}", do=do) from None
        if rehearsal and not kind.networked:
            raise HandbillError(f"{kind.label} needs no rehearsal", why="it sends nothing", do="Leave --rehearsal out")
        if rehearsal and (publishers.is_added(platform) or not kind.rehearsed):
            why = "the package that added it brings no stand-in" if kind.rehearsed else "there is no stand-in of it"
            raise HandbillError(f"{kind.label} has no rehearsal", why=why, do="Leave --rehearsal out")
        if kind.pulls and not rehearsal:
            pull.check(self._settings)
        slug = _slug(name) if name else ("rehearsal" if rehearsal else "")
        return Account(
            id=f"{workspace}.{platform}-{slug}" if slug else f"{workspace}.{platform}",
            platform=platform,
            name=name or platform,
            workspace=workspace,
            zone=zone or self._settings.zone,
            rehearsal=rehearsal,
        )

    def connect(
        self,
        platform: str,
        given: Mapping[str, str],
        *,
        workspace: str,
        name: str = "",
        zone: str = "",
        rehearsal: bool = False,
        granted: Mapping[str, str] | None = None,
    ) -> Account:
        """Ask the platform who we are, then store the account; raises HandbillError, and stores nothing then.

        ``given`` is what a person typed, ``granted`` what the platform gave for their consent. A new one posts in
        ``zone`` (empty: the installation's). One that is connected again keeps what people have set: its zone, its
        calendar, its voices, its brand.
        """
        account = self.draft(platform, workspace=workspace, name=name, zone=zone, rehearsal=rehearsal)
        kind = publishers.load(platform)
        values = self._values(kind, account, given, granted or {})
        if kind.by_hand:
            values["channel"] = self._channel(values["channel"], workspace).id
        slug = account.id.partition(".")[2].removeprefix(platform)
        profile = self._profile(account, values)
        if not slug and _slug(profile.name) not in {"", platform}:
            account = dataclasses.replace(account, id=f"{workspace}.{platform}-{_slug(profile.name)}")
        kept = {**values, **{k: v for k, v in profile.settings.items() if v}}
        secret = {k: v for k, v in kept.items() if k in kind.secrets()}
        account = dataclasses.replace(
            account,
            name=name or profile.name or platform,
            url=profile.url,
            limits=dict(profile.limits),
            proof=profile.proof,
            settings={k: v for k, v in kept.items() if k not in secret},
        )
        self._check_scopes(account)
        if known := next((a for a in self._records.accounts(workspace) if a.id == account.id), None):
            if not _same(known, account):
                do = "Give the new one a name of its own (--name), or remove the old one"
                raise Refused(f"{account.id} is taken", why=f"it is {known.name} {known.url}".rstrip(), do=do)
            new = {k: getattr(account, k) for k in ("name", "url", "limits", "proof", "settings", "rehearsal")}
            account = dataclasses.replace(known, **new)
            if granted and account.settings.get("client_id") == known.settings.get("client_id"):
                # Some platforms give a renewal token at the first consent only: none does not empty the one there is.
                secret = {"refresh_token": self._records.secrets(known).get("refresh_token", ""), **secret}
        self._records.save_account(account, {k: v for k, v in secret.items() if v})
        self._records.connections.note(account.id, Renewal(at=self._now()))
        return account

    def channels(self, workspace: str) -> list[Account]:
        """The accounts by which somebody can be told something that nobody else should read."""
        return [a for a in self._records.accounts(workspace) if publishers.load(a.platform).inside(a.settings)]

    def _channel(self, name: str, workspace: str) -> Account:
        """The account by which somebody who posts by hand is told; raises HandbillError if none of that name can be."""
        able = self.channels(workspace)
        wanted = name if "." in name else f"{workspace}.{name}"
        found = next((a for a in able if a.id == wanted), None)
        if found is None:
            names = ", ".join(a.id.partition(".")[2] for a in able)
            do = f"Name one of: {names}" if names else "Connect a chat or mailbox of theirs first"
            why = "it is no account here whose messages only people who were let in can read"
            raise HandbillError(f"Nobody can be told by {name}", why=why, do=do)
        reminders.check(self._settings, found)
        return found

    def stand_in(self, account: Account) -> None:
        """Store a stand-in in the account's place, with its limits, class and calendar; raises HandbillError."""
        kind = publishers.load(account.platform)
        twin = dataclasses.replace(account, rehearsal=True, settings={}, approval=None)
        values = self._values(kind, twin, {}, {})
        profile = self._profile(twin, values)
        kept = {**values, **{k: v for k, v in profile.settings.items() if v}}
        secret = {k: v for k, v in kept.items() if k in kind.secrets()}
        shown = {k: v for k, v in kept.items() if k not in secret}
        proof = account.proof or profile.proof
        self._records.save_account(dataclasses.replace(twin, url=profile.url, proof=proof, settings=shown), secret)

    def check(self, account: Account) -> Profile:
        """Ask the platform again who we are and what it takes; keeps what is new. Raises HandbillError."""
        kind = publishers.load(account.platform)
        if kind.pulls and not account.rehearsal:
            pull.check(self._settings)
        if kind.by_hand:
            self._channel(account.settings.get("channel", ""), account.workspace)
        profile = self._profile(account, self._records.secrets(account))
        new = {k: v for k, v in profile.settings.items() if v}

        def renewed(known: Account, secrets: dict[str, str]) -> tuple[Account, Mapping[str, str]]:
            changed = dataclasses.replace(
                known,
                url=profile.url or known.url,
                limits=dict(profile.limits),
                proof=profile.proof,
                settings={**known.settings, **{k: v for k, v in new.items() if k not in kind.secrets()}},
            )
            return changed, {**secrets, **{k: v for k, v in new.items() if k in kind.secrets()}}

        self._check_scopes(self._records.change_account(account.id, renewed))
        return profile

    def probe(self, account: Account) -> Profile:
        """Try on the platform what reading cannot tell, and check again; keeps nothing if it raises HandbillError."""
        found, adapter = self.open(account.id)
        try:
            with adapter.http:
                learned = adapter.probe(uuid.uuid4().hex)
        except PublishError as error:
            raise Refused(f"{adapter.label} was not tried out", why=str(error)) from None

        def kept(known: Account, own: dict[str, str]) -> tuple[Account, Mapping[str, str]]:
            return dataclasses.replace(known, settings={**known.settings, **learned}), own

        return self.check(self._records.change_account(found.id, kept))

    def remove(self, account: Account) -> None:
        """Forget an account; its platform is told that the token is not used any more, where it wants to know."""
        try:
            _, adapter = self.open(account.id)
            with adapter.http:
                adapter.revoke()
        except (PublishError, HandbillError) as error:
            log.warning("the token was not ended", account=account.id, reason=str(error))
        self._records.remove_account(account)

    def renew(self, account: Account, used: Mapping[str, str]) -> Renewed:
        """Get a new token after one was refused, once for however many workers ask.

        ``used`` are the settings that were refused: if others are stored by now, those are to be tried first.
        """
        with self._renewing(account) as mine:
            if not mine:
                return Renewed.DONE
            account, secrets = self._records.opened(account.id)
            adapter = self.adapter(account, secrets)
            if dict(adapter.settings) != dict(used):
                return Renewed.DONE
            if self._records.renewed_lately(account):
                return Renewed.REFUSED
            return self._renewed(account, secrets, adapter)

    def renew_ahead(self, account: str, *, due: Callable[[], bool] = lambda: True) -> Renewed:
        """Get a new token before anybody needs it, once for however many workers ask.

        ``due`` is asked once more when nobody else is at it: another may have renewed it since somebody looked.
        """
        with self._renewing(self._records.account(account)) as mine:
            if not mine or not due():
                return Renewed.LATER
            found, secrets = self._records.opened(account)
            return self._renewed(found, secrets, self.adapter(found, secrets))

    def _renewing(self, account: Account) -> contextlib.AbstractContextManager[bool]:
        seconds = self._settings.request_seconds + SPARE
        return self._records.lock(account.workspace, f"refresh:{account.id}", seconds=seconds)

    def _renewed(self, account: Account, secrets: Mapping[str, str], adapter: Publisher) -> Renewed:
        """Ask once. What the platform answers is stored before anyone uses it; what it leaves out empties nothing.

        A lost answer may have been a new token, and the old one may be worth nothing now. Nobody can tell, so the old
        one is kept and asked with again; only the platform's own word makes it a matter for a person.
        """
        adapter.http.expire(self._settings.request_seconds)
        last = self._records.connections.renewal(account.id)
        with adapter.http:
            try:
                new = {k: v for k, v in adapter.refresh().items() if v}
            except Unauthorized as error:
                why = adapter.http.redact(str(error))
                log.warning("the token cannot be renewed", account=account.id, reason=why)
                self._note(account, last, why, refused=True)
                return Renewed.REFUSED
            except (PublishError, KeyError, TypeError, ValueError) as error:
                why = str(error) if isinstance(error, PublishError) else "the answer cannot be read"
                why = adapter.http.redact(why)
                log.warning("no new token yet", account=account.id, reason=why)
                self._note(account, last, why)
                return Renewed.LATER
        logs.hide(*(v for k, v in new.items() if k in adapter.secrets()))
        self._keep(account, secrets, new)
        self._records.mark_renewed(account, seconds=NEW_FOR)
        self._records.connections.note(account.id, Renewal(at=self._now()))
        log.info("token renewed", account=account.id, until=new.get("expires_at", ""))
        return Renewed.DONE

    def _keep(self, account: Account, used: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Store new settings, unless a person has connected the account anew meanwhile: theirs are newer still."""
        names = publishers.load(account.platform).secrets()

        def merged(known: Account, secrets: dict[str, str]) -> tuple[Account, Mapping[str, str] | None]:
            if secrets != used:
                return known, None
            settings = {**known.settings, **{k: v for k, v in new.items() if k not in names}}
            return dataclasses.replace(known, settings=settings), {
                **secrets,
                **{k: v for k, v in new.items() if k in names},
            }

        for number, pause in enumerate(KEEPING, 1):
            time.sleep(pause)
            try:
                self._records.change_account(account.id, merged)
            except HandbillError:
                raise
            except Exception as error:
                if number == len(KEEPING):
                    raise
                log.warning("the new token is not stored yet", account=account.id, error=type(error).__name__)
            else:
                return

    def _note(self, account: Account, last: Renewal | None, why: str, *, refused: bool = False) -> None:
        now = self._now()
        failed = (last.failed if last else 0) + 1
        wait = min(AGAIN * 2.0 ** min(failed - 1, 16), AGAIN_MOST) if not refused else AGAIN_MOST
        at = last.at if last else now
        note = Renewal(at=at, refused=refused, failed=failed, following=now + wait, why=why)
        self._records.connections.note(account.id, note)

    def app(self, account: Account, server: str = "") -> dict[str, str]:
        """The credentials of the app that asks for this account's consent; empty if there are none."""
        own = publishers.load(account.platform).oauth
        if own is None:
            return {}
        if account.rehearsal and not own.register:
            return {f.name: STAND_INS for f in own.app}
        return self._records.connections.app(account.workspace, app_name(account.platform, server))

    def _values(
        self, kind: type[Publisher], account: Account, given: Mapping[str, str], granted: Mapping[str, str]
    ) -> dict[str, str]:
        known = {f.name for f in kind.fields} | {"server"}
        if unknown := set(given) - known:
            do = f"Settings of {account.platform}: {', '.join(sorted(known))}"
            raise HandbillError(f"{account.platform} has no setting {min(unknown)}", do=do)
        values = {k: v for k, v in {**given, **granted}.items() if v}
        app = self.app(account, values.get("server", "")) if granted else {}
        missing = []
        for field in kind.fields:
            if field.name in values or field.name in app:
                continue
            if field.default:
                values[field.name] = field.default.replace("{data_dir}", str(self._settings.data_dir.resolve()))
            elif account.rehearsal and (said := field.rehearsal or (STAND_INS if field.required else "")):
                values[field.name] = said.replace("{account}", account.id.partition(".")[2])
            elif field.required:
                missing.append(field)
        if missing:
            wanted = ", ".join(f"--set {f.name}=… ({f.label})" for f in missing)
            raise HandbillError(f"{kind.label} needs more to connect", why=f"missing {wanted}", do="Give them")
        return values

    def _profile(self, account: Account, values: Mapping[str, str]) -> Profile:
        adapter = self.adapter(account, values)
        try:
            with adapter.http:
                return adapter.connect()
        except PublishError as error:
            do = "Check the address and the token"
            if account.rehearsal and isinstance(error, Unavailable) and error.status is None:
                do = "Start the rehearsal platforms with: handbill up"
            raise Refused(f"{adapter.label} cannot be connected", why=str(error), do=do) from None

    def _check_scopes(self, account: Account) -> None:
        kind, told = publishers.load(account.platform), account.settings.get("granted", "")
        if kind.oauth and told and (missing := kind.oauth.missing(told, account.settings.get("role", ""))):
            do = "Connect it again and allow everything it asks for"
            raise Refused(f"{kind.label} works as {account.name} and lacks {', '.join(missing)}", do=do)

    def app_of(self, account: Account) -> str:
        """What the budgets of the account's app are counted under, without opening it."""
        told = {**account.settings, **({"server": self._stand_in(account)} if account.rehearsal else {})}
        return app_key(account, publishers.load(account.platform).base_of(told))

    def _stand_in(self, account: Account) -> str:
        return f"{self._settings.rehearsal}/{account.platform}/{account.id.partition('.')[2]}"

    def adapter(self, account: Account, values: Mapping[str, str]) -> Publisher:
        """The account's adapter with ``values`` over its settings, and with its app's credentials."""
        everything = {**account.settings, **values}
        allow = set(self._settings.allowed)
        if account.rehearsal:
            everything["server"] = self._stand_in(account)
            parts = urlsplit(self._settings.rehearsal)
            allow.add(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
        if client := everything.get("client_id"):
            app = self.app(account, everything.get("server", ""))
            everything = {**(app if app.get("client_id") == client else {}), **everything}
        kind = publishers.load(account.platform)
        if not kind.guarded and not account.rehearsal and account.platform not in self._settings.unguarded_platforms:
            why = "it has a network stack of its own, which checks no address"
            do = f"If you want that: HANDBILL_UNGUARDED={account.platform}"
            raise HandbillError(f"{kind.label} is switched off", why=why, do=do)
        secrets = [everything.get(name, "") for name in sorted(kind.secrets())]
        http = self._http(seconds=self._settings.request_seconds, allow=allow, secrets=secrets)
        return kind(everything, http)


def app_key(account: Account, base: str) -> str:
    """What the budgets of an account's app are counted under, whose accounts may be any workspace's."""
    return f"{account.platform}:{account.settings.get('client_id') or base}"


def app_name(platform: str, server: str = "") -> str:
    """What an app is kept under: one for each platform, or for each server where every server knows its own apps."""
    own = publishers.load(platform).oauth
    return f"{platform}@{server.rstrip('/')}" if own and own.register and server else platform


def _same(known: Account, new: Account) -> bool:
    """Whether two are one account on its platform; a stand-in is the same one wherever it answers now."""
    before, now = urlsplit(known.url).netloc, urlsplit(new.url).netloc
    moved = known.rehearsal and new.rehearsal and before and now

    def here(said: str) -> str:
        return said.replace(before, now) if moved else said

    return here(known.name) == new.name and not (known.url and new.url and here(known.url) != new.url)


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return slug if slug or not name.strip() else digest(name, length=8)
