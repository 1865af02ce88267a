"""Milliseconds a print from picture to template, one thread, and its parts, against the filter bank of GBFEN.

    python benchmarks/extract.py [PICTURE...]      # the sample exemplars without it

The baseline is the same picture through a plain bank of 48 Gabor filters with OpenCV: what the
contextual filter stands in for.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fpipe.core.types import GrayImage
from fpipe.enhance.learned import Network, network_input
from fpipe.formats import read_picture, to_500_ppi
from fpipe.minutiae.learned import Peaks
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import Preset, load_preset
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
    size = np.median([image.size for image in images])
    print(f"{len(images)} prints, {size / 1000:.0f} thousand px in the median")
    bank_s = np.median([_seconds(bank, image) for image in images])
    for name in ("plain", "fast"):
        preset = load_preset(name)
        extract(images[0], preset)  # loads the kernels and the weights
        counts = [len(extract(image, preset).minutiae) for image in images]
        whole = np.median([_seconds(extract, image, preset) for image in images])
        print(f"{name}: picture to template {1000 * whole:.0f} ms, {np.median(counts):.0f} minutiae; ", end="")
        print(f"the filter bank alone takes {1000 * bank_s:.0f} ms, {bank_s / whole:.2f} times that")
    _parts(images, load_preset("fast"))
    network, peaks = (load_preset("plain").stages[stage] for stage in ("reading", "minutiae"))
    assert isinstance(network, Network)
    assert isinstance(peaks, Peaks)
    readings = [network(image) for image in images]
    for what, seconds in (
        ("input", [_seconds(network_input, image) for image in images]),
        ("network", [_seconds(network, image) for image in images]),
        ("peaks", [_seconds(peaks, reading) for reading in readings]),
    ):
        print(f"  plain, {what}: {1000 * np.median(seconds):.1f} ms")
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _seconds(work: Callable[..., Any], *given: Any) -> float:
    start = time.perf_counter()
    work(*given)
    return time.perf_counter() - start


def _parts(images: list[GrayImage], preset: Preset) -> None:
    parts: dict[str, list[float]] = {}
    for image in images:
        last = time.perf_counter()

        def stamp(key: str, value: object) -> None:
            nonlocal last
            now = time.perf_counter()
            parts.setdefault(key, []).append(now - last)
            last = now

        extract(image, preset, stamp)
    for key, seconds in parts.items():
        print(f"  {preset.name}, until {key}: {1000 * np.median(seconds) * len(seconds) / len(images):.1f} ms")


if __name__ == "__main__":
    main()
