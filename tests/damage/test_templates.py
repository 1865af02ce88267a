"""Every template reader on cut and flipped files: BadTemplate (or another refusal) or a template, nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import InputRefused
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae.files import ENDINGS, describe_template, parse_template, write_template

FLIPS = 1000
RECORD_SAMPLES = ("iso19794p2v2005", "iso19794p2v2011", "ansi378v2004", "ansi378v2009", "ansi378v2009am1")


def read(data: bytes, name: str) -> Template | None:
    """A sound template, or None where it was refused; any other outcome fails the test."""
    template = None
    with contextlib.suppress(InputRefused):
        template = parse_template(data, name).template
        m = template.minutiae
        assert np.isfinite(m.x).all()
        assert np.isfinite(m.direction).all()
        assert ((m.direction >= 0) & (m.direction < 2 * np.pi + 1e-6)).all()
        assert ((m.x >= 0) & (m.x <= template.width) & (m.y >= 0) & (m.y <= template.height)).all()
        assert (m.kind <= 2).all()
        assert (m.quality <= 100).all()
    with contextlib.suppress(InputRefused):
        describe_template(data, name)
    return template


def flipped(data: bytes, seed: int) -> Iterator[bytes]:
    rng = np.random.default_rng(seed)
    for _ in range(FLIPS):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), rng.integers(1, 5)):
            damaged[position] = rng.integers(0, 256)
        yield bytes(damaged)


@pytest.fixture
def whole(tmp_path: Path) -> Callable[[str], bytes]:
    def make(ending: str) -> bytes:
        rng = np.random.default_rng(3)
        m = Minutiae(
            rng.uniform(0, 299, 30).astype(np.float32),
            rng.uniform(0, 399, 30).astype(np.float32),
            rng.uniform(0, 6, 30).astype(np.float32),
            rng.integers(0, 3, 30).astype(np.uint8),
            rng.integers(0, 101, 30).astype(np.uint8),
        )
        path = tmp_path / f"t{ending}"
        write_template(path, Template(m, 300, 400, np.ones((34, 25), bool), source="abc"))
        return path.read_bytes()

    return make


@pytest.mark.parametrize("ending", ENDINGS)
def test_cut_at_every_length(whole: Callable[[str], bytes], ending: str) -> None:
    data = whole(ending)
    step = 1 if ending != ".json" else 7
    for length in range(0, len(data.rstrip()), step):
        template = read(data[:length], f"t{ending}")
        assert template is None or ending == ".xyt"  # text has no end mark: fewer lines are a shorter template


@pytest.mark.parametrize("ending", ENDINGS)
def test_flipped_bytes(whole: Callable[[str], bytes], ending: str) -> None:
    for data in flipped(whole(ending), 5):
        template = read(data, f"t{ending}")
        assert template is None or ending != ".fpt"  # the only one with a checksum


@pytest.mark.real
@pytest.mark.parametrize("name", RECORD_SAMPLES)
def test_damaged_records_of_another_implementation(data: Path, name: str) -> None:
    whole = (data / "formats" / "templates" / f"{name}-sample.dat").read_bytes()
    assert read(whole, name) is not None
    for length in range(len(whole)):
        assert read(whole[:length], name) is None
    for damaged in flipped(whole, 9):
        read(damaged, name)
