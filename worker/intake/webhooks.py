"""What a publishing system says when it publishes: how each one signs it, and what its words mean.

Pure: bytes, headers, secrets and an instant in, an Event out. The bytes are checked before anything in them is read,
in constant time, against every secret there is, so that a secret can be changed without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from worker.errors import HandbillError

WINDOW = timedelta(minutes=5)
"""How far a signature's clock may be from ours; the Standard Webhooks libraries allow the same."""

EDITED_AFTER = timedelta(minutes=1)
"""A post whose last change lies later than this after its publication was edited, not published."""

ADDRESS_MOST = 2_000
FIELDS_MOST = 200
STAMP = re.compile(r"[0-9]{9,16}")
MILLISECONDS = 100_000_000_000  # from here on a number of seconds would be the year 5138


class Unverified(HandbillError):
    """The delivery is not signed by anybody who holds the secret, or was signed too long ago."""


class Unreadable(HandbillError):
    """The delivery is signed, and is not what this publishing system sends."""


class Kind(StrEnum):
    """What happened to an article."""

    PUBLISHED = "published"
    UPDATED = "updated"
    UNPUBLISHED = "unpublished"
    DELETED = "deleted"
    CHANGED = "changed"
    """Something was published, and what is not said: fetch the source again."""
    NOTHING = "nothing"
    """A test, a draft, or what does not concern articles."""


TAKEN_BACK = frozenset({Kind.UNPUBLISHED, Kind.DELETED})


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it came: ``path`` with its query, header names in small letters, the body byte for byte."""

    headers: Mapping[str, str] = field(repr=False)  # they may hold the secret
    body: bytes = field(repr=False)
    path: str = field(default="/", repr=False)
    method: str = "POST"

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Event:
    """What a delivery says: ``key`` is the same for every repeat of it, ``url`` the article's page if it is named."""

    kind: Kind
    key: str
    url: str = ""
    id: str = ""
    title: str = ""
    published: datetime | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where a body of no fixed shape says what: each a path such as ``data.post.url``.

    ``url`` may be an address with paths in braces, such as ``https://example.org/{entry.slug}/``.
    """

    url: str = ""
    id: str = ""
    event: str = ""
    title: str = ""
    published: str = ""
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One publishing system: ``check`` raises Unverified, ``read`` says what a checked delivery means."""

    label: str
    check: Callable[[Sent, Sequence[str], datetime], None]
    read: Callable[[Sent, Mapped], Event]
    mapped: Mapped = field(default_factory=Mapped)
    """Where the address stands if the person who connects it does not say."""


def receive(scheme: str, sent: Sent, secrets: Iterable[str], *, now: datetime, mapped: Mapped | None = None) -> Event:
    """The event that ``sent`` carries; raises Unverified or Unreadable, and nothing else whatever was sent."""
    system = SCHEMES[scheme]
    known = [s for s in secrets if s]
    if not known:
        raise Unverified("This address has no secret to check with", do="Set one: handbill hooks secret")
    system.check(sent, known, now)
    return system.read(sent, mapped or system.mapped)


# How each one signs


def _ghost(sent: Sent, secrets: Sequence[str], now: datetime) -> None:
    """HMAC over the body and the milliseconds, nothing between them.

    https://github.com/TryGhost/Ghost/blob/main/ghost/core/core/server/services/webhooks/webhook-trigger.js, read
    2026-11-25. A repeat carries the signature of the first try; an answer of 410 would make Ghost forget the webhook.
    """
    found = re.fullmatch(r"sha256=([0-9a-f]{64}), ?t=([0-9]{9,16})", sent.header("x-ghost-signature").strip())
    if not found:
        raise Unverified("The delivery has no X-Ghost-Signature", do="Give the webhook the same secret in Ghost")
    _fresh(found[2], now)
    _same(found[1], (_hmac(s, sent.body + found[2].encode()).hex() for s in secrets))


