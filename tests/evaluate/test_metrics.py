"""Error rates agree with the shared scorer and with cases small enough to count by hand."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fpipe.evaluate.metrics import identification, verification


def test_perfect_separation_has_no_error() -> None:
    rates = verification(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    assert rates.eer == 0
    assert rates.fnmr_at(0.0) == 0


def test_ties_count_against_the_system() -> None:
    rates = verification(np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    assert rates.fnmr_at(0.01) == 1
    assert rates.eer == pytest.approx(0.5)
    rows = [("p", "mate", 1.0), ("p", "other", 1.0)]
    found = identification(rows, {"p": "a", "mate": "a", "other": "b"})
    assert list(found.ranks) == [2]


def test_a_mate_that_is_not_listed_is_beyond_every_rank() -> None:
    rows = [("p", "other", 1.0), ("q", "mate", 5.0), ("q", "other", 1.0)]
    found = identification(rows, {"p": "a", "q": "a", "mate": "a", "other": "b"})
    assert found.hit_rate(50) == 0.5


def _drawn(seed: int) -> tuple[list[tuple[str, str, float]], dict[str, str]]:
    rng = np.random.default_rng(seed)
    finger = {f"{f}_{i}": str(f) for f in range(12) for i in range(4)}
    names = list(finger)
    rows = []
    for i, a in enumerate(names):
        for b in names[:i]:
            score = round(float(rng.gamma(2 + 6 * (finger[a] == finger[b]), 1)), 1)  # rounded: ties occur
            rows.append((a, b, score))
    return rows, finger


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", ["verify", "identify"])
def test_agrees_with_the_shared_scorer(data: Path, tmp_path: Path, task: str, seed: int) -> None:
    scorer = data.parent / "bench" / "score.py"
    if not scorer.exists():
        pytest.skip(f"SCORER ABSENT: {scorer}; this test did not run")
    rows, finger = _drawn(seed)
    for name, head, lines in (("s", ["probe", "gallery", "score"], rows), ("l", ["print", "finger"], finger.items())):
        with (tmp_path / f"{name}.csv").open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(head)
            writer.writerows(lines)
    command = [sys.executable, scorer, task, tmp_path / "s.csv", tmp_path / "l.csv", "--json"]
    expected = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if task == "identify":
        found = identification(rows, finger).as_document()
    else:
        same = np.array([finger[a] == finger[b] for a, b, _ in rows])
        scores = np.array([score for _, _, score in rows])
        found = verification(scores[same], scores[~same]).as_document()
    assert found == pytest.approx(expected)
