"""OAuth 2 as the standards have it; what each adapter makes of it is asked by the contract (tests/test_publishers.py)."""

import pytest

from publishers.core import oauth
from publishers.core.oauth import OAuth, granted


def test_the_challenge_is_the_one_of_the_standard():
    # RFC 7636, appendix B
    assert (
        oauth.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


@pytest.mark.parametrize("given", ["write read", "read,write", ["write", "read"]])
def test_granted_scopes_are_read_however_they_are_written(given):
    assert granted(given) == "read write"


def test_a_wider_scope_holds_the_narrower_ones():
    own = OAuth(authorize="/a", endpoint="/b", scopes=("write:media", "write:statuses", "read:accounts"))
    assert own.missing("write read:statuses") == ["read:accounts"]
    assert own.missing("write read") == []
