"""An examiner's answers to a proficiency test against its key: what was right, what was wrong, and how sure that is."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpipe.core.errors import Damaged, InputRefused, NotFound, PicturesChanged, Truncated, Unsupported, UsageError
from fpipe.core.files import sha256_hex, sha256_of, write_atomic

KEY_MADE, KEY_SCHEMA = "proficiency", 1
ANSWERS, KEY_ENDING = "answers.csv", ".key.json"
COLUMNS = ("set", "trial", "conclusion", "exemplar", "value", "difficulty", "notes")
LETTERS = "ABCDEFGHIJ"
"""Names of a trial's exemplars."""
QUALITIES = ("good", "bad", "ugly")
"""Of latents."""
MATE, CLOSE, OTHER = "mate", "close non-match", "other non-match"

IDENTIFICATION, EXCLUSION, INCONCLUSIVE, NO_VALUE = "identification", "exclusion", "inconclusive", "no value"
CONCLUSIONS = (IDENTIFICATION, EXCLUSION, INCONCLUSIVE, NO_VALUE)
_SAME_AS = {
    **{name: name for name in CONCLUSIONS},
    **dict.fromkeys(("identified", "ident", "id", "individualization", "individualisation"), IDENTIFICATION),
    **dict.fromkeys(("excluded", "exclude", "excl"), EXCLUSION),
    **dict.fromkeys(("inconcl", "inc"), INCONCLUSIVE),
    **dict.fromkeys(("novalue", "of no value", "not of value", "nv", "unsuitable"), NO_VALUE),
}
RESULTS = (
    "correct identification",
    "correct exclusion",
    "erroneous identification",
    "erroneous exclusion",
    INCONCLUSIVE,
    NO_VALUE,
    "missing",
)
_RIGHT = {RESULTS[0]: True, RESULTS[1]: True, RESULTS[2]: False, RESULTS[3]: False}
_CONFIDENCE = 0.95
_MOST_BYTES = 16 << 20
_NEEDED = COLUMNS[:4]


# -- what a set and its key are called -------------------------------------------------------------------------------


def default_key(folder: Path) -> Path:
    """The place of a set's key: beside its folder, never in it."""
    return folder.parent / f"{folder.name}{KEY_ENDING}"


def set_id(trials: Iterable[Mapping[str, Any]]) -> str:
    """A set's name: from its pictures' digests alone, which everyone can compute who has the pictures."""
    digests = [one["sha256"] for trial in trials for one in (trial["latent"], *trial["exemplars"].values())]
    return f"set-{hashlib.sha256(':'.join(digests).encode()).hexdigest()[:12]}"


def blank_answers(name: str, trials: Sequence[str]) -> bytes:
    """answers.csv as the examiner gets it."""
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows((name, trial, *[""] * (len(COLUMNS) - 2)) for trial in trials)
    return rows.getvalue().encode()


@dataclass(frozen=True, slots=True)
class Key:
    """A set's truth: as the file has it, read and checked."""

    path: Path
    name: str
    trials: dict[str, dict[str, Any]]
    exemplars: int
    version: str


