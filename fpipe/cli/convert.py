"""``fpipe convert``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import notice, ppi_option

EXAMPLE = """\b
Example:
  fpipe convert card.wsq card.png
  fpipe convert "card.an2#7" left-index.png
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@ppi_option
def command(file: Path, out: Path, ppi: float | None) -> None:
    """Write the picture in FILE as lossless 8-bit gray OUT (.png or .tif), upright, not resampled.

    Its resolution is kept; an unknown one stays unknown. Of an ANSI/NIST file of several pictures "FILE#7" is that of
    finger position 7, "FILE#idc=3" that of IDC 3.
    """
    from fpipe.core.errors import UsageError
    from fpipe.core.files import split_choice
    from fpipe.formats import read_picture, write_picture

    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise UsageError(reason=f"{out.as_posix()}: expected an ending of .png or .tif, so that nothing is lost")
    picture = read_picture(file, ppi=ppi)
    if out.exists() and out.samefile(split_choice(file)[0]):
        raise UsageError(
            reason=f"{out.as_posix()} is the source itself; choose another name: originals are not overwritten"
        )
    for text in picture.notices:
        notice(f"{file.as_posix()}: {text}")
    write_picture(out, picture.pixels, picture.ppi)
    click.echo(out.as_posix())
