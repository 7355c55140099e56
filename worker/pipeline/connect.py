"""How a person's consent connects an account: they are sent to the platform, come back with a code, and may choose.

Every step is found by a name that only their browser (or terminal) knows, belongs to it alone, and works once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog

import publishers
from publishers.core import oauth
from publishers.core.errors import PublishError, Unauthorized
from publishers.core.oauth import OAuth
from worker.errors import HandbillError, Refused
from worker.model import Account
from worker.pipeline.accounts import Accounts, app_name
from worker.settings import Settings
from worker.store.deliveries import Deliveries
from worker.store.records import Records

log = structlog.get_logger()

NAME = "Handbill"
LIFE = 600.0
"""Seconds that a person has for each step."""

WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where a person must go: ``address`` is the platform's page, ``state`` the name of what is under way."""

    address: str
    state: str
    label: str
    scopes: tuple[str, ...]
    redirect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """A person must choose one of ``labels`` (by its place); ``pick`` is the name of what is under way."""

    pick: str
    platform: str
    label: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Whoever began it waits at a terminal, which has been given the answer."""

    label: str


class Connecting:
    """The use cases of connecting by consent; ``token`` draws what nobody may guess."""

    def __init__(
        self,
        accounts: Accounts,
        records: Records,
        deliveries: Deliveries,
        settings: Settings,
        *,
        token: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._accounts = accounts
        self._records = records
        self._connections = records.connections
        self._deliveries = deliveries
        self._settings = settings
        self._token = token

    # Apps

    def save_app(self, workspace: str, platform: str, given: Mapping[str, str]) -> str:
        """Keep the credentials of a platform's app for a workspace; returns what it is kept under."""
        own = self._oauth(platform)
        server, values = _address(given.get("server", "")), {k: v.strip() for k, v in given.items() if v.strip()}
        values.pop("server", None)
        known = {f.name for f in own.app}
        if unknown := set(values) - known:
            raise HandbillError(f"An app of {platform} has no {min(unknown)}", do=f"It has: {', '.join(sorted(known))}")
        if missing := [f for f in own.app if f.required and f.name not in values]:
            wanted = ", ".join(f"{f.name} ({f.label})" for f in missing)
            raise HandbillError(f"The app needs more: {wanted}", do="Give it")
        if own.register and not server:
            raise HandbillError("Every server has apps of its own", do="Give the server too")
        name = app_name(platform, server)
        self._connections.save_app(workspace, name, values)
        return name

    def redirect(self, platform: str, server: str = "") -> str:
        """The address that a platform sends people back to, which its app must know."""
        host = f"/{urlsplit(server).netloc}" if server else ""
        return f"{self._settings.origin}/connect/{platform}{host}"

    # The way there

    def begin(
        self,
        platform: str,
        given: Mapping[str, str],
        *,
        workspace: str,
        browser: str,
        name: str = "",
        role: str = "",
        zone: str = "",
        rehearsal: bool = False,
        terminal: bool = False,
        program: bool = False,
    ) -> Begun:
        """Send a person to the platform; ``browser`` is the secret that only their session (or terminal) knows.

        What a ``program`` began waits for it as for a terminal, once somebody who may connect accounts has allowed it
        in a browser that is signed in here: or a link would be enough to have a stranger's account.

        A new account will post in ``zone``; empty: in the installation's.
        """
        own, kind = self._oauth(platform), publishers.load(platform)
        account = self._accounts.draft(platform, workspace=workspace, name=name, rehearsal=rehearsal)
        values = {k: v.strip() for k, v in given.items() if v.strip()}
        if own.roles:
            role = role or next(iter(own.roles))
            if role not in own.roles:
                raise HandbillError(f"Nobody connects {kind.label} as {role}", do=f"Use one of: {', '.join(own.roles)}")
        if "server" in own.asks and not rehearsal:
            values["server"] = self._server(values.get("server", ""), kind.label)
        server = self._accounts.adapter(account, values).settings.get("server", "") if own.register else ""
        redirect = self.redirect(platform, server)
        if own.https and not rehearsal and not redirect.startswith("https://"):
            do = "Set HANDBILL_PUBLIC_URL to the https address of this installation, or paste a token instead"
            raise HandbillError(f"{kind.label} sends people back to https addresses only", do=do)
        app = self._app(account, own, values, server, redirect)
        state, verifier = self._token(), self._token()
        adapter = self._accounts.adapter(account, {**app, **values})
        address = adapter.authorization(redirect=redirect, state=state, verifier=verifier, role=role)
        self._connections.hold(
            f"state:{state}",
            {
                "platform": platform,
                "workspace": workspace,
                "name": name,
                "zone": zone,
                "rehearsal": rehearsal,
                "role": role,
                "given": values,
                "client_id": app["client_id"],
                "redirect": redirect,
                "verifier": verifier,
                "browser": _digest(browser),
                "terminal": terminal or program,
                "program": program,
            },
            seconds=LIFE,
        )
        return Begun(
            address=address,
            state=state,
            label=kind.label,
            scopes=tuple(app.get("scopes", "").split()) or own.wanted(role),
            redirect=redirect,
        )

    def _app(
        self, account: Account, own: OAuth, values: Mapping[str, str], server: str, redirect: str
    ) -> dict[str, str]:
        """The app that asks; where the protocol has it, one is registered and used for every account of the server."""
        app = self._accounts.app(account, server)
        kind = publishers.load(account.platform)
        if not own.register:
            if not app.get("client_id"):
                do = f"Register one there that knows {redirect}, then: handbill apps set {account.platform}"
                raise HandbillError(f"{kind.label} wants an app of yours", why="none is known here", do=do)
            return app
        used = {a.settings.get("client_id") for a in self._records.accounts(account.workspace)}
        if app and app.get("redirect", redirect) == redirect and (app["client_id"] in used or "redirect" not in app):
            return app
        # Servers forget apps that nobody has used for a day, and do not say so: one without an account is made anew.
        adapter = self._accounts.adapter(account, values)
        try:
            with adapter.http:
                made = dict(adapter.register(redirect=redirect, name=NAME))
        except PublishError as error:
            do = "Check the server's address"
            raise Refused(f"{server} registers no app", why=str(error), do=do) from None
        made["redirect"] = redirect
        self._connections.save_app(account.workspace, app_name(account.platform, server), made)
        return made

    def _server(self, told: str, label: str) -> str:
        server = _address(told)
        parts = urlsplit(server)
        if not parts.hostname or parts.username or "." not in parts.hostname.strip("."):
            parts = urlsplit("")
        if parts.scheme == "http" and not {parts.hostname, parts.netloc} & set(self._settings.allowed):
            parts = urlsplit("")
        if not parts.hostname:
            why = f"{told[:80]!r} is no server with https" if told else "no server was named"
            raise HandbillError(
                f"{label} has many servers", why=why, do="Give yours, such as social.example.org"
            ) from None
        return f"{parts.scheme}://{parts.netloc}"

    # The way back

    def finish(
        self,
        query: Mapping[str, str],
        *,
        browser: str,
        place: str,
        allowed: Callable[[str], bool] = lambda _: True,
    ) -> Account | Choosing | Elsewhere:
        """What a person came back with, at the path ``place``; raises HandbillError with one line. Works once.

        ``allowed`` is asked whether they may still connect accounts of the workspace in which they began.
        """
        state = query.get("state", "")
        waits = self._connections.look(f"state:{state}") if state else None
        if waits and waits.get("program") and not allowed(waits["workspace"]):
            do = "Sign in as an owner of the workspace, then load this page again"
            raise Refused("You may not connect accounts here", do=do)
        under_way = self._connections.take(f"state:{state}") if state else None
        if under_way is None:
            do = "Connect the account again"
            raise Refused("This answer belongs to nothing that is under way", why="used before, or too late", do=do)
        kind = publishers.load(under_way["platform"])
        if urlsplit(under_way["redirect"]).path != place:
            raise Refused("This answer came to the wrong address", do="Connect the account again")
        if under_way["terminal"] and not _same(under_way, browser):
            self._connections.hold(f"answer:{state}", {**under_way, "query": dict(query)}, seconds=LIFE)
            return Elsewhere(label=kind.label)
        if not _same(under_way, browser):
            do = "Connect the account again, all in one browser"
            raise Refused("Somebody else began this", why="the answer is for another browser or sign-in", do=do)
        if not allowed(under_way["workspace"]):
            raise Refused("You may not connect accounts there any more", do="Ask an owner of the workspace")
        return self._granted(under_way, query, browser)

    def waiting(self, state: str, *, browser: str) -> bool:
        """Whether what a program began is still under way, and nobody has come back."""
        found = self._connections.look(f"state:{state}")
        return found is not None and _same(found, browser)

    def arrived(self, state: str, *, browser: str) -> Account | Choosing | None:
        """What a browser has left for the terminal that began it; None while nothing has come."""
        under_way = self._connections.take(f"answer:{state}")
        if under_way is None:
            return None
        if not _same(under_way, browser):
            raise Refused("Somebody else began this", do="Connect the account again")
        return self._granted(under_way, under_way["query"], browser)

    def pasted(self, address: str, *, browser: str) -> Account | Choosing:
        """The same from the address that a browser was sent to, pasted into a terminal."""
        parts = urlsplit(address.strip())
        query = dict(parse_qsl(parts.query or address.strip()))
        found = self.finish(query, browser=browser, place=parts.path)
        if isinstance(found, Elsewhere):
            raise Refused("Another terminal began this", do="Connect the account again")
        return found

    def _granted(self, under_way: Mapping[str, Any], query: Mapping[str, str], browser: str) -> Account | Choosing:
        kind, account = publishers.load(under_way["platform"]), self._draft(under_way)
        again = f"Connect {kind.label} again"
        if refusal := query.get("error"):
            told = _line(query.get("error_description") or query.get("error_message") or "")
            why = f"you or the platform said no ({_line(refusal)}{f': {told}' if told else ''})"
            raise Refused(f"{kind.label} was not connected", why=why, do=f"{again}, and allow what it asks for")
        code = query.get(kind.oauth.answer, "") if kind.oauth else ""
        if not code:
            raise Refused(f"{kind.label} sent no code", do=again)
        carried = {n: query[n] for n in (kind.oauth.carries if kind.oauth else ()) if query.get(n)}
        settings = {**under_way["given"], "client_id": under_way["client_id"], **carried}
        adapter = self._accounts.adapter(account, settings)
        issuer, many = query.get("iss", ""), bool(kind.oauth and kind.oauth.register)
        if issuer and many and _origin(issuer) != _origin(adapter.base):  # RFC 9207
            raise Refused("The answer is from another server than was asked", why=_line(issuer), do=again)
        try:
            with adapter.http:
                got = adapter.exchange(code, redirect=under_way["redirect"], verifier=under_way["verifier"])
        except PublishError as error:
            raise self._no_token(kind.label, account, error, again, adapter.settings.get("server", "")) from None
        role = {"role": under_way["role"]} if under_way["role"] else {}
        granted = {**{k: v for k, v in got.items() if v}, "client_id": under_way["client_id"], **carried, **role}
        scopes = granted.get("granted", "")
        if kind.oauth and scopes and (missing := kind.oauth.missing(scopes, under_way["role"])):
            do = f"{again}, and allow everything it asks for"
            raise Refused(f"{kind.label} was not connected", why=f"it lacks {', '.join(missing)}", do=do)
        choices = self._choices(account, {**under_way["given"], **granted}, kind.label, again)
        pick = self._token()
        self._connections.hold(
            f"pick:{pick}",
            {
                **{k: under_way[k] for k in ("platform", "workspace", "name", "zone", "rehearsal", "given")},
                "granted": granted,
                "choices": [{"label": c.label, "settings": dict(c.settings)} for c in choices],
                "browser": _digest(browser),
            },
            seconds=LIFE,
        )
        if len(choices) > 1:
            return Choosing(
                pick=pick, platform=account.platform, label=kind.label, labels=tuple(c.label for c in choices)
            )
        return self.choose(pick, 0, browser=browser)

    def _choices(self, account: Account, values: Mapping[str, str], label: str, again: str) -> tuple[oauth.Choice, ...]:
        adapter = self._accounts.adapter(account, values)
        try:
            with adapter.http:
                return adapter.choices()
        except PublishError as error:
            raise Refused(f"{label} was not connected", why=str(error), do=again) from None

    def choosing(self, pick: str, *, browser: str) -> Choosing:
        """What there is to choose from."""
        told = self._picked(pick, browser)
        labels = tuple(c["label"] for c in told["choices"])
        return Choosing(
            pick=pick, platform=told["platform"], label=publishers.load(told["platform"]).label, labels=labels
        )

    def choose(self, pick: str, place: int, *, browser: str, workspace: str = "") -> Account:
        """Connect what a person chose; if the platform refuses, another may be chosen."""
        told = self._picked(pick, browser)
        if workspace and told["workspace"] != workspace:
            raise Refused("This was begun in another workspace", do="Switch back to it, or connect the account here")
        try:
            chosen = told["choices"][place]["settings"] if told["choices"] else {}
        except IndexError:
            raise HandbillError("There is no such choice", do="Choose one of those that are shown") from None
        account = self._accounts.connect(
            told["platform"],
            told["given"],
            workspace=told["workspace"],
            name=told["name"],
            zone=told["zone"],
            rehearsal=told["rehearsal"],
            granted={**told["granted"], **chosen},
        )
        self._connections.take(f"pick:{pick}")
        self._deliveries.resume(f"connect:{account.id}")
        log.info("account connected", account=account.id)
        return account

    def _picked(self, pick: str, browser: str) -> Any:
        told = self._connections.look(f"pick:{pick}")
        if told is None or not _same(told, browser):
            raise Refused("There is nothing to choose from any more", do="Connect the account again")
        return told

    def _no_token(self, label: str, account: Account, error: PublishError, again: str, server: str) -> HandbillError:
        """Why there is no token, in one line."""
        if oauth.is_about_app(error):
            name = app_name(account.platform, server)
            if name != account.platform:  # one that we registered: the next try makes a new one
                self._connections.remove_app(account.workspace, name)
                return Refused(f"{label} does not know our app any more", why=str(error), do=again)
            do = f"Correct them: handbill apps set {account.platform}, or on the page Accounts"
            return Refused(f"{label} does not accept the app's credentials", why=str(error), do=do)
        if isinstance(error, Unauthorized):
            return Refused(f"{label} does not accept the code", why=f"used, or too old: {error}", do=again)
        return Refused(f"{label} gave no token", why=f"{error}; the code works once", do=again)

    def _draft(self, under_way: Mapping[str, Any]) -> Account:
        return self._accounts.draft(
            under_way["platform"],
            workspace=under_way["workspace"],
            name=under_way["name"],
            rehearsal=under_way["rehearsal"],
        )

    def _oauth(self, platform: str) -> OAuth:
        try:
            kind = publishers.load(platform)
        except KeyError:
            do = f"Use one of: {', '.join(publishers.names())}"
            raise HandbillError(f"There is no platform {platform}", do=do) from None
        if kind.oauth is None:
            raise HandbillError(f"{kind.label} is not connected by consent", do=f"Give its {kind.pasted} instead")
        return kind.oauth


def _address(told: str) -> str:
    """A server as people write it (a name, an address, @you@server) as an address; empty if it is none."""
    text = told.strip().rstrip("/").rpartition("@")[2] if "://" not in told else told.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        ours = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.lower()}" if text and ours else ""


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _same(told: Mapping[str, Any], browser: str) -> bool:
    return bool(browser) and hmac.compare_digest(str(told["browser"]).encode(), _digest(browser).encode())


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()


def _line(told: str) -> str:
    """Words that came in an address, on one short printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in told).split())[:WORDS]
