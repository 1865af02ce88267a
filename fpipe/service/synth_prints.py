"""A folder of drawn prints with their truth: every print whole or not at all, so that an interrupted run goes on.

OUT/synth.json            what was asked for, written first
OUT/prints/STEM.png       00001_M.png, 00001_2.png, 00001_R1.png, 00001_S1.png, 00001_L1.png: finger, impression
OUT/truth/STEM.json .npz  the truth of each, in its own frame
OUT/masters/00001.*       the fingers' clean masters with their truth, where asked for
OUT/labels.csv            written last: with it the folder is complete
"""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fpipe import __version__
from fpipe.core.conventions import PPI
from fpipe.core.errors import FpipeError, UsageError
from fpipe.core.files import disk_errors, write_atomic
from fpipe.core.types import KIND_NAMES, GrayImage
from fpipe.formats import write_picture
from fpipe.service.synth_folder import Advance, claimed
from fpipe.service.workers import spread
from fpipe.synth.flow import CORE, Pattern
from fpipe.synth.impression import Difficulty, Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import Master, MasterPrint
from fpipe.synth.seeds import FINGERS, SEEDS, USES, Use, finger_seed
from fpipe.synth.touch import Drawn, Truth

SCHEMA = 1
"""Of the truth files; docs/synth.md describes it."""
LABELS, PRINTS, TRUTH, MASTERS = "labels.csv", "prints", "truth", "masters"
MOST = 999
"""Impressions of each kind that a finger can have."""

Format = Literal["png", "tif", "wsq"]
FORMATS: tuple[Format, ...] = get_args(Format)
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)
CLASSES: dict[Pattern, str] = {
    "arch": "arch",
    "tented_arch": "tented_arch",
    "left_loop": "left_loop",
    "right_loop": "right_loop",
    "whorl": "whorl",
    "double_loop": "whorl",
}
"""The five classes of Henry's system as NIST's sets use them."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    fingers : different fingers
    impressions, rolled, swiped, latents : of each finger
    difficulty : of impressions and latents
    seed, use : see ``synth.seeds``
    format : of the pictures
    height, width : of the pictures, px; 0: what each sensor gives
    masters : whether the fingers' masters are kept too
    """

    fingers: int
    impressions: int = 1
    rolled: int = 0
    swiped: int = 0
    latents: int = 0
    difficulty: Difficulty = "mixed"
    seed: int = 0
    use: Use = "test"
    format: Format = "png"
    height: int = 0
    width: int = 0
    masters: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where this can't be had."""
        if not 1 <= self.fingers < FINGERS:
            raise UsageError(reason=f"{self.fingers} fingers, expected 1 to {FINGERS - 1}")
        counts = (self.impressions, self.rolled, self.swiped, self.latents)
        if min(counts) < 0 or max(counts) > MOST:
            raise UsageError(reason=f"impressions of a finger: {counts}, expected 0 to {MOST} of each kind")
        if not any(counts) and not self.masters:
            raise UsageError(reason="nothing to draw: ask for impressions, latents or masters")
        if self.latents and not self.impressions:
            raise UsageError(reason="latents need a mate: ask for at least one impression of each finger")
        if self.use not in USES or not 0 <= self.seed < SEEDS:
            raise UsageError(reason=f"use {self.use!r} and seed {self.seed}, expected {USES} and 0 to {SEEDS - 1}")
        if self.difficulty not in DIFFICULTIES or self.format not in FORMATS:
            raise UsageError(reason=f"{self.difficulty!r}, {self.format!r}: expected {DIFFICULTIES} and {FORMATS}")
        if (self.height or self.width) and not (128 <= self.height <= 2000 and 128 <= self.width <= 2000):
            raise UsageError(reason=f"pictures of {self.width} x {self.height} px, expected 128 to 2000 on each side")

    @property
    def set_name(self) -> str:
        """The set that labels.csv names: fingers of different uses and seeds are different."""
        return f"synth-{self.use}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Print:
    """One picture to draw: which of a finger's, what kind, and its name.

    impression : as labels.csv says it; number : of all prints of the finger, from 1
    """

    finger: int
    impression: str
    kind: str
    number: int
    stem: str


