"""Synthetic templates: templates a second, their statistics beside those of real prints, a gallery of many.

python benchmarks/synth_templates.py                        # templates a second, one thread
python benchmarks/synth_templates.py --data DATA            # and the statistics beside the real sets in DATA
python benchmarks/synth_templates.py --scale 100000         # and a gallery of that size: filled, searched
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import CELL_PX, PPI
from fpipe.core.types import Minutiae, Template
from fpipe.evaluate.templates import Prints, read_labels
from fpipe.minutiae import blob
from fpipe.pipeline.compare import comparer
from fpipe.service.enroll import create_gallery, enroll
from fpipe.service.search import CANDIDATES, open_searcher
from fpipe.service.synth_templates import TEMPLATES, Order, synth_templates
from fpipe.synth.seeds import finger_seed
from fpipe.synth.templates import DrawnTemplates

SETS = ("fvc2000_db1", "fvc2002_db1", "fvc2004_db1", "crossmatch", "sd4")
"""Sets of real prints, each a folder in the data folder; sd4 has one rolled print of each finger."""
MM_A_PX = 25.4 / PPI
RINGS_PX = (0, 16, 32, 50, 80, 120)
"""Distances between two minutiae whose directions are compared, px."""
Labelled = Sequence[tuple[str, Template]]
"""(finger, template) of every print of a set."""


# -- one print -------------------------------------------------------------------------------------------------------


def quantiles(values: Sequence[float] | NDArray[np.float64], at: Sequence[float], digits: int) -> str:
    """Quantiles at these percents, as text."""
    return " ".join(f"{value:.{digits}f}" for value in np.percentile(values, at)) if len(values) else "-"


def single(prints: Labelled) -> dict[str, str]:
    """What can be said of the prints one by one."""
    templates = [template for _, template in prints]
    counts = [len(t.minutiae) for t in templates]
    areas = [float(t.mask.sum()) * (CELL_PX * MM_A_PX) ** 2 for t in templates if t.mask is not None]
    nearest = np.concatenate([_nearest(t.minutiae) for t in templates])
    kinds = np.concatenate([t.minutiae.kind for t in templates])
    quality = np.concatenate([t.minutiae.quality for t in templates])
    table = {
        "minutiae a print, 5 25 50 75 95 %": quantiles(counts, (5, 25, 50, 75, 95), 0),
        "mask mm2, 5 25 50 75 95 %": quantiles(areas, (5, 25, 50, 75, 95), 0),
        "minutiae per mm2 of mask, 5 50 95 %": quantiles(np.divide(counts, areas), (5, 50, 95), 3),
        "nearest neighbour px, 1 5 25 50 75 95 %": quantiles(nearest, (1, 5, 25, 50, 75, 95), 1),
        "endings, share": f"{np.mean(kinds == 1):.2f}",
        "quality, 5 25 50 75 95 %": quantiles(quality, (5, 25, 50, 75, 95), 0),
        "mean quality a print, 5 50 95 %": quantiles([t.minutiae.quality.mean() for t in templates], (5, 50, 95), 0),
    }
    for (low, high), (once, twice, share) in zip(itertools.pairwise(RINGS_PX), _rings(templates), strict=True):
        table[f"neighbours {low}-{high} px: cos, cos 2, pair density"] = f"{once:+.2f} {twice:+.2f} {share:.2f}"
    return table


def _nearest(m: Minutiae) -> NDArray[np.float64]:
    if len(m) < 2:
        return np.zeros(0)
    gap = np.hypot(m.x[:, None] - m.x, m.y[:, None] - m.y).astype(np.float64)
    np.fill_diagonal(gap, np.inf)
    nearest: NDArray[np.float64] = gap.min(1)
    return nearest


def _rings(templates: Sequence[Template]) -> list[tuple[float, float, float]]:
    """Per ring of distances: mean cos of the difference of two directions, of twice it, and the density of such pairs
    as a multiple of what points thrown independently into the same masks have."""
    sums = np.zeros((len(RINGS_PX) - 1, 4))
    rng = np.random.default_rng(0)
    for template in templates:
        m = template.minutiae
        if len(m) < 2:
            continue
        first, second = np.triu_indices(len(m), 1)
        turn = m.direction[first].astype(np.float64) - m.direction[second]
        ring = np.digitize(np.hypot(m.x[first] - m.x[second], m.y[first] - m.y[second]), RINGS_PX) - 1
        chance = np.digitize(_chance(template, len(m), rng), RINGS_PX) - 1
        for i in range(len(sums)):
            inside = ring == i
            sums[i] += inside.sum(), np.cos(turn[inside]).sum(), np.cos(2 * turn[inside]).sum(), np.sum(chance == i)
    return [(one / n, two / n, n / thrown) for n, one, two, thrown in sums]


def _chance(template: Template, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Distances between points thrown into the mask independently."""
    assert template.mask is not None
    cells = np.argwhere(template.mask)
    points = (cells[rng.integers(0, len(cells), count)] + rng.random((count, 2))) * CELL_PX
    first, second = np.triu_indices(count, 1)
    gaps: NDArray[np.float64] = np.hypot(*(points[first] - points[second]).T)
    return gaps


