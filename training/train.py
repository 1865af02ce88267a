"""Train the reader on crops drawn by crops.py, until a budget of time, or of steps, is over.

    python training/train.py CROPS OUT --minutes 90 [--steps N] [--resume STATE] [--device cuda]

OUT/state.pt (weights and step) is written every four minutes and at the end, every other one kept as OUT/at-STEP.pt;
OUT/log.jsonl holds the losses.
The rate falls from --rate to --last of it over the budget: where it falls to nothing, drawn prints are read better and
real ones worse (docs/reading.md).  Convolutions run in bfloat16, or with --float32 (a processor without bfloat16 is
faster so).
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from batches import Hardness, batches, stored_crops
from network import Reader, split
from torch import Tensor
from torch.nn import functional

from fpipe.enhance.learned import STRIDE

BATCH = 8
WARM_UP = 300
"""Steps in which the rate rises."""
SAVE_S, LOG_S = 240.0, 30.0
KEEP = 0.999
"""Of the weights' running mean, a step: it reads better than the last weights."""


def losses(out: Tensor, target: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """Each one weighted, and how wrong each crop's minutiae are (B,).

    Orientation, ridges and period count only inside the mask, what a minutia is only at one.
    """
    found = split(out.float())
    mask = target["mask"].float()
    inside = mask.sum() + 1
    heat, weight, kind = (target["points"][:, i : i + 1] for i in range(3))
    total = weight.sum() + 1
    p = found["minutia"].sigmoid()
    peak = (heat == 1).float()
    hit, miss = functional.logsigmoid(found["minutia"]), functional.logsigmoid(-found["minutia"])
    focal = -(peak * (1 - p) ** 2 * hit + (1 - peak) * (1 - heat) ** 4 * p**2 * miss).sum((1, 2, 3))
    peaks = peak.sum((1, 2, 3))
    turn = 1 - (functional.normalize(found["orientation"], dim=1) * target["orientation"]).sum(1, keepdim=True)
    length = (found["orientation"].norm(dim=1, keepdim=True) - 1) ** 2
    ridges = functional.binary_cross_entropy_with_logits(
        found["ridges"], functional.pixel_unshuffle(target["ridges"].float(), STRIDE), reduction="none"
    )
    direction, offset = target["points"][:, 3:5], target["points"][:, 5:7]
    aim = 1 - (functional.normalize(found["direction"], dim=1) * direction).sum(1, keepdim=True)
    parts = {
        "minutia": focal.sum() / (peaks.sum() + 1),
        "kind": 0.2
        * (functional.binary_cross_entropy_with_logits(found["kind"], kind, reduction="none") * weight).sum()
        / total,
        "direction": 0.7 * (aim * weight).sum() / total,
        "offset": 0.3 * ((found["offset"] - offset).abs() * weight).sum() / total,
        "mask": 0.5 * functional.binary_cross_entropy_with_logits(found["mask"], mask),
        "orientation": ((turn + 0.02 * length) * mask).sum() / inside,
        "period": 0.05 * ((found["period"] - target["period"].float() / 8).abs() * mask).sum() / inside,
        "ridges": (ridges * mask).sum() / (STRIDE**2 * inside),
    }
    return parts, focal.detach() / (peaks + 1)


def train(folder: Path, out: Path, options: argparse.Namespace) -> None:
    """Until the time, or the number of steps, is over."""
    seed, device = options.seed, options.device
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    reader: Any = Reader().to(device).to(memory_format=torch.channels_last)
    mean = torch.optim.swa_utils.AveragedModel(
        reader, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(KEEP), use_buffers=True
    )
    optimiser = torch.optim.AdamW(reader.parameters(), lr=options.rate, weight_decay=1e-3)
    stored = stored_crops(folder)
    hardness = Hardness(len(stored["picture"]))
    first = 0
    if options.resume is not None:
        state = torch.load(options.resume, map_location=device, weights_only=True)
        reader.load_state_dict(state.get("reader", state["mean"]))
        mean.module.load_state_dict(state["mean"])
        first = state["step"]
        if len(state.get("hardness", ())) == len(hardness.last):
            hardness.last = state["hardness"].float().numpy()
    step, saves = first, 0
    sums: dict[str, float] = {}
    start = saved = told = time.monotonic()
    for rows, batch in batches(stored, hardness, BATCH, seed, first):
        passed = (step - first) / options.steps if options.steps else (time.monotonic() - start) / 60 / options.minutes
        if passed >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step - first, passed, options.rate, options.last)
        target = {name: values.to(device) for name, values in batch.items()}
        with torch.autocast(device, dtype=torch.bfloat16, enabled=not options.float32):
            result = reader(target["input"].to(memory_format=torch.channels_last))
        parts, wrong = losses(result, target)
        hardness.last[rows] = wrong.cpu().numpy()
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
        optimiser.step()
        mean.update_parameters(reader)
        step += 1
        for name, value in {**{k: float(v.detach()) for k, v in parts.items()}, "count": 1.0}.items():
            sums[name] = sums.get(name, 0.0) + value
        now = time.monotonic()
        if now - told > LOG_S:
            count = sums.pop("count")
            line = {
                "step": step,
                "minutes": round((now - start) / 60, 2),
                "ms_a_step": round(1e3 * (now - told) / count),
            }
            line |= {name: round(value / count, 4) for name, value in sums.items()}
            with (out / "log.jsonl").open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(line) + "\n")
            sums, told = {}, now
        if now - saved > SAVE_S:
            _save(out, reader, mean, step, seed, hardness)
            saves, saved = saves + 1, now
            if saves % 2 == 0:
                shutil.copyfile(out / "state.pt", out / f"at-{step}.pt")
    _save(out, reader, mean, step, seed, hardness)


def rate_at(step: int, passed: float, rate: float, last: float) -> float:
    """The learning rate: rising over the first steps, then from ``rate`` to ``last`` of it as ``passed`` goes to 1."""
    return rate * min(1, (step + 1) / WARM_UP) * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * passed)))


def _save(out: Path, reader: Any, mean: Any, step: int, seed: int, hardness: Hardness) -> None:
    state = {"reader": reader.state_dict(), "mean": mean.module.state_dict(), "step": step, "seed": seed}
    state["hardness"] = torch.from_numpy(hardness.last).half()
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--steps", type=int, default=0, help="so many instead: as much on any machine")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--last", type=float, default=1.0, help="of the rate, at the end")
    args = parser.parse_args()
    train(args.crops, args.out, args)
