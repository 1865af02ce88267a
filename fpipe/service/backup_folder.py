"""A folder of backups of one gallery.

    backup.json      says what this folder is
    backups/ID.json  one backup: hashes of the database and the access log, what it holds, its own hash
    objects/ab/ab12  databases, access logs, originals and segments by their sha256; never changed
    incoming/        files on their way in; empty between commands
    lock             held by whoever writes

Which originals and segments belong to a backup stands in its copy of the database.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpipe.core.errors import BackupUnknown, FpipeError, GalleryExists, IntegrityError, NoBackup
from fpipe.core.files import PRIVATE_FOLDER, disk_errors, open_private, sha256_hex, sha256_of, sync_folder, write_atomic
from fpipe.store.database import Database

MARK = b'{"format": "fpipe gallery backup", "version": 1}\n'
_ORIGINALS = "SELECT DISTINCT sha256 FROM prints WHERE print IS NOT NULL AND path IS NULL ORDER BY 1"
_SEGMENTS = "SELECT sha256, generation FROM segments ORDER BY generation"


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup.

    id : number, which orders them, and time
    database, accesses : sha256 of the copies; accesses is empty where there was no such log
    created : chain of the first entry of the changes: one gallery and its restorations have it, no other
    head : number and chain of the last entry of the changes it holds
    missing : what the gallery lacked or had damaged when this was made
    """

    id: str
    at: str
    gallery: str
    database: str
    accesses: str
    created: str
    head: tuple[int, str]
    prints: int
    missing: tuple[str, ...] = ()
    made_by: dict[str, str] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__} | {
            "head": list(self.head),
            "missing": list(self.missing),
        }


