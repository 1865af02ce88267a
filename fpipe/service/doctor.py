"""What this installation and machine are, and whether they can do the work."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpipe.core import jitcache
from fpipe.core.files import write_atomic
from fpipe.formats import read_picture, to_500_ppi
from fpipe.pipeline.compare import comparer
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import PRESETS, load_preset
from fpipe.synth import samples

SQLITE_LEAST = (3, 37, 0)
FREE_LEAST = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    found: str


def examine(folder: Path) -> list[Finding]:
    """Look at the machine, the libraries and one print's way through them.

    folder : where galleries are to be kept: its disk is what is measured
    """
    checks: list[tuple[str, Callable[[], tuple[bool, str]]]] = [
        ("processor", lambda: (True, f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")),
        ("sqlite", _sqlite),
        ("disk", lambda: _disk(folder)),
        ("kernel cache", _kernel_cache),
        ("samples read, extracted and compared", _one_print),
        *((f"preset {name}", lambda name=name: (True, load_preset(name).extraction_digest)) for name in PRESETS),
    ]
    return [_finding(name, check) for name, check in checks]


def _finding(name: str, check: Callable[[], tuple[bool, str]]) -> Finding:
    try:
        ok, found = check()
    except Exception as error:  # noqa: BLE001 - whatever fails is what doctor is there to say
        return Finding(name, False, f"{type(error).__name__}: {error}")
    return Finding(name, ok, found)


def _sqlite() -> tuple[bool, str]:
    return sqlite3.sqlite_version_info >= SQLITE_LEAST, f"{sqlite3.sqlite_version} (3.37 or newer is needed)"


def _disk(folder: Path) -> tuple[bool, str]:
    free = shutil.disk_usage(folder).free
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        write_atomic(Path(scratch) / "probe", b"written")
    return free >= FREE_LEAST, f"{free / 2**30:.1f} GiB free and writable at {folder.resolve()} (2 GiB are asked for)"


def _kernel_cache() -> tuple[bool, str]:
    jitcache.prepare()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    return os.access(folder, os.W_OK), f"compiled kernels are kept in {folder}"


def _one_print() -> tuple[bool, str]:
    entry = next(item for item in samples.manifest()["files"] if item["kind"] == "plain")
    path = samples.folder() / entry["file"]
    picture = read_picture(path, name=path.name)
    template = extract(to_500_ppi(picture, path.name), load_preset("plain"), where=path.name)
    match = comparer()
    prepared = match.prepare(template)
    score = match.compare(prepared, prepared).score
    count = len(template.minutiae)
    return bool(np.isfinite(score)) and count >= 12, f"{path.name}: {count} minutiae, score with itself {score:.1f}"
