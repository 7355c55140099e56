"""Instagram for personal accounts: its API takes posts of professional accounts alone, so a person posts them."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.by_hand import ByHand
from publishers.core.limits import Limits


class InstagramPersonal(ByHand):
    """A personal account."""

    label: ClassVar = "Instagram (personal)"
    limits: ClassVar = Limits(
        text=2200,
        hashtags=5,
        media=1,
        media_bytes=8_000_000,
        media_types=("image/jpeg",),
        alt=1000,
        cards=((1080, 1350),),
        link_in_text=False,
        link_card=False,
    )
    opens: ClassVar = "https://www.instagram.com/"