def _standard(sent: Sent, secrets: Sequence[str], now: datetime) -> None:
    """``id.timestamp.body``: HMAC (v1, whsec_…) or Ed25519 (v1a, whpk_…).

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, read 2026-11-25.
    """
    identity, stamp = sent.header("webhook-id"), sent.header("webhook-timestamp")
    if not identity or "." in identity or len(identity) > 256:
        raise Unverified("The delivery has no webhook-id")
    _fresh(stamp, now)
    signed = f"{identity}.{stamp}.".encode() + sent.body
    given = [s.partition(",")[::2] for s in sent.header("webhook-signature").split()]
    for secret in secrets:
        if secret.startswith("whpk_"):
            public = _base64(secret.removeprefix("whpk_"))
            for version, signature in given:
                with suppress(InvalidSignature, ValueError):
                    if version == "v1a" and public is not None:
                        Ed25519PublicKey.from_public_bytes(public).verify(_base64(signature) or b"", signed)
                        return
            continue
        for key in _standard_keys(secret):
            wanted = base64.b64encode(hmac.digest(key, signed, "sha256"))
            for version, signature in given:
                if version == "v1" and hmac.compare_digest(signature.encode(), wanted):
                    return
    raise Unverified("The signature does not fit", do="Compare the secrets on both sides")


def _standard_keys(secret: str) -> Iterator[bytes]:
    """A secret is base64; some systems sign with its letters as they stand."""
    if (key := _base64(secret.removeprefix("whsec_"))) is not None:
        yield key
    if not secret.startswith("whsec_"):
        yield secret.encode()


def _hub(sent: Sent, secrets: Sequence[str], _: datetime) -> None:
    """HMAC over the body; no clock is signed, so a delivery is known by its id.

    https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, read 2026-11-25.
    """
    found = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", sent.header("x-hub-signature-256").strip())
    if not found:
        raise Unverified("The delivery has no X-Hub-Signature-256", do="Give the webhook the same secret there")
    _same(found[1].lower(), (_hmac(s, sent.body).hex() for s in secrets))


def _contentful(sent: Sent, secrets: Sequence[str], now: datetime) -> None:
    """HMAC over method, path, the headers that are named as signed, and the body, a line each.

    https://github.com/contentful/node-apps-toolkit/blob/main/src/requests/sign-request.ts, read 2026-11-25.
    """
    signature, stamp = sent.header("x-contentful-signature"), sent.header("x-contentful-timestamp")
    names = [n.strip().lower() for n in sent.header("x-contentful-signed-headers").split(",")]
    if not re.fullmatch(r"[0-9a-f]{64}", signature) or "x-contentful-timestamp" not in names:
        raise Unverified("The delivery has no x-contentful-signature", do="Enable request verification in Contentful")
    _fresh(stamp, now)
    headers = ";".join(f"{n}:{sent.header(n).strip()}" for n in names)
    line = "\n".join((sent.method, quote(sent.path, safe="%/?#[]@!$&'()*+,;=:~"), headers, ""))
    _same(signature, (_hmac(s, line.encode() + sent.body).hex() for s in secrets))


def _sanity(sent: Sent, secrets: Sequence[str], now: datetime) -> None:
    """HMAC over milliseconds, a full stop and the body, in base64url.

    https://github.com/sanity-io/webhook-toolkit/blob/main/src/signature.ts, read 2026-11-25.
    """
    found = re.fullmatch(r"t=([0-9]{9,16})[, ]+v1=([\w-]{43})", sent.header("sanity-webhook-signature").strip())
    if not found:
        raise Unverified("The delivery has no sanity-webhook-signature", do="Give the webhook the same secret there")
    _fresh(found[1], now)
    bodies = (_hmac(s, f"{found[1]}.".encode() + sent.body) for s in secrets)
    _same(found[2], (base64.urlsafe_b64encode(b).rstrip(b"=").decode() for b in bodies))