# -- two prints ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """All pairs of a finger's prints, and pairs of different fingers' prints.

    paired : share of the smaller print's minutiae that pair; offsets, turns : px, degrees, of paired minutiae after the
        best rigid motion of their prints; alike : share of pairs of one type
    """

    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]
    paired: NDArray[np.float64]
    offsets: NDArray[np.float64]
    turns: NDArray[np.float64]
    alike: float

    def rows(self) -> dict[str, str]:
        """For the table."""
        return {
            "genuine: paired share of the smaller, 5 25 50 75 95 %": quantiles(self.paired, (5, 25, 50, 75, 95), 2),
            "genuine: offset of pairs px, 25 50 75 95 %": quantiles(self.offsets, (25, 50, 75, 95), 1),
            "genuine: turn of pairs degrees, 25 50 75 95 %": quantiles(self.turns, (25, 50, 75, 95), 1),
            "genuine: pairs of one type, share": f"{self.alike:.2f}",
            "genuine scores, 1 5 25 50 75 95 %": quantiles(self.genuine, (1, 5, 25, 50, 75, 95), 1),
            "impostor scores, 50 95 99 99.9 %": quantiles(self.impostor, (50, 95, 99, 99.9), 1),
            "genuine scores below the impostors' 99.9 %": f"{self._lost():.3f}",
        }

    def _lost(self) -> float:
        return float(np.mean(self.genuine < np.percentile(self.impostor, 99.9)))


def pairs_of(prints: Labelled, impostors: int = 3000) -> Compared:
    """Compare; a few thousand impostor pairs, drawn by a fixed seed where there are more."""
    match = comparer()
    ready = [match.prepare(template) for _, template in prints]
    names = [finger for finger, _ in prints]
    every = list(itertools.combinations(range(len(prints)), 2))
    other = [(i, k) for i, k in every if names[i] != names[k]]
    if len(other) > impostors:
        other = [other[i] for i in np.random.default_rng(0).choice(len(other), impostors, replace=False)]
    scores, paired, kept = [], [], []
    for i, k in ((i, k) for i, k in every if names[i] == names[k]):
        found = match.compare(ready[i], ready[k])
        a, b = prints[i][1].minutiae, prints[k][1].minutiae
        scores.append(found.score)
        paired.append(len(found.pairs) / max(1, min(len(a), len(b))))
        if len(found.pairs) >= 8 and found.score > 0:
            kept.append(_residuals(a.take(found.pairs[:, 0]), b.take(found.pairs[:, 1])))
    offsets, turns, alike = (np.concatenate(column) for column in zip(*kept, strict=True))
    impostor = np.array([match.compare(ready[i], ready[k]).score for i, k in other])
    return Compared(np.array(scores), impostor, np.array(paired), offsets, turns, float(np.mean(alike)))


def _residuals(a: Minutiae, b: Minutiae) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pairs of minutiae -> (px, degrees, 1 where both are of one type) after the best rigid motion."""
    p, q = (m.x.astype(np.float64) - 1j * m.y for m in (a, b))
    p, q = p - p.mean(), q - q.mean()
    motion = np.sum(q * np.conj(p))
    motion /= abs(motion)
    turn = np.angle(np.exp(1j * (b.direction.astype(np.float64) - a.direction)) / motion, deg=True)
    return np.abs(q - motion * p), np.abs(turn), (a.kind == b.kind).astype(np.float64)


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Kolmogorov and Smirnov's distance of two samples."""
    at = np.sort(np.concatenate([a, b]))
    return float(
        np.abs(
            np.searchsorted(np.sort(a), at, "right") / len(a) - np.searchsorted(np.sort(b), at, "right") / len(b)
        ).max()
    )


# -- speed, likeness, scale ------------------------------------------------------------------------------------------


