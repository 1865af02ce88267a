"""Run a protocol: templates, comparisons, ``scores.csv``, ``metrics.json`` and a curve."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from fpipe.core.errors import DecoderCrashed, UsageError
from fpipe.core.files import write_atomic
from fpipe.evaluate import plots
from fpipe.evaluate.metrics import identification, verification
from fpipe.evaluate.templates import Prints, load_or_reason
from fpipe.index import Gallery, NewPrint
from fpipe.minutiae import blob
from fpipe.pipeline.compare import Prepared, comparer
from fpipe.service.search import Searcher
from fpipe.service.storing import vectors_of
from fpipe.service.workers import spread

LOWEST = -1.0
"""Score of a pair with a print that can't be used: below every real score, which are 0 or more."""

Rows = list[tuple[str, str, float]]
Advance = Callable[[int], None]


@dataclass(slots=True)
class Run:
    """A protocol's templates and what went wrong.

    unusable : print -> why
    seconds : of "templates" and "compare"
    """

    blobs: dict[str, bytes]
    unusable: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)


def read_lines(path: Path) -> list[str]:
    """The prints of a list, one a line, each once.  Raises UsageError where there is none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(reason=f"{path}: not a readable list of prints: {error}") from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not names:
        raise UsageError(reason=f"{path}: the list is empty")
    return names


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The rows of a CSV with the columns probe and gallery.  Raises UsageError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            pairs = [(row["probe"], row["gallery"]) for row in csv.DictReader(handle)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise UsageError(reason=f"{path}: not a CSV with the columns probe,gallery: {error!r}") from error
    if not pairs:
        raise UsageError(reason=f"{path}: no pairs")
    for number, pair in enumerate(pairs, 1):
        if not all(pair):
            raise UsageError(reason=f"{path}: row {number} does not name two prints")
    return pairs


def load_templates(prints: Prints, names: Sequence[str], jobs: int, advance: Advance) -> Run:
    """Templates of all prints, each once, in the order of their first mention."""
    start = time.perf_counter()
    run = Run({}, {})
    for name, (data, reason) in spread(partial(load_or_reason, prints), dict.fromkeys(names), jobs, _died):
        if data is None:
            run.unusable[name] = reason
        else:
            run.blobs[name] = data
        advance(1)
    run.seconds["templates"] = time.perf_counter() - start
    return run


def _died(name: str) -> tuple[bytes | None, str]:
    return None, DecoderCrashed(where=name, reason="the process that read it died").message


# -- comparing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """Probes and the gallery prints each is compared with, for one task; every template once."""

    blobs: dict[str, bytes]
    wanted: tuple[tuple[str, tuple[str, ...]], ...]


_prepared: dict[bytes, Prepared] = {}


def _prepare(data: bytes) -> Prepared:
    """Prepared once a process."""
    if data not in _prepared:
        _prepared[data] = comparer().prepare(blob.decode(data, "template"))
    return _prepared[data]


def _scores(block: _Block) -> list[list[float]]:
    match = comparer()
    return [
        [float(s) for s in match.scores(_prepare(block.blobs[p]), [_prepare(block.blobs[g]) for g in others])]
        for p, others in block.wanted
    ]


def compare_pairs(run: Run, pairs: Sequence[tuple[str, str]], jobs: int, advance: Advance) -> Rows:
    """Scores of all pairs, in their order, whatever the jobs."""
    start = time.perf_counter()
    by_probe: dict[str, list[str]] = {}
    for probe, other in pairs:
        if probe in run.blobs and other in run.blobs:
            by_probe.setdefault(probe, []).append(other)
    found: dict[tuple[str, str], float] = {}
    for block, scores in spread(_scores, _blocks(run, by_probe), jobs, _compare_died):
        for (probe, others), row in zip(block.wanted, scores, strict=True):
            found.update(zip(((probe, other) for other in others), row, strict=True))
            advance(len(others))
    run.seconds["compare"] = time.perf_counter() - start
    return [(probe, other, found.get((probe, other), LOWEST)) for probe, other in pairs]


def _blocks(run: Run, by_probe: dict[str, list[str]], pairs: int = 4000) -> Iterator[_Block]:
    """Tasks of about ``pairs`` comparisons."""
    wanted: list[tuple[str, tuple[str, ...]]] = []
    for probe, others in by_probe.items():
        wanted.append((probe, tuple(others)))
        if sum(len(o) for _, o in wanted) >= pairs:
            yield _block(run, wanted)
            wanted = []
    if wanted:
        yield _block(run, wanted)


def _block(run: Run, wanted: list[tuple[str, tuple[str, ...]]]) -> _Block:
    names = {name for probe, others in wanted for name in (probe, *others)}
    return _Block({name: run.blobs[name] for name in sorted(names)}, tuple(wanted))


def _compare_died(block: _Block) -> list[list[float]]:
    raise RuntimeError(f"a process died comparing {block.wanted[0][0]}")


@dataclass(frozen=True, slots=True)
class _Probe:
    """A probe that is to be searched in the gallery in a folder; count : prints that get the exact match."""

    gallery: Path
    name: str
    template: bytes
    count: int


@lru_cache(maxsize=1)
def _searcher(path: Path) -> Searcher:
    """Opened once a process."""
    return Searcher(Gallery.open(path), comparer())


def _ranked(probe: _Probe) -> list[tuple[int, float]]:
    ids, scores = _searcher(probe.gallery).candidates(blob.decode(probe.template, probe.name), probe.count)
    return list(zip(ids.tolist(), scores.tolist(), strict=True))


def _search_died(probe: _Probe) -> list[tuple[int, float]]:
    raise RuntimeError(f"a process died searching {probe.name}")


def search_candidates(
    run: Run, gallery: Sequence[str], probes: Sequence[str], count: int, jobs: int, advance: Advance
) -> Rows:
    """The ``count`` prints that votes over a real gallery's index put forward for each probe, with exact scores.

    A scorer knows the probes and the gallery from the rows alone, so that none may be missing there: a probe without
    candidates, or one that can't be used, is given the whole gallery at the lowest score; a gallery print that no list
    holds is given a row with itself, which says that it was there and compares it with nothing.
    """
    rows: Rows = []
    match = comparer()
    with tempfile.TemporaryDirectory() as folder:
        with Gallery.create(
            Path(folder) / "gallery",
            comparison_digest=match.digest,
            descriptor_bytes=match.descriptor_bytes,
            keep_originals=False,
        ) as writer:
            usable = [name for name in gallery if name in run.blobs]
            names = dict(
                zip(writer.add([_new(name, run.blobs[name]) for name in usable], mixed=True), usable, strict=True)
            )
        start = time.perf_counter()
        wanted = [
            _Probe(Path(folder) / "gallery", name, run.blobs[name], count) for name in probes if name in run.blobs
        ]
        advance(len(probes) - len(wanted))
        try:
            with closing(spread(_ranked, wanted, jobs, _search_died)) as results:  # ends the workers, who have it open
                for probe, found in results:
                    rows += [(probe.name, names[number], score) for number, score in found]
                    advance(1)
        finally:  # before the folder goes: with one job it was opened in this process
            if _searcher.cache_info().currsize:
                _searcher(Path(folder) / "gallery").gallery.close()
                _searcher.cache_clear()
        run.seconds["compare"] = time.perf_counter() - start
    answered = {probe for probe, _, _ in rows}
    rows += [(probe, other, LOWEST) for probe in probes if probe not in answered for other in gallery]
    listed = {other for _, other, _ in rows}
    return rows + [(other, other, LOWEST) for other in gallery if other not in listed]


def _new(name: str, data: bytes) -> NewPrint:
    template = blob.decode(data, name)
    return NewPrint(
        print=name,
        sha256=f"{name!r}",
        subject=None,
        finger=None,
        kind="plain",
        ppi=500.0,
        ppi_origin="option",
        format="template",
        width=template.width,
        height=template.height,
        preset="",
        extraction_digest=template.source,
        minutiae=len(template.minutiae),
        path=name,
        template=data,
        vectors=vectors_of(template),
        original=b"",
    )


# -- results ---------------------------------------------------------------------------------------------------------


def write_scores(out: Path, rows: Rows) -> None:
    """``scores.csv`` as the shared scorer reads it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["probe", "gallery", "score"])
    writer.writerows((probe, other, f"{score:.9g}") for probe, other, score in rows)
    write_atomic(out / "scores.csv", text.getvalue().encode())


