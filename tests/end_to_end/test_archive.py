"""An archive of cards, some damaged, some copied, enrolled and enrolled again under kills: the benchmark, small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it watches the memory of processes in /proc, and kills them")
def test_a_small_archive(tmp_path: Path) -> None:
    options = ["--cards", "12", "--fingers", "2", "--kill-every", "15", "--preset", "fast", "--out", str(tmp_path)]
    command = [sys.executable, "benchmarks/archive.py", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| left out exactly what was damaged | yes |" in done.stdout
    assert "digest identical" in done.stdout
