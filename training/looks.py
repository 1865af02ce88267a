"""What happens to a crop's picture on its way from the skin to the file, drawn anew every time it is seen.

Drawn prints differ from real ones in ways that nobody can list, so each look is taken further than the eye accepts:
a network that has seen them all leans on none.  All work on (H, W) float32 gray levels, 0 black to 255 white, ridges
dark, and leave the ridges where they are, so that the truth stays the truth.
"""

from __future__ import annotations

import _wsq as nbis
import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core.types import FloatMap, GrayImage

Bank = NDArray[np.float32]
"""(1024, 1024) standard normal noise to cut from: drawing anew would take longer than everything else."""


def changed_look(
    picture: GrayImage, other: GrayImage, mask: NDArray[np.uint8], rng: np.random.Generator, bank: Bank
) -> GrayImage:
    """Another look of the crop ``picture``.

    other : another crop, whose print may lie faintly over this one; mask : (h, w) where this print is, any grid
    """
    image = picture.astype(np.float32)
    if rng.random() < 0.06:
        image = _overlapped(image, other, mask, rng)
    if rng.random() < 0.3:
        image = _inked(image, rng, bank)
    if rng.random() < 0.2:
        image = _specked(image, rng, bank)
    if rng.random() < 0.2:
        image = _pored(image, rng, bank)
    if rng.random() < 0.25:
        image = _blotched(image, mask, rng, bank)
    if rng.random() < 0.3:
        image = _resampled(image, rng)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < 0.5:
        image = image + float(rng.uniform(2, 34)) * _field(image.shape, int(rng.integers(28, 128)), rng, bank)  # grain
    if rng.random() < 0.2:
        image = image + float(rng.uniform(5, 40)) * _field(image.shape, int(rng.integers(8, 28)), rng, bank)  # mottle
    if rng.random() < 0.35:
        image = _saturated(image, mask, rng, bank)
    if rng.random() < 0.12:
        image = _striped(image, rng, bank)
    if rng.random() < 0.2:
        image = _sharpened(image, rng)
    image = _toned(image, rng)
    if rng.random() < 0.35:
        image = _lit(image, rng, bank)
    if rng.random() < 0.4:
        image = image + float(rng.exponential(3.0)) * _cut(bank, image.shape, rng)
    if rng.random() < 0.08:
        step = np.float32(rng.uniform(4, 24))
        image = np.rint(image / step) * step
    gray: GrayImage = np.clip(image, 0, 255).astype(np.uint8)
    return _coded(gray, rng)


