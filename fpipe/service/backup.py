"""Making and using backups of a gallery: every file and every piece of the database once, by its content.

The file that states a backup is written last: one that was interrupted leaves objects that nothing refers to, and those
before it as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from fpipe.core.errors import FpipeError, GalleryExists, Locked, UsageError
from fpipe.core.files import (
    PRIVATE_FOLDER,
    disk_errors,
    make_private,
    open_like,
    open_private,
    sha256_hex,
    sha256_of,
    sync_files,
    sync_folder,
    write_atomic,
)
from fpipe.index import Gallery
from fpipe.service.audit import note
from fpipe.service.backup_contents import Contents, Window, lists_of, split, windows_of
from fpipe.service.backup_folder import (
    MARK,
    Backup,
    Backups,
    files_of,
    opened_copy,
    rendered,
    segments_of,
    spoiled,
)
from fpipe.store import log
from fpipe.store.chain import stamp
from fpipe.store.database import Database
from fpipe.store.lock import held

_TRIES = 5
"""Attempts at a copy of the database whose files a writer did not take away meanwhile."""

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What making a backup came to.

    files : objects it consists of; copied : of them that were not in the folder yet; bytes : of those
    notice : why the gallery's audit does not know of it, None where it does
    """

    backup: Backup
    files: int
    copied: int
    bytes: int
    notice: str | None = None


def back_up(path: Path, folder: Path, advance: Advance = lambda n: None, *, keep: int | None = None) -> Made:
    """Make a backup of the gallery at ``path`` in ``folder``, beside those that are there; others go on working.

    keep : delete the oldest ones so that this many are left

    Raises NoGallery, GalleryVersion, IntegrityError, DiskFull, Locked while another backup goes there.
    """
    if folder.resolve().is_relative_to(path.resolve()):
        raise UsageError(reason=f"{folder}: a backup inside its gallery would be lost with it; expected another disk")
    with Gallery.open(path) as gallery:
        backups = Backups.prepare(folder)
        with held(folder, private=True):
            backups.set_up()
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

    def make(self) -> Made:
        """A moment of the database, and what it names; again where a writer took some of that away meanwhile."""
        copy = self.backups.incoming / "gallery.db"
        before: list[str] | None = None
        for _ in range(_TRIES):
            accessed = self._accesses()  # first: what they saw of the changes is in the database then
            self.gallery.database.copy_to(copy, durable=False)
            later = self._accesses()
            if not later.startswith(accessed):
                continue  # a removal made it forget something meanwhile
            with opened_copy(copy) as database:
                accessed = _until(_accesses_seen(database), accessed, later)
                missing = list(self._copy_files(database))
            backup = self._put(copy, accessed, missing)
            copy.unlink()
            self.backups.sync()
            if (not missing or missing == before) and self._stated(backup):
                break
            before = missing
        else:
            raise Locked(where=str(self.gallery.path), reason="other commands remove prints from it all the time")
        self.backups.sweep()
        needed = {sha256 for sha256, place in self.backups.needed(backup) if place not in backup.missing}
        return Made(backup, len(needed), self.backups.copied, self.backups.copied_bytes)

    def _stated(self, backup: Backup) -> bool:
        """Write the file that states it; False, and there is none, where a print was removed meanwhile."""
        if self._removed_since(backup):
            return False
        file = self.backups.folder / "backups" / f"{backup.id}.json"
        write_atomic(file, rendered(backup), private=True)
        if not self._removed_since(backup):
            return True
        with disk_errors(file):
            file.unlink()
        return False

    def _removed_since(self, backup: Backup) -> bool:
        """Whether a print was removed since the database was copied: the removal does not know of this backup."""
        sql = 'SELECT 1 FROM log WHERE number > ? AND payload LIKE \'%"event":"removed"%\''
        return self.gallery.database.first(sql, (backup.head[0],)) is not None

    def _put(self, copy: Path, accessed: bytes, missing: Sequence[str]) -> Backup:
        """Keep the pieces of a copied database and of the accesses, and the list of all that the backup consists of."""
        digest, windows = hashlib.sha256(), []
        with disk_errors(copy), copy.open("rb") as stream:
            for data in windows_of(stream):
                digest.update(data)
                rest, index, mask = split(data)
                windows.append(Window(self._piece(rest), self._piece(index), mask))
        accesses = tuple(self.backups.put(some) for some in windows_of(BytesIO(accessed)))
        with opened_copy(copy) as database:
            prints = tuple(self.backups.put(some) for some in lists_of(database))
            contents = Contents(tuple(windows), accesses, segments_of(database), prints)
            (count,) = database.one("SELECT count(*) FROM prints WHERE print NOTNULL")
            at = stamp()["at"]
            return Backup(
                id=f"{_next(self.backups.ids()):06d}-{_compact(at)}",
                at=at,
                gallery=str(self.gallery.path.resolve()),
                database=digest.hexdigest(),
                accesses=sha256_hex(accessed) if accessed else "",
                created=_created(database),
                head=log.head(database),
                prints=count,
                missing=tuple(missing),
                made_by={name: value for name, value in stamp().items() if name != "at"},
                contents=self.backups.put(contents.rendered()),
            )

    def _piece(self, data: bytes) -> str:
        return self.backups.put(data) if data else ""

    def _accesses(self) -> bytes:
        file = self.gallery.accesses.path
        with disk_errors(file):
            data = file.read_bytes() if file.exists() else b""
        return data[: data.rfind(b"\n") + 1]  # another command may be writing a line

    def _copy_files(self, database: Database) -> Iterator[str]:
        """Copies what is not there yet; yields what is missing or damaged in the gallery."""
        for sha256, place in files_of(database):
            if not self.backups.object(sha256).exists():
                data = self._read(sha256, place)
                if data is None:
                    yield place
                    continue
                self.backups.put(data)
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
        if target.exists():
            open_like(part, target)
        _fill(part, backups, backup, advance)
        if target.exists():
            target.rmdir()
        part.replace(target)
        sync_folder(target.resolve().parent)
    with Gallery.open(target, write=True) as gallery, gallery.database.transaction():
        facts = {"backup": backup.id, "place": str(folder.resolve()), "database": backup.database}
        log.append(gallery.database, {"event": "restored", **facts})
    return backup


