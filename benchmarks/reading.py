"""What the extractor finds, judged alone: against the truth of drawn prints and against an examiner's minutiae.

    python benchmarks/reading.py truth --fingers 100 --jobs 2       # F1, orientation, reliability, of every preset
    python benchmarks/reading.py examiner --data ../shared/data     # latents with an examiner's minutiae
    python benchmarks/reading.py pictures --data ../shared/data --out out/reading

Drawn fingers are of the use "test": nothing was trained on them.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import NoRidges
from fpipe.core.trace import Recorder
from fpipe.core.types import GrayImage, Minutiae, Template
from fpipe.formats.reading import read_picture
from fpipe.formats.resample import to_500_ppi
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import Preset, load_preset
from fpipe.service.workers import spread
from fpipe.synth.impression import Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import MasterPrint
from fpipe.synth.seeds import finger_seed

PRINTS: dict[str, tuple[Any, str]] = {
    "good": (Impression(difficulty="good"), "plain"),
    "bad": (Impression(difficulty="bad"), "plain"),
    "latents": (Latent(), "latent"),
}
"""Name -> what is drawn, the preset that is made for it."""
BINS = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 101)
SEED = 77


def paired(found: Minutiae, true: Minutiae, near_px: float, near_rad: float) -> NDArray[np.int64]:
    """(K, 2) rows: each of the found, surest first, takes the nearest true one that is free."""
    free = np.ones(len(true), bool)
    pairs = []
    for row in np.argsort(-found.quality.astype(int), kind="stable"):
        far = np.hypot(true.x - found.x[row], true.y - found.y[row])
        turn = np.abs(np.angle(np.exp(1j * (true.direction - found.direction[row]))))
        far = np.where(free & (turn <= near_rad), far, np.inf)
        if len(far) and far.min() <= near_px:
            free[far.argmin()] = False
            pairs.append((row, int(far.argmin())))
    return np.array(pairs, np.int64).reshape(-1, 2)


def both(template: Template) -> Minutiae:
    """Minutiae and weak ones together."""
    a, b = template.minutiae, template.weak
    return Minutiae(
        *(np.concatenate([getattr(a, n), getattr(b, n)]) for n in ("x", "y", "direction", "kind", "quality"))
    )


def read(image: GrayImage, preset: Preset) -> tuple[Minutiae, Minutiae, dict[str, Any]]:
    """Minutiae that take part, all that are kept, intermediates; nothing where there is no print."""
    kept = Recorder()
    try:
        template = extract(image, preset, kept)
    except NoRidges:
        return Minutiae.empty(), Minutiae.empty(), kept
    return template.minutiae, both(template), kept


# -- against the truth -----------------------------------------------------------------------------------------------


def drawn_finger(presets: dict[str, str], name: str, finger: int) -> dict[str, Any]:
    """One print by its preset: counts, errors, and a histogram of confidence and hits."""
    number = finger_seed("test", SEED, finger)
    recipe, kind = PRINTS[name]
    drawn = recipe(MasterPrint()(number), number)
    truth = drawn.truth
    picture = 255 - drawn.picture if drawn.conditions.get("inverted") else drawn.picture
    strong, every, kept = read(picture, load_preset(presets.get(kind, kind)))
    hits = paired(every, truth.minutiae, 8, np.deg2rad(15))
    hit = np.zeros(len(every), bool)
    hit[hits[:, 0]] = True
    error = np.zeros(0)
    mask = np.zeros(truth.mask.shape, bool)
    if "orientation.field" in kept:
        turn = np.abs(kept["orientation.field"] - truth.orientation) % np.pi
        error = np.rad2deg(np.minimum(turn, np.pi - turn))[truth.mask]
        error = np.where(np.isnan(error), 90.0, error)  # not read at all
        mask = kept["segmentation.mask"]
    a, b = every.take(hits[:, 0]), truth.minutiae.take(hits[:, 1])
    return {
        "true": len(truth.minutiae),
        "found": len(strong),
        "hits": len(paired(strong, truth.minutiae, 8, np.deg2rad(15))),
        "kinds": int((a.kind == b.kind).sum()),
        "paired": len(hits),
        "far": np.hypot(a.x - b.x, a.y - b.y),
        "turn": np.abs(np.angle(np.exp(1j * (a.direction - b.direction)))),
        "quality": every.quality,
        "hit": hit,
        "error": np.median(error) if len(error) else np.nan,
        "errors": np.histogram(error, np.arange(0, 90.25, 0.25))[0],
        "both": int((mask & truth.mask).sum()),
        "either": int((mask | truth.mask).sum()),
    }


def truth(fingers: int, jobs: int, presets: dict[str, str]) -> None:
    """F1 within 8 px and 15 degrees, with all that it is made of."""
    for name in PRINTS:
        rows = [row for _, row in spread(partial(drawn_finger, presets, name), range(fingers), jobs, _died)]
        total = {key: sum(row[key] for row in rows) for key in rows[0] if isinstance(rows[0][key], int)}
        many = {key: np.concatenate([row[key] for row in rows]) for key in ("far", "turn", "quality", "hit")}
        precision, recall = total["hits"] / max(1, total["found"]), total["hits"] / total["true"]
        f1 = 2 * total["hits"] / (total["found"] + total["true"])
        errors = np.cumsum(sum(row["errors"] for row in rows))
        median = 0.25 * np.searchsorted(errors, errors[-1] / 2)
        print(f"{name}: F1 {f1:.3f} (precision {precision:.3f}, recall {recall:.3f}; ", end="")
        print(f"{total['found'] / fingers:.0f} a print of {total['true'] / fingers:.0f}); ", end="")
        print(f"type right {total['kinds'] / max(1, total['paired']):.3f}; ", end="")
        print(f"off by {np.median(many['far']):.2f} px, {np.rad2deg(np.median(many['turn'])):.1f} degrees")
        print(f"  orientation off by {median:.2f} degrees (median of all pixels of the true mask), ", end="")
        print(f"{np.nanmedian([row['error'] for row in rows]):.2f} (of the prints' medians); ", end="")
        print(f"mask: {total['both'] / max(1, total['either']):.3f} intersection over union")
        quality, hit = many["quality"], many["hit"]
        best = max(range(5, 96, 5), key=lambda cut: _f1(quality, hit, total["true"], cut))
        print(f"  best cut {best}: F1 {_f1(quality, hit, total['true'], best):.3f}; right of a quality: ", end="")
        for low, high in pairwise(BINS):
            inside = (quality >= low) & (quality < high)
            if inside.any():
                print(f"{low}-{high - 1} {hit[inside].mean():.2f} of {inside.sum()}", end=", ")
        print()


def _f1(quality: NDArray[Any], hit: NDArray[Any], true: int, cut: int) -> float:
    kept = quality >= cut
    return float(2 * (hit & kept).sum() / (kept.sum() + true))


def _died(finger: int) -> dict[str, Any]:
    raise RuntimeError(f"the process that drew finger {finger} died")


# -- against an examiner ---------------------------------------------------------------------------------------------


def examiner(data: Path, presets: dict[str, str]) -> None:
    """Examiner's minutiae found within 12 px and 20 degrees, at the cut where half of what is found is the examiner's.

    Examiners mark what they need, where they looked: so also of what is found within 24 px of the hull of their marks.
    """
    pooled: dict[str, list[tuple[NDArray[Any], NDArray[Any], int]]] = {"whole picture": [], "where they looked": []}
    for path in sorted((data / "latent_real").glob("*_minutiae.txt")):
        picture = path.with_name(path.name.replace("_minutiae.txt", ".png"))
        image = to_500_ppi(read_picture(picture, ppi=500.0), picture.name)
        kind = "latent" if picture.stem.endswith("latent") else "plain"
        strong, every, _ = read(image, load_preset(presets.get(kind, kind)))
        # sources disagree about where a direction points and which way it turns (in cisl clockwise): what agrees best
        ways = [_examiners(path, turn, about) for turn in (1, -1) for about in (0, 180)]
        true = max(ways, key=lambda t: len(paired(every, t, 12, np.deg2rad(20))))
        hits = len(paired(strong, true, 12, np.deg2rad(20)))
        print(f"{picture.name}: {len(true)} of the examiner, {len(strong)} found, {hits} both: ", end="")
        print(f"recall {hits / len(true):.2f}, precision {hits / max(1, len(strong)):.2f}", end="")
        looked = every.take(_near_hull(every, true, 24))
        for where, found in (("whole picture", every), ("where they looked", looked)):
            hit = np.isin(np.arange(len(found)), paired(found, true, 12, np.deg2rad(20))[:, 0])
            one = (found.quality, hit, len(true))
            print(f"; {where}, at 50 % precision: recall {_recall_at_half([one]):.2f}", end="")
            if kind == "latent":
                pooled[where].append(one)
        print()
    for where, prints in pooled.items():
        print(f"latents together, {where}, at 50 % precision: recall {_recall_at_half(prints):.3f}")


def _near_hull(found: Minutiae, marks: Minutiae, margin_px: float) -> NDArray[np.bool_]:
    hull = cv2.convexHull(np.column_stack([marks.x, marks.y]))
    points = zip(found.x.tolist(), found.y.tolist(), strict=True)
    return np.array([cv2.pointPolygonTest(hull, point, True) >= -margin_px for point in points], bool)


def _examiners(path: Path, turn: int, about: float) -> Minutiae:
    x, y, degrees = np.loadtxt(path, ndmin=2).T
    direction = np.deg2rad((turn * degrees + about) % 360)
    none = np.zeros(len(x), np.uint8)
    return Minutiae(x.astype(np.float32), y.astype(np.float32), direction.astype(np.float32), none, none)


def _recall_at_half(prints: list[tuple[NDArray[Any], NDArray[Any], int]]) -> float:
    """The greatest recall of any cut at which at least half is right."""
    quality, hit = (np.concatenate([p[i] for p in prints]) for i in (0, 1))
    true = sum(p[2] for p in prints)
    shares = [
        (hit & (quality >= cut)).sum()
        for cut in range(1, 101)
        if 2 * (hit & (quality >= cut)).sum() >= (quality >= cut).sum()
    ]
    return float(max(shares, default=0) / true)


# -- pictures --------------------------------------------------------------------------------------------------------


def pictures(data: Path, out: Path, names: list[str]) -> None:
    """Input, mask, orientation, ridges, minutiae: the network's over the classical ones, a picture a print."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = data / name
        image = to_500_ppi(read_picture(path, ppi=500.0), path.name)
        rows = []
        for preset in ("latent" if "latent" in name else "plain", "fast"):
            strong, _, kept = read(image, load_preset(preset))
            rows.append(np.hstack(_views(image, strong, kept)))
        cv2.imwrite(str(out / (name.replace("/", "_").rsplit(".", 1)[0] + ".png")), np.vstack(rows))


