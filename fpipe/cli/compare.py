"""``fpipe compare``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import json_option, ppi_option, print_json, say

EXAMPLE = """\b
Example:
  fpipe compare latent.png exemplar.wsq --probe-preset latent --json
  fpipe compare a.iso b.iso
"""


@click.command(epilog=EXAMPLE)
@click.argument("probe", type=click.Path(path_type=Path))
@click.argument("gallery", type=click.Path(path_type=Path))
@ppi_option
@click.option("--probe-preset", default="plain", show_default=True, help="How PROBE is read, if it is a picture.")
@click.option("--gallery-preset", default="plain", show_default=True, help="How GALLERY is read, if it is a picture.")
@json_option
def command(
    probe: Path, gallery: Path, ppi: float | None, probe_preset: str, gallery_preset: str, as_json: bool
) -> None:
    """Compare the prints PROBE and GALLERY: pictures or template files.

    Prints the score and the paired minutiae, numbered, in pixels at 500 ppi.
    """
    from fpipe.service.compare import as_document, compare_files

    found = compare_files(probe, gallery, ppi=ppi, probe_preset=probe_preset, gallery_preset=gallery_preset)
    if as_json:
        print_json(as_document(found, probe, gallery))
        return
    doubtful = int(found.comparison.doubtful.sum())
    say(
        f"score {found.comparison.score:.2f}, {len(found.comparison.pairs) - doubtful} paired minutiae "
        f"of {len(found.probe.minutiae)} and {len(found.gallery.minutiae)}"
        + (f", and {doubtful} pairs with doubtful ones" if doubtful else "")
    )
