"""Lists of files as spreadsheets write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpipe.core.errors import NotFound, UsageError
from fpipe.service.gallery_files import Details
from fpipe.service.manifest import read_manifest


def rows(tmp_path: Path, data: bytes) -> list[tuple[Path, Details]]:
    (tmp_path / "list.csv").write_bytes(data)
    return list(read_manifest(tmp_path / "list.csv"))


ROWS = "subject;finger;kind;path;ppi;grave\r\nأحمد;right_index;Rolled;بصمة 1.png;500;A-7\r\n;;;b.png;;\r\n\r\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_columns_become_what_is_said(tmp_path: Path, mark: bytes, separator: str) -> None:
    assert rows(tmp_path, mark + ROWS.replace(";", separator).encode()) == [
        (tmp_path / "بصمة 1.png", Details("أحمد", "right_index", "rolled", 500.0, {"grave": "A-7"})),
        (tmp_path / "b.png", Details()),
    ]


def test_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    data = b'Path,DNA Number\n"/x/a, b.png",12\n"two\nlines.png", 13 \n spaced ,\n'
    assert rows(tmp_path, data) == [
        (Path("/x/a, b.png"), Details(fields={"dna_number": "12"})),
        (tmp_path / "two\nlines.png", Details(fields={"dna_number": "13"})),
        (tmp_path / " spaced ", Details()),
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1: the columns are none; expected one named path"),
        (b"file,subject\na,b\n", "line 1: the columns are file, subject; expected one named path"),
        (b"path,path\na,b\n", "line 1: the column 'path' is there 2 times"),
        (b"path,sha256\na,b\n", "line 1: column 'sha256': expected a name of a-z"),
        ("path,قضية\na,b\n".encode(), "line 1: column 'قضية': expected a name of a-z"),
        (b"path,case\na,1\nb\n", "line 3: 1 cells, expected 2 as in the first line"),
        (b"path,case\na,1\n,2\n", "line 3: its path is empty"),
        (b"path,kind\na,palm\n", "line 2: the kind is 'palm', expected plain, rolled, latent"),
        (b"path;ppi\na;500,0\n", "line 2: the ppi is '500,0', expected a number of 50 to 10000"),
        (b"path,ppi\na,nan\n", "line 2: the ppi is 'nan'"),
        (b"path,case\na,1\nb,\xe4\n", "line 3: byte 3 of the line is no UTF-8; save it as CSV in UTF-8"),
        ("path,case\n".encode("utf-16"), "line 1: it is UTF-16; save it as CSV in UTF-8"),
        (b"PK\x03\x04\xff", "line 1: it is a spreadsheet"),
        (b'path,case\na,"1\n', "line 2: unexpected end of data"),
        (b"path,case\na\0,1\n", "line 2: its path holds a zero byte"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_before_anything_is_given(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(UsageError) as error:
        read_manifest(tmp_path / "list.csv")
    assert words in str(error.value)
    assert "list.csv" in str(error.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        read_manifest(tmp_path / "none.csv")


@pytest.mark.skipif(os.sep == "\\", reason="there they are separators")
def test_paths_that_windows_wrote(tmp_path: Path) -> None:
    """Where there is no file of the very name."""
    (tmp_path / "scans").mkdir()
    for name in ("scans/a.png", r"scans\b.png", "scans/b.png"):
        (tmp_path / name).touch()
    found = [path for path, _ in rows(tmp_path, b"path\r\nscans\\a.png\r\nscans\\b.png\r\nscans\\c.png\r\n")]
    assert found == [tmp_path / "scans/a.png", tmp_path / r"scans\b.png", tmp_path / r"scans\c.png"]


def test_separators_for_empty_columns(tmp_path: Path) -> None:
    data = b"path;case;;\r\na.png;1;;\r\nb.png;;;;;\r\n"
    assert rows(tmp_path, data) == [
        (tmp_path / "a.png", Details(fields={"case": "1"})),
        (tmp_path / "b.png", Details()),
    ]
    with pytest.raises(UsageError, match="line 2: 3 cells, expected 2"):
        rows(tmp_path, b"path;case;\na.png;1;x\n")
    with pytest.raises(UsageError, match="column ''"):
        rows(tmp_path, b"path;;case\na.png;;x\n")