def _press(sent: Sent, secrets: Sequence[str], now: datetime) -> None:
    """Each plugin its own way: WP Webhooks and WooCommerce an HMAC over the body in base64, others as below.

    https://plugins.svn.wordpress.org/wp-webhooks (generate_trigger_signature), https://github.com/woocommerce/
    woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php (generate_signature), read 2026-11-25.
    """
    for name in ("x-wp-webhook-signature", "x-wc-webhook-signature"):
        if given := sent.header(name):
            _same(given.strip(), (base64.b64encode(_hmac(s, sent.body)).decode() for s in secrets))
            return
    _shared(sent, secrets, now)


def _shared(sent: Sent, secrets: Sequence[str], now: datetime) -> None:
    """Standard Webhooks, an HMAC over the body, or the secret itself in a header: the best that is there counts."""
    if sent.header("webhook-signature"):
        _standard(sent, secrets, now)
    elif sent.header("x-hub-signature-256"):
        _hub(sent, secrets, now)
    elif signature := sent.header("x-webhook-signature") or sent.header("x-signature"):
        _same(signature.strip().lower().removeprefix("sha256="), (_hmac(s, sent.body).hex() for s in secrets))
    else:
        scheme, _, token = sent.header("authorization").strip().partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else sent.header("x-webhook-secret").strip()
        if not given:
            do = "Send the secret as Authorization: Bearer SECRET, or sign the body"
            raise Unverified("The delivery carries neither a signature nor the secret", do=do)
        _same(given, secrets)


def _fresh(stamp: str, now: datetime) -> None:
    """Refuse what was signed more than five minutes before or after ``now``; ``stamp`` in seconds or milliseconds."""
    if not STAMP.fullmatch(stamp):
        raise Unverified("The delivery does not say when it was signed")
    moment = int(stamp)
    seconds = moment / 1000 if moment >= MILLISECONDS else float(moment)
    if abs(seconds - now.timestamp()) > WINDOW.total_seconds():
        raise Unverified("The delivery was signed more than five minutes away from now", do="Set both clocks right")


def _hmac(secret: str, signed: bytes) -> bytes:
    return hmac.digest(secret.encode(), signed, "sha256")


def _same(given: str, wanted: Iterable[str]) -> None:
    """Every secret is tried, so that the time it takes says nothing of which one fitted."""
    fits = [hmac.compare_digest(given.encode(), w.encode()) for w in wanted]
    if not any(fits):
        raise Unverified("The signature does not fit", do="Compare the secrets on both sides")


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


# What each one means


def _read_ghost(sent: Sent, _: Mapped) -> Event:
    """A post before and after; the event's name is not sent, and adding a public post fires two of them."""
    data = _object(sent)
    post = _inner(data, "post") or _inner(data, "page")
    now, before = _inner(post, "current"), _inner(post, "previous")
    known = now or before
    identity, updated = _text(known, "id"), _text(known, "updated_at")
    if not identity:
        return Event(Kind.NOTHING, _body_key(sent))
    status, was = _text(now, "status"), _text(before, "status")
    if not now:
        kind = Kind.DELETED
    elif status == "published":
        kind = Kind.PUBLISHED if not before or (was and was != "published") else Kind.UPDATED
    else:
        kind = Kind.UNPUBLISHED if was == "published" else Kind.NOTHING
    return _event(kind, f"{identity} {updated} {kind}", known, url="url", title="title", published="published_at")


def _read_standard(sent: Sent, mapped: Mapped) -> Event:
    return _mapped(_object(sent), mapped, key=sent.header("webhook-id"), unnamed=Kind.NOTHING)


