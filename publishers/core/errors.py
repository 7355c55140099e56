"""The closed set of things that can go wrong with a platform, named by what may be done next.

PublishError
├── Unavailable    certainly not public: try again later
├── RateLimited    certainly not public: not before ``retry_after`` seconds
├── Unconfirmed    perhaps public: find out before anything is sent again
├── Rejected       this post never: the platform's own words say why
├── Unauthorized   certainly not public: refresh the token, else a person must reconnect the account
└── Unsupported    the post asks for something the platform cannot express: our own mistake
"""

from __future__ import annotations


class PublishError(Exception):
    """One of the six; ``what`` is a sentence for people and never holds a secret.

    ``status`` is the HTTP status if there was an answer, ``words`` the platform's own words (shortened).
    """

    def __init__(self, what: str, *, status: int | None = None, words: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.status = status
        self.words = words

    def __str__(self) -> str:
        return f"{self.what}: {self.words}" if self.words and self.words not in self.what else self.what


class Unavailable(PublishError):
    """Certainly not public (no connection, no address, refused before the commit); worth another try.

    ``stale``: the platform has forgotten what was prepared, so the next try prepares anew.
    """

    def __init__(self, what: str, *, stale: bool = False, status: int | None = None, words: str = "") -> None:
        super().__init__(what, status=status, words=words)
        self.stale = stale


class RateLimited(PublishError):
    """Certainly not public; the platform asks to wait ``retry_after`` seconds (never less)."""

    def __init__(self, what: str, *, retry_after: float, status: int | None = None, words: str = "") -> None:
        super().__init__(what, status=status, words=words)
        self.retry_after = retry_after


class Unconfirmed(PublishError):
    """Perhaps public: the answer to a commit was lost, unreadable or a server error."""


class Rejected(PublishError):
    """The platform will never take this post as it is."""


class Unauthorized(PublishError):
    """The platform does not accept our token (any more); the post is certainly not public."""


class Unsupported(PublishError):
    """The post asks for something this platform cannot express."""
