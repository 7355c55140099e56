"""What is done on a real platform to see that an adapter works there: a post, a reply, a change, and all of it gone."""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import publishers
from publishers.core.errors import RateLimited, Unavailable, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Media, Post, Receipt
from publishers.core.publisher import ProofClass, Publisher

LINK = "https://example.org/handbill?test=1&more=2"
PATIENCE = (2, 5, 10, 20, 40)  # seconds between tries while a platform works on a picture or has not listed a post yet


@dataclass
class Journey:
    """One run on one account; ``told`` says what was seen, in order, for whoever started it."""

    platform: str
    settings: Mapping[str, str]
    folder: Path
    picture_url: str = ""
    allow: tuple[str, ...] = ()
    pause: Callable[[float], None] = time.sleep
    told: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Post, look it up, answer it, change it, count, and take everything away again, whatever went wrong."""
        settings = self._connected()
        named = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
        with contextlib.ExitStack() as undo:
            post, commit = self._post(settings, named), self._commit(named, "post")
            receipt = self._send(settings, post, commit, undo)
            self._find(settings, post, receipt)
            self._reply(settings, named, receipt, undo)
            receipt = self._edit(settings, post, named, receipt, undo)
            with self._open(settings) as adapter:
                if adapter.can("metrics"):
                    self._tell("numbers", lambda: adapter.metrics(receipt))
        with self._open(settings) as adapter:
            self._tell("deleted twice, which is as good as once", lambda: adapter.delete(receipt))

    def _connected(self) -> dict[str, str]:
        with self._open(self.settings) as adapter:
            profile = adapter.connect()
            kind = (profile.proof or adapter.proof).kind
        self.told.append(f"connected as {profile.name}, class {kind}, limits {dict(profile.limits)}")
        return {**self.settings, **profile.settings}

    @contextlib.contextmanager
    def _open(self, settings: Mapping[str, str]) -> Iterator[Publisher]:
        with Http(allow=self.allow) as http:
            yield publishers.load(self.platform)(dict(settings), http)

    def _post(self, settings: Mapping[str, str], named: str) -> Post:
        limits = publishers.load(self.platform).limits
        text = f"A test of Handbill that is gone in a moment 🚢 {named}"
        facets: tuple[Facet, ...] = ()
        if limits.link_in_text and settings.get("embed") != "card":
            facets = (Facet(type="link", start=len(text) + 1, end=len(text) + 1 + len(LINK), value=LINK),)
            text += f" {LINK}"
        media = (self._picture(limits.media_types),) if limits.media else ()
        return Post(text=text, facets=facets, link=LINK, title="Handbill", language="en", media=media)

    def _picture(self, types: tuple[str, ...]) -> Media:
        mime = "image/png" if "image/png" in types else "image/jpeg"
        image = Image.new("RGB", (1200, 630), "#10304f")
        ImageDraw.Draw(image).rectangle((100, 100, 1100, 530), fill="#ffc15e")
        buffer = io.BytesIO()
        image.save(buffer, mime.rpartition("/")[2].upper())
        content = buffer.getvalue()
        path = self.folder / f"picture.{mime.rpartition('/')[2]}"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        told: dict[str, Any] = {"path": str(path), "sha256": digest, "size": len(content), "url": self.picture_url}
        return Media(mime=mime, width=1200, height=630, alt="A yellow field on blue", **told)

    def _commit(self, named: str, step: str) -> Commit:
        return Commit(key=hashlib.sha1(f"{named} {step}".encode()).hexdigest(), at=datetime.now(UTC))

    def _send(self, settings: Mapping[str, str], post: Post, commit: Commit, undo: contextlib.ExitStack) -> Receipt:
        with self._open(settings) as adapter:
            draft = self._patiently(lambda: adapter.draft(post, commit.key, commit.reply_to))
            whole = replace(commit, prepared=draft)
            receipt = self._patiently(lambda: adapter.create(post, whole))
            undo.callback(self._delete, settings, receipt)
            self.told.append(f"posted {receipt.id} {receipt.url or '(no address)'}")
            if adapter.proof.kind is ProofClass.A and self.platform not in {
                "mastodon",
                "matrix",
            }:  # whose class is their server's
                self._same(receipt, adapter.create(post, whole), "the same commit again")
        self._sent = whole
        return receipt

    def _find(self, settings: Mapping[str, str], post: Post, receipt: Receipt) -> None:
        with self._open(settings) as adapter:
            if not adapter.can("find"):
                return
            for seconds in (0, *PATIENCE):
                self.pause(seconds)
                with contextlib.suppress(Unavailable):
                    try:
                        found = adapter.find(post, self._sent)
                    except Unsupported as error:
                        self.told.append(f"not looked up: {error}")
                        return
                    if found:
                        (one,) = found
                        assert one.id == receipt.id, f"found {one.id}, posted {receipt.id}"
                        self.told.append(f"found after {seconds} s")
                        return
            raise AssertionError(f"{self.platform} does not list the post")

    def _reply(self, settings: Mapping[str, str], named: str, first: Receipt, undo: contextlib.ExitStack) -> None:
        limits = publishers.load(self.platform).limits
        if limits.thread or limits.comment:
            reply = Post(text=f"And its answer {named}", language="en")
            commit = replace(self._commit(named, "reply"), reply_to=first, root=first)
            sent = self._sent
            try:
                self._send(settings, reply, commit, undo)
            except Unsupported as error:
                self.told.append(f"not answered: {error}")
            self._sent = sent

    def _edit(
        self, settings: Mapping[str, str], post: Post, named: str, receipt: Receipt, undo: contextlib.ExitStack
    ) -> Receipt:
        """What is public after the change, which may have another number."""
        with self._open(settings) as adapter:
            if not adapter.can("edit"):
                return receipt
            changed = Post(text=f"Changed: a test of Handbill {named}", language="en", media=post.media)
            now = self._tell("changed", lambda: adapter.edit(receipt, changed, self._commit(named, "edit")))
        if not isinstance(now, Receipt):
            return receipt
        if now.id != receipt.id:
            undo.callback(self._delete, settings, now)
        return now

    def _delete(self, settings: Mapping[str, str], receipt: Receipt) -> None:
        with self._open(settings) as adapter:
            if adapter.can("delete"):
                self._tell(f"deleted {receipt.id}", lambda: adapter.delete(receipt))

    def _tell(self, what: str, act: Callable[[], object]) -> object:
        """Do it and say so; what this account's kind of sign-in cannot do is said too."""
        try:
            got: object = self._patiently(act)
        except Unsupported as error:
            self.told.append(f"not {what}: {error}")
            return None
        self.told.append(what if got is None else f"{what}: {got}")
        return got

    def _patiently(self, act: Callable[[], Any]) -> Any:
        for seconds in PATIENCE:
            try:
                return act()
            except RateLimited as error:
                self.pause(min(error.retry_after, 60))
            except Unavailable:
                self.pause(seconds)
        return act()

    def _same(self, one: Receipt, other: Receipt, what: str) -> None:
        assert one == other, f"{what} gave {other}, not {one}"
        self.told.append(f"{what} is the same post")
