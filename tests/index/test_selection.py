"""Selections mean what they say, and a search among some prints is that of a gallery of these alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_maker import WIDTH, again, create, new_print, reextraction

from fpipe.core.errors import BadParameter
from fpipe.core.fingers import FINGERS, finger_name, hand_of
from fpipe.index import Condition, Gallery, Hits, NewPrint, Selection, segments


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments after few prints, as in test_gallery."""
    monkeypatch.setattr(segments, "FOLD_ROWS", 200)
    monkeypatch.setattr(segments, "MOST_ROWS", 1500)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2", "right_index"),
        ("02", "right_index"),
        ("10", "left_little"),
        ("11", "right_thumb"),
        ("Right Index", "right_index"),
        ("right-index finger", "right_index"),
        ("plain left thumb", "left_thumb"),
        ("left pinky", "left_little"),
        ("0", "0"),
        ("13", "13"),
        ("right", "right"),
        ("²", "²"),
        ("", ""),
        ("Unbekannt", "Unbekannt"),
    ],
)
def test_names_of_fingers(text: str, name: str) -> None:
    assert finger_name(text) == name


def test_hands() -> None:
    assert [hand_of(finger) for finger in FINGERS] == ["right"] * 5 + ["left"] * 5
    assert [hand_of(text) for text in (None, "", "0", "7", "right", "Right palm")] == [
        None,
        None,
        None,
        "left",
        "right",
        "right",
    ]


def where(*conditions: str) -> tuple[Condition, ...]:
    return tuple(map(Condition.parse, conditions))


def prints() -> list[NewPrint]:
    """1: right index, 2: the same by number, 3: left ring, 4: no finger, 5: a latent, 6: of another case."""
    said: list[dict[str, Any]] = [
        {"finger": "right_index", "subject": "a", "fields": {"case": "12", "class": "Whorl"}},
        {"finger": "2", "subject": "b", "fields": {"case": "12"}},
        {"finger": "left ring", "subject": "a", "fields": {"case": "12", "class": "arch"}},
        {"finger": None, "subject": None, "fields": {"case": "12", "dna_number": "d/7"}},
        {"finger": None, "subject": None, "kind": "latent", "fields": {"case": "13"}},
        {"finger": "right_index", "subject": "c", "fields": {}, "part": "idc=1"},
    ]
    return [replace(new_print(n), **facts) for n, facts in enumerate(said, 1)]


@pytest.mark.parametrize(
    ("conditions", "ids", "unsaid"),
    [
        ({}, [1, 2, 3, 4, 5, 6], 0),
        ({"subjects": ("a",)}, [1, 3], 0),
        ({"subjects": ("a", "c")}, [1, 3, 6], 0),
        ({"fingers": ("right_index",)}, [1, 2, 6], 2),
        ({"fingers": ("2", "left ring")}, [1, 2, 3, 6], 2),
        ({"hands": ("left",)}, [3], 2),
        ({"hands": ("left",), "fingers": ("2",)}, [], 2),
        ({"hands": ("left",), "kinds": ("plain",)}, [3], 1),
        ({"kinds": ("latent",)}, [5], 0),
        ({"classes": ("whorl",)}, [1], 4),
        ({"classes": ("whorl", "ARCH"), "hands": ("right",)}, [1], 4),
        ({"where": where("case=12")}, [1, 2, 3, 4], 0),
        ({"where": where("case=12", "subject=a")}, [1, 3], 0),
        ({"where": where("dna_number=d/7")}, [4], 0),
        ({"where": where("finger=right index")}, [1, 2, 6], 2),
        ({"where": where("part=idc=1")}, [6], 0),
        ({"where": where("case=1")}, [], 0),
        ({"where": where("case=1*")}, [1, 2, 3, 4, 5], 0),
        ({"where": where("case>=13")}, [5], 0),
        ({"where": where("case>=9", "case<=12", "dna_number=*")}, [4], 0),
        ({"where": where("case=")}, [6], 0),
        ({"where": where("subject=", "kind=plain")}, [4], 0),
        ({"where": where("finger=right*")}, [1, 2, 6], 2),
        ({"where": where("finger=")}, [4, 5], 0),
        ({"where": where("ppi=500", "minutiae>=1", "added>=2020-01-01")}, [1, 2, 3, 4, 5, 6], 0),
        ({"since": "2020-01-01", "until": "2999-01-01"}, [1, 2, 3, 4, 5, 6], 0),
        ({"since": "2999-01-01"}, [], 0),
        ({"until": "2020-01-01"}, [], 0),
    ],
)
def test_what_is_selected(tmp_path: Path, conditions: dict[str, Any], ids: list[int], unsaid: int) -> None:
    with create(tmp_path / "g") as gallery:
        gallery.add(prints())
        found = gallery.select(Selection(**conditions))
        assert (found.ids.tolist(), found.unsaid) == (ids, unsaid)
        gallery.remove([gallery.records([1])[0].print])
        assert gallery.select(Selection(**conditions)).ids.tolist() == [number for number in ids if number != 1]


