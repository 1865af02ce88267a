"""``fpipe gallery`` list, show, subjects, set, link, unlink, as scripts and people use them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from gallery_maker import create, new_print

from fpipe.cli import gallery as module
from fpipe.cli import selecting
from fpipe.cli.common import print_json_with_list
from fpipe.core.errors import BadParameter, UnknownPrint, UnknownSubject, UsageError
from fpipe.index import KINDS, Gallery


def run(*arguments: object) -> str:
    result = CliRunner().invoke(module.command, [str(a) for a in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def document(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Two prints of Ahmad, one of a body without a name, one of nobody known; and a latent."""
    said: list[dict[str, Any]] = [
        {"print": "1.png", "subject": "أحمد", "finger": "right_index", "fields": {"case": "12"}},
        {"print": "2.png", "subject": "أحمد", "finger": "left ring", "fields": {"case": "12", "class": "whorl"}},
        {"print": "3.png", "subject": "grave 3, body 17", "finger": "2", "fields": {"grave": "3"}},
        {"print": "4.png", "subject": None, "finger": None, "fields": {}},
        {"print": "5.png", "subject": None, "finger": None, "kind": "latent", "fields": {"case": "12"}},
    ]
    with create(tmp_path / "G") as made:
        made.add([replace(new_print(n), **facts) for n, facts in enumerate(said)])
    return tmp_path / "G"


def test_the_kinds_that_are_offered_are_those_of_the_index() -> None:
    assert selecting.KINDS == KINDS


def test_list_means_what_its_options_say(gallery: Path) -> None:
    def names(*options: str) -> list[str]:
        return [p["print"] for p in document("list", gallery, *options)["prints"]]

    assert names() == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    assert names("--where", "case=12") == ["1.png", "2.png", "5.png"]
    assert names("--where", "case=12", "--kind", "plain", "--hand", "left") == ["2.png"]
    assert names("--finger", "2") == ["1.png", "3.png"]
    assert names("--subject", "أحمد", "--finger", "left_ring", "--finger", "left_little") == ["2.png"]
    assert names("--class", "Whorl") == ["2.png"]
    assert names("--since", "2020-01-01", "--until", "2020-01-02") == []
    assert document("list", gallery, "--where", "case=12")["selection"] == {"where": ["case=12"]}
    text = run("list", gallery, "--where", "grave=3")
    assert "3.png  plain," in text
    assert "(grave 3, body 17 2 grave=3)" in text
    assert text.endswith("1 prints\n")
    with pytest.raises(BadParameter, match="FIELD=VALUE"):
        run("list", gallery, "--where", "case")
    with pytest.raises(BadParameter, match="right_index"):
        run("list", gallery, "--finger", "nose")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_long_list_is_one_document(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"name": "a\nb\u2028c", "fields": {"case": str(n)}, "none": {}} for n in range(count)]
    print_json_with_list("prints", iter(items), {"more": [1], "selection": {}})
    assert json.loads(capsys.readouterr().out) == {"prints": items, "more": [1], "selection": {}}


def test_show_gives_the_gallery_in_numbers(gallery: Path) -> None:
    said = document("show", gallery)
    with Gallery.open(gallery) as opened:
        assert said["digest"] == opened.digest()
        assert said["extraction_digests"] == opened.extraction_digests()
    assert (said["prints"], said["files"], said["subjects"], said["persons"]) == (5, 5, 2, 2)
    assert said["kinds"] == {"latent": 1, "plain": 4}
    assert said["without_subject"] == 2
    assert "latent 1, plain 4" in run("show", gallery)
    one = document("show", gallery, "3.png")
    assert (one["print"], one["fields"], one["original"], one["person"]) == (
        "3.png",
        {"grave": "3"},
        True,
        ["grave 3, body 17"],
    )
    assert "grave 3" in run("show", gallery, "3.png")
    with pytest.raises(UnknownPrint):
        run("show", gallery, "no such")


