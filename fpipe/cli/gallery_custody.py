"""``fpipe gallery``: what keeps its content, and what takes it away for good."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import example, gallery_argument, json_option, notice, print_json


@click.command(epilog=example("fpipe gallery remove G cards/12_right_index.png"))
@gallery_argument
@click.argument("names", nargs=-1, required=True, metavar="PRINT...")
@json_option
def remove(gallery: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Remove PRINTs for good: records, templates, vectors and originals.

    No byte of them is left in any file of the gallery; its log says that a
    removal happened, not of what.  Copies and backups are yours to look after.
    """
    from fpipe.index import Gallery

    with Gallery.open(gallery, write=True) as opened:
        opened.remove(names)
    count = len(set(names))
    if as_json:
        print_json({"removed": count})
    else:
        click.echo(f"{count} removed")


@click.command(epilog=example("fpipe gallery check G && echo whole"))
@gallery_argument
@json_option
def check(gallery: Path, as_json: bool) -> int:
    """Compare every byte of GALLERY with what was stored; exit 6 where it differs."""
    from fpipe.index import Gallery

    with Gallery.open(gallery) as opened:
        problems, remains, prints = opened.check(), opened.leftovers(), len(opened.print_ids())
    if as_json:
        print_json({"whole": not problems, "prints": prints, "problems": problems, "leftovers": remains})
    else:
        for line in remains:
            notice(f"{line}; the next command that writes clears it away")
        for line in problems:
            click.echo(line)
        click.echo(f"{len(problems)} problems" if problems else f"whole, {prints} prints")
    return 6 if problems else 0
