"""Grading: every result by hand, intervals against scipy's, and every answers file a spreadsheet may leave."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from fpipe.core.errors import (
    Damaged,
    FpipeError,
    InputRefused,
    NotFound,
    PicturesChanged,
    Truncated,
    Unsupported,
    UsageError,
)
from fpipe.core.files import sha256_hex
from fpipe.service.grading import (
    CLOSE,
    COLUMNS,
    LETTERS,
    MATE,
    OTHER,
    blank_answers,
    grade,
    interval,
    read_answers,
    read_key,
    set_id,
)

RELATIONS: tuple[tuple[str, str, str], ...] = (
    ("good", MATE, OTHER),
    ("good", CLOSE, MATE),
    ("bad", CLOSE, OTHER),
    ("bad", OTHER, OTHER),
    ("ugly", MATE, CLOSE),
)


def make_set(folder: Path, exemplars: int = 2) -> dict[str, Any]:
    """A set of five trials whose pictures are a few bytes; its key beside it."""
    trials = []
    for number, (quality, *relations) in enumerate(RELATIONS, 1):
        name = f"trial-{number:03d}"
        (folder / name).mkdir(parents=True)
        entry: dict[str, Any] = {"trial": name, "mate": None, "latent": {"quality": quality}, "exemplars": {}}
        entry["latent"].update(_picture(folder, f"{name}/latent.png"))
        for letter, relation in zip(LETTERS, relations[:exemplars], strict=False):
            entry["exemplars"][letter] = {"relation": relation, **_picture(folder, f"{name}/exemplar-{letter}.png")}
            if relation == MATE:
                entry["mate"] = letter
        trials.append(entry)
    key = {"made": "proficiency", "schema": 1, "fpipe": "0", "set": set_id(trials)}
    key.update(options={"exemplars": exemplars, "seed": 1}, trials=trials)
    (folder.parent / f"{folder.name}.key.json").write_text(json.dumps(key))
    (folder / "answers.csv").write_bytes(blank_answers(key["set"], [trial["trial"] for trial in trials]))
    return key


def _picture(folder: Path, file: str) -> dict[str, str]:
    (folder / file).write_bytes(file.encode())
    return {"file": file, "sha256": sha256_hex(file.encode())}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_set(tmp_path / "set")
    return tmp_path / "set"


def fill(folder: Path, *answers: str, name: str = "answers.csv", separator: str = ",", end: str = "\n") -> Path:
    """Answers as "conclusion" or "conclusion/exemplar", one a trial."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    writer.writerow(COLUMNS)
    name_of_set = read_key(folder.parent / "set.key.json").name
    for number, answer in enumerate(answers, 1):
        conclusion, _, exemplar = answer.partition("/")
        writer.writerow([name_of_set, f"trial-{number:03d}", conclusion, exemplar, "yes", "", f"a{separator}b \u00e9"])
    (folder / name).write_bytes(text.getvalue().encode())
    return folder / name


def results(path: Path) -> list[str]:
    return [row["result"] for row in grade([path])["examiners"][0]["trials"]]


ALL_RIGHT = ("identification/A", "identification/B", "exclusion", "exclusion", "identification/A")


def test_right_wrong_and_neither(folder: Path) -> None:
    path = fill(folder, "identification/A", "identification/A", "identification/A", "exclusion", "exclusion")
    document = grade([path])
    (examiner,) = document["examiners"]
    assert [(row["result"], row["right"], row["named_is"]) for row in examiner["trials"]] == [
        ("correct identification", True, MATE),
        ("erroneous identification", False, CLOSE),  # there is a mate, but this is another finger
        ("erroneous identification", False, CLOSE),
        ("correct exclusion", True, None),
        ("erroneous exclusion", False, None),
    ]
    assert examiner["totals"] == {
        "trials": 5,
        "mated": 3,
        "correct_identification": 1,
        "correct_exclusion": 1,
        "erroneous_identification": 2,
        "erroneous_exclusion": 1,
        "inconclusive": 0,
        "no_value": 0,
        "missing": 0,
        "erroneous_identification_of_close_non_match": 2,
        "erroneous_identification_of_other_non_match": 0,
    }
    rates = examiner["rates"]
    # the textbook interval of 1 of 2: 1 - sqrt(0.975) to sqrt(0.975)
    assert rates["false_positive"] == {"count": 1, "of": 2, "percent": 50.0, "low": 1.26, "high": 98.74}
    assert (rates["false_negative"]["count"], rates["false_negative"]["of"]) == (1, 3)
    assert (rates["wrong_exemplar"]["count"], rates["wrong_exemplar"]["of"]) == (1, 3)
    assert examiner["by_quality"]["bad"]["rates"]["false_positive"]["count"] == 1
    assert list(examiner["by_quality"]) == ["good", "bad", "ugly"]
    by = examiner["by_non_match"]
    assert by[CLOSE]["totals"]["trials"] == 1 and by[CLOSE]["totals"]["erroneous_identification"] == 1
    assert by[OTHER]["totals"]["trials"] == 1 and by[OTHER]["totals"]["correct_exclusion"] == 1
    assert examiner["pictures_checked"] is True


