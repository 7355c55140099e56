"""Signatures and keys by the test vectors of BIP-340, BIP-173 and NIP-19, and what can be no key."""

import pytest

from publishers.core import secp256k1

# https://github.com/bitcoin/bips/blob/master/bip-0340/test-vectors.csv, those whose auxiliary randomness is zeros
VECTORS = [
    (
        "0000000000000000000000000000000000000000000000000000000000000003",
        "F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
        "0000000000000000000000000000000000000000000000000000000000000000",
        (
            "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA8215"
            "25F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0"
        ),
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_a_signature_is_the_one_of_the_standard(secret, public, message, signature):
    assert secp256k1.public_key(bytes.fromhex(secret)).hex().upper() == public
    assert secp256k1.sign(bytes.fromhex(secret), bytes.fromhex(message)).hex().upper() == signature


def test_keys_are_written_as_nip_19_writes_them():
    key = bytes.fromhex("7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e")
    assert secp256k1.bech32("npub", key) == "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    secret = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
    found = secp256k1.from_bech32(f" {secret.upper()}\n", "nsec")
    assert found.hex() == "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
    assert secp256k1.public_key(found) == key


@pytest.mark.parametrize(
    "text", ["", "nsec1", "npub1qqqqqq", "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe6"]
)
def test_what_was_mistyped_is_no_key(text):
    with pytest.raises(ValueError, match=r"this is not written as nsec1…|a letter of it is wrong"):
        secp256k1.from_bech32(text, "nsec")


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\xff" * 32, b"\1" * 31])
def test_what_can_be_no_secret_is_refused(secret):
    with pytest.raises(ValueError, match="can be no secret key"):
        secp256k1.public_key(secret)