def _read_hub(sent: Sent, _: Mapped) -> Event:
    """A site made of files was changed or built: what is new stands in its feed.

    https://docs.github.com/webhooks/webhook-events-and-payloads, read 2026-11-25.
    """
    data = _object(sent)
    name, key = sent.header("x-github-event") or sent.header("x-gitea-event"), sent.header("x-github-delivery")
    branch = _text(data, "repository.default_branch")
    changed = {
        "push": _text(data, "ref") == f"refs/heads/{branch}" and bool(branch) and data.get("deleted") is not True,
        "release": _text(data, "action") == "published",
        "deployment_status": _text(data, "deployment_status.state") == "success",
        "page_build": _text(data, "build.status") == "built",
        "workflow_run": _text(data, "action") == "completed" and _text(data, "workflow_run.conclusion") == "success",
        "repository_dispatch": True,
    }
    return Event(Kind.CHANGED if changed.get(name) else Kind.NOTHING, key[:200] or _body_key(sent))


def _read_contentful(sent: Sent, mapped: Mapped) -> Event:
    """An entry; only the body is surely signed, so only it says whether the entry is still there."""
    data = _object(sent)
    kind = {"Entry": Kind.PUBLISHED, "DeletedEntry": Kind.UNPUBLISHED}.get(_text(data, "sys.type"), Kind.NOTHING)
    action = sent.header("x-contentful-topic").rpartition(".")[2].lower()
    if kind is Kind.PUBLISHED and action != "publish":
        kind = Kind.NOTHING
    if kind is Kind.PUBLISHED and _text(data, "sys.revision") not in {"", "0", "1"}:
        kind = Kind.UPDATED
    if kind is Kind.UNPUBLISHED and action == "delete":
        kind = Kind.DELETED
    key = f"{_text(data, 'sys.id')} {_text(data, 'sys.revision')} {_text(data, 'sys.updatedAt')} {kind}"
    identity = Mapped(url=mapped.url, id="sys.id", title=mapped.title, updated="sys.updatedAt")
    return _mapped(data, identity, key=key, kind=kind)


def _read_sanity(sent: Sent, mapped: Mapped) -> Event:
    """A projection of a document; drafts are documents of their own, so one that is created was published."""
    data = _object(sent)
    identity = _text(data, "_id")
    kind = {"create": Kind.PUBLISHED, "update": Kind.UPDATED, "delete": Kind.DELETED}.get(
        sent.header("sanity-operation"), Kind.PUBLISHED
    )
    if identity.startswith(("drafts.", "versions.")):
        kind = Kind.NOTHING
    key = f"{identity} {_text(data, '_rev')} {_text(data, '_updatedAt')} {kind}"
    if not identity:
        key = sent.header("idempotency-key")[:200] or _body_key(sent)
    found = Mapped(url=mapped.url, id=mapped.id or "_id", title=mapped.title, updated="_updatedAt")
    return _mapped(data, found, key=key, kind=kind)


def _read_strapi(sent: Sent, mapped: Mapped) -> Event:
    """An event's name and the entry.

    https://docs.strapi.io/cms/backend-customization/webhooks, read 2026-11-25: it signs nothing and sends a header.
    """
    data = _object(sent)
    kind = {
        "entry.publish": Kind.PUBLISHED,
        "entry.update": Kind.UPDATED,
        "entry.unpublish": Kind.UNPUBLISHED,
        "entry.delete": Kind.DELETED,
    }.get(_text(data, "event"), Kind.NOTHING)
    entry = _inner(data, "entry")
    if kind is Kind.UPDATED and not _text(entry, "publishedAt"):
        kind = Kind.NOTHING
    identity = _text(entry, "documentId") or _text(entry, "id")
    key = f"{_text(data, 'model')} {identity} {_text(entry, 'updatedAt')} {kind}" if identity else _body_key(sent)
    found = Mapped(url=mapped.url, id=mapped.id or "entry.documentId", title=mapped.title or "entry.title")
    return _mapped(data, found, key=key, kind=kind)


