"""The registry: every module of this folder is one platform, imported when it is first asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from publishers.core.publisher import Publisher

_packages = [__name__]


def register(package: str) -> None:
    """Let every module of another package, named like ``their.platforms``, count as a platform too.

    Raises ImportError if there is no such package, ValueError if it has a platform that another one has.
    """
    if package in _packages:
        return
    _packages.append(package)
    _homes.cache_clear()
    try:
        _homes()
    except (ImportError, ValueError):
        _packages.remove(package)
        raise
    finally:
        names.cache_clear()


@functools.cache
def _homes() -> Mapping[str, str]:
    """The package in which each platform lives."""
    found: dict[str, str] = {}
    for package in _packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            if module.ispkg:
                continue
            if module.name in found:
                raise ValueError(f"{package} and {found[module.name]} both have a platform {module.name!r}")
            found[module.name] = package
    return found


@functools.cache
def names() -> tuple[str, ...]:
    """Every platform's name in alphabetical order: the folder listings, nothing else."""
    return tuple(sorted(_homes()))


@functools.cache
def load(name: str) -> type[Publisher]:
    """Return the adapter class of platform ``name``.

    Raises KeyError, with the names that exist, if there is no such platform.
    """
    if name not in names():
        raise KeyError(f"no platform {name!r}; there are: {', '.join(names())}")
    module = importlib.import_module(f"{_homes()[name]}.{name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Publisher) and value.__module__ == module.__name__
    )