def test_answers_without_a_decision_are_no_errors(folder: Path) -> None:
    path = fill(folder, "inconclusive/B", "no value", "", "Exclusion", " NO  VALUE ")
    (examiner,) = grade([path])["examiners"]
    assert [row["right"] for row in examiner["trials"]] == [None, None, None, True, None]
    rates = examiner["rates"]
    assert (rates["no_value"]["count"], rates["no_value"]["of"]) == (2, 4)
    assert (rates["inconclusive"]["count"], rates["inconclusive"]["of"]) == (1, 2)
    assert (rates["missing"]["count"], rates["missing"]["of"]) == (1, 5)
    assert rates["false_negative"] == {
        "count": 0, "of": 1, "percent": 0.0, "low": 0.0, "high": 97.5,
    }  # fmt: skip
    assert rates["false_negative_of_conclusive"] == {
        "count": 0, "of": 0, "percent": None, "low": None, "high": None,
    }  # fmt: skip


def test_several_examiners_apart_and_together(folder: Path, tmp_path: Path) -> None:
    first = fill(folder, *ALL_RIGHT, name="a.csv")
    second = fill(folder, "identification/A", "exclusion", "identification/B", "", "inconclusive", name="b.csv")
    document = grade([first, second], out=tmp_path / "graded.json")
    assert json.loads((tmp_path / "graded.json").read_text(encoding="utf-8")) == document
    one, two = document["examiners"]
    assert one["rates"]["false_positive"]["count"] == 0 and two["rates"]["false_positive"]["count"] == 1
    together = document["together"]
    assert together["examiners"] == 2 and together["totals"]["trials"] == 10
    assert (together["rates"]["false_positive"]["count"], together["rates"]["false_positive"]["of"]) == (1, 3)
    assert together["totals"]["erroneous_identification_of_other_non_match"] == 1
    assert together["statement"].startswith("10 trials, 6 of them with a mate. The examiners' conclusions: 4 correct")
    with pytest.raises(UsageError, match="given twice"):
        grade([first, first])


def test_the_statement_leaves_the_conclusion_to_the_examiner(folder: Path) -> None:
    (examiner,) = grade([fill(folder, *ALL_RIGHT)])["examiners"]
    said = examiner["statement"]
    assert "3 correct identification, 2 correct exclusion. " in said
    assert "0 of 2 comparisons of value (0.0 %; 95 % interval 0.0 to 84.19 %)" in said
    assert "identified" not in said and "fpipe looked at no print" in said


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_are_those_of_scipy(counts: tuple[int, int]) -> None:
    count, of = counts
    exact = binomtest(count, of).proportion_ci(0.95, "exact")
    assert interval(count, of) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_an_interval_of_nothing_says_nothing() -> None:
    assert interval(0, 0) == (0.0, 1.0)


# -- what examiners and spreadsheets write -----------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_spreadsheets_csv(folder: Path, separator: str, end: str, encoding: str) -> None:
    path = fill(folder, *ALL_RIGHT, separator=separator, end=end)
    path.write_bytes(path.read_bytes().decode().encode(encoding))
    assert results(path)[:3] == ["correct identification", "correct identification", "correct exclusion"]


