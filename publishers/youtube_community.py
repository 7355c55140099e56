"""YouTube's posts (once the community tab): its API takes them from chosen partners alone, so a person posts them."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.by_hand import ByHand
from publishers.core.limits import Limits


class YoutubeCommunity(ByHand):
    """A channel's posts."""

    label: ClassVar = "YouTube posts"
    limits: ClassVar = Limits(text=1500, hashtags=3, media=1, media_bytes=16_000_000, cards=((1080, 1080),))
    opens: ClassVar = "https://www.youtube.com/channel/?show_create_dialog=1"
    unverified: ClassVar = "how long a text may be (none is stated; 1,500 is cautious)"
