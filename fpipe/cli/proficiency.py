"""``fpipe synth proficiency`` and ``fpipe synth grade``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fpipe.cli.common import (
    NumberRange,
    difficulty_option,
    format_option,
    jobs_option,
    json_option,
    print_json,
    progress,
)

PROFICIENCY_EXAMPLE = """\b
Example:
  fpipe synth proficiency test-2025 --trials 40 --exemplars 2 --jobs 4
  # hand out the folder test-2025, and keep test-2025.key.json to yourself
"""
GRADE_EXAMPLE = """\b
Example:
  fpipe synth grade test-2025/answers.csv
  fpipe synth grade answers/*.csv --key test-2025.key.json --out graded.json
"""


@click.command(epilog=PROFICIENCY_EXAMPLE)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--trials", type=click.IntRange(1), required=True, help="Latents, each with its exemplars.")
@click.option("--exemplars", type=click.IntRange(1), default=1, show_default=True, help="A trial; at most 10.")
@difficulty_option("Of the latents")
@click.option(
    "--mated",
    type=NumberRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the trials with the latent's finger among the exemplars; exactly, in random order.",
)
@click.option(
    "--close",
    type=NumberRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of all other exemplars that are close non-matches: same flow of ridges, other minutiae.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Makes the same set again; whoever knows it can draw the answers.  Default: at random, told by the key alone.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Answer key; never in OUT.  Default: OUT.key.json beside OUT.",
)
@format_option
@jobs_option
@json_option
def proficiency(out: Path, key: Path | None, jobs: int, as_json: bool, **wanted: Any) -> None:
    """Draw a blind test for examiners into the new folder OUT, and its answer key beside it.

    A trial is a latent with one or more exemplars; the examiner concludes on each and fills in
    OUT/answers.csv, which `fpipe synth grade` holds against the key.  Nobody's prints are in it.
    Under every exemplar lie at least 8 minutiae of its latent; latents of no value are not drawn on
    purpose.  docs/proficiency.md says how to hold a test, and what it can't show.
    """
    from fpipe.service.proficiency import Order, synth_proficiency

    order = Order(**wanted)
    with progress("drawing", order.trials) as advance:
        document = synth_proficiency(out, order, key=key, jobs=jobs, advance=advance)
    if as_json:
        print_json(document)
        return
    click.echo("{folder}: {set}, {trials} trials with {exemplars} exemplars, {seconds:.1f} s".format(**document))
    click.echo("{key}: the answers; keep it from the examiners".format(**document))


@click.command(epilog=GRADE_EXAMPLE)
@click.argument("answers", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Answer key.  Default: beside the folder of ANSWERS, with its name and .key.json.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the JSON document here too.")
@json_option
def grade(answers: tuple[Path, ...], key: Path | None, out: Path | None, as_json: bool) -> None:
    """Grade filled-in answers of a proficiency test: ANSWERS is one file an examiner.

    Says of every trial whether the examiner's conclusion was right, and gives error rates with their
    95 % intervals (Clopper-Pearson).  The result never changes the exit code: it is 0 when all is graded.
    Pictures that lie beside the answers are checked against the key.
    """
    from fpipe.service.grading import grade as graded

    document = graded(answers, key=key, out=out)
    if as_json:
        print_json(document)
        return
    for examiner in document["examiners"]:
        _show(examiner["answers"], examiner)
        if not examiner["pictures_checked"]:
            click.echo("pictures: none beside the answers, not checked")
        for row in examiner["trials"]:
            named = f" of {row['exemplar']}" if row["exemplar"] else ""
            click.echo(f"  {row['trial']}  {row['conclusion'] or '-'}{named}: {row['result']}")
    if len(document["examiners"]) > 1:
        _show(f"{len(document['examiners'])} examiners together", document["together"])


def _show(title: str, result: dict[str, Any]) -> None:
    click.echo(f"{title}\n{result['statement']}")
    _show_rates("all", result["rates"])
    for group in ("by_quality", "by_non_match"):
        for name, part in result[group].items():
            if part["totals"]["trials"]:
                _show_rates(name, part["rates"])


def _show_rates(name: str, rates: dict[str, dict[str, Any]]) -> None:
    for kind in ("false_positive", "false_negative"):
        rate = rates[kind]
        if rate["of"]:
            text = "{count} of {of}, {percent:.1f} % ({low:.1f} to {high:.1f} %)".format(**rate)
            click.echo(f"  {name}: {kind.replace('_', ' ')} {text}")
