"""Synthetic prints: how fast, how true, how like real ones, how different from each other.

python benchmarks/synth_prints.py speed                    # masters, impressions, latents, crops a second, one thread
python benchmarks/synth_prints.py memory --fingers 10000   # what a process holds after so many fingers
python benchmarks/synth_prints.py truth --fingers 100      # the truth against independent readings of the clean ridges
python benchmarks/synth_prints.py likeness --data DATA --jobs 2    # beside the real sets in DATA
python benchmarks/synth_prints.py identities --fingers 2000 --jobs 2
python benchmarks/synth_prints.py sheet --out sheet.png [--data DATA]   # to look at; real prints stay off the record
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, label
from scipy.optimize import linear_sum_assignment
from skimage.morphology import skeletonize
from synth_templates import distance, quantiles

from fpipe.core.conventions import PPI
from fpipe.core.errors import InputRefused
from fpipe.core.trace import Recorder
from fpipe.core.types import GrayImage, Template
from fpipe.evaluate.metrics import verification
from fpipe.evaluate.templates import read_labels
from fpipe.formats import read_picture, to_500_ppi
from fpipe.pipeline.compare import comparer
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import load_preset
from fpipe.service.workers import spread
from fpipe.synth.crops import Crop
from fpipe.synth.impression import Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import Master, MasterPrint
from fpipe.synth.seeds import finger_seed
from fpipe.synth.touch import Drawn

SETS = ("fvc2000_db1", "fvc2002_db1", "fvc2002_db3", "fvc2004_db1", "fvc2004_db2", "crossmatch", "sd4", "latent_real")
DIFFICULTIES = ("good", "bad", "ugly")
MM_A_PX = 25.4 / PPI


# -- speed and memory ------------------------------------------------------------------------------------------------


def speed(count: int = 24) -> None:
    """Each recipe alone, with its truth, on one thread."""
    cv2.setNumThreads(1)
    recipe = MasterPrint()
    recipe(0)  # loads the kernels
    masters: list[Master] = []
    each = _rate("masters of 416 x 560", count, lambda i: masters.append(recipe(finger_seed("test", 9, i))))
    start = time.perf_counter()
    _plain_iteration(masters[0])
    plain = 45 * (time.perf_counter() - start)
    print(f"  45 rounds of a plain bank of 36 x 10 filters take {plain:.1f} s: {plain * each:.0f} masters")
    kinds: dict[str, Callable[[Master, int], Drawn]] = {
        "impressions": Impression(),
        "rolled": Impression(kind="rolled"),
        "latents": Latent(),
        "crops of 256 x 256": Crop(),
    }
    for name, draw in kinds.items():
        draw(masters[0], 0)
        _rate(name, 10 * count, lambda i, draw=draw: draw(masters[i % count], i))  # type: ignore[misc]


def _rate(name: str, count: int, work: Callable[[int], Any]) -> float:
    start = time.perf_counter()
    for i in range(count):
        work(i)
    rate = count / (time.perf_counter() - start)
    print(f"{name}: {rate:.1f}/s")
    return rate


def _plain_iteration(master: Master) -> NDArray[np.float32]:
    """One round of growth as SFinGe's open followers do it: filter with every kernel of a bank, take each pixel's."""
    out = np.zeros_like(master.ridges)
    angle = np.rint(master.orientation * 36 / np.pi).astype(int) % 36
    spacing = np.clip(np.rint(master.period - 7), 0, 9).astype(int)
    for i, k in itertools.product(range(10), range(36)):
        kernel = cv2.getGaborKernel((23, 23), 0.4 * (7 + i), np.pi / 2 - np.pi * k / 36, 7 + i, 1.0, 0.0)
        filtered = cv2.filter2D(master.ridges, cv2.CV_32F, kernel)
        out = np.where((spacing == i) & (angle == k), filtered, out)
    return out


def memory(fingers: int) -> None:
    """The most the process has held, after a tenth of the fingers and so on; small masters, for the time it takes."""
    recipe, impression, latent = MasterPrint(height=240, width=190), Impression(), Latent()
    for finger in range(1, fingers + 1):
        master = recipe(finger_seed("test", 8, finger))
        impression(master, finger)
        latent(master, finger)
        if finger % max(1, fingers // 10) == 0:
            print(
                f"{finger:6} fingers: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB", flush=True
            )


# -- truth -----------------------------------------------------------------------------------------------------------


def truth(fingers: int) -> None:
    """The truth of impressions and masters against readings that share no code with it."""
    found = {"true": 0, "missed": 0, "extra": 0, "types": 0}
    apart: list[float] = []
    degrees: list[float] = []
    back: list[float] = []
    for finger in range(fingers):
        master = MasterPrint()(finger_seed("test", 7, finger))
        drawn = Impression(difficulty="mixed")(master, finger)
        _check_minutiae(drawn, found, apart)
        degrees.append(_orientation_error(drawn))
        back += _back_to_master(drawn, master)
    hit = found["true"] - found["missed"]
    print(f"{fingers} impressions, {found['true']} minutiae away from the mask's border")
    print(f"recall {hit / found['true']:.2%}, precision {hit / (hit + found['extra']):.2%}, ", end="")
    print(f"same type {found['types'] / hit:.1%}, apart px 50 95 %: {quantiles(apart, (50, 95), 1)}")
    print(f"orientation: mean error {np.mean(degrees):.2f} degrees, of the worst print {np.max(degrees):.2f}")
    print(f"minutiae carried back to the master: 50 100 % {quantiles(back, (50, 100), 3)} px")


BORDER_PX, REACH_PX = 14.0, 8.0
"""Minutiae nearer to the mask's border are not counted; pairs are no further apart."""


