"""Keeping a gallery's content, and taking it away for good: check, and removal with its reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fpipe.core.errors import (
    DiskFull,
    FpipeError,
    GalleryWritten,
    IntegrityError,
    Locked,
    NetworkDisk,
    NoAccess,
    NoGallery,
    UnknownPrint,
    UnknownSubject,
)
from fpipe.core.files import is_there
from fpipe.index import Gallery
from fpipe.service import audit, backup
from fpipe.service.backup_folder import Backups, is_backup
from fpipe.store.database import state
from fpipe.store.lock import writer_lock
from fpipe.store.sums import Sums


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to.

    problems : what is not as it was stored; remains : of interrupted commands, no fault; count : of prints or backups
    """

    problems: list[str]
    remains: list[str]
    count: int
    notice: str | None = None


def check_gallery(path: Path, *, deep: bool = False) -> Checked:
    """Every record, template, vector, original and entry of the audit against what was stored.

    deep : every byte of the database file, too, those in its unused space among them

    Raises NoGallery, Locked while a writer is at work, GalleryVersion, GalleryWritten.
    """
    found, remains = _bytes(path) if deep else ([], [])
    try:
        with Gallery.open(path) as gallery:
            found += gallery.check() + audit.problems(gallery)
            remains += gallery.leftovers()
            count = len(gallery.print_ids())
            notice = audit.note(gallery, "checked", deep=deep, problems=len(found))
    except FpipeError as error:
        if isinstance(error, GalleryWritten) or (not found and not isinstance(error, IntegrityError)):
            raise
        return Checked([*found, error.message.removesuffix(f"; {error.hint}")], remains, 0)
    return Checked(list(dict.fromkeys(found)), remains, count, notice)


def _bytes(path: Path) -> tuple[list[str], list[str]]:
    """What the database's digests say; while nobody writes to it."""
    file = path / "gallery.db"
    if not is_there(file):
        raise NoGallery(where=str(path))
    sums, before, alone = Sums(file), state(file), False
    with contextlib.ExitStack() as held:
        with contextlib.suppress(DiskFull, NetworkDisk):  # where this account can't write, others may
            held.enter_context(writer_lock(path))
            alone = True
        found = sums.problems()
        unknown = not found and sums.unknown()
    if found and not alone and state(file) != before:
        raise GalleryWritten(where=str(path))
    said = f"{file.name}: not every byte of it can be compared, since a command was interrupted"
    return found, [said] if unknown else []


def check_backups(folder: Path) -> Checked:
    """Every byte of a folder of backups against what was written.

    Raises NoBackup.
    """
    return Checked(backup.problems(folder), backup.leftovers(folder), len(Backups.open(folder).ids()))


@dataclass(frozen=True, slots=True)
class Holding:
    """A backup that holds what was removed, or that can't be looked at.

    holds : None where its place is not there now
    """

    place: str
    backup: str
    at: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal came to.

    prints : removed; linked : subjects that are the same person and whose prints stay; backups : that still hold some
    unfinished : why their old bytes are not overwritten yet, None where they are
    """

    prints: int
    linked: tuple[str, ...]
    backups: tuple[Holding, ...]
    unfinished: Locked | None = None


def remove(path: Path, names: Iterable[str] = (), *, subject: str | None = None, reason: str | None = None) -> Removed:
    """Remove prints by name, or all prints of a subject, so that no byte of them is left in the gallery.

    reason : kept in the audit, so it should name nobody

    Raises UnknownPrint, UnknownSubject, FileShared, Locked; nothing is removed then.
    """
    with Gallery.open(path, write=True) as gallery:
        wanted = list(dict.fromkeys(names))
        if subject is not None:
            mine = [record.print for record in gallery.records() if record.subject == subject]
            if not mine:
                raise UnknownSubject(where=str(path), got=subject)
            wanted = list(dict.fromkeys([*wanted, *mine]))
        records = [gallery.named(name) for name in wanted]
        linked = tuple(name for name in gallery.subjects.person(subject) if name != subject) if subject else ()
        unfinished = _removed(gallery, wanted, reason)
        # only now: a backup that ended before the removal is in the audit, and a later one leaves out what is removed
        backups = tuple(holding(gallery, [record.sha256 for record in records]))
    return Removed(len(wanted), linked, backups, unfinished)


def _removed(gallery: Gallery, names: list[str], reason: str | None) -> Locked | None:
    """Remove; returns the error that says that a reader keeps old bytes from being overwritten yet."""
    try:
        gallery.remove(names, reason)
    except Locked as error:
        with contextlib.suppress(UnknownPrint):
            gallery.named(names[0])
            raise
        return error
    return None


def holding(gallery: Gallery, files: Iterable[str]) -> Iterator[Holding]:
    """The known backups of a gallery that hold one of these files (sha256), and those that can't be looked at.

    Known are those that the gallery's audit notes, and all others in the same folders.
    """
    wanted = list(files)
    for place, noted in _noted(gallery).items():
        folder = Path(place)
        if not _is_here(folder):
            yield from (Holding(place, number, at, None) for number, at in noted.items())
            continue
        backups = Backups.open(folder)
        for number in backups.ids():
            try:
                kept = backups.backup(number)
                holds: bool | None = backups.holds(kept, wanted)
            except FpipeError:  # damaged: it may
                holds = None
            if holds is not False:
                yield Holding(place, number, noted.get(number, number[7:]), holds)


def _is_here(folder: Path) -> bool:
    try:
        return is_backup(folder)
    except NoAccess:  # another account's
        return False


def _noted(gallery: Gallery) -> dict[str, dict[str, str]]:
    """Folder -> id and time of the backups that were made in it, but those that were deleted as too old."""
    found: dict[str, dict[str, str]] = {}
    for entry in audit.entries(gallery):
        said = entry.entry.payload or {}
        if said.get("event") in ("backed_up", "restored"):
            noted = found.setdefault(str(said.get("place")), {})
            noted.setdefault(str(said.get("backup")), entry.at)
            for number in said.get("dropped", ()):
                noted.pop(number, None)
    return found