def _views(image: GrayImage, minutiae: Minutiae, kept: dict[str, Any]) -> list[NDArray[np.uint8]]:
    blank = np.full((*image.shape, 3), 255, np.uint8)
    gray = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    mask = kept.get("clarity.mask", kept.get("segmentation.mask", np.zeros(image.shape, bool)))
    ridges = kept.get("enhanced.image", np.zeros(image.shape, np.float32))
    shown = np.where(mask, np.clip(127.5 - 127.5 * ridges, 0, 255), 255).astype(np.uint8)
    masked, flow = gray.copy(), blank.copy()
    masked[~mask] = (masked[~mask] // 2 + np.array([60, 0, 60])).astype(np.uint8)
    field = kept.get("orientation.field", np.full(image.shape, np.nan))
    for y in range(6, image.shape[0], 12):
        for x in range(6, image.shape[1], 12):
            if mask[y, x] and np.isfinite(field[y, x]):
                step = 5 * np.array([np.cos(field[y, x]), -np.sin(field[y, x])])
                a, b = (tuple(np.rint(np.array([x, y]) + s * step).astype(int).tolist()) for s in (-1, 1))
                cv2.line(flow, a, b, (0, 0, 0), 1, cv2.LINE_AA)
    return [gray, masked, flow, cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR), _marked(gray, minutiae)]


