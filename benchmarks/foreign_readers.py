"""What fpipe writes, read by independent programs: minutiae and pictures have to be equal.

    python -m venv other && other/bin/pip install nistitl pillow numpy scipy && other/bin/pip install --no-deps afis
    python -m venv nbis && nbis/bin/pip install nbis-python    # needs glibc 2.38 or later: Debian 13
    python benchmarks/foreign_readers.py --python other/bin/python [--nbis nbis/bin/python] [--samples samples]

Foreign are nistitl (IDEMIA; ANSI/NIST-ITL), Pillow (the pictures inside), afis (ISO/IEC 19794-2:2005 read, 2005 and
2011 written) and nbis-python (2011 read and written), in environments without fpipe.  INCITS 378 is read by none that
PyPI, npm or Debian have (docs/templates.md).  Exit 0 only where everything is equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_NEAR = 1e-6
_NBIS_STEP = 11.25
"""Degrees to which NBIS keeps directions."""


# -- the foreign side: runs without fpipe ------------------------------------------------------------------------------


def foreign(folder: Path) -> dict[str, Any]:
    """What the other programs read in a folder, by file name; and two files of theirs for fpipe to read."""
    from afis.algorithms.templates import (
        FingerprintTemplateHeader,
        decode_iso19794_2,
        encode_iso19794_2,
        encode_iso19794_2_2011,
    )

    found: dict[str, Any] = {path.name: _exchange(path) for path in sorted(folder.glob("*.an2"))}
    for path in sorted(folder.glob("*.iso")):
        header, rows = decode_iso19794_2(path.read_bytes())
        size = [header.width, header.height, header.resolution_x, header.finger_position]
        # its quality is the byte over 255, its kinds are its own: both are compared as numbers
        found[path.name] = {"size": size, "minutiae": [[float(value) for value in row] for row in rows]}
        for name, encode in (("2005", encode_iso19794_2), ("2011", encode_iso19794_2_2011)):
            made = FingerprintTemplateHeader(
                width=header.width, height=header.height, resolution_x=header.resolution_x,
                resolution_y=header.resolution_y, finger_position=header.finger_position,
                impression_type=header.impression_type, image_quality=header.image_quality,
            )  # fmt: skip
            (folder / f"{path.stem}.afis-{name}").write_bytes(encode(made, rows))
    return found


def foreign_nbis(folder: Path) -> dict[str, Any]:
    """What NBIS reads in records of 2011: x, y, degrees, quality over 100, whether a bifurcation; and writes again."""
    import nbis

    quiet = {"get_center": False, "check_fingerprint": False, "compute_nfiq2": False}
    reader = nbis.new_nbis_extractor(nbis.NbisExtractorSettings(min_quality=0.0, ppi=None, **quiet))
    found = {}
    for path in sorted(folder.glob("*.iso2011")):
        read = reader.load_iso_19794_2_2011(path.read_bytes())
        path.with_suffix(".nbis-2011").write_bytes(read.to_iso_19794_2_2011())
        bifurcation = nbis.MinutiaKind.BIFURCATION
        found[path.name] = [[m.x, m.y, m.angle, m.reliability, m.kind == bifurcation] for m in read.list()]
    return found


def _exchange(path: Path) -> list[dict[str, Any]]:
    """Records of an exchange file as nistitl gives them; of pictures the hash of the pixels by Pillow."""
    import io

    import nistitl
    from PIL import Image

    message = nistitl.Message()
    message.parse(path.read_bytes())
    records = []
    for record in message:
        facts: dict[str, Any] = {"type": record.type}
        if record.type in (13, 14):
            data = record.DATA
            facts["finger"], facts["compression"] = record.FGP, record.CGA
            facts["width"], facts["height"] = int(record.HLL), int(record.VLL)
            if record.CGA == "PNG":
                with Image.open(io.BytesIO(data)) as image:
                    data = image.convert("L").tobytes()
            facts["pixels"] = hashlib.sha256(data).hexdigest()
        if record.type == 9:
            text = record.NIST.decode("latin-1")
            fields = dict(part.split(":", 1) for part in text.rstrip("\x1c").split("\x1d"))
            facts["region"] = fields["9.300"].split("\x1f")
            facts["minutiae"] = [row.split("\x1f") for row in fields["9.331"].split("\x1e")]
        records.append(facts)
    return records


# -- this side -----------------------------------------------------------------------------------------------------


def written(folder: Path, samples: Path) -> dict[str, Any]:
    """Files of every kind from the samples; what has to be read in them."""
    from fpipe.formats import read_picture, to_500_ppi
    from fpipe.formats.exchange import building
    from fpipe.minutiae.files import read_record, write_template
    from fpipe.pipeline.extract import extract
    from fpipe.pipeline.presets import load_preset

    envelope = building.Envelope("LFS", "20260101", "DESTINATION", "ORIGIN", "CONTROL1")
    subject = building.Subject({18: "TEST"})
    expected: dict[str, Any] = {}
    prints = []
    for number, path in enumerate(sorted(samples.glob("p*.png"))[:4], 1):
        picture = read_picture(path)
        template = extract(to_500_ppi(picture, path.name), load_preset("fast"), where=path.name)
        name = f"t{number}.iso"
        write_template(folder / name, template, finger=number)
        (view,) = read_record((folder / name).read_bytes(), name).views
        expected[name] = view
        write_template(folder / f"t{number}.iso2011", template, format="iso2011", finger=number)
        m = template.minutiae
        efs = building.efs_of(
            m.x, m.y, m.direction, m.kind, width=template.width, height=template.height, ppi=500, finger=number
        )
        compression = "PNG" if number % 2 else "NONE"
        prints.append(building.Print(picture.pixels, 500, number, 1, efs, compression))  # type: ignore[arg-type]
    (folder / "card.an2").write_bytes(building.tenprint(envelope, subject, prints, "SRC").to_bytes())
    (folder / "latent.an2").write_bytes(building.latent(envelope, subject, prints[0], "SRC").to_bytes())
    expected["card.an2"], expected["latent.an2"] = prints, prints[:1]
    return expected


def compare_template(view: Any, theirs: dict[str, Any]) -> str:
    """Every minutia: position, direction, quality."""
    import numpy as np

    if theirs["size"] != [view.width, view.height, round(view.ppi_x / 2.54), view.finger]:
        return f"size {theirs['size']}"
    rows = np.array(theirs["minutiae"]).reshape(-1, 5)
    ours = np.stack([view.x, view.y, view.direction], 1)
    turn = np.abs((rows[:, 2] - ours[:, 2] + np.pi) % (2 * np.pi) - np.pi).max(initial=0)
    same = len(rows) == len(ours) and np.array_equal(rows[:, :2], ours[:, :2]) and turn < _NEAR
    good = same and np.array_equal(np.rint(rows[:, 4] * 255), view.quality)
    kinds = {(int(a), int(b)) for a, b in zip(rows[:, 3], view.kind, strict=True)}
    one_to_one = len(kinds) == len({a for a, _ in kinds}) == len({b for _, b in kinds})
    return "" if good and one_to_one else f"minutiae differ (kinds {sorted(kinds)})"


def compare_nbis(folder: Path, name: str, view: Any, theirs: list[list[float]]) -> str:
    """Every minutia as NBIS reads it, and the record that it writes of them: types of two kinds, coarser directions."""
    import numpy as np

    from fpipe.minutiae.files import read_record

    (again,) = read_record((folder / f"{Path(name).stem}.nbis-2011").read_bytes(), name).views
    rows = np.array(theirs, np.float64).reshape(-1, 5)
    for who, x, y, degrees in (
        ("reads", rows[:, 0], rows[:, 1], rows[:, 2]),
        ("writes", again.x, again.y, np.rad2deg(again.direction)),
    ):
        if not (np.array_equal(x, view.x) and np.array_equal(y, view.y)):
            return f"positions as NBIS {who} them"
        turn = np.abs((degrees - np.rad2deg(view.direction) + 180) % 360 - 180).max(initial=0)
        if turn > _NBIS_STEP / 2 + (0.71 if who == "writes" else 0.01):  # half a step of the record's own besides
            return f"directions as NBIS {who} them: {turn:.2f} degrees"
    if not np.array_equal(np.rint(rows[:, 3] * 100), np.where(view.quality > 100, 0, view.quality)):
        return "qualities"
    return "" if np.array_equal(rows[:, 4] == 1, view.kind == 2) else "types"


def compare_exchange(prints: list[Any], theirs: list[dict[str, Any]]) -> str:
    """Pictures by their pixels, markup field by field."""
    pictures = [record for record in theirs if record["type"] in (13, 14)]
    marks = [record for record in theirs if record["type"] == 9]
    if len(pictures) != len(prints) or len(marks) != len(prints):
        return f"{len(pictures)} pictures and {len(marks)} markups of {len(prints)}"
    for one, picture, mark in zip(prints, pictures, marks, strict=True):
        if picture["pixels"] != hashlib.sha256(one.pixels.tobytes()).hexdigest():
            return f"the pixels of finger {one.finger}"
        if (int(picture["finger"]), picture["height"], picture["width"]) != (one.finger, *one.pixels.shape):
            return f"the record of finger {one.finger}"
        if list(map(int, mark["region"])) != [one.efs.region.width, one.efs.region.height]:
            return f"the region of finger {one.finger}"
        ours = [[str(m.x), str(m.y), str(m.direction), m.type] for m in one.efs.minutiae]
        if mark["minutiae"] != ours:
            return f"the minutiae of finger {one.finger}"
    return ""


def compare_theirs(folder: Path, name: str, view: Any) -> str:
    """fpipe reads what the other program wrote of the same minutiae."""
    import numpy as np

    from fpipe.minutiae.files import read_record

    for path in sorted(folder.glob(f"{Path(name).stem}.afis-*")):
        (theirs,) = read_record(path.read_bytes(), path.name).views
        turn = np.abs((theirs.direction - view.direction + np.pi) % (2 * np.pi) - np.pi).max(initial=0)
        if not (np.array_equal(theirs.x, view.x) and np.array_equal(theirs.y, view.y) and turn < _NEAR):
            return f"{path.name} is read otherwise"
        if not np.array_equal(theirs.kind, view.kind):
            return f"{path.name}: types differ"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description="What fpipe writes, read by independent programs.")
    parser.add_argument("--python", help="interpreter of the environment with nistitl, Pillow and afis")
    parser.add_argument("--samples", type=Path, default=ROOT / "samples")
    parser.add_argument("--nbis", help="interpreter of the environment with nbis-python")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child-nbis", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(foreign(options.child)))
        return 0
    if options.child_nbis is not None:
        print(json.dumps(foreign_nbis(options.child_nbis)))
        return 0
    if options.python is None:
        parser.error("--python is needed")
    from fpipe.minutiae.files import read_record  # not in the other environments

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        expected = written(folder, options.samples)
        found = _asked([options.python, __file__, "--child", text])
        by_nbis = _asked([options.nbis, __file__, "--child-nbis", text]) if options.nbis else {}
        wrong = 0
        print("| file | read by | result |\n|---|---|---|")
        for name, what in expected.items():
            if name.endswith(".an2"):
                problem, reader = compare_exchange(what, found[name]), "nistitl, Pillow"
            else:
                problem = compare_template(what, found[name]) or compare_theirs(folder, name, what)
                reader = f"afis; its 2005 and 2011 by fpipe ({len(what.x)} minutiae)"
            wrong += bool(problem)
            print(f"| {name} | {reader} | {problem or 'equal'} |")
        for name, rows in by_nbis.items():
            (view,) = read_record((folder / name).read_bytes(), name).views
            problem = compare_nbis(folder, name, view, rows)
            wrong += bool(problem)
            print(f"| {name} | nbis-python; its 2011 by fpipe ({len(rows)} minutiae) | {problem or 'equal'} |")
    return int(wrong > 0)


def _asked(command: list[str]) -> dict[str, Any]:
    """What this script finds in another environment."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
