"""TikTok: what a program posts there is private until TikTok has audited the program, so a person posts the photo."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.by_hand import ByHand
from publishers.core.limits import Limits


class Tiktok(ByHand):
    """A profile's photo posts (https://developers.tiktok.com/doc/content-posting-api-reference-photo-post)."""

    label: ClassVar = "TikTok"
    limits: ClassVar = Limits(
        text=4000,
        counting="utf16",
        hashtags=5,
        media=1,
        media_bytes=20_000_000,
        media_types=("image/jpeg",),
        cards=((1080, 1350),),
        link_in_text=False,
        link_card=False,
    )
    opens: ClassVar = "https://www.tiktok.com/upload"
    unverified: ClassVar = "whether its apps count a text as its API does"