def _check_minutiae(drawn: Drawn, found: dict[str, int], apart: list[float]) -> None:
    """Pair the truth with what thinning and crossing numbers read on the clean ridges, one to one."""
    known = drawn.truth
    inner = distance_transform_edt(np.pad(known.mask, 1))[1:-1, 1:-1]
    read = crossing_numbers(known.ridges > 0)
    m = known.minutiae
    told = np.column_stack([m.x, m.y, m.kind]).astype(float)
    depth = [inner[points[:, 1].round().astype(int), points[:, 0].round().astype(int)] for points in (told, read)]
    near = [points[d > BORDER_PX - REACH_PX] for points, d in zip((told, read), depth, strict=True)]
    counted = [d[d > BORDER_PX - REACH_PX] > BORDER_PX for d in depth]
    gaps = np.hypot(near[0][:, None, 0] - near[1][None, :, 0], near[0][:, None, 1] - near[1][None, :, 1])
    rows, columns = linear_sum_assignment(np.where(gaps <= REACH_PX, gaps, 1e3))
    good = gaps[rows, columns] <= REACH_PX
    rows, columns = rows[good], columns[good]
    missed, extra = counted[0].copy(), counted[1].copy()
    missed[rows], extra[columns] = False, False
    found["true"] += int(counted[0].sum())
    found["missed"] += int(missed.sum())
    found["extra"] += int(extra.sum())
    found["types"] += int(np.sum((near[0][rows, 2] == near[1][columns, 2])[counted[0][rows]]))
    apart += gaps[rows, columns].tolist()


def crossing_numbers(ridge: NDArray[np.bool_], spur: int = 7) -> NDArray[np.float64]:
    """Endings (1) and bifurcations (2) of thinned ridges, (N, 3); spurs shorter than ``spur`` pixels are pruned."""
    thinned = _pruned(skeletonize(ridge), spur)
    crossings = _crossings(thinned)
    ends = np.argwhere(thinned & (crossings == 1)).astype(float)
    clusters, count = label(thinned & (crossings >= 3), np.ones((3, 3)))
    forks = np.array([np.argwhere(clusters == i).mean(0) for i in range(1, count + 1)]).reshape(-1, 2)
    if len(ends) and len(forks):  # an end so close to a fork is a corner of the thinned line, neither is one
        gaps = np.hypot(*(ends[:, None] - forks[None]).transpose(2, 0, 1))
        close = gaps <= 3
        ends, forks = ends[~close.any(1)], forks[~close.any(0)]
    kinds = np.repeat([1.0, 2.0], [len(ends), len(forks)])
    return np.column_stack([np.concatenate([ends, forks])[:, ::-1], kinds])


def _crossings(thinned: NDArray[np.bool_]) -> NDArray[np.int_]:
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    padded = np.pad(thinned, 1).astype(int)
    height, width = thinned.shape
    walk = np.stack([padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in ring])
    changes: NDArray[np.int_] = np.abs(np.diff(walk, axis=0)).sum(0) // 2
    return changes


