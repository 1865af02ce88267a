"""``fpipe synth``: text, JSON, wrong usage, and an evaluation of what it drew."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import pytest
from click import UsageError as ClickUsageError
from click.testing import CliRunner, Result

from fpipe.cli import evaluate, synth
from fpipe.core.errors import UsageError


def run(command: object, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)  # type: ignore[arg-type]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_templates_says_what_it_made(tmp_path: Path) -> None:
    out = tmp_path / "t"
    document = json.loads(run(synth.command, "templates", out, "--count", 20, "--impressions", 4, "--json").stdout)
    assert document["templates"] == 20 and document["fingers"] == 5 and document["folder"] == out.as_posix()
    assert document["seconds"] >= 0
    again = run(synth.command, "templates", out, "--count", 20, "--impressions", 4)
    assert again.stdout.startswith(f"{out.as_posix()}: 20 templates of 5 fingers, ")


def test_wrong_usage(tmp_path: Path) -> None:
    for arguments in (("--count", 0), ("--count", 1, "--seed", 2**26), ("--count", 1, "--use", "fun"), ()):
        with pytest.raises(ClickUsageError):
            run(synth.command, "templates", tmp_path / "t", *arguments)
    with pytest.raises(UsageError, match="ask for"):
        run(synth.command, "templates", tmp_path / "t", "--count", 7, "--impressions", 2)
    assert not (tmp_path / "t").exists()


def test_help_has_examples() -> None:
    for command in (synth.command, *synth.command.commands.values()):
        assert "Example:" in (command.epilog or ""), command.name


def test_an_evaluation_takes_the_folder(tmp_path: Path) -> None:
    run(synth.command, "templates", tmp_path / "t", "--count", 12, "--impressions", 2)
    with (tmp_path / "t" / "labels.csv").open(newline="") as handle:
        prints = [row["print"] for row in csv.DictReader(handle)]
    with (tmp_path / "pairs.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("probe", "gallery"), *itertools.combinations(prints, 2)])
    folders = ("--data", tmp_path / "t", "--templates", tmp_path / "t", "--out", tmp_path / "e")
    done = run(evaluate.command, "verify", *folders, "--pairs", tmp_path / "pairs.csv", "--json")
    document = json.loads(done.stdout)
    assert document["comparisons"] == 66 and document["unusable"] == {}
    assert document["genuine"] == 6 and document["impostor"] == 60