class Backups:
    """A folder of backups.

    Raises NoBackup where it is none, IntegrityError where it is damaged, DiskFull, Locked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "objects"
        self.incoming = folder / "incoming"

    @classmethod
    def open(cls, folder: Path) -> Backups:
        """An existing folder of backups."""
        if not is_backup(folder):
            raise NoBackup(where=str(folder))
        return cls(folder)

    @classmethod
    def prepare(cls, folder: Path) -> Backups:
        """A folder of backups, made where it is absent or empty."""
        found = cls(folder)
        if not is_backup(folder) and folder.exists() and any(folder.iterdir()):
            raise GalleryExists(where=str(folder), reason="there are files that are no backup")
        with disk_errors(folder):
            folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            for part in (found.objects, found.incoming, folder / "backups"):
                part.mkdir(PRIVATE_FOLDER, exist_ok=True)
        if not is_backup(folder):
            write_atomic(folder / "backup.json", MARK, private=True)
        return found

    def ids(self) -> list[str]:
        """Of all backups, oldest first."""
        return sorted(path.stem for path in (self.folder / "backups").glob("*.json"))

    def backup(self, number: str | None = None) -> Backup:
        """The backup of this id, or the newest.

        Raises BackupUnknown.
        """
        ids = self.ids()
        if not ids or (number is not None and number not in ids):
            raise BackupUnknown(where=str(self.folder), got=number or "any", known=", ".join(ids) or "none")
        return read_backup(self.folder / "backups" / f"{number or ids[-1]}.json")

    def refuse_other(self, created: str) -> None:
        """Raise GalleryExists where the backups are of another gallery than the one whose log begins like this."""
        if self.ids() and self.backup().created != created:
            reason = f"there are backups of another gallery ({self.backup().gallery})"
            raise GalleryExists(where=str(self.folder), reason=reason)

    def object(self, sha256: str) -> Path:
        """Where the file of these bytes is, or would be."""
        return self.objects / sha256[:2] / sha256

    def put(self, data: bytes) -> bool:
        """Keep a file's bytes; False where they are kept already."""
        with disk_errors(self.folder):
            sha256 = sha256_hex(data)
            if self.object(sha256).exists():
                return False
            part = self.incoming / sha256
            with open_private(part, new=True) as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            self._settle(part, sha256)
        return True

    def _settle(self, part: Path, sha256: str) -> None:
        place = self.object(sha256)
        place.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
        part.replace(place)
        sync_folder(place.parent)

    def put_database(self, copy: Path) -> tuple[str, bool]:
        """Keep a copied database, which is moved away; its sha256, and whether it is new."""
        with disk_errors(self.folder):
            sha256 = sha256_of(copy)
            if new := not self.object(sha256).exists():
                self._settle(copy, sha256)
            else:
                copy.unlink()
        return sha256, new

    def needed(self, backup: Backup) -> Iterator[tuple[str, str]]:
        """(sha256, place in the gallery) of every file of a backup; what was missing then, too."""
        yield backup.database, "gallery.db"
        if backup.accesses:
            yield backup.accesses, "access.log"
        with opened_copy(self.object(backup.database)) as database:
            yield from files_of(database)

    def holds(self, backup: Backup, sha256: str) -> bool:
        """Whether a print of a file is in a backup."""
        with opened_copy(self.object(backup.database)) as database:
            return database.first("SELECT 1 FROM prints WHERE sha256 = ?", (sha256,)) is not None

    def clear(self) -> None:
        """Delete what an interrupted backup left on its way in."""
        with disk_errors(self.incoming):
            for path in self.incoming.iterdir():
                path.unlink()

    def drop(self, count: int) -> list[str]:
        """Delete the oldest backups but ``count``, with the objects that only they need; returns their ids."""
        gone = self.ids()[:-count]
        with disk_errors(self.folder):
            for number in gone:
                (self.folder / "backups" / f"{number}.json").unlink()
            sync_folder(self.folder / "backups")
        self.sweep()
        return gone

    def sweep(self) -> None:
        """Delete objects that no backup needs: those of interrupted ones may be of prints that were removed since.

        None are deleted where a backup is so damaged that what it needs is not known: ``problems`` names it.
        """
        with disk_errors(self.folder), contextlib.suppress(IntegrityError):
            for path in self.strangers():
                path.unlink()

    def strangers(self) -> list[Path]:
        """Objects that no backup needs."""
        known = {sha256 for number in self.ids() for sha256, _ in self.needed(self.backup(number))}
        return [path for path in sorted(self.objects.glob("*/*")) if path.name not in known]


def is_backup(folder: Path) -> bool:
    """Whether a folder holds backups."""
    return (folder / "backup.json").is_file() and not (folder / "gallery.db").exists()


def files_of(database: Database) -> Iterator[tuple[str, str]]:
    """(sha256, place) of the segments and originals that a database names."""
    for sha256, generation in database.rows(_SEGMENTS):
        yield sha256, f"segments/{generation:010d}.seg"
    for (sha256,) in database.rows(_ORIGINALS):
        yield sha256, f"originals/{sha256[:2]}/{sha256}"


@contextlib.contextmanager
def opened_copy(path: Path) -> Iterator[Database]:
    try:
        database = Database.open_copy(path)
    except FpipeError as error:
        raise spoiled(path, error.message) from error
    with contextlib.closing(database):
        yield database


def spoiled(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(where=str(path), reason=f"this file of the backup can't be used: {reason}")


def rendered(backup: Backup) -> bytes:
    body = json.dumps(backup.as_document(), ensure_ascii=False, indent=1)
    whole = {**backup.as_document(), "sha256": sha256_hex(body.encode())}
    return (json.dumps(whole, ensure_ascii=False, indent=1) + "\n").encode()


def read_backup(path: Path) -> Backup:
    try:
        data = path.read_bytes()
        said = json.loads(data)
        said.pop("sha256")
        backup = Backup(**{**said, "head": tuple(said["head"]), "missing": tuple(said["missing"])})
        whole = rendered(backup) == data and backup.id == path.stem
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise spoiled(path, f"unreadable: {error}") from error
    if not whole:
        raise spoiled(path, "its bytes were changed")
    return backup