def test_set_corrects_what_is_said(gallery: Path) -> None:
    assert document("set", gallery, "4.png", "subject=Karim", "finger=Left Thumb", "exhibit=A=7") == {
        "prints": 1,
        "changed": 1,
    }
    one = document("show", gallery, "4.png")
    assert (one["subject"], one["finger"], one["fields"]) == ("Karim", "left_thumb", {"exhibit": "A=7"})
    changed = document("set", gallery, "--subject", "أحمد", "case=", "dna_number=D-1", "--reason", "list of May")
    assert changed == {"prints": 2, "changed": 2}
    assert document("show", gallery, "2.png")["fields"] == {"class": "whorl", "dna_number": "D-1"}
    assert run("set", gallery, "--where", "dna_number=D-1", "dna_number=D-1") == "2 prints, 0 changed\n"
    run("set", gallery, "4.png", "subject=")
    assert document("show", gallery, "4.png")["subject"] is None
    with Gallery.open(gallery) as opened:
        assert opened.check() == []


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (["4.png"], click.UsageError, "what to set"),
        (["no such", "case=1"], UnknownPrint, "no such"),
        (["4.png", "case"], BadParameter, "NAME=VALUE"),
        (["4.png", "case=1", "case=2"], BadParameter, "once"),
        (["4.png", "kind=latent"], BadParameter, "none of kind"),
        (["4.png", "Case=1"], BadParameter, "a-z"),
        (["4.png", "ppi=1"], BadParameter, "none of kind.*ppi"),
        (["4.png", "path=1"], BadParameter, "other than"),
        (["--subject", "nobody", "case=1"], UnknownSubject, "nobody"),
        (["--where", "case=99", "case=1"], UsageError, "case=99"),
    ],
)
def test_what_can_not_be_set(gallery: Path, arguments: list[str], error: type[Exception], match: str) -> None:
    with Gallery.open(gallery) as opened:
        before = opened.digest()
    with pytest.raises(error, match=match):
        run("set", gallery, *arguments)
    with Gallery.open(gallery) as opened:
        assert opened.digest() == before


def test_subjects_are_linked_and_unlinked(gallery: Path) -> None:
    found = document("subjects", gallery)
    assert [(p["subjects"], len(p["prints"])) for p in found["persons"]] == [(["grave 3, body 17"], 1), (["أحمد"], 2)]
    assert found["without_subject"] == 2
    linked = ["grave 3, body 17", "أحمد"]
    assert document("link", gallery, *linked, "--reason", "DNA report 118") == {"person": linked}
    found = document("subjects", gallery)
    assert found["links"] == [linked]
    (person,) = found["persons"]
    assert person["subjects"] == linked
    assert [p["print"] for p in person["prints"]] == ["1.png", "2.png", "3.png"]
    assert person["fingers"] == ["left_ring", "right_index"]
    assert document("show", gallery, "3.png")["person"] == linked
    assert document("show", gallery)["persons"] == 1
    assert "grave 3, body 17 = أحمد: 3 prints" in run("subjects", gallery)
    assert "grave 3" in run("link", gallery, *linked)
    assert document("unlink", gallery, *linked, "--reason", "the report was withdrawn") == {"person": linked[:1]}
    assert document("subjects", gallery)["links"] == []
    with pytest.raises(UnknownSubject):
        run("link", gallery, "nobody", "أحمد")
    with pytest.raises(UsageError, match="not linked"):
        run("unlink", gallery, *linked)


def test_every_help_of_records_has_an_example() -> None:
    for name in ("list", "show", "subjects", "set", "link", "unlink"):
        assert "Example:" in run(name, "--help")


def test_records_are_listed_without_what_reads_and_compares_prints() -> None:
    """Importing these takes longer than to list a large gallery."""
    script = "import fpipe.service.records, sys; print({'numba', 'skimage', 'cv2', 'onnxruntime'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
