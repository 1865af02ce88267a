"""A latent against a gallery: votes of descriptor hits choose candidates, the exact match ranks them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import BadTemplate, DigestMismatch, IntegrityError
from fpipe.core.trace import Recorder
from fpipe.core.types import FloatMap, GrayImage, Picture, Template
from fpipe.formats import read_picture, to_500_ppi
from fpipe.index import Gallery, PrintRecord
from fpipe.minutiae import blob
from fpipe.pipeline.compare import Comparer, Prepared, comparer
from fpipe.pipeline.presets import Preset, load_preset
from fpipe.service.reading import Reading, read_print
from fpipe.service.storing import mixed_methods
from fpipe.service.versions import versions

CANDIDATES = 2000
"""Prints that get the exact match after the votes; galleries up to this size are compared whole."""
LISTED = 20
"""Length of the candidate list an examiner gets."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One line of a candidate list.

    pairs : (P, 2) int32, rows of the latent's and of this print's minutiae
    rotation : rad, latent to print, counter-clockwise
    """

    rank: int
    record: PrintRecord
    score: float
    pairs: NDArray[np.int32]
    rotation: float
    template: Template


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One latent's candidate list with everything needed to explain it.

    enhanced : (H, W) float32, what the minutiae were read from; None where it was not asked for
    gallery_digests : kind of print -> extraction digests of the gallery; more than one is stated in notices too
    prints_searched : all prints of the gallery; prints_compared : those that got the exact match
    """

    latent: str
    sha256: str
    ppi: float
    ppi_origin: str
    preset: str
    extraction_digest: str
    comparison_digest: str
    seconds: dict[str, float]
    prints_searched: int
    prints_compared: int
    candidates: tuple[Candidate, ...]
    picture: Picture
    image: GrayImage
    enhanced: FloatMap | None
    template: Template
    versions: dict[str, str]
    notices: tuple[str, ...]
    gallery_digests: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    record: PrintRecord
    edition: int
    template: Template
    prepared: Prepared


