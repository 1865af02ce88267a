"""Trained weights -> an ONNX file for fpipe and its sha256.

python training/export.py STATE fpipe/enhance/weights/reader.onnx
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch
from network import Reader


def export(state: Path, out: Path) -> str:
    """Write the running mean of the weights; returns the file's sha256."""
    reader = Reader()
    reader.load_state_dict(torch.load(state, map_location="cpu", weights_only=True)["mean"])
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


def small(state: Path, out: Path) -> None:
    """The running mean of the weights alone, in half precision."""
    held = torch.load(state, map_location="cpu", weights_only=True)
    halved = {name: v.half() if v.is_floating_point() else v for name, v in held["mean"].items()}
    torch.save({"mean": halved, "step": held["step"], "seed": held["seed"]}, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", type=Path)
    options = parser.parse_args()
    print(export(options.state, options.out))
    if options.small:
        small(options.state, options.small)
