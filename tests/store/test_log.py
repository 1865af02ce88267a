"""The log: what it notices, and that forgetting does not break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpipe.store import log
from fpipe.store.database import Database


@pytest.fixture
def database(tmp_path: Path):
    def fill(database: Database) -> None:
        for number in range(5):
            assert log.append(database, {"event": "added", "name": f"grün {number}"}) == number + 1

    made = Database.create(tmp_path / "log.db", 7, (log.SCHEMA,), fill)
    yield made
    made.close()


def test_whole(database: Database) -> None:
    assert log.problems(database) == []
    said = log.payload(database, 2)
    assert said is not None
    assert (said["event"], said["name"]) == ("added", "grün 1")
    assert {"at", "user", "host", "fpipe"} <= set(said)
    *_, last = log.entries(database)
    assert last is not None
    assert log.head(database) == (5, last.chain.hex())
    assert log.payload(database, 9) is None


def test_forgetting_keeps_the_chain(database: Database) -> None:
    log.forget(database, 2)
    assert log.payload(database, 2) is None
    assert log.problems(database) == []
    assert log.append(database, {"event": "removed"}) == 6
    assert log.problems(database) == []


def test_equal_payloads_have_different_hashes(database: Database) -> None:
    """Otherwise a forgotten entry could be told by trying."""
    for _ in range(2):
        log.append(database, {"event": "added", "name": "same"})
    (a,), (b,) = database.rows("SELECT content FROM log ORDER BY number DESC LIMIT 2")
    assert a != b


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE log SET payload = replace(payload, 'added', 'addet') WHERE number = 3",
        "UPDATE log SET salt = zeroblob(32) WHERE number = 3",
        "UPDATE log SET salt = NULL WHERE number = 3",
        "UPDATE log SET content = zeroblob(32) WHERE number = 3",
        "UPDATE log SET chain = zeroblob(32) WHERE number = 5",
        "UPDATE log SET content = 'text' WHERE number = 3",
        "DELETE FROM log WHERE number = 3",
        "DELETE FROM log WHERE number = 1",
        "UPDATE log SET number = 9 WHERE number = 5",
        "UPDATE log SET number = -1 WHERE number = 1",
    ],
)
def test_tampering_is_noticed(database: Database, tampering: str) -> None:
    database.run(tampering)
    assert log.problems(database)
