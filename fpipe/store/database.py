"""SQLite as fpipe uses it: WAL, every commit fsynced, deleted content overwritten, every error one of fpipe's own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from fpipe.core.errors import (
    DiskFull,
    DiskGone,
    FpipeError,
    GalleryVersion,
    GalleryWritten,
    IntegrityError,
    Locked,
    NetworkDisk,
    NoGallery,
    ReadOnly,
)
from fpipe.core.files import disk_errors, open_private, sync_files, sync_folder
from fpipe.store.sums import Sums

_HEADER_BYTES = 100
BUSY_MS = 5000
"""How long a statement waits for another process's transaction."""
LOG_BYTES = 1 << 22
"""The write-ahead log is moved into the main file when it has grown to this size, and when the writer ends."""


State = tuple[int, int, int, int]
"""Of a database's files; another one once they were written to."""


def state(path: Path) -> State | None:
    """The state of a database's files; None where it is not there, or this account may not look."""
    log = path.with_name(f"{path.name}-wal")
    try:
        facts = path.stat()
        return facts.st_ino, facts.st_size, facts.st_mtime_ns, log.stat().st_size if log.exists() else 0
    except OSError:
        return None


class Database:
    """One connection.  Readers never write, not even a checkpoint; the writer holds the lock of ``store.lock``.

    Raises IntegrityError on a damaged file, Locked, DiskFull and NetworkDisk, whatever the call.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._sums: Sums | None = None  # the writer's
        self._ready = False  # whether it is ours, and set up for writing
        self._unchanged: State | None = None  # of files that are read as unchangeable, but may be changed all the same
        self.witness: Callable[[], dict[str, Any]] = dict  # what each entry of its log says of the world beside it

    @classmethod
    def create(cls, path: Path, application: int, versions: Sequence[str], fill: Callable[[Database], None]) -> Self:
        """A new database with schema and first content, or none: one transaction makes it.

        application : 32-bit number that marks the file as ours
        versions : SQL that leads from each version to the next; their number is the current version
        fill : writes the first content
        """
        with _errors(path):
            with disk_errors(path):
                open_private(path).close()  # its logs are made with the same mode
            database = cls(path, _connect(path, "rw"))
            database._set_up_writer()
            with database.transaction():
                database.run(f"PRAGMA application_id = {application}")
                database._upgrade(0, versions)
                fill(database)
        return database

    @classmethod
    def open(
        cls,
        path: Path,
        application: int,
        versions: Sequence[str],
        *,
        write: bool,
        upgraded: Callable[[Database, int], None] = lambda database, version: None,
    ) -> Self:
        """An existing database.

        upgraded : is told of the version it had, within the transaction that upgrades it

        Raises NoGallery where there is none, GalleryVersion for a version this program does not know.
        """
        if not path.is_file():
            raise NoGallery(where=str(path.parent))
        if 0 < path.stat().st_size < _HEADER_BYTES:  # SQLite would take it for an empty one
            raise IntegrityError(where=str(path), reason=f"{path.stat().st_size} bytes are no database")
        with _errors(path):
            database = cls._open_writer(path) if write else cls._open_reader(path)
            try:
                version = database._recognise(application, versions, write=write)
                if write:
                    database._set_up_writer()  # an upgrade overwrites what it deletes, too
                if version < len(versions):
                    database.copy_to(old_version(path, version))
                    with database.transaction():
                        database._upgrade(version, versions)
                        upgraded(database, version)
            except BaseException:
                database.close()
                raise
        return database

    @classmethod
    def _open_writer(cls, path: Path) -> Self:
        database = cls(path, _connect(path, "rw"))
        database._sums = Sums(path)
        return database

    @classmethod
    def _open_reader(cls, path: Path) -> Self:
        """Read-only media can't hold the shared memory that WAL needs: there the file is read as unchangeable.

        Nor can a folder where this account may not write, but others may: so every read looks whether they did.
        """
        connection = _connect(path, "ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            before = state(path)
            if before and before[-1]:
                reason = f"read-only, and {path.name}-wal holds changes of a command at work, or of an interrupted one"
                raise ReadOnly(where=str(path), reason=reason) from error
            database = cls(path, _connect(path, "ro&immutable=1"))
            database._unchanged = before
            return database
        return cls(path, connection)

    @classmethod
    def open_copy(cls, path: Path) -> Self:
        """A file that ``copy_to`` made, of whatever version, which nobody changes; nothing is written beside it.

        Raises IntegrityError where it is no database.
        """
        with _errors(path):
            return cls(path, _connect(path, "ro&immutable=1"))

    def _set_up_writer(self) -> None:
        self._sums = self._sums or Sums(self.path)
        if self.one("PRAGMA journal_mode") != ("wal",):
            self._sums.forget()  # the change of mode is written to the file directly
        (mode,) = self.one("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise NetworkDisk(
                where=str(self.path), reason=f"SQLite's write-ahead log does not work here (got {mode!r})"
            )
        for setting in (
            "synchronous = FULL",
            "secure_delete = ON",  # FAST would leave deleted content behind
            "foreign_keys = ON",
            "wal_autocheckpoint = 0",  # _move does it, and keeps the sums right
        ):
            self.run(f"PRAGMA {setting}")
        self._ready = True

    def _recognise(self, application: int, versions: Sequence[str], *, write: bool) -> int:
        """Its version; raises where it is none that can be used."""
        got_application, version = *self.one("PRAGMA application_id"), *self.one("PRAGMA user_version")
        if (got_application, version) == (0, 0) and self.one("SELECT count(*) FROM sqlite_schema") == (0,):
            raise NoGallery(where=str(self.path.parent))  # creating it was interrupted
        if got_application != application:
            raise IntegrityError(where=str(self.path), reason=f"not ours: application id {got_application:#x}")
        if not 0 < version <= len(versions) or (version < len(versions) and not write):
            raise GalleryVersion(
                where=str(self.path.parent),
                got=version,
                expected=len(versions),
                what_to_do="any command that writes upgrades it, `fpipe gallery rebuild` for instance"
                if 0 < version < len(versions)
                else "use the fpipe that wrote it, or a newer one",
            )
        return int(version)

    def _upgrade(self, version: int, versions: Sequence[str]) -> None:
        for script in versions[version:]:
            for statement in filter(str.strip, script.split(";")):
                self.run(statement)
        self.run(f"PRAGMA user_version = {len(versions)}")

    def close(self) -> None:
        """Close; the last one to close tidies the log away."""
        if self._sums is not None:
            with contextlib.suppress(FpipeError):  # everything is stored: what stays in the log is moved another time
                if self.empty_log() and self._ready:
                    self._sums.renew()
        self._connection.close()

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        try:
            with _errors(self.path):
                yield
        except IntegrityError:
            self._refuse_changed()
            raise
        self._refuse_changed()

    def _refuse_changed(self) -> None:
        """What was read while somebody wrote may be half of the one and half of the other."""
        if self._unchanged is not None and state(self.path) != self._unchanged:
            raise GalleryWritten(where=str(self.path.parent))

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """One statement; returns the row id of an insertion."""
        with self._looking():
            return self._connection.execute(sql, values).lastrowid or 0

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._looking():
            return self._connection.execute(sql, values).fetchall()

    def each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query one by one.  Holds a read transaction as long as it is not exhausted."""
        with self._looking():
            for row in self._connection.execute(sql, values):
                self._refuse_changed()
                yield row

    def first(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        with self._looking():
            row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            return row

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The first row of a query that has one by the schema's rules."""
        row = self.first(sql, values)
        if row is None:
            raise IntegrityError(where=str(self.path), reason=f"no row for: {sql}")
        return row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it ends."""
        yield from self._between("BEGIN IMMEDIATE")
        with contextlib.suppress(FpipeError):  # what was committed stays so: it is moved another time
            if self._sums is not None and self._sums.log_bytes() > LOG_BYTES:
                self._move("PASSIVE")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads of one state.  To be kept short: while it lasts the log can't be emptied."""
        yield from self._between("BEGIN")

    def _between(self, begin: str) -> Iterator[None]:
        self.run(begin)
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the content may have changed, by whomever."""
        return int(self.one("PRAGMA data_version")[0]), self._connection.total_changes

    def empty_log(self) -> bool:
        """Move everything into the main file and cut the log to zero bytes; False where a reader prevents it."""
        return self._move("TRUNCATE")

    def _move(self, how: str) -> bool:
        """A checkpoint; False where a reader prevents a part of it."""
        if self._sums is not None:
            self._sums.expect()
        return bool(self.one(f"PRAGMA wal_checkpoint({how})")[0] == 0)

    def copy_to(self, target: Path, *, durable: bool = True) -> None:
        """A copy of this moment as one file; what was there before is replaced.

        durable : it is when this returns; else no time is lost on that
        """
        part = target.with_name(f"{target.name}.part")
        with _errors(target), disk_errors(target):
            open_private(part, new=True).close()
            with contextlib.closing(sqlite3.connect(part)) as copy:
                if not durable:
                    copy.execute("PRAGMA synchronous = OFF")
                self._connection.backup(copy)  # all pages in one step: smaller ones begin again with every commit
                self._refuse_changed()
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            if durable:
                sync_files([part])
            part.replace(target)
            if durable:
                sync_folder(target.parent)

    def problems(self) -> list[str]:
        """What SQLite's own check finds wrong."""
        return [f"{self.path.name}: {line}" for (line,) in self.rows("PRAGMA integrity_check(20)") if line != "ok"]


def old_version(path: Path, version: int) -> Path:
    """Where the database is put aside before it is upgraded from a version: ``gallery-version-2.db``."""
    return path.with_name(f"{path.stem}-version-{version}{path.suffix}")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA temp_store = MEMORY")  # names must not reach a temporary file
    return connection


_DISK = {
    sqlite3.SQLITE_FULL: DiskFull,
    sqlite3.SQLITE_IOERR: DiskGone,
    sqlite3.SQLITE_READONLY: ReadOnly,
    sqlite3.SQLITE_CANTOPEN: ReadOnly,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SHARED_MEMORY = {
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_PROTOCOL,
}


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except UnicodeDecodeError as error:  # SQLite names what it misses, in bytes that are no text
        raise IntegrityError(where=str(path), reason=f"the database is damaged: {error}") from error


def _translated(path: Path, error: sqlite3.Error) -> FpipeError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # undecodable text carries no code
    if code in _SHARED_MEMORY:
        return NetworkDisk(where=str(path), reason=str(error))
    if code & 0xFF in _BUSY:
        return Locked(where=str(path.parent), reason=f"another command holds the database ({error})")
    if code & 0xFF in _DISK:
        return _DISK[code & 0xFF](where=str(path), reason=str(error))
    return IntegrityError(where=str(path), reason=f"the database is damaged: {error}")
