"""Latents: a part of a print left by chance, developed, and photographed or lifted with whatever else is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from fpipe.core.params import Params
from fpipe.core.types import FloatMap, GrayImage, Mask
from fpipe.synth import marks
from fpipe.synth.fields import blurred, generator, shrunk, sigmoid, smooth_noise, texture
from fpipe.synth.impression import Difficulty, draw_severity, stored_as
from fpipe.synth.master import Master
from fpipe.synth.skin import Skin, ghost, noise, smeared, touched
from fpipe.synth.touch import Drawn, Laid, Touch, truth_of

Surface = Literal["paper", "form", "cheque", "wood", "cloth", "metal", "card", "smooth"]
Developer = Literal["powder", "light powder", "ninhydrin", "fuming", "dust"]

_SURFACES: tuple[Surface, ...] = ("paper", "form", "cheque", "wood", "cloth", "metal", "card", "smooth")
_SURFACE_P = (0.17, 0.17, 0.10, 0.08, 0.08, 0.08, 0.17, 0.15)
_DEVELOPERS: tuple[Developer, ...] = ("powder", "light powder", "ninhydrin", "fuming", "dust")
_DEVELOPER_P = (0.5, 0.15, 0.15, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Trouble(Params):
    """A difficulty in numbers.

    area : share of the fingertip that touched
    contrast : of the ridges, gray levels
    ground : strength of the surface's texture, gray levels
    clutter : words, lines, arcs, scales and stains in the picture, on average
    loss : 0..1, how much of the print the developer did not take
    smear_px : length of the slide, on average
    overlap : chance of another print over it
    distortion : factor on the plastic distortion
    """

    area: float
    contrast: float
    ground: float
    clutter: float
    loss: float
    smear_px: float
    overlap: float
    distortion: float


TROUBLES: dict[str, Trouble] = {
    "good": Trouble(0.62, 105, 5, 1.2, 0.10, 0.8, 0.04, 0.7),
    "bad": Trouble(0.45, 68, 10, 2.2, 0.28, 2.0, 0.15, 1.0),
    "ugly": Trouble(0.30, 42, 15, 3.2, 0.45, 4.0, 0.30, 1.4),
}
"""What good, bad and ugly mean, after the three classes of NIST's Special Database 27."""


@dataclass(frozen=True, slots=True)
class Latent(Params):
    """A print left by chance and made visible.

    difficulty : good, bad or ugly, as ``TROUBLES`` says; mixed: half good, a third bad, the rest ugly
    surface : what it lies on; "" draws one
    developer : what made it visible; "" draws one
    height, width : of the picture, px at 500 ppi
    any_turn : at any angle and place, as in crops for training
    """

    difficulty: Difficulty = "mixed"
    surface: Surface | Literal[""] = ""
    developer: Developer | Literal[""] = ""
    height: int = 480
    width: int = 480
    any_turn: bool = False

    def __call__(self, master: Master, seed: int) -> Drawn:
        """Draw it; the same master and seed, the same picture."""
        rng = generator(seed, "latent")
        name, _ = draw_severity(rng, self.difficulty)
        trouble = TROUBLES[name]
        surface: Surface = self.surface or _SURFACES[int(rng.choice(len(_SURFACES), p=_SURFACE_P))]
        developer: Developer = self.developer or _DEVELOPERS[int(rng.choice(len(_DEVELOPERS), p=_DEVELOPER_P))]
        conditions: dict[str, Any] = {"kind": "latent", "quality": name, "surface": surface, "developer": developer}
        laid = self._touch(trouble)(master, rng)
        ink, seen = _developed(rng, laid, developer, trouble, conditions)
        gray = _photographed(rng, laid, ink, surface, developer, trouble, conditions)
        gray, window = _cluttered(rng, gray, laid, trouble, conditions)
        picture = _stored(rng, gray, conditions)
        mask = (laid.contact > 0.02) & (seen > 0.5) & (window > 0.5)
        return Drawn(picture, truth_of(laid, _without_islands(mask)), conditions)

    def _touch(self, trouble: Trouble) -> Touch:
        size = float(np.sqrt(trouble.area))
        return Touch(
            height=self.height,
            width=self.width,
            rotation_rad=0.6 if trouble.area > 0.5 and not self.any_turn else 4.0,
            offset_px=(0.25 if self.any_turn else 0.06) * min(self.height, self.width),
            reach_x_px=150 * size,
            reach_y_px=195 * size,
            reach_sd=0.2,
            squareness=2.2,
            outline=0.18,
            shift_px=8 * trouble.distortion,
            twist_rad=0.06 * trouble.distortion,
            wobble_px=1.3 * trouble.distortion,
            lift_px=75 * (1 - trouble.area),
            scale_sd=0.1 if self.any_turn else 0.02,
        )


