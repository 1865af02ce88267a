"""What lies under, over and beside prints, drawn by code: paper, text, lines, pens, scales, stains, wood, cloth.

Every function takes the random numbers and the picture's (height, width) and returns (H, W) float32 with 0 where
nothing is and 1 where the mark is full, unless it says otherwise.
"""

from __future__ import annotations

import string
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fpipe.core.types import FloatMap
from fpipe.synth.fields import blurred, smooth_noise, texture

Shape = tuple[int, int]

_WORDS = tuple(
    """
NAME STREET CITY PHONE DATE LEFT RIGHT THUMB INDEX MIDDLE RING LITTLE LATENT PRINT LIFT CASE SCENE EXHIBIT ITEM
SIGNATURE OFFICE RECEIVED TOTAL BANK PAY TO THE ORDER OF No. 500.00 CLASS FORM BOX SEX D.O.B. ADDRESS
""".split()  # noqa: SIM905 - a list of words is read as text
)
_HERSHEY = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)
_SUBPIXEL = 4
"""Fractional bits of the coordinates that OpenCV draws with."""


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.rint(points * 2**_SUBPIXEL).astype(np.int32)
    return fixed


def _curve(canvas: NDArray[np.uint8], points: NDArray[np.float64], thickness: int, value: int = 255) -> None:
    cv2.polylines(canvas, [_fixed(points)], False, value, max(1, thickness), cv2.LINE_AA, _SUBPIXEL)


def _soft(canvas: NDArray[np.uint8], sigma: float) -> FloatMap:
    return blurred(canvas.astype(np.float32) / np.float32(255), sigma)


def _turned(canvas: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    height, width = canvas.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.rad2deg(angle)), 1.0)
    return cv2.warpAffine(canvas, matrix, (width, height), flags=cv2.INTER_LINEAR).astype(np.uint8)


