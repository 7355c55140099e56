"""How any other system takes a post: one signed JSON request after the Standard Webhooks specification."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.errors import PublishError, Unauthorized
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting

WHSEC = "whsec_"
CLOSED = {401, 403, 404, 405, 410}  # 410 asks to send nothing more, for ever
INLINE = "inline"


class Webhook(Publisher):
    """One address that takes posts (https://github.com/standard-webhooks/standard-webhooks)."""

    label: ClassVar = "Webhook"
    team = True
    limits: ClassVar = Limits(
        text=10_000, hashtags=5, media=4, media_bytes=1_000_000, alt=2000, thread=True, warning=True
    )
    fields: ClassVar = (
        Setting(name="url", label="Address that takes the posts, https://…"),
        Setting(name="secret", label="Secret that signs them, whsec_…, shared with the receiver", secret=True),
        Setting(name="pictures", label="Pictures: inline (in the request) or none", required=False, default=INLINE),
    )
    pasted: ClassVar = "address and signing secret"
    # A receiver after the specification takes a webhook-id once; how long it remembers is its own affair.
    repictures: ClassVar = True
    proof: ClassVar = Proof(kind=ProofClass.A, window=timedelta(hours=24), then=ProofClass.C)
    unverified: ClassVar = (
        "class A is the receiver's promise: one that does not remember a webhook-id takes a repeat twice"
    )

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        del settings
        return (post.title, post.description)

    def connect(self) -> Profile:
        now = self.http.now()
        if self.settings.get("pictures", INLINE) not in {INLINE, "none"}:
            raise Unauthorized("pictures is either inline or none")
        self.call("POST", self._path(), **self._signed(f"ping_{int(now.timestamp())}", "ping", now, {}))
        parts = urlsplit(self.settings.get("url", ""))
        return Profile(
            name=parts.hostname or self.settings.get("url", ""),
            limits={} if self._inline() else {"media": 0},
        )

    def prepare(self, post: Post, key: str) -> Prepared:
        del post, key
        return {}  # the pictures travel in the commit itself

    def create(self, post: Post, commit: Commit) -> Receipt:
        data = {
            "id": commit.key,
            **self._said(post),
            "reply_to": commit.reply_to.id if commit.reply_to else None,
            "root": commit.root.id if commit.root else None,
        }
        request = self._signed(f"post_{commit.key}", "post.created", commit.at, data)
        return Receipt(id=commit.key, url=_address(self.commit("POST", self._path(), **request)))

    def edit(self, receipt: Receipt, post: Post, commit: Commit) -> Receipt:
        data = {"id": receipt.id, **self._said(post)}
        request = self._signed(f"edit_{commit.key}", "post.updated", commit.at, data)
        answer = self.commit("POST", self._path(), **request)
        return dataclasses.replace(receipt, url=_address(answer) or receipt.url)

    def delete(self, receipt: Receipt) -> None:
        request = self._signed(f"delete_{receipt.id}", "post.deleted", self.http.now(), {"id": receipt.id})
        self.commit("POST", self._path(), **request)

    def classify(self, answer: Answer) -> PublishError | None:
        if answer.status in CLOSED:
            what = f"the receiver takes no posts from us at this address ({answer.status})"
            return Unauthorized(what, status=answer.status, words=answer.words())
        return judge(answer)

    def _said(self, post: Post) -> dict[str, Any]:
        said = {
            name: getattr(post, name)
            for name in ("text", "link", "title", "description", "language", "warning", "visibility")
        }
        media = [
            {
                **{name: getattr(m, name) for name in ("mime", "width", "height", "sha256", "alt")},
                "content": base64.b64encode(m.read()).decode(),
            }
            for m in post.media
            if self._inline()
        ]
        return {**said, "facets": [dataclasses.asdict(f) for f in post.facets], "media": media}

    def _signed(self, number: str, kind: str, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
        """One request: its id and body are the same whenever it is repeated, its time is that of this attempt."""
        payload = {"type": kind, "timestamp": _iso(at), "data": data}
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        now = str(int(self.http.now().timestamp()))
        signature = hmac.new(self._secret(), f"{number}.{now}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }
        return {"headers": headers, "content": body}

    def _secret(self) -> bytes:
        secret = self.settings.get("secret", "").strip()
        if not secret.startswith(WHSEC):
            return secret.encode()
        try:
            return base64.b64decode(secret.removeprefix(WHSEC), validate=True)
        except ValueError:
            raise Unauthorized("what follows whsec_ in the secret is not base64; copy the secret again") from None

    def _inline(self) -> bool:
        return self.settings.get("pictures", INLINE) == INLINE

    def _path(self) -> str:
        url = self.settings.get("url", "").strip()
        if url.startswith(("https://", "http://")):
            return url
        if not self.base:
            raise Unauthorized("the url must begin with https://")
        return f"/{url}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _address(answer: Answer) -> str | None:
    """Where the receiver says that readers find the post; any 2xx is success, whatever its body."""
    url = answer.told("url")
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None
