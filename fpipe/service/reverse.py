"""Prints of known fingers among the latents that a gallery keeps: what a new card may solve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpipe.core.errors import InputRefused
from fpipe.core.files import split_choice
from fpipe.formats.exchange.pictures import pictures_of
from fpipe.formats.exchange.records import is_exchange, parse
from fpipe.index import PrintRecord, Selection
from fpipe.service.audit import note_stored_search
from fpipe.service.search import CANDIDATES, LISTED, Candidate, Searcher, candidate_document

LEAST_SCORE = 1.0
"""Below it lie 99.9 % of the pairs of different fingers (docs/records.md)."""
_FINGERS = range(13)
"""Positions of single fingers: 0 unknown, 1 to 10, 11 and 12 plain thumbs."""


@dataclass(frozen=True, slots=True, eq=False)
class ReverseSearch:
    """One print of a gallery among its latents.

    latents : how many were searched; compared : of them, those that got the exact match; below : of these, those whose
        score is too low to be listed
    notice : why the gallery's audit does not know of it, None where it does
    """

    record: PrintRecord
    latents: int
    candidates: tuple[Candidate, ...]
    compared: int
    below: int
    notice: str | None = None

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        candidates = [candidate_document(candidate) for candidate in self.candidates]
        counts = {"searched": self.latents, "compared": self.compared, "below_least_score": self.below}
        return {
            "print": self.record.print,
            **{f"latents_{name}": count for name, count in counts.items()},
            "candidates": candidates,
        }


def among_latents(
    searcher: Searcher,
    ids: Iterable[int],
    *,
    least: float = LEAST_SCORE,
    compared: int | None = CANDIDATES,
    listed: int = LISTED,
) -> Iterator[ReverseSearch]:
    """Stored prints, those just added for instance, each searched among the gallery's latents other than itself.

    ids : of the prints
    least : candidates of a lower score are not listed

    Raises GalleryChanged where a print is gone.
    """
    for number in ids:
        latents = searcher.gallery.select(Selection(kinds=("latent",))).ids
        latents = latents[latents != number]
        (stored,) = searcher.gallery.stored([number])
        probe = searcher.template(stored)
        found, scores = searcher.candidates(probe, compared, latents)
        told = found[scores >= least]  # the first of them: they are ranked
        candidates = searcher.explained(probe, told[:listed], scores)
        failed = note_stored_search(searcher.gallery, number, candidates, len(latents), len(found))
        below = len(found) - len(told)
        yield ReverseSearch(stored.record, len(latents), candidates, len(found), below, failed)


def probes_of(path: Path) -> tuple[list[Path], list[str]]:
    """A card's pictures of single fingers, each as FILE#idc=NUMBER, and what else is in it; any other file as it is."""
    try:
        file, choice = split_choice(path)
        data = file.read_bytes() if not choice and file.is_file() else b""
        pictures = pictures_of(parse(data, path.as_posix())) if is_exchange(data) else []
    except (OSError, InputRefused):  # its reader says what is wrong with it
        pictures = []
    if len(pictures) < 2:
        return [path], []
    single = [p for p in pictures if p.record.type != 15 and (p.finger or 0) in _FINGERS and len(p.fingers) < 2]
    named = [path.with_name(f"{path.name}#idc={picture.record.idc}") for picture in single]
    return named, [picture.name for picture in pictures if picture not in single]
