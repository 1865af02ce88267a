"""The audit of a gallery: what it says, that tampering is found, and that it forgets what was removed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from gallery_maker import assert_holds, filled, new_print, traces

from fpipe.index import Amendment, Gallery, NewPrint
from fpipe.service.audit import entries, export, heads, note, problems
from fpipe.service.backup import back_up, restore


@pytest.fixture
def held(tmp_path: Path) -> tuple[Path, list[NewPrint]]:
    """A gallery that was searched twice: with a stranger's print, and with one that it holds."""
    prints = filled(tmp_path / "g", 6)
    with Gallery.open(tmp_path / "g") as gallery:
        assert note(gallery, "searched", latent="mark.png", sha256="ab" * 32, candidates=[[3, 12.5]]) is None
        assert note(gallery, "searched", latent=prints[2].print, sha256=prints[2].sha256, candidates=[]) is None
    return tmp_path / "g", prints


def test_everything_says_who_and_when(held: tuple[Path, list[NewPrint]]) -> None:
    path, prints = held
    with Gallery.open(path) as gallery:
        said = [entry.as_document() for entry in entries(gallery)]
        assert [one["event"] for one in said] == ["created", *["added"] * 6, *["searched"] * 2]
        assert all({"at", "user", "host", "fpipe"} <= set(one) for one in said)
        assert said[1]["record"]["print"] == prints[0].print
        assert said[-1]["gallery_head"] == [7, said[6]["chain"]]
        assert [e.entry.number for e in entries(gallery, event="searched")] == [1, 2]
        now = datetime.now(UTC)
        assert list(entries(gallery, since=now + timedelta(minutes=1))) == []
        assert len(list(entries(gallery, since=now - timedelta(days=1)))) == 9
        assert problems(gallery) == []


def test_an_old_head_is_still_there_unless_the_log_was_written_anew(held: tuple[Path, list[NewPrint]]) -> None:
    path, _ = held
    with Gallery.open(path, write=True) as gallery:
        noted = [head.chain for head in heads(gallery)]
        gallery.add([new_print(50)])
        note(gallery, "checked")
        assert problems(gallery, noted) == []
        assert len(problems(gallery, ["00" * 32])) == 1
        gallery.database.run("DELETE FROM log WHERE number > 6")
        gallery.accesses.path.write_bytes(b"")
        assert len(problems(gallery, noted)) == 2


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE log SET payload = replace(payload, 'cards', 'cords') WHERE number = 4",
        "DELETE FROM log WHERE number = 4",
        "DELETE FROM log WHERE number > 3",  # found by what a search saw of it
    ],
)
def test_tampering_with_any_row_is_found(held: tuple[Path, list[NewPrint]], tampering: str) -> None:
    path, _ = held
    with Gallery.open(path, write=True) as gallery:
        gallery.database.run(tampering)
        found = problems(gallery)
        assert found
        assert any(" 4 " in line or " 7 " in line for line in found)


def test_a_removal_is_forgotten_where_the_print_was_searched(held: tuple[Path, list[NewPrint]]) -> None:
    path, prints = held
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([prints[2].print], "acquitted")
    assert traces(path, prints[2]) == []
    with Gallery.open(path) as gallery:
        assert problems(gallery) == []
        said = [entry.as_document() for entry in entries(gallery)]
    assert [one.get("event") for one in said if one["log"] == "accesses"] == ["searched", None]
    (removed,) = [one for one in said if one.get("event") == "removed"]
    assert removed["reason"] == "acquitted"


def test_searches_restricted_to_what_only_a_removed_print_said_are_forgotten(tmp_path: Path) -> None:
    """Also to what it said once; those restricted to what others say as well are kept."""
    prints = filled(tmp_path / "g", 4)
    gone = prints[1]
    both = {"case": "12", "name": "the only one of this name"}
    with Gallery.open(tmp_path / "g", write=True) as gallery:
        gallery.amend([Amendment(2, "a subject of then", "2", both)])
        gallery.amend([Amendment(2, prints[2].subject, "2", {"case": "12"})])
        gallery.amend([Amendment(4, None, None, {"case": "12", "other": "the only one of this name"})])
        asked: list[dict[str, Any]] = [
            {"subjects": [gone.subject]},
            {"subjects": ["a subject of then"]},
            {"subjects": [prints[2].subject]},
            {"where": [f"name={both['name']}"]},
            {"where": ["case=12"]},
            {"where": ["case=12", f"case={gone.fields['case']}"]},
            {"where": [f"other={both['name']}"]},
            {"where": ["case=12", "name=the*only*"]},
            {"where": ["case>=12"]},
            {"where": ["other=*only*", "name=*"]},
            {"where": ["name<=the only one", "name>=the only"]},
            {"where": [f"sha256={gone.sha256[:10]}*"]},
            {"where": [f"sha256={prints[2].sha256[:10]}*"]},
        ]
        for selection in asked:
            note(gallery, "searched", latent="mark.png", sha256="ab" * 32, selection=selection)
        gallery.remove([gone.print])
        assert traces(tmp_path / "g", gone) == []
        assert problems(gallery) == []
        kept = [one.entry.payload["selection"] for one in entries(gallery, event="searched") if one.entry.payload]
    assert kept == [asked[2], asked[4], asked[6], asked[8], asked[9], asked[12]]


def test_what_is_exported_can_be_verified_without_fpipe(held: tuple[Path, list[NewPrint]]) -> None:
    path, prints = held
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([prints[2].print])
        lines = [json.loads(line) for line in export(gallery)]
    chain = {"changes": b"", "accesses": b""}
    for line in lines[:-1]:
        if line["salt"] is not None:
            content = hashlib.sha256(bytes.fromhex(line["salt"]) + line["text"].encode()).hexdigest()
            assert content == line["content"]
        number = line["number"].to_bytes(8, "little")
        chain[line["log"]] = hashlib.sha256(chain[line["log"]] + number + bytes.fromhex(line["content"])).digest()
        assert chain[line["log"]].hex() == line["chain"]
    assert {name: end["chain"] for name, end in lines[-1]["heads"].items()} == {n: c.hex() for n, c in chain.items()}


def test_what_can_not_be_noted_is_said(held: tuple[Path, list[NewPrint]], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = held
    with Gallery.open(path) as gallery:
        gallery.accesses.path.write_bytes(b"damaged\n")
        said = note(gallery, "searched")
        assert said is not None
        assert "could not be noted" in said
        assert problems(gallery) != []


def test_a_clock_that_was_set_back(
    held: tuple[Path, list[NewPrint]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order goes by numbers, in the logs and among backups; times are what the clock said."""

    class Past(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Past:
            return cls(2001, 2, 3, tzinfo=tz)

    path, prints = held
    first = back_up(path, tmp_path / "b").backup
    for module in ("fpipe.store.chain", "fpipe.index.events"):
        monkeypatch.setattr(f"{module}.datetime", Past)
    with Gallery.open(path, write=True) as gallery:
        gallery.add([new_print(50)])
    second = back_up(path, tmp_path / "b").backup
    assert (first.at > second.at) and second.at.startswith("2001-02-03")
    assert restore(tmp_path / "b", tmp_path / "g2").id == second.id
    assert_holds(tmp_path / "g2", [*prints, new_print(50)])
    with Gallery.open(path) as gallery:
        assert problems(gallery) == []
        numbers = [entry.entry.number for entry in entries(gallery) if entry.log == "changes"]
        assert numbers == sorted(numbers)
