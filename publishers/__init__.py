"""The registry: every module of this folder is one platform, and so is what others add; imported when asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from importlib import metadata

from publishers.core.publisher import Publisher

GROUP = "handbill.platforms"
"""The entry points by which an installed package adds platforms: ``name = "package.module"`` (your-own.md)."""

_packages = [__name__]


def register(package: str) -> None:
    """Let every module of another package, named like ``their.platforms``, count as a platform too.

    Raises ImportError if there is no such package, ValueError if it has a platform that another one has.
    """
    if package in _packages:
        return
    _packages.append(package)
    forget()
    try:
        _homes()
    except (ImportError, ValueError):
        _packages.remove(package)
        raise
    finally:
        forget()


def forget() -> None:
    """Look again at what there is, the next time that somebody asks."""
    for cached in (_homes, _added, names, load):
        cached.cache_clear()


@functools.cache
def _homes() -> Mapping[str, str]:
    """The module of each platform that a folder lists."""
    found: dict[str, str] = {}
    for package in _packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            if module.ispkg:
                continue
            if module.name in found:
                other = found[module.name].rpartition(".")[0]
                raise ValueError(f"{package} and {other} both have a platform {module.name!r}")
            found[module.name] = f"{package}.{module.name}"
    return found


@functools.cache
def _added() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The modules of platforms that installed packages add, and why the others are left out.

    One that cannot be used leaves the rest as it was: it takes no other's name, and so none of its accounts.
    """
    found: dict[str, str] = {}
    refused: dict[str, str] = {}
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        whose = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        if not point.name.isidentifier() or not point.name.islower():
            refused[point.name] = f"{whose}: a platform's name is a word in small letters, digits and _"
        elif point.name in _homes() or point.name in found:
            refused[f"{point.name} ({point.value})"] = f"{whose}: there is a platform of this name already"
        else:
            try:
                adapter(point.value)
            except Exception as error:  # noqa: BLE001 - whatever somebody else's module does when it is imported
                refused[point.name] = f"{whose}: {point.value} cannot be used ({type(error).__name__}: {error})"
            else:
                found[point.name] = point.value
    return found, refused


def left_out() -> Mapping[str, str]:
    """What installed packages wanted to add and why it is no platform here, by its name."""
    return _added()[1]


def is_added(name: str) -> bool:
    """Whether an installed package added this platform, so that nothing else of ours knows of it."""
    return name in _added()[0]


@functools.cache
def names() -> tuple[str, ...]:
    """Every platform's name in alphabetical order: the folder listings, and what installed packages add."""
    return tuple(sorted({**_homes(), **_added()[0]}))


@functools.cache
def load(name: str) -> type[Publisher]:
    """Return the adapter class of platform ``name``.

    Raises KeyError, with the names that exist, if there is no such platform.
    """
    if name not in names():
        raise KeyError(f"no platform {name!r}; there are: {', '.join(names())}")
    return adapter(_homes().get(name) or _added()[0][name])


def adapter(module: str) -> type[Publisher]:
    """The adapter class of a module, named like ``their.platforms.name``; raises ImportError if it has none."""
    found = importlib.import_module(module)
    for value in vars(found).values():
        if isinstance(value, type) and issubclass(value, Publisher) and value.__module__ == found.__name__:
            return value
    raise ImportError(f"{module} has no class that extends Publisher")
