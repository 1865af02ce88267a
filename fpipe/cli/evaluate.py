"""``fpipe evaluate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fpipe.cli.common import jobs_option, json_option, notice, ppi_option, print_json, progress

if TYPE_CHECKING:
    from fpipe.evaluate.templates import Prints

F = TypeVar("F", bound=Callable[..., Any])

VERIFY_EXAMPLE = """\b
Example:
  fpipe evaluate verify --data prints --pairs pairs.csv --out out --jobs 2
"""
IDENTIFY_EXAMPLE = """\b
Example:
  fpipe evaluate identify --data prints --gallery g.txt --probes p.txt --out out
"""


def _shared(function: F) -> F:
    options = (
        click.option(
            "--data",
            required=True,
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Folder of the prints; its labels.csv gives finger, ppi and kind.",
        ),
        click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Results."),
        click.option(
            "--templates",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Take templates from here instead of reading pictures: same paths, ending .iso, .json, .fpt, or .xyt "
            "as `mindtct -m1` writes it.",
        ),
        click.option(
            "--cache", type=click.Path(path_type=Path, file_okay=False), help="Of templates; default OUT/cache."
        ),
        ppi_option,
        jobs_option,
        json_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Measure accuracy on labelled prints.

    \b
    Example:
      fpipe evaluate verify --data prints --pairs pairs.csv --out out
    """


@command.command(epilog=VERIFY_EXAMPLE)
@_shared
@click.option("--pairs", required=True, type=click.Path(path_type=Path, dir_okay=False), help="CSV: probe,gallery.")
def verify(
    data: Path,
    out: Path,
    templates: Path | None,
    cache: Path | None,
    ppi: float | None,
    jobs: int,
    as_json: bool,
    pairs: Path,
) -> None:
    """Compare the pairs of a list: scores.csv, metrics.json and a DET plot in OUT.

    A print that can't be used gets the lowest score and is listed on stderr.
    """
    from fpipe.evaluate import protocols

    wanted = protocols.read_pairs(pairs)
    prints, finger = _prints(data, out, templates, cache, ppi)
    run = _templates(prints, [name for pair in wanted for name in pair], jobs)
    with progress("comparing", len(wanted)) as advance:
        rows = protocols.compare_pairs(run, wanted, jobs, advance)
    _show(protocols.finish_verify(out, run, rows, finger), as_json)


@command.command(epilog=IDENTIFY_EXAMPLE)
@_shared
@click.option("--gallery", required=True, type=click.Path(path_type=Path, dir_okay=False), help="One print a line.")
@click.option("--probes", required=True, type=click.Path(path_type=Path, dir_okay=False), help="One print a line.")
@click.option(
    "--candidates",
    type=click.IntRange(1),
    help="Compare only the N prints that the FAISS index puts forward; default: every print of the gallery.",
)
def identify(
    data: Path,
    out: Path,
    templates: Path | None,
    cache: Path | None,
    ppi: float | None,
    jobs: int,
    as_json: bool,
    gallery: Path,
    probes: Path,
    candidates: int | None,
) -> None:
    """Search every probe in the gallery: scores.csv, metrics.json and a CMC plot in OUT."""
    from fpipe.evaluate import protocols

    enrolled, wanted = protocols.read_lines(gallery), protocols.read_lines(probes)
    prints, finger = _prints(data, out, templates, cache, ppi)
    run = _templates(prints, [*enrolled, *wanted], jobs)
    if candidates is None:
        pairs = [(probe, other) for probe in wanted for other in enrolled]
        with progress("comparing", len(pairs)) as advance:
            rows = protocols.compare_pairs(run, pairs, jobs, advance)
    else:
        with progress("searching", len(wanted)) as advance:
            rows = protocols.search_candidates(run, enrolled, wanted, candidates, jobs, advance)
    _show(protocols.finish_identify(out, run, rows, finger), as_json)


def _prints(
    data: Path, out: Path, templates: Path | None, cache: Path | None, ppi: float | None
) -> tuple[Prints, dict[str, str]]:
    from fpipe.core.files import disk_errors
    from fpipe.evaluate.templates import Prints, read_labels

    labels = read_labels(data)
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    finger = {name: label.finger for name, label in labels.items() if label.finger is not None}
    return Prints(data, labels, templates, cache or out / "cache", ppi), finger


def _templates(prints: Prints, names: list[str], jobs: int) -> Any:
    from fpipe.evaluate import protocols

    with progress("templates", len(set(names))) as advance:
        run = protocols.load_templates(prints, names, jobs, advance)
    for reason in run.unusable.values():
        notice(f"left out: {reason}")
    return run


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        if isinstance(value, float):
            click.echo(f"{name} {value:.2f}")
        elif isinstance(value, int):
            click.echo(f"{name} {value}")
    click.echo(f"unusable {len(document['unusable'])}")
    click.echo(" ".join(f"{name} {value} s" for name, value in document["seconds"].items()))
