"""What all tests share: the real data folder, found or loudly missed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The folder of real prints: FPIPE_DATA, or ../shared/data beside the project."""
    return Path(os.environ.get("FPIPE_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def data() -> Path:
    folder = data_folder()
    if not (folder / "labels.csv").exists():
        pytest.skip(f"REAL DATA ABSENT: {folder} (set FPIPE_DATA); this test did not run")
    return folder


@pytest.fixture(scope="session")
def cases(data: Path) -> Path:
    """The folder of inputs that broke other tools, beside the data folder."""
    folder = data.parent / "cases"
    if not (folder / "cases.json").exists():
        pytest.skip(f"CASES ABSENT: {folder}; this test did not run")
    return folder
