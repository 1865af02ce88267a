"""Train the reader on crops drawn by training/crops.py.

    python training/train.py CROPS OUT --minutes 60 [--resume OUT/state.pt] [--device cuda]

The budget of time sets the schedule.  OUT/state.pt (weights, optimiser, step) is written every few minutes and at the
end; OUT/log.jsonl holds the losses.  On a processor with bf16 the convolutions run in it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from network import STRIDE, Reader, split
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

BATCH = 8
NAMES = ("picture", "ridges", "mask", "orientation", "period", "minutiae")


# -- batches ---------------------------------------------------------------------------------------------------------


def normalised(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) uint8 -> (2, H, W) float32: deviation from the local mean in local deviations (box of 33 px), and gray."""
    image = picture.astype(np.float32)
    mean = cv2.blur(image, (33, 33), borderType=cv2.BORDER_REFLECT_101)
    power = cv2.blur(image * image, (33, 33), borderType=cv2.BORDER_REFLECT_101)
    deviation = np.sqrt(np.maximum(power - mean * mean, 0)) + 4
    return np.stack([np.clip((image - mean) / deviation, -3, 3), image / 128 - 1])


def batches(folder: Path, rng: np.random.Generator) -> Iterator[dict[str, Tensor]]:
    """Random crops for ever, each under one of the eight symmetries and a cheap change of tone."""
    stored = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
    count = len(stored["picture"])
    order = rng.permutation(count)
    place = 0
    while True:
        if place + BATCH > count:
            order, place = rng.permutation(count), 0
        rows = order[place : place + BATCH]
        place += BATCH
        crops = [_turned({name: np.asarray(stored[name][i]) for name in NAMES}, rng) for i in rows]
        yield {name: torch.from_numpy(np.stack([c[name] for c in crops])) for name in crops[0]}