def read_key(path: Path) -> Key:
    """Read an answer key.

    Raises NotFound, Damaged where it is none or contradicts itself, Unsupported for another schema.
    """
    data = _bytes_of(path)
    try:
        document = json.loads(data)
    except ValueError as error:
        raise Damaged(where=str(path), reason=f"an answer key is JSON, and this is not ({error})") from error
    if not isinstance(document, dict) or document.get("made") != KEY_MADE:
        raise InputRefused(where=str(path), reason="not an answer key; expected the .key.json of a proficiency test")
    if document.get("schema") != KEY_SCHEMA:
        reason = f"the key has schema {document.get('schema')!r}, this fpipe reads {KEY_SCHEMA}"
        raise Unsupported(where=str(path), reason=f"{reason}; grade with the fpipe that made it, or a newer one")
    try:
        return _checked_key(path, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(where=str(path), reason=f"{type(error).__name__}: {error}") from error


def _checked_key(path: Path, document: dict[str, Any]) -> Key:
    trials = {str(trial["trial"]): trial for trial in document["trials"]}
    if len(trials) != len(document["trials"]) or not trials:
        raise ValueError("no trials, or the same trial twice")
    if set_id(document["trials"]) != document["set"]:
        raise ValueError(f"the set's name {document['set']!r} is not that of the digests listed")
    exemplars = int(document["options"]["exemplars"])
    for name, trial in trials.items():
        relations = {letter: one["relation"] for letter, one in trial["exemplars"].items()}
        mates = [letter for letter, relation in relations.items() if relation == MATE]
        if list(relations) != list(LETTERS[:exemplars]) or not set(relations.values()) <= {MATE, CLOSE, OTHER}:
            raise ValueError(f"{name}: exemplars {relations}")
        if mates != ([] if trial["mate"] is None else [trial["mate"]]):
            raise ValueError(f"{name}: mate {trial['mate']!r}, but its exemplars are {relations}")
        if trial["latent"]["quality"] not in QUALITIES:
            raise ValueError(f"{name}: quality {trial['latent']['quality']!r}")
        if not all(isinstance(one["file"], str) for one in (trial["latent"], *trial["exemplars"].values())):
            raise TypeError(f"{name}: a picture without the name of its file")
    return Key(path, document["set"], trials, exemplars, str(document["fpipe"]))


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputRefused(where=str(path), reason=f"larger than {_MOST_BYTES >> 20} MB, expected a small file")
        return path.read_bytes()
    except OSError as error:
        raise NotFound(where=str(path), reason=error.strerror or str(error)) from error


# -- an answers file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: conclusion "" where there is none; exemplar "" where none is named."""

    conclusion: str
    exemplar: str


def read_answers(path: Path, key: Key) -> dict[str, Answer]:
    """Read a filled-in answers.csv: comma, semicolon or tab, any line end, with or without byte order mark.

    Raises InputRefused (or a class under it) that names row, column, got and expected.  Rows are numbered as a
    spreadsheet shows them: the header is row 1.
    """
    text = _text_of(path)
    rows = list(_rows(path, text))
    if not rows:
        raise InputRefused(where=str(path), reason=f"no rows, expected the header {', '.join(COLUMNS)}")
    column = _header(path, rows[0][1])
    answers: dict[str, Answer] = {}
    seen: dict[str, int] = {}
    for number, cells in rows[1:]:
        _refuse_short(path, number, cells, rows, text)
        row = {name: cells[at].strip() if at < len(cells) else "" for name, at in column.items()}
        trial = _trial_of(path, number, row, key)
        if trial in answers:
            reason = f"column trial: {trial} again, it is in row {seen[trial]} already; expected one row a trial"
            raise InputRefused(where=f"{path}: row {number}", reason=reason)
        answers[trial], seen[trial] = _answer_of(path, number, row, key), number
    absent = [name for name in key.trials if name not in answers]
    if absent:
        told = f"{', '.join(absent[:3])}{f' and {len(absent) - 3} more' if len(absent) > 3 else ''}"
        reason = f"{len(rows) - 1} of {len(key.trials)} rows are there, none for {told}"
        raise Truncated(where=str(path), reason=f"{reason}; a trial that was not answered keeps its row, left empty")
    return answers


def _text_of(path: Path) -> str:
    data = _bytes_of(path)
    if data[:4] == b"PK\x03\x04" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise InputRefused(
            where=str(path), reason="a workbook, expected CSV; save it as CSV in the spreadsheet program"
        )
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:  # of an older spreadsheet program; only the notes hold such letters
            text = data.decode("latin-1")
    if "\0" in text:
        raise Damaged(where=str(path), reason=f"row {text[: text.index(chr(0))].count(chr(10)) + 1} holds a zero byte")
    return text


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells) of all rows that are not empty."""
    if re.match(r"sep=.\r?\n", text):  # Excel's own mark; it shows it as no row
        text = text[text.index("\n") + 1 :]
    head = text.lstrip("\r\n").splitlines()[:1]
    if not head:
        return
    separator = max(",;\t", key=head[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                reason = f"row {number}: a quotation mark is opened and never closed"
                raise Truncated(where=str(path), reason=reason) from error
            raise InputRefused(where=f"{path}: row {number}", reason=f"not CSV: {error}") from error
        if any(cell.strip() for cell in cells):
            yield number, cells


def _header(path: Path, cells: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in cells]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        reason = (
            f"no column {', '.join(missing)}, got {', '.join(names)[:100]!r}; expected the header {', '.join(COLUMNS)}"
        )
        raise InputRefused(where=f"{path}: row 1", reason=reason)
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise InputRefused(where=f"{path}: row 1", reason=f"column {twice[0]} twice, expected it once")
    return {name: names.index(name) for name in _NEEDED}


def _refuse_short(path: Path, number: int, cells: list[str], rows: list[tuple[int, list[str]]], text: str) -> None:
    """Spreadsheet programs leave out empty cells at the end of rows, but they end every line."""
    width, last = len(rows[0][1]), number == rows[-1][0]
    if last and len(cells) < width and not text.endswith(("\n", "\r")):
        reason = f"row {number} ends after {len(cells)} of {width} columns, in the middle of a line"
        raise Truncated(where=str(path), reason=reason)
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        reason = f"{len(cells)} columns, expected {width}; a text that holds the separator belongs in quotation marks"
        raise InputRefused(where=f"{path}: row {number}", reason=reason)


def _trial_of(path: Path, number: int, row: dict[str, str], key: Key) -> str:
    if row["set"].lower() != key.name:
        reason = f"column set: got {row['set']!r}, expected {key.name!r}; these answers are of another set than the key"
        raise InputRefused(where=f"{path}: row {number}", reason=reason)
    trial = row["trial"].lower()
    if trial not in key.trials:
        names = list(key.trials)
        reason = f"column trial: got {row['trial']!r}, expected {names[0]} to {names[-1]}"
        raise InputRefused(where=f"{path}: row {number}", reason=reason)
    return trial


def _answer_of(path: Path, number: int, row: dict[str, str], key: Key) -> Answer:
    where = f"{path}: row {number}"
    word = re.sub(r"[\s_-]+", " ", row["conclusion"].lower()).strip()
    if word and word not in _SAME_AS:
        reason = f"column conclusion: got {row['conclusion']!r}, expected {', '.join(CONCLUSIONS)}, or nothing"
        raise InputRefused(where=where, reason=reason)
    conclusion, letters = _SAME_AS.get(word, ""), LETTERS[: key.exemplars]
    named = re.fullmatch(r"(?:exemplar[-_ ]?)?([a-z])(?:\.(?:png|tif|wsq))?", row["exemplar"].lower())
    exemplar = named[1].upper() if named else row["exemplar"]
    if exemplar and (named is None or exemplar not in letters):
        expected = "A or nothing" if key.exemplars == 1 else f"a letter from A to {letters[-1]}, or nothing"
        reason = f"column exemplar: got {row['exemplar']!r}, expected {expected}"
        raise InputRefused(where=where, reason=reason)
    if conclusion == IDENTIFICATION and not exemplar:
        if key.exemplars > 1:
            reason = f"column exemplar: empty, expected which of A to {letters[-1]} the identification is of"
            raise InputRefused(where=where, reason=reason)
        exemplar = "A"
    if conclusion == EXCLUSION and exemplar and key.exemplars > 1:
        reason = f"column exemplar: got {row['exemplar']!r}, expected nothing: an exclusion is of all exemplars"
        raise InputRefused(where=where, reason=reason)
    return Answer(conclusion, exemplar)


# -- grading ---------------------------------------------------------------------------------------------------------


def grade(answers: Sequence[Path], *, key: Path | None = None, out: Path | None = None) -> dict[str, Any]:
    """Grade answer files, one examiner's each, by themselves and together.

    key : None: the one beside the answers' folder
    out : where the document is written too, as JSON

    Returns a JSON-able document; docs/proficiency.md describes it.

    Raises UsageError, InputRefused (a file can't be read or is of another set), PicturesChanged, DiskFull.
    """
    files = [path.resolve() for path in answers]
    for path in answers:
        if files.count(path.resolve()) > 1:
            raise UsageError(reason=f"{path}: given twice, expected one file an examiner")
    found = read_key(key or _key_beside(answers))
    if out is not None and out.resolve() in (*files, found.path.resolve()):
        raise UsageError(reason=f"{out}: holds answers or the key, which are never overwritten; choose another name")
    examiners = [_examiner(path, found) for path in answers]
    everything = [row for examiner in examiners for row in examiner["trials"]]
    together = {"examiners": len(examiners), **_summed(everything, "The examiners'")}
    document = {
        "set": found.name,
        "key": found.path.as_posix(),
        "key_sha256": sha256_hex(_bytes_of(found.path)),
        "made_with": found.version,
        "confidence_percent": 100 * _CONFIDENCE,
        "examiners": examiners,
        "together": together,
    }
    if out is not None:
        write_atomic(out, (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())
    return document


def _key_beside(answers: Sequence[Path]) -> Path:
    places = list(dict.fromkeys(default_key(path.absolute().parent) for path in answers))
    there = [place for place in places if place.exists()]
    if not there:
        raise NotFound(where=str(places[0]), reason="no answer key beside the answers' folder; name it with --key")
    return there[0]


def _examiner(path: Path, key: Key) -> dict[str, Any]:
    answers = read_answers(path, key)
    checked = _check_pictures(path.absolute().parent, key)
    rows = [_judged(trial, answers[name]) for name, trial in key.trials.items()]
    return {
        "answers": path.as_posix(),
        "sha256": sha256_hex(_bytes_of(path)),
        "pictures_checked": checked,
        **_summed(rows, "The examiner's"),
        "trials": rows,
    }


def _check_pictures(folder: Path, key: Key) -> bool:
    """Whether the set's pictures lie beside the answers; then they must be those that the key is of."""
    if not any((folder / name).is_dir() for name in key.trials):
        return False
    wrong = []
    for trial in key.trials.values():
        for one in (trial["latent"], *trial["exemplars"].values()):
            path = folder / one["file"]
            try:
                if sha256_of(path) != one["sha256"]:
                    wrong.append(f"{one['file']} is changed")
            except OSError as error:
                wrong.append(f"{one['file']} can't be read ({error.strerror})")
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise PicturesChanged(where=str(folder), reason=", ".join(wrong[:5]) + more)
    return True


def _judged(trial: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """One trial: the truth, what the examiner concluded, and what that is."""
    mate, exemplars = trial["mate"], trial["exemplars"]
    if answer.conclusion == IDENTIFICATION:
        result = RESULTS[0] if answer.exemplar == mate else RESULTS[2]
    elif answer.conclusion == EXCLUSION:
        result = RESULTS[1] if mate is None else RESULTS[3]
    else:
        result = answer.conclusion or "missing"
    named = exemplars[answer.exemplar]["relation"] if answer.conclusion == IDENTIFICATION else None
    return {
        "trial": trial["trial"],
        "conclusion": answer.conclusion or None,
        "exemplar": answer.exemplar or None,
        "mate": mate,
        "named_is": named,
        "quality": trial["latent"]["quality"],
        "hardest": CLOSE if any(one["relation"] == CLOSE for one in exemplars.values()) else OTHER,
        "result": result,
        "right": _RIGHT.get(result),
    }


def _summed(rows: list[dict[str, Any]], whose: str) -> dict[str, Any]:
    qualities = sorted({row["quality"] for row in rows}, key=QUALITIES.index)
    nonmated = [row for row in rows if row["mate"] is None]
    return {
        "statement": _statement(rows, whose),
        "totals": totals(rows),
        "rates": rates(rows),
        "by_quality": {name: _part([row for row in rows if row["quality"] == name]) for name in qualities},
        "by_non_match": {name: _part([row for row in nonmated if row["hardest"] == name]) for name in (CLOSE, OTHER)},
    }


def _part(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"totals": totals(rows), "rates": rates(rows)}


def totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many trials there are of each kind and result."""
    named = [row["named_is"] for row in rows if row["result"] == RESULTS[2]]
    return {
        "trials": len(rows),
        "mated": sum(row["mate"] is not None for row in rows),
        **{_key(name): sum(row["result"] == name for row in rows) for name in RESULTS},
        "erroneous_identification_of_close_non_match": named.count(CLOSE),
        "erroneous_identification_of_other_non_match": named.count(OTHER),
    }


def rates(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rates with their intervals.

    Of value: a conclusion other than "no value" was given.  Conclusive: an identification or exclusion.  As in Ulery,
    Hicklin, Buscaglia and Roberts 2011, error rates are shares of the comparisons of value, inconclusive ones among
    them; those among the conclusive ones, which are higher, stand beside them.
    """
    answered = [row for row in rows if row["conclusion"]]
    of_value = [row for row in answered if row["conclusion"] != NO_VALUE]
    mated = [row for row in of_value if row["mate"] is not None]
    nonmated = [row for row in of_value if row["mate"] is None]
    return {
        "false_positive": _share(nonmated, RESULTS[2]),
        "false_negative": _share(mated, RESULTS[3]),
        "wrong_exemplar": _share(mated, RESULTS[2]),
        "correct_identification": _share(mated, RESULTS[0]),
        "correct_exclusion": _share(nonmated, RESULTS[1]),
        "false_positive_of_conclusive": _share(_conclusive(nonmated), RESULTS[2]),
        "false_negative_of_conclusive": _share(_conclusive(mated), RESULTS[3]),
        "inconclusive": _share(of_value, INCONCLUSIVE),
        "no_value": _share(answered, NO_VALUE),
        "missing": _share(rows, "missing"),
    }


def _conclusive(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["right"] is not None]


def _share(rows: list[dict[str, Any]], result: str) -> dict[str, Any]:
    count, of = sum(row["result"] == result for row in rows), len(rows)
    low, high = interval(count, of)
    percent = [None if not of else round(100 * value, 2) for value in (count / max(of, 1), low, high)]
    return {"count": count, "of": of, "percent": percent[0], "low": percent[1], "high": percent[2]}


def interval(count: int, of: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934); (0, 1) where there is nothing."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(count, of - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return low, high


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _statement(rows: list[dict[str, Any]], whose: str) -> str:
    """The result in plain words."""
    number, rate = totals(rows), rates(rows)
    listed = ", ".join(f"{number[_key(name)]} {name}" for name in RESULTS if number[_key(name)])
    wrong = rate["wrong_exemplar"]
    mistaken = f"Another exemplar than the mate was named in {_words(wrong)}. " if wrong["count"] else ""
    return (
        f"{len(rows)} trials, {number['mated']} of them with a mate. {whose} conclusions: {listed}. "
        f"An identification was concluded where no exemplar was of the finger in {_words(rate['false_positive'])}. "
        f"An exclusion was concluded where an exemplar was of the finger in {_words(rate['false_negative'])}. "
        f"{mistaken}fpipe looked at no print: it only held these conclusions against the key."
    )


def _words(rate: dict[str, Any]) -> str:
    if not rate["of"]:
        return "none, for there was no such comparison of value"
    return "{count} of {of} comparisons of value ({percent} %; 95 % interval {low} to {high} %)".format(**rate)
