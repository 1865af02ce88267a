"""A picture of several fingers -> one picture a finger, with its position: plain four fingers of a hand, two thumbs.

Each finger is cut out as it lies, upright or tilted: nothing is turned or resampled, and its place in the slap is kept.
What does not look like the hand it is said to be is refused with the reason, never guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import SlapPicture
from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask
from fpipe.pipeline.waves import strongest_waves

FINGERS_OF: dict[int, tuple[int, ...]] = {
    13: (2, 3, 4, 5),
    14: (10, 9, 8, 7),
    15: (6, 1),
    40: (2, 3),
    41: (3, 4),
    42: (4, 5),
    43: (8, 7),
    44: (9, 8),
    45: (10, 9),
    46: (7, 2),
    47: (2, 3, 4),
    48: (3, 4, 5),
    49: (9, 8, 7),
    50: (10, 9, 8),
    51: (2, 3, 4, 5),
    52: (10, 9, 8, 7),
}
"""Position of a slap (FGP) -> positions of its fingers from left to right, as they lie on the picture."""
TWO_HANDS = (15, 46)
"""Positions of which each finger is of another hand."""
NARROWEST = 0.75
"""Share of the little finger's width that every other finger of the hand has at least."""
_REDUCE = 4
"""Pieces are found on a picture reduced by this factor."""
_AXIS_ASPECT = 1.15
"""A piece this much longer than wide shows the direction of its finger."""


@dataclass(frozen=True, slots=True, eq=False)
class Finger:
    """One finger of a slap.

    position : 1..10 (FGP)
    image : (H, W) uint8, 500 ppi, cut out of the slap; what is not of this finger is paper
    x, y : of its top left pixel in the slap, px
    tilt : rad, counter-clockwise, of the finger against upright, as far as the piece shows it
    """

    position: int
    image: GrayImage
    x: int
    y: int
    tilt: float


