"""Make the sample prints again: samples/*.png and samples/manifest.json.

    .venv/bin/python samples/make.py [FOLDER]

The seeds are fixed.  Between types of processor single pixels may differ by a few gray levels; the committed pictures
are the truth, and manifest.json holds the sha256 of their pixels.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fpipe.core.types import GrayImage
from fpipe.synth.flow import Pattern
from fpipe.synth.impression import Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import Master, MasterPrint
from fpipe.synth.seeds import finger_seed

HERE = Path(__file__).resolve().parent
LICENCE = "CC0-1.0: made by fpipe from random numbers; shows no real person's finger"


@dataclass(frozen=True)
class Finger:
    """A finger that nobody has: its master print's seed and pattern."""

    subject: str
    finger: str
    pattern: Pattern
    seed: int
    period_px: float = 9.2


@dataclass(frozen=True)
class Sample:
    """One file."""

    file: str
    finger: Finger
    recipe: Impression | Latent
    seed: int
    mate: str | None = None


FINGERS = {
    "p1-right-index": Finger("person-1", "right index", "right_loop", 101),
    "p1-right-middle": Finger("person-1", "right middle", "whorl", 102, 9.0),
    "p1-left-index": Finger("person-1", "left index", "tented_arch", 103),
    "p1-left-middle": Finger("person-1", "left middle", "left_loop", 104, 9.0),
    "p2-right-index": Finger("person-2", "right index", "arch", 201, 9.6),
    "p2-right-middle": Finger("person-2", "right middle", "right_loop", 202, 9.5),
    "p2-left-index": Finger("person-2", "left index", "double_loop", 203, 9.6),
    "p2-left-middle": Finger("person-2", "left middle", "left_loop", 204, 9.5),
    "p3-right-index": Finger("person-3", "right index", "whorl", 301, 8.6),
    "p3-right-middle": Finger("person-3", "right middle", "right_loop", 302, 8.5),
    "p3-left-index": Finger("person-3", "left index", "left_loop", 303, 8.6),
    "p3-left-middle": Finger("person-3", "left middle", "whorl", 304, 8.5),
}
STRANGER = Finger("stranger", "", "right_loop", 901, 9.1)
SIZE = {"height": 420, "width": 360}


def samples() -> Iterator[Sample]:
    """Every file: a print of each finger, second prints of three, latents of five, and one latent of a stranger."""
    for name, finger in FINGERS.items():
        yield Sample(f"{name}.png", finger, Impression(sensor="optical", difficulty="good", **SIZE), 1)
    for name, sensor, difficulty in (
        ("p1-right-index", "optical", "bad"),
        ("p2-left-index", "gray", "good"),
        ("p3-left-middle", "prism", "good"),
    ):
        yield Sample(f"{name}-again.png", FINGERS[name], Impression(sensor=sensor, difficulty=difficulty, **SIZE), 2)
    for number, (name, recipe) in enumerate(
        (
            ("p1-right-index", Latent("good", "paper", "powder", **SIZE)),
            ("p1-right-middle", Latent("good", "form", "powder", **SIZE)),
            ("p2-left-middle", Latent("good", "card", "light powder", **SIZE)),
            ("p3-right-index", Latent("good", "wood", "powder", **SIZE)),
            ("p2-left-index", Latent("bad", "smooth", "powder", **SIZE)),
        ),
        start=1,
    ):
        yield Sample(f"latent-{number}.png", FINGERS[name], recipe, 10 + number, mate=f"{name}.png")
    yield Sample("latent-6.png", STRANGER, Latent("good", "paper", "powder", **SIZE), 16)


@cache
def master(finger: Finger) -> Master:
    """The finger's skin."""
    return MasterPrint(pattern=finger.pattern, period_px=finger.period_px)(finger_seed("demo", 0, finger.seed))


def pixels(sample: Sample) -> GrayImage:
    """The picture of a sample: (H, W) uint8, 500 ppi, in 64 gray steps, which keeps files small."""
    picture = sample.recipe(master(sample.finger), 1000 * sample.finger.seed + sample.seed).picture
    return (np.rint(picture / 4).clip(0, 63) * 4).astype(np.uint8)


def entry(sample: Sample, picture: GrayImage) -> dict[str, Any]:
    """The sample's line in the manifest."""
    latent = isinstance(sample.recipe, Latent)
    return {
        "file": sample.file,
        "kind": "latent" if latent else "plain",
        "subject": None if latent else sample.finger.subject,
        "finger": None if latent else sample.finger.finger,
        "pattern": sample.finger.pattern,
        "mate": sample.mate,
        "seed": [sample.finger.seed, sample.seed],
        "width": picture.shape[1],
        "height": picture.shape[0],
        "sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
    }


def main(folder: Path) -> None:
    """Write every picture and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for sample in samples():
        picture = pixels(sample)
        Image.fromarray(picture).save(folder / sample.file, optimize=True, dpi=(500, 500))
        entries.append(entry(sample, picture))
        print(sample.file)
    document = {"licence": LICENCE, "ppi": 500, "files": entries}
    (folder / "manifest.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
