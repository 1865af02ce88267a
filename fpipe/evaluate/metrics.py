"""Error rates of verification and identification; ties always count against the system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """thresholds : (T,) rising; fmr, fnmr : (T,) shares at each: impostors at or above it, genuine below it."""

    genuine: int
    impostor: int
    thresholds: Scores
    fmr: Scores
    fnmr: Scores

    def fnmr_at(self, limit: float) -> float:
        """FNMR at the lowest threshold whose FMR is at most ``limit``."""
        return float(self.fnmr[np.argmax(self.fmr <= limit + 1e-12)])

    @property
    def eer(self) -> float:
        """Share where both errors are equal, linear between the two thresholds around."""
        cross = int(np.argmax(self.fnmr >= self.fmr))
        if cross == 0:
            return float(max(self.fnmr[0], self.fmr[0]))
        low = self.fmr[cross - 1] - self.fnmr[cross - 1]
        high = self.fnmr[cross] - self.fmr[cross]
        weight = low / (low + high) if low + high else 0.0
        return float(self.fnmr[cross - 1] + weight * (self.fnmr[cross] - self.fnmr[cross - 1]))

    def as_document(self) -> dict[str, float]:
        """Percent, named as the shared scorer names them."""
        limits = {"fnmr_at_fmr_1": 0.01, "fnmr_at_fmr_0.1": 0.001, "fnmr_at_fmr_0": 0.0}
        rates = {name: 100 * self.fnmr_at(limit) for name, limit in limits.items()}
        return {"genuine": self.genuine, "impostor": self.impostor, "eer": 100 * self.eer, **rates}


def verification(genuine: Scores, impostor: Scores) -> Verification:
    """Error rates at every threshold that occurs."""
    thresholds = np.append(np.unique(np.concatenate([genuine, impostor])), np.inf)
    fmr = 1 - np.searchsorted(np.sort(impostor), thresholds, side="left") / len(impostor)
    fnmr = np.searchsorted(np.sort(genuine), thresholds, side="left") / len(genuine)
    return Verification(len(genuine), len(impostor), thresholds, fmr, fnmr)


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """ranks : (M,) int64, of each mated probe's best mate; mate, other : (M,) and (P,) scores that FNIR needs."""

    gallery: int
    nonmated: int
    ranks: NDArray[np.int64]
    mate: Scores
    other: Scores

    def hit_rate(self, rank: int) -> float:
        """Share of mated probes with a mate within the first ``rank`` candidates."""
        return float(np.mean(self.ranks <= rank))

    def fnir_at(self, fpir: float) -> float:
        """Share of mated probes missed at the threshold that lets ``fpir`` of the searches without mate alarm."""
        top = np.sort(self.other)[::-1]
        threshold = top[int(np.floor(len(top) * fpir))]
        return float(np.mean(~(self.mate > threshold)))

    def as_document(self) -> dict[str, float]:
        """Percent, named as the shared scorer names them."""
        rates = {f"rank_{rank}": 100 * self.hit_rate(rank) for rank in (1, 5, 20, 50)}
        misses = {f"fnir_at_fpir_{percent}": 100 * self.fnir_at(percent / 100) for percent in (1, 10)}
        sizes = {"gallery": self.gallery, "mated_probes": len(self.ranks), "nonmated_probes": self.nonmated}
        return {**sizes, **rates, **misses}


def identification(rows: list[tuple[str, str, float]], finger: dict[str, str]) -> Identification:
    """From (probe, gallery print, score) rows; a pair that is not listed was not returned."""
    gallery = {other for _, other, _ in rows}
    enrolled = {finger[name] for name in gallery}
    by_probe: dict[str, dict[str, float]] = {}
    for probe, other, score in rows:
        if probe != other:
            by_probe.setdefault(probe, {})[other] = score
    ranks, mate_scores, top_other, nonmated = [], [], [], 0
    for probe, scores in by_probe.items():
        mates = [value for name, value in scores.items() if finger[name] == finger[probe]]
        others = np.array([value for name, value in scores.items() if finger[name] != finger[probe]])
        highest = float(others.max()) if len(others) else -np.inf
        top_other.append(highest)
        if finger[probe] not in enrolled:
            nonmated += 1
            continue
        best = max(mates, default=-np.inf)
        ranks.append(1 + int(np.sum(others >= best)) if mates else 10**9)
        mate_scores.append(best if best > highest else -np.inf)
    return Identification(len(gallery), nonmated, np.array(ranks, np.int64), np.array(mate_scores), np.array(top_other))