def paper(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """Fibres and clouds of paper: standard deviation about 1."""
    cloud = texture(rng, shape, 90, 3)
    fibre = blurred(rng.standard_normal(shape, np.float32), 0.7) * np.float32(rng.uniform(0.3, 2.0))
    return (0.8 * cloud + fibre).astype(np.float32)


def wood(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """Grain of wood or of brushed metal: standard deviation about 1."""
    angle = rng.uniform(0, np.pi)
    across, along = _rotated(shape, angle)
    warped = across + np.float32(rng.uniform(6, 26)) * smooth_noise(rng, shape, 110) + 0.05 * along
    spacing = rng.uniform(5, 16)
    rings = np.sin(warped * np.float32(2 * np.pi / spacing)) + 0.6 * np.sin(warped * np.float32(2 * np.pi / 3.1) + 1)
    fade: FloatMap = (rings * (0.6 + 0.5 * smooth_noise(rng, shape, 60))).astype(np.float32)
    return fade


def cloth(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """Threads crossing at right angles: standard deviation about 1."""
    across, along = _rotated(shape, rng.uniform(0, np.pi))
    pitch = rng.uniform(3.5, 9)
    bend = np.float32(2.0) * smooth_noise(rng, shape, 50)
    weave = np.sin((across + bend) * np.float32(2 * np.pi / pitch)) * np.sin(
        (along + bend) * np.float32(2 * np.pi / pitch)
    )
    return (1.4 * weave + 0.4 * rng.standard_normal(shape, np.float32)).astype(np.float32)


def guilloche(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """Fine waving lines, as on cheques and banknotes."""
    across, along = _rotated(shape, rng.uniform(0, np.pi))
    pitch, wave = rng.uniform(5, 14), rng.uniform(20, 90)
    bend = np.float32(rng.uniform(1, 6)) * np.sin(along * np.float32(2 * np.pi / wave))
    lines: Any = np.sin((across + bend) * np.float32(2 * np.pi / pitch))
    if rng.random() < 0.5:
        lines = np.maximum(lines, np.sin((across - bend) * np.float32(2 * np.pi / pitch)))
    drawn: FloatMap = np.clip(4 * lines - 2.6, 0, 1).astype(np.float32)
    return drawn


def _rotated(shape: Shape, angle: float) -> tuple[FloatMap, FloatMap]:
    rows, columns = np.indices(shape, dtype=np.float32)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * columns + sin * rows, cos * rows - sin * columns


def ruled_lines(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """Parallel lines of a form or of a writing pad."""
    canvas = np.zeros(shape, np.uint8)
    reach = float(np.hypot(*shape))
    pitch, thickness = rng.uniform(14, 70), int(rng.integers(1, 4))
    for offset in np.arange(-reach / 2 + rng.uniform(0, pitch), reach / 2, pitch):
        row = shape[0] / 2 + offset
        _curve(canvas, np.array([[-reach, row], [2 * reach, row]]), thickness)
    return _soft(_turned(canvas, rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])), rng.uniform(0.4, 1.1))


def boxes(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """The ruled boxes of a ten-print card: lines near the picture's edges, upright."""
    canvas = np.zeros(shape, np.uint8)
    height, width = shape
    thickness = int(rng.integers(2, 6))
    for side in range(4):
        if rng.random() < 0.45:
            continue
        inset = rng.uniform(2, 0.10 * min(shape))
        lean = rng.normal(0, 2)
        if side < 2:
            row = inset if side == 0 else height - inset
            _curve(canvas, np.array([[-9, row], [width + 9, row + lean]]), thickness)
        else:
            column = inset if side == 2 else width - inset
            _curve(canvas, np.array([[column, -9], [column + lean, height + 9]]), thickness)
    return _soft(canvas, 0.7)


def printed_text(rng: np.random.Generator, shape: Shape, lines: int, anywhere: bool = True) -> FloatMap:
    """Lines of printed or typed words, at any angle; not ``anywhere``: along the upper and lower edges, upright."""
    canvas = np.zeros(shape, np.uint8)
    size = rng.uniform(9, 34)
    row = rng.uniform(-size, shape[0])
    for _ in range(lines):
        text = " ".join(_word(rng) for _ in range(int(rng.integers(1, 4))))
        if not anywhere:
            row = rng.choice([rng.uniform(0, size), shape[0] - 1.4 * size - rng.uniform(0, size)])
        _write(canvas, text, rng.uniform(-0.2, 0.6) * shape[1], row, size, hershey=int(rng.integers(-3, 4)))
        row += size * rng.uniform(1.2, 2.4)
    if anywhere:
        canvas = _turned(canvas, float(rng.choice([0, np.pi / 2, rng.uniform(-np.pi, np.pi), rng.normal(0, 0.2)])))
    return _soft(canvas, rng.uniform(0.4, 1.0))


def _word(rng: np.random.Generator) -> str:
    if rng.random() < 0.3:
        return "".join(rng.choice(list(string.digits + ".-/"), int(rng.integers(2, 9))))
    return _WORDS[int(rng.integers(len(_WORDS)))]


def _write(canvas: NDArray[np.uint8], text: str, x: float, y: float, size: float, hershey: int) -> None:
    if hershey >= 0:
        place = (round(x), round(y + size))
        cv2.putText(canvas, text, place, _HERSHEY[hershey], size / 24, 255, max(1, round(size / 11)), cv2.LINE_AA)
        return
    page = Image.fromarray(canvas)
    ImageDraw.Draw(page).text((x, y), text, fill=255, font=_font(round(size)), stroke_width=round(size / 30))
    canvas[:] = np.asarray(page)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(8, size))


def handwriting(rng: np.random.Generator, shape: Shape, strokes: int) -> FloatMap:
    """Loops and dashes of a pen that writes."""
    canvas = np.zeros(shape, np.uint8)
    size, thickness = rng.uniform(8, 30), int(rng.integers(1, 5))
    x, y = rng.uniform(-0.1, 0.7) * shape[1], rng.uniform(0, 1) * shape[0]
    slant = rng.normal(0.3, 0.3)
    for _ in range(strokes):
        t = np.linspace(0, 1, 24)
        turns = rng.uniform(0.5, 3)
        phase = rng.uniform(0, 2 * np.pi)
        across = t * rng.uniform(0.5, 2.2) + 0.3 * np.sin(2 * np.pi * turns * t + phase)
        up = 0.5 * np.cos(2 * np.pi * turns * t + phase) * (1 + 0.5 * rng.normal())
        _curve(canvas, np.column_stack([x + size * (across + slant * up), y - size * up]), thickness)
        x += size * rng.uniform(0.8, 2.4)
        if x > shape[1]:
            x, y = rng.uniform(-0.1, 0.3) * shape[1], y + 2.2 * size
    return _soft(_turned(canvas, rng.normal(0, 0.4)), rng.uniform(0.4, 0.9))


def pen_arc(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """The arc of a marker that somebody drew around a print."""
    canvas = np.zeros(shape, np.uint8)
    centre = np.array([shape[1], shape[0]]) * rng.uniform(0.3, 0.7, 2)
    radii = np.array([shape[1], shape[0]]) * rng.uniform(0.32, 0.65, 2)
    first, sweep = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 5.5)
    t = first + np.linspace(0, sweep, 60)
    wobble = 1 + 0.03 * np.sin(3 * t + rng.uniform(0, 6))
    points = centre + np.column_stack([np.cos(t) * wobble, np.sin(t) * wobble]) * radii
    _curve(canvas, points, int(rng.integers(3, 15)))
    return _soft(canvas, rng.uniform(0.6, 1.4))


def pen_lines(rng: np.random.Generator, shape: Shape, count: int) -> FloatMap:
    """Single strokes across the picture: pen, scratch, fold."""
    canvas = np.zeros(shape, np.uint8)
    for _ in range(count):
        start = np.array([shape[1], shape[0]]) * rng.uniform(-0.1, 1.1, 2)
        angle, length, bend = rng.uniform(0, 2 * np.pi), rng.uniform(30, 400), rng.normal(0, 0.002)
        t = np.linspace(0, length, 30)
        aside = bend * t**2
        points = start + np.column_stack(
            [t * np.cos(angle) - aside * np.sin(angle), t * np.sin(angle) + aside * np.cos(angle)]
        )
        _curve(canvas, points, int(rng.integers(1, 5)))
    return _soft(canvas, rng.uniform(0.5, 1.0))


def scale_bar(rng: np.random.Generator, shape: Shape) -> tuple[FloatMap, FloatMap]:
    """A photographer's scale at the edge: (where it lies, how light it is there), both 0..1."""
    height, width = shape
    bar, ticks = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    breadth = int(rng.uniform(26, 70))
    cv2.rectangle(bar, (-width, 0), (2 * width, breadth), 255, -1)
    pitch = 19.685 * rng.uniform(0.96, 1.04)  # a millimetre at 500 ppi
    for number, x in enumerate(np.arange(-width, 2 * width, pitch)):
        length = breadth * (0.75 if number % 10 == 0 else 0.55 if number % 5 == 0 else 0.35)
        _curve(ticks, np.array([[x, 0.0], [x, length]]), 3)
        if number % 10 == 0:
            _write(ticks, str(number // 10 % 10), x + 3, breadth * 0.45, breadth * 0.4, hershey=-1)
    quarter, lean = rng.integers(4) * np.pi / 2, rng.normal(0, 0.15)
    reach = max(shape) / 2
    shift = np.array([[1, 0, 0], [0, 1, rng.uniform(-0.4, 0.3) * breadth + height / 2 - reach]])
    layers = [_turned(cv2.warpAffine(c, shift, (width, height)).astype(np.uint8), quarter + lean) for c in (bar, ticks)]
    light = _soft(layers[1], 0.7)
    return _soft(layers[0], 0.6), light if rng.random() < 0.6 else (1 - light).astype(np.float32)


def stains(rng: np.random.Generator, shape: Shape, count: int) -> FloatMap:
    """Blots with a soft or a hard edge."""
    total = np.zeros(shape, np.float32)
    for _ in range(count):
        field = smooth_noise(rng, shape, rng.uniform(30, 130))
        edge = rng.uniform(1.5, 8)
        total = np.maximum(
            total, np.clip(edge * (field - rng.uniform(1.2, 2.2)), 0, 1) * np.float32(rng.uniform(0.3, 1))
        )
    return total


def tape_edge(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """One side of a straight edge, as of lifting tape or a label: 0 on this side, 1 on that."""
    across, _ = _rotated(shape, rng.uniform(0, 2 * np.pi))
    low, high = float(across.min()), float(across.max())
    place = low + (high - low) * rng.choice([rng.uniform(0.08, 0.25), rng.uniform(0.75, 0.92)])
    side: FloatMap = np.clip((across - place) / 1.5, 0, 1).astype(np.float32)
    return side if place > (low + high) / 2 else (1 - side).astype(np.float32)


def gradient(rng: np.random.Generator, shape: Shape) -> FloatMap:
    """Light that falls off to one side, -1 .. 1."""
    across, _ = _rotated(shape, rng.uniform(0, 2 * np.pi))
    low, high = float(across.min()), float(across.max())
    return (2 * (across - low) / (high - low) - 1).astype(np.float32)


def specks(rng: np.random.Generator, shape: Shape, share: float, sigma_px: float) -> FloatMap:
    """Grains of dust or powder that cover about ``share`` of the picture, as wide as ``sigma_px`` says."""
    field = blurred(rng.standard_normal(shape, np.float32), sigma_px) * np.float32(2 * np.sqrt(np.pi) * sigma_px)
    threshold = float(np.sqrt(2) * _inverse_erfc(2 * min(share, 0.49)))
    grains: FloatMap = np.clip(3 * (field - threshold), 0, 1).astype(np.float32)
    return grains


def _inverse_erfc(value: float) -> float:
    from scipy.special import erfcinv

    return float(erfcinv(max(value, 1e-9)))
