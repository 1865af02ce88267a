"""``fpipe gallery add``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fpipe.cli.common import (
    example,
    gallery_argument,
    jobs_option,
    notice,
    ppi_option,
    preset_option,
    print_json_line,
    progress,
)

if TYPE_CHECKING:
    from fpipe.index.records import Kind
    from fpipe.service.enroll import Outcome

_KINDS: tuple[Kind, ...] = ("plain", "rolled", "latent")


@click.command(
    epilog=example(
        "fpipe gallery add G 12_right_index.png --ppi 500 --subject 12 --finger right_index",
        "fpipe gallery add G cards/ --kind rolled --jobs 4 --json > added.jsonl",
    )
)
@gallery_argument
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@ppi_option
@click.option("--subject", help="Whose prints these are: a name or number.")
@click.option("--finger", help="Which finger, for instance right_index or 2.")
@click.option("--kind", type=click.Choice(_KINDS), default="plain", show_default=True, help="Impression type.")
@preset_option(None)
@jobs_option
@click.option("--mixed", is_flag=True, help="Allow methods of reading that are new to prints of this kind in GALLERY.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line a file, then a summary line.")
def add(
    gallery: Path,
    files: tuple[Path, ...],
    ppi: float | None,
    subject: str | None,
    finger: str | None,
    kind: Kind,
    preset: str | None,
    jobs: int,
    mixed: bool,
    as_json: bool,
) -> int:
    """Add FILEs to GALLERY: pictures, template files, or folders of them.

    A print is named by its path as given here.  Files whose bytes are in the
    gallery already are left alone, so an interrupted run can simply be repeated.
    A file that can't be used is listed with the reason, and the rest goes on.
    """
    from fpipe.service.enroll import enroll
    from fpipe.service.gallery_files import gather

    counts = {"added": 0, "known": 0, "quarantined": 0}
    interrupted = False
    with progress("adding", sum(1 for _ in gather(files))) as advance:
        outcomes = enroll(
            gallery, files, ppi=ppi, subject=subject, finger=finger, kind=kind, preset=preset, jobs=jobs, mixed=mixed
        )
        try:
            for outcome in outcomes:
                _tell(outcome, as_json)
                counts[outcome.status] += 1
                advance(1)
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        print_json_line({"type": "summary", **counts, "interrupted": interrupted})
    else:
        click.echo(", ".join(f"{count} {status}" for status, count in counts.items()))
    if interrupted:
        raise KeyboardInterrupt
    if counts["quarantined"]:
        return 3 if counts["added"] or counts["known"] else 5
    return 0


def _tell(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json_line({"type": "item", **outcome.as_document()})
    else:
        for line in outcome.notices:
            notice(f"{outcome.file}: {line}")
        if outcome.code:
            notice(f"left out ({outcome.code}): {outcome.message}")
        else:
            click.echo(f"{outcome.status} {outcome.file}")
