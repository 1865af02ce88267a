"""Seconds of one search in a gallery of real prints, one thread, and its parts; the index path against comparing all.

python benchmarks/search.py [DATA]      # DATA: the data folder; the sample prints without it
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fpipe.index import Gallery
from fpipe.pipeline.presets import load_preset
from fpipe.service.enroll import create_gallery, enroll
from fpipe.service.reading import read_print
from fpipe.service.search import Searcher, open_searcher
from fpipe.synth import samples


def prints(data: Path | None) -> tuple[list[Path], list[Path]]:
    """(gallery, latents), at most 530 and 40."""
    if data is None:
        files = samples.manifest()["files"]
        names = [[samples.folder() / i["file"] for i in files if (i["kind"] == "latent") == x] for x in (False, True)]
        return names[0], names[1]
    with (data / "labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    gallery = [r for r in rows if r["impression"] in ("M", "1") and r["kind"] != "latent"]
    latents = [r for r in rows if r["kind"] == "latent"]
    return [data / r["print"] for r in gallery][:530], [data / r["print"] for r in latents][:40]


def timed(searcher: Searcher, latents: list[Path], compared: int | None) -> tuple[float, list[int]]:
    """Median seconds a search, templates of the gallery prepared; and the first candidates."""
    preset = load_preset("latent")
    readings = [read_print(path, preset, ppi=500) for path in latents]
    searcher.search(readings[0], preset, compared=None)  # prepares the gallery, loads the kernels
    seconds, first = [], []
    for reading in readings:
        start = time.perf_counter()
        found = searcher.search(reading, preset, compared=compared)
        seconds.append(time.perf_counter() - start)
        first.append(found.candidates[0].record.id if found.candidates else -1)
    return float(np.median(seconds)), first


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    gallery, latents = prints(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery"
        create_gallery(path, keep_originals=False)
        start = time.perf_counter()
        stored = sum(outcome.status == "added" for outcome in enroll(path, gallery, ppi=500))
        print(f"enrol: {stored} prints, {(time.perf_counter() - start) / stored * 1000:.0f} ms each, one process")
        reads = [read_print(path, load_preset("latent"), ppi=500).seconds for path in latents]
        for part in ("read", "extract"):
            print(f"latent, {part}: {np.median([r[part] for r in reads]) * 1000:.0f} ms median of {len(latents)}")
        with Gallery.open(path) as opened:
            print(f"gallery: {len(opened.print_ids())} prints")
        with open_searcher(path) as searcher:
            whole, first = timed(searcher, latents, None)
            some, other = timed(searcher, latents, max(1, stored // 5))
        agree = np.mean(np.array(first) == np.array(other))
        print(f"search, every print compared: {whole * 1000:.0f} ms median")
        print(f"search, index and a fifth compared: {some * 1000:.0f} ms median, ratio {whole / some:.1f}; ", end="")
        print(f"the same first candidate in {100 * agree:.0f} %")


if __name__ == "__main__":
    main()
