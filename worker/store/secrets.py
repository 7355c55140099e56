"""How secrets are kept: encrypted with the newest key, bound to the row they belong to, readable with any key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from worker.errors import HandbillError


class Vault:
    """Encrypts and decrypts the secret settings of one row; Fernet has no associated data, so the row is inside."""

    def __init__(self, secret_keys: str) -> None:
        self._keys = [k.strip() for k in secret_keys.split(",") if k.strip()]
        try:
            self._fernet = MultiFernet([Fernet(k) for k in self._keys])
        except ValueError:
            do = "It is 32 random bytes in URL-safe base64; leave it empty to have one made"
            raise HandbillError("HANDBILL_SECRET_KEY is not a Fernet key", do=do) from None

    def sign(self, *words: str) -> str:
        """What only we can say about these words, 22 characters that may stand in an address."""
        return _signed(self._keys[0], words)

    def signed(self, sign: str, *words: str) -> bool:
        """Whether ``sign`` is what ``sign`` said about these words, with any of the keys."""
        return any(hmac.compare_digest(_signed(key, words).encode(), sign.encode()) for key in self._keys)

    def lock(self, row: str, values: Mapping[str, str]) -> bytes:
        """The values, unreadable, for ``row`` alone."""
        return self._fernet.encrypt(json.dumps([row, dict(values)]).encode())

    def unlock(self, row: str, locked: bytes) -> dict[str, str]:
        """The values of ``row``; raises HandbillError if no key fits or they belong to another row."""
        try:
            owner, values = json.loads(self._fernet.decrypt(locked))
        except InvalidToken:
            do = "Give the key they were stored with in HANDBILL_SECRET_KEY, or connect the account again"
            raise HandbillError(f"The secrets of {row} cannot be read", why="no key fits", do=do) from None
        if owner != row:
            raise HandbillError(f"The secrets of {row} belong to {owner}", do="Connect the account again")
        return {str(k): str(v) for k, v in values.items()}


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
