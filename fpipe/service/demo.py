"""The demonstration: the samples enrolled and searched, nothing that a laboratory's own run would not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fpipe.index import Gallery
from fpipe.pipeline.compare import comparer
from fpipe.service.enroll import enroll
from fpipe.service.search import Search, Searcher, as_document, open_searcher, search_file
from fpipe.service.versions import versions
from fpipe.synth import samples


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """The searches of the sample latents; mates : (subject, finger) of each, None where it is not in the gallery."""

    searcher: Searcher
    searches: list[Search]
    mates: list[tuple[str, str] | None]

    def document(self, enrolled: int, reports: list[Path]) -> dict[str, object]:
        """The JSON of the demonstration."""
        return {
            "prints": enrolled,
            "gallery": self.searcher.gallery.path.as_posix(),
            "searches": [
                {**as_document(found), "mate": mate and " ".join(mate), "report": report.as_posix()}
                for found, mate, report in zip(self.searches, self.mates, reports, strict=True)
            ],
            "versions": versions(),
        }


def enrol_samples(out: Path, advance: Callable[[int], None]) -> int:
    """Create ``out/gallery`` where it is absent and add the sample exemplars; returns how many it holds."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "gallery"
    if not path.exists():
        match = comparer()
        Gallery.create(path, comparison_digest=match.digest, descriptor_bytes=match.descriptor_bytes).close()
    exemplars = [item for item in samples.manifest()["files"] if item["kind"] != "latent"]
    for item in exemplars:
        for _ in enroll(
            path, [samples.folder() / item["file"]], subject=item["subject"], finger=item["finger"], kind=item["kind"]
        ):
            advance(1)
    with Gallery.open(path) as gallery:
        return len(gallery.print_ids())


@contextmanager
def open_demo(out: Path) -> Iterator[Demo]:
    """Search every sample latent in ``out/gallery``."""
    files = {item["file"]: item for item in samples.manifest()["files"]}
    latents = [item for item in files.values() if item["kind"] == "latent"]
    mates = [files.get(item["mate"]) for item in latents]
    with open_searcher(out / "gallery") as searcher:
        searches = [search_file(searcher, samples.folder() / item["file"]) for item in latents]
        yield Demo(searcher, searches, [mate and (mate["subject"], mate["finger"]) for mate in mates])
