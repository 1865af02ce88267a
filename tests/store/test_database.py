"""The settings that the promises stand on, versions, errors."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from fpipe.core.errors import DiskFull, DiskGone, GalleryVersion, IntegrityError, Locked, NoGallery, ReadOnly
from fpipe.store import database as module
from fpipe.store.database import Database

ONE = ("CREATE TABLE things (id INTEGER PRIMARY KEY, word TEXT)",)
TWO = (*ONE, "ALTER TABLE things ADD COLUMN more TEXT; CREATE INDEX by_word ON things (word)")


def fill(database: Database) -> None:
    database.run("INSERT INTO things (word) VALUES ('first')")


def make(path: Path, versions: tuple[str, ...] = ONE) -> Database:
    return Database.create(path, 7, versions, fill)


def test_settings_of_a_writer(tmp_path: Path) -> None:
    made = make(tmp_path / "a.db")
    made.close()
    opened = Database.open(tmp_path / "a.db", 7, ONE, write=True)
    for database in (opened,):
        assert database.one("PRAGMA journal_mode") == ("wal",)
        assert database.one("PRAGMA synchronous") == (2,)
        assert database.one("PRAGMA secure_delete") == (1,)
        assert database.one("PRAGMA temp_store") == (2,)
        assert database.one("PRAGMA user_version") == (1,)
    opened.close()


def test_nothing_private_reaches_a_temporary_file(tmp_path: Path) -> None:
    """Whatever SQLite sorts for a reader: its temporary files would lie outside the gallery."""
    with contextlib.closing(make(tmp_path / "a.db")) as database:
        database.copy_to(tmp_path / "copy.db")
    for opened in (Database.open(tmp_path / "a.db", 7, ONE, write=False), Database.open_copy(tmp_path / "copy.db")):
        assert opened.one("PRAGMA temp_store") == (2,)
        opened.close()


@pytest.mark.parametrize("durable", [True, False])
def test_a_copy_is_one_file(tmp_path: Path, durable: bool) -> None:
    with contextlib.closing(make(tmp_path / "a.db")) as database:
        (tmp_path / "copy.db").write_bytes(b"what was there before")
        database.copy_to(tmp_path / "copy.db", durable=durable)
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.db"]
    with contextlib.closing(Database.open_copy(tmp_path / "copy.db")) as copy:
        assert copy.rows("SELECT word FROM things") == [("first",)]
        assert copy.problems() == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, DiskFull),
        (sqlite3.SQLITE_IOERR_WRITE, DiskGone),
        (sqlite3.SQLITE_READONLY_DIRECTORY, ReadOnly),
        (sqlite3.SQLITE_CANTOPEN, ReadOnly),
    ],
)
def test_a_disk_that_refuses(tmp_path: Path, code: int, kind: type[DiskFull]) -> None:
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    with pytest.raises(DiskFull, match="refused") as caught, module._errors(tmp_path / "a.db"):
        raise error
    assert type(caught.value) is kind


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = make(tmp_path / "a.db")
    with pytest.raises(ZeroDivisionError), database.transaction():
        database.run("INSERT INTO things (word) VALUES ('second')")
        raise ZeroDivisionError
    assert database.rows("SELECT word FROM things") == [("first",)]
    database.close()


def test_creation_is_all_or_nothing(tmp_path: Path) -> None:
    def fail(database: Database) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Database.create(tmp_path / "a.db", 7, ONE, fail)
    with pytest.raises(NoGallery):
        Database.open(tmp_path / "a.db", 7, ONE, write=False)


def test_an_older_version_is_upgraded_by_a_writer_and_refused_by_a_reader(tmp_path: Path) -> None:
    make(tmp_path / "a.db").close()
    with pytest.raises(GalleryVersion):
        Database.open(tmp_path / "a.db", 7, TWO, write=False)
    Database.open(tmp_path / "a.db", 7, TWO, write=True).close()
    reader = Database.open(tmp_path / "a.db", 7, TWO, write=False)
    assert reader.rows("SELECT word, more FROM things") == [("first", None)]
    reader.close()


def test_a_newer_version_and_a_stranger_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "a.db", TWO).close()
    for write in (False, True):
        with pytest.raises(GalleryVersion):
            Database.open(tmp_path / "a.db", 7, ONE, write=write)
        with pytest.raises(IntegrityError):
            Database.open(tmp_path / "a.db", 8, TWO, write=write)


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\0", b"no database at all" * 400])
def test_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.db").write_bytes(content)
    for write in (False, True):
        with pytest.raises(IntegrityError):
            Database.open(tmp_path / "a.db", 7, ONE, write=write)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NoGallery):
        Database.open(tmp_path / "a.db", 7, ONE, write=True)


def test_a_reader_can_not_write_and_sees_commits(tmp_path: Path) -> None:
    writer = make(tmp_path / "a.db")
    reader = Database.open(tmp_path / "a.db", 7, ONE, write=False)
    before = reader.stamp()
    assert reader.stamp() == before
    writer.run("INSERT INTO things (word) VALUES ('second')")
    assert reader.stamp() != before
    assert len(reader.rows("SELECT * FROM things")) == 2
    with pytest.raises(DiskFull):
        reader.run("DELETE FROM things")
    reader.close()
    writer.close()


def test_the_log_is_emptied_unless_a_reader_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpipe.store.database.BUSY_MS", 50)
    writer = make(tmp_path / "a.db")
    reader = Database.open(tmp_path / "a.db", 7, ONE, write=False)
    with reader.snapshot():
        reader.rows("SELECT * FROM things")
        writer.run("INSERT INTO things (word) VALUES ('second')")
        assert not writer.empty_log()
    assert writer.empty_log()
    assert (tmp_path / "a.db-wal").stat().st_size == 0
    reader.close()
    writer.close()


def test_another_transaction_is_waited_for_then_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpipe.store.database.BUSY_MS", 50)
    writer = make(tmp_path / "a.db")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Locked):
        writer.run("DELETE FROM things")
    other.close()
    writer.close()
