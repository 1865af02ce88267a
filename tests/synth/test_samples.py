"""The committed samples are what their manifest says, can be made again, and are found wherever fpipe is installed."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from fpipe.core.errors import NotFound
from fpipe.synth import samples

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", ROOT / "samples" / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_manifest_and_pictures_agree() -> None:
    document, folder = samples.manifest(), samples.folder()
    listed = {entry["file"]: entry for entry in document["files"]}
    assert sorted(listed) == sorted(path.name for path in folder.glob("*.png"))
    for name, entry in listed.items():
        with Image.open(folder / name) as image:
            assert image.mode == "L"
            assert tuple(round(value) for value in image.info["dpi"]) == (500, 500)
            pixels = np.asarray(image)
        assert pixels.shape == (entry["height"], entry["width"])
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["sha256"]


def test_every_latent_but_one_has_its_mate_among_the_prints() -> None:
    files = samples.manifest()["files"]
    prints = {entry["file"] for entry in files if entry["kind"] == "plain"}
    mates = [entry["mate"] for entry in files if entry["kind"] == "latent"]
    assert len(prints) == 15 and len(mates) == 6
    assert mates.count(None) == 1 and {mate for mate in mates if mate} <= prints
    assert all(entry["mate"] is None for entry in files if entry["kind"] == "plain")


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in samples.folder().iterdir() if path.suffix == ".png") < 1_500_000


def test_samples_can_be_made_again(make: ModuleType) -> None:
    """Within a small tolerance: between processor types the last bits of floating-point filters differ."""
    listed = {entry["file"]: entry for entry in samples.manifest()["files"]}
    recipes = {sample.file: sample for sample in make.samples()}
    assert sorted(listed) == sorted(recipes)
    for name in ("p1-right-index.png", "p1-right-index-again.png", "latent-1.png"):
        made = make.pixels(recipes[name])
        with Image.open(samples.folder() / name) as image:
            apart = np.abs(made.astype(int) - np.asarray(image).astype(int))
        assert apart.mean() < 0.5 and np.mean(apart > 8) < 0.01
        entry = make.entry(recipes[name], made)
        assert {**entry, "sha256": ""} == {**listed[name], "sha256": ""}


def test_samples_are_found_where_a_wheel_puts_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation: no checkout around the package, pictures under share/, all listed in the RECORD."""
    library = tmp_path / "lib" / "site-packages"
    share = tmp_path / "share" / "fpipe" / "samples"
    record = library / "fpipe-9.dist-info" / "RECORD"
    for folder in (share, record.parent):
        folder.mkdir(parents=True)
    (share / "manifest.json").write_text('{"files": []}', encoding="utf-8")
    (record.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: fpipe\nVersion: 9\n", encoding="utf-8")
    record.write_text("fpipe/__init__.py,,\n../../share/fpipe/samples/manifest.json,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(library)
    monkeypatch.setattr(samples, "__file__", str(library / "fpipe" / "synth" / "samples.py"))
    assert samples.folder() == share
    assert samples.manifest() == {"files": []}

    (share / "manifest.json").unlink()
    with pytest.raises(NotFound, match="sample prints are not there"):
        samples.folder()