def _read_press(sent: Sent, mapped: Mapped) -> Event:
    """A post as a plugin or the REST API shows it; a form names a hook and is only ever a reason to fetch again.

    https://wordpress.com/support/webhooks/ and https://developer.wordpress.org/rest-api/reference/posts/, read
    2026-11-25.
    """
    if "json" not in sent.header("content-type") and sent.body.lstrip()[:1] != b"{":
        form = _form(sent)
        kind = Kind.CHANGED if form.get("hook") in {"publish_post", "publish_page"} else Kind.NOTHING
        return Event(kind, _body_key(sent))
    data = _object(sent)
    if mapped.url:
        return _mapped(data, mapped, key=_body_key(sent), unnamed=Kind.PUBLISHED)
    if _text(data, "action").startswith("publish_"):  # WooCommerce hands through any action, and its number
        return Event(Kind.CHANGED, _body_key(sent), id=_text(data, "arg"))
    post = {**_inner(data, "post"), **{k: v for k, v in data.items() if k != "post"}}
    status = _first(post, "post_status", "status")
    published, updated = _first(post, "post_date_gmt", "date_gmt"), _first(post, "post_modified_gmt", "modified_gmt")
    kind = {
        "publish": Kind.PUBLISHED,
        "": Kind.PUBLISHED,
        "trash": Kind.DELETED,
        "draft": Kind.UNPUBLISHED,
        "pending": Kind.UNPUBLISHED,
        "private": Kind.UNPUBLISHED,
    }.get(status, Kind.NOTHING)
    first, last = _moment(published), _moment(updated)
    if kind is Kind.PUBLISHED and first and last and last - first > EDITED_AFTER:
        kind = Kind.UPDATED
    url = _first(post, "post_permalink", "permalink", "link", "url", "post_url", "guid.rendered", "guid")
    identity = _first(post, "post_id", "id", "ID")
    if not identity and not url:
        return Event(Kind.NOTHING, _body_key(sent))
    title = _first(post, "post_title", "title.rendered", "title")
    key = f"{identity} {updated} {kind}" if updated else _body_key(sent)
    return _made(Event(kind, key, _address(url), identity, title[:300], first, last))


def _read_json(sent: Sent, mapped: Mapped) -> Event:
    key = sent.header("idempotency-key") or sent.header("webhook-id")
    return _mapped(_object(sent), mapped, key=key[:200] or _body_key(sent), unnamed=Kind.PUBLISHED)


def _mapped(
    data: Mapping[str, Any],
    mapped: Mapped,
    *,
    key: str,
    kind: Kind | None = None,
    unnamed: Kind = Kind.PUBLISHED,
) -> Event:
    """The event in a body of no fixed shape; ``unnamed`` is what one means that names no event."""
    if kind is None:
        name = _text(data, mapped.event or "type") or _text(data, "event")
        kind = kind_of(name) if name else unnamed
    return _made(
        Event(
            kind,
            key,
            _address(_fill(data, mapped.url)),
            _text(data, mapped.id)[:300] if mapped.id else "",
            _text(data, mapped.title)[:300] if mapped.title else "",
            _moment(_text(data, mapped.published)) if mapped.published else None,
            _moment(_text(data, mapped.updated)) if mapped.updated else None,
        )
    )


WORDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (  # the first that fits: "post.published.edited" is an edit
    (Kind.UNPUBLISHED, ("unpublish", "withdraw", "archive", "retract", "offline")),
    (Kind.DELETED, ("delete", "trash", "remove", "destroy")),
    (Kind.UPDATED, ("update", "edit", "save", "modif", "revis")),
    (Kind.PUBLISHED, ("publish", "create", "add", "live", "launch", "new")),
    (Kind.CHANGED, ("change", "build", "deploy", "ping")),
)


