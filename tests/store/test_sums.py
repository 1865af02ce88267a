"""The digests beside a database: every flipped byte is found, and nothing else is, whatever happened to the writer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fpipe.core.errors import DiskFull
from fpipe.store import database as database_module
from fpipe.store import sums as module
from fpipe.store.database import Database
from fpipe.store.sums import PIECE, Sums

VERSIONS = ("CREATE TABLE things (id INTEGER PRIMARY KEY, word BLOB)",)


def insert(database: Database, count: int, size: int = 3000) -> None:
    for _ in range(count):
        with database.transaction():
            database.run("INSERT INTO things (word) VALUES (randomblob(?))", (size,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of several pieces, some of it unused."""
    made = tmp_path / "a.db"
    database = Database.create(made, 7, VERSIONS, lambda database: None)
    insert(database, 100)
    database.run("DELETE FROM things WHERE id BETWEEN 20 AND 60")
    database.close()
    assert made.stat().st_size > 4 * PIECE
    return made


def test_a_closed_database_is_known_wholly(path: Path) -> None:
    assert Sums(path).problems() == []
    assert not Sums(path).unknown()


def test_flipped_bytes_are_found_in_unused_space_too(path: Path) -> None:
    data = path.read_bytes()
    for at in [*range(0, 100, 7), *range(100, len(data), 4099), len(data) - 1]:
        damaged = bytearray(data)
        damaged[at] ^= 1
        path.write_bytes(bytes(damaged))
        (said,) = Sums(path).problems()
        assert f"bytes {at // PIECE * PIECE} to" in said
    for other in (data[:-1], data[:PIECE], data + b"\0", data + bytes(PIECE)):
        path.write_bytes(other)
        assert Sums(path).problems()


def test_a_flipped_byte_in_the_digests_is_found(path: Path) -> None:
    file = Sums(path).path
    data = file.read_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 4
        file.write_bytes(bytes(damaged))
        assert Sums(path).problems(), at


def test_damage_is_not_taken_for_right_by_the_next_writer(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[2 * PIECE + 5] ^= 1
    path.write_bytes(bytes(data))
    writer = Database.open(path, 7, VERSIONS, write=True)
    insert(writer, 3)
    writer.close()
    assert len(Sums(path).problems()) == 1


def test_what_is_known_is_right_at_every_moment(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of the files at every step are what a crash could leave."""
    monkeypatch.setattr(database_module, "LOG_BYTES", 1 << 16)
    crashed, seen = tmp_path / "crashed", 0

    def look() -> None:
        nonlocal seen
        shutil.rmtree(crashed, ignore_errors=True)
        crashed.mkdir()
        for file in path.parent.glob("a.db*"):
            shutil.copy(file, crashed)
        assert Sums(crashed / path.name).problems() == []
        seen += Sums(crashed / path.name).unknown()

    expect = Sums.expect

    def watched(sums: Sums) -> None:
        look()
        expect(sums)
        look()

    monkeypatch.setattr(Sums, "expect", watched)
    writer = Database.open(path, 7, VERSIONS, write=True)
    for _ in range(4):
        insert(writer, 12)
        writer.run("UPDATE things SET word = randomblob(3000) WHERE id % 7 = 0")
        look()
    monkeypatch.setattr(Sums, "expect", expect)
    assert seen
    after = Database.open(crashed / path.name, 7, VERSIONS, write=True)  # the next writer of what was left
    count = after.one("SELECT count(*) FROM things")
    after.close()
    assert Sums(crashed / path.name).problems() == []
    assert not Sums(crashed / path.name).unknown()
    assert count == writer.one("SELECT count(*) FROM things")
    writer.close()
    assert Sums(path).problems() == []


def test_the_log_is_moved_when_it_has_grown_not_at_every_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "LOG_BYTES", 1 << 17)
    moves = []
    writer = Database.open(path, 7, VERSIONS, write=True)
    monkeypatch.setattr(writer, "_move", lambda how, move=writer._move: moves.append(how) or move(how))
    insert(writer, 100)  # each a page or two, and its own commit
    assert 2 <= len(moves) <= 10
    assert writer.path.with_name("a.db-wal").stat().st_size < 4 << 17
    writer.close()


def test_a_reader_that_prevents_the_move(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_MS", 50)
    reader = Database.open(path, 7, VERSIONS, write=False)
    with reader.snapshot():
        reader.rows("SELECT count(*) FROM things")
        writer = Database.open(path, 7, VERSIONS, write=True)
        insert(writer, 5)
        writer.close()
        assert Sums(path).problems() == []
        assert Sums(path).unknown()
    reader.close()
    Database.open(path, 7, VERSIONS, write=True).close()
    assert Sums(path).problems() == []
    assert not Sums(path).unknown()


def test_a_full_disk_makes_them_unknown_not_wrong(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, data: bytes, *, private: bool) -> None:
        raise DiskFull(where=str(file), reason="no space")

    writer = Database.open(path, 7, VERSIONS, write=True)
    insert(writer, 5)
    monkeypatch.setattr(module, "write_atomic", full)
    assert writer.empty_log()
    assert Sums(path).problems() == []
    writer.close()
    assert Sums(path).problems() == []
    monkeypatch.undo()
    Database.open(path, 7, VERSIONS, write=True).close()
    assert not Sums(path).unknown()


def test_a_database_without_them_gets_them(path: Path) -> None:
    Sums(path).path.unlink()
    assert Sums(path).problems() == []
    assert Sums(path).unknown()
    Database.open(path, 7, VERSIONS, write=True).close()
    assert not Sums(path).unknown()