def prints_of(order: Order, finger: int) -> Iterator[Print]:
    """All prints of a finger, in their order: impressions, rolled, swiped, latents.

    Where latents are asked for, the first impression is their mate, ``M``.  A swiped one is ``S1``: protocols that pair
    the plain impressions by number leave it out.
    """
    number = 0
    for kind, count, letter in (
        ("plain", order.impressions, ""),
        ("rolled", order.rolled, "R"),
        ("swiped", order.swiped, "S"),
        ("latent", order.latents, "L"),
    ):
        for i in range(1, count + 1):
            number += 1
            name = "M" if kind == "plain" and i == 1 and order.latents else f"{letter}{i}"
            label = str(i) if kind == "rolled" else name
            yield Print(finger, label, kind, number, f"{finger:05d}_{name}")


def synth_prints(out: Path, order: Order, *, jobs: int = 1, advance: Advance = lambda n: None) -> dict[str, Any]:
    """Fill ``out``, or go on filling it; the same bytes whatever the jobs.

    Returns a JSON-able summary: fingers, prints, seconds, folder.

    Raises UsageError where other things are in the folder, Locked where another command fills it, DiskFull.
    """
    start = time.perf_counter()
    recipe = {"fpipe": __version__, "made": "prints", "schema": SCHEMA, **asdict(order)}
    folders = (PRINTS, TRUTH, *([MASTERS] if order.masters else []))
    with claimed(out, recipe, (*folders, LABELS)):
        if not (out / LABELS).exists():
            with disk_errors(out):
                for name in folders:
                    (out / name).mkdir(exist_ok=True)
            work = spread(partial(_finger, out, order), range(1, order.fingers + 1), jobs, _died)
            with closing(work) as drawn:
                for _ in drawn:
                    advance(1)
            _write_labels(out, order)
    return {
        "fingers": order.fingers,
        "prints": order.fingers * (order.impressions + order.rolled + order.swiped + order.latents),
        "seconds": round(time.perf_counter() - start, 3),
        "folder": out.as_posix(),
    }


def _died(finger: int) -> None:
    raise FpipeError(reason=f"finger {finger}: the process that drew it died; the same command goes on with it")


# -- one finger ------------------------------------------------------------------------------------------------------


def _finger(out: Path, order: Order, finger: int) -> None:
    """Draw what is missing of a finger's files."""
    missing = [p for p in prints_of(order, finger) if not _is_there(out, order, p)]
    clean = out / MASTERS / f"{finger:05d}.json"
    if not missing and (clean.exists() or not order.masters):
        return
    seed = finger_seed(order.use, order.seed, finger)
    master = MasterPrint()(seed)
    if order.masters and not clean.exists():
        _write_master(out, order, finger, seed, master)
    for p in missing:
        drawn = draw(order, p, master, seed)
        write_picture(_picture(out, order, p), drawn.picture, float(PPI))
        write_atomic(out / TRUTH / f"{p.stem}.npz", packed(arrays_of(drawn.truth)))
        document = {
            "print": f"{PRINTS}/{p.stem}.{order.format}",
            "finger": f"{order.set_name}:{finger}",
            "impression": p.impression,
            **truth_document(drawn, seed),
        }
        write_atomic(out / TRUTH / f"{p.stem}.json", _json(document))  # last: it says that the print is whole


def draw(order: Order, p: Print, master: Master, seed: int) -> Drawn:
    """The picture of a print, and its truth; ``seed`` is the finger's."""
    recipe: Latent | Impression
    if p.kind == "latent":
        size = (order.height, order.width) if order.height else (Latent().height, Latent().width)
        recipe = Latent(difficulty=order.difficulty, height=size[0], width=size[1])
    else:
        recipe = Impression(p.kind, difficulty=order.difficulty, height=order.height, width=order.width)  # type: ignore[arg-type]
    return recipe(master, print_seed(seed, p))


def print_seed(seed: int, p: Print) -> int:
    """A seed for a print of the finger of a seed: by kind and number, whatever else is asked for."""
    kinds = ("plain", "rolled", "swiped", "latent")
    within = 1 if p.impression == "M" else int(p.impression.lstrip("RSL"))
    return seed * 4096 + kinds.index(p.kind) * 1000 + within


