"""A small network that reads prints, trained on drawn ones only (training/), run by onnxruntime on one thread."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import wrap_direction, wrap_orientation
from fpipe.core.errors import BadParameter, IntegrityError, NotFound
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask, Reading

STRIDE = 4
"""Pixels of the picture to a cell of the network's output, each way."""
CHANNELS = {
    "mask": 1,  # logit: print
    "orientation": 2,  # cosine and sine of the doubled angle
    "period": 1,  # px
    "ridges": STRIDE**2,  # logit: ridge, of the cell's pixels, row by row
    "minutia": 1,  # logit: one lies here
    "kind": 1,  # logit: bifurcation
    "direction": 2,  # cosine and sine
    "offset": 2,  # from the cell's middle to the minutia: x, y in cells
}
"""Channels of the output, in their order."""

_MULTIPLE = 16
"""The network halves the picture four times."""
_TILE, _HALO = 1536, 320
"""Larger pictures are read in tiles, px, that overlap by more than the 300 px that the network sees around a cell."""
_VIEWS = ((False, False), (True, True), (False, True), (True, False))
"""Rows, columns the other way round."""
_BOX = 33
"""Side of the box of local mean and deviation, px: three to four ridges."""
_LEAST_DEVIATION = 4.0
"""Added to the local deviation, gray levels: the noise of a flat ground must not look like ridges."""


def network_input(image: GrayImage) -> NDArray[np.float32]:
    """(H, W) uint8 -> (2, H, W) float32: deviation from the local mean in local deviations, clipped at 3, and gray."""
    gray = image.astype(np.float32)
    mean = cv2.blur(gray, (_BOX, _BOX), borderType=cv2.BORDER_REFLECT_101)
    power = cv2.blur(gray * gray, (_BOX, _BOX), borderType=cv2.BORDER_REFLECT_101)
    deviation = cv2.sqrt(np.maximum(power - mean * mean, 0)) + np.float32(_LEAST_DEVIATION)
    return np.stack([np.clip((gray - mean) / deviation, -3, 3), gray / np.float32(128) - 1])


