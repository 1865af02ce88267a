"""Template files: recognised by content (only .xyt, which has no mark of its own, by its name), written by ending
or by the name of the format."""

from __future__ import annotations

import math
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fpipe.core.conventions import PPI
from fpipe.core.errors import BadTemplate, EmptyFile, NotFound, UsageError
from fpipe.core.files import sha256_hex, split_choice, write_atomic
from fpipe.core.types import KIND_NAMES, Template
from fpipe.minutiae import blob, incits, iso, json_codec, layouts
from fpipe.minutiae import xyt as xyt_codec
from fpipe.minutiae.records import RECORDS, losses, write_record
from fpipe.minutiae.views import Record, View, of_template, to_template
from fpipe.minutiae.xyt import Convention

ENDINGS = (".fpt", ".iso", ".fmr", ".json", ".xyt")
"""Endings of template files: fpipe's own, ISO/IEC 19794-2:2005 (two names), JSON, NBIS .xyt."""
FORMATS = ("fpt", "json", *RECORDS, "xyt")
"""Formats that templates are written in, by short names."""
_BY_ENDING = {".fpt": "fpt", ".json": "json", ".iso": "iso2005", ".fmr": "iso2005", ".xyt": "xyt"}

_RECORD_MAGIC = b"FMR\0"
_SOURCE_NAMES = {iso.NAME_2005: "iso19794-2", iso.NAME_2011: "iso19794-2"}


@dataclass(frozen=True, slots=True, eq=False)
class TemplateFile:
    """A template with what a person should know about the file it came from, one line each."""

    template: Template
    notices: tuple[str, ...]


def is_template(path: Path) -> bool:
    """Whether a file is in one of the template formats; one of several pictures, FILE#POSITION, is not, nor a pipe:
    opening it could wait for ever.

    Raises NotFound where it can't be opened.
    """
    if split_choice(path)[1]:
        return False
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return False
        with path.open("rb") as handle:
            head = handle.read(64)
    except OSError as error:
        raise NotFound(where=path.as_posix(), reason=error.strerror or str(error)) from error
    return is_template_data(head, path.name)


def is_template_data(head: bytes, name: str) -> bool:
    """The same of a file's first 64 bytes or more; an .xyt is text, whatever else bears its name."""
    return head.startswith((blob.MAGIC, _RECORD_MAGIC)) or _is_json(head) or (_is_xyt(name) and b"\0" not in head[:64])


def read_template(
    path: Path,
    *,
    xyt: Convention = "m1",
    height: int | None = None,
    width: int | None = None,
    ppi: float | None = None,
) -> Template:
    """The template in a file; of a record of several views the first.

    xyt : convention of an .xyt file; ``native`` needs ``height``
    width, height : px, of the picture an .xyt file belongs to; other formats say it themselves
    ppi : overrides the file's resolution; an .xyt is taken at 500 ppi without it

    Raises NotFound, EmptyFile, BadTemplate, UnknownResolution.
    """
    return read_template_file(path, xyt=xyt, height=height, width=width, ppi=ppi).template


def read_template_file(
    path: Path,
    *,
    xyt: Convention = "m1",
    height: int | None = None,
    width: int | None = None,
    ppi: float | None = None,
) -> TemplateFile:
    """As read_template, with the notices."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(where=path.as_posix(), reason=error.strerror or str(error)) from error
    return parse_template(data, path.as_posix(), xyt=xyt, height=height, width=width, ppi=ppi)


def parse_template(
    data: bytes,
    name: str,
    *,
    xyt: Convention = "m1",
    height: int | None = None,
    width: int | None = None,
    ppi: float | None = None,
) -> TemplateFile:
    """As read_template_file, of a file's bytes; ``name`` names them in errors and tells an .xyt."""
    own = _read_own(data, name)
    if own is not None:
        return TemplateFile(own, ())
    if ppi is not None and math.isnan(ppi):  # an estimate is asked for, but there are no ridges: the file must say it
        ppi = None
    if data.startswith(_RECORD_MAGIC):
        record = read_record(data, name)
        if not record.views:
            raise BadTemplate(where=name, format=record.format, reason="it holds no finger view")
        view, label, format, notices = record.views[0], _SOURCE_NAMES.get(record.format, "incits378"), record.format, []
        if len(record.views) > 1:
            notices.append(f"{len(record.views) - 1} more views are in the file; the first was taken")
        notices += record.notices
    else:
        rows = _xyt_rows(data, name)
        view = xyt_codec.to_view(rows, xyt, width=width, height=height, where=name)
        label, format, notices = f"xyt-{xyt}", xyt_codec.NAME, list(rows.notices)
        ppi = ppi or PPI
    source = f"{label}:{sha256_hex(data)}"
    return TemplateFile(to_template(view, ppi=ppi, source=source, where=name, format=format), tuple(notices))


