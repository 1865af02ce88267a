"""``fpipe search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fpipe.cli.common import json_option, notice, ppi_option, print_json, progress, say
from fpipe.cli.selecting import selection_options

if TYPE_CHECKING:
    from fpipe.index import Selection
    from fpipe.service.markup import Use
    from fpipe.service.search import Search, Searcher

EXAMPLE = """\b
Example:
  fpipe search G latent.png --ppi 1000 --report out
  fpipe search G marks/*.png --json > lists.json
  fpipe search G latent.an2 --use both
  fpipe search G latent.png --finger right_index --kind rolled --where case=12
  fpipe search G mark.png --kind latent
  fpipe search G newcard.png --reverse
"""


@click.command(epilog=EXAMPLE)
@click.argument("gallery", type=click.Path(path_type=Path))
@click.argument("latents", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LATENT...")
@ppi_option
@click.option(
    "--preset",
    help="Methods and parameters: plain, latent, fast, or a TOML file.  By default latent; with --reverse plain.",
)
@click.option(
    "--use",
    type=click.Choice(["image", "markup", "both"]),
    default=None,
    help="Of an ANSI/NIST file: its picture, an examiner's markup, or both; by default the picture if it has one.",
)
@selection_options
@click.option("--reverse", is_flag=True, help="LATENT is a print of a known finger; rank the gallery's latents for it.")
@click.option("--list", "listed", type=click.IntRange(1), default=20, show_default=True, help="Candidates listed.")
@click.option(
    "--candidates",
    "compared",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Prints that the index passes on to the exact match.",
)
@click.option("--exhaustive", is_flag=True, help="Compare with every print of the gallery; slower, misses nothing.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Write one self-contained HTML report a latent into this folder.",
)
@click.option("--report-top", type=click.IntRange(1), default=5, show_default=True, help="Candidates drawn in it.")
@click.option("--fail-if-empty", is_flag=True, help="Exit 4 where no latent has any candidate.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print the candidate lists as CSV.")
def command(
    gallery: Path,
    latents: tuple[Path, ...],
    ppi: float | None,
    preset: str | None,
    use: Use | None,
    selection: Selection,
    reverse: bool,
    listed: int,
    compared: int,
    exhaustive: bool,
    report: Path | None,
    report_top: int,
    fail_if_empty: bool,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Rank the gallery's prints for each LATENT: a picture, a template file, or an ANSI/NIST file.

    The list is a ranking, not an identification: an examiner decides.  The score
    grows with the number and the agreement of paired minutiae; docs/matching.md
    says what it means.  With --finger and the like only these prints are searched,
    as if the gallery held no others; the result says so.
    """
    from fpipe.core.errors import InputRefused
    from fpipe.service.gallery_files import as_text
    from fpipe.service.search import open_searcher, search_file

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if reverse:
        latents = _fingers_of(latents)
    done: list[Search] = []
    refused: list[dict[str, str]] = []
    with open_searcher(gallery) as searcher, progress("searching", len(latents)) as advance:
        for path in latents:
            try:
                found = search_file(
                    searcher,
                    path,
                    ppi=ppi,
                    preset=preset,
                    use=use,
                    compared=None if exhaustive else compared,
                    listed=listed,
                    selection=selection,
                    reverse=reverse,
                )
            except InputRefused as error:
                if len(latents) == 1:
                    raise
                notice(error.message)
                refused.append({"latent": as_text(path), "code": error.code, "message": error.message})
            else:
                done.append(found)
                for line in found.notices:
                    notice(f"{found.latent}: {line}")
                if report is not None:
                    notice(f"report: {_report(found, report, searcher, report_top)}")
            advance(1)
    if as_json:
        _print_json(done, refused)
    elif as_csv:
        _print_csv(done)
    else:
        _print_text(done)
    if not done:
        return 5
    if refused:
        return 3
    return 4 if fail_if_empty and not any(found.candidates for found in done) else 0


def _fingers_of(files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Every finger of every card among the files."""
    from fpipe.service.reverse import probes_of

    found: list[Path] = []
    for file in files:
        probes, others = probes_of(file)
        found += probes
        for other in others:
            notice(f"{file.as_posix()}: not searched: {other}")
    return tuple(found)


def _report(found: Search, folder: Path, searcher: Searcher, top: int) -> Path:
    from datetime import UTC, datetime

    from fpipe.report import write_search_report
    from fpipe.service.gallery_files import as_text

    return write_search_report(
        found,
        folder,
        gallery=as_text(searcher.gallery.path),
        top=top,
        originals=searcher.original,
        date=datetime.now(UTC),
    )


def _print_json(done: list[Search], refused: list[dict[str, str]]) -> None:
    from fpipe.service.search import as_document
    from fpipe.service.versions import versions

    print_json({"searches": [as_document(found) for found in done], "refused": refused, "versions": versions()})


def _print_csv(done: list[Search]) -> None:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["latent", "rank", "print", "subject", "finger", "score", "pairs"])
    for found in done:
        for c in found.candidates:
            row = [
                found.latent,
                c.rank,
                c.record.print,
                c.record.subject or "",
                c.record.finger or "",
                f"{c.score:.4f}",
                c.sure_pairs,
            ]
            writer.writerow(row)
    click.echo(out.getvalue(), nl=False)


def _print_text(done: list[Search]) -> None:
    for found in done:
        marked = int(found.examiner.sum())
        whose = f" ({marked} of them an examiner's)" if marked else ""
        say(
            f"{found.latent}: {len(found.template.minutiae)} minutiae{whose}, {_searched(found)}, "
            f"{found.prints_compared} compared"
        )
        click.echo(f"{'rank':>5} {'score':>8} {'pairs':>6}  print")
        for c in found.candidates:
            who = " ".join(part for part in (" = ".join(c.person), c.record.finger) if part)
            say(f"{c.rank:>5} {c.score:>8.2f} {c.sure_pairs:>6}  {c.record.print}{f'  ({who})' if who else ''}")
    click.echo("A candidate is not an identification: an examiner decides.")


def _searched(found: Search) -> str:
    if not found.selection:
        return f"{found.prints_searched} prints searched"
    return f"{found.prints_searched} of {found.prints_in_gallery} prints searched ({found.selection})"
