"""Any other place, by its name: a person posts there."""

from __future__ import annotations

from typing import ClassVar

from publishers.core.by_hand import ByHand
from publishers.core.limits import Limits
from publishers.core.publisher import Profile
from publishers.core.setting import Setting


class Elsewhere(ByHand):
    """An account somewhere that Handbill knows nothing of: ``service`` is its name, ``opens`` where writing begins."""

    label: ClassVar = "By hand"
    limits: ClassVar = Limits(text=2000, hashtags=3, media=1, media_bytes=8_000_000, alt=1000)
    fields: ClassVar = (
        Setting(name="service", label="What the place is called, such as Town app"),
        *ByHand.fields,
        Setting(name="text_limit", label="How many signs a text may have there", required=False),
        Setting(name="opens", label="Address at which writing begins there", required=False),
    )

    def connect(self) -> Profile:
        said = self.settings.get("text_limit", "")
        limits = {"text": int(said)} if said.isdecimal() and int(said) > 0 else {}
        name = f"{self.settings.get('person', '')} on {self.place}"
        return Profile(name=name, url=self.settings.get("profile", ""), limits=limits)

    @property
    def place(self) -> str:
        return self.settings.get("service", "") or self.label
