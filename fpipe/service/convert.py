"""A file in another format: a picture as a lossless picture, minutiae as a template of another standard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fpipe.core.errors import UsageError
from fpipe.core.files import sha256_hex, split_choice, write_atomic
from fpipe.formats import write_picture
from fpipe.formats.exchange.records import is_exchange, parse
from fpipe.minutiae.files import FORMATS, format_of, is_template, is_template_data, recode_template, write_template
from fpipe.minutiae.records import RECORDS, losses, write_record
from fpipe.minutiae.xyt import Convention
from fpipe.service.gallery_files import Source, read_bytes
from fpipe.service.markup import marked_template, marks_for, view_of_marks
from fpipe.service.reading import picture_of

PICTURES = (".png", ".tif", ".tiff")
"""Endings of lossless pictures."""
_TEMPLATES = (".fpt", ".json", ".iso", ".fmr", ".xyt")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a file is to be read and written.

    format : of a template, one of FORMATS; None takes that of the result's ending
    source_xyt, xyt : conventions of an .xyt that is read and of one that is written
    width, height : px, of the picture an .xyt belongs to
    """

    ppi: float | None = None
    format: str | None = None
    source_xyt: Convention = "m1"
    xyt: Convention = "m1"
    width: int | None = None
    height: int | None = None


def convert_file(path: Path, out: Path, how: Conversion) -> tuple[str, ...]:
    """Write ``out`` from the picture or the minutiae in ``path``; returns what a person should know, line by line.

    Of an ANSI/NIST file ``out`` says which is meant: a picture, or as a template its Type-9 minutiae.

    Raises UsageError where the two do not go together, InputRefused, DiskFull.
    """
    if _same(out, split_choice(path)[0]):
        raise UsageError(
            reason=f"{out.as_posix()} is the source itself; choose another name: originals are not overwritten"
        )
    to_template = how.format is not None or out.suffix.lower() in _TEMPLATES
    if not to_template and out.suffix.lower() not in PICTURES:
        raise UsageError(
            reason=f"{out.as_posix()}: expected an ending of .png or .tif, so that nothing is lost, or for minutiae "
            f"one of {', '.join(_TEMPLATES)} or --format"
        )
    if not to_template:
        return _picture(path, out, how)
    format = format_of(out, how.format)
    file, choice = split_choice(path)
    data = read_bytes(Source(file, path.as_posix()))
    if is_template_data(data, file.name):
        written, notices = recode_template(
            data, path.as_posix(), format, source_xyt=how.source_xyt, xyt=how.xyt,
            width=how.width, height=how.height, ppi=how.ppi,
        )  # fmt: skip
        write_atomic(out, written)
        return notices
    if is_exchange(data):
        return _markup(data, path.as_posix(), choice, out, format, how)
    raise UsageError(reason=f"{path.as_posix()}: a picture; `fpipe extract` reads the minutiae in it")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there, or can't be: reading or writing it says so
        return False


def _picture(path: Path, out: Path, how: Conversion) -> tuple[str, ...]:
    if is_template(path):
        reason = f"{path.as_posix()}: a template holds no picture; expected --format {', '.join(FORMATS)}"
        raise UsageError(reason=reason)
    picture = picture_of(path, path.as_posix(), how.ppi)
    write_picture(out, picture.pixels, picture.ppi)
    return picture.notices


def _markup(data: bytes, name: str, choice: str, out: Path, format: str, how: Conversion) -> tuple[str, ...]:
    """The minutiae of a Type-9 record, by records in the picture's own pixels."""
    marks = marks_for(parse(data, name), name, choice)
    if format in RECORDS:
        views = [view_of_marks(marks, ppi=how.ppi)]
        written, notices = write_record(views, format, name)
        write_atomic(out, written)
        return (*marks.notices, *notices, *losses(views, format))
    marked = marked_template(marks, name, ppi=how.ppi, source=f"type9-{marks.block}:{sha256_hex(data)}")
    return (*marked.notices, *write_template(out, marked.template, format=format, xyt=how.xyt))