def _turned(crop: dict[str, NDArray[Any]], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """One crop as the network and its losses take it."""
    picture, mask, period = crop["picture"], crop["mask"], crop["period"]
    ridges = np.unpackbits(crop["ridges"], axis=1)
    theta = np.deg2rad((crop["orientation"].astype(np.float32) - 0.5))
    minutiae = crop["minutiae"][crop["minutiae"][:, 3] > 0].copy()
    size = picture.shape[0]
    quarter, flip = int(rng.integers(4)), bool(rng.integers(2))
    if flip:
        picture, ridges, mask, period, theta = (a[:, ::-1] for a in (picture, ridges, mask, period, theta))
        theta = np.pi - theta
        minutiae[:, 0], minutiae[:, 2] = size - 1 - minutiae[:, 0], np.pi - minutiae[:, 2]
    if quarter:
        picture, ridges, mask, period, theta = (
            np.rot90(a, quarter) for a in (picture, ridges, mask, period, theta)
        )
        theta = theta + quarter * np.pi / 2
        for _ in range(quarter):
            minutiae[:, :2] = np.column_stack([minutiae[:, 1], size - 1 - minutiae[:, 0]])
        minutiae[:, 2] += quarter * np.pi / 2
    picture = _toned(np.ascontiguousarray(picture), rng)
    heat, known, direction, offset = _minutia_maps(minutiae, size // STRIDE)
    return {
        "input": normalised(picture),
        "ridges": np.ascontiguousarray(ridges, np.float32)[None],
        "mask": np.ascontiguousarray(mask, np.float32)[None],
        "period": np.ascontiguousarray(period, np.float32)[None] / 8,
        "orientation": np.stack([np.cos(2 * theta), np.sin(2 * theta)]).astype(np.float32),
        "heat": heat,
        "known": known,
        "direction": direction,
        "offset": offset,
    }


def _toned(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gamma, contrast, noise: a stored crop looks another way every time."""
    image = (picture.astype(np.float32) / 255) ** np.float32(np.exp(rng.normal(0, 0.25)))
    image = (image - 0.5) * np.float32(np.exp(rng.normal(0, 0.15))) + 0.5 + np.float32(rng.normal(0, 0.05))
    if rng.random() < 0.5:
        image += np.float32(rng.uniform(0, 0.03)) * rng.standard_normal(image.shape, np.float32)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def _minutia_maps(minutiae: NDArray[np.float32], cells: int) -> tuple[NDArray[np.float32], ...]:
    """Targets on the grid: heat (2), where minutiae lie (1), direction (2), offset in cells (2)."""
    heat = np.zeros((2, cells, cells), np.float32)
    known = np.zeros((1, cells, cells), np.float32)
    direction, offset = np.zeros((2, cells, cells), np.float32), np.zeros((2, cells, cells), np.float32)
    rows, columns = np.indices((5, 5)) - 2
    for x, y, angle, kind in minutiae:
        u, v = (x + 0.5) / STRIDE - 0.5, (y + 0.5) / STRIDE - 0.5
        column, row = round(float(u)), round(float(v))
        if not (0 <= column < cells and 0 <= row < cells):
            continue
        for dy, dx in zip(rows.ravel(), columns.ravel(), strict=True):
            r, c = row + dy, column + dx
            if 0 <= r < cells and 0 <= c < cells:
                value = math.exp(-((r - v) ** 2 + (c - u) ** 2) / (2 * 0.8**2))
                heat[int(kind) - 1, r, c] = max(heat[int(kind) - 1, r, c], value)
        heat[int(kind) - 1, row, column] = 1
        known[0, row, column] = 1
        direction[:, row, column] = math.cos(angle), math.sin(angle)
        offset[:, row, column] = u - column, v - row
    return heat, known, direction, offset


# -- losses ----------------------------------------------------------------------------------------------------------


def losses(out: Tensor, target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each already weighted."""
    found = split(out.float())
    mask = target["mask"]
    inside = mask.sum() + 1
    heat = functional.logsigmoid(found["heat"]), functional.logsigmoid(-found["heat"])
    p = found["heat"].sigmoid()
    peak = (target["heat"] == 1).float()
    # a kind that is wrong at the right place costs a tenth: the eye too can't always tell
    other = target["heat"].flip(1)
    negative = (1 - torch.maximum(target["heat"], 0.9 * other)) ** 4
    focal = -(peak * (1 - p) ** 2 * heat[0] + (1 - peak) * negative * p**2 * heat[1]).sum() / (peak.sum() + 1)
    unit = functional.normalize(found["orientation"], dim=1)
    turn = (1 - (unit * target["orientation"]).sum(1, keepdim=True)) * mask
    length = (found["orientation"].norm(dim=1, keepdim=True) - 1) ** 2 * mask
    ridges = functional.pixel_shuffle(found["ridges"], STRIDE)
    wide = functional.interpolate(mask, scale_factor=float(STRIDE), mode="nearest")
    drawn = functional.binary_cross_entropy_with_logits(ridges, target["ridges"], reduction="none") * wide
    known = target["known"]
    count = known.sum() + 1
    pointed = functional.normalize(found["direction"], dim=1)
    aimed = (1 - (pointed * target["direction"]).sum(1, keepdim=True)) * known
    return {
        "heat": focal,
        "orientation": turn.sum() / inside + 0.02 * length.sum() / inside,
        "ridges": drawn.sum() / (wide.sum() + 1),
        "mask": 0.5 * functional.binary_cross_entropy_with_logits(found["mask"], mask),
        "period": 0.05 * ((found["period"] + 9 - target["period"]).abs() * mask).sum() / inside,
        "direction": 0.7 * aimed.sum() / count,
        "offset": 0.3 * ((found["offset"] - target["offset"]).abs() * known).sum() / count,
    }


# -- the loop --------------------------------------------------------------------------------------------------------


def train(folder: Path, out: Path, minutes: float, device: str, resume: Path | None, seed: int) -> None:
    """Until the time is over."""
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    reader: Any = Reader().to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=1e-4)
    step = 0
    if resume is not None:
        state = torch.load(resume, map_location=device, weights_only=True)
        reader.load_state_dict(state["reader"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    averaged = torch.optim.swa_utils.AveragedModel(reader, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True)
    rng = np.random.default_rng([seed, step])
    start = saved = told = time.monotonic()
    sums: dict[str, float] = {}
    first = step
    for batch in batches(folder, rng):
        passed = (time.monotonic() - start) / (60 * minutes)
        if passed >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step - first + 1) / 300) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * passed)))
        target = {name: values.to(device) for name, values in batch.items()}
        image = target["input"].to(memory_format=torch.channels_last)
        with torch.autocast(device, dtype=torch.bfloat16):
            result = reader(image)
        parts = losses(result, target)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
        optimiser.step()
        averaged.update_parameters(reader)
        step += 1
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if time.monotonic() - told > 30:
            rate = (time.monotonic() - start) / max(1, step - first)
            mean = {name: round(value / sums["count"], 4) for name, value in sums.items() if name != "count"} if "count" in sums else {}
            with (out / "log.jsonl").open("a") as handle:
                handle.write(json.dumps({"step": step, "seconds_a_step": round(rate, 3), **mean}) + "\n")
            sums, told = {}, time.monotonic()
        sums["count"] = sums.get("count", 0.0) + 1
        if time.monotonic() - saved > 240:
            _save(out, reader, averaged, optimiser, step)
            saved = time.monotonic()
    _save(out, reader, averaged, optimiser, step)


def _save(out: Path, reader: Any, averaged: Any, optimiser: Any, step: int) -> None:
    state = {"reader": reader.state_dict(), "averaged": averaged.module.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.crops, options.out, options.minutes, options.device, options.resume, options.seed)
