"""How secrets are kept: encrypted with the newest key, bound to the row they belong to, readable with any key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from worker.errors import HandbillError

SEALED = re.compile(rb"gAAAAA[A-Za-z0-9_-]{90,}={0,2}")
"""Nothing else that is stored looks like a Fernet token: a version, the high bytes of an instant, random ones."""


LEAST_BYTES = 12
"""Different bytes in a key of 32: random ones have at least 20, what somebody made up for an example has fewer."""


def is_sealed(item: bytes) -> bool:
    """Whether something that is stored was encrypted, with whatever key."""
    return SEALED.fullmatch(item) is not None


def _key(text: str) -> Fernet:
    """Raises ValueError for what is no key, or none that anybody drew."""
    found = Fernet(text)
    if len(set(base64.urlsafe_b64decode(text))) < LEAST_BYTES:
        raise ValueError("it was not drawn at random")
    return found


class Vault:
    """Encrypts and decrypts the secret settings of one row; Fernet has no associated data, so the row is inside.

    ``again`` tells the keys once more where they may change while the process runs.
    """

    def __init__(self, secret_keys: str, *, again: Callable[[], str] | None = None) -> None:
        self._again = again
        self._take(secret_keys)

    def _take(self, secret_keys: str) -> None:
        self._given = secret_keys
        self._keys = [k.strip() for k in secret_keys.split(",") if k.strip()]
        try:
            found = [_key(k) for k in self._keys]
            self._fernet, self._newest = MultiFernet(found), found[0]
        except (ValueError, IndexError):
            do = "It is 32 random bytes in URL-safe base64; leave it empty to have one made"
            raise HandbillError("HANDBILL_SECRET_KEY is not a Fernet key", do=do) from None

    def _look_again(self) -> bool:
        """Take the keys there are now; False if they are the ones we have."""
        if self._again is None or (now := self._again()) == self._given:
            return False
        self._take(now)
        return True

    def sign(self, *words: str) -> str:
        """What only we can say about these words, 22 characters that may stand in an address."""
        self._look_again()
        return _signed(self._keys[0], words)

    def signed(self, sign: str, *words: str) -> bool:
        """Whether ``sign`` is what ``sign`` said about these words, with any of the keys."""
        fits = any(hmac.compare_digest(_signed(key, words).encode(), sign.encode()) for key in self._keys)
        return fits or (self._look_again() and self.signed(sign, *words))

    def lock(self, row: str, values: Mapping[str, str]) -> bytes:
        """The values, unreadable, for ``row`` alone."""
        return self.seal(json.dumps([row, dict(values)]).encode())

    def unlock(self, row: str, locked: bytes) -> dict[str, str]:
        """The values of ``row``; raises HandbillError if no key fits or they belong to another row."""
        try:
            owner, values = json.loads(self.open(locked))
        except InvalidToken:
            do = "Give the key they were stored with in HANDBILL_SECRET_KEY, or connect the account again"
            raise HandbillError(f"The secrets of {row} cannot be read", why="no key fits", do=do) from None
        if owner != row:
            raise HandbillError(f"The secrets of {row} belong to {owner}", do="Connect the account again")
        return {str(k): str(v) for k, v in values.items()}

    def seal(self, plain: bytes) -> bytes:
        """Bytes, unreadable, under the newest key there is."""
        self._look_again()
        return self._fernet.encrypt(plain)

    def open(self, locked: bytes) -> bytes:
        """What ``seal`` was given; raises InvalidToken if no key fits."""
        try:
            return self._fernet.decrypt(locked)
        except InvalidToken:
            if not self._look_again():
                raise
            return self._fernet.decrypt(locked)

    def can_open(self, locked: bytes) -> bool:
        """Whether one of the keys fits."""
        try:
            self.open(locked)
        except InvalidToken:
            return False
        return True

    def renewed(self, locked: bytes) -> bytes | None:
        """The same under the newest key, None if it is so already; raises InvalidToken if no key fits."""
        plain = self.open(locked)
        try:
            self._newest.decrypt(locked)
        except InvalidToken:
            return self._newest.encrypt(plain)
        return None

    def refresh(self) -> None:
        """Take the keys there are now."""
        self._look_again()


def _signed(key: str, words: tuple[str, ...]) -> str:
    said = hmac.digest(key.encode(), json.dumps(["sign", *words]).encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(said[:16]).decode().rstrip("=")


def key_of(data_dir: Path, given: str) -> str:
    """The keys to use: the given ones, else those in ``secret.key`` of the data folder, which is made at need."""
    if given:
        return given
    path = data_dir / "secret.key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise HandbillError(f"{path} cannot be written", why=str(error.strerror), do="Set HANDBILL_DATA_DIR") from None
    key = Fernet.generate_key().decode()
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")
    return key
