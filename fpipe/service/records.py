"""What a gallery says of prints and persons, and how that is corrected.  Needs nothing that reads or compares prints:
importing that takes longer than to list twenty thousand records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpipe.core.errors import BadParameter, UnknownSubject, UsageError
from fpipe.core.fingers import finger_name
from fpipe.index import Amendment, Gallery, PrintRecord, Selection
from fpipe.index.selection import COMMON

AMENDABLE = ("subject", "finger")
"""What can be said anew of a stored print, beside any field."""
_PORTION = 1000
"""Records in memory at a time."""


def overview(gallery: Gallery) -> dict[str, Any]:
    """A gallery in numbers, JSON-able.

    ``digest`` is of the records' content alone; ``subjects`` counts names, ``persons`` those that are linked once.
    """
    names, methods = gallery.subjects.names(), gallery.extraction_digests()
    return {
        "gallery": gallery.path.as_posix(),
        **gallery.counts(),
        "subjects": len(names),
        "persons": len(set(_persons(gallery, names).values())),
        "digest": gallery.digest(),
        "extraction_digests": methods,
        "comparison_digest": gallery.comparison_digest,
        "originals": gallery.keep_originals,
        "notices": list(mixed_methods(methods)),
    }


def mixed_methods(digests: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What has to be stated of a gallery whose prints of one kind were read by different methods.

    digests : kind of print -> extraction digests
    """
    return tuple(
        f"the gallery's {kind} prints were read by {len(held)} different methods ({', '.join(held)})"
        for kind, held in digests.items()
        if len(held) > 1
    )


def listed(gallery: Gallery, selection: Selection) -> list[PrintRecord]:
    """The records that a selection means, by id."""
    return gallery.records(gallery.select(selection).ids.tolist() if selection else None)


def each_listed(gallery: Gallery, selection: Selection) -> Iterator[PrintRecord]:
    """The same, some at a time: of a large gallery they need not fit in memory.

    Raises GalleryChanged where one is removed meanwhile.
    """
    ids = gallery.select(selection).ids if selection else gallery.print_ids()
    for start in range(0, len(ids), _PORTION):
        yield from gallery.records(ids[start : start + _PORTION].tolist())


@dataclass(frozen=True, slots=True)
class Person:
    """All subjects that are one person, and all their prints, by id."""

    subjects: tuple[str, ...]
    prints: tuple[PrintRecord, ...]

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        names = ("print", "subject", "finger", "kind", "fields")
        prints = [{name: record.as_document()[name] for name in names} for record in self.prints]
        fingers = sorted({finger_name(record.finger) for record in self.prints if record.finger})
        return {"subjects": list(self.subjects), "fingers": fingers, "prints": prints}


def persons(gallery: Gallery) -> list[Person]:
    """Everyone who has a name in the gallery, sorted by it."""
    records = [record for record in gallery.records() if record.subject is not None]
    person = _persons(gallery, {record.subject for record in records if record.subject is not None})
    prints: dict[tuple[str, ...], list[PrintRecord]] = {}
    for record in records:
        prints.setdefault(person[record.subject or ""], []).append(record)
    return [Person(names, tuple(prints[names])) for names in sorted(prints)]


def _persons(gallery: Gallery, names: set[str]) -> dict[str, tuple[str, ...]]:
    linked = gallery.subjects.persons()
    return {name: linked.get(name, (name,)) for name in names}


def parse_changes(texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` each -> names and values; an empty value takes a field away.

    Raises BadParameter.
    """
    changes: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        fixed = [column for column in COMMON if column not in AMENDABLE]
        if not mark or name in changes or name in fixed:
            expected = f"NAME=VALUE, each name once, none of {', '.join(fixed)}"
            raise BadParameter(where="set", name="change", got=text, expected=expected)
        changes[name] = value
    return changes


def amend(
    path: Path, wanted: str | Selection, changes: Mapping[str, str], *, reason: str | None = None
) -> tuple[int, int]:
    """Say something else of stored prints; returns how many were meant and how many changed.

    wanted : a print's name, or which prints
    changes : subject, finger or any field -> its new value; an empty one takes it away
    reason : for the log

    Raises UnknownPrint, UnknownSubject, UsageError where no print is meant, BadParameter.
    """
    with Gallery.open(path, write=True) as gallery:
        records = [gallery.named(wanted)] if isinstance(wanted, str) else listed(gallery, wanted)
        if not records and isinstance(wanted, Selection):
            if wanted.subjects:
                raise UnknownSubject(where=str(path), got=wanted.subjects[0])
            raise UsageError(reason=f"{path}: no print is meant by {wanted}")
        return len(records), gallery.amend([_amended(record, changes) for record in records], reason=reason)


def _amended(record: PrintRecord, changes: Mapping[str, str]) -> Amendment:
    own = {"subject": record.subject, "finger": record.finger}
    own.update({name: value or None for name, value in changes.items() if name in AMENDABLE})
    if own["finger"] is not None and "finger" in changes:
        own["finger"] = finger_name(own["finger"])
    fields = {**record.fields, **{name: value for name, value in changes.items() if name not in AMENDABLE}}
    return Amendment(record.id, **own, fields={name: value for name, value in fields.items() if value})


def said_of(record: PrintRecord) -> Iterator[str]:
    """Subject, finger and fields of a print, for one line of text."""
    yield from (part for part in (record.subject, record.finger) if part)
    yield from (f"{name}={value}" for name, value in record.fields.items())
