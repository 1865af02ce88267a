"""The network as a stage: tiles, sizes, weights that are not those asked for, heads used alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import BadParameter, IntegrityError, NotFound
from fpipe.core.types import GrayImage
from fpipe.enhance import learned
from fpipe.enhance.learned import CHANNELS, LearnedMask, LearnedOrientation, Network, intermediates, network_input
from fpipe.synth.impression import Impression
from fpipe.synth.master import MasterPrint
from fpipe.synth.seeds import finger_seed
from fpipe.synth.touch import Drawn

NETWORK = Network()
WEIGHTS = Path(learned.__file__).with_name("weights")


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    number = finger_seed("test", 3, 1)
    return Impression(difficulty="good")(MasterPrint()(number), number)


def test_the_weights_are_those_of_the_model_card() -> None:
    card = json.loads((WEIGHTS / "reader.json").read_text("utf-8"))
    data = (WEIGHTS / "reader.onnx").read_bytes()
    assert hashlib.sha256(data).hexdigest() == NETWORK.sha256 == card["sha256"]
    assert len(data) <= 8 * 2**20
    assert card["parameters"] <= 1_500_000


def test_it_reads_a_drawn_print(drawn: Drawn) -> None:
    truth = drawn.truth
    seen = intermediates(NETWORK(drawn.picture))
    both = truth.mask & seen["segmentation.mask"]
    assert both.sum() > 0.9 * (truth.mask | seen["segmentation.mask"]).sum()
    off = np.abs(np.angle(np.exp(2j * (seen["orientation.field"] - truth.orientation)[both]))) / 2
    assert np.rad2deg(np.median(off)) < 2.5
    assert np.median(np.abs(seen["period.map"] - truth.period)[both]) < 0.5
    assert ((seen["enhanced.image"] > 0) == (truth.ridges > 0))[both].mean() > 0.93
    assert np.isnan(seen["orientation.field"][~seen["segmentation.mask"]]).all()


def test_sizes_that_are_no_multiple(drawn: Drawn) -> None:
    for height, width in ((1, 1), (3, 200), (97, 61), (130, 257)):
        reading = NETWORK(drawn.picture[100 : 100 + height, 60 : 60 + width][:height, :width])
        shape = drawn.picture[100 : 100 + height, 60 : 60 + width].shape
        assert reading.mask.shape == reading.ridges.shape == shape
        assert reading.minutia.shape == tuple(-(-side // 4) for side in shape)


def test_tiles_read_as_one(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.tile(drawn.picture, (2, 2))
    whole = NETWORK.channels(picture)
    monkeypatch.setattr(learned, "_TILE", 384)
    tiled = NETWORK.channels(picture)
    for name in CHANNELS:  # what one tile sees is all that a cell depends on
        assert np.allclose(tiled[name], whole[name], atol=1e-3), name


def test_input_is_the_same_for_brighter_and_flatter_pictures(drawn: Drawn) -> None:
    half = (drawn.picture // 2 + 60).astype(np.uint8)
    before, after = network_input(drawn.picture)[0], network_input(half)[0]
    assert np.abs(before - after)[np.abs(before) > 0.5].mean() < 0.2


def test_other_weights_are_refused(tmp_path: Path) -> None:
    image: GrayImage = np.zeros((32, 32), np.uint8)
    with pytest.raises(NotFound, match=r"none\.onnx"):
        Network(weights="none.onnx")(image)
    changed = bytearray((WEIGHTS / "reader.onnx").read_bytes())
    changed[len(changed) // 2] ^= 1
    path = tmp_path / "reader.onnx"
    path.write_bytes(changed)
    with pytest.raises(IntegrityError, match="the preset asks for"):
        Network(weights=str(path))(image)


def test_heads_alone(drawn: Drawn) -> None:
    assert np.array_equal(LearnedMask()(drawn.picture), NETWORK(drawn.picture).mask)
    contrast = network_input(drawn.picture)[0]
    orientation, coherence = LearnedOrientation()(contrast, drawn.truth.mask)
    off = np.abs(np.angle(np.exp(2j * (orientation - drawn.truth.orientation)[drawn.truth.mask]))) / 2
    assert np.rad2deg(np.median(off)) < 3
    assert coherence[drawn.truth.mask].mean() > 0.8
    assert not coherence[~drawn.truth.mask].any()


def test_views_read_a_flipped_picture_as_the_flipped_reading(drawn: Drawn) -> None:
    picture = drawn.picture[:304, :304]
    network = Network(views=4)
    upright = network.channels(picture)
    for rows, columns in ((-1, 1), (1, -1), (-1, -1)):
        flipped = network.channels(np.ascontiguousarray(picture[::rows, ::columns]))
        for name, seen in flipped.items():
            expected = upright[name][:, ::rows, ::columns].copy()
            if name == "ridges":  # the pixels of a cell turn too
                shape = expected.shape[1:]
                expected = expected.reshape(4, 4, *shape)[::rows, ::columns].reshape(16, *shape)
            elif name == "orientation":
                expected[1] *= rows * columns
            elif name in ("direction", "offset"):
                expected[0] *= columns
                expected[1] *= rows
            assert np.allclose(seen, expected, atol=1e-3), name


def test_a_number_of_views_that_there_is_not() -> None:
    with pytest.raises(BadParameter, match="1, 2 or 4"):
        Network(views=3)
