"""A folder of backups of one gallery.

    backup.json      says what this folder is
    backups/ID.json  one backup: hashes of the database, of the list of its contents and of the access log, its own hash
    objects/ab/ab12  originals, segments, access logs, pieces of databases and lists of contents (``backup_contents``)
                     by their sha256; never changed
    incoming/        files on their way in; empty between commands
    lock             held by whoever writes

Older backups have no list of contents: their database is one object, and which files belong to them stands in it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpipe.core.errors import BackupDamaged, BackupUnknown, FpipeError, GalleryExists, IntegrityError, NoBackup
from fpipe.core.files import (
    PRIVATE_FOLDER,
    disk_errors,
    is_there,
    make_all_private,
    make_private,
    open_private,
    sha256_hex,
    sync_files,
    sync_folder,
    write_atomic,
)
from fpipe.service.backup_contents import Contents, joined, kept_of
from fpipe.store.database import Database

MARK = b'{"format": "fpipe gallery backup", "version": 1}\n'
_MARK_PARTS = ".backup.json.*.tmp"
"""What writing the mark leaves where it is interrupted."""
_ORIGINALS = "SELECT DISTINCT sha256 FROM prints WHERE print IS NOT NULL AND path IS NULL ORDER BY 1"
_SEGMENTS = "SELECT sha256, generation FROM segments ORDER BY generation"
_BATCH, _BATCH_BYTES = 512, 1 << 28
"""Files, and bytes, that are written before they are made durable together."""
_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup.

    id : number, which orders them, and time
    database, accesses : sha256 of the copies; accesses is empty where there was no such log
    created : chain of the first entry of the changes: one gallery and its restorations have it, no other
    head : number and chain of the last entry of the changes it holds
    missing : what the gallery lacked or had damaged when this was made
    contents : sha256 of the list of its contents; empty where the database is one object
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
    contents: str = ""

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        said = {name: getattr(self, name) for name in self.__slots__ if name != "contents" or self.contents}
        return {**said, "head": list(self.head), "missing": list(self.missing)}


class Backups:
    """A folder of backups.

    copied, copied_bytes : what was put there

    Raises NoBackup where it is none, IntegrityError where it is damaged, DiskFull, Locked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "objects"
        self.incoming = folder / "incoming"
        self.copied = self.copied_bytes = 0
        self._written: dict[str, Path] = {}  # not durable yet
        self._written_bytes = 0

    @classmethod
    def open(cls, folder: Path) -> Backups:
        """An existing folder of backups."""
        if not is_backup(folder):
            raise NoBackup(where=str(folder))
        return cls(folder)

    @classmethod
    def prepare(cls, folder: Path) -> Backups:
        """A folder that is one of backups, or that ``set_up`` makes one: absent, empty, or begun by a first backup."""
        if not is_backup(folder) and folder.exists() and not _only_begun(folder) and not is_backup(folder):
            raise GalleryExists(where=str(folder), reason="there are files that are no backup")
        with disk_errors(folder):
            folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        return cls(folder)

    def set_up(self) -> None:
        """Make what is missing of the folder, and clear away what an interrupted backup left; under its lock."""
        with disk_errors(self.folder):
            for part in (self.objects, self.incoming, self.folder / "backups"):
                make_private(part)
            make_all_private(self.folder)
            for left in self.folder.glob(_MARK_PARTS):
                left.unlink()
        if not is_backup(self.folder):
            write_atomic(self.folder / "backup.json", MARK, private=True)
        self.clear()

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

    # -- objects -----------------------------------------------------------------------------------------------------

    def object(self, sha256: str) -> Path:
        """Where the file of these bytes is, or would be."""
        return self.objects / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """Keep a file's bytes, unless they are kept already; returns their sha256.  Durable once ``sync`` returns."""
        sha256 = sha256_hex(data)
        if sha256 not in self._written and not self.object(sha256).exists():
            part = self.incoming / sha256
            with disk_errors(self.folder), open_private(part, new=True) as stream:
                stream.write(data)
            self.copied += 1
            self.copied_bytes += len(data)
            self._written[sha256] = part
            self._written_bytes += len(data)
            if len(self._written) >= _BATCH or self._written_bytes >= _BATCH_BYTES:
                self._settle()
        return sha256

    def _settle(self) -> None:
        """Make what was written durable, and only then give it its place: an object there is whole."""
        with disk_errors(self.folder):
            sync_files(self._written.values())
            for sha256, part in self._written.items():
                place = self.object(sha256)
                make_private(place.parent)
                part.replace(place)
        self._written, self._written_bytes = {}, 0

    def sync(self) -> None:
        """Make all objects durable, those that an interrupted backup left in their places, too."""
        self._settle()
        with disk_errors(self.folder):
            for folder in (*sorted(self.objects.iterdir()), self.objects):
                sync_folder(folder)

    def read(self, sha256: str) -> bytes:
        """An object's bytes.

        Raises IntegrityError where they are not what was stored.
        """
        place = self.object(sha256)
        try:
            data = place.read_bytes()
        except OSError as error:
            raise spoiled(place, error.strerror or str(error)) from error
        if sha256_hex(data) != sha256:
            raise spoiled(place, "its bytes were changed (sha256)")
        return data

    def stream(self, sha256: str) -> Iterator[bytes]:
        """An object's bytes, some at a time; compared with nothing."""
        place = self.object(sha256)
        try:
            with place.open("rb") as stream:
                while data := stream.read(_READ):
                    yield data
        except OSError as error:
            raise spoiled(place, error.strerror or str(error)) from error

    # -- what a backup consists of -----------------------------------------------------------------------------------

    def contents(self, backup: Backup) -> Contents:
        """The list of a backup's contents, where it has one."""
        try:
            return Contents.parsed(self.read(backup.contents))
        except (ValueError, TypeError, KeyError) as error:
            raise spoiled(self.object(backup.contents), f"another version of fpipe made it ({error!r})") from error

    def database(self, backup: Backup) -> Iterator[bytes]:
        """The bytes of a backup's database, some at a time; the pieces are compared with what was stored."""
        if not backup.contents:
            yield from self.stream(backup.database)
            return
        for window in self.contents(backup).windows:
            rest, index = (self.read(piece) if piece else b"" for piece in (window.rest, window.index))
            yield joined(rest, index, window.mask)

    def accesses(self, backup: Backup) -> Iterator[bytes]:
        """The bytes of a backup's access log, some at a time; the pieces are compared with what was stored."""
        if backup.contents:
            yield from map(self.read, self.contents(backup).accesses)
        elif backup.accesses:
            yield from self.stream(backup.accesses)

    def files(self, backup: Backup) -> Iterator[tuple[str, str]]:
        """(sha256, place in the gallery) of a backup's segments and originals; of what was missing then, too."""
        if backup.contents:
            contents = self.contents(backup)
            yield from segments_at(contents.segments)
            yield from originals_at(dict.fromkeys(s for one in contents.prints for s in kept_of(self.read(one))))
        else:
            with opened_copy(self.object(backup.database)) as database:
                yield from files_of(database)

    def needed(self, backup: Backup, known: Container[str] = ()) -> Iterator[tuple[str, str]]:
        """(sha256, place in the gallery of what it is, or is of) of every object of a backup, and of what was missing.

        known : lists of hashes among these are not looked into
        """
        if not backup.contents:
            yield backup.database, "gallery.db"
            if backup.accesses:
                yield backup.accesses, "access.log"
            yield from self.files(backup)
            return
        contents = self.contents(backup)
        yield from ((sha256, "gallery.db") for sha256 in (backup.contents, *contents.pieces()))
        yield from ((sha256, "access.log") for sha256 in contents.accesses)
        yield from segments_at(contents.segments)
        for one in contents.prints:
            if one not in known:
                yield one, "gallery.db"
                yield from originals_at(kept_of(self.read(one)))

    def holds(self, backup: Backup, files: Collection[str]) -> bool:
        """Whether a print of one of these files (sha256) is in a backup."""
        if backup.contents:
            wanted = [sha256.encode() for sha256 in files]
            lists = map(self.read, self.contents(backup).prints)
            return any(sha256 in data for data in lists for sha256 in wanted)
        with opened_copy(self.object(backup.database)) as database:
            return any(database.first("SELECT 1 FROM prints WHERE sha256 = ?", (sha256,)) for sha256 in files)

    # -- clearing away -----------------------------------------------------------------------------------------------

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
        known: set[str] = set()
        for number in self.ids():
            for sha256, _ in self.needed(self.backup(number), known):
                known.add(sha256)
        return [path for path in sorted(self.objects.glob("*/*")) if path.name not in known]


