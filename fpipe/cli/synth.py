"""``fpipe synth``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fpipe.cli.common import difficulty_option, format_option, jobs_option, json_option, print_json, progress
from fpipe.cli.proficiency import grade, proficiency
from fpipe.synth.seeds import SEEDS, USES, Use

F = TypeVar("F", bound=Callable[..., Any])


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    epilog=_example(
        "fpipe synth prints OUT --fingers 100 --impressions 2 --latents 1 --jobs 4",
        "fpipe synth templates OUT --count 1000000 --jobs 4",
    )
)
def command() -> None:
    """Draw prints that are nobody's: to test, to train, to show."""


_seed_option = click.option(
    "--seed", type=click.IntRange(0, SEEDS - 1), default=0, show_default=True, help="Other seed, other fingers."
)
_use_option = click.option(
    "--use",
    type=click.Choice(USES),
    default="test",
    show_default=True,
    help="Uses never share a finger, whatever the seed.",
)


def _counted(name: str, default: int, text: str) -> Callable[[F], F]:
    return click.option(name, type=click.IntRange(0, 999), default=default, show_default=True, help=text)


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int]:
    """WIDTHxHEIGHT -> (width, height); (0, 0) where not given."""
    if value is None:
        return 0, 0
    found = re.fullmatch(r"(\d+)x(\d+)", value)
    if found is None:
        raise click.BadParameter(f"{value!r}, expected WIDTHxHEIGHT in pixels, for example 500x600")
    return int(found[1]), int(found[2])


@command.command(
    epilog=_example(
        "fpipe synth prints OUT --fingers 100 --impressions 8 --jobs 4",
        "fpipe synth prints OUT2 --fingers 200 --impressions 1 --latents 2 --difficulty bad",
    )
)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--fingers", type=click.IntRange(1), required=True, help="Different fingers.")
@_counted("--impressions", 1, "Plain impressions of each finger, on sensors of several kinds and on cards.")
@_counted("--rolled", 0, "Impressions of each finger rolled in ink on a card.")
@_counted("--swiped", 0, "Impressions of each finger swiped over a line sensor.")
@_counted("--latents", 0, "Latents of each finger; its first impression is then their mate, M.")
@difficulty_option("Of skin, contact, sensor and surface")
@click.option("--size", callback=_size, help="WIDTHxHEIGHT in pixels at 500 ppi; default: what each sensor gives.")
@format_option
@click.option("--masters", is_flag=True, help="Keep the fingers' clean masters too, with their truth.")
@_seed_option
@_use_option
@jobs_option
@json_option
def prints(out: Path, size: tuple[int, int], jobs: int, as_json: bool, **wanted: Any) -> None:
    """Draw prints with exact truth into the folder OUT: prints/, truth/ and labels.csv.

    The truth of a print (minutiae, orientation, ridge period, mask, clean ridges, the way back to
    the finger) is described in docs/synth.md.  labels.csv is written last: an interrupted run is
    simply repeated and goes on.
    """
    from fpipe.service.synth_prints import Order, synth_prints

    order = Order(width=size[0], height=size[1], **wanted)
    with progress("drawing", order.fingers) as advance:
        document = synth_prints(out, order, jobs=jobs, advance=advance)
    if as_json:
        print_json(document)
    else:
        click.echo("{folder}: {prints} prints of {fingers} fingers, {seconds:.1f} s".format(**document))


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
@_seed_option
@_use_option
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


command.add_command(proficiency)
command.add_command(grade)
