"""``fpipe gallery add``."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fpipe.cli.batch import batch_progress, heeding_interrupts
from fpipe.cli.common import (
    NumberRange,
    Text,
    example,
    gallery_argument,
    jobs_option,
    notice,
    ppi_option,
    preset_option,
    print_json_line,
    say,
)

if TYPE_CHECKING:
    from fpipe.index.records import Kind
    from fpipe.service.gallery_files import Source
    from fpipe.service.intake import Outcome
    from fpipe.service.workers import Stop

_KINDS: tuple[Kind, ...] = ("plain", "rolled", "latent")
_LATENTS = 5
"""How many latents are told of each print in a reverse search."""


@click.command(
    epilog=example(
        "fpipe gallery add G 12_right_index.png --ppi 500 --subject 12 --finger right_index",
        "fpipe gallery add G cards/ --jobs 4 --quarantine left_out.csv --json > added.jsonl",
        "fpipe gallery add G --manifest salvaged.csv --dry-run",
        "find archive -name '*.an2' -print0 | fpipe gallery add G - -0",
    )
)
@gallery_argument
@click.argument("files", nargs=-1, type=click.Path(), metavar="[SOURCE]...")
@click.option("--manifest", type=click.Path(path_type=Path), help="CSV list: path, subject, finger, kind, ppi, fields.")
@click.option("-0", "--null", "zero", is_flag=True, help="Names from standard input end with a zero byte.")
@ppi_option
@click.option("--subject", type=Text(), help="Whose prints these are: a name or number.")
@click.option("--finger", type=Text(), help="Which finger, for instance right_index or 2.")
@click.option("--kind", type=click.Choice(_KINDS), help="Impression type; by default what the file says, or plain.")
@preset_option(None)
@jobs_option
@click.option("--mixed", is_flag=True, help="Allow methods of reading that are new to prints of this kind in GALLERY.")
@click.option("--dry-run", is_flag=True, help="Say what would be added, left out, and needed; change nothing.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Files at most, beside those that GALLERY holds.")
@click.option("--max-errors", type=click.IntRange(0), metavar="N", help="Stop once more than N prints are left out.")
@click.option(
    "--timeout",
    type=NumberRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Leave out a print that takes longer to read; 0 allows any time.",
)
@click.option("--quarantine", type=click.Path(path_type=Path), metavar="CSV", help="Write what is left out, and why.")
@click.option("--reverse", is_flag=True, help="Then search each new print of a finger among GALLERY's latents.")
@click.option(
    "--least-score",
    type=NumberRange(0),
    default=1.0,
    show_default=True,
    metavar="SCORE",
    help="Of --reverse: count latents of a lower score, but do not list them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line a print, then a summary line.")
def add(
    gallery: Path,
    files: tuple[str, ...],
    manifest: Path | None,
    zero: bool,
    subject: str | None,
    finger: str | None,
    kind: Kind | None,
    ppi: float | None,
    dry_run: bool,
    max_errors: int | None,
    timeout: float,
    quarantine: Path | None,
    reverse: bool,
    least_score: float,
    as_json: bool,
    **how: Any,
) -> int:
    """Add the prints of SOURCEs to GALLERY: pictures, templates, ANSI/NIST files.

    A SOURCE is a file, a folder, a pattern such as 'cards/*.an2', one picture of
    an ANSI/NIST file (card.an2#7), or - for names from standard input.  A print is
    named by its path as given here.  Files whose bytes are in the gallery already
    are left alone, so an interrupted run can simply be repeated.  What can't be used
    is listed with the reason, and the rest goes on.  Ctrl-C finishes what was begun
    and stores it, a second one breaks off.  docs/batch.md says more.
    """
    from fpipe.service.gallery_files import Details
    from fpipe.service.pending import sources
    from fpipe.service.quarantine import quarantine_list
    from fpipe.service.workers import Stop

    if not files and manifest is None:
        raise click.UsageError("expected a SOURCE or --manifest")
    if zero and "-" not in files:
        raise click.UsageError("-0 is said of names from standard input; give - as a SOURCE")
    if dry_run and reverse:
        raise click.UsageError("--dry-run adds nothing that --reverse could search; give one of them")
    names, besides = _paths(files, zero=zero), [gallery, *([quarantine] if quarantine else [])]
    found = partial(sources, names, manifest, Details(subject or None, finger or None, kind, ppi), but=besides)
    stop = Stop()
    how.update(seconds=timeout or None, stop=stop)
    label = "looking through" if dry_run else "adding"
    with (
        batch_progress(label, sum(1 for _ in found())) as advance,
        quarantine_list(quarantine) as list_it,
        heeding_interrupts(stop),
    ):
        tally = _Tally(advance, list_it, stop, max_errors, as_json=as_json)
        run = _rehearse if dry_run else _enroll
        document = run(gallery, found(), tally, how)
        if reverse and not stop.asked:
            _search_latents(gallery, tally.fingers, least_score, stop, as_json=as_json)
    interrupted = stop.asked and not tally.too_many
    if as_json:
        ended = {"interrupted": interrupted, "too_many_errors": tally.too_many}
        print_json_line({"type": "summary", **document, **ended})
    else:
        _say(document)
    if tally.too_many:
        notice(f"ended early: more than {max_errors} prints were left out")
    if interrupted:
        raise KeyboardInterrupt
    if document["quarantined"]:
        return 3 if document["new" if dry_run else "added"] or document["known"] else 5
    return 0


def _say(document: dict[str, Any]) -> None:
    """The summary for a person."""
    names = ("new", "known", "quarantined") if "new" in document else ("added", "known", "quarantined")
    click.echo(", ".join(f"{document[name]} {name}" for name in names))
    if "new" not in document:
        return
    formats = ", ".join(f"{count} {format}" for format, count in document["formats"].items())
    click.echo(f"new prints by format: {formats or 'none'}")
    if document["sampled"]:
        room = f"{document['disk_bytes'] / 1e6:.1f} MB of {document['free_bytes'] / 1e9:.1f} GB free"
        hours = document["seconds"] / 3600
        click.echo(
            f"estimated from {document['sampled']} of them: {room}, {hours:.2f} h with --jobs {document['jobs']}"
        )


def _paths(names: Sequence[str], *, zero: bool) -> list[Path]:
    """The names as given; ``-`` stands for those on standard input, one a line or each up to a zero byte."""
    found = list[Path]()
    if "" in names:  # of a variable that is not set, and not the folder one is in
        raise click.UsageError("a SOURCE is empty; expected a file, a folder, a pattern or -")
    for name in names:
        found += _names_on_stdin(zero=zero) if name == "-" else [Path(name)]
    return found


def _names_on_stdin(*, zero: bool) -> list[Path]:
    if sys.stdin is None:  # closed by whoever started the program
        raise click.UsageError("there is no standard input to read names from")
    read = sys.stdin.buffer.read()
    names = read.split(b"\0")
    if not zero:  # as Windows may write them, too
        names = [name.removesuffix(b"\r") for name in read.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    return [Path(os.fsdecode(name)) for name in names if name.strip()]


class _Tally:
    """Tells what becomes of each print, counts it, and asks for the end where too many are left out."""

    def __init__(
        self,
        advance: Callable[[int, int], None],
        list_it: Callable[[Outcome], None],
        stop: Stop,
        max_errors: int | None,
        *,
        as_json: bool,
    ) -> None:
        self.counts = Counter(added=0, known=0, quarantined=0)
        self.seconds = Counter[str]()
        self.fingers = list[int]()
        self.too_many = False
        self._advance, self._list_it, self._stop = advance, list_it, stop
        self._max_errors, self._as_json = max_errors, as_json
        self._path: str | None = None

    def take(self, outcome: Outcome) -> None:
        """One more."""
        self._tell(outcome)
        self.counts[outcome.status] += 1
        self.seconds.update(dict(outcome.seconds))
        self._advance(outcome.path != self._path, outcome.status == "added")
        self._path = outcome.path
        if outcome.status == "added" and outcome.record is not None and outcome.record.kind != "latent":
            self.fingers.append(outcome.record.id)
        if outcome.status == "quarantined":
            self._list_it(outcome)
            if self._max_errors is not None and self.counts["quarantined"] > self._max_errors and not self._stop.asked:
                self.too_many = True
                self._stop.ask()

    def _tell(self, outcome: Outcome) -> None:
        if self._as_json:
            print_json_line({"type": "item", **outcome.as_document()})
            return
        for line in outcome.notices:
            notice(f"{outcome.file}: {line}")
        if outcome.code:
            notice(f"left out ({outcome.code}): {outcome.message}")
        else:
            say(f"{outcome.status} {outcome.file}")


def _enroll(gallery: Path, found: Iterable[Source], tally: _Tally, how: dict[str, Any]) -> dict[str, Any]:
    from fpipe.index import Gallery
    from fpipe.service.enroll import enroll_sources

    start = time.perf_counter()
    with suppress(KeyboardInterrupt):  # broken off by the second Ctrl-C
        for outcome in enroll_sources(gallery, found, **how):
            tally.take(outcome)
    seconds = time.perf_counter() - start
    with Gallery.open(gallery) as opened:
        prints = len(opened.print_ids())
    steps = {step: round(spent, 3) for step, spent in tally.seconds.items()}
    return {**tally.counts, "prints": prints, "seconds": round(seconds, 3), "steps": steps}


def _search_latents(gallery: Path, ids: list[int], least: float, stop: Stop, *, as_json: bool) -> None:
    """The unsolved latents that each new print may be the mate of, the best few of them."""
    from fpipe.core.errors import GalleryChanged
    from fpipe.service.reverse import among_latents
    from fpipe.service.search import open_searcher

    searched = compared = below = 0
    with open_searcher(gallery) as searcher:
        for number in ids:
            try:
                (found,) = among_latents(searcher, [number], least=least, listed=_LATENTS)
            except GalleryChanged as error:  # by another command: the others are searched all the same
                notice(error.message)
                continue
            if as_json:
                print_json_line({"type": "reverse", **found.as_document()})
            for c in () if as_json else found.candidates:
                say(f"{found.record.print}: latent {c.rank}. {c.record.print}, score {c.score:.2f}")
            if found.notice:
                notice(found.notice)
            searched, compared, below = searched + 1, compared + found.compared, below + found.below
            if stop.asked:
                break
    if not as_json:
        say(f"{searched} prints searched among the latents: {compared} comparisons, {below} below score {least:g}")


def _rehearse(gallery: Path, found: Iterable[Source], tally: _Tally, how: dict[str, Any]) -> dict[str, Any]:
    from fpipe.service.rehearsal import Rehearsal, rehearse

    counts = Rehearsal()
    with suppress(KeyboardInterrupt):
        counts = rehearse(gallery, found, tally.take, **how)
    return {"dry_run": True, **counts.as_document(how["jobs"])}
