"""Exact comparisons a second, one thread, against the cylinders' plain similarity alone (LSS) in the same run.

python benchmarks/match.py [TEMPLATES]      # a folder of template files; drawn minutiae without it
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fpipe.core.types import Minutiae, Template
from fpipe.match import kernels
from fpipe.minutiae.files import ENDINGS, read_template
from fpipe.pipeline.compare import Prepared, comparer


def templates(folder: Path | None) -> list[Template]:
    """80 prints: of a folder, or of 40 random minutiae each."""
    if folder is not None:
        return [read_template(p) for p in sorted(folder.iterdir()) if p.suffix in ENDINGS][:80]
    rng, found = np.random.default_rng(1), []
    for _ in range(80):
        x, y = rng.uniform(0, 380, (2, 40)).astype(np.float32)
        direction = rng.uniform(0, 6.28, 40).astype(np.float32)
        kinds = rng.integers(1, 3, 40).astype(np.uint8)
        found.append(Template(Minutiae(x, y, direction, kinds, np.full(40, 60, np.uint8)), 388, 374))
    return found


def rate(prints: list[Prepared], compare: Callable[[Prepared, Prepared], object]) -> float:
    """Pairs a second, best of three runs after a warm one."""
    pairs = [(a, b) for i, a in enumerate(prints) for b in prints[:i]]
    compare(*pairs[0])
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        for a, b in pairs:
            compare(a, b)
        best = min(best, time.perf_counter() - start)
    return len(pairs) / best


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found, match = templates(folder), comparer()
    match.prepare(found[0])
    start = time.perf_counter()
    prints = [match.prepare(t) for t in found]
    print(f"prepared in {(time.perf_counter() - start) / len(found) * 1000:.1f} ms each, ", end="")
    print(f"{np.median([len(t.minutiae) for t in found]):.0f} minutiae median")
    rules = match.growth._rules()
    exact, plain = rate(prints, match.compare), rate(prints, lambda a, b: kernels.similar_pairs(a, b, rules))
    print(f"exact match {exact:.0f} comparisons/s; similar pairs alone {plain:.0f}/s, ratio {plain / exact:.1f}")


if __name__ == "__main__":
    main()
