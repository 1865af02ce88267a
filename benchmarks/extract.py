"""Milliseconds a print from picture to template, one thread, and its parts, against the filter bank of GBFEN.

    python benchmarks/extract.py [PICTURE...]      # the sample exemplars without it

The baseline is the same picture through a plain bank of 48 Gabor filters with OpenCV: what the
contextual filter stands in for.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from fpipe.core.types import GrayImage
from fpipe.formats import read_picture, to_500_ppi
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import load_preset
from fpipe.synth import samples


def bank(image: GrayImage) -> None:
    """48 Gabor filters over the whole picture and the strongest of each pixel."""
    gray = image.astype(np.float32)
    answers = []
    for period in (7.0, 9.0, 12.0):
        sigma = 5 * period / 12
        side = 2 * int(np.ceil(3 * sigma)) + 1
        for k in range(16):
            kernel = cv2.getGaborKernel((side, side), sigma, np.pi * k / 16, period, 1.0, 0.0)
            answers.append(cv2.filter2D(gray, cv2.CV_32F, (kernel - kernel.mean()).astype(np.float32)))
    np.max(answers, axis=0)


def main() -> None:
    cv2.setNumThreads(1)
    names = [Path(p) for p in sys.argv[1:]]
    if not names:
        names = [samples.folder() / i["file"] for i in samples.manifest()["files"] if i["kind"] == "plain"]
    images = [to_500_ppi(read_picture(path, ppi=500), path.name) for path in names]
    preset = load_preset("plain")
    extract(images[0], preset)
    whole, baseline, counts = [], [], []
    parts: dict[str, list[float]] = {}
    for image in images:
        last = time.perf_counter()
        start = last

        def stamp(key: str, value: object) -> None:
            nonlocal last
            now = time.perf_counter()
            parts.setdefault(key, []).append(now - last)
            last = now

        counts.append(len(extract(image, preset, stamp).minutiae))
        whole.append(time.perf_counter() - start)
        start = time.perf_counter()
        bank(image)
        baseline.append(time.perf_counter() - start)
    size = np.median([image.size for image in images])
    print(f"{len(images)} prints, {size / 1000:.0f} thousand px and {np.median(counts):.0f} minutiae median")
    for key, seconds in parts.items():
        print(f"  until {key}: {1000 * np.median(seconds) * len(seconds) / len(images):.1f} ms")
    ours, bank_s = np.median(whole), np.median(baseline)
    print(
        f"picture to template {1000 * ours:.0f} ms; filter bank alone {1000 * bank_s:.0f} ms, ratio {bank_s / ours:.2f}"
    )


if __name__ == "__main__":
    main()
