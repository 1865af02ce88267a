"""DET and CMC curves as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fpipe.evaluate.metrics import Identification, Verification


def det(rates: Verification, path: Path) -> None:
    """FNMR against FMR, percent, both logarithmic."""
    figure = Figure(figsize=(5, 4.5))
    axes = figure.subplots()
    least = 100 / max(rates.genuine, rates.impostor)
    axes.loglog(np.maximum(100 * rates.fmr, least), np.maximum(100 * rates.fnmr, least), drawstyle="steps-post")
    axes.set(xlabel="FMR, %", ylabel="FNMR, %", title=f"DET: {rates.genuine} genuine, {rates.impostor} impostor pairs")
    _save(figure, path)


def cmc(rates: Identification, path: Path) -> None:
    """Hit rate within the first N candidates, percent."""
    figure = Figure(figsize=(5, 4.5))
    axes = figure.subplots()
    ranks = np.arange(1, 51)
    axes.plot(ranks, [100 * rates.hit_rate(int(rank)) for rank in ranks], drawstyle="steps-post")
    title = f"CMC: {len(rates.ranks)} mated probes, gallery of {rates.gallery}"
    axes.set(xlabel="rank", ylabel="hit rate, %", title=title, ylim=(None, 101))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.axes[0].grid(True, which="both", alpha=0.3)
    figure.tight_layout()
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png", metadata={"Software": None})
