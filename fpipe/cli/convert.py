"""``fpipe convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fpipe.cli.common import notice, ppi_option, say

if TYPE_CHECKING:
    from fpipe.minutiae.xyt import Convention

EXAMPLE = """\b
Example:
  fpipe convert card.wsq card.png
  fpipe convert "card.an2#7" left-index.png
  fpipe convert a.iso a.json
  fpipe convert a.iso b.fmr --format incits2004
  fpipe convert latent.an2 markup.iso
"""
_XYT = click.Choice(["m1", "native"])


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    type=click.Choice(["fpt", "json", "iso2005", "iso2011", "incits2004", "incits2009", "xyt"]),
    help="Format of a template; without it the ending of OUT says it (.iso and .fmr: iso2005).",
)
@click.option("--from-xyt", type=_XYT, default="m1", show_default=True, help="Convention of FILE, if it is an .xyt.")
@click.option("--xyt", type=_XYT, default="m1", show_default=True, help="Convention of OUT, if it is an .xyt.")
@click.option("--width", type=click.IntRange(1, 65535), help="Width, px, of the picture that an .xyt belongs to.")
@click.option("--height", type=click.IntRange(1, 65535), help="Height alike; a native .xyt needs it.")
@ppi_option
def command(
    file: Path,
    out: Path,
    format: str | None,
    from_xyt: Convention,
    xyt: Convention,
    width: int | None,
    height: int | None,
    ppi: float | None,
) -> None:
    """Write the picture in FILE as lossless OUT, or the minutiae in it as a template of another format.

    A picture becomes 8-bit gray (.png or .tif), upright, not resampled. Its resolution is kept; an unknown one stays
    unknown. Of an ANSI/NIST file of several pictures "FILE#7" is that of finger position 7, "FILE#idc=3" that of IDC 3.

    A template, or the Type-9 minutiae of an ANSI/NIST file, becomes another template; what its format can't hold is
    said. Between ISO/IEC 19794-2 and INCITS 378 all views are kept, in their own pixels.
    """
    from fpipe.service.convert import Conversion, convert_file

    how = Conversion(ppi, format, from_xyt, xyt, width, height)
    for text in convert_file(file, out, how):
        notice(f"{file.as_posix()}: {text}")
    say(out.as_posix())
