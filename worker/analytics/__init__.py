"""The services that count a site's visits: the folder listing is the registry, ``SERVICES`` has each by its name."""

from __future__ import annotations

from collections.abc import Mapping

from worker.analytics.matomo import MATOMO
from worker.analytics.plausible import PLAUSIBLE
from worker.analytics.service import Service, Setting, Window
from worker.analytics.umami import UMAMI

SERVICES: Mapping[str, Service] = {s.name: s for s in (MATOMO, PLAUSIBLE, UMAMI)}

__all__ = ["SERVICES", "Service", "Setting", "Window"]