def _developed(
    rng: np.random.Generator, laid: Laid, developer: Developer, trouble: Trouble, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """What the developer makes of the skin's trace: how much of it each pixel holds, and where there is any."""
    shape = laid.shape
    dots = developer == "ninhydrin"  # amino acids come from the pores: ridges are rows of dots
    skin = Skin(
        moisture=float(np.clip(rng.normal(-0.05, 0.35), -0.8, 0.9)),
        unevenness=0.25,
        roughness=float(rng.uniform(0.2, 0.35)),
        pores=float(rng.uniform(0, 0.5)),
        creases=int(rng.poisson(2)),
        broad_creases=int(rng.poisson(0.5)),
        edge=float(rng.uniform(6, 25)),
    )
    ink = touched(rng, laid, skin)
    kept = sigmoid(np.float32(3) * (texture(rng, shape, 80, 8) + np.float32(2.0 - 3.2 * trouble.loss)))
    ink *= kept
    if dots:
        ink *= np.clip(0.25 + 2.2 * marks.specks(rng, shape, 0.25, 1.1), 0, 1)
    if rng.random() < trouble.overlap:
        other = np.float32(rng.uniform(0.4, 1.0)) * ghost(rng, laid)
        ink = np.maximum(ink, other)
        conditions["overlap"] = True
    length = float(rng.exponential(trouble.smear_px))
    if length >= 1:
        ink = smeared(ink, min(length, 14), rng.uniform(0, np.pi))
        conditions["smear_px"] = round(min(length, 14), 1)
    conditions.update(moisture=round(skin.moisture, 3), broad_creases=skin.broad_creases)
    return ink, kept


def _photographed(
    rng: np.random.Generator,
    laid: Laid,
    ink: FloatMap,
    surface: Surface,
    developer: Developer,
    trouble: Trouble,
    conditions: dict[str, Any],
) -> FloatMap:
    """Gray levels of the surface with the developed trace on it."""
    shape = laid.shape
    light = developer in ("light powder", "fuming", "dust")
    contrast = trouble.contrast * float(np.exp(rng.normal(0, 0.3)))
    uneven = contrast * (1 + 0.25 * smooth_noise(rng, shape, 90))  # the developer took unevenly
    level = rng.uniform(35, 110) if light else rng.uniform(150, 235)
    gray = level + _surface(rng, shape, surface, trouble.ground)
    gray += rng.normal(0, 16) * marks.gradient(rng, shape)
    grains = np.clip(1 + rng.uniform(0.2, 0.7) * blurred(rng.standard_normal(shape, np.float32), 0.7) * 2.2, 0, 2.2)
    powder = ink * grains
    if developer in ("powder", "light powder"):  # it sticks to the surface too, in brush strokes and clouds
        cloud = np.clip(0.5 + texture(rng, shape, 130, 12), 0, 2.5) * marks.gradient(rng, shape) ** 2
        background = rng.uniform(0, 0.6) * trouble.ground / 10
        powder = powder + background * cloud * grains
        powder += 0.8 * marks.specks(rng, shape, rng.uniform(0, 0.02) * trouble.ground / 10, rng.uniform(0.7, 1.6))
    powder = blurred(powder.astype(np.float32), rng.uniform(0.5, 1.0))
    gray = gray + uneven * powder if light else gray - uneven * powder
    conditions["contrast"] = round(float(trouble.contrast), 1)
    if light and rng.random() < 0.75:  # shown as its negative, so that ridges are dark
        gray = 255 - gray
    elif light:
        conditions["inverted"] = True
    return (gray + noise(rng, shape, rng.uniform(1.5, 5))).astype(np.float32)


def _surface(rng: np.random.Generator, shape: tuple[int, int], surface: Surface, strength: float) -> FloatMap:
    """Deviation from the mean gray level: the surface's own pattern."""
    amount = np.float32(strength * rng.uniform(0.5, 1.3))
    if surface == "wood":
        return amount * marks.wood(rng, shape)
    if surface == "cloth":
        return amount * marks.cloth(rng, shape)
    if surface == "metal":
        streaks = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), sigmaX=12, sigmaY=0.8) * 5
        return amount * streaks.astype(np.float32)
    if surface == "smooth":
        return np.float32(0.4) * amount * texture(rng, shape, 120, 20)
    if surface == "cheque":
        return np.float32(0.4) * amount * marks.paper(rng, shape) - 3 * amount * marks.guilloche(rng, shape)
    if surface == "form":
        lines = marks.ruled_lines(rng, shape) + marks.printed_text(rng, shape, 4)
        printed: FloatMap = np.float32(rng.uniform(40, 120)) * np.minimum(lines, 1)
        return np.float32(0.4) * amount * marks.paper(rng, shape) - printed
    if surface == "card":  # a lift on a card: white, nothing but the powder that came along
        return np.float32(0.3) * amount * marks.paper(rng, shape)
    return np.float32(0.7) * amount * marks.paper(rng, shape)


