"""Medium: its API is closed to new programs, so a person posts the story."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.by_hand import ByHand
from publishers.core.limits import Limits


class Medium(ByHand):
    """A writer's account."""

    label: ClassVar = "Medium"
    limits: ClassVar = Limits(text=20_000, title=100, hashtags=5, media=1, media_bytes=20_000_000, alt=500)
    opens: ClassVar = "https://medium.com/new-story"
    unverified: ClassVar = "how long a text may be (no limit is stated)"
