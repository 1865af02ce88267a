"""Re-extraction in the store and the index: old or new, never both and never half; removal reaches every version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_maker import WIDTH, again, assert_holds, create, filled, new_print, reextraction, traces

from fpipe.core.errors import FpipeError, GalleryChanged
from fpipe.index import Gallery, NewPrint, segments
from fpipe.store import log


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments after few prints, as in test_gallery."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    monkeypatch.setattr(segments, "MOST_ROWS", 1500)


def read_again(
    path: Path, prints: list[NewPrint], rows: Sequence[int], method: str = "b", *, batch: int = 7, settle: bool = False
) -> list[NewPrint]:
    """Re-extract the prints in these rows; returns all prints as they are then."""
    prints = list(prints)
    with Gallery.open(path, write=True) as gallery:
        ids = gallery.print_ids().tolist()
        for start in range(0, len(rows), batch):
            for row in rows[start : start + batch]:
                prints[row] = again(prints[row], method=method)
            gallery.reextract([reextraction(ids[row], prints[row]) for row in rows[start : start + batch]])
        if settle:
            gallery.settle()
    return prints


def queries() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (15, WIDTH), dtype=np.uint8)


def hits(gallery: Gallery) -> list[bytes]:
    found = gallery.search(queries(), 40)
    return [getattr(found, name).tobytes() for name in ("print_id", "similarity", "x", "y", "direction")]


@pytest.mark.parametrize("settle", [False, True])
@pytest.mark.parametrize("batch", [1, 7, 50])
def test_what_is_read_again_is_found_in_place_of_the_old(tmp_path: Path, batch: int, settle: bool) -> None:
    """Prints in segments and prints that still wait, once and twice."""
    path = tmp_path / "g"
    prints = filled(path, 61)
    prints = read_again(path, prints, [0, 3, 20, 21, 22, 59, 60], batch=batch, settle=settle)
    assert_holds(path, prints)
    prints = read_again(path, prints, range(61), "c", batch=batch, settle=settle)
    assert_holds(path, prints)
    with Gallery.open(path) as gallery:
        assert gallery.extraction_digests() == {"plain": [prints[0].extraction_digest]}
        assert len(gallery.cache.waiting()) < 61
        assert not settle or all(n > gallery.cache.entries()[-1].last_id for n, _ in gallery.cache.waiting())


def test_searches_do_not_depend_on_whether_segments_were_written_again(tmp_path: Path) -> None:
    """To the last byte, for a reader that was there before and for one that comes later."""
    path = tmp_path / "g"
    prints = filled(path, 40)
    with Gallery.open(path) as early:
        before = hits(early)
        read_again(path, prints, [2, 5, 30])
        changed = hits(early)
        assert changed != before
        with Gallery.open(path) as late:
            assert hits(late) == changed
        read_again(path, prints, [2, 5, 30], "c")
        latest = hits(early)
        assert latest != changed
        with Gallery.open(path, write=True) as gallery:
            assert [n for n, _ in gallery.cache.waiting()][:3] == [3, 6, 31]
            gallery.settle()
            assert hits(gallery) == latest
        assert hits(early) == latest


def test_adding_goes_on_beside_what_waits_to_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = read_again(path, filled(path, 30), [1, 2, 28])
    with Gallery.open(path, write=True) as gallery:
        more = [new_print(number) for number in range(30, 75)]
        for p in more:
            gallery.add([p])
    assert_holds(path, prints + more)


def test_a_large_segment_is_written_again_a_few_times_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_ROWS", 10**6)
    path = tmp_path / "g"
    prints = filled(path, 400)
    with Gallery.open(path) as gallery:
        first = gallery.cache.next_generation()
    read_again(path, prints, range(400), batch=2)
    with Gallery.open(path) as gallery:
        assert 5 < gallery.cache.next_generation() - first < 60  # 200 transactions
        assert gallery.check() == []


def test_a_mixed_gallery_becomes_one_of_one_method(tmp_path: Path) -> None:
    path, old, mark = tmp_path / "g", new_print(1), new_print(2, kind="latent")
    new = replace(again(new_print(3), method="b"), print="new")
    with create(path) as gallery:
        gallery.add([old, mark])
        gallery.add([new], mixed=True)
    assert_holds(path, [old, mark, new])
    read_again(path, [old], [0])
    with Gallery.open(path) as gallery:
        assert gallery.extraction_digests() == {"latent": [mark.extraction_digest], "plain": [new.extraction_digest]}
        gallery.refuse_new_method("plain", new.extraction_digest)


def test_the_log_tells_every_version(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 2)
    read_again(path, read_again(path, prints, [1]), [1], "c")
    with Gallery.open(path) as gallery:
        said = [log.payload(gallery.database, number) or {} for number in range(1, 6)]
        assert [entry["event"] for entry in said] == ["created", "added", "added", "reextracted", "reextracted"]
        assert [entry["record"]["preset"] for entry in said[2:]] == ["plain", "preset-b", "preset-c"]
        assert len({entry["template"] for entry in said[2:]}) == 3
        assert {entry["record"]["added"] for entry in said[2:]} == {gallery.records([2])[0].added}


def test_nothing_of_a_call_is_stored_where_one_print_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 3)
    new = again(prints[0], method="b")
    with Gallery.open(path, write=True) as gallery:
        with pytest.raises(GalleryChanged):
            gallery.reextract([reextraction(1, new), reextraction(9, new)])
        wide = replace(new.vectors, bits=np.zeros((len(new.vectors), WIDTH + 1), np.uint8))
        with pytest.raises(ValueError, match="expected 6"):
            gallery.reextract([reextraction(2, new), reextraction(1, replace(new, vectors=wide))])
        gallery.reextract([])
    assert_holds(path, prints)


def test_a_reader_sees_record_and_template_of_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 10)
    with Gallery.open(path) as reader:
        before = reader.editions([3, 4])
        prints = read_again(path, prints, [2])
        after = reader.editions([3, 4])
        assert after[0] != before[0]
        assert after[1] == before[1]
        (stored,) = reader.stored([3])
        assert (stored.record.extraction_digest, stored.template) == (prints[2].extraction_digest, prints[2].template)
        assert stored.edition == after[0]
        with Gallery.open(path, write=True) as gallery:
            gallery.remove([prints[2].print])
        with pytest.raises(GalleryChanged):
            reader.editions([4, 3])
        with pytest.raises(GalleryChanged):
            reader.stored([3])


def test_removal_reaches_every_version(tmp_path: Path) -> None:
    """Also of prints whose neighbours in the database were re-extracted in between."""
    path = tmp_path / "g"
    prints = filled(path, 150)
    rng = np.random.default_rng(3)
    versions: dict[str, list[NewPrint]] = {p.print: [p] for p in prints}
    removed: list[NewPrint] = []
    for turn in range(5):
        rows = sorted(rng.choice(len(prints), 50, replace=False).tolist())
        prints = read_again(path, prints, rows, method="m" * (turn + 1), settle=turn % 2 == 1)
        for row in rows:
            versions[prints[row].print].append(prints[row])
        gone = [prints[i] for i in rng.choice(len(prints), 8, replace=False)]
        assert all(traces(path, p) for p in gone)
        with Gallery.open(path, write=True) as gallery:
            gallery.remove([p.print for p in gone])
            for version in (v for p in gone for v in versions[p.print]):
                assert traces(path, version) == []  # already while the writer is open
        prints = [p for p in prints if p not in gone]
        removed += gone
        assert_holds(path, prints)
    prints = read_again(path, prints, range(len(prints)), "last")
    assert max(len(versions[p.print]) for p in removed) > 2
    for version in (v for p in removed for v in versions[p.print]):
        assert traces(path, version) == []
    assert_holds(path, prints)


def test_what_was_replaced_is_overwritten(tmp_path: Path) -> None:
    """In the database, once the writer is closed; vectors stay in a segment until it is written again."""
    path = tmp_path / "g"
    before = filled(path, 20)
    read_again(path, before, range(20), settle=True)
    data = (path / "gallery.db").read_bytes()
    for p in before:
        assert p.template[:24] not in data
        assert p.template[-24:] not in data


def test_rebuild_after_it_makes_the_same_index(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = read_again(path, filled(path, 60), range(0, 60, 5))
    by_template = {p.template: p.vectors for p in prints}
    with Gallery.open(path) as reader:
        found = hits(reader)
        with Gallery.open(path, write=True) as gallery:
            gallery.rebuild(lambda template, where: by_template[template])
        assert hits(reader) == found
    assert_holds(path, prints)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reextractions SET preset = 'other' WHERE id = 7",
        "UPDATE reextractions SET template = zeroblob(100) WHERE number = 4",
        "UPDATE reextractions SET template = NULL WHERE number = 4",
        "UPDATE reextractions SET template = zeroblob(100) WHERE number = 1",
        "UPDATE reextractions SET entry = entry - 1 WHERE number = 4",
        "UPDATE reextractions SET id = 8 WHERE number = 4",
        "DELETE FROM reextractions WHERE number = 1",
        "DELETE FROM reextractions WHERE number = 4",
        "UPDATE prints SET entry = 2 WHERE id = 7",
        "DELETE FROM waiting WHERE id = 7",
        "INSERT INTO waiting SELECT 1, rows, vectors FROM waiting WHERE id = 7",
        "UPDATE methods SET prints = prints + 1",
    ],
)
def test_changed_tables_are_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "g"
    prints = read_again(path, filled(path, 25), [6, 9])
    prints = read_again(path, prints, [9, 6], "c", batch=1)
    assert_holds(path, prints)
    with Gallery.open(path, write=True) as gallery:
        assert 7 in [number for number, _ in gallery.cache.waiting()]
        gallery.database.run(change)
    with Gallery.open(path) as gallery:
        said: list[str] = []
        try:
            said += gallery.check()
        except FpipeError as error:
            said.append(error.message)
    assert said
