"""Each log notes where the other one ended: what is cut off, deleted or written anew is found without any head."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gallery_maker import assert_holds, create, new_print

from fpipe.index import Gallery, NewPrint
from fpipe.service.audit import note, problems
from fpipe.service.backup import back_up, restore
from fpipe.store import log
from fpipe.store.database import Database
from fpipe.store.journal import Journal


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A gallery: print, three accesses, print (change 3), access."""
    with create(tmp_path / "g") as gallery:
        gallery.add([new_print(0)])
        for number in range(3):
            note(gallery, "searched", latent=f"{number}.png")
        gallery.add([new_print(1)])
        note(gallery, "checked")
    return tmp_path / "g"


def found(path: Path) -> list[str]:
    with Gallery.open(path) as gallery:
        return problems(gallery)


SAW = "access.log: entry 3 is not the one that change 3 saw: it was cut off or written anew"


def test_a_change_says_where_the_accesses_ended(held: Path) -> None:
    with Gallery.open(held) as gallery:
        said = [(log.payload(gallery.database, number) or {}).get("access_head") for number in (1, 2, 3)]
        entries = [entry for entry in gallery.accesses.entries() if entry]
    assert said == [None, [0, ""], [3, entries[2].chain.hex()]]
    assert found(held) == []


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_cut_behind_a_change(held: Path, left: int) -> None:
    file = held / "access.log"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:left]))
    assert found(held) == [SAW]
    with Gallery.open(held) as gallery:  # what is noted since does not hide it
        for _ in range(4):
            note(gallery, "searched")
    assert SAW in found(held)


def test_a_deleted_log(held: Path) -> None:
    (held / "access.log").unlink()
    assert found(held) == [SAW]
    with Gallery.open(held, write=True) as gallery:
        gallery.add([new_print(2)])
    assert found(held) == [SAW]


def test_a_log_written_anew(held: Path) -> None:
    said = [json.loads(line.split(b" ", 4)[4]) for line in (held / "access.log").read_bytes().splitlines()]
    (held / "access.log").unlink()
    for payload in said:
        Journal(held / "access.log").append(payload)
    assert found(held) == [SAW]


def test_what_was_forgotten_breaks_nothing(held: Path) -> None:
    with Gallery.open(held, write=True) as gallery:
        note(gallery, "searched", latent=new_print(1).print)
        gallery.remove([new_print(1).print])
    assert found(held) == []
    with Gallery.open(held) as gallery:
        assert [entry.payload is None for entry in gallery.accesses.entries() if entry] == [False] * 4 + [True]


def test_galleries_of_before_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(Gallery, "_accessed", lambda gallery: {})
        with create(tmp_path / "g") as gallery:
            note(gallery, "searched")
            gallery.add([new_print(0)])
    back_up(tmp_path / "g", tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "g2")
    for path in (tmp_path / "g", tmp_path / "g2"):
        assert found(path) == []
        with Gallery.open(path, write=True) as gallery:
            gallery.add([new_print(1)])
        assert found(path) == []


def test_a_damaged_log_does_not_keep_prints_out(held: Path) -> None:
    file = held / "access.log"
    file.write_bytes(file.read_bytes() + b"damaged\n")
    with Gallery.open(held, write=True) as gallery:
        gallery.add([new_print(2)])
    assert_holds(held, [new_print(number) for number in range(3)])
    assert "access.log: entry 5 is unreadable" in found(held)


def test_a_backup_made_while_others_search_and_add(held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the changes saw of the accesses, and these of the changes, is in the backup; what came later is not."""
    copy_to = Database.copy_to

    def both(number: int) -> None:
        with Gallery.open(held, write=True) as gallery:
            note(gallery, "searched", latent="meanwhile")
            gallery.add([new_print(number)])
            note(gallery, "searched", latent="meanwhile")

    def amid(database: Database, target: Path, **how: bool) -> None:
        both(10)
        copy_to(database, target, **how)
        both(11)

    monkeypatch.setattr(Database, "copy_to", amid)
    made = back_up(held, tmp_path / "b").backup
    monkeypatch.undo()
    restore(tmp_path / "b", tmp_path / "g2")
    assert found(tmp_path / "g2") == found(held) == []
    prints: list[NewPrint] = [new_print(number) for number in (0, 1, 10)]
    assert_holds(tmp_path / "g2", prints)
    assert made.prints == 3
    with Gallery.open(tmp_path / "g2") as gallery:
        assert gallery.accesses.head()[0] == 5