def _fill(folder: Path, backups: Backups, backup: Backup, advance: Advance) -> None:
    """Put the files of a backup in their places, durable when this returns; each is compared with what was stored."""
    written = [_write(folder / "gallery.db", backups.database(backup), backup.database, backups)]
    if backup.accesses:
        written.append(_write(folder / "access.log", backups.accesses(backup), backup.accesses, backups))
    for sha256, place in backups.files(backup):
        if place not in backup.missing:
            written.append(_write(folder / place, backups.stream(sha256), sha256, backups))
        advance(1)
    sync_files(written)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(path)


def _write(target: Path, parts: Iterable[bytes], sha256: str, backups: Backups) -> Path:
    """Write a file; raises IntegrityError where its sha256 is another one."""
    digest = hashlib.sha256()
    make_private(target.parent)
    with open_private(target, new=True) as out:
        for data in parts:
            digest.update(data)
            out.write(data)
    if digest.hexdigest() != sha256:
        raise spoiled(backups.object(sha256), "its bytes were changed (sha256)")
    return target


def problems(folder: Path, advance: Advance = lambda n: None) -> list[str]:
    """Every byte of a folder of backups against what was written: a line, with its name, for each file that differs."""
    backups = Backups.open(folder)
    found, needed = [], dict[str, str]()
    if (folder / "backup.json").read_bytes() != MARK:
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


def _accesses_seen(database: Database) -> int:
    """Number of the last access that a change of a database saw."""
    sql = "SELECT payload FROM log WHERE payload LIKE '%\"access_head\":[%' ORDER BY number DESC LIMIT 1"
    row = database.first(sql)
    return int(json.loads(row[0])["access_head"][0]) if row else 0


def _until(number: int, before: bytes, after: bytes) -> bytes:
    """The accesses of before the database was copied, and those of after it up to the one of this number, which saw no
    later change than the copy has."""
    end = len(before)
    for line in after[end:].splitlines(keepends=True):
        found = line.partition(b" ")[0]
        if not found.isdigit() or int(found) > number:
            break
        end += len(line)
    return after[:end]


def _created(database: Database) -> str:
    (chain,) = database.one("SELECT lower(hex(chain)) FROM log WHERE number = 1")
    return str(chain)


def _next(ids: list[str]) -> int:
    return 1 + max((int(number[:6]) for number in ids), default=0)


def _compact(at: str) -> str:
    return at[:19].replace("-", "").replace(":", "") + "Z"