def read_record(data: bytes, where: str) -> Record:
    """All views of an ISO/IEC 19794-2 or INCITS 378 record, in the file's own pixels.

    Raises BadTemplate where it is neither, of another version, or cut short.
    """
    version = data[4:8]
    if version in (b" 20\0", b"020\0"):  # the standards write " 20", some writers "020"
        return incits.read_2004(data, where) if layouts.is_incits_2004(data) else iso.read_2005(data, where)
    if version == b"030\0":
        return iso.read_2011(data, where) if layouts.is_iso_2011(data) else incits.read_2009(data, where)
    if version == b"035\0":
        return incits.read_2009(data, where)
    reason = f"its version is {version!r}, expected b' 20', b'030' or b'035' and a zero byte"
    raise BadTemplate(where=where, format="ISO/IEC 19794-2 or INCITS 378", reason=reason)


def format_of(path: Path, format: str | None = None) -> str:
    """The format a template is written in: the one that is named, or that of the path's ending.

    Raises UsageError where neither says one.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(reason=f"there is no template format {format!r}; expected one of {', '.join(FORMATS)}")
    found = format or _BY_ENDING.get(path.suffix.lower())
    if found is None:
        ending = path.suffix.lower()
        raise UsageError(reason=f"{path}: unknown template ending {ending!r}; expected one of {', '.join(ENDINGS)}")
    return found


def write_template(
    path: Path,
    template: Template,
    *,
    format: str | None = None,
    xyt: Convention = "m1",
    ppi: float = PPI,
    finger: int = 0,
) -> tuple[str, ...]:
    """Write a template, whole or not at all; returns what was left out because there were too many minutiae.

    format : one of FORMATS; by default that of the path's ending
    xyt : convention of an .xyt file
    ppi, finger : resolution and finger position of an ISO/IEC 19794-2 or INCITS 378 record

    Raises UsageError for an unknown ending or format, BadTemplate, DiskFull.
    """
    data, notices = _encoded(template, format_of(path, format), xyt=xyt, ppi=ppi, finger=finger)
    write_atomic(path, data)
    return notices


def _encoded(
    template: Template, format: str, *, xyt: Convention, ppi: float = PPI, finger: int = 0
) -> tuple[bytes, tuple[str, ...]]:
    if format == "fpt":
        return blob.encode(template), ()
    if format == "json":
        return json_codec.write(template), ()
    if format == "xyt":
        return xyt_codec.write(template, xyt), ()
    return write_record([of_template(template, ppi=ppi, finger=finger)], format, template.source or "template")


def recode_template(
    data: bytes,
    name: str,
    format: str,
    *,
    source_xyt: Convention = "m1",
    xyt: Convention = "m1",
    width: int | None = None,
    height: int | None = None,
    ppi: float | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """A template file's bytes in another format, and what that can't hold, one line each.

    From one ISO/IEC 19794-2 or INCITS 378 record to another all views are kept, in their own pixels; other formats hold
    one template at 500 ppi.

    source_xyt, width, height, ppi : as for read_template; xyt : convention of the result

    Raises EmptyFile, BadTemplate, UnknownResolution.
    """
    if data.startswith(_RECORD_MAGIC) and format in RECORDS:
        record = read_record(data, name)
        views = [
            view if ppi is None or math.isnan(ppi) else replace(view, ppi_x=ppi, ppi_y=ppi) for view in record.views
        ]
        written, notices = write_record(views, format, name)
        return written, (*record.notices, *notices, *losses(views, format))
    found = parse_template(data, name, xyt=source_xyt, height=height, width=width, ppi=ppi)
    finger = next((view.finger for view in read_record(data, name).views), 0) if data.startswith(_RECORD_MAGIC) else 0
    written, notices = _encoded(found.template, format, xyt=xyt, finger=finger)
    return written, (*found.notices, *notices, *_left_behind(found.template, format))


def _left_behind(template: Template, format: str) -> list[str]:
    """What of a template a format has no place for."""
    if format in ("fpt", "json"):
        return []
    parts = [f"{len(template.weak)} weak minutiae"] * bool(len(template.weak))
    parts += ["the print's area (mask)"] * (template.mask is not None)
    parts += ["the orientation grid"] * (template.orientation is not None)
    if format == "xyt":
        parts += ["the picture's size and resolution", "the types of the minutiae"]
    left = [f"not in the file, as the format has no place for it: {', '.join(parts)}"] * bool(parts)
    return left + (losses([of_template(template)], format) if format in RECORDS else [])


def describe_template(data: bytes, name: str) -> dict[str, Any]:
    """What a template file says, in its own pixels: JSON-able.

    ``format``, ``minutiae`` (a list of views: finger, width, height, ppi, count, points), ``count`` (of all points),
    ``notices``; an .xyt also has ``rows``, its numbers as they stand, since the text does not say its convention.

    Raises EmptyFile, BadTemplate.
    """
    own = _read_own(data, name)
    if own is not None:
        format = "fpipe template" if data.startswith(blob.MAGIC) else "fpipe template, JSON"
        return _document(format, [_describe(_as_view(own))], ())
    if data.startswith(_RECORD_MAGIC):
        record = read_record(data, name)
        return _document(record.format, [_describe(view) for view in record.views], record.notices)
    rows = _xyt_rows(data, name)
    points = [
        {"x": _tidy(x), "y": _tidy(y), "direction_degrees": _tidy(d), "type": None, "quality": _tidy(q)}
        for x, y, d, q in rows.values
    ]
    view = {"finger": None, "width": None, "height": None, "ppi": None, "count": len(points), "points": points}
    unknown = "an .xyt does not say its convention: positions and directions are as in the file"
    document = _document(xyt_codec.NAME, [view], (unknown, *rows.notices))
    document["rows"] = [[_tidy(value) for value in row] for row in rows.values]
    return document


def _read_own(data: bytes, name: str) -> Template | None:
    """A template in one of the project's own formats; None where it is in neither of them."""
    if not data:
        raise EmptyFile(where=name)
    if data.startswith(blob.MAGIC):
        return blob.decode(data, name)
    return json_codec.read(data, name) if _is_json(data) else None


