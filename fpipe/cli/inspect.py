"""``fpipe inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import json_option, notice, ppi_option, print_json

EXAMPLE = """\b
Example:
  fpipe inspect latent.tif
  fpipe inspect latent.tif --json
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@ppi_option
@json_option
def command(file: Path, ppi: float | None, as_json: bool) -> None:
    """Say what fpipe makes of the picture or template in FILE, before any resampling.

    The hash of the pixels is that of the upright 8-bit gray picture, row by row.
    A template's minutiae are listed as they stand in the file.
    """
    from fpipe.core.files import sha256_hex
    from fpipe.formats import read_picture
    from fpipe.minutiae.files import is_template

    if file.is_file() and is_template(file):
        _show_template(file, as_json)
        return
    picture = read_picture(file, ppi=ppi)
    height, width = picture.pixels.shape
    for text in picture.notices:
        notice(f"{file.as_posix()}: {text}")
    if as_json:
        print_json(
            {
                "file": file.as_posix(),
                "sha256": picture.sha256,
                "format": picture.format,
                "width": width,
                "height": height,
                "bits": picture.bits,
                "ppi": picture.ppi,
                "ppi_origin": picture.ppi_origin,
                "pixels_sha256": sha256_hex(picture.pixels.tobytes()),
                "pages": picture.pages,
                "notices": list(picture.notices),
            }
        )
        return
    resolution = "unknown; give it with --ppi" if picture.ppi is None else f"{picture.ppi:.6g} ppi"
    origin = {"file": " (from the file)", "option": " (given)", "unknown": ""}[picture.ppi_origin]
    size = "" if picture.ppi is None else f", {width / picture.ppi * 25.4:.1f} x {height / picture.ppi * 25.4:.1f} mm"
    click.echo(f"{file.as_posix()}")
    click.echo(f"  format      {picture.format}, {picture.bits} bits a sample, {picture.pages} picture(s)")
    click.echo(f"  size        {width} x {height} px{size}")
    click.echo(f"  resolution  {resolution}{origin}")
    click.echo(f"  sha256      {picture.sha256} (file)")
    click.echo(f"              {sha256_hex(picture.pixels.tobytes())} (pixels)")


def _show_template(file: Path, as_json: bool) -> None:
    from fpipe.core.files import sha256_hex
    from fpipe.minutiae.files import describe_template

    data = file.read_bytes()
    document = {"file": file.as_posix(), "sha256": sha256_hex(data), **describe_template(data, file.as_posix())}
    for text in document["notices"]:
        notice(f"{file.as_posix()}: {text}")
    if as_json:
        print_json(document)
        return
    click.echo(f"{file.as_posix()}")
    click.echo(f"  format      {document['format']}")
    for number, view in enumerate(document["minutiae"], 1):
        click.echo(f"  view {number}      finger {view['finger']}, {view['count']} minutiae")
    click.echo(f"  sha256      {document['sha256']} (file)")
