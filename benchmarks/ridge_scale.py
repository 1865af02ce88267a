"""How far the resolution that is estimated from the ridges is off: on labelled prints whose resolution is known.

    python benchmarks/ridge_scale.py --data FOLDER [--fingers 8]

FOLDER has labels.csv (print, finger, set, ppi).  Of every set so many fingers, one print each, as they are, enlarged
twice and reduced to 0.6.  Prints mean and standard deviation of ln(estimate / truth).
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

import cv2
import numpy as np

from fpipe.core.errors import UnknownResolution
from fpipe.formats import read_picture
from fpipe.pipeline.ridge_scale import estimate_ppi

SCALES = (1.0, 2.0, 0.6)


def off(path: Path, ppi: float, scale: float) -> float:
    """ln(estimate / truth) of one print; NaN where none is made."""
    pixels = read_picture(path, ppi=ppi).pixels
    if scale != 1.0:
        scaled = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        pixels = np.asarray(scaled, np.uint8)
    try:
        return float(np.log(estimate_ppi(pixels, path.name).ppi / (ppi * scale)))
    except UnknownResolution:
        return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimated resolutions against known ones.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fingers", type=int, default=8, help="of every set")
    options = parser.parse_args()
    with (options.data / "labels.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    random.seed(3)
    everything: list[float] = []
    print("| set | scale | prints | estimated | mean | standard deviation |\n|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["set"] for row in rows):
        first = {row["finger"]: row for row in reversed(rows) if row["set"] == name}
        fingers = random.sample(sorted(first), min(options.fingers, len(first)))
        for scale in SCALES:
            found = [off(options.data / first[f]["print"], float(first[f]["ppi"]), scale) for f in fingers]
            made = np.array([value for value in found if np.isfinite(value)])
            everything += found
            print(
                f"| {name} | {scale} | {len(found)} | {len(made)} | {made.mean():.3f} | {made.std():.3f} |", flush=True
            )
    made = np.array([value for value in everything if np.isfinite(value)])
    print(f"\n{len(made)} of {len(everything)}: mean {made.mean():.3f}, standard deviation {made.std():.3f}")


if __name__ == "__main__":
    main()
