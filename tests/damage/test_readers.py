"""A smaller run of benchmarks/readers_damage.py, and the cases that broke other tools."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from fpipe.core.errors import InputRefused
from fpipe.core.files import sha256_hex
from fpipe.formats import read_picture
from fpipe.minutiae.records import RECORDS

pytest.importorskip("_wsq", reason="no WSQ codec on this platform")
INPUTS = int(os.environ.get("FPIPE_DAMAGED_INPUTS", "300"))
"""A reader; 10000 before a release."""
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "readers_damage.py"


@pytest.fixture(scope="module")
def readers_damage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readers_damage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_damaged_files_are_errors_or_pictures_and_nothing_else(
    readers_damage: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, Counter[str]] = readers_damage.run(INPUTS, 11)
    pictures = {"PNG", "TIFF", "BMP", "JPEG", "JPEG 2000", "WSQ", "lossless JPEG"}
    assert set(found) == {*pictures, "ANSI/NIST", *RECORDS, "xyt", "JSON", "fpt"}
    for kind, outcomes in found.items():
        assert outcomes.total() >= 0.9 * INPUTS
        assert not [name for name in outcomes if name.startswith(readers_damage.FORBIDDEN)], (kind, outcomes)
    assert capfd.readouterr() == ("", "")


PICTURES = {"F01", "F03", "F05", "F07", "F09", "F11", "F13", "F15", "F29"}


@pytest.mark.real
def test_inputs_that_broke_other_tools(cases: Path) -> None:
    """Sizes, resolutions and, where they are one value, hashes; the folder's own check.py compares pixels as well."""
    document = json.loads((cases / "cases.json").read_text(encoding="utf-8"))
    for case in document["cases"] if isinstance(document, dict) else document:
        for file in case["files"] if case["id"] in PICTURES else ():
            expected = file["expected"]
            if expected.get("error"):
                with pytest.raises(InputRefused):
                    read_picture(cases / file["file"])
                continue
            picture = read_picture(cases / file["file"])
            alternatives = expected.get("accept_any_of", [expected])
            right = [e for e in alternatives if not e.get("error") and "width" in e]
            assert any(picture.pixels.shape == (e["height"], e["width"]) for e in right), file["file"]
            assert any(
                picture.ppi is None if e["ppi"] is None else abs((picture.ppi or 0) - e["ppi"]) <= 0.5 for e in right
            ), file["file"]
            hashes = [e["pixels_sha256"] for e in right if "pixels_sha256" in e]
            assert not hashes or sha256_hex(picture.pixels.tobytes()) in hashes, file["file"]