@dataclass(frozen=True, slots=True)
class Network(Params):
    """Everything a print shows, in one pass.

    weights : an ONNX file, in this folder or by its path
    sha256 : of that file; another file is refused
    least : probability from which on a place is print
    clear : share of 1 that the ridges' height must have on the average over ``clear_px``; where the network can't tell
        ridge from valley, nothing was read, and a comparison must not expect minutiae there
    least_area_px, hole_px : pieces of print and holes in it that are smaller, px^2, are ignored
    views : readings whose mean is taken: 1, 2 (upright and turned by half) or 4 (and both mirrored)
    """

    weights: str = "reader.onnx"
    sha256: str = "c7d7ca269587d6959fdde2833b3428c5c6178dae45310aca19e26c2681c2ed4f"
    least: float = 0.5
    clear: float = 0.6
    clear_px: int = 25
    least_area_px: int = 1500
    hole_px: int = 600
    views: int = 1

    def __post_init__(self) -> None:
        if self.views not in (1, 2, 4):
            raise BadParameter(where="network", name="views", got=self.views, expected="1, 2 or 4")

    def __call__(self, image: GrayImage) -> Reading:
        """Read a picture, (H, W) uint8, 500 ppi, ridges dark."""
        height, width = image.shape
        found = self.channels(image)
        logit, ridges = _grown(found["mask"][0], image.shape), _full(found["ridges"])[:height, :width]
        clear = cv2.blur(np.abs(ridges), (self.clear_px, self.clear_px)) > self.clear
        return Reading(
            mask=self._cleaned((logit > np.log(self.least / (1 - self.least))) & clear),
            stride=STRIDE,
            doubled=found["orientation"],
            period=found["period"][0],
            ridges=ridges,
            minutia=_probability(found["minutia"][0]),
            bifurcation=_probability(found["kind"][0]),
            direction=wrap_direction(np.arctan2(found["direction"][1], found["direction"][0])),
            offset=found["offset"] * np.float32(STRIDE),
        )

    def channels(self, image: GrayImage) -> dict[str, NDArray[np.float32]]:
        """The network's output as it is: name -> (C, ceil(H / 4), ceil(W / 4)) float32, as ``CHANNELS`` says."""
        height, width = image.shape
        cells = (sum(CHANNELS.values()), -(-height // STRIDE), -(-width // STRIDE))
        prepared, out = network_input(image), np.empty(cells, np.float32)
        for top, bottom in _spans(height):
            for left, right in _spans(width):
                y, x = max(top - _HALO, 0), max(left - _HALO, 0)
                tile = self._run(prepared[:, y : bottom + _HALO, x : right + _HALO])
                rows, columns = (slice(a // STRIDE, -(-b // STRIDE)) for a, b in ((top, bottom), (left, right)))
                r, c = rows.start - y // STRIDE, columns.start - x // STRIDE
                part = tile[:, r:, c:][:, : rows.stop - rows.start, : columns.stop - columns.start]
                out[:, rows, columns] = part
        return _by_name(out)

    def _run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = prepared.shape[1:]
        rest = ((0, 0), (0, -height % _MULTIPLE), (0, -width % _MULTIPLE))
        padded, session = np.pad(prepared, rest), _session(self.weights, self.sha256)
        readings = []
        for upside, mirrored in _VIEWS[: self.views]:
            (seen,) = session.run(None, {"picture": _flipped(padded, upside, mirrored)[None]})
            readings.append(_unflipped(seen[0], upside, mirrored))
        mean: NDArray[np.float32] = np.mean(readings, axis=0)
        return mean

    def _cleaned(self, mask: Mask) -> Mask:
        """Without small pieces and small holes."""
        found = mask.astype(np.uint8)
        for value, least in ((0, self.hole_px), (1, self.least_area_px)):
            _, labels, stats, _ = cv2.connectedComponentsWithStats((found == value).astype(np.uint8), connectivity=4)
            small = stats[:, cv2.CC_STAT_AREA] < least
            small[0] = False
            found[small[labels]] = 1 - value
        return found > 0


@dataclass(frozen=True, slots=True)
class LearnedMask(Network):
    """The network's mask alone, for the classical chain."""

    def __call__(self, image: GrayImage) -> Mask:  # type: ignore[override]
        """(H, W) uint8 -> (H, W) bool."""
        return Network.__call__(self, image).mask


@dataclass(frozen=True, slots=True)
class LearnedOrientation(Network):
    """The network's orientation alone, for the classical chain."""

    def __call__(self, contrast: FloatMap, mask: Mask) -> tuple[FloatMap, FloatMap]:  # type: ignore[override]
        """As StructureTensor; the coherence is the length of the network's vector, at most 1."""
        gray = np.clip(128 + 48 * contrast, 0, 255).astype(np.uint8)
        reading = Network.__call__(self, gray)
        length = _grown(np.hypot(*reading.doubled), mask.shape)
        return orientation_field(reading, mask), np.minimum(length, 1) * mask


def intermediates(reading: Reading) -> dict[str, NDArray[Any]]:
    """Full maps of a reading by their public keys; NaN outside the mask where they mean nothing there."""
    return {
        "segmentation.mask": reading.mask,
        "orientation.field": orientation_field(reading, reading.mask),
        "period.map": np.where(reading.mask, _grown(reading.period, reading.mask.shape), np.float32(np.nan)),
        "enhanced.image": reading.ridges,
        "minutiae.map": _grown(reading.minutia, reading.mask.shape),
    }


def orientation_field(reading: Reading, mask: Mask) -> FloatMap:
    """(H, W) float32 rad, [0, pi), NaN outside the mask."""
    cos, sin = (_grown(part, mask.shape) for part in reading.doubled)
    field = wrap_orientation(np.asarray(np.arctan2(sin, cos) / 2, np.float32))
    field[~mask] = np.nan
    return field


def _grown(cells: FloatMap, shape: tuple[int, ...]) -> FloatMap:
    """(h, w) -> (H, W), linear between the cells' middles."""
    rows, columns = cells.shape
    full = cv2.resize(cells, (columns * STRIDE, rows * STRIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[: shape[0], : shape[1]], np.float32)


def _spans(length: int) -> list[tuple[int, int]]:
    """Tiles along a side, multiples of 16 px long but for the last."""
    return [(start, min(start + _TILE, length)) for start in range(0, length, _TILE)]


def _full(cells: NDArray[np.float32]) -> FloatMap:
    """(16, h, w) logits -> (4 h, 4 w) float32, -1 valley .. 1 ridge."""
    _, rows, columns = cells.shape
    logit = cells.reshape(STRIDE, STRIDE, rows, columns).transpose(2, 0, 3, 1).reshape(rows * STRIDE, columns * STRIDE)
    return np.tanh(logit / 2)


def _by_name(out: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """(26, h, w) -> its channels by ``CHANNELS``: parts of the same memory."""
    return dict(zip(CHANNELS, np.split(out, np.cumsum(list(CHANNELS.values()))[:-1]), strict=True))


def _flipped(planes: NDArray[np.float32], upside: bool, mirrored: bool) -> NDArray[np.float32]:
    """(C, H, W) -> (C, H, W): rows, columns the other way round."""
    return np.ascontiguousarray(planes[..., :: -1 if upside else 1, :: -1 if mirrored else 1])


def _unflipped(seen: NDArray[np.float32], upside: bool, mirrored: bool) -> NDArray[np.float32]:
    """The network's output for a flipped picture -> what it says of the picture as it is."""
    out = _flipped(seen, upside, mirrored)
    at = _by_name(out)
    pixels = at["ridges"].reshape(STRIDE, STRIDE, *out.shape[1:])
    pixels[:] = pixels[:: -1 if upside else 1, :: -1 if mirrored else 1].copy()
    if upside != mirrored:
        at["orientation"][1] *= -1
    if mirrored:
        at["direction"][0] *= -1
        at["offset"][0] *= -1
    if upside:
        at["direction"][1] *= -1
        at["offset"][1] *= -1
    return out


def _probability(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


@lru_cache(maxsize=4)
def _session(weights: str, sha256: str) -> Any:
    import onnxruntime

    path = Path(weights) if Path(weights).is_absolute() else Path(__file__).with_name("weights") / weights
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(where=str(path), reason="the network's weights are not there; install fpipe again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise IntegrityError(where=str(path), reason=f"sha256 {found}, the preset asks for {sha256}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
