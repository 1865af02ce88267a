"""The gallery's promises: what is stored is found, once, and what is removed is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_maker import WIDTH, assert_holds, create, files_of, filled, new_print, traces, vectors_of

from fpipe.core.errors import (
    DigestMismatch,
    GalleryChanged,
    GalleryExists,
    IntegrityError,
    Locked,
    NameTaken,
    NoGallery,
    UnknownPrint,
)
from fpipe.index import Gallery, segments
from fpipe.store import lock


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments after few prints, so that every way through folding and merging is walked."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    monkeypatch.setattr(segments, "MOST_ROWS", 1500)


@pytest.mark.parametrize("keep_originals", [True, False])
@pytest.mark.parametrize("count", [0, 1, 5, 60])
def test_what_is_added_is_found(tmp_path: Path, count: int, keep_originals: bool) -> None:
    prints = filled(tmp_path / "g", count, keep_originals=keep_originals)
    assert_holds(tmp_path / "g", prints)
    assert ("originals" in " ".join(files_of(tmp_path / "g"))) == (keep_originals and count > 0)


def test_an_empty_gallery_has_no_hits(tmp_path: Path) -> None:
    filled(tmp_path / "g", 0)
    with Gallery.open(tmp_path / "g") as gallery:
        hits = gallery.search(np.zeros((3, WIDTH), np.uint8), 4)
    assert (hits.print_id == -1).all()
    assert hits.print_id.shape == (3, 4)


def test_the_gallery_does_not_depend_on_how_the_prints_were_grouped(tmp_path: Path) -> None:
    contents = []
    for batch in (1, 7, 50):
        path = tmp_path / str(batch)
        filled(path, 50, batch=batch)
        with Gallery.open(path) as gallery:
            entries = [(e.rows, e.first_id, e.last_id) for e in gallery.cache.entries()]
            contents.append((entries, [n for n, _ in gallery.cache.waiting()]))
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0][0]) >= 2


def test_many_runs_of_one_print_each_leave_few_files(tmp_path: Path) -> None:
    path = tmp_path / "g"
    create(path).close()
    prints = [new_print(number) for number in range(150)]
    for p in prints:
        with Gallery.open(path, write=True) as gallery:
            gallery.add([p])
    assert len(list((path / "segments").iterdir())) < 10
    assert_holds(path, prints)


def test_the_same_bytes_are_added_once(tmp_path: Path) -> None:
    path, a, b = tmp_path / "g", new_print(1), new_print(2)
    with create(path) as gallery:
        assert gallery.add([a]) == [1]
        assert gallery.add([a, b, b, replace(a, print="other name")]) == [1, 2, 2, 1]
        found = gallery.find("any name", a.sha256)
        assert found is not None
        assert found.print == a.print
        assert gallery.find("any name", "0" * 64) is None
    assert_holds(path, [a, b])


def test_a_taken_name_stores_nothing_of_the_call(tmp_path: Path) -> None:
    path, a, b = tmp_path / "g", new_print(1), new_print(2)
    with create(path) as gallery:
        gallery.add([a])
        with pytest.raises(NameTaken, match="other bytes"):
            gallery.add([b, replace(new_print(3), print=a.print)])
        with pytest.raises(NameTaken):
            gallery.add([b, replace(new_print(3), print=b.print)])
    assert_holds(path, [a])


def test_new_methods_need_a_word(tmp_path: Path) -> None:
    path = tmp_path / "g"
    new, other_kind = new_print(2, digest="ffff"), new_print(3, kind="latent", digest="eeee")
    with create(path) as gallery:
        gallery.add([new_print(1)])
        with pytest.raises(DigestMismatch, match="--mixed"):
            gallery.add([new])
        gallery.add([other_kind])
        gallery.add([new], mixed=True)
        assert gallery.extraction_digests() == {"latent": ["eeee"], "plain": ["0123456789abcdef", "ffff"]}
        gallery.remove([new_print(1).print])
        assert gallery.extraction_digests() == {"latent": ["eeee"], "plain": ["ffff"]}
    assert_holds(path, [other_kind, new])


def test_removal_leaves_nothing_in_any_file(tmp_path: Path) -> None:
    """Several removals after each other: the first moves the neighbours of what later ones remove."""
    path = tmp_path / "g"
    prints = filled(path, 300)
    rng = np.random.default_rng(0)
    left = list(prints)
    for _ in range(4):
        gone = [left[i] for i in rng.choice(len(left), 9, replace=False)]
        assert all(traces(path, p) for p in gone)
        with Gallery.open(path, write=True) as gallery:
            gallery.remove([p.print for p in gone])
            for p in gone:
                assert traces(path, p) == []  # already while the writer is open
        left = [p for p in left if p not in gone]
    removed = [p for p in prints if p not in left]
    with Gallery.open(path, write=True) as gallery:
        more = [new_print(number) for number in range(300, 340)]
        gallery.add(more)
    for p in removed:
        assert traces(path, p) == []
    assert_holds(path, left + more)


def test_removal_of_the_last_and_of_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 3)
    with Gallery.open(path, write=True) as gallery:
        gallery.remove([prints[2].print])  # still waiting for a segment
        assert traces(path, prints[2]) == []
        gallery.remove([prints[0].print, prints[1].print, prints[0].print])
    for p in prints:
        assert traces(path, p) == []
    assert_holds(path, [])
    with Gallery.open(path, write=True) as gallery:
        assert gallery.add([prints[0]]) == [4]  # ids are never used again
    assert_holds(path, [prints[0]])


def test_an_unknown_print_removes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 5)
    before = files_of(path)
    with Gallery.open(path, write=True) as gallery, pytest.raises(UnknownPrint, match="no such"):
        gallery.remove([prints[0].print, "no such"])
    assert files_of(path) == before


def test_removal_and_adding_in_turns_leave_few_files(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 2)
    for number in range(2, 60):
        with Gallery.open(path, write=True) as gallery:
            gallery.add([new_print(number)])
            prints.append(new_print(number))
            gallery.remove([prints.pop(-2).print])
    assert len(list((path / "segments").iterdir())) < 10
    assert_holds(path, prints)


def test_a_reader_in_the_way_is_said_and_the_next_writer_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpipe.store.database.BUSY_MS", 50)
    path = tmp_path / "g"
    prints = filled(path, 30)
    with Gallery.open(path) as reader, Gallery.open(path, write=True) as writer:
        with reader.database.snapshot():
            assert len(reader.database.rows("SELECT * FROM prints")) == 30
            with pytest.raises(Locked, match="reading"):
                writer.remove([prints[4].print])
        assert any("removal" in line for line in reader.leftovers())
    Gallery.open(path, write=True).close()
    assert traces(path, prints[4]) == []
    assert_holds(path, prints[:4] + prints[5:])


def test_a_reader_sees_what_a_writer_does(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 40)
    with Gallery.open(path) as reader, Gallery.open(path, write=True) as writer:
        zero = np.zeros((1, WIDTH), np.uint8)
        assert set(reader.search(zero, 5000).print_id[0].tolist()) <= {-1, *range(1, 41)}
        writer.remove([p.print for p in prints[:20]])
        assert set(reader.search(zero, 5000).print_id[0].tolist()) <= {-1, *range(21, 41)}
        assert reader.print_ids().tolist() == list(range(21, 41))
        with pytest.raises(GalleryChanged):
            reader.templates([5])
        with pytest.raises(GalleryChanged):
            reader.records([5])
        writer.add([new_print(40)])
        assert reader.print_ids().tolist() == list(range(21, 42))


def test_rebuild_makes_the_same_index(tmp_path: Path) -> None:
    path = tmp_path / "g"
    prints = filled(path, 120)
    for file in (path / "segments").iterdir():
        file.unlink()
    with Gallery.open(path) as gallery:
        assert any("missing" in line for line in gallery.check())
        with pytest.raises(IntegrityError, match="missing"):
            gallery.search(np.zeros((1, WIDTH), np.uint8), 1)
    told: list[int] = []
    with Gallery.open(path, write=True) as gallery:
        assert gallery.rebuild(vectors_of, told.append) == 120
    assert sum(told) == 120
    assert_holds(path, prints)


def test_one_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.05)
    path = tmp_path / "g"
    filled(path, 1)
    with Gallery.open(path, write=True), Gallery.open(path) as reader:
        with pytest.raises(Locked):
            Gallery.open(path, write=True)
        with pytest.raises(Locked):
            reader.check()
        assert len(reader.records()) == 1


def test_where_a_gallery_can_be_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "g"
    create(path).close()
    with pytest.raises(GalleryExists, match="there is a gallery"):
        create(path)
    (tmp_path / "a" / "file").write_text("")
    for wrong in (tmp_path / "a", tmp_path / "a" / "file"):
        with pytest.raises(GalleryExists, match="other files"):
            create(wrong)
    for missing in (tmp_path / "none", tmp_path / "a", tmp_path / "a" / "file"):
        with pytest.raises(NoGallery):
            Gallery.open(missing)
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty").close()


def test_names_of_all_sorts(tmp_path: Path) -> None:
    path = tmp_path / "g"
    names = ["a", "A", "دليل/بصمة.png", "a b\n'\"%;--.png", "é", "e\u0301"]
    prints = [replace(new_print(n), print=name) for n, name in enumerate(names)]
    with create(path) as gallery:
        gallery.add(prints)
        assert gallery.named("دليل/بصمة.png").id == 3
        gallery.remove([names[3]])
    assert traces(path, prints[3]) == []
    assert_holds(path, prints[:3] + prints[4:])


def test_originals_not_kept_are_read_from_their_path_while_they_are_the_same(tmp_path: Path) -> None:
    path, file = tmp_path / "g", tmp_path / "a.png"
    new = replace(new_print(1), path=file.as_posix())
    with create(path, keep_originals=False) as gallery:
        gallery.add([new])
        (record,) = gallery.records()
        assert gallery.original(record) is None
        file.write_bytes(new.original)
        assert gallery.original(record) == new.original
        file.write_bytes(b"other bytes")
        assert gallery.original(record) is None


def test_a_descriptor_of_another_width_is_a_bug(tmp_path: Path) -> None:
    new = new_print(1)
    wide = replace(new, vectors=replace(new.vectors, bits=np.zeros((len(new.vectors), WIDTH + 1), np.uint8)))
    with create(tmp_path / "g") as gallery:
        with pytest.raises(ValueError, match="expected 6"):
            gallery.add([wide])
        with pytest.raises(IntegrityError, match="expected"):
            gallery.search(np.zeros((1, WIDTH + 1), np.uint8), 1)
