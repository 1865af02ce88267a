"""What a gallery says of a print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from fpipe.core.errors import IntegrityError
from fpipe.core.files import sha256_hex
from fpipe.index.vectors import Vectors

Kind = Literal["plain", "rolled", "latent"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Impression types."""


@dataclass(frozen=True, slots=True)
class PrintRecord:
    """One print of a gallery.

    id : counts up, never used again
    print : unique name, the path it was added under
    sha256 : of the original's bytes, hex
    path : where the original was, absolute; only where it is not kept
    ppi : pixels an inch of the original; ppi_origin : "file" or "option"
    width, height : of the original, px
    extraction_digest : of what made the template, or the format of an imported one
    minutiae : in the template; vectors : of them with a descriptor
    added : UTC, ISO 8601
    """

    id: int
    print: str
    sha256: str
    subject: str | None
    finger: str | None
    kind: str
    ppi: float
    ppi_origin: str
    format: str
    width: int
    height: int
    preset: str
    extraction_digest: str
    minutiae: int
    vectors: int
    added: str
    path: str | None

    def as_document(self) -> dict[str, Any]:
        """JSON-able, in the order of the fields."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = tuple(PrintRecord.__slots__)
"""Columns of the table of prints, in the order of the record's fields."""

_TYPES: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "subject": (str, type(None)),
    "finger": (str, type(None)),
    "path": (str, type(None)),
    "ppi": (float,),
    "width": (int,),
    "height": (int,),
    "minutiae": (int,),
    "vectors": (int,),
}


def record_of(row: tuple[Any, ...], where: str) -> PrintRecord:
    """A row of the table of prints -> record.

    Raises IntegrityError where a column holds what it can't.
    """
    for name, value in zip(COLUMNS, row, strict=True):
        if not isinstance(value, _TYPES.get(name, (str,))):
            raise IntegrityError(where=where, reason=f"print {row[0]}: {name} is {value!r}")
    return PrintRecord(*row)


@dataclass(frozen=True, slots=True, eq=False)
class NewPrint:
    """A print to be added; fields as in PrintRecord.

    template : its bytes as the gallery will give them back
    original : the file's bytes, kept unless the gallery was created without originals
    """

    print: str
    sha256: str
    subject: str | None
    finger: str | None
    kind: Kind
    ppi: float
    ppi_origin: str
    format: str
    width: int
    height: int
    preset: str
    extraction_digest: str
    minutiae: int
    path: str
    template: bytes
    vectors: Vectors
    original: bytes

    def record(self, number: int, added: str, *, kept: bool) -> PrintRecord:
        """The record it becomes; kept : whether the gallery keeps its original."""
        values = {name: getattr(self, name) for name in COLUMNS if name not in ("id", "added", "vectors", "path")}
        return PrintRecord(
            id=number,
            added=added,
            vectors=len(self.vectors),
            path=None if kept else self.path,
            **{**values, "ppi": float(self.ppi)},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Reextraction:
    """What a print's original gives when it is read again; fields as in PrintRecord and NewPrint."""

    id: int
    preset: str
    extraction_digest: str
    minutiae: int
    template: bytes
    vectors: Vectors

    def record(self, before: PrintRecord) -> PrintRecord:
        """The record it becomes."""
        return replace(
            before,
            preset=self.preset,
            extraction_digest=self.extraction_digest,
            minutiae=self.minutiae,
            vectors=len(self.vectors),
        )


@dataclass(frozen=True, slots=True, eq=False)
class StoredPrint:
    """Record and template of one moment.

    edition : another number once the print was re-extracted
    """

    record: PrintRecord
    edition: int
    template: bytes


def logged(event: str, record: PrintRecord, template: bytes, version: str) -> dict[str, Any]:
    """What the log says of an addition or re-extraction: the whole record and the template's hash."""
    return {"event": event, "fpipe": version, "record": record.as_document(), "template": sha256_hex(template)}
