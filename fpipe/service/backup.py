"""Backups of a gallery: every file once, by its content, and for each backup the database as it was at one moment.

    backup.json      says what this folder is
    backups/ID.json  one backup: hashes of the database and the access log, what it holds, its own hash
    objects/ab/ab12  databases, access logs, originals and segments by their sha256; never changed
    incoming/        files on their way in; empty between commands
    lock             held by whoever writes

Which originals and segments belong to a backup stands in its copy of the database.  The file of a backup is written
last: one that was interrupted leaves objects that nothing refers to, and those before it as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fpipe.core.errors import BackupUnknown, FpipeError, GalleryExists, IntegrityError, Locked, NoBackup, UsageError
from fpipe.core.files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    disk_errors,
    make_private,
    open_private,
    sha256_hex,
    sha256_of,
    sync_folder,
    write_atomic,
)
from fpipe.index import Gallery
from fpipe.service.audit import note
from fpipe.store import log
from fpipe.store.chain import stamp
from fpipe.store.database import Database
from fpipe.store.lock import held

_MARK = b'{"format": "fpipe gallery backup", "version": 1}\n'
_TRIES = 5
"""Attempts at a copy of the database whose files a writer did not take away meanwhile."""
_ORIGINALS = "SELECT DISTINCT sha256 FROM prints WHERE print IS NOT NULL AND path IS NULL ORDER BY 1"
_SEGMENTS = "SELECT sha256, generation FROM segments ORDER BY generation"

_PIECE = 1 << 20

Advance = Callable[[int], None]


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


@dataclass(frozen=True, slots=True)
class Made:
    """What making a backup came to.

    files : it consists of; copied : of them that were not in the folder yet; bytes : of those
    notice : why the gallery's audit does not know of it, None where it does
    """

    backup: Backup
    files: int
    copied: int
    bytes: int
    notice: str | None = None


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
            write_atomic(folder / "backup.json", _MARK, private=True)
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
        return _read_backup(self.folder / "backups" / f"{number or ids[-1]}.json")

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
        with _opened_copy(self.object(backup.database)) as database:
            yield from _files(database)

    def holds(self, backup: Backup, sha256: str) -> bool:
        """Whether a print of a file is in a backup."""
        with _opened_copy(self.object(backup.database)) as database:
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


def back_up(path: Path, folder: Path, advance: Advance = lambda n: None, *, keep: int | None = None) -> Made:
    """Make a backup of the gallery at ``path`` in ``folder``, beside those that are there; others go on working.

    keep : delete the oldest ones so that this many are left

    Raises NoGallery, GalleryVersion, IntegrityError, DiskFull, Locked while another backup goes there.
    """
    if folder.resolve().is_relative_to(path.resolve()):
        raise UsageError(reason=f"{folder}: a backup inside its gallery would be lost with it; expected another disk")
    with Gallery.open(path) as gallery:
        backups = Backups.prepare(folder)
        with held(folder, mode=PRIVATE_FILE):
            backups.clear()
            backups.refuse_other(_created(gallery.database))
            made = _Making(gallery, backups, advance).make()
            facts: dict[str, Any] = {"place": str(folder.resolve()), "backup": made.backup.id}
            if keep is not None:
                facts["dropped"] = backups.drop(keep)
        said = note(gallery, "backed_up", **facts, database=made.backup.database, head=list(made.backup.head))
    return replace(made, notice=said)


class _Making:
    def __init__(self, gallery: Gallery, backups: Backups, advance: Advance) -> None:
        self.gallery = gallery
        self.backups = backups
        self.advance = advance
        self.copied = self.bytes = 0

    def make(self) -> Made:
        """A moment of the database, and what it names; again where a writer took some of that away meanwhile."""
        before: list[str] | None = None
        for _ in range(_TRIES):
            copy = self.backups.incoming / "gallery.db"
            accessed = self._accesses()  # first: what they saw of the changes is in the database then
            self.gallery.database.copy_to(copy)
            if not self._accesses().startswith(accessed):
                continue  # a removal made it forget something meanwhile
            with _opened_copy(copy) as database:
                missing = list(self._copy_files(database))
                head, created = log.head(database), _created(database)
                (prints,) = database.one("SELECT count(*) FROM prints WHERE print NOTNULL")
                files = sum(1 for _ in _files(database)) + 1 + bool(accessed)
            if not missing or missing == before:
                break
            before = missing
        else:
            raise Locked(where=str(self.gallery.path), reason="other commands remove prints from it all the time")
        if accessed:
            self._count(self.backups.put(accessed), len(accessed))
        size = copy.stat().st_size
        sha256, new = self.backups.put_database(copy)
        self._count(new, size)
        number = f"{_next(self.backups.ids()):06d}-{_compact(stamp()['at'])}"
        backup = Backup(
            id=number,
            at=stamp()["at"],
            gallery=str(self.gallery.path.resolve()),
            database=sha256,
            accesses=sha256_hex(accessed) if accessed else "",
            created=created,
            head=head,
            prints=prints,
            missing=tuple(missing),
            made_by={name: value for name, value in stamp().items() if name != "at"},
        )
        write_atomic(self.backups.folder / "backups" / f"{number}.json", _rendered(backup), private=True)
        self.backups.sweep()
        return Made(backup, files, self.copied, self.bytes)

    def _accesses(self) -> bytes:
        file = self.gallery.accesses.path
        with disk_errors(file):
            data = file.read_bytes() if file.exists() else b""
        return data[: data.rfind(b"\n") + 1]  # another command may be writing a line

    def _copy_files(self, database: Database) -> Iterator[str]:
        """Copies what is not there yet; yields what is missing or damaged in the gallery."""
        for sha256, place in _files(database):
            if not self.backups.object(sha256).exists():
                data = self._read(sha256, place)
                if data is None:
                    yield place
                    continue
                self._count(self.backups.put(data), len(data))
            self.advance(1)

    def _read(self, sha256: str, place: str) -> bytes | None:
        """A file of the gallery; None where it is not there with these bytes."""
        try:
            if place.startswith("originals/"):
                return self.gallery.originals.read(sha256)
            data = (self.gallery.path / place).read_bytes()
        except (FpipeError, OSError):
            return None
        return data if sha256_hex(data) == sha256 else None

    def _count(self, new: bool, size: int) -> None:
        self.copied += new
        self.bytes += size * new


def restore(folder: Path, target: Path, advance: Advance = lambda n: None, *, at: str | None = None) -> Backup:
    """Make a gallery at ``target`` as it was in a backup of ``folder``, the newest one by default.

    target : absent, or an empty folder

    Raises NoBackup, BackupUnknown, GalleryExists, IntegrityError where an object is damaged or missing, DiskFull; there
    is no gallery at ``target`` then.
    """
    backups = Backups.open(folder)
    backup = backups.backup(at)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise GalleryExists(where=str(target), reason="there are other files")
    part = target.resolve().with_name(f".{target.resolve().name}.restoring")
    with disk_errors(part):
        shutil.rmtree(part, ignore_errors=True)  # of a restoration that was interrupted
        part.mkdir(PRIVATE_FOLDER, parents=True)
        for sha256, place in backups.needed(backup):
            if place not in backup.missing:
                _copy(backups.object(sha256), part / place, sha256)
            advance(1)
        if target.exists():
            target.rmdir()
        part.replace(target)
        sync_folder(target.resolve().parent)
    with Gallery.open(target, write=True) as gallery, gallery.database.transaction():
        facts = {"backup": backup.id, "place": str(folder.resolve()), "database": backup.database}
        log.append(gallery.database, {"event": "restored", **facts})
    return backup


def _copy(source: Path, target: Path, sha256: str) -> None:
    """Copy an object to its place, durable when this returns; raises IntegrityError where it is not what was stored."""
    digest = hashlib.sha256()
    make_private(target.parent)
    with contextlib.ExitStack() as held_open:
        try:
            stream = held_open.enter_context(source.open("rb"))
        except OSError as error:
            raise _spoiled(source, error.strerror or str(error)) from error
        out = held_open.enter_context(open_private(target, new=True))
        while data := stream.read(_PIECE):
            digest.update(data)
            out.write(data)
        out.flush()
        os.fsync(out.fileno())
    sync_folder(target.parent)
    if digest.hexdigest() != sha256:
        raise _spoiled(source, "its bytes were changed (sha256)")


def _spoiled(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(where=str(path), reason=f"this file of the backup can't be used: {reason}")


def problems(folder: Path, advance: Advance = lambda n: None) -> list[str]:
    """Every byte of a folder of backups against what was written: a line, with its name, for each file that differs."""
    backups = Backups.open(folder)
    found, needed = [], dict[str, str]()
    if (folder / "backup.json").read_bytes() != _MARK:
        found.append("backup.json: changed")
    for number in backups.ids():
        try:
            backup = backups.backup(number)
            needed |= {sha256: number for sha256, place in backups.needed(backup) if place not in backup.missing}
        except FpipeError as error:
            found.append(error.message.removesuffix(f"; {error.hint}"))
    for path in sorted(backups.objects.glob("*/*")):
        name = path.relative_to(folder).as_posix()
        if path.parent.name != path.name[:2] or sha256_of(path) != path.name:
            found.append(f"{name}: its bytes were changed (sha256)")
        needed.pop(path.name, None)
        advance(1)
    found += [f"{backups.object(s).relative_to(folder).as_posix()}: missing, of {n}" for s, n in needed.items()]
    return list(dict.fromkeys(found))


def leftovers(folder: Path) -> list[str]:
    """Remains of an interrupted backup: no loss."""
    backups = Backups.open(folder)
    with contextlib.suppress(FpipeError):  # where a backup is damaged, what it needs is not known
        strange = [*backups.incoming.iterdir(), *backups.strangers()]
        return [f"{path.relative_to(folder).as_posix()}: left by an interrupted backup" for path in strange]
    return []


def _created(database: Database) -> str:
    (chain,) = database.one("SELECT lower(hex(chain)) FROM log WHERE number = 1")
    return str(chain)


def _files(database: Database) -> Iterator[tuple[str, str]]:
    """(sha256, place) of the segments and originals that a database names."""
    for sha256, generation in database.rows(_SEGMENTS):
        yield sha256, f"segments/{generation:010d}.seg"
    for (sha256,) in database.rows(_ORIGINALS):
        yield sha256, f"originals/{sha256[:2]}/{sha256}"


@contextlib.contextmanager
def _opened_copy(path: Path) -> Iterator[Database]:
    try:
        database = Database.open_copy(path)
    except FpipeError as error:
        raise _spoiled(path, error.message) from error
    with contextlib.closing(database):
        yield database


def _rendered(backup: Backup) -> bytes:
    body = json.dumps(backup.as_document(), ensure_ascii=False, indent=1)
    whole = {**backup.as_document(), "sha256": sha256_hex(body.encode())}
    return (json.dumps(whole, ensure_ascii=False, indent=1) + "\n").encode()


def _read_backup(path: Path) -> Backup:
    try:
        data = path.read_bytes()
        said = json.loads(data)
        said.pop("sha256")
        backup = Backup(**{**said, "head": tuple(said["head"]), "missing": tuple(said["missing"])})
        whole = _rendered(backup) == data and backup.id == path.stem
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _spoiled(path, f"unreadable: {error}") from error
    if not whole:
        raise _spoiled(path, "its bytes were changed")
    return backup


def _next(ids: list[str]) -> int:
    return 1 + max((int(number[:6]) for number in ids), default=0)


def _compact(at: str) -> str:
    return at[:19].replace("-", "").replace(":", "") + "Z"
