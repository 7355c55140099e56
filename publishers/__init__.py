"""The registry: every module of this folder is one platform, imported when it is first asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from publishers.core.publisher import Publisher


@functools.cache
def names() -> tuple[str, ...]:
    """Every platform's name in alphabetical order: the folder listing, nothing else."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg))


@functools.cache
def load(name: str) -> type[Publisher]:
    """Return the adapter class of platform ``name``.

    Raises KeyError, with the names that exist, if there is no such platform.
    """
    if name not in names():
        raise KeyError(f"no platform {name!r}; there are: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Publisher) and value.__module__ == module.__name__
    )
