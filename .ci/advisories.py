"""Says what pip-audit found, and what it could not look up, which it calls success."""

from __future__ import annotations

import json
import sys
from pathlib import Path

FINE, KNOWN, NOT_AUDITED = 0, 1, 3


def judge(path: Path) -> tuple[int, list[str]]:
    """The exit code and the lines for what pip-audit wrote, if it wrote anything."""
    try:
        parts = json.loads(path.read_text())["dependencies"]
    except (OSError, ValueError, KeyError):
        return NOT_AUDITED, ["the advisories cannot be reached from here: nothing was audited"]
    known = [f"{p['name']} {p['version']}: {v['id']}" for p in parts for v in p.get("vulns", [])]
    skipped = [p["name"] for p in parts if "skip_reason" in p]
    if known:
        return KNOWN, [f"known to be bad: {line}" for line in known]
    if not parts or len(skipped) == len(parts):
        return NOT_AUDITED, ["the advisories cannot be reached from here: nothing was audited"]
    if skipped:
        return NOT_AUDITED, [f"{len(skipped)} of {len(parts)} parts could not be looked up: {', '.join(skipped[:9])}"]
    return FINE, [f"{len(parts)} parts were looked up, and nothing is known against any"]


if __name__ == "__main__":
    code, lines = judge(Path(sys.argv[1]))
    for line in lines:
        sys.stdout.write(f"audit: {line}\n")
    sys.exit(code)