@dataclass(frozen=True, slots=True, eq=False)
class Slap:
    """A slap's fingers from left to right, and what a person should know of them, one line each."""

    fingers: tuple[Finger, ...]
    notices: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class _Piece:
    """A connected piece of the mask; coordinates in px of the slap."""

    label: int
    area: float
    centre: NDArray[np.float64]
    points: NDArray[np.float64]  # (P, 2), x and y
    border: bool  # whether it touches the left or right border
    below: list[_Piece] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slaps(Params):
    """Segmentation by waves: a fingertip is an area as wide as a finger in which one wave of ridges' length prevails.

    block_px : side of the squares whose spectrum is looked at, one in the middle of every cell
    least_period_px, most_period_px : of ridges
    pure : least share of a square's energy that is in its strongest wave: writing, lines and text have many
    faint : the same where it borders on a finger, up to grow_px from it
    least : least standard deviation of the strongest wave, gray levels
    close_px : gaps narrower than this are closed; hole_px : holes of up to this diameter are filled (punches, scars)
    open_px : strokes and lines narrower than this are dropped
    split_px : bridges between fingers narrower than these are cut, the narrowest first
    least_area_px : of a fingertip, px^2: a child's little finger
    overlap : share of its width by which a piece lies below another to be of the same finger
    long : a fingertip is at most this many times as long as wide; what lies below is the next joint
    most_tilt : rad, of the hand
    steepest : rad, of the way from one fingertip to the next, against across the hand: the
        step down to a little finger has 54 degrees, 65 where the tilt is misjudged; a joint below is steeper
    margin_px : paper left around a finger
    """

    block_px: int = 40
    least_period_px: float = 5.0
    most_period_px: float = 16.0
    pure: float = 0.38
    faint: float = 0.2
    grow_px: int = 60
    least: float = 4.0
    close_px: int = 24
    hole_px: int = 160
    open_px: int = 64
    split_px: tuple[int, ...] = (96, 128, 160)
    least_area_px: int = 9000
    overlap: float = 0.45
    long: float = 1.8
    most_tilt: float = np.pi / 4
    steepest: float = float(np.deg2rad(68))
    margin_px: int = 16

    def __call__(self, image: GrayImage, position: int, where: str, missing: Collection[int] = ()) -> Slap:
        """Cut a slap into its fingers.

        Parameters
        ----------
        image : (H, W) uint8, 500 ppi, fingertips up
        position : of the slap, a key of FINGERS_OF
        where : names it in errors
        missing : positions of fingers that the record says are not there (amputated, bandaged)

        Raises SlapPicture where it does not show the fingers it should: their number, their order, their tilt.
        """
        expected = [p for p in FINGERS_OF[position] if p not in missing]
        if not expected:
            raise _refusal(where, position, "all its fingers are said to be missing")
        waves = self._waves(image)
        labels, pieces = self._pieces(self._prevailing(waves, self.pure))
        apart = position in TWO_HANDS  # so there is no common tilt
        tilt = 0.0 if apart else _mean_tilt(pieces)
        tips = self._tips(pieces, tilt)
        if not apart:  # where the joints below are known, the tilt is known better
            tilt = _mean_tilt(tips)
            tips = self._tips(pieces, tilt)
        tips = self._chosen(tips, len(expected), tilt)
        self._check(tips, expected, tilt, where, position)
        notices = _order_notices(tips, expected, tilt, where, position)
        labels = self._grown(labels, self._prevailing(waves, self.faint))
        fingers = [self._cut(image, labels, tip, p, tilt) for tip, p in zip(tips, expected, strict=True)]
        return Slap(tuple(fingers), tuple(notices))

    def mask(self, image: GrayImage) -> Mask:
        """(H / 4, W / 4) bool, where waves as fine as ridges prevail over an area."""
        return self._prevailing(self._waves(image), self.pure)

    def _prevailing(self, waves: FloatMap, least: float) -> Mask:
        closed = cv2.morphologyEx((waves > least).astype(np.uint8), cv2.MORPH_CLOSE, _disc(self.close_px))
        return _opened(_filled(np.asarray(closed, np.uint8), np.pi / 4 * self.hole_px**2 / _REDUCE**2), self.open_px)

    def _grown(self, labels: NDArray[np.int32], faint: Mask) -> NDArray[np.int32]:
        """Pieces with the faint ridges around them, each cell to the nearest piece."""
        distance, nearest = cv2.distanceTransformWithLabels(
            (labels == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        of = np.zeros(int(nearest.max()) + 1, np.int32)
        of[nearest[labels > 0]] = labels[labels > 0]
        reached = faint & (distance <= self.grow_px / _REDUCE)
        return np.asarray(np.where(reached, of[nearest], labels), np.int32)

    def _waves(self, image: GrayImage) -> FloatMap:
        """Share of the energy in the strongest wave of ridges' length, 0 where it is weak; reduced by _REDUCE."""
        step = self.block_px // 4
        waves = strongest_waves(image, self.block_px, step, self.least_period_px, self.most_period_px)
        share = np.where(waves.strength > self.least, waves.share, np.float32(0))
        size = max(image.shape[1] // _REDUCE, 1), max(image.shape[0] // _REDUCE, 1)
        return np.asarray(cv2.resize(share, size, interpolation=cv2.INTER_LINEAR), np.float32)

    def _pieces(self, mask: Mask) -> tuple[NDArray[np.int32], list[_Piece]]:
        """Connected pieces, those that only a bridge holds together taken apart."""
        count, found = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
        labels = np.zeros(mask.shape, np.int32)
        last = 0
        for label in range(1, count):
            for part in self._parts(np.asarray(found == label)):
                last += 1
                labels[part] = last
        pieces = []
        for label in range(1, last + 1):
            rows, columns = np.nonzero(labels == label)
            area = float(len(rows)) * _REDUCE**2
            if area >= self.least_area_px / 2:
                points = (np.stack([columns, rows], 1).astype(np.float64) + 0.5) * _REDUCE
                border = bool(columns.min() == 0 or columns.max() == mask.shape[1] - 1)
                pieces.append(_Piece(label, area, np.asarray(points.mean(axis=0), np.float64), points, border))
        return labels, pieces

    def _parts(self, piece: Mask) -> list[Mask]:
        """A piece cut at its narrowest bridge; every cell goes to the nearest part."""
        for split_px in self.split_px:
            count, parts, stats, _ = cv2.connectedComponentsWithStats(
                _opened(piece, split_px).astype(np.uint8), connectivity=4
            )
            large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] * _REDUCE**2 >= self.least_area_px]
            if len(large) > 1:
                far = [cv2.distanceTransform((parts != i).astype(np.uint8), cv2.DIST_L2, 3) for i in large]
                nearest = np.argmin(far, axis=0)
                return [np.asarray(piece & (nearest == i)) for i in range(len(large))]
        return [piece]

    def _tips(self, pieces: list[_Piece], tilt: float) -> list[_Piece]:
        """The uppermost piece of every finger; the others are put below theirs."""
        tips: list[_Piece] = []
        for piece in sorted(pieces, key=lambda p: float(_along(p.points, tilt).min())):
            piece.below = []
            above = [tip for tip in tips if _overlap(tip, piece, tilt) > self.overlap]
            slivers = {id(tip) for tip in above if tip.area < piece.area / 3}  # writing above a finger
            tips, above = ([t for t in some if id(t) not in slivers] for some in (tips, above))
            if above:
                max(above, key=lambda tip: _overlap(tip, piece, tilt)).below.append(piece)
            elif piece.area >= self.least_area_px:
                tips.append(piece)
        return tips

    def _chosen(self, tips: list[_Piece], count: int, tilt: float) -> list[_Piece]:
        """From left to right; of too many those cut by the left or right border go first, then slivers."""
        area, width = (
            float(np.median(sizes)) if sizes else 0.0
            for sizes in ([tip.area for tip in tips], [_width(tip, tilt) for tip in tips])
        )
        slivers = [tip for tip in tips if tip.area < area / 3 or _width(tip, tilt) < 0.6 * width]
        doubtful = sorted((tip for tip in tips if tip.border or tip in slivers), key=lambda t: (not t.border, t.area))
        gone = {id(tip) for tip in doubtful[: max(0, len(tips) - count)]}
        return sorted((t for t in tips if id(t) not in gone), key=lambda t: float(_across(t.centre, tilt)))

    def _check(self, tips: Sequence[_Piece], expected: Sequence[int], tilt: float, where: str, position: int) -> None:
        if len(tips) != len(expected):
            places = "; ".join(f"at ({t.centre[0]:.0f}, {t.centre[1]:.0f})" for t in tips)
            found = f"{len(tips)} pieces look like fingertips{f' ({places})' if places else ''}"
            raise _refusal(where, position, f"{found}, expected {len(expected)}")
        if abs(tilt) > self.most_tilt:
            most = np.rad2deg(self.most_tilt)
            raise _refusal(where, position, f"the hand is tilted by {np.rad2deg(tilt):.0f} degrees, at most {most:.0f}")
        for one, other in pairwise(tips):
            step = other.centre - one.centre
            across, along = float(_across(step, tilt)), float(_along(step, tilt))
            if abs(np.arctan2(along, across)) > self.steepest:
                place = f"({other.centre[0]:.0f}, {other.centre[1]:.0f})"
                raise _refusal(where, position, f"the piece at {place} lies below its neighbour rather than beside it")
        widths = [_width(tip, tilt) for tip in tips]
        if max(widths) > 3 * min(widths):
            told = ", ".join(f"{width:.0f}" for width in widths)
            raise _refusal(where, position, f"the pieces are {told} px wide: too different for fingers of one hand")

    def _cut(self, image: GrayImage, labels: NDArray[np.int32], tip: _Piece, position: int, tilt: float) -> Finger:
        grown = (np.argwhere(labels == tip.label)[:, ::-1].astype(np.float64) + 0.5) * _REDUCE
        along = _along(grown, tilt)
        points = grown[along <= along.min() + self.long * _width(tip, tilt)]
        height, width = image.shape
        x0, y0 = (max(0, int(v) - self.margin_px) for v in points.min(0))
        x1, y1 = (min(n, int(v) + self.margin_px + 1) for n, v in zip((width, height), points.max(0), strict=True))
        region = np.zeros(labels.shape, np.uint8)
        cells = (points / _REDUCE).astype(np.int64)
        region[cells[:, 1], cells[:, 0]] = 1
        region = np.asarray(cv2.dilate(region, _disc(2 * self.margin_px)), np.uint8)
        full = cv2.resize(region, (width, height), interpolation=cv2.INTER_NEAREST)[y0:y1, x0:x1] > 0
        cut = image[y0:y1, x0:x1].copy()
        cut[~full] = _paper(image)
        own = _tilt_of(tip)
        return Finger(position, cut, x0, y0, tilt if own is None or abs(own) > self.most_tilt else own)


def _refusal(where: str, position: int, reason: str) -> SlapPicture:
    from fpipe.formats.exchange.tables import position_name

    return SlapPicture(where=where, what=position_name(position), reason=f" that can't be told apart: {reason}")


def _opened(mask: NDArray[np.uint8] | Mask, diameter: int) -> Mask:
    """Without what is narrower; outside the picture is nothing, so that a line of text at its edge goes too."""
    disc = _disc(diameter)
    pad = disc.shape[0]
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc)
    return np.asarray(opened[pad:-pad, pad:-pad] > 0)


