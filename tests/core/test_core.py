"""Conventions, errors, parameters and files: what every other part stands on."""

from __future__ import annotations

import errno
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core import conventions as c
from fpipe.core import errors, files
from fpipe.core.params import Params, digest
from fpipe.core.types import Minutiae, Template

ANGLES = st.floats(-100, 100, allow_nan=False)


@given(ANGLES)
def test_wrapped_directions_lie_in_one_turn(angle: float) -> None:
    for dtype in (np.float32, np.float64):
        wrapped = c.wrap_direction(np.array([angle], dtype))
        assert wrapped.dtype == dtype
        assert 0 <= wrapped[0] < dtype(2 * np.pi)
        half = c.wrap_orientation(np.array([angle], dtype))
        assert 0 <= half[0] < dtype(np.pi)


def test_a_tiny_negative_angle_wraps_to_zero_not_to_a_whole_turn() -> None:
    assert c.wrap_direction(np.array([-1e-12], np.float32))[0] == 0


def test_iso_and_incits_angles_go_both_ways() -> None:
    iso = np.arange(256, dtype=np.uint8)
    assert np.array_equal(c.direction_to_iso(c.iso_to_direction(iso)), iso)
    incits = np.arange(180, dtype=np.uint8)
    assert np.array_equal(c.direction_to_incits(c.incits_to_direction(incits)), incits)


def test_iso_angle_64_points_up_on_the_screen() -> None:
    """Golden, ISO/IEC 19794-2: counter-clockwise from the positive x axis, 360/256 degrees a step."""
    dx, dy = c.direction_vector(c.iso_to_direction(np.array([64], np.uint8)))
    assert abs(dx[0]) < 1e-6
    assert dy[0] == pytest.approx(-1)  # y points down


@given(st.floats(0, 1000), st.floats(0, 359.9), st.integers(1, 2000))
def test_native_xyt_goes_both_ways(y: float, degrees: float, height: int) -> None:
    ours_y, direction = c.xyt_native_to_ours(np.array([y]), np.array([degrees]), height)
    back_y, back = c.ours_to_xyt_native(ours_y, direction, height)
    assert back_y[0] == pytest.approx(y, abs=1e-6)
    assert abs((back[0] - degrees + 180) % 360 - 180) < 1e-6


def test_native_xyt_points_away_from_the_ridge() -> None:
    """Golden, NBIS mindtct: plain .xyt has the origin at the bottom left and the opposite direction."""
    y, direction = c.xyt_native_to_ours(np.array([10.0]), np.array([0.0]), 100)
    assert y[0] == 90
    assert direction[0] == pytest.approx(np.pi)


def test_grid_covers_the_picture() -> None:
    assert c.grid_shape(24, 25) == (2, 3)
    assert c.grid_shape(1, 1) == (1, 1)


def every_error() -> list[type[errors.FpipeError]]:
    found, rest = [], [errors.FpipeError]
    while rest:
        kind = rest.pop()
        found.append(kind)
        rest.extend(kind.__subclasses__())
    return found


def test_codes_are_unique_and_exit_codes_published() -> None:
    kinds = every_error()
    # one that has the code of its base is a kind of it, with its own hint
    own = [kind for kind in kinds if kind.code != getattr(kind.__base__, "code", None)]
    assert len({kind.code for kind in own}) == len(own)
    assert all(kind.hint != kind.__base__.hint for kind in kinds if kind not in own)
    assert {kind.exit_code for kind in kinds} <= {1, 2, 3, 4, 5, 6, 10, 11}
    assert all(kind.exit_code == 5 for kind in kinds if issubclass(kind, errors.InputRefused))


def test_errors_cross_process_borders_whole() -> None:
    error = errors.Truncated(where="a.wsq", reason="512 bytes announced, 300 left")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.Truncated
    assert again.message == error.message == str(again)
    assert "a.wsq" in error.message and "512" in error.message


@dataclass(frozen=True, slots=True)
class Smooth(Params):
    width_px: float = 7.0
    name: str = "box"


def test_parameters_are_checked_by_name_and_type() -> None:
    assert Smooth.from_mapping({"width_px": 3}, "x") == Smooth(width_px=3)
    with pytest.raises(errors.BadParameter, match="one of width_px, name"):
        Smooth.from_mapping({"wdith_px": 3}, "x")
    with pytest.raises(errors.BadParameter, match="a float"):
        Smooth.from_mapping({"width_px": "3"}, "x")


def test_digest_names_method_version_and_parameters() -> None:
    assert digest([Smooth().describe()]) == digest([Smooth(7.0).describe()])
    assert digest([Smooth().describe()]) != digest([Smooth(7.1).describe()])


def test_atomic_write_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old")
    files.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(errors.DiskFull, match="No space left"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_writing_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(errors.DiskFull, match="absent"):
        files.write_atomic(tmp_path / "absent" / "a", b"x")


def test_columns_and_grids_must_fit() -> None:
    none = Minutiae.empty()
    with pytest.raises(ValueError, match="columns"):
        Minutiae(np.zeros(1, np.float32), none.y, none.direction, none.kind, none.quality)
    with pytest.raises(ValueError, match="grid"):
        Template(none, 24, 24, mask=np.ones((3, 2), bool))
