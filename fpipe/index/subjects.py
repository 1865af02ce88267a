"""Subjects that turned out to be one person: linked, and unlinked again, while their prints stay as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from fpipe.core.errors import UnknownSubject, UsageError
from fpipe.index.events import event
from fpipe.store import log
from fpipe.store.database import Database


class Subjects:
    """The subjects of one gallery and the links between them.

    A subject is a name that prints carry.  Links hold in both directions and through others: where A is linked with B
    and B with C, all three are one person.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def names(self) -> set[str]:
        """The subjects that have prints."""
        rows = self.database.rows("SELECT DISTINCT subject FROM records WHERE subject NOT NULL AND print NOT NULL")
        return {name for (name,) in rows}

    def links(self) -> list[tuple[str, str]]:
        """Pairs that are linked now, sorted."""
        return [(one, other) for one, other, linked in self._pairs() if linked]

    def _pairs(self) -> list[tuple[str, str, int]]:
        """Every pair that was ever linked, with what holds now: of a group SQLite gives the row of the maximum."""
        sql = "SELECT one, other, linked, max(number) FROM links WHERE one NOT NULL GROUP BY one, other ORDER BY 1, 2"
        return [row[:3] for row in self.database.rows(sql)]

    def persons(self) -> dict[str, tuple[str, ...]]:
        """Linked subject -> all subjects of that person, sorted; a subject without a link is not among them."""
        near: dict[str, set[str]] = defaultdict(set)
        for one, other in self.links():
            near[one].add(other)
            near[other].add(one)
        found: dict[str, tuple[str, ...]] = {}
        for name in sorted(near):
            if name not in found:
                person = tuple(sorted(_reached(name, near)))
                found.update(dict.fromkeys(person, person))
        return found

    def person(self, subject: str) -> tuple[str, ...]:
        """All subjects of the person that a subject is, itself among them."""
        return self.persons().get(subject, (subject,))

    def link(self, one: str, other: str, *, reason: str | None = None) -> bool:
        """Say that two subjects are one person; False where that is said already.

        Raises UnknownSubject where one has no print, UsageError where they are the same.
        """
        one, other = self._pair(one, other)
        with self.database.transaction():
            unknown = sorted({one, other} - self.names())
            if unknown:
                raise UnknownSubject(where=str(self.database.path.parent), got=unknown[0])
            if (one, other) in self.links():
                return False
            self._say("linked", one, other, reason)
        return True

    def unlink(self, one: str, other: str, *, reason: str | None = None) -> None:
        """Take the link between two subjects back; the log keeps both.

        Raises UsageError where these two are not linked with each other.
        """
        one, other = self._pair(one, other)
        with self.database.transaction():
            if (one, other) not in self.links():
                held = [pair for pair in self.links() if {one, other} & {*pair}]
                there = ", ".join(f"{a!r} with {b!r}" for a, b in held) or "neither is linked"
                raise UsageError(reason=f"{one!r} and {other!r} are not linked with each other: {there}")
            self._say("unlinked", one, other, reason)

    def _pair(self, one: str, other: str) -> tuple[str, str]:
        if one == other:
            raise UsageError(reason=f"{one!r} twice, expected two subjects")
        return (one, other) if one < other else (other, one)

    def _say(self, name: str, one: str, other: str, reason: str | None) -> None:
        entry = log.append(self.database, event(name, one=one, other=other, reason=reason))
        self.database.run(
            "INSERT INTO links (one, other, linked, entry) VALUES (?, ?, ?, ?)",
            (one, other, int(name == "linked"), entry),
        )

    def forget_the_printless(self) -> None:
        """Erase, within a removal's transaction, all links of subjects that have no print any more, and what the log
        says of them."""
        if self.database.first("SELECT 1 FROM links WHERE one NOT NULL") is None:
            return
        names = self.names()
        rows = self.database.rows("SELECT number, one, other, entry FROM links WHERE one NOT NULL")
        for number, one, other, entry in rows:
            if not {one, other} <= names:
                log.forget(self.database, entry)
                self.database.run(
                    "UPDATE links SET one = NULL, other = NULL, linked = NULL, entry = NULL WHERE number = ?", (number,)
                )


def _reached(start: str, near: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead: Iterable[str] = {start}
    while ahead:
        reached |= {*ahead}
        ahead = {name for step in ahead for name in near[step]} - reached
    return reached