def _filled(found: NDArray[np.uint8], most: float) -> NDArray[np.uint8]:
    """With the holes in it of at most this area, as a punch through the card leaves in a finger."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - found, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= most
    small[0] = False
    return np.asarray(found | small[labels], np.uint8)


def _disc(diameter: float) -> GrayImage:
    side = max(round(diameter / _REDUCE), 1) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _paper(image: GrayImage) -> int:
    """The gray level of what lies around the prints: the most frequent bright one."""
    counts = np.bincount(image.ravel(), minlength=256)
    return int(128 + np.argmax(counts[128:])) if counts[128:].any() else 255


def _across(points: NDArray[np.float64], tilt: float) -> NDArray[np.float64]:
    """Place across the fingers of a hand tilted by ``tilt``, px; (..., 2) points."""
    return np.asarray(points[..., 0] * np.cos(tilt) - points[..., 1] * np.sin(tilt))


def _along(points: NDArray[np.float64], tilt: float) -> NDArray[np.float64]:
    """Place along the fingers, px, growing from the tip down."""
    return np.asarray(points[..., 0] * np.sin(tilt) + points[..., 1] * np.cos(tilt))


def _extent(piece: _Piece, tilt: float) -> tuple[float, float]:
    low, high = np.percentile(_across(piece.points, tilt), (3, 97))
    return float(low), float(high)


def _width(piece: _Piece, tilt: float) -> float:
    low, high = _extent(piece, tilt)
    return max(high - low, 1.0)


def _overlap(one: _Piece, other: _Piece, tilt: float) -> float:
    """Share of the narrower one's width."""
    (a, b), (c, d) = _extent(one, tilt), _extent(other, tilt)
    return max(0.0, min(b, d) - max(a, c)) / max(min(b - a, d - c), 1.0)