def _coded(gray: GrayImage, rng: np.random.Generator) -> GrayImage:
    """Through a lossy file at times: JPEG, JPEG 2000, or WSQ, that of archives, coded at this size or a smaller one."""
    way = rng.random()
    if way < 0.15:
        return _through(".jpg", [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))], gray)
    if way < 0.18:
        return _through(".jp2", [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, int(rng.integers(25, 120))], gray)
    if way < 0.28:
        share = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.6, 1.0))
        small = cv2.resize(gray, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        pixels = nbis.decompress(nbis.compress(small.tobytes(), *small.shape, 0.75))[0]
        decoded = np.frombuffer(pixels, np.uint8).reshape(small.shape)
        return np.asarray(cv2.resize(decoded, gray.shape[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
    return gray


def _through(ending: str, options: list[int], gray: GrayImage) -> GrayImage:
    return np.asarray(cv2.imdecode(cv2.imencode(ending, gray, options)[1], cv2.IMREAD_GRAYSCALE), np.uint8)


def _overlapped(image: FloatMap, other: GrayImage, mask: NDArray[np.uint8], rng: np.random.Generator) -> FloatMap:
    """A fainter print of another finger over this one, where this one is."""
    inside = cv2.GaussianBlur(cv2.resize(mask, image.shape[::-1]).astype(np.float32), (0, 0), 8.0)
    return image - inside * (255 - other.astype(np.float32)) * np.float32(rng.uniform(0.1, 0.45))


def _inked(image: FloatMap, rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Ridges swell or shrink, here more than there: moisture, pressure, ink, light from the side."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3) if rng.random() < 0.7 else (5, 5))
    grown = cv2.erode(image, kernel) if rng.random() < 0.5 else cv2.dilate(image, kernel)
    share = np.clip(rng.uniform(0.2, 1.0) + 0.5 * _field(image.shape, int(rng.integers(3, 9)), rng, bank), 0, 1)
    return cv2.GaussianBlur(image + share * (grown - image), (0, 0), 0.6)


def _specked(image: FloatMap, rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Bright or dark specks: pores, dust, powder, glints."""
    specks = (_cut(bank, image.shape, rng) > rng.uniform(1.8, 3.0)).astype(np.float32)
    size = float(rng.uniform(0.5, 1.6))
    soft = cv2.GaussianBlur(specks, (0, 0), size) * np.float32(min(1.0, 2 * np.pi * size * size) * rng.uniform(30, 220))
    return image + (soft if rng.random() < 0.6 else -soft)


def _pored(image: FloatMap, rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Bright specks on the ridges alone: open pores."""
    specks = (_cut(bank, image.shape, rng) > rng.uniform(1.6, 2.6)).astype(np.float32)
    size = float(rng.uniform(0.6, 1.3))
    soft = np.minimum(cv2.GaussianBlur(specks, (0, 0), size) * np.float32(2 * np.pi * size * size), 1)
    level = cv2.GaussianBlur(image, (0, 0), 1.0)
    around = cv2.blur(level, (17, 17), borderType=cv2.BORDER_REFLECT_101)
    on_ridge = np.clip((around - level) / 20, 0, 1)
    return image + soft * on_ridge * (2 * around - 2 * image).clip(0, None) * np.float32(rng.uniform(0.3, 0.9))


def _blotched(image: FloatMap, mask: NDArray[np.uint8], rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Patches in which the valleys are filled, or nothing was left: sweat, smudged ink, dirt, dry skin."""
    cells = int(rng.integers(5, 40))
    blots = _field(image.shape, cells, rng, bank) + 0.3 * _field(image.shape, 3 * cells, rng, bank)
    share = np.clip((blots - np.float32(rng.uniform(1.0, 2.0))) * 6, 0, 1) * np.float32(rng.uniform(0.4, 1.0))
    dark, bright = _levels(image, mask)
    level = dark if rng.random() < 0.7 else bright
    if level == dark:
        share *= cv2.GaussianBlur(cv2.resize(mask, image.shape[::-1]).astype(np.float32), (0, 0), 4.0)
    return image + share * (np.float32(level) - image)


def _saturated(image: FloatMap, mask: NDArray[np.uint8], rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Nearly black and white, by a threshold that drifts: ridges break into beads where it is dark and run together
    where it is bright, as on dry and wet skin, hard sensors, ink."""
    dark, bright = _levels(image, mask)
    level = (image - np.float32((dark + bright) / 2)) / np.float32(max((bright - dark) / 2, 4.0))
    fine = int(rng.integers(30, 90))  # cells of 3 to 8 px: edges and beads of the ridges themselves
    level = level + np.float32(rng.uniform(0, 0.6)) * _field(image.shape, fine, rng, bank)
    drift = np.float32(rng.uniform(-0.7, 0.7)) + np.float32(rng.uniform(0, 0.6)) * _field(
        image.shape, int(rng.integers(3, 9)), rng, bank
    )
    hard = np.tanh(np.float32(np.exp(rng.uniform(np.log(0.8), np.log(6)))) * (level - drift))
    return cv2.GaussianBlur(
        np.asarray((dark + bright) / 2 + hard * ((bright - dark) / 2), np.float32), (0, 0), rng.uniform(0.4, 0.9)
    )


def _levels(image: FloatMap, mask: NDArray[np.uint8]) -> tuple[float, float]:
    """Gray levels of ridges and of valleys where the print is; of the picture where none is."""
    mean, deviation = cv2.meanStdDev(image, mask=cv2.resize(mask, image.shape[::-1]) if mask.any() else None)
    return float(mean[0, 0] - 1.4 * deviation[0, 0]), float(mean[0, 0] + 1.4 * deviation[0, 0])


def _resampled(image: FloatMap, rng: np.random.Generator) -> FloatMap:
    """Through a coarser grid: of a small sensor, a poor scan, a photograph from afar."""
    share = float(rng.uniform(0.42, 0.95))
    ways = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST)
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=ways[int(rng.choice(3, p=(0.5, 0.35, 0.15)))])
    return cv2.resize(
        small, image.shape[::-1], interpolation=cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_LINEAR
    )


def _striped(image: FloatMap, rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Rows or columns that are lighter or darker: line sensors, glass plates, rollers."""
    line = bank[int(rng.integers(bank.shape[0])), : max(image.shape)] * np.float32(rng.uniform(2, 18))
    if rng.random() < 0.5:
        line = cv2.GaussianBlur(line[None], (0, 0), float(rng.uniform(0.5, 6)))[0] * 2
    return image + (line[: image.shape[0], None] if rng.random() < 0.5 else line[None, : image.shape[1]])


def _sharpened(image: FloatMap, rng: np.random.Generator) -> FloatMap:
    return image + np.float32(rng.uniform(0.3, 2.5)) * (image - cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 4)))


def _toned(image: FloatMap, rng: np.random.Generator) -> FloatMap:
    """Any gamma, contrast and brightness.

    A faint print is a print: how faint must not tell the network that it is only a trace of an earlier finger.
    """
    level = np.clip(image, 0, 255) / np.float32(255)
    level = cv2.pow(level, float(np.exp(rng.normal(0, 0.4))))
    contrast = float(np.exp(rng.uniform(np.log(0.1), 0))) if rng.random() < 0.6 else rng.uniform(0.8, 1.8)
    middle = 0.5 + rng.uniform(-0.5, 0.5) * max(1 - contrast, 0.15)
    return np.asarray(255 * ((level - 0.5) * np.float32(contrast) + np.float32(middle)), np.float32)


def _lit(image: FloatMap, rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Uneven light: contrast that comes and goes, and at times a ramp or a flash that burns out what it falls on."""
    shape = image.shape
    fade = np.exp(-np.abs(np.float32(rng.uniform(0.2, 1.0)) * _field(shape, int(rng.integers(3, 8)), rng, bank)))
    low = cv2.blur(image, (65, 65), borderType=cv2.BORDER_REFLECT_101)
    image = (
        low + fade * (image - low) + np.float32(rng.uniform(0, 40)) * _field(shape, int(rng.integers(3, 7)), rng, bank)
    )
    if rng.random() < 0.4:
        rows, columns = np.indices(shape, dtype=np.float32) / np.float32(max(shape))
        angle = rng.uniform(0, 2 * np.pi)
        along = (rows - 0.5) * np.float32(np.sin(angle)) + (columns - 0.5) * np.float32(np.cos(angle))
        image = image + np.float32(rng.uniform(30, 200)) * (1 if rng.random() < 0.7 else -1) * (
            along + np.float32(rng.uniform(-0.2, 0.2))
        )
    return image


def _cut(bank: Bank, shape: tuple[int, ...], rng: np.random.Generator) -> FloatMap:
    y, x = rng.integers(bank.shape[0] - max(shape), size=2)
    return bank[y : y + shape[0], x : x + shape[1]]


def _field(shape: tuple[int, ...], cells: int, rng: np.random.Generator, bank: Bank) -> FloatMap:
    """Smooth noise of ``cells`` a side."""
    small = _cut(bank, (cells + 2, cells + 2), rng)
    return np.asarray(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
