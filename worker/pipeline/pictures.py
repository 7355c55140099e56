"""The picture of a post: the article's photo read, the brand found, the card drawn once and kept."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from publishers.core.limits import Limits
from publishers.core.post import Media
from worker.content import cards
from worker.errors import BadSource, HandbillError, NotFound
from worker.intake.fetch import fetch_bytes
from worker.model import Article, Brand, Content
from worker.settings import ROOT, Settings

SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
MOST_POINTS, LONGEST_POINT, LONGEST_KICKER = 4, 110, 28

Point = tuple[float, float]
DRAWN = "drawn"
"""The folder beside the pictures with a note on each card: which file it is, and of which article."""

PLAIN = "plain"
"""Stands for no design: the photo itself."""

Brands = Callable[[str], Sequence[Brand]]
"""The brands of a workspace."""


class Pictures:
    """Draws and keeps the cards of articles; needs no Redis unless ``brands`` does.

    ``folder`` is where pictures are kept, by their content's hash; ``warn`` gets lines for people.
    """

    def __init__(self, settings: Settings, folder: Path, *, warn: Callable[[str], None], brands: Brands) -> None:
        self._settings = settings
        self._folder = folder
        self._warn = warn
        self._brands = brands
        self._photos: dict[str, bytes | None] = {}

    def media(
        self,
        article: Article,
        content: Content,
        limits: Limits,
        *,
        brand: str = "",
        design: str = "",
        focus: Point | None = None,
        photo: bytes | None = None,
        whose: str = "",
    ) -> Media:
        """The card for one account as a file, in the kind, size and bytes its platform takes; ``whose`` names it.

        ``design`` "" is what suits the article and PLAIN the photo without words; ``photo`` stands in for its own.
        """
        mime = next((m for m in SUFFIX if m in limits.media_types), "image/jpeg")
        found, kit = self.kit(article, brand)
        asked = self._asked(article, content, kit) | {"size": limits.cards[0], "max_bytes": limits.media_bytes}
        chosen: dict[str, object] = {"mime": mime}
        if design:
            chosen["design"] = design
        if focus:
            chosen["focus"] = focus
        if photo is not None:
            chosen |= {"photo": photo, "photo_alt": ""}
        return self._kept(article, found, asked | chosen, whose)

    def card(
        self,
        article: Article,
        content: Content,
        *,
        design: str,
        size: tuple[int, int],
        mime: str,
        brand: str,
        focus: Point | None = None,
    ) -> cards.Card:
        """One card as somebody asked for it, in the best quality."""
        _, kit = self.kit(article, brand)
        asked = self._asked(article, content, kit) | {"size": size, "mime": mime, "design": design or None}
        if focus:
            asked["focus"] = focus
        card = self._drawn(article, asked)
        self._say(card.notes)
        return card

    def contact_sheet(self, suffix: str, *, workspace: str, brand: str) -> bytes:
        """Every design in every size and script, in a brand's look where one is named; raises NotFound."""
        kit = kit_of(self._named(workspace, brand), brand_folder(self._settings)) if brand else None
        return cards.contact_sheet(suffix, brand=kit)

    def _named(self, workspace: str, name: str) -> Brand:
        known = self._brands(workspace)
        found = next((b for b in known if b.name == name), None)
        if found is None:
            there = ", ".join(b.name for b in known) or "none; add one: handbill brand add NAME"
            raise NotFound(f"There is no brand {name}", do=f"There are: {there}")
        return found

    def kit(self, article: Article, name: str) -> tuple[Brand | None, cards.Kit | None]:
        """The brand of that name, else the one for the article's site, with its files; raises NotFound."""
        if name:
            found: Brand | None = self._named(article.workspace, name)
        else:
            host = (urlsplit(article.url).hostname or "").removeprefix("www.")
            found = next((b for b in self._brands(article.workspace) if host in b.sources), None)
        return found, kit_of(found, brand_folder(self._settings)) if found else None

    def _asked(self, article: Article, content: Content, kit: cards.Kit | None) -> dict[str, object]:
        points = article.headings if len(article.headings) > 1 else [s.text for s in content.sentences]
        photo = self._photo(article)
        return {
            "title": article.title,
            "site": article.site,
            "author": article.author,
            "language": article.language,
            "photo": photo,
            "photo_alt": article.image_alt if photo else "",
            "kicker": _kicker(article),
            "points": tuple(p for p in points if len(p) <= LONGEST_POINT)[:MOST_POINTS],
            "brand": kit,
        }

    def _drawn(self, article: Article, asked: dict[str, object]) -> cards.Card:
        if asked.get("design") == PLAIN:
            return _plain(asked)
        try:
            return cards.draw(**asked)  # type: ignore[arg-type]  # _asked and its callers fill it by name
        except cards.BadPicture as error:
            if asked["photo"] is None:
                raise
            self._warn(f"{str(error).rstrip('.')}. The card is drawn without it.")
            self._photos[article.id] = None
            return self._drawn(article, asked | {"photo": None, "photo_alt": ""})

    def _say(self, notes: Sequence[str], whose: str = "") -> None:
        for note in notes:
            told = note.replace(" was not used: ", f" was not used for {whose}: ") if whose else note
            self._warn(f"{told[0].upper()}{told[1:]}.")

    def _kept(self, article: Article, brand: Brand | None, asked: dict[str, object], whose: str) -> Media:
        """The card of these arguments: the file that was drawn of them before, or a new one."""
        remembered = self._folder / DRAWN / f"{_key(asked, brand)}.json"
        try:
            known = json.loads(remembered.read_text())
            media = Media(**known["media"])
            if media.design and Path(media.path).stat().st_size == media.size:
                self._say(known["notes"], whose)
                return media
        except (OSError, ValueError, TypeError, KeyError):
            pass  # not drawn yet, or somebody tidied up
        card = self._drawn(article, asked)
        notes = card.notes if brand and brand.design else _to_be_told(card)
        self._say(notes, whose)
        digest = hashlib.sha256(card.content).hexdigest()
        path = self._folder / digest[:2] / f"{digest}.{SUFFIX[card.mime]}"
        write_once(path, card.content)
        media = Media(
            path=str(path.resolve()),
            sha256=digest,
            mime=card.mime,
            width=card.width,
            height=card.height,
            size=len(card.content),
            alt=card.alt,
            design=card.design,
        )
        if self._photo(article) == asked["photo"]:  # else it was drawn without its photo, and says so every time
            said = {"media": dataclasses.asdict(media), "notes": notes, "article": article.id}
            record = json.dumps(said)
            write_once(remembered, record.encode())
        return media

    def photo(self, article: Article) -> bytes | None:
        """The article's own picture as it was read; None if there is none that can be used."""
        return self._photo(article)

    def _photo(self, article: Article) -> bytes | None:
        if article.id not in self._photos:
            self._photos[article.id] = None
            try:
                self._photos[article.id] = self._read_photo(article) if article.image else None
            except (HandbillError, OSError) as error:
                self._warn(f"The article's picture was not used: {error}")
        return self._photos[article.id]

    def _read_photo(self, article: Article) -> bytes:
        most = int(self._settings.fetch_megabytes * 1_000_000)
        address = article.image
        if address.startswith(("http://", "https://")):
            return fetch_bytes(
                address,
                seconds=self._settings.request_seconds,
                allow_hosts=self._settings.allowed,
                max_bytes=most,
                contact=self._settings.contact,
            )
        path = Path(unquote(urlsplit(address).path) if address.startswith("file:") else address).resolve()
        if not article.folder or not path.is_relative_to(Path(article.folder).resolve()):
            raise BadSource("it is no web address and does not lie beside the article")
        return _read_regular(path, most)


