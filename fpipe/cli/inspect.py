"""``fpipe inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fpipe.cli.common import json_option, notice, ppi_option, print_json, say, shown

EXAMPLE = """\b
Example:
  fpipe inspect latent.tif
  fpipe inspect card.an2
  fpipe inspect "card.an2#7" --json
"""


@click.command(epilog=EXAMPLE)
@click.argument("file", type=click.Path(path_type=Path))
@ppi_option
@json_option
def command(file: Path, ppi: float | None, as_json: bool) -> int:
    """Say what fpipe makes of the picture, template or ANSI/NIST file in FILE, before any resampling.

    The hash of the pixels is that of the upright 8-bit gray picture, row by row.
    Minutiae are listed in the file's own pixels, origin top left, degrees counter-clockwise.

    Of an ANSI/NIST file all records are listed; "FILE#7" is its picture of finger position 7, "FILE#idc=3" that of
    IDC 3. Exit 3 where some of its pictures or minutiae can't be read, 5 where none can.
    """
    from fpipe.service.inspect import inspect_file

    found = inspect_file(file, ppi=ppi)
    document = found.document
    for text in document["notices"]:
        notice(f"{file.as_posix()}: {text}")
    failed = document.get("failed", [])
    for failure in failed:
        click.echo(f"fpipe: {shown(' '.join(failure['message'].split()))}", err=True)
    if as_json:
        print_json(document)
    else:
        _print(found.kind, document)
    if not failed:
        return 0
    return 3 if document["images"] or document["minutiae"] else 5


def _print(kind: str, document: dict[str, Any]) -> None:
    say(document["file"])
    if kind == "exchange":
        from fpipe.service.inspect import exchange_lines

        for line in exchange_lines(document):
            say(line)
    elif kind == "template":
        say(f"  format      {document['format']}")
        for number, view in enumerate(document["minutiae"], 1):
            say(f"  view {number}      finger {view['finger']}, {view['count']} minutiae")
    else:
        _print_picture(document)
        return
    say(f"  sha256      {document['sha256']} (file)")


def _print_picture(document: dict[str, Any]) -> None:
    width, height, ppi = document["width"], document["height"], document["ppi"]
    resolution = "unknown; give it with --ppi" if ppi is None else f"{ppi:.6g} ppi"
    origin = {
        "file": " (from the file)",
        "option": " (given)",
        "scale": " (by the scale in the picture)",
        "estimated": " (ESTIMATED from the ridges)",
        "unknown": "",
    }[document["ppi_origin"]]
    size = "" if ppi is None else f", {width / ppi * 25.4:.1f} x {height / ppi * 25.4:.1f} mm"
    say(f"  format      {document['format']}, {document['bits']} bits a sample, {document['pages']} picture(s)")
    say(f"  size        {width} x {height} px{size}")
    say(f"  resolution  {resolution}{origin}")
    say(f"  sha256      {document['sha256']} (file)")
    say(f"              {document['pixels_sha256']} (pixels)")
