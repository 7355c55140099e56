"""WhatsApp channels: there is no way in for programs, so a person posts the update."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.by_hand import ByHand
from publishers.core.limits import Limits


class WhatsappChannel(ByHand):
    """A channel's updates."""

    label: ClassVar = "WhatsApp channel"
    limits: ClassVar = Limits(text=1024, hashtags=0, media=1, media_bytes=5_000_000, media_types=("image/jpeg",))
    opens: ClassVar = "https://web.whatsapp.com/"
    unverified: ClassVar = "how long an update may be (none is stated; 1,024 is cautious)"