def finish_verify(out: Path, run: Run, rows: Rows, finger: dict[str, str]) -> dict[str, Any]:
    """Write everything about a verification; returns what ``metrics.json`` holds."""
    write_scores(out, rows)
    pairs: dict[tuple[str, ...], list[float]] = {}
    for probe, other, score in rows:
        if probe != other and probe in finger and other in finger:
            pairs.setdefault(tuple(sorted((probe, other))), []).append(float(f"{score:.9g}"))
    same = np.array([finger[a] == finger[b] for a, b in pairs], bool)
    scores = np.array([float(np.mean(values)) for values in pairs.values()])
    document: dict[str, Any] = {}
    if same.any() and not same.all():
        rates = verification(scores[same], scores[~same])
        document = dict(rates.as_document())
        plots.det(rates, out / "det.png")
    return _finish(out, run, rows, document)


def finish_identify(out: Path, run: Run, rows: Rows, finger: dict[str, str]) -> dict[str, Any]:
    """Write everything about an identification; returns what ``metrics.json`` holds."""
    write_scores(out, rows)
    document: dict[str, Any] = {}
    known = [(p, g, float(f"{s:.9g}")) for p, g, s in rows if p in finger and g in finger]
    if {finger[p] for p, _, _ in known} & {finger[g] for _, g, _ in known}:
        rates = identification(known, finger)
        document = dict(rates.as_document())
        plots.cmc(rates, out / "cmc.png")
    return _finish(out, run, rows, document)


def _finish(out: Path, run: Run, rows: Rows, document: dict[str, Any]) -> dict[str, Any]:
    document |= {
        "comparisons": len(rows),
        "unusable": run.unusable,
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "comparison_digest": comparer().digest,
        "score_digest": comparer().score_digest,
    }
    write_atomic(out / "metrics.json", (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return document