def speed(folder: Path, count: int = 20_000) -> None:
    """Templates a second on one thread: drawing alone; drawing and writing; the whole command, flush included."""
    drawn = DrawnTemplates()
    drawn(0, 1)  # loads the kernels
    start = time.perf_counter()
    for finger in range(count):
        drawn(finger_seed("test", 0, finger), 1)
    print(f"drawing alone: {count / (time.perf_counter() - start):,.0f} templates/s")
    seconds = synth_templates(folder / "speed", Order(count))["seconds"]
    print(f"with writing, flushing and labels: {count / seconds:,.0f} templates/s")


def drawn_set(fingers: int, impressions: int, seed: int = 1) -> Labelled:
    """A set of drawn prints, as a gallery would give them back."""
    drawn = DrawnTemplates()
    return [
        (str(finger), blob.quantised(template))
        for finger in range(fingers)
        for template in drawn(finger_seed("test", seed, finger), impressions, source="drawn")
    ]


def likeness(data: Path, cache: Path) -> None:
    """The statistics of drawn and real prints, a column a set, and the distances of their scores."""
    table: dict[str, dict[str, str]] = {}
    scores: dict[str, NDArray[np.float64]] = {}
    for name, prints in [("drawn", drawn_set(100, 4)), *((name, _real(data, cache, name)) for name in SETS)]:
        table[name] = single(prints)
        if len({finger for finger, _ in prints}) < len(prints):
            compared = pairs_of(prints)
            table[name] |= compared.rows()
            scores[name] = compared.genuine
    for row in table["drawn"]:
        print(row)
        for name, column in table.items():
            print(f"    {name:12} {column.get(row, '-')}")
    print("Kolmogorov-Smirnov distance of genuine scores")
    for a, b in itertools.combinations(scores, 2):
        print(f"    {a:12} {b:12} {distance(scores[a], scores[b]):.2f}")


def _real(data: Path, cache: Path, name: str) -> Labelled:
    labels = read_labels(data)
    prints = Prints(data, labels, None, cache, None)
    wanted = [(label.finger or key, key) for key, label in labels.items() if key.startswith(f"{name}/")]
    return [(finger, prints.load(key)) for finger, key in wanted]


def scale(folder: Path, count: int, jobs: int, probes: int = 200) -> None:
    """A gallery of ``count`` fingers: how fast it fills, and how other impressions of some of them are found."""
    print(f"drawn: {synth_templates(folder / 'scale', Order(count), jobs=jobs)['seconds']:.1f} s for {count:,}")
    gallery = folder / "gallery"
    create_gallery(gallery, keep_originals=False)
    start = time.perf_counter()
    added = sum(outcome.status == "added" for outcome in enroll(gallery, [folder / "scale" / TEMPLATES], jobs=jobs))
    seconds = time.perf_counter() - start
    print(f"gallery add: {added:,} in {seconds:.0f} s, {added / seconds:,.0f}/s with {jobs} jobs; {_memory()}")
    rng, drawn = np.random.default_rng(0), DrawnTemplates()
    ranks, times = [], []
    with open_searcher(gallery) as searcher:
        searcher.candidates(drawn(finger_seed("test", 1, 0), 1, source="drawn")[0], CANDIDATES)  # opens, loads, maps
        for finger in rng.choice(count, min(probes, count), replace=False):
            (probe,) = drawn(finger_seed("test", 0, int(finger)), 1, first=2, source="drawn")
            start = time.perf_counter()
            ids, _ = searcher.candidates(blob.quantised(probe), CANDIDATES)
            times.append(time.perf_counter() - start)
            names = [record.print for record in searcher.gallery.records(ids[:20])]
            own = [i for i, name in enumerate(names, 1) if name.endswith(f"/{int(finger):08d}_1.fpt")]
            ranks.append(own[0] if own else 21)
    found = np.array(ranks)
    print(
        f"{len(ranks)} searches of other impressions: first {np.mean(found == 1):.1%}, in 20 {np.mean(found <= 20):.1%}"
    )
    print(f"seconds a search: median {np.median(times):.2f}, most {np.max(times):.2f}; {_memory()}")


def _memory() -> str:
    """The most this process has held so far."""
    import resource

    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} GiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the real prints")
    parser.add_argument("--scale", type=int, help="prints in the gallery")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where files go; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        speed(folder)
        if options.data is not None:
            likeness(options.data, folder / "cache")
        if options.scale is not None:
            scale(folder, options.scale, options.jobs)


if __name__ == "__main__":
    main()
