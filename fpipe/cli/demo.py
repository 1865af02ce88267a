"""``fpipe demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fpipe.cli.common import json_option, print_json, progress

if TYPE_CHECKING:
    from fpipe.service.demo import Demo

EXAMPLE = """\b
Example:
  fpipe demo --out demo-out
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo-out",
    show_default=True,
    help="Folder for the demonstration's gallery and reports; made if absent.",
)
@json_option
def command(out: Path, as_json: bool) -> None:
    """Enrol the synthetic sample prints, search the sample latents, write their reports.

    The samples are drawn by fpipe itself: they are nobody's fingers.
    """
    from fpipe.service.demo import enrol_samples, open_demo

    with progress("enrolling", None) as advance:
        enrolled = enrol_samples(out, advance)
    with open_demo(out) as demo:
        reports = [_report(demo, index, out / "reports") for index in range(len(demo.searches))]
        if as_json:
            print_json(demo.document(enrolled, reports))
            return
        _print_text(demo, enrolled, reports)


def _report(demo: Demo, index: int, folder: Path) -> Path:
    from datetime import UTC, datetime

    from fpipe.report import write_search_report

    return write_search_report(
        demo.searches[index],
        folder,
        gallery=demo.searcher.gallery.path.as_posix(),
        top=5,
        originals=demo.searcher.original,
        date=datetime.now(UTC),
    )


def _print_text(demo: Demo, enrolled: int, reports: list[Path]) -> None:
    click.echo(f"{enrolled} synthetic prints are in the gallery {demo.searcher.gallery.path}")
    for found, mate, report in zip(demo.searches, demo.mates, reports, strict=True):
        click.echo(f"\n{Path(found.latent).name}: {len(found.template.minutiae)} minutiae; ", nl=False)
        click.echo(f"left by {' '.join(mate)}" if mate else "its finger is not in the gallery")
        click.echo(f"{'rank':>5} {'score':>8} {'pairs':>6}  print")
        for c in found.candidates[:5]:
            mark = "  <- a mate" if mate == (c.record.subject, c.record.finger) else ""
            click.echo(f"{c.rank:>5} {c.score:>8.2f} {c.sure_pairs:>6}  {Path(c.record.print).name}{mark}")
        click.echo(f"      report: {report}")
    click.echo("\nA candidate is not an identification: an examiner decides.")