def _to_be_told(card: cards.Card) -> Sequence[str]:
    """What people can do something about, of a card whose design nobody chose: their photo is not on it."""
    return () if card.photo else [note for note in card.notes[:1] if "do not fit" not in note]


def _plain(asked: dict[str, object]) -> cards.Card:
    """The photo alone; raises HandbillError if there is none."""
    if asked["photo"] is None:
        raise HandbillError("The article has no picture of its own", do="Choose a design, or give a picture")
    wanted = {k: asked[k] for k in ("photo", "size", "max_bytes", "mime", "focus") if k in asked}
    return cards.plain(**wanted, alt=str(asked["photo_alt"]))  # type: ignore[arg-type]  # as above


def brand_folder(settings: Settings) -> Path:
    """Where the logos and fonts of brands are kept, by their content's hash."""
    return settings.data_dir.resolve() / "brand"


def make_brand(
    name: str,
    *,
    folder: Path,
    workspace: str,
    colour: str = "",
    accent: str = "",
    logo: Path | None = None,
    font: Path | None = None,
    text_font: Path | None = None,
    corner: str = "",
    design: str = "",
    sources: Sequence[str] = (),
) -> Brand:
    """Check everything somebody gave for a brand, then keep its files in ``folder``; raises HandbillError."""
    if bool(colour) != bool(accent):
        raise HandbillError("A brand has two colours", do="Give both --colour and --accent, or neither")
    if corner and corner not in cards.CORNERS:
        raise HandbillError(f"There is no corner {corner}", do=f"Use one of: {', '.join(cards.CORNERS)}")
    scheme = cards.scheme(colour, accent) if colour else None
    given = {kind: _read(path) for kind, path in (("logo", logo), ("font", font), ("text_font", text_font)) if path}
    for kind, data in given.items():
        if kind == "logo":
            cards.logo(data)
        else:
            cards.check_font(data)
    kept = {}
    for kind, data in given.items():
        kept[kind] = hashlib.sha256(data).hexdigest()
        write_once(folder / kept[kind], data)
    return Brand(
        name=name,
        workspace=workspace,
        colour=scheme.deep if scheme else "",
        accent=scheme.accent if scheme else "",
        corner=corner,
        design=cards.check_design(design) if design else "",
        sources=tuple(dict.fromkeys(s.lower().removeprefix("www.") for s in sources)),
        **kept,
    )