def kind_of(name: str) -> Kind:
    """What the name of an event such as ``article.published`` means."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return next((kind for kind, starts in WORDS if any(w.startswith(starts) for w in words)), Kind.NOTHING)


def _event(kind: Kind, key: str, data: Mapping[str, Any], *, url: str, title: str, published: str) -> Event:
    found = _address(_text(data, url))
    updated = _moment(_text(data, "updated_at"))
    return _made(
        Event(kind, key, found, _text(data, "id"), _text(data, title)[:300], _moment(_text(data, published)), updated)
    )


def _made(event: Event) -> Event:
    """A publication without an address is a reason to fetch again."""
    if event.kind is Kind.PUBLISHED and not event.url:
        return Event(Kind.CHANGED, event.key, id=event.id, title=event.title)
    return event


def _object(sent: Sent) -> dict[str, Any]:
    """The body as a JSON object; a form may carry it in its field ``payload``."""
    body: str | bytes = sent.body
    if sent.header("content-type").startswith("application/x-www-form-urlencoded"):
        body = _form(sent).get("payload", "")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("The body is no JSON") from None
    if not isinstance(data, dict):
        raise Unreadable("The body is no JSON object")
    return data


def _form(sent: Sent) -> dict[str, str]:
    try:
        return dict(parse_qsl(sent.body.decode("utf-8", "replace"), max_num_fields=FIELDS_MOST))
    except ValueError:
        raise Unreadable(f"The form has more than {FIELDS_MOST} fields") from None


def _inner(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _text(data: Any, path: str) -> str:
    """The text or number at a path such as ``post.tags.0``; nothing if there is none."""
    for step in path.split("."):
        if isinstance(data, list) and step.isdecimal() and len(step) < 5 and int(step) < len(data):
            data = data[int(step)]
        elif isinstance(data, dict):
            data = data.get(step)
        else:
            return ""
    if isinstance(data, str):
        # JSON can hold half a character, as a title that was cut in an emoji does; nothing can store one.
        return data.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(data) if isinstance(data, int) and not isinstance(data, bool) and abs(data) < 10**18 else ""


def _first(data: Mapping[str, Any], *paths: str) -> str:
    return next((found for path in paths if (found := _text(data, path))), "")


def _fill(data: Mapping[str, Any], template: str) -> str:
    """The address a template makes; nothing if a part of it is missing."""
    if not template:
        return ""
    if "{" not in template:
        return _text(data, template)
    parts = {path: _text(data, path) for path in re.findall(r"\{([^{}]+)\}", template)}
    if not all(parts.values()) or any(s in {".", ".."} for p in parts.values() for s in p.split("/")):
        return ""
    return re.sub(r"\{([^{}]+)\}", lambda m: quote(parts[m[1]].strip("/"), safe="/~"), template)


def _address(text: str) -> str:
    """``text`` if it is a web address without a password in it, else nothing."""
    if len(text) > ADDRESS_MOST or re.search(r"[\s\x00-\x1f\x7f\\]", text):
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return text if usable else ""


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _body_key(sent: Sent) -> str:
    return hashlib.sha256(sent.body).hexdigest()


SCHEMES: dict[str, Scheme] = {
    "ghost": Scheme("Ghost", _ghost, _read_ghost),
    "wordpress": Scheme("WordPress", _press, _read_press),
    "standard": Scheme(
        "Standard Webhooks",
        _standard,
        _read_standard,
        Mapped(url="data.url", id="data.id", event="type", title="data.title"),
    ),
    "github": Scheme("GitHub, Gitea, Forgejo", _hub, _read_hub),
    "contentful": Scheme("Contentful", _contentful, _read_contentful, Mapped(url="fields.url.en-US")),
    "sanity": Scheme("Sanity", _sanity, _read_sanity, Mapped(url="url", title="title")),
    "strapi": Scheme("Strapi", _shared, _read_strapi, Mapped(url="entry.url")),
    "json": Scheme(
        "Generic JSON",
        _shared,
        _read_json,
        Mapped(url="url", id="id", event="event", title="title", published="published", updated="updated"),
    ),
}

UNNAMING = frozenset({"github"})
"""Schemes that never name an article: nothing comes of them but for a source that is polled."""