def _pruned(thinned: NDArray[np.bool_], spur: int) -> NDArray[np.bool_]:
    """Cut at the forks, drop the short pieces that end freely on one side, and join again."""
    crossings = _crossings(thinned)
    forks = cv2.dilate((thinned & (crossings >= 3)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    pieces, count = label(thinned & ~forks, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    ends = np.unique(pieces[thinned & (crossings == 1)])
    touching = np.unique(pieces[cv2.dilate(forks.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0])
    short = [i for i in ends if i and sizes[i] <= spur - 2 and i in touching]
    kept = thinned & ~np.isin(pieces, short)
    return skeletonize(kept)


def _orientation_error(drawn: Drawn, sigma: float = 5.0) -> float:
    """Mean degrees between the truth and the structure tensor of the clean ridges, inside the mask."""
    clean = cv2.GaussianBlur(drawn.truth.ridges.astype(np.float32), (0, 0), 1.0)
    gx, gy = cv2.Sobel(clean, cv2.CV_32F, 1, 0), cv2.Sobel(clean, cv2.CV_32F, 0, 1)
    cos, sin = cv2.GaussianBlur(gy * gy - gx * gx, (0, 0), sigma), cv2.GaussianBlur(2 * gx * gy, (0, 0), sigma)
    inner = distance_transform_edt(drawn.truth.mask) > 2 * sigma
    turn = np.arctan2(sin, cos) / 2 - drawn.truth.orientation
    error = np.abs((turn + np.pi / 2) % np.pi - np.pi / 2)[inner]
    return float(np.rad2deg(error.mean()))


def _back_to_master(drawn: Drawn, master: Master) -> list[float]:
    """Minutiae of the picture through the displacement at their pixel: px to the master's own."""
    m, shift = drawn.truth.minutiae, drawn.truth.displacement
    if not len(m):
        return []
    rows, columns = np.rint(m.y).astype(int), np.rint(m.x).astype(int)
    # the displacement of the whole pixel, and its slope for the rest
    rest_x, rest_y = m.x - columns, m.y - rows
    x, y = (m.x, m.y)
    out = []
    for axis, at in ((0, x), (1, y)):
        down, along = np.gradient(shift[axis])
        out.append(at + shift[axis][rows, columns] + rest_x * along[rows, columns] + rest_y * down[rows, columns])
    gaps = np.hypot(out[0][:, None] - master.minutiae.x, out[1][:, None] - master.minutiae.y)
    return [float(g) for g in gaps.min(1)]


# -- likeness --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """What extraction says of a print."""

    finger: str
    template: Template
    period: float
    area_mm2: float
    contrast: float
    clarity: float


@dataclass(frozen=True, slots=True)
class Task:
    """A picture to read: a file, or a print to draw."""

    finger: str
    path: Path | None = None
    recipe: Impression | Latent | None = None
    seed: int = 0
    number: int = 0


_masters: dict[int, Master] = {}


def _picture(task: Task) -> GrayImage:
    if task.path is not None:
        return to_500_ppi(read_picture(task.path, ppi=float(PPI)), task.path.name)
    if task.seed not in _masters:
        _masters.clear()
        _masters[task.seed] = MasterPrint()(task.seed)
    assert task.recipe is not None
    return task.recipe(_masters[task.seed], task.seed * 64 + task.number).picture


def _read(task: Task) -> Read | None:
    """None where there is no print to read."""
    image = _picture(task)
    kept = Recorder()
    try:  # step by step: the network is trained on drawn prints, so it can't say how they differ from real ones
        template = extract(image, load_preset("fast"), kept)
    except InputRefused:
        return None
    mask, period = kept["clarity.mask"], kept["period.map"]
    inside = image[mask].astype(float)
    return Read(
        task.finger,
        template,
        float(np.nanmedian(period[mask])),
        float(mask.sum()) * MM_A_PX**2,
        float(np.subtract(*np.percentile(inside, [95, 5]))),
        float(kept["clarity.map"][mask].mean()),
    )


def _real_tasks(data: Path, name: str) -> Iterator[Task]:
    for key, entry in read_labels(data).items():
        if key.startswith(f"{name}/"):
            yield Task(entry.finger or key, path=data / key)
    if name == "latent_real":  # not in the list of labels: too few to score
        for path in sorted((data / name).glob("*_latent.png")):
            yield Task(path.stem, path=path)


def _drawn_tasks(recipe: Impression | Latent, fingers: int, each: int, seed: int) -> Iterator[Task]:
    for finger in range(fingers):
        for number in range(each):
            yield Task(str(finger), recipe=recipe, seed=finger_seed("test", seed, finger), number=number)


def likeness(data: Path, jobs: int, fingers: int) -> None:
    """The statistics of drawn and real prints, a row a set, and the distances of their scores."""
    sets: dict[str, list[Task]] = {}
    for d in DIFFICULTIES:
        sets[f"drawn, {d}"] = list(_drawn_tasks(Impression(difficulty=d), fingers, 8, 5))  # type: ignore[arg-type]
    sets["drawn, mixed"] = list(_drawn_tasks(Impression(), fingers, 8, 6))
    sets["drawn, rolled"] = list(_drawn_tasks(Impression(kind="rolled"), fingers, 1, 5))
    for d in DIFFICULTIES:
        sets[f"drawn, latent {d}"] = list(_drawn_tasks(Latent(difficulty=d), fingers, 1, 5))  # type: ignore[arg-type]
    for name in SETS:
        sets[name] = list(_real_tasks(data, name))
    print(
        "| set | prints | period px 5 50 95 % | minutiae 5 50 95 % | per mm2 | endings | contrast | clarity 5 50 95 % |"
    )
    print("|---|---|---|---|---|---|---|---|")
    scores: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for name, tasks in sets.items():
        prints = [r for _, r in spread(_read, tasks, jobs, lambda task: None) if r is not None]
        print(_row(name, prints), flush=True)
        if len({r.finger for r in prints}) < len(prints):
            scores[name] = _scores(prints)
    print(
        "\n| set | EER % | FNMR % at FMR 0.1 % | genuine 5 25 50 75 % | impostor 50 99 99.9 % |\n|---|---|---|---|---|"
    )
    for name, (genuine, impostor) in scores.items():
        v = verification(genuine, impostor)
        print(f"| {name} | {100 * v.eer:.2f} | {100 * v.fnmr_at(0.001):.2f} | ", end="")
        print(f"{quantiles(genuine, (5, 25, 50, 75), 1)} | {quantiles(impostor, (50, 99, 99.9), 2)} |")
    print("\nKolmogorov-Smirnov distances: genuine / impostor\n\n| | " + " | ".join(scores) + " |")
    print("|---" * (len(scores) + 1) + "|")
    for a in scores:
        cells = [
            f"{distance(scores[a][0], scores[b][0]):.2f} / {distance(scores[a][1], scores[b][1]):.2f}" for b in scores
        ]
        print(f"| {a} | " + " | ".join(cells) + " |")


def _row(name: str, prints: list[Read]) -> str:
    kinds = np.concatenate([r.template.minutiae.kind for r in prints])
    density = [len(r.template.minutiae) / r.area_mm2 for r in prints]
    return (
        f"| {name} | {len(prints)} | {quantiles([r.period for r in prints], (5, 50, 95), 1)} "
        f"| {quantiles([len(r.template.minutiae) for r in prints], (5, 50, 95), 0)} | {quantiles(density, (50,), 3)} "
        f"| {np.mean(kinds == 1):.2f} | {quantiles([r.contrast for r in prints], (5, 50, 95), 0)} "
        f"| {quantiles([r.clarity for r in prints], (5, 50, 95), 2)} |"
    )


def _scores(prints: list[Read]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All pairs: of one finger, of two."""
    match = comparer()
    ready = [match.prepare(r.template) for r in prints]
    genuine, impostor = [], []
    for i in range(len(prints) - 1):
        row = match.scores(ready[i], ready[i + 1 :])
        for other, score in zip(prints[i + 1 :], row, strict=True):
            (genuine if other.finger == prints[i].finger else impostor).append(float(score))
    return np.array(genuine), np.array(impostor)


# -- identities ------------------------------------------------------------------------------------------------------


def identities(fingers: int, jobs: int) -> None:
    """Two good impressions of each finger: the closest of all other fingers beside the genuine scores."""
    tasks = list(_drawn_tasks(Impression(difficulty="good"), fingers, 2, 4))
    prints = [r for _, r in spread(_read, tasks, jobs, lambda task: None) if r is not None]
    first: dict[str, Read] = {}
    second: dict[str, Read] = {}
    for r in prints:
        (second if r.finger in first else first)[r.finger] = r
    names = list(first)
    genuine, impostor, closest = [], [], (0.0, "", "")
    for name, row in spread(partial(_against, list(first.values())), list(second.items()), jobs, _lost):
        for other, score in zip(names, row, strict=True):
            (genuine if other == name[0] else impostor).append(score)
            if other != name[0]:
                closest = max(closest, (score, name[0], other))
    print(f"{len(first)} fingers, {len(genuine)} genuine and {len(impostor):,} impostor scores")
    print(f"genuine: 0 1 5 50 %: {quantiles(genuine, (0, 1, 5, 50), 2)}")
    print(f"impostor: 50 99 99.9 99.99 100 %: {quantiles(impostor, (50, 99, 99.9, 99.99, 100), 2)}")
    top = float(np.max(impostor))
    print(f"highest impostor score: {closest[0]:.2f}, second print of finger {closest[1]}, first of {closest[2]}")
    print(f"genuine scores above the highest impostor score: {np.mean(np.array(genuine) > top):.2%}")


_gallery: list[Any] = []


def _against(gallery: list[Read], probe: tuple[str, Read]) -> list[float]:
    match = comparer()
    if not _gallery:
        _gallery.extend(match.prepare(r.template) for r in gallery)
    return [float(s) for s in match.scores(match.prepare(probe[1].template), _gallery)]


def _lost(probe: tuple[str, Read]) -> list[float]:
    raise RuntimeError(f"the process that compared finger {probe[0]} died")


# -- to look at ------------------------------------------------------------------------------------------------------


def sheet(out: Path, data: Path | None, cell: int = 320) -> None:
    """24 masters, 24 impressions, 24 latents; beside them real prints, in a file of their own, where DATA is given."""
    masters = [MasterPrint()(finger_seed("demo", 3, i)) for i in range(24)]
    rows = [
        [np.clip(127.5 - 127.5 * np.where(m.mask, m.ridges, -1), 0, 255).astype(np.uint8) for m in masters],
        [Impression(kind="rolled" if i % 6 == 5 else "plain")(m, i).picture for i, m in enumerate(masters)],
        [Latent()(m, i).picture for i, m in enumerate(masters)],
    ]
    Image.fromarray(_tiles([p for row in rows for p in row], 12, cell)).save(out)
    if data is not None:
        keys = [k for k in read_labels(data) if k.split("/")[0] in ("fvc2002_db1", "sd4", "latent_real", "fvc2004_db2")]
        chosen = [k for _, group in itertools.groupby(keys, lambda k: k.split("/")[0]) for k in list(group)[:60:5]]
        real = [read_picture(data / k, ppi=float(PPI)).pixels for k in chosen]
        Image.fromarray(_tiles(real, 12, cell)).save(out.with_name(f"{out.stem}-real{out.suffix}"))


def _tiles(pictures: list[GrayImage], columns: int, cell: int) -> GrayImage:
    page = np.full((-(-len(pictures) // columns) * cell, columns * cell), 128, np.uint8)
    for i, picture in enumerate(pictures):
        factor = min(cell / picture.shape[0], cell / picture.shape[1])
        size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        top, left = i // columns * cell, i % columns * cell
        page[top : top + size[1], left : left + size[0]] = small
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "memory", "truth", "likeness", "identities", "sheet"])
    parser.add_argument("--data", type=Path, help="folder of the real prints")
    parser.add_argument("--fingers", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "sheet.png")
    options = parser.parse_args()
    if options.what == "likeness":
        if options.data is None:
            parser.error("likeness needs --data")
        likeness(options.data, options.jobs, options.fingers)
    else:
        {
            "speed": speed,
            "memory": lambda: memory(options.fingers),
            "truth": lambda: truth(options.fingers),
            "identities": lambda: identities(options.fingers, options.jobs),
            "sheet": lambda: sheet(options.out, options.data),
        }[options.what]()


if __name__ == "__main__":
    main()
