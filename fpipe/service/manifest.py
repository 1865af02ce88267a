"""A list of files with what is known of each: a CSV file, as spreadsheets write it.

The first line names the columns: ``path``, and any of ``subject``, ``finger``, ``kind`` and ``ppi``; every other column
is a field of the record.  A path that is not absolute starts at the list's own folder.  An empty cell says nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from os.path import lexists
from pathlib import Path

from fpipe.core.errors import BadParameter, NotFound, UsageError
from fpipe.index.records import KINDS, check_fields
from fpipe.service.gallery_files import Details

_SEPARATORS = ",;\t"
_OTHER_TEXT = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"PK\x03\x04", "a spreadsheet"))
_LEAST_PPI, _MOST_PPI = 50, 10000


def read_manifest(file: Path) -> Iterator[tuple[Path, Details]]:
    """The paths of a list and what it says of each, in its order, after all of it was looked through.

    Raises UsageError, naming the line, before anything is given; NotFound where the list can't be opened.
    """
    for _ in _rows(file):
        pass
    return _rows(file)


def _rows(file: Path) -> Iterator[tuple[Path, Details]]:
    text = _lines(file)
    first = next(text, "")
    reader = csv.reader(_chained(first, text), delimiter=_separator(first), strict=True)
    try:
        columns = _columns(next(reader, []), file)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(columns, cells, f"{file.as_posix()}, line {reader.line_num}", file.parent)
    except csv.Error as error:
        raise UsageError(reason=f"{file.as_posix()}, line {reader.line_num}: {error}") from error


def _chained(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _lines(file: Path) -> Iterator[str]:
    """The lines as text, without a byte order mark."""
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                try:
                    yield text.decode("utf-8")
                except UnicodeDecodeError as error:
                    kind = next((name for mark, name in _OTHER_TEXT if number == 1 and line.startswith(mark)), "")
                    found = f"it is {kind}" if kind else f"byte {error.start + 1} of the line is no UTF-8"
                    reason = f"{file.as_posix()}, line {number}: {found}; save it as CSV in UTF-8"
                    raise UsageError(reason=reason) from error
    except OSError as error:
        raise NotFound(where=file.as_posix(), reason=error.strerror or str(error)) from error


def _separator(first: str) -> str:
    """What stands between the names of the columns; a comma where there is one column."""
    return max(_SEPARATORS, key=first.count)


def _columns(cells: Sequence[str], file: Path) -> list[str]:
    where = f"{file.as_posix()}, line 1"
    names = ["_".join(cell.split()).lower() for cell in cells]
    while names and not names[-1]:  # spreadsheets write separators for empty columns, too
        names.pop()
    if "path" not in names:
        raise UsageError(reason=f"{where}: the columns are {', '.join(names) or 'none'}; expected one named path")
    for name in names:
        if names.count(name) > 1:
            raise UsageError(reason=f"{where}: the column {name!r} is there {names.count(name)} times")
    try:
        check_fields(dict.fromkeys((name for name in names if name not in _KNOWN), "-"))
    except BadParameter as error:
        raise UsageError(
            reason=f"{where}: column {error.facts['name']!r}: expected {error.facts['expected']}"
        ) from error
    return names


_KNOWN = ("path", "subject", "finger", "kind", "ppi")


def _row(columns: Sequence[str], cells: Sequence[str], where: str, folder: Path) -> tuple[Path, Details]:
    if len(cells) < len(columns) or any(cells[len(columns) :]):
        raise UsageError(reason=f"{where}: {len(cells)} cells, expected {len(columns)} as in the first line")
    said = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()}
    if "path" not in said:
        raise UsageError(reason=f"{where}: its path is empty")
    path = cells[columns.index("path")]
    if "\0" in path:
        raise UsageError(reason=f"{where}: its path holds a zero byte")
    kind = next((kind for kind in KINDS if kind == said.get("kind", "").lower()), None)
    if "kind" in said and kind is None:
        raise UsageError(reason=f"{where}: the kind is {said['kind']!r}, expected {', '.join(KINDS)}")
    fields = {name: value for name, value in said.items() if name not in _KNOWN}
    ppi = _ppi(said["ppi"], where) if "ppi" in said else None
    return _found(folder, path), Details(said.get("subject"), said.get("finger"), kind, ppi, fields)


def _found(folder: Path, path: str) -> Path:
    """The file; where Windows wrote the list, perhaps by the name with slashes."""
    other = path.replace("\\", "/")
    return folder / (other if other != path and not lexists(folder / path) and lexists(folder / other) else path)


def _ppi(text: str, where: str) -> float:
    try:
        ppi = float(text)
    except ValueError:
        ppi = 0.0
    if not _LEAST_PPI <= ppi <= _MOST_PPI:
        raise UsageError(reason=f"{where}: the ppi is {text!r}, expected a number of {_LEAST_PPI} to {_MOST_PPI}")
    return ppi
