"""A blind test for examiners: latents and exemplars that are nobody's, and an answer key apart from them.

OUT/README.txt, answers.csv                      instructions, and what the examiner fills in
OUT/trial-001/latent.png, exemplar-A.png, ...    one question each
OUT.key.json                                     beside the folder: the truth

Nothing in OUT may tell an answer.  So every exemplar of a trial, mate or not, is drawn by the same rules and is kept or
drawn again by the same rule; a mate is drawn in trials without one too, and thrown away; the files are written anew
when all is drawn, in the order of their names, so that no time of a file tells how long its drawing took.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fpipe import __version__
from fpipe.core.conventions import PPI
from fpipe.core.errors import FpipeError, UsageError
from fpipe.core.files import disk_errors, sha256_hex, sync_folder, write_atomic
from fpipe.formats import write_picture
from fpipe.service.grading import (
    ANSWERS,
    CLOSE,
    KEY_MADE,
    KEY_SCHEMA,
    LETTERS,
    MATE,
    OTHER,
    blank_answers,
    default_key,
    set_id,
)
from fpipe.service.synth_folder import Advance, claimed
from fpipe.service.synth_prints import CLASSES, DIFFICULTIES, FORMATS, Format
from fpipe.service.workers import spread
from fpipe.synth.fields import generator
from fpipe.synth.impression import Difficulty, Impression
from fpipe.synth.latent import Latent
from fpipe.synth.master import Master, MasterPrint
from fpipe.synth.seeds import FINGERS, SEEDS, finger_seed
from fpipe.synth.touch import Drawn

LEAST_IN_COMMON = 8
"""True minutiae of the latent that lie under every exemplar of its trial."""
MOST_TRIALS = 999
SEED_LIMIT = 1 << 52
"""Seeds of sets: too many to try them all, and whole numbers in every reader of JSON."""
README = "README.txt"

_TRIES = 8
"""Impressions drawn for an exemplar before its trial takes another finger."""
_FINGERS_TRIED = 60
_DRAWN, _SET = "drawn", "set"
_CELL = 4
"""px: the grid on which the skin that an exemplar shows is noted."""

Relation = Literal["mate", "close", "other"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    trials : latents, each with its exemplars
    exemplars : a trial
    difficulty : of the latents; exemplars are good ones
    mated : share of the trials that have a mate among their exemplars; decided exactly, halves rounded up
    close : share of all other exemplars that are close non-matches; likewise
    seed : None draws one at random
    format : of the pictures
    """

    trials: int
    exemplars: int = 1
    difficulty: Difficulty = "mixed"
    mated: float = 0.5
    close: float = 0.5
    seed: int | None = None
    format: Format = "png"

    def __post_init__(self) -> None:
        """Raises UsageError where this can't be had."""
        for name, value, most in (
            ("trials", self.trials, MOST_TRIALS),
            ("exemplars a trial", self.exemplars, len(LETTERS)),
        ):
            if not 1 <= value <= most:
                raise UsageError(reason=f"{value} {name}, expected 1 to {most}")
        for name, share in (("mated", self.mated), ("close", self.close)):
            if not 0 <= share <= 1:
                raise UsageError(reason=f"{name} {share}, expected a share from 0 to 1")
        if self.difficulty not in DIFFICULTIES or self.format not in FORMATS:
            raise UsageError(reason=f"{self.difficulty!r}, {self.format!r}: expected {DIFFICULTIES} and {FORMATS}")
        if self.seed is not None and not 0 <= self.seed < SEED_LIMIT:
            raise UsageError(reason=f"seed {self.seed}, expected 0 to {SEED_LIMIT - 1}")


