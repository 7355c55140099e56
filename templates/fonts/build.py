"""How the vendored fonts were made: from the unpacked packages named in README.md, each cut to what headlines need.

    python templates/fonts/build.py FOLDER      (needs fonttools, brotli and emoji; FOLDER holds the packages' files)

Latin, Greek and Cyrillic stay plain TrueType, which opens at a new size in no time; scripts with many glyphs are WOFF2.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import emoji
from fontTools.merge import Merger, Options
from fontTools.subset import Options as SubsetOptions
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
EUROPE = [
    *range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x2B0, 0x378), *range(0x37A, 0x530), *range(0x1E00, 0x2000),
    *range(0x2000, 0x2070), *range(0x2070, 0x20D0), *range(0x2100, 0x2200), 0x2202, 0x2206, 0x220F, 0x2211, 0x2212,
    0x221A, 0x221E, 0x222B, 0x2248, 0x2260, 0x2264, 0x2265, 0x25A0, 0x25B2, 0x25B6, 0x25BC, 0x25C6, 0x25CA, 0x25CB,
    0x25CF, 0x2605, 0x2606, 0x2713, 0x2717, 0xFB01, 0xFB02,
]  # fmt: skip
SYMBOLS = [*range(0x2100, 0x2400), *range(0x2460, 0x2500), *range(0x25A0, 0x2800), *range(0x2900, 0x2980)]
FEATURES = ["ccmp", "locl", "mark", "mkmk", "kern", "liga", "rlig", "calt", "clig", "init", "medi", "fina", "isol"]
INDIC = ["nukt", "akhn", "rphf", "rkrf", "pref", "blwf", "half", "pstf", "vatu", "cjct", "cfar"]
INDIC += ["pres", "abvs", "blws", "psts", "haln", "abvm", "blwm", "dist", "ljmo", "vjmo", "tjmo", "curs"]
SMALL = ("Arabic", "Hebrew", "Devanagari", "Thai")
WIDER = ("Armenian", "Bengali", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Kannada", "Khmer", "Lao", "Malayalam")
WIDER += ("Myanmar", "Sinhala", "Tamil", "Telugu")
CJK = ["ccmp", "mark", "mkmk", "kern"]  # locl would bring in the shapes of the other three regions
HANDS = set("👋🤚🖐✋🖖🫱🫲👌🤌🤏✌🤞🫰🤟🤘🤙👈👉👆🖕👇☝🫵👍👎✊👊🤛🤜👏🙌🫶👐🤲🙏✍💅🤳💪👂👃")
HANDS |= set("👶👦👧👨👩👴👵🙋🤷🤦🏃🚶💃🕺")
EMOJI_SIZE = 88
LARGEST = 1_000_000


def encodable(encoding: str, rows: Iterable[int]) -> list[int]:
    """The characters of a two-byte national character set whose first byte is in ``rows``: the common ones, by law."""
    found = []
    for high in rows:
        for low in range(0x40, 0xFF):
            try:
                text = bytes((high, low)).decode(encoding)
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                found.append(ord(text))
    return found


def subset(font: TTFont, characters: Iterable[int], path: Path, features: list[str] = FEATURES + INDIC) -> None:
    """Cut ``font`` to ``characters`` and write it; the ending decides between TrueType and WOFF2."""
    options = SubsetOptions()
    options.layout_features = features
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.drop_tables += ["MVAR", "STAT", "meta", "vhea", "vmtx", "VORG", "BASE", "DSIG", "MATH"]
    cutter = Subsetter(options)
    cutter.populate(unicodes=list(characters))
    cutter.subset(font)
    font.flavor = "woff2" if path.suffix == ".woff2" else None
    font.save(path)
    print(f"{path.name:32} {path.stat().st_size:>9,} {len(font.getBestCmap()):>6} characters")


def literata(files: Path) -> TTFont:
    """Literata comes in one file per script; a headline wants them as one font, at one weight and one optical size."""
    scripts = ("latin", "latin-ext", "vietnamese", "cyrillic", "cyrillic-ext", "greek", "greek-ext")
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for script in scripts:
            font = TTFont(files / f"literata-{script}-standard-normal.woff2", recalcTimestamp=False)
            part = instancer.instantiateVariableFont(font, {"wght": 700, "opsz": 40})
            part.flavor = None
            parts.append(f"{folder}/{script}.ttf")
            part.save(parts[-1])
        drop = ["DSIG", "STAT", "MVAR", "avar", "HVAR", "meta", "prep", "fpgm", "cvt ", "gasp"]
        merged = Merger(Options(drop_tables=drop)).merge(parts)
        data = io.BytesIO()
        merged.save(data)
    data.seek(0)
    return TTFont(data, recalcTimestamp=False)


def split(characters: list[int], parts: int) -> list[list[int]]:
    """``characters`` in ``parts`` runs: national sets are ordered by use, so the first is the one most often opened."""
    step = -(-len(characters) // parts)
    return [characters[i : i + step] for i in range(0, len(characters), step)]


def pictures(font: ImageFont.FreeTypeFont) -> dict[str, bytes]:
    """Every emoji as a small WebP, by its code points without variation selectors."""
    found = {}
    for text, facts in emoji.EMOJI_DATA.items():
        name = "-".join(f"{ord(c):x}" for c in text if c != "\ufe0f")
        toned = any(0x1F3FB <= ord(c) <= 0x1F3FF for c in text)
        if facts["status"] != 2 or (toned and ("\u200d" in text or text[0] not in HANDS)):  # 2: fully qualified
            continue
        if font.getlength(text) > 140 or not font.getmask(text).getbbox():
            continue
        cell = Image.new("RGBA", (136, 128), (0, 0, 0, 0))
        ImageDraw.Draw(cell).text((0, 101), text, font=font, embedded_color=True, anchor="ls")
        small = cell.resize((EMOJI_SIZE * 136 // 128, EMOJI_SIZE), Image.Resampling.LANCZOS)
        data = io.BytesIO()
        small.save(data, "WEBP", quality=55, alpha_quality=55, method=6)
        found[name] = data.getvalue()
    return found


def archives(found: dict[str, bytes]) -> None:
    """The pictures in uncompressed archives of a size that a repository bears."""
    groups: list[list[tuple[str, bytes]]] = [[]]
    for name, data in found.items():
        if sum(len(d) + 120 for _, d in groups[-1]) + len(data) > LARGEST:
            groups.append([])
        groups[-1].append((name, data))
    for number, group in enumerate(groups, 1):
        with zipfile.ZipFile(HERE / f"NotoColorEmoji-{number}.zip", "w") as archive:
            for name, data in group:
                archive.writestr(zipfile.ZipInfo(name), data)
    print(f"{len(found)} emoji, {sum(map(len, found.values())):,} bytes")


def coverage() -> None:
    """Which characters each font has, as ranges: so that no font must be opened to know."""
    found = {}
    for path in sorted([*HERE.glob("*.ttf"), *HERE.glob("*.woff2")]):
        ranges: list[list[int]] = []
        for c in sorted(TTFont(path).getBestCmap()):
            if ranges and ranges[-1][1] == c - 1:
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
        found[path.name] = " ".join(f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in ranges)
    (HERE / "coverage.json").write_text(json.dumps(found, indent=1) + "\n")


def main(packages: Path) -> None:
    """Make every file of this folder anew."""
    inter = packages / "inter-ui-4.1.1/package"
    debian = packages / "deb/usr/share/fonts"
    noto = debian / "truetype/noto"
    for old in [*HERE.glob("*.ttf"), *HERE.glob("*.woff2"), *HERE.glob("*.zip")]:
        old.unlink()
    subset(
        TTFont(inter / "display/InterDisplay-Bold.woff2", recalcTimestamp=False), EUROPE, HERE / "InterDisplay-Bold.ttf"
    )
    subset(TTFont(inter / "web/Inter-Medium.woff2", recalcTimestamp=False), EUROPE, HERE / "Inter-Medium.ttf")
    subset(literata(packages / "fontsource-variable-literata-5.3.0/package/files"), EUROPE, HERE / "Literata-Bold.ttf")
    for script in SMALL:
        font = TTFont(noto / f"NotoSans{script}-Bold.ttf", recalcTimestamp=False)
        subset(font, font.getBestCmap(), HERE / f"NotoSans{script}-Bold.ttf")
    for script in WIDER:
        font = TTFont(noto / f"NotoSans{script}-Bold.ttf", recalcTimestamp=False)
        subset(font, font.getBestCmap(), HERE / f"NotoSans{script}-Bold.woff2")
    subset(
        TTFont(noto / "NotoSansSymbols-Bold.ttf", recalcTimestamp=False), SYMBOLS, HERE / "NotoSansSymbols-Bold.woff2"
    )

    marks = [*range(0x3000, 0x3040), *range(0xFF01, 0xFF61), *range(0x20, 0x7F), 0xB7, *range(0x2010, 0x2040)]
    kana = [*range(0x3040, 0x3100), *range(0x31F0, 0x3200), *range(0x3200, 0x3400), *range(0xFF61, 0xFFA0)]
    hangul = encodable("euc_kr", range(0xB0, 0xC9))
    rest = [c for c in range(0xAC00, 0xD7A4) if c not in set(hangul)]
    cjk = {
        "JP": (0, [marks + kana, encodable("euc_jp", range(0xB0, 0xD0)), encodable("euc_jp", range(0xD0, 0xF5))]),
        "KR": (1, [marks + list(range(0x3130, 0x3190)) + hangul, rest]),
        "SC": (2, [marks, encodable("gb2312", range(0xB0, 0xD8)), encodable("gb2312", range(0xD8, 0xF8))]),
        "TC": (3, [marks + list(range(0x3100, 0x3130)), *split(encodable("big5", range(0xA4, 0xC7)), 2)]),
    }
    for name, (number, parts) in cjk.items():
        merged = [parts[0] + parts[1], *parts[2:]] if len(parts) == 3 else parts
        for i, characters in enumerate(merged, 1):
            font = TTFont(debian / "opentype/noto/NotoSansCJK-Bold.ttc", fontNumber=number, recalcTimestamp=False)
            subset(font, characters, HERE / f"NotoSans{name}-Bold-{i}.woff2", CJK)

    archives(pictures(ImageFont.truetype(noto / "NotoColorEmoji.ttf", 109)))
    coverage()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
