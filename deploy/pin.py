"""Pins every image that we name and do not build by the digest that its registry has for it now: python deploy/pin.py.

With ``--check`` nothing is asked or written: it ends with 1 if an image has no version or no digest. Asks with docker
or, where that is not, skopeo.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = ("Dockerfile", "docker-compose.yml", "deploy/compose/*.yml", "deploy/kubernetes/*.yaml")
IMAGE = re.compile(
    r"^(?P<before>\s*(?:FROM|image:|- image:)\s+)(?P<name>[\w./-]+(?::[\w.-]+)?)"
    r"(?P<digest>@sha256:[0-9a-f]{64})?(?=\s|$)",
    re.MULTILINE,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
OURS = "handbill"


def files(root: Path) -> Iterator[Path]:
    """Every file that names images."""
    for pattern in FILES:
        yield from sorted(root.glob(pattern))


def images(text: str) -> Iterator[tuple[str, str]]:
    """The images of a file, with the digests that they are pinned by ("" for none); not those that are built here."""
    for found in IMAGE.finditer(text):
        if found["name"].partition(":")[0] != OURS:
            yield found["name"], (found["digest"] or "").lstrip("@")


def loose(name: str) -> bool:
    """Whether an image is of no certain version."""
    return name.partition(":")[2] in {"", "latest"}


def pinned(text: str, digest_of: Callable[[str], str]) -> str:
    """``text`` with the digest of each image behind its name."""

    def pin(found: re.Match[str]) -> str:
        if found["name"].partition(":")[0] == OURS:
            return found[0]
        return f"{found['before']}{found['name']}@{digest_of(found['name'])}"

    return IMAGE.sub(pin, text)


def read(said: str) -> str:
    """The digest in what a tool has printed; raises ValueError unless it is the one there is."""
    found = set(DIGEST.findall(said))
    if len(found) != 1:
        raise ValueError(f"no digest in {said.strip()[:200]!r}")
    return found.pop()


def asked(name: str) -> str:
    """The digest that the registry has for an image, of all architectures; ends with one line if nobody says it."""
    tools = (
        ["docker", "buildx", "imagetools", "inspect", name, "--format", "{{.Manifest.Digest}}"],
        ["skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{name}"],
    )
    why = "neither docker nor skopeo is installed"
    for words in (w for w in tools if shutil.which(w[0])):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        try:
            return read(done.stdout)
        except ValueError:
            why = f"{words[0]} says: {(done.stderr or done.stdout).strip().partition(chr(10))[0][:200]}"
    sys.exit(f"{name} cannot be looked up: {why}")


def main() -> None:
    """Pin, or with ``--check`` look."""
    known: dict[str, str] = {}
    bad = 0
    for path in files(ROOT):
        text = path.read_text()
        if "--check" in sys.argv:
            for name, digest in images(text):
                why = "has no version" if loose(name) else "" if digest else "has no digest"
                bad += bool(why)
                print(f"{path.relative_to(ROOT)}: {name} {why or digest}")
            continue
        for name in {n for n, _ in images(text)} - set(known):
            known[name] = asked(name)
        path.write_text(pinned(text, known.__getitem__))
    for name, digest in sorted(known.items()):
        print(f"{name}@{digest}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
