"""Trained weights -> an ONNX file for fpipe and its sha256.

    python training/export.py STATE... fpipe/enhance/weights/reader.onnx --crops CROPS

Of several states the mean of their weights: steps at a high rate wander around a place that none of them is at.
With --crops the convolutions but the first and the last work in 8 bits, their ranges taken from these crops: twice as
fast and more, and what is read does not suffer.  Weights have 7 bits, lest sums overflow in processors without VNNI.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from batches import Hardness, batches, stored_crops
from network import Reader
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader
from onnxruntime.quantization.shape_inference import quant_pre_process

LOOKED_AT = 16
"""Batches of 8 crops that the ranges are taken from."""


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


class Looks(CalibrationDataReader):  # type: ignore[misc]
    """Crops as the network saw them in training, one at a time."""

    def __init__(self, crops: Path) -> None:
        self._inputs = self._drawn(crops)

    def _drawn(self, crops: Path) -> Iterator[NDArray[Any]]:
        stored = stored_crops(crops)
        run = batches(stored, Hardness(len(stored["picture"])), 8, 0, 0)
        for _ in range(LOOKED_AT):
            yield from next(run)[1]["input"].numpy()

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next input, or None after the last."""
        found = next(self._inputs, None)
        return None if found is None else {"picture": found[None]}


def quantise(out: Path, crops: Path) -> str:
    """Put the network in ``out`` into 8 bits; returns the new file's sha256."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(out, prepared, skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            prepared,
            out,
            Looks(crops),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[convolutions[0], convolutions[-1]],
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
    parser.add_argument("--crops", type=Path, help="a folder of crops.py: work in 8 bits")
    parser.add_argument("--small", type=Path, help="write the state to go on from here")
    options = parser.parse_args()
    found = mean_of(options.states)
    sha256 = export(found, options.out)
    print(quantise(options.out, options.crops) if options.crops else sha256)
    if options.small:
        small(found, options.small)
