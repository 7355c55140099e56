"""Every setting of Handbill: one ``HANDBILL_*`` variable each, read once, checked, explained in the README."""

from __future__ import annotations

import functools
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker import paths
from worker.errors import HandbillError

ROOT = paths.ROOT
TEMPLATES = paths.TEMPLATES


class Settings(BaseSettings):
    """Read from the environment and, where it exists, from ``.env`` in the current folder."""

    model_config = SettingsConfigDict(env_prefix="HANDBILL_", env_file=".env", extra="ignore")

    data_dir: Path = Field(Path("handbill-data"), description="Redis data, pictures, outbox and key live here.")
    redis_url: str = Field("", description="Redis or Valkey that holds the truth; empty starts an embedded Valkey.")
    broker_url: str = Field("", description="Celery's broker; empty uses the same server as the truth.")
    replicas: int = Field(
        0,
        ge=0,
        le=5,
        description="Replicas of Redis that must have a post's intent on disk too before it is sent.",
    )
    host: str = Field("127.0.0.1", description="Address the web page listens on.")
    port: int = Field(8484, ge=1, le=65535, description="Port the web page listens on.")
    public_url: str = Field(
        "",
        description="Where the internet reaches the web page, by https: people sign in there, and platforms that fetch "
        "pictures themselves need it.",
    )
    proxies: str = Field(
        "127.0.0.0/8,::1",
        description="Addresses or networks, by comma, of the proxies that may say who asks, and that it was by https.",
    )
    oidc_issuer: str = Field(
        "",
        description="Identity provider (OpenID Connect) that people may sign in with, such as https://id.example.org.",
    )
    oidc_client_id: str = Field("", description="What it calls Handbill; its redirect address ends in `/oidc/back`.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="The secret it gave, if it gave one.")
    oidc_name: str = Field("your identity provider", description="What the button calls it.")
    rehearsal_port: int = Field(0, ge=0, le=65535, description="Port of the rehearsal platforms; 0 is `port` + 1.")
    rehearsal_url: str = Field("", description="Where the rehearsal platforms answer; empty is this machine.")
    secret_key: SecretStr = Field(
        SecretStr(""), description="Fernet keys, newest first, by comma; empty keeps one in a file."
    )
    allow_hosts: str = Field("", description="Private `host[:port]`s that may be spoken to, by comma.")
    unguarded: str = Field(
        "",
        description="Platforms, by comma, that may speak by a network stack of their own, which checks no address: "
        "`apprise`.",
    )
    zone: str = Field(
        "UTC", description="IANA time zone of times without one and of new accounts; the page gives them its user's."
    )
    workspace: str = Field("main", pattern=r"^[a-z0-9-]{1,32}$", description="Workspace used when none is named.")
    publish_workers: int = Field(1, ge=1, le=64, description="Publishing workers of `handbill up`; at most one a core.")
    publish_threads: int = Field(128, ge=1, le=512, description="Posts in flight at once in one worker.")
    content_processes: int = Field(1, ge=1, le=64, description="Processes for text and pictures in one worker.")
    request_seconds: float = Field(30.0, gt=0, le=120, description="Total deadline of one request to a platform.")
    tick_seconds: float = Field(0.25, gt=0, le=10, description="How often a worker looks for what is due.")
    settle_seconds: float = Field(
        0, ge=0, le=3600, description="Wait before a lost answer is settled; 0 is the platform's own."
    )
    spare_seconds: float = Field(
        15.0, ge=3, le=600, description="How much longer than one request a worker may hold a post (preparing counts)."
    )
    wake_seconds: float = Field(5.0, gt=0, le=600, description="A wake-up that nobody took up is sent again then.")
    backoff_seconds: float = Field(
        5.0, gt=0, le=600, description="Wait before the second try; doubles with each, up to half an hour."
    )
    attempts: int = Field(8, ge=1, le=100, description="Tries of a post that did not go out, before it fails.")
    stale_hours: float = Field(24.0, gt=0, description="Posts later than this are held for review instead of sent.")
    reminder_hours: float = Field(
        4.0, gt=0, le=168, description="Whoever posts by hand is told once more then; after that the post is late."
    )
    contact: str = Field(
        "", max_length=200, pattern=r"^[\x20-\x7e]*$", description="Where sites whose pages are read may complain."
    )
    robots: bool = Field(True, description="Read no page or feed that its site's robots.txt forbids.")
    host_gap_seconds: float = Field(1.0, ge=0, le=600, description="Between two polls of feeds on one host.")
    poll_threads: int = Field(16, ge=1, le=256, description="Feeds asked at once by one intake worker.")
    fetch_megabytes: float = Field(10.0, gt=0, le=200, description="Largest page or picture fetched.")
    extra_platforms: str = Field(
        "", description="Python packages whose modules are platforms too, by comma, such as `acme.platforms`."
    )
    demo_platforms: str = Field(
        "outbox,mastodon,bluesky,x,linkedin,telegram", description="Platforms that `handbill demo` posts to, by comma."
    )
    model_url: str = Field(
        "", description="OpenAI-compatible endpoint that may write summaries, such as `http://127.0.0.1:11434/v1`."
    )
    model_name: str = Field("", description="The model's name there.")
    model_key: SecretStr = Field(SecretStr(""), description="The endpoint's key, if it wants one.")
    model_seconds: float = Field(30.0, gt=0, le=300, description="Total deadline of one question to the model.")
    paid_numbers: bool = Field(
        False, description="Ask for likes, shares and replies where reading costs money, too (X: $0.001 a time)."
    )
    shortener: str = Field(
        "",
        pattern="^(|own|dub|shortio|yourls|kutt)$",
        description="Makes links short: `own` (this installation, at its public address), `dub`, `shortio`, `yourls` "
        "or `kutt`.",
    )
    shortener_url: str = Field(
        "", description="Your own server of it, if you have one; for `own` a shorter address that leads here, too."
    )
    shortener_key: SecretStr = Field(SecretStr(""), description="Its key (YOURLS: the signature).")
    shortener_domain: str = Field("", description="The short links' domain, if it has several (Short.io: always).")
    shortener_home: str = Field(
        "",
        pattern=r"^(|https?://.+)$",
        description="Where a short link of our own leads once it is not kept any more, such as https://example.org; "
        "empty: a page says so.",
    )
    keep_posts_days: float = Field(
        730, ge=0, description="Posts that are over, their receipts and their articles are kept so long; 0 = for ever."
    )
    keep_items_days: float = Field(
        180,
        ge=0,
        description="What sources brought is listed so long; afterwards only what is needed to know it again.",
    )
    keep_identity_days: float = Field(
        1826, ge=0, description="An article that a source brings again is known so long; 0 = for ever."
    )
    keep_pictures_days: float = Field(
        90, ge=0, description="Pictures of posts that are over are kept so long; 0 = for ever."
    )
    keep_receipts_days: float = Field(
        730,
        ge=0,
        description="Entries of the ledger stay in Redis so long, then in files under `receipts` in the data folder; "
        "0 = always.",
    )
    keep_links_days: float = Field(
        730,
        ge=0,
        description="A short link of our own leads to its article while its post is kept, and then until no reader has "
        "followed it for so long; 0 = for ever.",
    )
    keep_audit_days: float = Field(1095, ge=0, description="The audit log goes back so far; 0 = to the beginning.")
    trial: bool = Field(False, description="Accept a Redis whose persistence or eviction settings can lose posts.")
    log: str = Field("info", pattern="^(debug|info|warning|error)$", description="Log level.")

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - only needed to check one value

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Vienna") from error
        return value

    @field_validator("proxies")
    @classmethod
    def _proxies_are_networks(cls, value: str) -> str:
        for one in filter(None, (p.strip() for p in value.split(","))):
            try:
                ipaddress.ip_network(one)
            except ValueError as error:
                raise ValueError(f"{one!r} is no address or network such as 172.18.0.0/16") from error
        return value

    @property
    def trusted(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks of the proxies that are believed."""
        return tuple(ipaddress.ip_network(p.strip()) for p in self.proxies.split(",") if p.strip())

    @property
    def origin(self) -> str:
        """What browsers call the web page: its public address, or the one on this machine."""
        parts = urlsplit(self.public_url)
        if parts.scheme in {"http", "https"} and parts.hostname:
            return f"{parts.scheme}://{parts.netloc}".lower()
        return f"http://127.0.0.1:{self.port}"

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose modules are platforms too."""
        return tuple(p.strip() for p in self.extra_platforms.split(",") if p.strip())

    @property
    def unguarded_platforms(self) -> frozenset[str]:
        """The platforms that may connect to what nobody checks."""
        return frozenset(p.strip() for p in self.unguarded.split(",") if p.strip())

    @property
    def allowed(self) -> frozenset[str]:
        """The private hosts that may be spoken to."""
        return frozenset(h.strip() for h in self.allow_hosts.split(",") if h.strip())

    @property
    def rehearsal(self) -> str:
        """The address of the rehearsal platforms, without a trailing slash."""
        return (self.rehearsal_url or f"http://127.0.0.1:{self.rehearsal_port or self.port + 1}").rstrip("/")

    @property
    def lease_seconds(self) -> float:
        """How long a worker may hold a delivery: longer than any request can take."""
        return self.request_seconds + self.spare_seconds


@functools.cache
def settings() -> Settings:
    """The settings of this process; a value that cannot be used is one clear line."""
    try:
        return Settings()  # type: ignore[call-arg]  # every field has a default
    except ValidationError as error:
        first = error.errors()[0]
        name = f"HANDBILL_{'_'.join(str(p) for p in first['loc']).upper()}"
        why = str(first["msg"]).removeprefix("Value error, ")
        raise HandbillError(f"{name} cannot be used", why=why, do="Correct the variable or .env") from None
