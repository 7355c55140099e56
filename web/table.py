"""Tables as CSV that a spreadsheet may open: no cell is ever taken for a formula."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence

from starlette.responses import StreamingResponse

FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\0",
    "＝",
    "＋",
    "－",
    "＠",
)  # https://owasp.org/www-community/attacks/CSV_Injection


def cell(value: object) -> str:
    """A value as it stands in a cell: what a spreadsheet would compute gets an apostrophe in front."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A table line by line, with the byte order mark without which spreadsheets misread UTF-8."""
    yield "\ufeff"
    for row in itertools.chain([head], rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow([cell(v) for v in row])
        yield line.getvalue()


def answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingResponse:
    """The table as a file of that name."""
    return StreamingResponse(
        lines(head, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
