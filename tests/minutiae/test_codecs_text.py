"""NBIS .xyt in both conventions, and JSON: loose text is read, wrong text is refused with its place."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core.conventions import TWO_PI, grid_shape
from fpipe.core.errors import BadTemplate, EmptyFile, UsageError
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae import json_codec, xyt
from fpipe.minutiae.files import describe_template, parse_template

ROWS = [[59, 230, 244, 38], [147, 27, 197, 18], [134, 47, 98, 42]]


@pytest.mark.parametrize(
    "text",
    [
        b"59 230 244 38\n147 27 197 18\n134 47 98 42\n",
        b"59 230 244 38\r\n147 27 197 18  \r\n134 47 98 42\t\r\n",
        b"59\t230\t244\t38\n147 27 197 18\n134 47 98 42",
        b"  59   230 244 38\r147 27 197 18\r134 47 98 42\r\r",
        b"\xef\xbb\xbf59 230 244 38\n\n147 27 197 18\n \n134 47 98 42\n\n",
        b"59.0 230. +244 38\n147 27 197 18.0\n134 047 98 42\n",
    ],
)
def test_loose_text_is_the_same_text(text: bytes) -> None:
    document = describe_template(text, "a.xyt")
    assert document["rows"] == ROWS
    assert document["count"] == 3
    assert [p["x"] for p in document["minutiae"][0]["points"]] == [59, 147, 134]


def test_numbers_after_the_fourth_are_said_and_a_missing_quality_is_not_reported() -> None:
    rows = xyt.parse(b"1 2 3 4 5\n1 2 3\n", "a.xyt")
    assert rows.values.tolist() == [[1, 2, 3, 4], [1, 2, 3, 0]]
    assert any("more than 4" in line for line in rows.notices)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"12 nan 30 40", 2),
        (b"12 13", 2),
        (b"12 13 x 40", 2),
        (b"12 13 14 15 q", 2),
        (b"12 1_0 30 40", 2),
        (b"inf 10 30 40", 2),
        (b"1e3 10 30 40", 2),
        (b"12,13,30,40", 2),
        (b"1 2 3 101", 2),
        (b"1 2 3 -1", 2),
        (b"1 99999999 3 4", 2),
        (b"\x001 2 3 4", 2),
        ("١ 2 3 4".encode(), 2),
    ],
)
def test_wrong_text_is_refused_with_its_line(line: bytes, number: int) -> None:
    with pytest.raises(BadTemplate, match=f"line {number}"):
        xyt.parse(b"1 2 3 4\n" + line + b"\n5 6 7 8\n", "a.xyt")


def test_both_conventions_are_told_apart() -> None:
    """Origin: mindtct's manual page: -m1 is from the top and along the ridge, plain from the bottom and away."""
    m1 = parse_template(b"10 20 30 40\n", "a.xyt", xyt="m1", height=100, width=90).template
    native = parse_template(b"10 20 30 40\n", "a.xyt", xyt="native", height=100, width=90).template
    assert (m1.minutiae.y[0], native.minutiae.y[0]) == (20, 80)
    assert np.rad2deg([m1.minutiae.direction[0], native.minutiae.direction[0]]) == pytest.approx([30, 210], abs=1e-4)
    assert (m1.width, m1.height) == (native.width, native.height) == (90, 100)


def test_the_native_convention_needs_the_height() -> None:
    with pytest.raises(UsageError, match="height"):
        parse_template(b"10 20 30 40\n", "a.xyt", xyt="native")
    with pytest.raises(BadTemplate, match="outside the picture"):
        parse_template(b"10 200 30 40\n", "a.xyt", xyt="native", height=100)


@given(
    st.lists(
        st.tuples(st.integers(0, 299), st.integers(0, 399), st.integers(0, 359), st.integers(0, 100)), max_size=30
    ),
    st.sampled_from(["m1", "native"]),
)
def test_whole_numbers_survive_both_ways(rows: list[tuple[int, int, int, int]], convention: xyt.Convention) -> None:
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    m = Minutiae(
        columns[0].astype(np.float32),
        columns[1].astype(np.float32),
        np.deg2rad(columns[2]).astype(np.float32),
        np.zeros(len(rows), np.uint8),
        columns[3].astype(np.uint8),
    )
    text = xyt.write(Template(m, 300, 400), convention)
    assert text.count(b"\n") == len(rows)
    if rows:
        back = parse_template(text, "a.xyt", xyt=convention, height=400, width=300).template
        assert np.array_equal(back.minutiae.x, m.x)
        assert np.array_equal(back.minutiae.y, m.y)
        assert np.allclose(back.minutiae.direction, m.direction, atol=1e-5)
        assert np.array_equal(back.minutiae.quality, m.quality)


