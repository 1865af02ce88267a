"""Galleries of older versions: refused by readers, upgraded by writers, put aside before, and removable afterwards."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from gallery_maker import again, assert_holds, create, new_print, reextraction, traces

from fpipe.core.errors import GalleryVersion
from fpipe.index import Amendment, Gallery, NewPrint
from fpipe.index.schema import VERSIONS
from fpipe.store import log

TO_VERSION_2 = (
    "DROP VIEW records",
    "DROP TABLE amendments",
    "DROP TABLE links",
    "DROP INDEX prints_by_sha256",
    "ALTER TABLE prints DROP COLUMN part",
    "ALTER TABLE prints DROP COLUMN fields",
    "CREATE UNIQUE INDEX prints_by_sha256 ON prints (sha256)",
    next(sql for sql in VERSIONS[1].split(";") if "CREATE VIEW" in sql),
    "PRAGMA user_version = 2",
)
TO_VERSION_1 = ("DROP VIEW records", "DROP TABLE reextractions", "PRAGMA user_version = 1")


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, list[NewPrint]]:
    """A gallery with the tables and the log of an older version."""
    path = tmp_path / "g"
    prints = [replace(new_print(n), fields={}, subject=None if n % 3 else new_print(n).subject) for n in range(40)]
    with create(path) as gallery:
        gallery.add(prints)
        database = gallery.database
        said = [json.loads(payload) for (payload,) in database.rows("SELECT payload FROM log ORDER BY number")]
        database.run("DELETE FROM log")
        for document in said:
            for name in ("part", "fields"):
                document.get("record", {}).pop(name, None)
            log.append(database, document)
        for sql in (*TO_VERSION_2, *(TO_VERSION_1 if request.param == 1 else ())):
            database.run(sql)
        database.run("VACUUM")
    return path, prints


def test_a_reader_refuses_it_and_a_writer_upgrades_it(old: tuple[Path, list[NewPrint]]) -> None:
    path, prints = old
    with pytest.raises(GalleryVersion, match="upgrades"):
        Gallery.open(path)
    before = sqlite3.connect(path / "gallery.db")
    (version,) = before.execute("PRAGMA user_version").fetchone()
    rows = before.execute("SELECT * FROM prints").fetchall()
    before.close()
    with Gallery.open(path, write=True) as opened:
        said = log.payload(opened.database, log.head(opened.database)[0])
    assert said is not None
    assert (said["event"], said["before"], said["after"]) == ("upgraded", version, len(VERSIONS))
    assert_holds(path, prints)
    aside = sqlite3.connect(path / f"gallery-version-{version}.db")
    assert aside.execute("PRAGMA user_version").fetchone() == (version,)
    assert aside.execute("SELECT * FROM prints").fetchall() == rows
    aside.close()
    assert sorted(p.name for p in path.iterdir() if p.is_file() and not p.name.startswith("gallery.db")) == [
        f"gallery-version-{version}.db",
        "lock",
    ]


def test_everything_works_on_it(old: tuple[Path, list[NewPrint]]) -> None:
    path, prints = old
    with Gallery.open(path, write=True) as opened:
        for row in range(0, 40, 2):
            prints[row] = again(prints[row], method="b")
            opened.reextract([reextraction(row + 1, prints[row])])
        for row in range(0, 40, 3):
            prints[row] = replace(prints[row], subject=f"subject {row} of the other list", fields={"case": f"{row}"})
            opened.amend([Amendment(row + 1, prints[row].subject, prints[row].finger, prints[row].fields)])
        assert opened.add([prints[5]]) == [6]
        part = replace(new_print(99), print="card#idc=1", part="idc=1", sha256=prints[5].sha256)
        assert opened.add([replace(part, original=prints[5].original)]) == [41]
    assert_holds(path, [*prints, replace(part, original=prints[5].original)])


def test_removal_leaves_nothing_of_a_print_that_an_older_version_added(old: tuple[Path, list[NewPrint]]) -> None:
    path, prints = old
    gone = prints[2::5]
    versions = {p.print: [p] for p in prints}
    with Gallery.open(path, write=True) as opened:
        for row in range(0, 40, 3):
            for turn in range(2):
                prints[row] = replace(prints[row], subject=f"subject {row} of list {turn}", fields={"case": f"<{row}>"})
                opened.amend([Amendment(row + 1, prints[row].subject, prints[row].finger, prints[row].fields)])
                versions[prints[row].print].append(prints[row])
        gone = [p for p in prints if p.print in {g.print for g in gone}]
        assert all(traces(path, p) for p in gone)
        opened.remove([p.print for p in gone])
        for version in (v for p in gone for v in versions[p.print]):
            assert traces(path, version) == []
    assert not list(path.glob("gallery-version-*"))
    assert_holds(path, [p for p in prints if p not in gone])