class Searcher:
    """Searches one gallery; keeps what it prepared, so that several latents share it."""

    def __init__(self, gallery: Gallery, comparer: Comparer) -> None:
        if gallery.comparison_digest != comparer.digest:
            raise DigestMismatch(
                where=str(gallery.path),
                got=f"comparison digest {comparer.digest}",
                expected=gallery.comparison_digest,
                what_to_do="search it with the fpipe that filled it, or make a new gallery from the originals",
            )
        self.gallery = gallery
        self.comparer = comparer
        self._held: dict[int, _Held] = {}

    def candidates(self, probe: Template, compared: int | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Print ids and exact scores, best first, ties by id.

        compared : how many prints the votes pass on; None compares with every print
        """
        ids, descriptors = self.gallery.print_ids(), self.comparer.describe(probe)
        if compared is not None and compared < len(ids):  # where too few got votes, the list is shorter
            ids = self.comparer.voted(probe, descriptors, self.gallery.search)[:compared]
        scores = self.comparer.scores(self.comparer.prepare(probe, descriptors), self._prepare(ids))
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]

    def _prepare(self, ids: NDArray[np.int64]) -> list[Prepared]:
        """Made once for every template: another command may re-extract prints between two searches."""
        editions = zip(ids.tolist(), self.gallery.editions(ids), strict=True)
        missing = [i for i, edition in editions if i not in self._held or self._held[i].edition != edition]
        for stored in self.gallery.stored(missing):
            template = self._stored(stored.record.id, stored.template)
            self._held[stored.record.id] = _Held(
                stored.record, stored.edition, template, self.comparer.prepare(template)
            )
        return [self._held[i].prepared for i in ids.tolist()]

    def _stored(self, number: int, data: bytes) -> Template:
        where = f"{self.gallery.path}: print {number}"
        try:
            return blob.decode(data, where)
        except BadTemplate as error:  # not the user's input is at fault, but what was stored
            raise IntegrityError(where=where, reason=error.message) from error

    def search(
        self,
        reading: Reading,
        preset: Preset,
        *,
        enhanced: FloatMap | None = None,
        compared: int | None = CANDIDATES,
        listed: int = LISTED,
    ) -> Search:
        """The candidate list of one latent."""
        start = time.perf_counter()
        ids, scores = self.candidates(reading.template, compared)
        candidates = self._explained(reading.template, ids[:listed], scores)
        methods = self.gallery.extraction_digests()
        seconds = {**reading.seconds, "search": time.perf_counter() - start}
        assert reading.picture.ppi is not None  # an unknown resolution was refused before
        return Search(
            latent=reading.name,
            sha256=reading.picture.sha256,
            ppi=reading.picture.ppi,
            ppi_origin=reading.picture.ppi_origin,
            preset=preset.name,
            extraction_digest=preset.extraction_digest,
            comparison_digest=self.comparer.digest,
            seconds=seconds,
            prints_searched=len(self.gallery.print_ids()),
            prints_compared=len(ids),
            candidates=candidates,
            picture=reading.picture,
            image=reading.image,
            enhanced=enhanced,
            template=reading.template,
            versions=versions(),
            notices=(*reading.picture.notices, *mixed_methods(methods)),
            gallery_digests=methods,
        )

    def _explained(
        self, latent: Template, ids: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> tuple[Candidate, ...]:
        probe = self.comparer.prepare(latent)
        candidates: list[Candidate] = []
        self.gallery.editions(ids)  # a print that was removed meanwhile is not shown any more
        for number, score in zip(ids.tolist(), scores, strict=False):
            held = self._held[number]  # its record of when its template was compared
            found = self.comparer.compare(probe, held.prepared)
            candidates.append(
                Candidate(len(candidates) + 1, held.record, float(score), found.pairs, found.rotation, held.template)
            )
        return tuple(candidates)

    def original(self, candidate: Candidate) -> GrayImage | None:
        """A candidate's original at 500 ppi; None where it is not kept, or is gone."""
        data = self.gallery.original(candidate.record)
        if data is None:
            return None
        name = candidate.record.print
        return to_500_ppi(read_picture(data, name=name, ppi=candidate.record.ppi), name)


@contextmanager
def open_searcher(path: Path) -> Iterator[Searcher]:
    """A gallery opened for searching."""
    with Gallery.open(path) as gallery:
        yield Searcher(gallery, comparer())


def search_file(
    searcher: Searcher,
    path: Path,
    *,
    ppi: float | None = None,
    preset: str = "latent",
    compared: int | None = CANDIDATES,
    listed: int = LISTED,
) -> Search:
    """Read a latent from a file and search it."""
    chosen = load_preset(preset)
    trace = Recorder()
    reading = read_print(path, chosen, ppi=ppi, trace=trace)
    return searcher.search(reading, chosen, enhanced=trace.get("enhanced.image"), compared=compared, listed=listed)


def as_document(search: Search) -> dict[str, object]:
    """The JSON of one search, as ``fpipe search --json`` prints it."""
    return {
        "latent": search.latent,
        "sha256": search.sha256,
        "ppi": search.ppi,
        "ppi_origin": search.ppi_origin,
        "preset": search.preset,
        "extraction_digest": search.extraction_digest,
        "comparison_digest": search.comparison_digest,
        "gallery_extraction_digests": search.gallery_digests,
        "minutiae": len(search.template.minutiae),
        "seconds": {name: round(value, 4) for name, value in search.seconds.items()},
        "prints_searched": search.prints_searched,
        "prints_compared": search.prints_compared,
        "candidates": [
            {
                "rank": c.rank,
                "print": c.record.print,
                "subject": c.record.subject,
                "finger": c.record.finger,
                "kind": c.record.kind,
                "score": round(c.score, 4),
                "pairs": len(c.pairs),
                "sha256": c.record.sha256,
            }
            for c in search.candidates
        ],
        "notices": list(search.notices),
    }
