"""``fpipe enhance``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import ppi_option, preset_option, say

EXAMPLE = """\b
Example:
  fpipe enhance latent.png --ppi 1000 --preset latent --out enhanced.png
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Picture to write, .png or .tif, at 500 ppi, ridges dark.",
)
@ppi_option
@preset_option("plain")
def command(file: Path, out: Path, ppi: float | None, preset: str) -> None:
    """Write the enhanced picture of the print in FILE, as minutiae are read from it."""
    from fpipe.service.extract import enhance_file

    enhance_file(file, out, ppi=ppi, preset=preset)
    say(str(out))