def test_marks_and_gaps_of_spreadsheets(folder: Path) -> None:
    path = fill(folder, *ALL_RIGHT, separator=";", end="\r\n")
    lines = path.read_text().splitlines()
    lines[2] = lines[2].rsplit(";", 3)[0]  # empty cells at the end left out
    path.write_text("sep=;\n" + "\n".join([*lines[:3], ";;;;;;", "", *lines[3:], ";;;;;;;;"]) + "\n")
    assert results(path) == [
        "correct identification",
        "correct identification",
        "correct exclusion",
        "correct exclusion",
        "correct identification",
    ]


def test_rows_and_columns_in_any_order(folder: Path) -> None:
    path = fill(folder, *ALL_RIGHT)
    rows = list(csv.reader(path.read_text().splitlines()))
    turned = [[cell for _, cell in sorted(zip(rows[0], row, strict=True))] for row in rows]
    turned[0] = [cell.upper() for cell in turned[0]]
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in [turned[0], *turned[:0:-1]]))
    assert "erroneous identification" not in results(path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("IDENTIFICATION/b", "identification"),
        (" Identified /exemplar-B.png", "identification"),
        ("individualization/Exemplar B", "identification"),
        ("excluded", "exclusion"),
        ("Inconclusive", "inconclusive"),
        ("no-value", "no value"),
        ("Not of value", "no value"),
        ("", ""),
    ],
)
def test_words(folder: Path, written: str, meant: str) -> None:
    path = fill(folder, ALL_RIGHT[0], written, *ALL_RIGHT[2:])
    answer = read_answers(path, read_key(folder.parent / "set.key.json"))["trial-002"]
    assert answer.conclusion == meant and answer.exemplar == ("B" if meant == "identification" else "")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("probable", r"row 3: column conclusion: got 'probable', expected identification, exclusion, inconclusive"),
        ("identification", r"row 3: column exemplar: empty, expected which of A to B"),
        ("identification/C", r"row 3: column exemplar: got 'C', expected a letter from A to B"),
        ("identification/AB", r"row 3: column exemplar: got 'AB'"),
        ("exclusion/A", r"row 3: column exemplar: got 'A', expected nothing: an exclusion is of all exemplars"),
        ('he said "no"', r"row 3: column conclusion: got 'he said \"no\"'"),
    ],
)
def test_words_that_mean_nothing(folder: Path, written: str, said: str) -> None:
    with pytest.raises(InputRefused, match=said) as caught:
        grade([fill(folder, ALL_RIGHT[0], written, *ALL_RIGHT[2:])])
    assert caught.value.exit_code == 5


def test_one_exemplar_needs_no_letter(tmp_path: Path) -> None:
    make_set(tmp_path / "set", exemplars=1)
    path = fill(tmp_path / "set", "identification", "exclusion/A", "identification/a", "exclusion", "exclusion")
    assert results(path) == [
        "correct identification",
        "correct exclusion",
        "erroneous identification",
        "correct exclusion",
        "erroneous exclusion",
    ]
    with pytest.raises(InputRefused, match="got 'B', expected A or nothing"):
        grade([fill(tmp_path / "set", "identification/B", "", "", "", "")])


def test_rows_that_are_twice_unknown_missing_or_of_another_set(folder: Path) -> None:
    path = fill(folder, *ALL_RIGHT)
    whole = path.read_text()
    lines = whole.splitlines()

    def refused(text: str, kind: type[FpipeError], said: str) -> None:
        path.write_text(text)
        with pytest.raises(kind, match=said):
            grade([path])

    refused(whole + lines[2] + "\n", InputRefused, r"row 7: column trial: trial-002 again, it is in row 3 already")
    refused(whole.replace("trial-004", "trial-014"), InputRefused, r"row 5: .*got 'trial-014', expected trial-001 to")
    refused("\n".join(lines[:4]) + "\n", Truncated, r"3 of 5 rows are there, none for trial-004, trial-005")
    refused(whole.replace("set-", "set-0", 1), InputRefused, r"row 2: column set: got 'set-0.*of another set")
    refused(whole.replace("conclusion", "result", 1), InputRefused, r"row 1: no column conclusion")
    refused(whole.replace("value", "trial", 1), InputRefused, r"row 1: column trial twice")
    refused(whole.replace(",yes,", ",yes,a,b,c,", 1), InputRefused, r"row 2: 10 columns, expected 7")
    refused(whole.replace(",yes,", ',"yes,', 1), FpipeError, r"row 2")
    refused("", InputRefused, r"no rows, expected the header")
    refused("\n\n", InputRefused, r"no rows, expected the header")
    refused("PK\x03\x04" + whole, InputRefused, r"a workbook, expected CSV")
    refused(whole.replace("yes", "y\0s", 1), Damaged, r"row 2 holds a zero byte")


