"""``fpipe gallery``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fpipe.cli import gallery_add, gallery_custody, gallery_records
from fpipe.cli.batch import heeding_interrupts
from fpipe.cli.common import (
    example,
    gallery_argument,
    jobs_option,
    json_option,
    notice,
    preset_option,
    print_json,
    print_json_line,
    progress,
    say,
)

if TYPE_CHECKING:
    from fpipe.index.records import Kind
    from fpipe.service.reextract import Outcome as Reextracted

_KINDS: tuple[Kind, ...] = ("plain", "rolled", "latent")


@click.group(epilog=example("fpipe gallery create G", "fpipe gallery add G cards/ --ppi 500 --jobs 4"))
def command() -> None:
    """Create, fill, list, check and mend a gallery.

    A gallery is a folder on a local disk.  What was reported as added survives
    crashes; docs/gallery.md says what it promises.
    """


@command.command(epilog=example("fpipe gallery create G", "fpipe gallery create G --no-originals"))
@gallery_argument
@click.option("--no-originals", is_flag=True, help="Keep path and sha256 of the files, not the files themselves.")
@json_option
def create(gallery: Path, no_originals: bool, as_json: bool) -> None:
    """Make the new, empty gallery GALLERY.

    The files that are added are kept in it: reports show them, and better
    methods can read them again.
    """
    from fpipe.service.enroll import create_gallery

    create_gallery(gallery, keep_originals=not no_originals)
    if as_json:
        print_json({"gallery": gallery.as_posix(), "originals": not no_originals})
    else:
        say(f"{gallery}: an empty gallery")


@command.command(
    epilog=example(
        "fpipe gallery reextract G --jobs 4",
        "fpipe gallery reextract G --kind latent --preset mine.toml --json > done.jsonl",
    )
)
@gallery_argument
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True, help="Only prints of this type; repeatable.")
@preset_option(None)
@jobs_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line a print, then a summary line.")
def reextract(gallery: Path, kinds: tuple[Kind, ...], preset: str | None, jobs: int, as_json: bool) -> int:
    """Read the prints of GALLERY again, by newer methods, from their originals.

    By default each by the preset of its kind.  Prints that were read by these
    methods already are left alone, so an interrupted run can simply be repeated.
    Imported templates stay as they are.  A print that can't be read again keeps
    its old template and is listed with the reason: exit 3, or 5 where no print of
    GALLERY was read by these methods in the end.
    """
    from fpipe.service.reextract import count_prints
    from fpipe.service.reextract import reextract as run
    from fpipe.service.workers import Stop

    counts = {"reextracted": 0, "current": 0, "imported": 0, "kept": 0}
    stop = Stop()
    with progress("reading again", count_prints(gallery, kinds or _KINDS)) as advance, heeding_interrupts(stop):
        outcomes = run(gallery, kinds=kinds or _KINDS, preset=preset, jobs=jobs, stop=stop)
        with suppress(KeyboardInterrupt):  # broken off by the second Ctrl-C
            for outcome in outcomes:
                _tell_again(outcome, as_json)
                counts[outcome.status] += 1
                advance(1)
    _sum_up(gallery, counts, stop.asked, as_json)
    if stop.asked:
        raise KeyboardInterrupt
    if counts["kept"]:
        return 3 if counts["reextracted"] or counts["current"] else 5
    return 0


def _tell_again(outcome: Reextracted, as_json: bool) -> None:
    if as_json:
        print_json_line({"type": "item", **outcome.as_document()})
    elif outcome.code:
        notice(f"{outcome.record.print} keeps its template ({outcome.code}): {outcome.message}")
    else:
        say(f"{outcome.status} {outcome.record.print}")


def _sum_up(gallery: Path, counts: dict[str, int], interrupted: bool, as_json: bool) -> None:
    """The counts, and what methods the gallery holds now."""
    from fpipe.index import Gallery
    from fpipe.service.records import mixed_methods

    with Gallery.open(gallery) as opened:
        methods = opened.extraction_digests()
    if as_json:
        print_json_line({"type": "summary", **counts, "interrupted": interrupted, "extraction_digests": methods})
        return
    say(", ".join(f"{count} {status}" for status, count in counts.items()))
    for line in mixed_methods(methods):
        notice(line)


@command.command(epilog=example("fpipe gallery rebuild G"))
@gallery_argument
@json_option
def rebuild(gallery: Path, as_json: bool) -> None:
    """Make the index of GALLERY again from its templates."""
    from fpipe.index import Gallery
    from fpipe.service.enroll import rebuild_gallery

    with Gallery.open(gallery, write=True) as opened:  # as a reader it would refuse one of an older version
        prints = len(opened.print_ids())
    with progress("rebuilding", prints) as advance:
        rebuild_gallery(gallery, advance)
    if as_json:
        print_json({"prints": prints})
    else:
        say(f"the index of {prints} prints is made again")


for _more in (gallery_add.add, *gallery_custody.COMMANDS, *gallery_records.COMMANDS):
    command.add_command(_more)
