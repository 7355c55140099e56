"""Every kind of key that the store may write, read from its code: a new one cannot be forgotten by whoever counts them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

STORE = Path(__file__).parent.parent / "worker" / "store"
STARTS = re.compile(r"(^|[._])(home|root)$")
IN_LUA = re.compile(r"\b(?:root|home) \.\. '([\w:-]+)'(?:( \.\. )[\w\[\]]+(?: \.\. '([\w:-]+)')?)?")
IN_KEYS = re.compile(r"\}:([\w:-]+)")
OF_KEYS = {"aftercare": ("after:", -1), "people": ("", -1), "_put": ("", 0)}
"""Functions of which one argument is the rest of a key: what they put before it, and which one it is."""


def families() -> set[str]:
    """What stands behind ``handbill:{…}:`` in every key of the code, with * for whatever is told at run time."""
    found: set[str] = set()
    for path in sorted(STORE.glob("*.py")):
        found |= set(_in_python(path))
    for path in [*sorted(STORE.glob("*.py")), *sorted((STORE / "lua").glob("*.lua"))]:
        rows = IN_LUA.findall(path.read_text())
        found |= {name + ("*" if more or name.endswith(":") else "") + rest for name, more, rest in rows}
    return {f for f in found if f.strip("*")}


def _in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in node.values)
            if path.name == "keys.py" and (rest := IN_KEYS.search(text)):
                yield rest[1] + ("*" if text.endswith("*") else "")
            elif len(node.values) > 1 and _is_start(node.values[0]):
                yield text.removeprefix("*")
        elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            start, place = OF_KEYS.get(name, ("", 0))
            told = node.args[place]
            if name in OF_KEYS and isinstance(told, (ast.Constant, ast.JoinedStr)):
                parts = told.values if isinstance(told, ast.JoinedStr) else [told]
                yield start + "".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in parts)


def _is_start(node: ast.expr) -> bool:
    """Whether an expression is the start of keys: something called home or root, called or not."""
    if not isinstance(node, ast.FormattedValue):
        return False
    inner = node.value.func if isinstance(node.value, ast.Call) else node.value
    return STARTS.search(ast.unparse(inner)) is not None
