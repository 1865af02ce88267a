"""``fpipe extract``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import json_option, notice, ppi_option, preset_option, print_json, say

EXAMPLE = """\b
Example:
  fpipe extract print.png --ppi 500 --out print.iso
  fpipe extract latent.tif --preset latent --out latent.json
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Template file; its ending says the format: .json, .iso (ISO/IEC 19794-2:2005), .xyt (NBIS), .fpt (fpipe).",
)
@click.option(
    "--xyt",
    "convention",
    type=click.Choice(["m1", "native"]),
    default="m1",
    show_default=True,
    help="Convention of an .xyt: m1 as `mindtct -m1` writes it, native as plain mindtct does.",
)
@ppi_option
@preset_option("plain")
@json_option
def command(file: Path, out: Path, convention: str, ppi: float | None, preset: str, as_json: bool) -> None:
    """Extract the minutiae of the print in FILE."""
    from fpipe.service.extract import extract_file

    found = extract_file(file, out, xyt=convention, ppi=ppi, preset=preset)
    for line in found.notices:
        notice(f"{file}: {line}")
    if as_json:
        print_json(found.document)
    else:
        say(f"{out}: {found.document['minutiae']} minutiae")