def _is_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _is_xyt(name: str) -> bool:
    return Path(name).suffix.lower() == ".xyt"


def _xyt_rows(data: bytes, name: str) -> xyt_codec.Rows:
    if not _is_xyt(name):
        reason = f"it begins with {data[:4]!r}, expected an ISO/IEC 19794-2, INCITS 378, JSON or .fpt file, or NAME.xyt"
        raise BadTemplate(where=name, format="known", reason=reason)
    return xyt_codec.parse(data, name)


def _as_view(template: Template) -> View:
    m = template.minutiae
    x, y, direction = (column.astype(np.float64) for column in (m.x, m.y, m.direction))
    return View(0, template.width, template.height, PPI, PPI, x, y, direction, m.kind, m.quality)


def _document(format: str, views: list[dict[str, Any]], notices: tuple[str, ...]) -> dict[str, Any]:
    count = sum(view["count"] for view in views)
    return {"format": format, "count": count, "minutiae": views, "notices": list(notices)}


def _describe(view: View) -> dict[str, Any]:
    columns = zip(view.x, view.y, np.rad2deg(view.direction), view.kind, view.quality, strict=True)
    points = [
        {
            "x": _tidy(x),
            "y": _tidy(y),
            "direction_degrees": _tidy(degrees),
            "type": KIND_NAMES[kind] if kind < len(KIND_NAMES) else KIND_NAMES[0],
            "quality": int(quality),
        }
        for x, y, degrees, kind, quality in columns
    ]
    size = {"finger": view.finger, "width": view.width, "height": view.height}
    ppi = {"ppi": view.ppi_x and round(view.ppi_x, 2)}
    if view.ppi_x != view.ppi_y:
        ppi["ppi_y"] = view.ppi_y and round(view.ppi_y, 2)
    return {**size, **ppi, "count": len(points), "points": points}


def _tidy(value: float) -> float | int:
    """Four decimals, whole numbers without any."""
    rounded = round(float(value), 4)
    return int(rounded) if rounded.is_integer() else rounded
