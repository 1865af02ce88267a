"""Template files by content and by ending."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import BadTemplate, DiskFull, NotFound, UsageError
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae import blob
from fpipe.minutiae.files import (
    ENDINGS,
    describe_template,
    is_template,
    is_template_data,
    read_template,
    write_template,
)


def a_template() -> Template:
    m = Minutiae(
        np.array([10, 20.5], np.float32),
        np.array([30, 40.25], np.float32),
        np.array([1, 4], np.float32),
        np.array([1, 2], np.uint8),
        np.array([50, 0], np.uint8),
    )
    return blob.quantised(Template(m, 200, 300, source="abc"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_is_written_recognised_and_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    assert write_template(path, a_template()) == ()
    assert is_template(path)
    back = read_template(path, width=200, height=300)
    assert np.abs(back.minutiae.x - a_template().minutiae.x).max() <= 0.5
    assert (back.width, back.height) == (200, 300)
    assert back.source == "abc" or len(back.source.partition(":")[2]) == 64
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e != ".xyt"])
def test_content_wins_over_the_name(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    write_template(path, a_template())
    other = path.rename(tmp_path / "t.dat")
    assert is_template(other)
    assert len(read_template(other).minutiae) == 2
    document = describe_template(other.read_bytes(), other.name)
    assert document["count"] == 2
    assert document["minutiae"][0]["points"][0]["type"] == "ending"


def test_pictures_are_not_templates() -> None:
    assert not is_template_data(b"\x89PNG\r\n\x1a\n", "a.png")
    assert not is_template_data(b"", "a.png")
    with pytest.raises(BadTemplate, match="expected"):
        describe_template(b"\x89PNG\r\n\x1a\n", "a.png")


def test_records_of_other_versions_are_refused() -> None:
    with pytest.raises(BadTemplate, match="version"):
        describe_template(b"FMR\0 10\0" + bytes(40), "a")


def test_what_cannot_be_opened_or_written(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_template(tmp_path / "none.iso")
    with pytest.raises(NotFound):
        is_template(tmp_path)
    with pytest.raises(UsageError, match=r"\.json"):
        write_template(tmp_path / "t.txt", a_template())
    with pytest.raises(DiskFull):
        write_template(tmp_path / "none" / "t.iso", a_template())
