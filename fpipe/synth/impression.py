"""Impressions of a master print: on sensors of several kinds, swiped, and rolled in ink on a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask
from fpipe.synth import marks
from fpipe.synth.fields import blurred, generator, sigmoid, smooth_noise, texture
from fpipe.synth.master import Master
from fpipe.synth.skin import Skin, ghost, noise, touched
from fpipe.synth.touch import Drawn, Laid, Touch, truth_of

Kind = Literal["plain", "rolled", "swiped"]
Difficulty = Literal["good", "bad", "ugly", "mixed"]
Sensor = Literal["optical", "gray", "prism", "capacitive", "swipe", "card"]

_SHARES: dict[Difficulty, tuple[float, float, float]] = {
    "good": (1, 0, 0),
    "bad": (0, 1, 0),
    "ugly": (0, 0, 1),
    "mixed": (0.5, 0.35, 0.15),
}
_SEVERITY = (0.35, 0.8, 1.35)
"""Of good, bad and ugly: the factor on every fault."""
_SENSORS: dict[Kind, tuple[Sensor, ...]] = {
    "plain": ("optical", "optical", "gray", "prism", "capacitive", "card"),
    "rolled": ("card",),
    "swiped": ("swipe",),
}
_SIZES: dict[Sensor, tuple[int, int]] = {
    "optical": (420, 380),
    "gray": (300, 300),
    "prism": (364, 328),
    "capacitive": (300, 300),
    "swipe": (460, 200),
    "card": (512, 480),
}
"""(height, width) in px at 500 ppi: of the sensors that the public test sets were taken with, about."""


def draw_severity(rng: np.random.Generator, difficulty: Difficulty) -> tuple[str, float]:
    """One of good, bad and ugly, and the factor on its faults."""
    which = int(rng.choice(3, p=_SHARES[difficulty]))
    return ("good", "bad", "ugly")[which], _SEVERITY[which]


@dataclass(frozen=True, slots=True)
class Impression(Params):
    """A print taken on purpose.

    kind : plain, rolled or swiped
    sensor : what takes it; "" draws one that fits the kind
    difficulty : how bad skin, contact and sensor are; mixed: half good, a third bad, the rest ugly
    height, width : of the picture, px; 0: the sensor's own
    any_turn : the finger may lie at any angle, as in crops for training
    """

    kind: Kind = "plain"
    sensor: Sensor | Literal[""] = ""
    difficulty: Difficulty = "mixed"
    height: int = 0
    width: int = 0
    any_turn: bool = False

    def __call__(self, master: Master, seed: int) -> Drawn:
        """Draw it; the same master and seed, the same picture."""
        rng = generator(seed, "impression")
        choice = _SENSORS[self.kind]
        sensor: Sensor = self.sensor or choice[int(rng.integers(len(choice)))]
        quality, severity = draw_severity(rng, self.difficulty)
        laid = self._touch(rng, sensor, severity)(master, rng)
        skin = _skin(rng, self.kind, sensor, severity)
        ink = touched(rng, laid, skin)
        conditions: dict[str, Any] = {"kind": self.kind, "sensor": sensor, "quality": quality, **_told(skin)}
        gray, window = _RENDER[sensor](rng, laid, ink, severity, conditions)
        picture = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
        mask = _visible(laid, window)
        return Drawn(picture, truth_of(laid, mask), conditions)

    def _touch(self, rng: np.random.Generator, sensor: Sensor, severity: float) -> Touch:
        height, width = _SIZES[sensor]
        rolled = self.kind == "rolled"
        # deliberate distortion and partial contact are what makes a print of good skin ugly
        small = float(np.clip(1 - 0.28 * severity * rng.random() ** 2, 0.5, 1))
        return Touch(
            height=self.height or height,
            width=self.width or width,
            rotation_rad=4.0 if self.any_turn else 0.08 if rolled else 0.05 + 0.13 * severity,
            offset_px=60.0 if self.any_turn else 6.0 if rolled else 8 + 16 * severity,
            reach_x_px=195.0 if rolled else 130 * small,
            reach_y_px=215.0 if rolled else 178 * small,
            reach_sd=0.06 if rolled else 0.13,
            squareness=5.0 if rolled else 2.3,
            shift_px=3 + 7 * severity,
            twist_rad=0.02 + 0.05 * severity,
            wobble_px=0.6 + 0.8 * severity,
            lift_px=6.0 if rolled else 12 + 16 * severity,
            scale=1.08 if sensor == "prism" else 1.0,
            scale_sd=0.1 if self.any_turn else 0.01,
            strips_px=1.6 if sensor == "swipe" else 0.0,
        )


def _skin(rng: np.random.Generator, kind: Kind, sensor: Sensor, severity: float) -> Skin:
    spread = {"optical": 0.55, "prism": 0.6, "card": 0.45}.get(sensor, 0.4)
    return Skin(
        moisture=float(np.clip(rng.normal(0.05, spread * severity), -1.1, 1.15)),
        unevenness=0.08 + 0.16 * severity,
        roughness=float(rng.uniform(0.06, 0.18) + 0.10 * severity),
        pores=float(rng.uniform(0, 1.0) ** 1.5),
        hollow=float(rng.uniform(0.3, 0.8)) if rng.random() < (0.4 if sensor == "prism" else 0.05) else 0.0,
        wear=float(rng.uniform(0, 0.42) * severity) if rng.random() < 0.3 * severity + 0.05 else 0.0,
        creases=int(rng.poisson(3 * severity)),
        broad_creases=int(rng.poisson(0.5 * severity)),
        base_crease=bool(rng.random() < (0.5 if kind == "rolled" else 0.12)),
    )


def _told(skin: Skin) -> dict[str, Any]:
    """A skin's state as conditions."""
    return {
        "moisture": round(skin.moisture, 3),
        "wear": round(skin.wear, 3),
        "hollow_ridges": round(skin.hollow, 3),
        "creases": skin.creases,
        "broad_creases": skin.broad_creases,
        "base_crease": skin.base_crease,
    }