def _tilt_of(piece: _Piece) -> float | None:
    """Of one finger, rad: by its joint below, or by its own shape where that is longer than wide."""
    if piece.below:
        nearest = min(piece.below, key=lambda p: float(np.hypot(*(p.centre - piece.centre))))
        dx, dy = piece.centre - nearest.centre
        if dy < 0:
            return float(np.arctan2(-dx, -dy))
    values, vectors = np.linalg.eigh(np.cov((piece.points - piece.centre).T))
    if values[1] < _AXIS_ASPECT**2 * max(values[0], 1e-9):
        return None
    dx, dy = vectors[:, 1] * (-1 if vectors[1, 1] > 0 else 1)
    return float(np.arctan2(-dx, -dy))


def _mean_tilt(pieces: Sequence[_Piece]) -> float:
    """Of the hand: by the joints below where there are any, as they show it best; weighed by area."""
    known = [(t, p.area * (8.0 if p.below else 1.0)) for p in pieces if (t := _tilt_of(p)) is not None]
    if not known:
        return 0.0
    tilts, weights = np.array(known).T
    return float(np.average(np.clip(tilts, -np.pi / 2, np.pi / 2), weights=weights))


def _order_notices(
    tips: Sequence[_Piece], expected: Sequence[int], tilt: float, where: str, position: int
) -> list[str]:
    """The sequence check: the little finger's tip lies lower than the index finger's, and no finger is narrower.

    Both the other way round is the other hand, or a picture upside down or mirrored; one of them is only said.
    """
    widths = dict(zip(expected, (_width(tip, tilt) for tip in tips), strict=True))
    for end in (5, 10):
        narrow = [p for p, width in widths.items() if width < NARROWEST * widths.get(end, 0.0)]
        if len(narrow) > 1 or (narrow and narrow[0] not in (2, 7)):
            reason = "a piece between them is much narrower than the little finger: writing, or a finger hardly printed"
            raise _refusal(where, position, reason)
    ends = {2: 5, 7: 10}
    pair = next(((i, ends[p]) for i, p in enumerate(expected) if p in ends and ends[p] in expected), None)
    if pair is None:
        return []
    index, little = tips[pair[0]], tips[expected.index(pair[1])]
    lower = float(_along(little.points, tilt).min() - _along(index.points, tilt).min())
    narrower = _width(index, tilt) - _width(little, tilt)
    slack = 0.15 * (_width(index, tilt) + _width(little, tilt))
    if lower < -slack and narrower < 0:
        raise _refusal(
            where,
            position,
            "the tips fall and the fingers narrow towards the index finger: it looks like the other hand",
        )
    if lower < -slack or narrower < -slack:
        return ["the little finger lies higher or is wider than the index finger: the order of the fingers is doubtful"]
    return []
