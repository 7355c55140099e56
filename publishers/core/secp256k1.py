"""Signatures of BIP-340 on secp256k1, always the same for the same key and words, and keys in bech32 (BIP-173).

The curve's arithmetic is OpenSSL's, which ``cryptography`` brings; it has no such signatures of its own.
https://github.com/bitcoin/bips/blob/master/bip-0340.mediawiki, which has the test vectors too.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
SIZE = 32


def public_key(secret: bytes) -> bytes:
    """The public key of 32 secret bytes: the x coordinate of its point. Raises ValueError if it can be no key."""
    return _point(_scalar(secret))[0].to_bytes(SIZE)


def sign(secret: bytes, message: bytes) -> bytes:
    """The 64 bytes of the signature of ``message`` (32 bytes), always the same: its auxiliary randomness is zeros."""
    number = _scalar(secret)
    x, y = _point(number)
    key, d = x.to_bytes(SIZE), number if y % 2 == 0 else ORDER - number
    masked = d ^ int.from_bytes(_tagged("BIP0340/aux", bytes(SIZE)))
    k = int.from_bytes(_tagged("BIP0340/nonce", masked.to_bytes(SIZE) + key + message)) % ORDER
    rx, ry = _point(k)
    if ry % 2:
        k = ORDER - k
    r = rx.to_bytes(SIZE)
    e = int.from_bytes(_tagged("BIP0340/challenge", r + key + message)) % ORDER
    return r + ((k + e * d) % ORDER).to_bytes(SIZE)


def bech32(prefix: str, content: bytes) -> str:
    """``content`` as text that begins with ``prefix``."""
    words = _regrouped(content, 8, 5, pad=True)
    check = _polymod([*_expanded(prefix), *words, *bytes(6)]) ^ 1
    return f"{prefix}1{''.join(CHARSET[w] for w in [*words, *((check >> 5 * (5 - i)) & 31 for i in range(6))])}"


def from_bech32(text: str, prefix: str) -> bytes:
    """The bytes that ``text`` stands for; raises ValueError if it is no such text or was mistyped."""
    found, _, said = text.strip().lower().rpartition("1")
    if found != prefix or len(said) < 6 or not set(said) <= set(CHARSET):
        raise ValueError(f"this is not written as {prefix}1…")
    words = [CHARSET.index(c) for c in said]
    if _polymod([*_expanded(prefix), *words]) != 1:
        raise ValueError("a letter of it is wrong")
    return bytes(_regrouped(words[:-6], 5, 8, pad=False))


def _scalar(secret: bytes) -> int:
    number = int.from_bytes(secret)
    if len(secret) != SIZE or not 0 < number < ORDER:
        raise ValueError("this can be no secret key")
    return number


def _point(number: int) -> tuple[int, int]:
    found = ec.derive_private_key(number, ec.SECP256K1()).public_key().public_numbers()
    return found.x, found.y


def _tagged(tag: str, content: bytes) -> bytes:
    name = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(name + name + content).digest()


def _expanded(prefix: str) -> list[int]:
    return [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]


def _polymod(words: list[int]) -> int:
    check = 1
    for word in words:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ word
        for place, generator in enumerate(GENERATOR):
            check ^= generator if top >> place & 1 else 0
    return check


def _regrouped(content: bytes | list[int], width: int, to: int, *, pad: bool) -> list[int]:
    """The bits of ``content``, ``width`` in each of its numbers, as numbers of ``to`` bits."""
    held = bits = 0
    found = []
    for word in content:
        held, bits = held << width | word, bits + width
        while bits >= to:
            bits -= to
            found.append(held >> bits & (1 << to) - 1)
    if pad and bits:
        found.append(held << to - bits & (1 << to) - 1)
    elif not pad and (bits >= width or held & (1 << bits) - 1):
        raise ValueError("it has a few bits too many")
    return found