def _visible(laid: Laid, window: FloatMap) -> Mask:
    """Where the print can be seen: touched skin inside the sensor's window."""
    visible: Mask = (laid.contact > 0.02) & (window > 0.5)
    return visible


# -- sensors: (ink, ...) -> gray levels, and the window (H, W) in which the sensor sees at all ------------------------


def _optical(
    rng: np.random.Generator, laid: Laid, ink: FloatMap, severity: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """Total reflection, background saturated to white."""
    shape = laid.shape
    ink = blurred(_with_ghost(rng, laid, ink, 0.12 * severity, 0.02, 0.07, conditions), rng.uniform(0.45, 0.75))
    depth = rng.uniform(175, 245) + 18 * smooth_noise(rng, shape, 50) + rng.uniform(5, 30) * texture(rng, shape, 5, 1.3)
    gray = rng.uniform(250, 262) - depth * ink + noise(rng, shape, rng.uniform(1, 5)) * (0.2 + ink)
    gray -= 120 * marks.specks(rng, shape, 0.0004, 1.0)
    gray = np.clip(gray, rng.uniform(0, 35), 255)
    return _padded(rng, gray.astype(np.float32), 0.12, conditions)


def _gray(
    rng: np.random.Generator, laid: Laid, ink: FloatMap, severity: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """A lit gray ground, soft ridges, the corners cut off."""
    shape = laid.shape
    ink = _with_ghost(rng, laid, ink, 0.3 * severity, 0.03, 0.12, conditions)
    ink = blurred(ink, rng.uniform(0.8, 1.3))
    light = rng.uniform(195, 226) + 10 * marks.gradient(rng, shape) - 8 * smooth_noise(rng, shape, 120)
    depth = rng.uniform(55, 115) / (1 + 0.4 * severity) + 12 * smooth_noise(rng, shape, 60)
    veil = rng.uniform(0, 28) * sigmoid(6 * laid.contact) + 10 * np.clip(smooth_noise(rng, shape, 55), 0, 3) * ink
    gray = light - depth * ink - veil + noise(rng, shape, rng.uniform(1.2, 3))
    window = np.ones(shape, np.float32)
    if rng.random() < 0.5:
        cut = rng.uniform(18, 46)
        rows, columns = np.indices(shape, dtype=np.float32)
        rim = np.minimum(columns, shape[1] - 1 - columns) + np.minimum(rows, shape[0] - 1 - rows)
        window = (rim > cut).astype(np.float32)
        gray = np.where(window > 0, gray, 235)
    gray, padded = _padded(rng, gray.astype(np.float32), 0.08, conditions)
    return gray, np.minimum(window, padded)


def _prism(
    rng: np.random.Generator, laid: Laid, ink: FloatMap, severity: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """A prism seen at an angle: a gray trapezium on white, traces of the last finger, wet dark blots."""
    shape = laid.shape
    ink = _with_ghost(rng, laid, ink, 0.55, 0.03, 0.12 + 0.08 * severity, conditions)
    depth = rng.uniform(75, 130) + 14 * smooth_noise(rng, shape, 60)
    gray = rng.uniform(165, 212) + 6 * texture(rng, shape, 120, 12) - depth * blurred(ink, rng.uniform(0.6, 1.1))
    if rng.random() < 0.3 * severity:
        blots = marks.stains(rng, shape, 2) * sigmoid(6 * laid.contact)
        gray = np.maximum(gray - 120 * blots, np.minimum(gray, rng.uniform(40, 90)))
        conditions["blots"] = True
    gray += noise(rng, shape, rng.uniform(2, 4.5))
    window = np.ones(shape, np.float32)
    if rng.random() < 0.7:
        rows, columns = np.indices(shape, dtype=np.float32)
        inset = rng.uniform(10, 42) * (1 - rows / shape[0])
        window = ((columns > inset) & (columns < shape[1] - 1 - inset)).astype(np.float32)
        gray = np.where(window > 0, gray, 255)
        conditions["padding"] = "white"
    return gray.astype(np.float32), window


def _capacitive(
    rng: np.random.Generator, laid: Laid, ink: FloatMap, severity: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """A chip: dark gray ground with stripes down the columns, hard ridges, dots around the contact."""
    shape = laid.shape
    rim = np.exp(-((laid.contact / 0.5) ** 2)) * (laid.contact < 0.2)
    dots = marks.specks(rng, shape, 0.06 * severity, 0.8) * rim.astype(np.float32)
    ink = blurred(np.maximum(sigmoid(10 * (ink - 0.5)), dots), rng.uniform(0.5, 0.75))
    column = cv2.GaussianBlur(rng.standard_normal((1, shape[1]), np.float32), (0, 0), 1.0) * rng.uniform(4, 12)
    shade = 16 * np.abs(np.linspace(-1, 1, shape[1], dtype=np.float32))[None] ** 2 + 8 * marks.gradient(rng, shape)
    dark = rng.uniform(22, 60)
    ground = (
        rng.uniform(88, 165) + shade + column + 8 * smooth_noise(rng, shape, 90) + noise(rng, shape, rng.uniform(3, 8))
    )
    gray = ground - (ground - dark) * np.clip(ink, 0, 1) * rng.uniform(0.75, 1.0)
    if rng.random() < 0.3:  # a brighter chip, or a driver that stretches the contrast
        gray = (gray - dark) * rng.uniform(1.2, 1.7) + dark
    return _padded(rng, np.clip(gray, 0, 255).astype(np.float32), 0.08, conditions)


def _swipe(
    rng: np.random.Generator, laid: Laid, ink: FloatMap, severity: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """A line sensor that the finger is drawn over: strips that do not quite fit, white beyond the last."""
    shape = laid.shape
    ink = blurred(ink, rng.uniform(0.6, 1.0))
    row = 1 + 0.05 * severity * rng.standard_normal((shape[0], 1), np.float32)
    gray = rng.uniform(215, 255) - rng.uniform(120, 200) * ink * row + noise(rng, shape, rng.uniform(2, 6))
    first, last = rng.uniform(0, 0.12) * shape[0], rng.uniform(0.85, 1.0) * shape[0]
    rows = np.indices(shape, dtype=np.float32)[0]
    window = ((rows >= first) & (rows <= last)).astype(np.float32)
    return np.where(window > 0, gray, 255).astype(np.float32), window


def _card(
    rng: np.random.Generator, laid: Laid, ink: FloatMap, severity: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """Printer's ink on a card with ruled boxes, words and somebody's handwriting."""
    shape = laid.shape
    load = np.clip(0.85 + 0.16 * smooth_noise(rng, shape, 90) + 0.15 * marks.gradient(rng, shape), 0.25, 1.15)
    blot = (
        np.clip(0.5 * (smooth_noise(rng, shape, 110) - rng.uniform(0.6, 2.2)), 0, 1) * severity
    )  # over-inked: valleys fill
    body = np.clip(ink * load + 0.75 * blot * sigmoid(8 * laid.contact), 0, 1.1)
    body = blurred(body * (1 - 0.5 * marks.specks(rng, shape, 0.05, 0.8)), rng.uniform(0.5, 0.85))
    ground = rng.uniform(168, 225) + rng.uniform(1.5, 5) * marks.paper(rng, shape)
    dark = rng.uniform(15, 75)
    form = np.zeros(shape, np.float32)
    if rng.random() < 0.7:
        form = np.maximum(form, marks.boxes(rng, shape))
        conditions["boxes"] = True
    if rng.random() < 0.5:
        form = np.maximum(form, marks.printed_text(rng, shape, 1, anywhere=False))
        conditions["text"] = True
    if rng.random() < 0.25:
        form = np.maximum(form, 0.8 * marks.handwriting(rng, shape, 4))
        conditions["handwriting"] = True
    cover = np.maximum(body, rng.uniform(0.7, 1) * form)
    gray = ground - (ground - dark) * np.clip(cover, 0, 1) + noise(rng, shape, rng.uniform(1.5, 4))
    return _padded(rng, gray.astype(np.float32), 0.05, conditions)


_Render = Callable[
    [np.random.Generator, Laid, FloatMap, float, dict[str, Any]],
    tuple[FloatMap, FloatMap],
]
_RENDER: dict[Sensor, _Render] = {
    "optical": _optical,
    "gray": _gray,
    "prism": _prism,
    "capacitive": _capacitive,
    "swipe": _swipe,
    "card": _card,
}


def _with_ghost(
    rng: np.random.Generator,
    laid: Laid,
    ink: FloatMap,
    chance: float,
    least: float,
    most: float,
    conditions: dict[str, Any],
) -> FloatMap:
    """The traces of an earlier print under this one; what they show is not a ridge of this finger."""
    if rng.random() >= chance:
        return ink
    strength = float(rng.uniform(least, most))
    conditions["ghost"] = round(strength, 3)
    both: FloatMap = np.maximum(ink, np.float32(strength) * ghost(rng, laid))
    return both


def _padded(
    rng: np.random.Generator, gray: FloatMap, chance: float, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """Sometimes the picture was turned or cut and set on hard black or white."""
    shape = (gray.shape[0], gray.shape[1])
    if rng.random() >= chance:
        return gray, np.ones(shape, np.float32)
    colour = rng.choice(["black", "white"])
    conditions["padding"] = str(colour)
    centre = np.array([shape[1], shape[0]]) * rng.uniform(0.42, 0.58, 2)
    half = np.array([shape[1], shape[0]]) * rng.uniform(0.36, 0.52, 2)
    box = cv2.boxPoints(((centre[0], centre[1]), (2 * half[0], 2 * half[1]), float(rng.uniform(-40, 40))))
    window = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(window, np.rint(box).astype(np.int32), 1)
    return np.where(window > 0, gray, 0.0 if colour == "black" else 255.0).astype(np.float32), window.astype(np.float32)


def stored_as(picture: GrayImage, quality: int) -> GrayImage:
    """The picture after lossy compression: JPEG of a quality, as scanners and old archives leave it."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV refused to write a JPEG")
    read = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    if read is None:
        raise RuntimeError("OpenCV could not read its own JPEG")
    return read.astype(np.uint8, copy=False)
