"""Backups: how long the first takes beside a plain copy, and how much the next ones copy.

    python benchmarks/backup.py [--prints 2000] [--rounds 3] [--before FOLDER] [--out FOLDER]

A gallery of random originals (20 kB) and templates (5 kB), which cost what real ones cost.  The first backup is timed
against ``cp -r`` followed by ``sync -f``, which waits once for the whole disk, and, with ``--before``, against that of
an earlier version, whose folder ``fpipe`` lies there; the median of the rounds, taken by turns.  Then 0.1 % and 1 %
more prints are added, and one is removed: of the bytes of the database, how many each next backup copied.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from fpipe.core.files import sha256_hex
from fpipe.index import Gallery, NewPrint, Vectors
from fpipe.service.backup import back_up
from fpipe.service.backup_folder import Backups

WIDTH, ROWS = 48, 45
BATCH = 200
TIMED = """
import sys, time
from pathlib import Path
from fpipe.service.backup import back_up
began = time.perf_counter()
back_up(Path(sys.argv[1]), Path(sys.argv[2]))
print(time.perf_counter() - began)
"""


def drawn(number: int) -> NewPrint:
    rng = np.random.default_rng(number)
    original, template = rng.bytes(20_000), rng.bytes(int(np.clip(rng.normal(5000, 900), 1500, 9000)))
    places = rng.random((3, ROWS)).astype(np.float32)
    return NewPrint(
        print=f"archive/box{number // 10000:03d}/card{number // 10:07d}.an2#{number % 10 + 1}",
        sha256=sha256_hex(original),
        subject=f"P{number // 10:07d}",
        finger="right_index",
        kind="rolled",
        ppi=500,
        ppi_origin="file",
        format="WSQ",
        width=800,
        height=750,
        preset="rolled",
        extraction_digest="0123456789abcdef",
        minutiae=ROWS,
        path=f"/archive/{number}",
        template=template,
        vectors=Vectors(rng.integers(0, 256, (ROWS, WIDTH), dtype=np.uint8), *places),
        original=original,
    )


def add(gallery: Gallery, start: int, count: int) -> None:
    for first in range(start, start + count, BATCH):
        gallery.add([drawn(number) for number in range(first, min(first + BATCH, start + count))])


def copied(gallery: Path, folder: Path) -> float:
    began = time.perf_counter()
    shutil.copytree(gallery, folder)
    subprocess.run(["sync", "-f", str(folder)], check=True)
    return time.perf_counter() - began


def backed_up(gallery: Path, folder: Path, package: Path | None) -> float:
    """package : the folder in which an earlier version's ``fpipe`` lies"""
    paths = {} if package is None else {"PYTHONPATH": str(package)}
    command = [sys.executable, "-c", TIMED, str(gallery), str(folder)]
    place = package or Path.cwd()
    return float(
        subprocess.run(command, env={**os.environ, **paths}, cwd=place, check=True, capture_output=True).stdout
    )


def first_ones(gallery: Path, work: Path, before: Path | None, rounds: int) -> None:
    times: dict[str, list[float]] = {}
    for number in range(rounds):
        ways = {"cp -r, sync": lambda to: copied(gallery, to), "backup": lambda to: backed_up(gallery, to, None)}
        if before is not None:
            ways["backup of before"] = lambda to: backed_up(gallery, to, before)
        for name, way in ways.items():
            times.setdefault(name, []).append(way(work / f"first-{number}"))
            shutil.rmtree(work / f"first-{number}")
    base = statistics.median(times["cp -r, sync"])
    print("| first backup | s | of cp -r |\n|---|---|---|")
    for name, taken in times.items():
        print(f"| {name} | {statistics.median(taken):.2f} | {statistics.median(taken) / base:.2f} |", flush=True)


def next_ones(path: Path, folder: Path, prints: int) -> None:
    backups = Backups(folder)
    known = set(backups.contents(back_up(path, folder).backup).pieces())
    print("| next backup | pieces | of these new | bytes of the database | of these new |\n|---|---|---|---|---|")
    for what, more in {"0.1 % added": prints // 1000, "1 % added": prints // 100, "one removed": 0}.items():
        with Gallery.open(path, write=True) as gallery:
            if more:
                add(gallery, int(gallery.print_ids()[-1]) + 1, more)
            else:
                gallery.remove([gallery.records([1])[0].print])
        pieces = set(backups.contents(back_up(path, folder).backup).pieces())
        sizes = {sha256: backups.object(sha256).stat().st_size for sha256 in pieces}
        new, whole = sum(sizes[sha256] for sha256 in pieces - known), sum(sizes.values())
        cells = (what, len(pieces), len(pieces - known), f"{whole / 1e6:.1f} MB", f"{new / whole:.1%}")
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        known |= pieces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prints", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, default=None, help="folder in which an earlier version's fpipe lies")
    parser.add_argument("--out", type=Path, default=None, help="scratch folder; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fpipe-backup-", dir=options.out) as made:
        work = Path(made)
        with Gallery.create(work / "g", comparison_digest="0" * 16, descriptor_bytes=WIDTH) as gallery:
            add(gallery, 1, options.prints)
        first_ones(work / "g", work, options.before, options.rounds)
        next_ones(work / "g", work / "b", options.prints)


if __name__ == "__main__":
    main()
