"""What a gallery says of a print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from fpipe.core.errors import BadParameter, IntegrityError
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
    part : which picture of the file: "" for a whole file, "idc=3" for one of an exchange file
    fields : whatever else is known of it by name: case, exhibit, body, grave, technique, dna_number ...
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
    part: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """JSON-able, in the order of the fields."""
        return {**{name: getattr(self, name) for name in COLUMNS}, "fields": dict(self.fields)}

    def row(self) -> tuple[Any, ...]:
        """As the table of prints holds it, in the order of its columns."""
        return tuple({**self.as_document(), "fields": fields_text(self.fields)}.values())


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
    values = (*row[:-1], _fields_of(row[-1], f"{where}: print {row[0]}"))
    return PrintRecord(*values)


def _fields_of(text: str, where: str) -> dict[str, str]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise IntegrityError(where=where, reason=f"its fields are {text!r}")
    return fields


def fields_text(fields: Mapping[str, str]) -> str:
    """Fields as the database keeps them: the same text for the same fields, in whatever order they come."""
    return json.dumps(dict(fields), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def check_fields(fields: Mapping[str, str]) -> None:
    """Raise BadParameter where a name is not of a-z, 0-9 and _ or is a record's own, or a value is empty or no text."""
    for name, value in fields.items():
        if not FIELD.fullmatch(name) or name in COLUMNS:
            expected = f"a name of a-z, 0-9 and _, other than {', '.join(COLUMNS)}"
            raise BadParameter(where="fields", name=name, got=value, expected=expected)
        try:
            usable = bool(value.encode())
        except UnicodeEncodeError:  # half a character, of a text that was not UTF-8
            usable = False
        if not usable:
            raise BadParameter(where="fields", name=name, got=value, expected="text")


FIELD = re.compile(r"[a-z0-9_]+")
"""Names of fields."""


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
    part: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self.fields)

    @property
    def identity(self) -> tuple[str, str]:
        """What makes it this print and no other: the file's sha256 and the part."""
        return self.sha256, self.part

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


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is said of a stored print from now on, wholly; fields as in PrintRecord."""

    id: int
    subject: str | None
    finger: str | None
    fields: Mapping[str, str]

    def __post_init__(self) -> None:
        check_fields(self.fields)

    def record(self, before: PrintRecord) -> PrintRecord:
        """The record it becomes."""
        return replace(before, subject=self.subject, finger=self.finger, fields=dict(self.fields))


@dataclass(frozen=True, slots=True, eq=False)
class StoredPrint:
    """Record and template of one moment.

    edition : another number once the print was re-extracted or amended
    """

    record: PrintRecord
    edition: int
    template: bytes
