"""What people and disks hand to the commands: pipes, names that are no text or too long, numbers that are none."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from fpipe.cli import gallery, main
from fpipe.cli.common import NumberRange, shown
from fpipe.core.errors import InputRefused, NotFound
from fpipe.core.types import Minutiae, Template
from fpipe.minutiae.files import is_template, write_template
from fpipe.service.convert import Conversion, convert_file
from fpipe.service.inspect import inspect_file
from fpipe.service.reading import read_probe
from fpipe.synth import samples

PRINT = samples.folder() / "p1-left-index.png"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("بصمة ٠١", "بصمة ٠١"),
        ("می\u200cشود", "می\u200cشود"),  # a joiner that Persian needs
        ("a\nb\tc\x1b[31m", r"a\nb\tc\x1b[31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2028", r"\u2028"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_a_terminal_is_shown(text: str, line: str) -> None:
    assert shown(text) == line


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "0x10", "49"])
def test_numbers_that_are_none(number: str) -> None:
    with pytest.raises(click.BadParameter):
        NumberRange(50).convert(number, None, None)
    assert NumberRange(50).convert("1e3", None, None) == 1000


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_a_name_that_is_no_text_is_printed_in_any_language(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\xd8\xa8.png")
    shutil.copy(PRINT, odd)
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "fpipe", "inspect", os.fsencode(odd), "--json"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    document: dict[str, Any] = json.loads(done.stdout.decode("utf-8"))
    assert os.fsencode(document["file"]) == os.fsencode(odd)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # so that a fault here would not wait for ever
    try:
        os.write(descriptor, bytes(4096))
        assert not is_template(pipe)
        with pytest.raises(NotFound, match="device or pipe"):
            read_probe(pipe, None)  # type: ignore[arg-type] - no preset is needed to refuse it
        with pytest.raises(NotFound, match="device or pipe"):
            convert_file(pipe, tmp_path / "out.png", Conversion())
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ["missing.png", "n" * 300, "there.png/below"])
def test_what_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    shutil.copy(PRINT, tmp_path / "there.png")
    with pytest.raises(InputRefused):
        inspect_file(tmp_path / name)
    with pytest.raises(InputRefused):
        convert_file(tmp_path / name, tmp_path / "there.png", Conversion())
    assert (tmp_path / "there.png").read_bytes() == PRINT.read_bytes()


def test_a_picture_is_one_whatever_its_name(tmp_path: Path) -> None:
    """Only a text can be an .xyt."""
    for ending in ("xyt", "json", "iso", "txt"):
        shutil.copy(PRINT, tmp_path / f"a.{ending}")
        assert not is_template(tmp_path / f"a.{ending}")
    write_template(tmp_path / "t.xyt", Template(Minutiae(*np.ones((5, 1), "f4")), 9, 9))
    assert is_template(tmp_path / "t.xyt")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_output_that_can_not_be_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fpipe", "inspect", str(PRINT)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "fpipe: error: standard output: No space left on device\n")
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("size", [10, 1000000])
def test_long_output_that_can_not_be_written(size: int) -> None:
    program = (
        f"import click; from fpipe.cli import main; main.main.main = lambda **_: click.echo('x' * {size}); main.run()"
    )
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "fpipe: error: standard output: No space left on device\n")


def test_what_is_not_the_output_s_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(**_: object) -> None:
        print("said")
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(main.main, "main", fails)
    assert main._guarded() == 1
    assert capsys.readouterr() == ("said\n", "fpipe: error: Too many open files\n")


def test_without_an_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    for error in (BrokenPipeError(), OSError(errno.EMFILE, "Too many open files")):

        def fails(error: OSError = error, **_: object) -> None:
            raise error

        monkeypatch.setattr(main.main, "main", fails)
        assert main._guarded() == 1


LINES = ["list G --subject", "list G --class", "list G --where", "list G --finger", "list G --since", "show G"]
LINES += ["remove G", "remove G --subject", "link G a", "unlink G a", "remove G a --reason"]


@pytest.mark.parametrize("line", LINES)
def test_arguments_that_are_no_text(line: str) -> None:
    arguments = [*line.split(), os.fsdecode(b"case=\xff") if sys.platform != "win32" else "case=\udcff"]
    with pytest.raises(click.BadParameter, match="no valid text"):
        gallery.command.main(arguments, standalone_mode=False)