def test_no_cut_passes_for_the_whole(folder: Path) -> None:
    """Cut at every length: an error, or no answer lost (only the last row's ungraded notes)."""
    path = fill(folder, *ALL_RIGHT)
    data, right = path.read_bytes(), results(path)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        try:
            assert results(path) == right, length
        except FpipeError as error:
            assert error.exit_code == 5, length
            continue
        assert length >= data.rindex(b"yes,,") + len(b"yes,,"), length


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), value=st.integers(0, 255))
def test_flipped_bytes_are_read_or_refused(folder: Path, at: int, value: int) -> None:
    path = fill(folder, *ALL_RIGHT)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(data)
    try:
        grade([path])
    except FpipeError as error:
        assert error.exit_code == 5


# -- pictures and keys -------------------------------------------------------------------------------------------------


def test_changed_and_lost_pictures_are_named(folder: Path, tmp_path: Path) -> None:
    path = fill(folder, *ALL_RIGHT)
    (folder / "trial-002" / "latent.png").write_bytes(b"marked")
    (folder / "trial-004" / "exemplar-B.png").unlink()
    said = r"trial-002/latent.png is changed, trial-004/exemplar-B.png can't be read"
    with pytest.raises(PicturesChanged, match=said) as caught:
        grade([path])
    assert caught.value.exit_code == 6
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "smith.csv").write_bytes(path.read_bytes())
    document = grade([elsewhere / "smith.csv"], key=tmp_path / "set.key.json")
    assert document["examiners"][0]["pictures_checked"] is False


def test_keys_that_are_none(folder: Path, tmp_path: Path) -> None:
    path, key = fill(folder, *ALL_RIGHT), tmp_path / "set.key.json"
    good = json.loads(key.read_text())

    def refused(content: str, kind: type[FpipeError], said: str) -> None:
        key.write_text(content)
        with pytest.raises(kind, match=said):
            grade([path])

    refused("{", Damaged, "an answer key is JSON")
    refused("[]", InputRefused, "not an answer key")
    refused('{"made": "prints"}', InputRefused, "not an answer key")
    refused(json.dumps({**good, "schema": 9}), Unsupported, "schema 9, this fpipe reads 1")
    refused(json.dumps({**good, "trials": good["trials"][1:]}), Damaged, "not that of the digests listed")
    refused(json.dumps({**good, "trials": []}), Damaged, "no trials")
    refused(json.dumps({**good, "options": {}}), Damaged, "exemplars")
    changed = json.loads(json.dumps(good))
    changed["trials"][0]["mate"] = "B"
    refused(json.dumps(changed), Damaged, "trial-001: mate 'B'")
    changed["trials"][0].update(mate="A", latent={**changed["trials"][0]["latent"], "quality": "x"})
    refused(json.dumps(changed), Damaged, "trial-001: quality 'x'")
    changed["trials"][0]["latent"].update(quality="good", file=None)
    refused(json.dumps(changed), Damaged, "trial-001: a picture without")
    key.unlink()
    with pytest.raises(NotFound, match=r"set.key.json: no answer key beside"):
        grade([path])
    with pytest.raises(NotFound, match=r"other.json"):
        grade([path], key=tmp_path / "other.json")


def test_neither_answers_nor_key_are_overwritten(folder: Path, tmp_path: Path) -> None:
    path = fill(folder, *ALL_RIGHT)
    for out in (path, tmp_path / "set.key.json"):
        before = out.read_bytes()
        with pytest.raises(UsageError, match="never overwritten"):
            grade([path], out=out)
        assert out.read_bytes() == before
    with pytest.raises(NotFound, match=r"absent.csv"):
        grade([folder / "absent.csv"])
