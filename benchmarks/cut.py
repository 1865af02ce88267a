"""How sure a minutia must be to take part in comparisons: error on drawn prints for every cut of the confidence.

    python benchmarks/cut.py --fingers 60 --jobs 2

Plain prints (mixed difficulty, 4 of each finger) against each other, and latents (mixed, 2 of each finger) against all
of them.  Fingers of the use "test".  The presets' cuts are chosen here, not on real prints.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import PPI
from fpipe.core.types import GrayImage, Reading, Template
from fpipe.minutiae.learned import Peaks
from fpipe.pipeline.compare import Prepared, comparer
from fpipe.pipeline.extract import mask_grid
from fpipe.pipeline.presets import load_preset
from fpipe.service.workers import spread
from fpipe.synth.impression import Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import MasterPrint
from fpipe.synth.seeds import finger_seed

SEED = 78
PLAIN, LATENTS = 4, 2
LEAST = 0.05


class Seen(NamedTuple):
    """One print, its minutiae down to ``LEAST``."""

    finger: int
    latent: bool
    strong: Template


def finger(preset: str, number: int) -> list[Seen]:
    """All prints of a finger, read once."""
    seed = finger_seed("test", SEED, number)
    master = MasterPrint()(seed)
    prints = []
    for i in range(PLAIN + LATENTS):
        recipe: Any = Impression() if i < PLAIN else Latent()
        drawn = recipe(master, seed * 16 + i)
        picture: GrayImage = 255 - drawn.picture if drawn.conditions.get("inverted") else drawn.picture
        stages = load_preset(preset or ("plain" if i < PLAIN else "latent")).stages
        network, peaks = stages["reading"], stages["minutiae"]
        assert callable(network)
        assert isinstance(peaks, Peaks)
        reading: Reading = network(picture)
        minutiae, _ = replace(peaks, cut=LEAST, least=LEAST)(reading)
        height, width = picture.shape
        prints.append(Seen(number, i >= PLAIN, Template(minutiae, width, height, mask=mask_grid(reading.mask))))
    return prints


def _died(number: int) -> list[Seen]:
    raise RuntimeError(f"the process that drew finger {number} died")


def prepared(seen: Seen, cut: float) -> Prepared:
    """With the minutiae above the cut."""
    m = seen.strong.minutiae
    return comparer().prepare(replace(seen.strong, minutiae=m.take(m.quality >= 100 * cut)))


def scores(prints: list[Seen], probes: list[int], others: list[int], cut: float) -> NDArray[np.float64]:
    """(probes, others) float64; a print with itself scores nothing."""
    ready = {i: prepared(prints[i], cut) for i in {*probes, *others}}
    found = [comparer().scores(ready[i], [ready[k] for k in others]) for i in probes]
    out = np.array(found, np.float64)
    out[np.array(probes)[:, None] == np.array(others)[None]] = np.nan
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fingers", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--preset", default="", help="for every print, instead of plain or latent as it is")
    parser.add_argument("--cuts", type=float, nargs="*", default=[0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5])
    args = parser.parse_args()
    work = partial(finger, args.preset)
    prints = [seen for _, found in spread(work, range(args.fingers), args.jobs, _died) for seen in found]
    whose = np.array([seen.finger for seen in prints])
    plain = [i for i, seen in enumerate(prints) if not seen.latent]
    latents = [i for i, seen in enumerate(prints) if seen.latent]
    print(f"{args.fingers} fingers at {PPI} ppi, {len(plain)} plain prints, {len(latents)} latents\n")
    print("| cut | minutiae plain / latent | FNMR at FMR 1 / 0.1 / 0.01 % | latents: rank 1 / 20, FNMR at FMR 0.1 % |")
    print("|---|---|---|---|")
    for cut in args.cuts:
        count = [np.mean([(prints[i].strong.minutiae.quality >= 100 * cut).sum() for i in g]) for g in (plain, latents)]
        each = scores(prints, plain, plain, cut)
        rows, columns = np.triu_indices(len(plain), 1)
        same = whose[plain][rows] == whose[plain][columns]
        fnmr = _fnmr(each[rows, columns][same], each[rows, columns][~same], (0.01, 0.001, 0.0001))
        marks = scores(prints, latents, plain, cut)
        mates = whose[latents][:, None] == whose[plain][None]
        best = np.where(mates, marks, -np.inf).max(1)
        rank = 1 + (np.where(mates, -np.inf, marks) >= best[:, None]).sum(1)
        (missed,) = _fnmr(best, marks[~mates], (0.001,))
        print(f"| {cut} | {count[0]:.0f} / {count[1]:.0f} | {' / '.join(f'{100 * f:.2f}' for f in fnmr)} |", end="")
        print(f" {100 * (rank == 1).mean():.1f} / {100 * (rank <= 20).mean():.1f}, {100 * missed:.1f} |", flush=True)


def _fnmr(genuine: NDArray[Any], impostor: NDArray[Any], rates: tuple[float, ...]) -> list[float]:
    """Share of genuine scores not above the impostors' quantile."""
    ordered = np.sort(impostor)[::-1]
    return [float((genuine <= ordered[min(int(rate * len(ordered)), len(ordered) - 1)]).mean()) for rate in rates]


if __name__ == "__main__":
    main()