@pytest.mark.parametrize(
    "conditions",
    [
        {"fingers": ("toe",)},
        {"fingers": ("13",)},
        {"hands": ("both",)},
        {"kinds": ("palm",)},
        {"where": where("Case=1")},
        {"where": where("a') OR 1 --=1")},
        {"since": "yesterday"},
        {"until": "2026-1-1"},
        {"until": "2026-13-01"},
        {"since": "2026-02-30"},
    ],
)
def test_what_can_not_be_meant(conditions: dict[str, Any]) -> None:
    with pytest.raises(BadParameter, match="expected"):
        Selection(**conditions)


def test_a_selection_says_what_it_is() -> None:
    assert not Selection()
    assert str(Selection()) == ""
    full = Selection(fingers=("2", "3"), hands=("right",), where=where("case=12"), since="2026-01-31")
    assert full
    assert str(full) == "finger 2 or 3; hand right; case=12; added since 2026-01-31"
    assert full.as_document() == {
        "fingers": ["2", "3"],
        "hands": ["right"],
        "where": ["case=12"],
        "since": "2026-01-31",
    }


def columns(hits: Hits) -> list[bytes]:
    return [getattr(hits, name).tobytes() for name in ("similarity", "x", "y", "direction")]


def test_a_search_among_some_prints_is_that_of_a_gallery_of_these_alone(tmp_path: Path) -> None:
    """Prints in segments, waiting ones, re-extracted ones; and again after a change."""
    every = [new_print(number) for number in range(40)]
    every[4] = again(every[4], method="b")
    queries = np.random.default_rng(2).integers(0, 256, (9, WIDTH), dtype=np.uint8)
    with create(tmp_path / "g") as gallery:
        gallery.add([new_print(number) for number in range(40)])
        gallery.reextract([reextraction(5, every[4])])
        for rows in ([4], [3, 4, 5, 39], list(range(0, 40, 3)), list(range(40)), []):
            ids = np.array(rows, np.int64) + 1
            hits = gallery.search(queries, 30, ids)
            with create(tmp_path / f"{len(rows)}") as alone:
                alone.add([every[row] for row in rows], mixed=True)
                expected = alone.search(queries, 30)
            numbers = np.append(ids, -1)[np.where(expected.print_id > 0, expected.print_id - 1, len(ids))]
            assert (hits.print_id == numbers).all()
            assert columns(hits) == columns(expected)
        before = gallery.search(queries, 30, np.array([5, 6]))
        gallery.reextract([reextraction(5, again(every[4], method="c"))])
        after = gallery.search(queries, 30, np.array([5, 6]))
        assert columns(after) != columns(before)
    with Gallery.open(tmp_path / "g") as gallery:
        assert columns(gallery.search(queries, 30, np.array([5, 6]))) == columns(after)