@dataclass(frozen=True, slots=True)
class Trial:
    """One question: its number from 1, and what each exemplar is to the latent's finger."""

    number: int
    relations: tuple[Relation, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"trial-{self.number:03d}"


def synth_proficiency(
    out: Path, order: Order, *, key: Path | None = None, jobs: int = 1, advance: Advance = lambda n: None
) -> dict[str, Any]:
    """Make the folder ``out`` and its answer key; the same bytes whatever the jobs.

    key : where the answers go; None: ``out`` with ``.key.json`` added, beside it

    Both appear when all is drawn; an interrupted run leaves neither.
    Returns a JSON-able summary that tells no answer: set, trials, exemplars, folder, key, seconds.

    Raises UsageError where either is there already or the key would lie in the folder, Locked, DiskFull.
    """
    start = time.perf_counter()
    key = key or default_key(out)
    _refuse(out, key)
    seed = secrets.randbelow(SEED_LIMIT) if order.seed is None else order.seed
    with _workshop(out) as work:
        _refuse(out, key)  # another command may have finished it while this one waited
        draw = partial(_draw_trial, work / _DRAWN, order, seed)
        with closing(spread(draw, plan(order, seed), jobs, _died)) as drawn:
            facts = [_advanced(found, advance) for _, found in drawn]
        document = _written(work / _SET, work / _DRAWN, order, seed, facts)
        _handed_over(work / _SET, out, key, document)
    return {
        "set": document["set"],
        "trials": order.trials,
        "exemplars": order.trials * order.exemplars,
        "folder": out.as_posix(),
        "key": key.as_posix(),
        "seconds": round(time.perf_counter() - start, 3),
    }


def plan(order: Order, seed: int) -> list[Trial]:
    """Which trials are mated, where the mate lies, which other exemplars are close non-matches: all at random."""
    rng = generator(seed, "proficiency")
    mated = rng.permutation(order.trials) < int(order.trials * order.mated + 0.5)
    places = rng.integers(order.exemplars, size=order.trials)
    others = order.trials * order.exemplars - int(mated.sum())
    close = iter(rng.permutation(others) < int(others * order.close + 0.5))
    return [
        Trial(
            row + 1,
            tuple(
                "mate" if mated[row] and places[row] == slot else "close" if next(close) else "other"
                for slot in range(order.exemplars)
            ),
        )
        for row in range(order.trials)
    ]


# -- one trial -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Print:
    """A drawn print and where it comes from."""

    drawn: Drawn
    centre: tuple[float, float]
    facts: dict[str, Any]


def _draw_trial(folder: Path, order: Order, seed: int, trial: Trial) -> dict[str, Any]:
    """Draw a trial's pictures into ``folder``; its entry in the key, all but the digests."""
    for attempt in range(_FINGERS_TRIED):
        found = _attempt(order, seed, trial, attempt)
        if found is not None:
            return _saved(folder, order, trial, *found)
    reason = f"{_FINGERS_TRIED} fingers without {LEAST_IN_COMMON} minutiae in common with every exemplar"
    raise FpipeError(reason=f"{trial.name}: {reason}; choose another seed, or an easier difficulty")


def _attempt(order: Order, seed: int, trial: Trial, attempt: int) -> tuple[_Print, list[_Print]] | None:
    """The trial with its ``attempt``-th finger; None where an exemplar can't show enough of what the latent shows."""
    own = partial(_number, seed, trial.number, attempt)
    finger = _finger(own("finger"))
    master = MasterPrint()(finger)
    latent = _taken(Latent(difficulty=order.difficulty), master, own("latent"), {"finger": finger})
    if len(latent.drawn.truth.minutiae) < LEAST_IN_COMMON:
        return None
    recipe = Impression("rolled" if own("rolled") % 2 else "plain", difficulty="good")
    # drawn in every trial, so that fingers and latents of trials with and without a mate are chosen alike
    mate = _mate(recipe, latent, master, finger, own)
    if mate is None:
        return None
    exemplars = []
    for slot, relation in enumerate(trial.relations):
        if relation == "mate":
            found: _Print | None = mate
        elif relation == "close":
            found = _close(recipe, latent, finger, partial(own, slot))
        else:
            found = _other(recipe, latent, partial(own, slot))
        if found is None:
            return None
        exemplars.append(found)
    return latent, exemplars


def _mate(recipe: Impression, latent: _Print, master: Master, finger: int, own: partial[int]) -> _Print | None:
    tries = (_taken(recipe, master, own("mate", k), {"finger": finger}) for k in range(_TRIES))
    return _first_usable(latent, tries, MATE)


def _close(recipe: Impression, latent: _Print, finger: int, own: partial[int]) -> _Print | None:
    """Of a finger that shares class, cores, deltas, flow and period with the latent's, but no minutia."""
    ridges = own("ridges")
    master = MasterPrint()(finger, ridges)
    facts = {"finger": finger, "ridges": ridges}
    return _first_usable(latent, (_taken(recipe, master, own("close", k), facts) for k in range(_TRIES)), CLOSE)


def _other(recipe: Impression, latent: _Print, own: partial[int]) -> _Print | None:
    fingers = (_finger(own("other finger", k)) for k in range(_TRIES))
    tries = (
        _taken(recipe, MasterPrint()(finger), own("other", k), {"finger": finger}) for k, finger in enumerate(fingers)
    )
    return _first_usable(latent, tries, OTHER)


def _first_usable(latent: _Print, tries: Iterator[_Print], relation: str) -> _Print | None:
    for found in tries:
        common = in_common(latent.drawn, latent.centre, found.drawn, found.centre)
        if common >= LEAST_IN_COMMON:
            found.facts.update(relation=relation, in_common=common)
            return found
    return None


def _taken(recipe: Latent | Impression, master: Master, seed: int, facts: dict[str, Any]) -> _Print:
    return _Print(recipe(master, seed), master.centre, {**facts, "seed": seed})


def in_common(latent: Drawn, latent_centre: tuple[float, float], exemplar: Drawn, centre: tuple[float, float]) -> int:
    """How many of the latent's true minutiae lie on skin that the exemplar shows.

    Counted on the master; of another finger, whose centre is elsewhere, as if its pattern's centre lay there.
    """
    x, y = _on_master(exemplar, exemplar.truth.mask)
    shown = np.zeros((400, 400), bool)
    offset = 200  # of the centre: masters are smaller than 1600 px
    shown[_cells(y, centre[1]) + offset, _cells(x, centre[0]) + offset] = True
    m = latent.truth.minutiae
    at = (np.rint(m.y).astype(int), np.rint(m.x).astype(int))
    px, py = m.x + latent.truth.displacement[0][at], m.y + latent.truth.displacement[1][at]
    return int(shown[_cells(py, latent_centre[1]) + offset, _cells(px, latent_centre[0]) + offset].sum())


def _on_master(drawn: Drawn, mask: Any) -> tuple[Any, Any]:
    rows, columns = np.nonzero(mask)
    dx, dy = drawn.truth.displacement
    return columns + dx[rows, columns], rows + dy[rows, columns]


def _cells(values: Any, centre: float) -> Any:
    return np.floor((values - centre) / _CELL).astype(int)


def _number(seed: int, *what: object) -> int:
    """A number below 2**52 that only who knows the set's seed can work out."""
    text = json.dumps([__name__, seed, *what]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 12


def _finger(number: int) -> int:
    """A finger for tests, of any seed but the default one, whose prints others may have drawn."""
    return finger_seed("test", 1 + number // FINGERS % (SEEDS - 1), number % FINGERS)


def _saved(folder: Path, order: Order, trial: Trial, latent: _Print, exemplars: list[_Print]) -> dict[str, Any]:
    here = folder / trial.name
    with disk_errors(here):
        here.mkdir()
    named = [("latent", latent), *((f"exemplar-{LETTERS[i]}", one) for i, one in enumerate(exemplars))]
    facts = []
    for name, one in named:
        write_picture(here / f"{name}.{order.format}", one.drawn.picture, float(PPI))
        facts.append({"file": f"{trial.name}/{name}.{order.format}", **_told(one)})
    mate = trial.relations.index("mate") if "mate" in trial.relations else None
    return {
        "trial": trial.name,
        "mate": None if mate is None else LETTERS[mate],
        "latent": facts[0],
        "exemplars": {LETTERS[i]: one for i, one in enumerate(facts[1:])},
    }


def _told(one: _Print) -> dict[str, Any]:
    truth, conditions = one.drawn.truth, dict(one.drawn.conditions)
    quality = conditions.pop("quality")
    return {
        "class": CLASSES[truth.pattern],
        "pattern": truth.pattern,
        "quality": quality,
        "minutiae": len(truth.minutiae),
        **one.facts,
        "conditions": conditions,
    }


def _advanced(facts: dict[str, Any], advance: Advance) -> dict[str, Any]:
    advance(1)
    return facts


def _died(trial: Trial) -> dict[str, Any]:
    raise FpipeError(reason=f"{trial.name}: the process that drew it died; run the command again")


# -- files -----------------------------------------------------------------------------------------------------------


def _refuse(out: Path, key: Path) -> None:
    if out.name in ("", ".."):
        raise UsageError(reason=f"{out}: expected the name of a new folder")
    inside, beside = out.resolve(), key.resolve()
    if beside == inside or inside in beside.parents:
        raise UsageError(reason=f"{key}: the answer key can't lie in the examiner's folder; choose another place")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(reason=f"{out}: something else is there, expected a new folder")
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(reason=f"{out}: the folder is not empty; choose a new one")
    if key.exists() or key.is_symlink():
        raise UsageError(reason=f"{key}: is there already, and an answer key is never overwritten; choose another name")
    if key.parent.resolve() != out.parent.resolve() and not (key.parent.is_dir() and os.access(key.parent, os.W_OK)):
        raise UsageError(reason=f"{key}: can't be written; expected a folder that is there")


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out`` that one command holds; what a killed run left in it is cleared."""
    work = out.parent / f".{out.name}.making"
    held = False
    try:
        with claimed(work, {"made": KEY_MADE}, (_DRAWN, _SET)):
            held = True
            for name in (_DRAWN, _SET):
                shutil.rmtree(work / name, ignore_errors=True)
                with disk_errors(work):
                    (work / name).mkdir()
            yield work
    finally:
        if held:  # after the lock is given back: Windows deletes no open file
            shutil.rmtree(work, ignore_errors=True)


def _written(folder: Path, drawn: Path, order: Order, seed: int, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the examiner's files into ``folder``, as if all at the same time; the key's document."""
    for trial in facts:
        with disk_errors(folder):
            (folder / trial["trial"]).mkdir()
        for one in (trial["latent"], *trial["exemplars"].values()):
            data = (drawn / one["file"]).read_bytes()
            write_atomic(folder / one["file"], data)
            one["sha256"] = sha256_hex(data)
    name = set_id(facts)
    names = [trial["trial"] for trial in facts]
    write_atomic(folder / ANSWERS, blank_answers(name, names))
    write_atomic(folder / README, instructions(name, order).encode())
    now = float(int(time.time()))
    with disk_errors(folder):
        for path in (*sorted(folder.rglob("*")), folder):
            os.utime(path, (now, now))
    return {
        "made": KEY_MADE,
        "schema": KEY_SCHEMA,
        "fpipe": __version__,
        "set": name,
        "options": {**asdict(order), "seed": seed},
        "least_in_common": LEAST_IN_COMMON,
        "trials": facts,
    }


def _handed_over(made: Path, out: Path, key: Path, document: dict[str, Any]) -> None:
    """Key and set, or neither; the key first: a set without its key would be worth nothing."""
    write_atomic(key, (json.dumps(document, indent=1) + "\n").encode())
    try:
        with disk_errors(out):
            if sys.platform != "win32":
                key.chmod(0o600)
            if out.is_dir():
                out.rmdir()
            made.rename(out)
            sync_folder(out.parent)
    except BaseException:
        if made.exists():  # not handed over: then no key lies about that has no set
            key.unlink(missing_ok=True)
        raise


def instructions(name: str, order: Order) -> str:
    """README.txt of a set: nothing of its answers, nor of how many there are of each."""
    several = order.exemplars > 1
    what = (
        f"{order.exemplars} exemplars (exemplar-A to exemplar-{LETTERS[order.exemplars - 1]})"
        if several
        else ("one exemplar (exemplar-A)")
    )
    which = (
        "Write the exemplar's letter in the column exemplar. At most one of them is of the latent's finger."
        if several
        else "The column exemplar may be left empty, or hold A."
    )
    excluded = "of none of the exemplars" if several else "not of the exemplar"
    return f"""PROFICIENCY TEST {name}

All prints here were drawn by a computer program, fpipe. They are nobody's fingers.
All pictures have {PPI} pixels per inch.
The ridges are the evidence: their flow, their minutiae and their pores. Creases and worn places are drawn anew for
every picture; they are not the same in two pictures of one finger.

THE QUESTION
There are {order.trials} trials, a folder each. In each lie one latent and {what}.
For each trial: does the latent come from the same finger as {"one of the exemplars" if several else "the exemplar"}?
It may come from none. The number of trials in which it does is not told.
Some exemplars of other fingers may be much like the latent's.
Every trial can be taken by itself; the order means nothing.

HOW TO ANSWER
Open {ANSWERS} in a spreadsheet program or a text editor. It has one row a trial. Leave the columns set and trial as
they are. Write in the column conclusion one of:

  identification   You conclude that latent and exemplar are of the same finger.
                   {which}
  exclusion        You conclude that the latent is {excluded}.{" Leave exemplar empty." if several else ""}
  inconclusive     The latent can be compared, but you can conclude neither.
  no value         The latent does not show enough to be compared at all.

A row without a conclusion counts as missing. The columns value, difficulty and notes are yours: what you thought of the
latent before you saw the exemplars, how hard the comparison was, and why. They are not graded.
Save it as CSV, with commas, semicolons or tabs.
Do not change the pictures: work on copies if you mark them.

HOW IT IS GRADED
Whoever holds the test compares your conclusions with the answer key.
  Right: an identification of the exemplar that is of the same finger; an exclusion where none is.
  Wrong: an identification of an exemplar of another finger (erroneous identification); an exclusion where one is of
         the same finger (erroneous exclusion).
  Neither right nor wrong: inconclusive and no value. They are counted and reported, as missing answers are.
"""
