"""How long one share card (1200 by 630 pixels) takes, and the memory it takes, beside other ways to draw it.

``python -m bench.cards [--data DIR] [--rounds N] [--json]``; DIR holds photos (``*.jpg``), else the sample article's is
used at two sizes. ``floor-pillow`` only decodes, resizes and encodes. Peers are left out where they are missing:
``npm install --prefix .cache/bench satori @resvg/resvg-js sharp``, pycairo, Playwright with a Chromium. Every method
has a process of its own, and they take turns, so that a busy machine is busy for all of them alike.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import importlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

HERE = Path(__file__).parent
NODE_FOLDER = Path(os.environ.get("HANDBILL_BENCH_NODE", ".cache/bench")).resolve()
TEMPLATES = HERE.parent / "templates"
FONT = TEMPLATES / "fonts" / "InterDisplay-Bold.ttf"
SIZE = (1200, 630)
TITLE = "Larkhaven’s 1911 footbridge reopens four months early and £310,000 under budget"
SITE, AUTHOR = "The Larkhaven Lantern", "Nora Whitlow"
WARM_UP = 5
PAGE = """<meta charset="utf-8"><style>
@font-face {{ font-family: Card; src: url(data:font/ttf;base64,{font}) }}
body {{ margin: 0; width: 1200px; height: 630px; font-family: Card; color: #fff; position: relative; overflow: hidden }}
img {{ width: 100%; height: 100%; object-fit: cover }}
div {{ position: absolute; inset: 0; padding: 54px 61px; box-sizing: border-box; display: flex; flex-direction: column;
  justify-content: flex-end; background: linear-gradient(transparent 25%, rgba(11, 16, 22, .7) 55%) }}
h1 {{ font-size: 63px; line-height: 1.1; margin: 0 0 28px; text-wrap: balance }} p {{ font-size: 28px; margin: 0 }}
</style><img src="data:image/jpeg;base64,{photo}"><div><h1>{title}</h1><p>{site} · {author}</p></div>"""


def main() -> None:
    """Measure every photo with every method that is there; print a table, or JSON alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--draw", nargs=2, metavar=("METHOD", "PHOTO"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        serve(*options.draw)
        return
    with tempfile.TemporaryDirectory() as folder:
        photos = sorted(options.data.glob("*.jpg")) if options.data else samples(Path(folder))
        found = {photo.stem: measure(photo, options.rounds) for photo in photos}
    print(json.dumps(found, indent=1) if options.json else table(found))


def table(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """The figures as aligned lines, one method each."""
    lines = []
    for photo, methods in found.items():
        lines.append(photo)
        lines += [f"  {name:14}{f['warm_ms']:9.1f} ms{f['rss_mb']:9.0f} MB" for name, f in methods.items()]
    return "\n".join(lines)


def samples(folder: Path) -> list[Path]:
    """The sample photo at 1920 and at 4032 pixels, as a camera would store it."""
    with Image.open(TEMPLATES / "sample" / "lead.jpg") as lead:
        for width in (1920, 4032):
            size = (width, lead.height * width // lead.width)
            lead.resize(size, Image.Resampling.LANCZOS).save(folder / f"p{width}.jpg", quality=88)
    return sorted(folder.glob("*.jpg"))


def measure(photo: Path, rounds: int) -> dict[str, dict[str, float]]:
    """The median time and the largest memory of every method on one photo."""
    spent: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(started(command)) for name, command in commands(photo).items()}
        for turn in range(WARM_UP + rounds):
            for name, process in list(running.items()):
                ms = ask(process)
                if ms is None:
                    del running[name]  # this peer cannot be run here
                elif turn >= WARM_UP:
                    spent.setdefault(name, []).append(ms)
                    memory[name] = max(memory.get(name, 0.0), resident(process.pid))
    return {name: {"warm_ms": statistics.median(ms), "rss_mb": memory[name]} for name, ms in spent.items()}


def commands(photo: Path) -> dict[str, list[str]]:
    """How each method that could be here is started."""
    own = [sys.executable, "-m", "bench.cards", "--draw"]
    found = {name: [*own, name, str(photo)] for name in DRAWERS}
    node = shutil.which("node")
    if node and NODE_FOLDER.is_dir():
        script = str(HERE / "cards_peers.cjs")
        for name in ("satori-resvg", "sharp-svg"):
            found[name] = [node, script, name, str(photo), str(FONT), str(NODE_FOLDER), TITLE, f"{SITE} · {AUTHOR}"]
    return found


@contextlib.contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that draws one card for every line it is sent."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet, text=True) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.communicate("", timeout=20)


def ask(process: subprocess.Popen[str]) -> float | None:
    """Milliseconds of one more card, or None if the process is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write("draw\n")
        process.stdin.flush()
    line = process.stdout.readline()
    return float(line) if line else None


def resident(pid: int) -> float:
    """Megabytes that a process and all it started hold in memory."""
    pages = 0
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children: list[str] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += task.read_text().split()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(resident(int(child)) for child in children)


def serve(method: str, photo: str) -> None:
    """Draw a card for every line on stdin and say how many milliseconds it took."""
    data = Path(photo).read_bytes()
    with DRAWERS[method](data) as draw:
        for _ in sys.stdin:
            begun = time.perf_counter()
            draw()
            print(f"{1000 * (time.perf_counter() - begun):.3f}", flush=True)


@contextlib.contextmanager
def handbill(data: bytes) -> Iterator[Callable[[], Any]]:
    """Our own card with the photo."""
    from worker.content import cards  # noqa: PLC0415 - what it needs must not count as the others' memory

    yield lambda: cards.draw(title=TITLE, site=SITE, author=AUTHOR, language="en", size=SIZE, photo=data)


@contextlib.contextmanager
def floor(data: bytes) -> Iterator[Callable[[], Any]]:
    """The least that any card of a photo costs in Pillow: decode, crop to the middle, resize, encode."""

    def draw() -> None:
        with Image.open(io.BytesIO(data)) as photo:
            photo.draft("RGB", (SIZE[0], SIZE[0] * photo.height // photo.width))
            width, height = photo.size
            tall = width * SIZE[1] / SIZE[0]
            box = (0, (height - tall) / 2, width, (height + tall) / 2)
            photo.resize(SIZE, Image.Resampling.BILINEAR, box=box).save(io.BytesIO(), "JPEG", quality=85)

    yield draw


@contextlib.contextmanager
def pycairo(data: bytes) -> Iterator[Callable[[], Any]]:
    """The same card drawn by cairo over a photo that Pillow decodes: lines broken by hand, no fallback fonts."""
    cairo = importlib.import_module("cairo")  # only this method needs it

    lines = textwrap.wrap(TITLE, 34)

    def draw() -> None:
        with Image.open(io.BytesIO(data)) as photo:
            photo.draft("RGB", (SIZE[0], SIZE[0] * photo.height // photo.width))
            fitted = ImageOps.fit(photo, SIZE, Image.Resampling.BILINEAR)
        pixels = bytearray(fitted.convert("RGBA").tobytes("raw", "BGRA"))
        surface = cairo.ImageSurface.create_for_data(pixels, cairo.FORMAT_ARGB32, *SIZE)
        pen = cairo.Context(surface)
        veil = cairo.LinearGradient(0, 0, 0, SIZE[1])
        veil.add_color_stop_rgba(0.25, 0.04, 0.06, 0.09, 0)
        veil.add_color_stop_rgba(0.55, 0.04, 0.06, 0.09, 0.7)
        pen.set_source(veil)
        pen.paint()
        pen.set_source_rgb(1, 1, 1)
        pen.select_font_face("sans-serif", cairo.FONT_SLANT_NORMAL, cairo.FONT_WEIGHT_BOLD)
        for row, line in enumerate((*lines, f"{SITE} · {AUTHOR}")):
            pen.set_font_size(54 if row < len(lines) else 28)
            pen.move_to(61, SIZE[1] - 54 - 62 * (len(lines) - row))
            pen.show_text(line)
        drawn = Image.frombuffer("RGBA", SIZE, bytes(surface.get_data()), "raw", "BGRA", 0, 1)
        drawn.convert("RGB").save(io.BytesIO(), "JPEG", quality=85)

    yield draw


@contextlib.contextmanager
def chromium(data: bytes) -> Iterator[Callable[[], Any]]:
    """A page with the same card, photographed; a new page each time, as a template would give."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only this method needs it

    font, photo = (base64.b64encode(part).decode() for part in (FONT.read_bytes(), data))
    page_text = PAGE.format(font=font, photo=photo, title=TITLE, site=SITE, author=AUTHOR)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as api, api.chromium.launch(executable_path=path, args=["--no-sandbox"]) as browser:
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})

        def draw() -> None:
            page.set_content(page_text, wait_until="load")
            page.evaluate("document.fonts.ready")
            page.screenshot(type="jpeg", quality=85)

        yield draw


DRAWERS = {"handbill": handbill, "floor-pillow": floor, "pycairo": pycairo, "chromium": chromium}


if __name__ == "__main__":
    main()
