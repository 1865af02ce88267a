"""The prints of a gallery read again, by newer weights or another preset, from the originals they were added with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fpipe.core.errors import DecoderCrashed, FpipeError, NotFound
from fpipe.index import KINDS, Gallery, PrintRecord, Reextraction
from fpipe.index.records import Kind
from fpipe.minutiae import blob
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import KIND_PRESET, Preset, load_preset
from fpipe.service.cards import image_of
from fpipe.service.storing import Batch, guarded, open_for_writing, vectors_of
from fpipe.service.workers import Stop, spread

Status = Literal["reextracted", "current", "imported", "kept"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one print, told once that is certain.

    status : "reextracted": the new template is stored and safe; "current": it was made by these methods already;
        "imported": added as a template file, there is no picture to read; "kept": could not be read again, for the
        reason in code and message, and has its old template
    record : as it is now
    before : minutiae of the template that was replaced
    """

    record: PrintRecord
    status: Status
    code: str = ""
    message: str = ""
    before: int | None = None

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        document: dict[str, Any] = {"print": self.record.print, "status": self.status}
        names = ("sha256", "subject", "finger", "kind", "preset", "extraction_digest", "minutiae")
        document.update({name: getattr(self.record, name) for name in names})
        if self.before is not None:
            document["minutiae_before"] = self.before
        if self.code:
            document.update(code=self.code, message=self.message)
        return document


def reextract(
    path: Path,
    *,
    kinds: Iterable[Kind] = KINDS,
    preset: str | None = None,
    jobs: int = 1,
    stop: Stop | None = None,
) -> Iterator[Outcome]:
    """Read prints of the gallery at ``path`` again, and yield what became of each, by id.

    kinds : of print that are read; others are passed over
    preset : how they are read; by default each by that of its kind
    jobs : processes that read and extract; the gallery is the same whatever their number
    stop : ends the run early: what was begun is stored; asked twice, nothing more is, with a KeyboardInterrupt, but
        where jobs is 1 there is only the print at hand, which is finished and stored

    An outcome is yielded only once it is certain: "reextracted" after the commit.  Closing the iterator early drops
    what is not stored yet; the next run goes on from there.

    Raises UsageError for an unknown preset, before anything is read; Locked, DiskFull, NoGallery.
    """
    presets: dict[str, Preset] = {kind: load_preset(preset or KIND_PRESET[kind]) for kind in kinds}
    with open_for_writing(path) as gallery:
        batch: Batch[_Read | Outcome] = Batch()
        with closing(spread(_work, _tasks(gallery, presets), jobs, _died, stop=stop)) as results:
            for _, result in results:
                if batch.add(result):
                    yield from _store(gallery, batch.take())
        yield from _store(gallery, batch.take())
        gallery.settle()


def count_prints(path: Path, kinds: Iterable[Kind] = KINDS) -> int:
    """How many prints ``reextract`` will tell of."""
    wanted = set(kinds)
    with open_for_writing(path) as gallery:
        return sum(record.kind in wanted for record in gallery.records())


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A print to be read from its original, or what is certain about it already.

    The preset travels whole: a TOML file may be changed while the work goes on.
    """

    record: PrintRecord
    preset: Preset
    original: bytes = b""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    record: PrintRecord
    new: Reextraction


def _tasks(gallery: Gallery, presets: dict[str, Preset]) -> Iterator[_Task]:
    for number in gallery.print_ids().tolist():
        (record,) = gallery.records([number])
        if record.kind in presets:
            yield _task(gallery, record, presets[record.kind])


def _task(gallery: Gallery, record: PrintRecord, preset: Preset) -> _Task:
    if record.format == "template":
        return _Task(record, preset, outcome=Outcome(record, "imported"))
    if record.extraction_digest == preset.extraction_digest:
        return _Task(record, preset, outcome=Outcome(record, "current"))
    try:
        return _Task(record, preset, _original(gallery, record))
    except FpipeError as error:
        return _Task(record, preset, outcome=_kept(record, error))


def _original(gallery: Gallery, record: PrintRecord) -> bytes:
    data = gallery.original(record)
    if data is None and record.path is None:
        raise NotFound(where=record.print, reason="its original is missing in the gallery; restore it from a backup")
    if data is None:
        reason = f"its original was not kept, and {record.path} is gone or has other bytes; put the file back"
        raise NotFound(where=record.print, reason=reason)
    return data


def _work(task: _Task) -> _Read | Outcome:
    """Read one original; in a worker process where there are several."""
    if task.outcome is not None:
        return task.outcome
    return guarded(lambda: _read(task), lambda error: _kept(task.record, error), task.record.print)


def _read(task: _Task) -> _Read:
    record, preset = task.record, task.preset
    _, image = image_of(task.original, record.part, record.print, record.ppi)  # as it was added, whatever the file says
    template = extract(image, preset, where=record.print)
    new = Reextraction(
        id=record.id,
        preset=preset.name,
        extraction_digest=preset.extraction_digest,
        minutiae=len(template.minutiae),
        template=blob.encode(template),
        vectors=vectors_of(template),
    )
    return _Read(record, new)


def _store(gallery: Gallery, batch: list[_Read | Outcome]) -> Iterator[Outcome]:
    """Commit a batch, then say so."""
    fresh = [item.new for item in batch if isinstance(item, _Read)]
    if fresh:
        gallery.reextract(fresh)
    for item in batch:
        if isinstance(item, _Read):
            yield Outcome(item.new.record(item.record), "reextracted", before=item.record.minutiae)
        else:
            yield item


def _kept(record: PrintRecord, error: FpipeError) -> Outcome:
    return Outcome(record, "kept", error.code, error.message)


def _died(task: _Task) -> Outcome:
    return _kept(task.record, DecoderCrashed(where=task.record.print, reason="the process that read it died"))