def _cluttered(
    rng: np.random.Generator, gray: FloatMap, laid: Laid, trouble: Trouble, conditions: dict[str, Any]
) -> tuple[FloatMap, FloatMap]:
    """Everything else in the picture, and the window (H, W) in which the print is not covered."""
    shape = laid.shape
    window = np.ones(shape, np.float32)
    told = []
    for _ in range(int(rng.poisson(trouble.clutter))):
        what = str(rng.choice(["text", "handwriting", "arc", "lines", "stains", "scale", "tape", "flash"]))
        told.append(what)
        if what == "scale":
            bar, light = marks.scale_bar(rng, shape)
            gray = gray * (1 - bar) + bar * (15 + 235 * light)
            window = np.minimum(window, 1 - bar)
        elif what == "tape":
            side = marks.tape_edge(rng, shape)
            gray = gray * (1 - side) + side * (rng.uniform(0, 255) + 0.15 * (gray - gray.mean()))
            window = np.minimum(window, 1 - side)
        elif what == "flash":  # light that saturates the film towards one side
            gray = gray + rng.uniform(30, 140) * np.clip(marks.gradient(rng, shape), 0, 1) ** 1.5
        elif what == "stains":
            gray = gray + rng.normal(0, 50) * marks.stains(rng, shape, 2)
        else:
            gray = gray + _stroke(rng, shape, what)
    if told:
        conditions["clutter"] = told
    return gray.astype(np.float32), window


def _stroke(rng: np.random.Generator, shape: tuple[int, int], what: str) -> FloatMap:
    """Ink of words, pens and lines, mostly darker than the ground: gray levels to add."""
    if what == "text":
        mark = marks.printed_text(rng, shape, int(rng.integers(1, 4)))
    elif what == "handwriting":
        mark = marks.handwriting(rng, shape, int(rng.integers(2, 9)))
    elif what == "arc":
        mark = marks.pen_arc(rng, shape)
    elif rng.random() < 0.5:
        mark = marks.ruled_lines(rng, shape)
    else:
        mark = marks.pen_lines(rng, shape, int(rng.integers(1, 5)))
    return np.float32(rng.uniform(60, 220) * (-1 if rng.random() < 0.85 else 0.6)) * mark


def _stored(rng: np.random.Generator, gray: FloatMap, conditions: dict[str, Any]) -> GrayImage:
    """The photograph: at an odd resolution, printed hard or soft, compressed."""
    shape = gray.shape
    if rng.random() < 0.3:
        factor = rng.uniform(0.55, 0.95)
        small = shrunk(gray, (round(shape[1] * factor), round(shape[0] * factor)))
        gray = cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        conditions["photographed_ppi"] = round(500 * factor)
    if rng.random() < 0.4:
        middle = float(np.median(gray))
        gray = (gray - middle) * rng.uniform(1.1, 2.2) + middle
    picture = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        quality = int(rng.integers(40, 95))
        picture = stored_as(picture, quality)
        conditions["jpeg_quality"] = quality
    return picture


def _without_islands(mask: Mask) -> Mask:
    """The mask without parts too small to hold three ridges, its pinholes closed."""
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((11, 11), np.uint8))
    return cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)) > 0
