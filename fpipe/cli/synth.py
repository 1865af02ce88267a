"""``fpipe synth``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import jobs_option, json_option, print_json, progress
from fpipe.synth.seeds import SEEDS, USES, Use


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(epilog=_example("fpipe synth templates OUT --count 1000000 --jobs 4"))
def command() -> None:
    """Draw prints that are nobody's, for tests."""


@command.command(
    epilog=_example(
        "fpipe synth templates T --count 100000 --jobs 4",
        "fpipe gallery create G --no-originals",
        "fpipe gallery add G T/templates --jobs 4",
        "",
        "fpipe synth templates T2 --count 4000 --impressions 8",
        "fpipe evaluate verify --data T2 --templates T2 --pairs pairs.csv --out E",
    )
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--count", type=click.IntRange(1), required=True, help="Templates in all.")
@click.option(
    "--impressions", type=click.IntRange(1), default=1, show_default=True, help="Of each finger; divides the count."
)
@click.option("--seed", type=click.IntRange(0, SEEDS - 1), default=0, show_default=True, help="Other seed, others.")
@click.option(
    "--use",
    type=click.Choice(USES),
    default="test",
    show_default=True,
    help="Uses never share a finger, whatever the seed.",
)
@jobs_option
@json_option
def templates(out: Path, count: int, impressions: int, seed: int, use: Use, jobs: int, as_json: bool) -> None:
    """Draw templates without pictures into the folder OUT: a file each, and labels.csv.

    They are statistically like what extraction gives on real prints, and made to
    test how things behave with many.  labels.csv is written last: an interrupted
    run is simply repeated and goes on.
    """
    from fpipe.service.synth_templates import Order, synth_templates

    order = Order(count, impressions, seed, use)
    with progress("drawing", count) as advance:
        document = synth_templates(out, order, jobs=jobs, advance=advance)
    if as_json:
        print_json(document)
    else:
        click.echo("{folder}: {templates} templates of {fingers} fingers, {seconds:.1f} s".format(**document))
