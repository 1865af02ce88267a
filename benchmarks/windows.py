"""Pieces of real prints against whole ones: as hard as marks, and fine enough to tell two readers apart.

    python benchmarks/windows.py --out out/windows --jobs 2

Whole prints of the shared sets are nearly always matched: 1 pair in 280 is a third of a percent.  A window of 176 px
(9 mm) of each print, against every whole print of its set but its own, is missed often enough to count.  Where the
windows lie follows from the pictures alone, so two revisions are compared on the same ones.  Scored by the shared
scorer.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from accuracy import SETS, run

from fpipe.core.types import GrayImage
from fpipe.formats.reading import read_picture
from fpipe.formats.resample import to_500_ppi


def window(image: GrayImage, side: int, seed: int) -> GrayImage:
    """A square half way between the middle of the print and a place of it drawn by chance."""
    level = image.astype(np.float32)
    spread = cv2.blur(level**2, (33, 33)) - cv2.blur(level, (33, 33)) ** 2
    rows, columns = np.nonzero(spread > 0.3 * np.quantile(spread, 0.95))
    place = np.random.default_rng(seed).integers(len(rows))
    top = int((rows[place] + rows.mean() - side) / 2)
    left = int((columns[place] + columns.mean() - side) / 2)
    top, left = (max(0, min(v, size - side)) for v, size in zip((top, left), image.shape, strict=True))
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def lay_out(data: Path, out: Path, side: int) -> dict[str, Path]:
    """Whole prints, their windows and labels under ``out``; returns the pairs of each set."""
    with (data / "labels.csv").open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["set"] in SETS]
    labels: list[tuple[str, ...]] = [("print", "finger", "kind", "ppi")]
    pairs = {}
    for name in SETS:
        these = [row for row in rows if row["set"] == name]
        (out / "windows" / name).mkdir(parents=True, exist_ok=True)
        (out / name).mkdir(exist_ok=True)
        files = [(str(Path(row["print"]).with_suffix(".png")), row["finger"]) for row in these]
        for seed, (row, (file, finger)) in enumerate(zip(these, files, strict=True)):
            path = data / row["print"]
            image = to_500_ppi(read_picture(path, ppi=500.0), path.name)
            cv2.imwrite(str(out / file), image)
            cv2.imwrite(str(out / "windows" / file), window(image, side, seed))
            labels += [(file, finger, "plain", "500"), (f"windows/{file}", finger, "plain", "500")]
        listed = [(f"windows/{a}", b) for a, _ in files for b, _ in files if a != b]
        pairs[name] = _table(out / f"{name}.csv", [("probe", "gallery"), *listed])
    _table(out / "labels.csv", labels)
    return pairs


def _table(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=176, help="px")
    parser.add_argument("--jobs", default="2")
    args = parser.parse_args()
    prints = args.out / "prints"
    fpipe = Path(sys.executable).with_name("fpipe")
    rates = []
    for name, pairs in lay_out(args.shared / "data", prints, args.side).items():
        out = args.out / name
        options = ("--data", prints, "--pairs", pairs, "--out", out, "--cache", args.out / "cache", "--jobs", args.jobs)
        run(fpipe, "evaluate", "verify", *options)
        scored = ("verify", out / "scores.csv", prints / "labels.csv", "--json")
        found = json.loads(run(sys.executable, args.shared / "bench" / "score.py", *scored))
        rates.append([found[key] for key in ("eer", "fnmr_at_fmr_1", "fnmr_at_fmr_0.1")])
        _say(name, rates[-1])
    _say("mean", np.mean(rates, axis=0))


def _say(name: str, rates: Iterable[float]) -> None:
    print("{}: EER {:.2f}, FNMR at FMR 1 % {:.2f}, 0.1 % {:.2f}".format(name, *rates), flush=True)


if __name__ == "__main__":
    main()