def is_backup(folder: Path) -> bool:
    """Whether a folder holds backups.

    Raises NoAccess where this account may not look.
    """
    return is_there(folder / "backup.json") and not (folder / "gallery.db").exists()


def _only_begun(folder: Path) -> bool:
    """Whether a folder holds at most what a first backup leaves that ended before it wrote the mark."""
    for entry in folder.iterdir():
        if entry.name in ("objects", "incoming", "backups"):
            if not entry.is_dir() or any(entry.iterdir()):
                return False
        elif entry.name != "lock" and not entry.match(_MARK_PARTS):
            return False
    return True


def files_of(database: Database) -> Iterator[tuple[str, str]]:
    """(sha256, place in the gallery) of the segments and originals that a database names."""
    yield from segments_at(segments_of(database))
    yield from originals_at(sha256 for (sha256,) in database.rows(_ORIGINALS))


def segments_of(database: Database) -> tuple[tuple[str, int], ...]:
    """(sha256, generation) of the segments that a database names."""
    return tuple((str(sha256), int(generation)) for sha256, generation in database.rows(_SEGMENTS))


def segments_at(segments: Iterable[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Segments with their places in the gallery."""
    return ((sha256, f"segments/{generation:010d}.seg") for sha256, generation in segments)


def originals_at(hashes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Originals with their places in the gallery."""
    return ((sha256, f"originals/{sha256[:2]}/{sha256}") for sha256 in hashes)


@contextlib.contextmanager
def opened_copy(path: Path) -> Iterator[Database]:
    """A copied database."""
    try:
        database = Database.open_copy(path)
    except FpipeError as error:
        raise spoiled(path, error.message) from error
    with contextlib.closing(database):
        yield database


def spoiled(path: Path, reason: str) -> BackupDamaged:
    """The error that names a damaged file of a backup."""
    return BackupDamaged(where=str(path), reason=f"this file of the backup can't be used: {reason}")


def rendered(backup: Backup) -> bytes:
    """The file that states a backup: with a hash of itself."""
    body = json.dumps(backup.as_document(), ensure_ascii=False, indent=1)
    whole = {**backup.as_document(), "sha256": sha256_hex(body.encode())}
    return (json.dumps(whole, ensure_ascii=False, indent=1) + "\n").encode()


def read_backup(path: Path) -> Backup:
    """What such a file says.

    Raises IntegrityError where it was changed.
    """
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