def test_no_bytes_are_an_empty_file_and_blank_lines_hold_nothing() -> None:
    with pytest.raises(EmptyFile):
        parse_template(b"", "a.xyt")
    found = parse_template(b"\n\n", "a.xyt")
    assert len(found.template.minutiae) == 0
    assert found.notices


def test_text_without_the_ending_is_no_template() -> None:
    with pytest.raises(BadTemplate, match="expected"):
        parse_template(b"10 20 30 40\n", "a.txt")


# -- JSON ------------------------------------------------------------------------------------------------------------

DOCUMENT: dict[str, Any] = {
    "format": "fpipe-template",
    "version": 1,
    "width": 24,
    "height": 12,
    "ppi": 500,
    "source": "x",
    "minutiae": [{"x": 1.5, "y": 2, "direction": 3.25, "type": "ending", "quality": 7}],
    "weak": [{"x": 3, "y": 2, "direction": 0.5, "type": "bifurcation", "quality": 2}],
    "mask": ["10"],
    "orientation": [[0.5, None]],
}


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 20), grids=st.booleans())
def test_json_gives_back_every_number(seed: int, count: int, grids: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = grid_shape(400, 300)
    orientation = rng.uniform(0, 3.14159, shape).astype(np.float32)
    orientation[rng.random(shape) > 0.5] = np.nan
    m = Minutiae(
        rng.uniform(0, 299, count).astype(np.float32),
        rng.uniform(0, 399, count).astype(np.float32),
        rng.uniform(0, TWO_PI, count).astype(np.float32),
        rng.integers(0, 3, count).astype(np.uint8),
        rng.integers(0, 101, count).astype(np.uint8),
    )
    weak = m.take(np.arange(count) % 3 == 0)
    grid = (rng.random(shape) > 0.5, orientation) if grids else (None, None)
    template = Template(m, 300, 400, *grid, "é", weak)
    back = json_codec.read(json_codec.write(template), "t")
    for column in ("x", "y", "direction", "kind", "quality"):
        assert np.array_equal(getattr(back.minutiae, column), getattr(m, column))
        assert np.array_equal(getattr(back.weak, column), getattr(weak, column))
    assert (back.width, back.height, back.source) == (300, 400, "é")
    if grids:
        assert np.array_equal(back.mask, template.mask)
        assert np.array_equal(back.orientation, orientation, equal_nan=True)
    else:
        assert back.mask is back.orientation is None


def test_the_documented_document_is_read() -> None:
    template = json_codec.read(json.dumps(DOCUMENT).encode(), "t")
    assert template.minutiae.x.tolist() == [1.5]
    assert template.weak.x.tolist() == [3]
    assert template.mask is not None
    assert template.mask.tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"),
        (("version",), 2),
        (("ppi",), 1000),
        (("width",), 0),
        (("width",), 24.0),
        (("width",), True),
        (("height",), 10**9),
        (("source",), None),
        (("minutiae",), {}),
        (("minutiae", 0), []),
        (("minutiae", 0, "x"), float("nan")),
        (("minutiae", 0, "x"), float("inf")),
        (("minutiae", 0, "x"), 30),
        (("minutiae", 0, "y"), -1),
        (("minutiae", 0, "y"), "2"),
        (("minutiae", 0, "direction"), 7),
        (("minutiae", 0, "direction"), None),
        (("minutiae", 0, "type"), "END"),
        (("minutiae", 0, "type"), []),
        (("minutiae", 0, "quality"), 101),
        (("minutiae", 0, "quality"), 1.5),
        (("minutiae", 0, "extra"), 1),
        (("weak",), {}),
        (("weak", 0, "x"), 30),
        (("mask",), ["1"]),
        (("mask",), ["12"]),
        (("mask",), None),
        (("orientation",), [[0.5]]),
        (("orientation",), [[0.5, 4]]),
        (("extra",), 1),
    ],
)
def test_json_outside_the_schema_is_refused(path: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(BadTemplate):
        json_codec.read(json.dumps(document).encode(), "t")


@pytest.mark.parametrize("key", ["format", "version", "width", "height", "ppi", "source", "minutiae"])
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(BadTemplate, match=key):
        json_codec.read(json.dumps({k: v for k, v in DOCUMENT.items() if k != key}).encode(), "t")


@pytest.mark.parametrize("data", [b"{", b"{}", b"{" * 100000, b'{"a": ' * 100000, b"[]", b"\xff\xfe{", b'{"x": 1e999}'])
def test_what_is_not_the_document_is_refused(data: bytes) -> None:
    with pytest.raises(BadTemplate):
        json_codec.read(data, "t")