def _marked(gray: NDArray[np.uint8], m: Minutiae) -> NDArray[np.uint8]:
    out = gray.copy()
    for x, y, direction, kind in zip(m.x, m.y, m.direction, m.kind, strict=True):
        colour = (0, 0, 255) if kind == 1 else (255, 80, 0)
        end = (round(float(x + 12 * np.cos(direction))), round(float(y - 12 * np.sin(direction))))
        cv2.circle(out, (round(float(x)), round(float(y))), 4, colour, 1, cv2.LINE_AA)
        cv2.line(out, (round(float(x)), round(float(y))), end, colour, 1, cv2.LINE_AA)
    return out


SHOWN = (
    "crossmatch/012_3_2.tif", "fvc2000_db1/101_1.png", "fvc2002_db1/102_3.png", "fvc2002_db3/105_1.tif",
    "fvc2002_db3/108_2.tif", "fvc2002_db3/110_4.tif", "fvc2004_db1/110_1.png", "fvc2004_db1/103_7.png",
    "fvc2004_db2/106_3.png", "fvc2004_db2/107_5.png", "latent_real/cisl_latent.png",
    "latent_real/sd27_an2_latent.png", "latent_real/sd27_good_latent.png",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["truth", "examiner", "pictures"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("out/reading"))
    parser.add_argument("--fingers", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--preset", help="for every print, instead of plain or latent as it is")
    parser.add_argument("--prints", nargs="*", help="pictures of these, instead of those that are always shown")
    args = parser.parse_args()
    presets = dict.fromkeys(("plain", "latent"), args.preset) if args.preset else {}
    if args.what == "truth":
        truth(args.fingers, args.jobs, presets)
    elif args.what == "examiner":
        examiner(args.data, presets)
    else:
        pictures(args.data, args.out, args.prints or list(SHOWN))


if __name__ == "__main__":
    sys.exit(main())
