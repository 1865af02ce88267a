"""``fpipe synth proficiency`` and ``fpipe synth grade``: a test held from the drawing to the grades."""

from __future__ import annotations

import csv
import inspect
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fpipe.cli import proficiency as cli
from fpipe.cli import synth
from fpipe.core.errors import InputRefused, UsageError
from fpipe.service.proficiency import Order


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(synth.command, [str(a) for a in arguments], standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def answer(file: Path, *conclusions: str) -> None:
    with file.open(newline="") as handle:
        rows = list(csv.reader(handle))
    for row, conclusion in zip(rows[1:], conclusions, strict=True):
        row[2] = conclusion
    with file.open("w", newline="") as handle:
        csv.writer(handle, delimiter=";").writerows(rows)


def test_a_test_is_held(tmp_path: Path) -> None:
    out = tmp_path / "t"
    made = json.loads(run("proficiency", out, "--trials", 2, "--difficulty", "good", "--seed", 8, "--json").stdout)
    assert made["trials"] == 2 and made["exemplars"] == 2 and made["folder"] == out.as_posix()
    assert made["key"] == f"{out.as_posix()}.key.json"
    key = json.loads(Path(made["key"]).read_text())
    answer(
        out / "answers.csv", *("exclusion" if trial["mate"] is None else "identification" for trial in key["trials"])
    )
    graded = json.loads(run("grade", out / "answers.csv", "--json", "--out", tmp_path / "g.json").stdout)
    assert json.loads((tmp_path / "g.json").read_text()) == graded
    assert graded["set"] == made["set"] and graded["examiners"][0]["pictures_checked"] is True
    assert all(row["right"] for row in graded["examiners"][0]["trials"])

    other = tmp_path / "other.csv"
    other.write_bytes((out / "answers.csv").read_bytes())
    answer_all = other.read_text().replace(";identification;", ";exclusion;")
    other.write_text(answer_all)
    text = run("grade", out / "answers.csv", other, "--key", made["key"])
    assert text.exit_code == 0
    said = text.stdout.splitlines()
    assert said[0] == (out / "answers.csv").as_posix() and other.as_posix() in said
    assert "pictures: none beside the answers, not checked" in said
    assert any(line.endswith("exclusion: erroneous exclusion") for line in said)
    assert "2 examiners together" in said
    assert "  all: false negative 1 of 2, 50.0 % (1.3 to 98.7 %)" in said
    with pytest.raises(UsageError, match="not empty"):
        run("proficiency", out, "--trials", 2)


def test_text_names_folder_and_key_but_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"set": "set-0", "trials": 3, "exemplars": 6, "folder": "t", "key": "t.key.json", "seconds": 1.25}
    monkeypatch.setattr("fpipe.service.proficiency.synth_proficiency", lambda *_, **__: made)
    text = run("proficiency", tmp_path / "t", "--trials", 3, "--exemplars", 2).stdout
    assert text == ("t: set-0, 3 trials with 6 exemplars, 1.2 s\nt.key.json: the answers; keep it from the examiners\n")


def test_wrong_usage(tmp_path: Path) -> None:
    for arguments in (
        ("--trials", 0),
        ("--trials", 1, "--mated", 1.2),
        ("--trials", 1, "--seed", -1),
        ("--trials", 1, "--close", "nan"),
        (),
    ):
        with pytest.raises(click.UsageError):
            run("proficiency", tmp_path / "t", *arguments)
    for arguments in (("--exemplars", 11), ("--seed", 2**52)):
        with pytest.raises(UsageError):
            run("proficiency", tmp_path / "t", "--trials", 1, *arguments)
    with pytest.raises(click.UsageError):
        run("grade")
    with pytest.raises(InputRefused, match="no answer key beside"):
        run("grade", tmp_path / "answers.csv")
    assert not list(tmp_path.iterdir())


def test_defaults_are_the_orders() -> None:
    own = {name: p.default for name, p in inspect.signature(Order).parameters.items() if name != "trials"}
    options = {p.name: p.default for p in cli.proficiency.params if p.name in own}
    options["seed"] = None  # click 8.3 has a mark of its own for "no default"
    assert options == own
