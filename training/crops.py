"""Crops drawn ahead of training, with the truth that the network is to give back.

    python training/crops.py OUT --crops 20000 --masters 800 --seed 0 --jobs 2

Every crop is a pure function of the seed and its number.  Fingers are of the use "train".
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.enhance.learned import STRIDE
from fpipe.service.workers import spread
from fpipe.synth.crops import Crop
from fpipe.synth.master import Master, MasterPrint
from fpipe.synth.seeds import finger_seed

NAMES = ("picture", "ridges", "mask", "orientation", "period", "minutiae")
MOST = 96
"""Minutiae of a crop at most; none has more."""


def drawn(master: Master, seed: int) -> dict[str, NDArray[Any]]:
    """One crop: picture (256, 256) uint8; ridges (256, 32) packed bits; mask, orientation (1..180, 0 none) and period
    (eighths of a pixel) on the grid of stride 4, uint8; minutiae (MOST, 4) float32: x, y, direction, kind (0 none)."""
    crop = Crop()(master, seed)
    picture, truth = crop.picture, crop.truth
    if crop.conditions.get("inverted"):  # ridges are dark wherever an examiner hands a latent in
        picture = 255 - picture
    middle = (slice(STRIDE // 2, None, STRIDE), slice(STRIDE // 2, None, STRIDE))
    mask = truth.mask[middle]
    degrees = np.nan_to_num(np.rad2deg(truth.orientation[middle]))
    m = truth.minutiae
    rows = np.zeros((MOST, 4), np.float32)
    rows[: len(m)] = np.column_stack([m.x, m.y, m.direction, m.kind])[:MOST]
    return {
        "picture": picture,
        "ridges": np.packbits(truth.ridges, axis=1),
        "mask": mask.astype(np.uint8),
        "orientation": np.where(mask, 1 + np.floor(degrees) % 180, 0).astype(np.uint8),
        "period": np.where(mask, np.nan_to_num(truth.period[middle]) * 8, 0).clip(0, 255).astype(np.uint8),
        "minutiae": rows,
    }


def shard(seed: int, each: int, finger: int) -> dict[str, NDArray[Any]]:
    """``each`` crops of one finger."""
    number = finger_seed("train", seed, finger)
    master = MasterPrint()(number)
    crops = [drawn(master, number * 1024 + i) for i in range(each)]
    return {name: np.stack([c[name] for c in crops]) for name in crops[0]}


def draw(out: Path, crops: int, masters: int, seed: int, jobs: int) -> None:
    """Fill ``out`` with one array a name, (crops, ...)."""
    out.mkdir(parents=True, exist_ok=True)
    each = crops // masters
    start = time.perf_counter()
    arrays: dict[str, NDArray[Any]] = {}
    for finger, found in spread(partial(shard, seed, each), range(masters), jobs, _died):
        for name, values in found.items():
            if name not in arrays:
                shape = (each * masters, *values.shape[1:])
                arrays[name] = np.lib.format.open_memmap(out / f"{name}.npy", "w+", values.dtype, shape)
            arrays[name][finger * each : (finger + 1) * each] = values
        if finger % 50 == 49:
            done = (finger + 1) * each
            print(f"{done} crops, {done / (time.perf_counter() - start):.0f}/s", flush=True)
    for values in arrays.values():
        values.flush()  # type: ignore[attr-defined]


def _died(finger: int) -> dict[str, NDArray[Any]]:
    raise RuntimeError(f"the process that drew finger {finger} died")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--crops", type=int, default=20000)
    parser.add_argument("--masters", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    draw(options.out, options.crops, options.masters, options.seed, options.jobs)
