"""Trained weights -> an ONNX file for fpipe and its sha256.

python training/export.py STATE... fpipe/enhance/weights/reader.onnx

Of several states the mean of their weights: steps at a high rate wander around a place that none of them is at.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import torch
from network import Reader


def mean_of(paths: list[Path]) -> dict[str, Any]:
    """One state: the mean of the states' running means, step and seed of the last."""
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    last = states[-1]
    mean = {
        name: sum(state["mean"][name].float() for state in states) / len(states) if v.is_floating_point() else v
        for name, v in last["mean"].items()
    }
    return {"mean": mean, "step": last["step"], "seed": last["seed"]}


def export(state: dict[str, Any], out: Path) -> str:
    """Write the weights of a state; returns the file's sha256."""
    reader = Reader()
    reader.load_state_dict(state["mean"])
    reader.eval()
    picture = torch.zeros(1, 2, 256, 256)
    free = {0: "batch", 2: "height", 3: "width"}
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        reader,
        (picture,),
        out,
        dynamo=False,
        input_names=["picture"],
        output_names=["seen"],
        dynamic_axes={"picture": free, "seen": free},
    )
    return hashlib.sha256(out.read_bytes()).hexdigest()


def small(state: dict[str, Any], out: Path) -> None:
    """The same weights in half precision, to go on from."""
    halved = {name: v.half() if v.is_floating_point() else v for name, v in state["mean"].items()}
    torch.save({**state, "mean": halved}, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("states", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", type=Path, help="write the state to go on from here")
    options = parser.parse_args()
    found = mean_of(options.states)
    print(export(found, options.out))
    if options.small:
        small(found, options.small)
