"""Which prints are meant: by whom, which finger, which kind, when, and any field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import BadParameter
from fpipe.core.fingers import FINGERS, HANDS, Hand, finger_name, hand_of
from fpipe.index.conditions import Condition
from fpipe.index.records import FIELD, KINDS
from fpipe.store.database import Database

COMMON = (
    *("subject", "finger", "kind", "print", "sha256", "part", "preset", "extraction_digest", "format"),
    *("ppi", "ppi_origin", "width", "height", "minutiae", "added"),
)
"""What every record says, beside its fields."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that all have to hold; of several values of one condition, one has to.

    fingers : however written; hands : "right", "left"; kinds : impression types
    subjects : exactly as the prints carry them
    classes : pattern classes: the field ``class``, in upper or lower case
    where : of fields, or of what every record says (``COMMON``)
    since, until : days of addition, ISO 8601, UTC; both included
    """

    subjects: tuple[str, ...] = ()
    fingers: tuple[str, ...] = ()
    hands: tuple[Hand, ...] = ()
    kinds: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    since: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        unknown = [finger for finger in self.fingers if finger_name(finger) not in FINGERS]
        _refuse("finger", unknown, f"{', '.join(FINGERS)}, or a position 1 to 10")
        _refuse("hand", [hand for hand in self.hands if hand not in HANDS], ", ".join(HANDS))
        _refuse("kind", [kind for kind in self.kinds if kind not in KINDS], ", ".join(KINDS))
        names = [one.name for one in self.where if one.name not in COMMON and not FIELD.fullmatch(one.name)]
        _refuse("where", names, f"a field's name, of a-z, 0-9 and _, or one of {', '.join(COMMON)}")
        days = [day for day in (self.since, self.until) if day and not _is_day(day)]
        _refuse("date", days, "a day as 2026-01-31")

    def __bool__(self) -> bool:
        return any(getattr(self, part.name) for part in fields(self))

    def as_document(self) -> dict[str, Any]:
        """JSON-able; conditions that are not made are left out."""
        found: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        found["where"] = [str(condition) for condition in self.where]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value}

    def __str__(self) -> str:
        """In words, for people."""
        said: list[str] = []
        for name, value in self.as_document().items():
            said += value if name == "where" else [f"{_WORDS[name]} {value if isinstance(value, str) else _or(value)}"]
        return "; ".join(said)

    def sql(self) -> tuple[str, list[str]]:
        """A condition on the view of records, with its values; what ``meets`` tests is left to it."""
        parts = list(self._conditions())
        return " AND ".join(text for text, _ in parts) or "1", [value for _, values in parts for value in values]

    def _conditions(self) -> Iterator[tuple[str, list[str]]]:
        for column, wanted in (("subject", self.subjects), ("kind", self.kinds)):
            if wanted:
                yield f"{column} IN ({', '.join('?' * len(wanted))})", list(wanted)
        if self.since:
            yield "substr(added, 1, 10) >= ?", [self.since]
        if self.until:
            yield "substr(added, 1, 10) <= ?", [self.until]

    def meets(self, finger: str | None, pattern: str | None, said: Sequence[Any] = ()) -> bool | None:
        """Whether a print of this finger and pattern class is meant; None where its record does not say enough.

        said : of each name in ``where`` what the record says
        """
        found = [*self._tests(finger, pattern, said)]
        return False if False in found else None if None in found else True

    def _tests(self, finger: str | None, pattern: str | None, said: Sequence[Any]) -> Iterator[bool | None]:
        name, hand = finger and finger_name(finger), hand_of(finger)
        if self.fingers:
            yield None if name is None else name in map(finger_name, self.fingers)
        for condition, value in zip(self.where, said, strict=True):
            if condition.name != "finger":
                yield condition.meets(_as_text(value))
            elif name is None and condition.value:
                yield None
            else:
                yield replace(condition, value=finger_name(condition.value)).meets(name)
        if self.hands:
            yield None if hand is None else hand in self.hands
        if self.classes:
            yield None if pattern is None else pattern.lower() in map(str.lower, self.classes)


def _as_text(value: Any) -> str | None:
    return f"{value:.6g}" if isinstance(value, float) else None if value is None else str(value)


def _column(name: str) -> str:
    """Of the view of records; the name is one of those that a selection lets pass."""
    return name if name in COMMON else f"""json_extract(fields, '$."{name}"')"""


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """The prints of a gallery that a selection means.

    ids : (P,) int64, rising
    unsaid : prints left out only because their records do not say finger, hand or class
    """

    ids: NDArray[np.int64]
    unsaid: int


def select(database: Database, selection: Selection) -> Selected:
    """The prints that are meant."""
    condition, values = selection.sql()
    columns = ", ".join(
        ("id", "finger", "json_extract(fields, '$.class')", *(_column(c.name) for c in selection.where))
    )
    sql = f"SELECT {columns} FROM records WHERE print NOT NULL AND {condition} ORDER BY id"
    ids, unsaid = [], 0
    for number, finger, pattern, *said in database.each(sql, values):
        met = selection.meets(finger, pattern, said)
        if met:
            ids.append(number)
        unsaid += met is None
    return Selected(np.array(ids, np.int64), unsaid)


_WORDS = {
    "subjects": "subject",
    "fingers": "finger",
    "hands": "hand",
    "kinds": "kind",
    "classes": "class",
    "since": "added since",
    "until": "added until",
}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _or(values: list[str]) -> str:
    return " or ".join(values)


def _refuse(name: str, got: list[str], expected: str) -> None:
    if got:
        raise BadParameter(where="selection", name=name, got=got[0], expected=expected)
