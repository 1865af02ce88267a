"""The command as a user runs it: a process of its own, with nothing but its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def fpipe() -> Run:
    """``fpipe(*arguments)`` -> the finished process, its output as text."""

    def run(*arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> object:
        return subprocess.run(
            [sys.executable, "-m", "fpipe", *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=300,
            check=False,
        )

    return run  # type: ignore[return-value]


@pytest.fixture(scope="session")
def demo(fpipe: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demonstration, run once for all tests: (its folder, the finished process)."""
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, fpipe("demo", "--out", out, "--json")