def kit_of(brand: Brand, folder: Path) -> cards.Kit:
    """What a brand brings to a card. Raises HandbillError where one of its files is gone."""
    lost = next((h for h in (brand.logo, brand.font, brand.text_font) if h and not (folder / h).is_file()), None)
    if lost:
        do = f"Give its files again: handbill brand add {brand.name}"
        raise HandbillError(f"The brand {brand.name} lacks a file", why=f"{folder / lost} is gone", do=do)
    corner = next((c for c in cards.CORNERS if c == brand.corner), cards.CORNERS[2])
    return cards.Kit(
        scheme=cards.scheme(brand.colour, brand.accent) if brand.colour else None,
        logo=(folder / brand.logo).read_bytes() if brand.logo else b"",
        corner=corner,
        font=folder / brand.font if brand.font else None,
        text_font=folder / brand.text_font if brand.text_font else None,
        design=brand.design,
    )


def write_once(path: Path, content: bytes) -> None:
    """Write a file in one step, unless one of the same length is there: its name says what is in it."""
    if path.exists() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.{id(content):x}")
    part.write_bytes(content)
    part.replace(path)


def _read_regular(path: Path, most: int) -> bytes:
    """A file's bytes; raises BadSource for a device, a pipe or a folder, and for more than ``most`` bytes."""
    if not path.is_file():
        raise BadSource(f"{path} is no file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise BadSource(f"{path} is larger than {most / 1e6:g} MB")
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HandbillError(f"{path} cannot be read", why=str(error.strerror)) from None


def _kicker(article: Article) -> str:
    """The author's own first tag, where it is short and no word of the site's name."""
    tag = next((t.strip() for t in article.tags if t.strip()), "")
    return "" if len(tag) > LONGEST_KICKER or tag.casefold() == article.site.casefold() else tag


def _key(asked: dict[str, object], brand: Brand | None) -> str:
    """What a card depends on: every argument, the photo's and the brand's files by hash, and how cards are drawn."""
    photo = asked["photo"]
    plain = {k: v for k, v in asked.items() if k not in {"photo", "brand"}}
    plain["photo"] = hashlib.sha256(photo).hexdigest() if isinstance(photo, bytes) else ""
    plain["brand"] = dataclasses.asdict(brand) if brand else None
    plain["version"] = _version()
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


@functools.cache
def _version() -> str:
    """The hash of the designs, of the font list and of the code that draws: a change of any of them draws anew."""
    found = hashlib.sha256()
    folders = ((ROOT / "templates" / "cards", "*.toml"), (ROOT / "worker" / "content" / "cards", "*.*"))
    files = [path for folder, pattern in folders for path in sorted(folder.glob(pattern))]
    for path in (*files, ROOT / "templates" / "fonts" / "coverage.json"):
        found.update(path.read_bytes())
    return found.hexdigest()
