"""What fpipe reads from every file of a folder of conformance files, and whether it writes it again as it was.

    python benchmarks/formats_read.py --data FOLDER

FOLDER has an2/ (ANSI/NIST-ITL), templates/ (.dat with a .json of the content beside, .ist) and wsq/ (with pictures).
An exchange file is to give its own bytes again; a template to equal its JSON and, written in every record format and
read again, itself.  Exit 0 only where all of it holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from fpipe.core.errors import FpipeError
from fpipe.formats import read_picture
from fpipe.formats.exchange.records import parse
from fpipe.minutiae.files import read_record
from fpipe.minutiae.records import RECORDS, write_record
from fpipe.service.inspect import describe_exchange

_KINDS = {"ENDING": 1, "BIFURCATION": 2, "OTHER": 0, "EITHER": 0}


def exchange(path: Path) -> tuple[str, str, bool]:
    data = path.read_bytes()
    found = describe_exchange(data, path.name)
    types = Counter(record["type"] for record in found["records"])
    records = ", ".join(f"{n} x {type}" if n > 1 else f"{type}" for type, n in sorted(types.items()))
    codecs = Counter(f"{i['compression']} {i['ppi']:.0f}" if i["ppi"] else i["compression"] for i in found["images"])
    pictures = ", ".join(f"{n} x {name}" for name, n in codecs.items()) or "no picture"
    marks = ", ".join(f"{view['count']} minutiae ({view['block']})" for view in found["minutiae"])
    same = parse(data, path.name).to_bytes() == data
    what = f"Types {records}; {pictures}{f'; {marks}' if marks else ''}"
    what += f"; {len(found['failed'])} not read" if found["failed"] else ""
    return what, "its bytes again" if same else "OTHER BYTES", same


def template(path: Path) -> tuple[str, str, bool]:
    record = read_record(path.read_bytes(), path.name)
    counts = ", ".join(f"finger {view.finger}: {len(view.x)}" for view in record.views)
    told = []
    truth = path.with_suffix(".json")
    if truth.exists():
        expected = json.loads(truth.read_text("utf-8"))["fingerprints"]
        equal = len(expected) == len(record.views) and all(
            view.x.tolist() == [m["positionX"] for m in print_["minutiae"]]
            and view.y.tolist() == [m["positionY"] for m in print_["minutiae"]]
            and view.quality.tolist() == [m["quality"] for m in print_["minutiae"]]
            and view.kind.tolist() == [_KINDS[m["type"]] for m in print_["minutiae"]]
            for view, print_ in zip(record.views, expected, strict=False)
        )
        told.append("equals its JSON" if equal else "DIFFERS FROM ITS JSON")
    for name in RECORDS:
        again = read_record(write_record(record.views, name)[0], name).views
        same = all(
            np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) for a, b in zip(record.views, again, strict=True)
        )
        told += [] if same else [f"{name} DIFFERS"]
    return (
        f"{record.format}; {counts} minutiae",
        ", ".join([*told, "written in 4 formats and read again"]),
        not any(line.isupper() or "DIFFERS" in line for line in told),
    )


def picture(path: Path) -> tuple[str, str, bool]:
    found = read_picture(path)
    height, width = found.pixels.shape
    ppi = "unknown ppi" if found.ppi is None else f"{found.ppi:.0f} ppi"
    return f"{found.format}; {width} x {height} px, {found.bits} bits, {ppi}", "", True


def main() -> int:
    parser = argparse.ArgumentParser(description="What is read from conformance files.")
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    print("| file | read | written again |\n|---|---|---|")
    good = True
    for part, patterns, read in (
        ("an2", ("*.an2",), exchange),
        ("templates", ("*.dat", "*/*.ist", "*/*/*.ist"), template),
        ("wsq", ("*.wsq", "*.png"), picture),
    ):
        for path in sorted(p for pattern in patterns for p in (folder / part).glob(pattern)):
            try:
                what, again, right = read(path)
            except FpipeError as error:
                what, again, right = f"NOT READ: {error.message}", "", False
            good &= right
            print(f"| {path.relative_to(folder).as_posix()} | {what} | {again} |", flush=True)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
