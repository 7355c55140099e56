"""What of our environment a process of ours gets that needs none of our secrets."""

from __future__ import annotations

import os

SECRETS = (
    "HANDBILL_SECRET_KEY",
    "HANDBILL_REDIS_URL",
    "HANDBILL_BROKER_URL",
    "HANDBILL_OIDC_CLIENT_SECRET",
    "HANDBILL_MODEL_KEY",
    "HANDBILL_SHORTENER_KEY",
    "SENTRY_DSN",
)
"""Settings that are secret, or addresses with a password: whoever may look at a process may read its environment."""


def plain() -> dict[str, str]:
    """Our environment without them."""
    return {name: value for name, value in os.environ.items() if name.upper() not in SECRETS}
