"""The log in a file of its own: what it notices, that many processes can write to it, and that it forgets."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fpipe.core.errors import IntegrityError
from fpipe.store import journal as module
from fpipe.store.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "access.log")
    for number in range(5):
        assert made.append({"event": "searched", "name": f"grün {number}\n"}) == number + 1
    return made


def test_a_settled_head_is_durable_and_up_to_date(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(module, "sync_files", synced.extend)
    assert journal.settled() == journal.settled() == journal.head()
    assert synced == [journal.path]
    Journal(journal.path).append({"event": "searched"})
    assert journal.settled() == journal.head()
    assert journal.settled()[0] == 6
    assert synced == [journal.path] * 2
    journal.path.unlink()
    assert journal.settled() == (0, "")


def test_entries_say_what_who_and_when(journal: Journal) -> None:
    assert journal.problems() == []
    entries = [entry for entry in journal.entries() if entry]
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    said = entries[1].payload
    assert said is not None
    assert said["name"] == "grün 1\n"
    assert {"at", "user", "host", "fpipe"} <= set(said)
    assert journal.head() == (5, entries[-1].chain.hex())


def test_nothing_yet(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "access.log")
    assert list(journal.entries()) == []
    assert journal.head() == (0, "")
    assert journal.problems() == []
    assert journal.forget(lambda said: True) == 0
    assert not journal.path.exists()


def test_long_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 16)
    journal = Journal(tmp_path / "access.log")
    for number in range(4):
        journal.append({"long": "x" * 1000 * number})
    assert journal.problems() == []
    assert journal.head()[0] == 4


def test_forgetting_leaves_no_byte_and_keeps_the_chain(journal: Journal) -> None:
    size, head = journal.path.stat().st_size, journal.head()
    assert journal.forget(lambda said: said["name"] == "grün 2\n") == 1
    data = journal.path.read_bytes()
    assert "grün 2".encode() not in data
    assert len(data) == size
    assert journal.head() == head
    assert journal.problems() == []
    assert [entry.payload is None for entry in journal.entries() if entry] == [False, False, True, False, False]
    assert journal.append({"event": "searched"}) == 6
    assert journal.problems() == []


def test_every_flipped_byte_is_noticed(journal: Journal) -> None:
    journal.forget(lambda said: said["name"] == "grün 2\n")
    data = journal.path.read_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << (5 * (at % 2))
        journal.path.write_bytes(bytes(damaged))
        assert journal.problems(), f"byte {at}"


def test_missing_lines_are_noticed(journal: Journal) -> None:
    lines = journal.path.read_bytes().splitlines(keepends=True)
    for gone in range(4):
        journal.path.write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
        assert journal.problems()


def test_half_a_line_of_a_process_that_died_is_cut_away(journal: Journal) -> None:
    data = journal.path.read_bytes()
    begin = data.rindex(b"\n", 0, len(data) - 1) + 1
    for end in range(begin, len(data)):
        journal.path.write_bytes(data[:end])
        assert journal.problems() == [], end
        assert journal.head()[0] == 4
    assert journal.append({"event": "searched"}) == 5
    assert journal.problems() == []


def test_a_damaged_end_is_not_built_upon(journal: Journal) -> None:
    journal.path.write_bytes(journal.path.read_bytes() + b"no entry\n")
    with pytest.raises(IntegrityError):
        journal.append({"event": "searched"})
    with pytest.raises(IntegrityError):
        journal.forget(lambda said: True)


def test_a_changed_end_is_neither_cut_away_nor_built_upon(journal: Journal) -> None:
    data = journal.path.read_bytes()[:-1] + b"\x0b"
    journal.path.write_bytes(data)
    assert journal.problems()
    with pytest.raises(IntegrityError):
        journal.append({"event": "searched"})
    with pytest.raises(IntegrityError):
        journal.forget(lambda said: True)
    assert journal.path.read_bytes() == data


def test_forgetting_cuts_half_a_line_away(journal: Journal) -> None:
    data = journal.path.read_bytes()
    journal.path.write_bytes(data + data[: len(data) // 8])
    assert journal.forget(lambda said: False) == 0
    assert journal.path.read_bytes() == data


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_nobody_else_may_read_it(journal: Journal) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in journal.path.parent.iterdir()}
    assert modes == {0o600}


WRITE = """
import sys
from pathlib import Path
from fpipe.store.journal import Journal
for number in range(10):
    Journal(Path(sys.argv[1])).append({"process": sys.argv[2], "number": number})
"""


def test_processes_write_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    command = [sys.executable, "-c", WRITE, str(path)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    journal = Journal(path)
    assert journal.problems() == []
    said = [entry.payload for entry in journal.entries() if entry]
    for process in "0123":
        assert [p["number"] for p in said if p and p["process"] == process] == list(range(10))