def _picture(out: Path, order: Order, p: Print) -> Path:
    return out / PRINTS / f"{p.stem}.{order.format}"


def _is_there(out: Path, order: Order, p: Print) -> bool:
    """Whether a print is whole; after a loss of power the system may have left a file empty."""
    files = (_picture(out, order, p), out / TRUTH / f"{p.stem}.npz", out / TRUTH / f"{p.stem}.json")
    return all(f.exists() and f.stat().st_size for f in files)


def _write_master(out: Path, order: Order, finger: int, seed: int, master: Master) -> None:
    truth = Truth(
        pattern=master.pattern,
        minutiae=master.minutiae,
        singular_points=master.singular_points,
        ridges=(master.ridges > 0).astype(np.uint8),
        orientation=np.where(master.mask, master.orientation, np.float32(np.nan)),
        period=np.where(master.mask, master.period, np.float32(np.nan)),
        mask=master.mask,
        displacement=np.zeros((2, *master.mask.shape), np.float32),
    )
    picture: GrayImage = np.clip(127.5 - 127.5 * master.ridges, 0, 255).round().astype(np.uint8)
    stem = out / MASTERS / f"{finger:05d}"
    write_picture(stem.with_suffix(".png"), picture, float(PPI))
    write_atomic(stem.with_suffix(".npz"), packed(arrays_of(truth)))
    document = {
        "print": f"{MASTERS}/{finger:05d}.png",
        "finger": f"{order.set_name}:{finger}",
        "impression": "master",
        **truth_document(Drawn(picture, truth, {"kind": "master"}), seed),
    }
    write_atomic(stem.with_suffix(".json"), _json(document))


# -- truth files -----------------------------------------------------------------------------------------------------


def truth_document(drawn: Drawn, seed: int) -> dict[str, Any]:
    """JSON-able truth of a print, all but its names."""
    truth, m, s = drawn.truth, drawn.truth.minutiae, drawn.truth.singular_points
    return {
        "class": CLASSES[truth.pattern],
        "pattern": truth.pattern,
        "width": drawn.picture.shape[1],
        "height": drawn.picture.shape[0],
        "ppi": PPI,
        "minutiae": [
            {
                "x": round(float(m.x[i]), 3),
                "y": round(float(m.y[i]), 3),
                "direction": round(float(m.direction[i]), 5),
                "type": KIND_NAMES[m.kind[i]],
            }
            for i in range(len(m))
        ],
        "singular_points": [
            {
                "x": round(float(s.x[i]), 3),
                "y": round(float(s.y[i]), 3),
                "kind": "core" if s.kind[i] == CORE else "delta",
                "direction": round(float(s.direction[i]), 5),
            }
            for i in range(len(s))
        ],
        "conditions": drawn.conditions,
        "seed": seed,
        "version": __version__,
        "schema": SCHEMA,
    }


def arrays_of(truth: Truth) -> dict[str, NDArray[Any]]:
    """The arrays of a truth file.  Rounded to what the drawing is exact to, so that they compress."""
    return {
        "ridges": truth.ridges,
        "orientation": _rounded(truth.orientation, 1024),
        "period": _rounded(truth.period, 32),
        "mask": truth.mask,
        "displacement": _rounded(truth.displacement, 16),
    }


def _rounded(values: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    rounded: NDArray[np.float32] = (np.rint(values * np.float32(steps)) / np.float32(steps)).astype(np.float32)
    return rounded


def packed(arrays: dict[str, NDArray[Any]]) -> bytes:
    """As ``numpy.savez_compressed`` writes, at zlib's fastest level, and the same bytes every time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 1)
    return stream.getvalue()


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()


def _write_labels(out: Path, order: Order) -> None:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["print", "finger", "impression", "kind", "set", "ppi"])
    for finger in range(1, order.fingers + 1):
        for p in prints_of(order, finger):
            name = f"{PRINTS}/{p.stem}.{order.format}"
            kind = "plain" if p.kind == "swiped" else p.kind  # as the other commands know them
            writer.writerow([name, f"{order.set_name}:{finger}", p.impression, kind, order.set_name, PPI])
    write_atomic(out / LABELS, rows.getvalue().encode())
