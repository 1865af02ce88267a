"""A latent against a gallery: votes of descriptor hits choose candidates, the exact match ranks them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import BadTemplate, DigestMismatch, IntegrityError, UsageError
from fpipe.core.trace import Recorder
from fpipe.core.types import FloatMap, GrayImage, Picture, Template
from fpipe.index import Gallery, PrintRecord, Selected, Selection, StoredPrint
from fpipe.minutiae import blob
from fpipe.pipeline.compare import Comparer, Prepared, comparer
from fpipe.pipeline.presets import Preset, load_preset
from fpipe.service.audit import note_search
from fpipe.service.cards import image_of
from fpipe.service.markup import Use
from fpipe.service.reading import Reading, read_probe
from fpipe.service.records import mixed_methods
from fpipe.service.versions import versions

CANDIDATES = 2000
"""Prints that get the exact match after the votes; galleries up to this size are compared whole."""
LISTED = 20
"""Length of the candidate list an examiner gets."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One line of a candidate list.

    pairs : (P, 2) int32, rows of ``every`` of the latent's and of this print's template
    doubtful : (P,) bool, the pairs with a weak minutia in them
    rotation : rad, latent to print, counter-clockwise
    person : all subjects of the person whose print it is, linked ones too; empty where it has no subject
    """

    rank: int
    record: PrintRecord
    score: float
    pairs: NDArray[np.int32]
    doubtful: NDArray[np.bool_]
    rotation: float
    template: Template
    person: tuple[str, ...] = ()

    @property
    def sure_pairs(self) -> int:
        """How many pairs are of minutiae that count as such, the figure that lists show."""
        return int((~self.doubtful).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One latent's candidate list with everything needed to explain it.

    enhanced : (H, W) float32, what the minutiae were read from; None where it was not asked for
    gallery_digests : kind of print -> extraction digests of the gallery; more than one is stated in notices too
    prints_searched : prints of the gallery that were meant; prints_compared : those that got the exact match
    prints_in_gallery : all of them
    selection : which were meant; empty for all
    unsaid : prints left out only because their records do not say finger, hand or class
    reverse : the probe is a print of a known finger, the candidates are the gallery's latents
    use, examiner, markup : what of an exchange file was searched, as in ``Reading``
    """

    latent: str
    sha256: str
    ppi: float
    ppi_origin: str
    preset: str
    extraction_digest: str
    comparison_digest: str
    score_digest: str
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
    use: str = "image"
    examiner: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    markup: dict[str, Any] | None = None
    prints_in_gallery: int = 0
    selection: Selection = field(default_factory=Selection)
    unsaid: int = 0
    reverse: bool = False

    def examiner_pairs(self, candidate: Candidate) -> int:
        """How many of a candidate's pairs rest on minutiae that an examiner marked in the latent."""
        whose = np.isin(candidate.pairs[:, 0], np.flatnonzero(self.examiner))
        return int((whose & ~candidate.doubtful).sum())


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

    def candidates(
        self, probe: Template, compared: int | None, among: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Print ids and exact scores, best first, ties by id.

        compared : how many prints the votes pass on; None compares with every print
        among : (P,) int64, the ids of the prints that are meant, as if there were no others; None for all
        """
        ids, descriptors = self.gallery.print_ids() if among is None else among, self.comparer.describe(probe)
        if compared is not None and compared < len(ids):  # where too few got votes, the list is shorter
            ids = self.comparer.voted(probe, descriptors, partial(self.gallery.search, among=among))[:compared]
        scores = self.comparer.scores(self.comparer.prepare(probe, descriptors), self._prepare(ids))
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]

    def _prepare(self, ids: NDArray[np.int64]) -> list[Prepared]:
        """Made once for every template: another command may re-extract prints between two searches."""
        editions = zip(ids.tolist(), self.gallery.editions(ids), strict=True)
        missing = [i for i, edition in editions if i not in self._held or self._held[i].edition != edition]
        for stored in self.gallery.stored(missing):
            template = self.template(stored)
            self._held[stored.record.id] = _Held(
                stored.record, stored.edition, template, self.comparer.prepare(template)
            )
        return [self._held[i].prepared for i in ids.tolist()]

    def template(self, stored: StoredPrint) -> Template:
        """The template of a stored print.

        Raises IntegrityError where it is damaged.
        """
        where = f"{self.gallery.path}: print {stored.record.id}"
        try:
            return blob.decode(stored.template, where)
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
        selection: Selection | None = None,
        reverse: bool = False,
    ) -> Search:
        """The candidate list of one latent, or with ``reverse`` of one print of a known finger among the latents."""
        start = time.perf_counter()
        selection = _latents(selection or Selection()) if reverse else selection or Selection()
        every = self.gallery.print_ids()
        meant = self.gallery.select(selection) if selection else Selected(every, 0)
        ids, scores = self.candidates(reading.template, compared, meant.ids if selection else None)
        candidates = self.explained(reading.template, ids[:listed], scores)
        methods = self.gallery.extraction_digests()
        seconds = {**reading.seconds, "search": time.perf_counter() - start}
        assert reading.picture.ppi is not None  # an unknown resolution was refused before
        return Search(
            latent=reading.name,
            sha256=reading.picture.sha256,
            ppi=reading.picture.ppi,
            ppi_origin=reading.picture.ppi_origin,
            preset=preset.name,
            extraction_digest=reading.method or preset.extraction_digest,
            comparison_digest=self.comparer.digest,
            score_digest=self.comparer.score_digest,
            seconds=seconds,
            prints_searched=len(meant.ids),
            prints_compared=len(ids),
            candidates=candidates,
            picture=reading.picture,
            image=reading.image,
            enhanced=enhanced,
            template=reading.template,
            versions=versions(),
            notices=(*reading.picture.notices, *reading.notices, *mixed_methods(methods), *_left_out(meant.unsaid)),
            gallery_digests=methods,
            use=reading.use,
            examiner=reading.examiner,
            markup=reading.markup,
            prints_in_gallery=len(every),
            selection=selection,
            unsaid=meant.unsaid,
            reverse=reverse,
        )

    def explained(self, latent: Template, ids: NDArray[np.int64], scores: NDArray[np.float32]) -> tuple[Candidate, ...]:
        """Candidates that ``candidates`` found, with their pairs and records."""
        probe, persons = self.comparer.prepare(latent), self.gallery.subjects.persons()
        candidates: list[Candidate] = []
        self.gallery.editions(ids)  # a print that was removed meanwhile is not shown any more
        for number, score in zip(ids.tolist(), scores, strict=False):
            held = self._held[number]  # its record of when its template was compared
            found = self.comparer.compare(probe, held.prepared)
            candidates.append(
                Candidate(
                    rank=len(candidates) + 1,
                    record=held.record,
                    score=float(score),
                    pairs=found.pairs,
                    doubtful=found.doubtful,
                    rotation=found.rotation,
                    template=held.template,
                    person=_person(held.record.subject, persons),
                )
            )
        return tuple(candidates)

    def original(self, candidate: Candidate) -> GrayImage | None:
        """A candidate's original at 500 ppi; None where it is not kept, or is gone."""
        data = self.gallery.original(candidate.record)
        if data is None:
            return None
        record = candidate.record
        return image_of(data, record.part, record.print, record.ppi)[1]


def _person(subject: str | None, persons: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return () if subject is None else persons.get(subject, (subject,))


def _latents(selection: Selection) -> Selection:
    """The latents among what is meant.

    Raises UsageError where other kinds are asked for.
    """
    if set(selection.kinds) - {"latent"}:
        raise UsageError(reason="a reverse search is of latents only; leave out --kind, or --reverse")
    return replace(selection, kinds=("latent",))


def _left_out(unsaid: int) -> tuple[str, ...]:
    line = "prints were not searched, because their records do not say finger, hand or class; a mate may be among them"
    return (f"{unsaid} {line}",) if unsaid else ()


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
    preset: str | None = None,
    use: Use | None = None,
    compared: int | None = CANDIDATES,
    listed: int = LISTED,
    selection: Selection | None = None,
    reverse: bool = False,
) -> Search:
    """Read a latent from a file and search it, which the gallery's audit notes.

    preset : how it is read; by default "latent", of a reverse search "plain"
    selection : which prints of the gallery are meant; all where it is absent
    reverse : the file is a print of a known finger, and the gallery's latents are searched
    use : of an ANSI/NIST file its picture, an examiner's markup or both; by default the picture where it has one
    """
    chosen = load_preset(preset or ("plain" if reverse else "latent"))
    trace = Recorder()
    reading = read_probe(path, chosen, ppi=ppi, use=use, trace=trace)
    found = searcher.search(
        reading,
        chosen,
        enhanced=trace.get("enhanced.image"),
        compared=compared,
        listed=listed,
        selection=selection,
        reverse=reverse,
    )
    facts = {"use": found.use, "selection": found.selection.as_document(), "reverse": reverse}
    failed = note_search(searcher.gallery, found, **facts)
    return replace(found, notices=(*found.notices, failed)) if failed else found


def candidate_document(candidate: Candidate) -> dict[str, object]:
    """The JSON of one line of a candidate list."""
    record = candidate.record
    return {
        "rank": candidate.rank,
        "print": record.print,
        "subject": record.subject,
        "person": list(candidate.person),
        "finger": record.finger,
        "kind": record.kind,
        "score": round(candidate.score, 4),
        "pairs": candidate.sure_pairs,
        "doubtful_pairs": len(candidate.pairs) - candidate.sure_pairs,
        "sha256": record.sha256,
        "part": record.part,
        "fields": dict(record.fields),
    }


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
        "score_digest": search.score_digest,
        "gallery_extraction_digests": search.gallery_digests,
        "minutiae": len(search.template.minutiae),
        "use": search.use,
        "examiner_minutiae": int(search.examiner.sum()),
        "markup": search.markup,
        "seconds": {name: round(value, 4) for name, value in search.seconds.items()},
        "reverse": search.reverse,
        "prints_in_gallery": search.prints_in_gallery,
        "selection": search.selection.as_document(),
        "prints_left_out_unsaid": search.unsaid,
        "prints_searched": search.prints_searched,
        "prints_compared": search.prints_compared,
        "candidates": [
            {**candidate_document(c), "examiner_pairs": search.examiner_pairs(c)} for c in search.candidates
        ],
        "notices": list(search.notices),
    }
