"""Files into a gallery: what can't be read is set aside with its reason and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fpipe.core.conventions import PPI
from fpipe.core.errors import DecoderCrashed, DigestMismatch, FpipeError, InputRefused
from fpipe.core.files import sha256_hex
from fpipe.core.types import Template
from fpipe.formats import read_picture, to_500_ppi
from fpipe.index import Gallery, NewPrint, PrintRecord
from fpipe.index.records import Kind
from fpipe.minutiae import blob
from fpipe.minutiae.files import is_template, is_template_data, parse_template
from fpipe.pipeline.compare import comparer
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import KIND_PRESET, load_preset
from fpipe.service.gallery_files import Source, gather, read_bytes
from fpipe.service.storing import Batch, describe, guarded, open_for_writing, vectors_of
from fpipe.service.workers import spread

Status = Literal["added", "known", "quarantined"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file, told once that is certain.

    status : "added": stored and safe; "known": the gallery holds these bytes already, as ``record``;
        "quarantined": left out, for the reason in code and message.  The file itself is never touched
    """

    file: str
    status: Status
    record: PrintRecord | None = None
    code: str = ""
    message: str = ""
    notices: tuple[str, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        document: dict[str, Any] = {"file": self.file, "status": self.status}
        if self.record is not None:
            names = ("print", "sha256", "subject", "finger", "kind", "ppi", "ppi_origin", "minutiae")
            document.update({name: getattr(self.record, name) for name in names})
        if self.code:
            document.update(code=self.code, message=self.message)
        return {**document, "notices": list(self.notices)}


def create_gallery(path: Path, *, keep_originals: bool = True) -> None:
    """A new, empty gallery for this installation's descriptors."""
    match = comparer()
    Gallery.create(
        path,
        comparison_digest=match.digest,
        descriptor_bytes=match.descriptor_bytes,
        keep_originals=keep_originals,
    ).close()


def rebuild_gallery(path: Path, advance: Callable[[int], None] = lambda n: None) -> int:
    """Make a gallery's segments again from its templates; returns the number of prints."""
    with open_for_writing(path) as gallery:
        return gallery.rebuild(describe, advance)


def enroll(
    path: Path,
    files: Iterable[Path],
    *,
    ppi: float | None = None,
    subject: str | None = None,
    finger: str | None = None,
    kind: Kind = "plain",
    preset: str | None = None,
    jobs: int = 1,
    mixed: bool = False,
) -> Iterator[Outcome]:
    """Add files to the gallery at ``path``, and yield what became of each, in their order.

    files : pictures, template files, and folders of them
    ppi : resolution where the files do not say it or say it wrongly
    preset : how pictures are read; by default the one of their kind
    jobs : processes that read and extract; the gallery is the same whatever their number
    mixed : allow methods of reading that are new to this kind of print in this gallery

    An outcome is yielded only once it is certain: "added" after the commit.  Closing the iterator early, or Ctrl-C,
    drops what is not stored yet.

    Raises DigestMismatch before any picture is read where ``mixed`` is needed; Locked, DiskFull, NoGallery.
    """
    reading = _Reading(ppi, subject, finger, kind, preset or KIND_PRESET[kind])
    with open_for_writing(path) as gallery:
        intake = _Intake(gallery, mixed=mixed)
        tasks = _tasks(gallery, intake, files, None if mixed else reading)
        with closing(spread(partial(_work, reading), tasks, jobs, _died)) as results:
            for task, result in results:
                yield from intake.take(task.source, result)
        yield from intake.store()


@dataclass(frozen=True, slots=True)
class _Reading:
    ppi: float | None
    subject: str | None
    finger: str | None
    kind: Kind
    preset: str


@dataclass(frozen=True, slots=True)
class _Task:
    """A file to be read, or what is certain about it already."""

    source: Source
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    new: NewPrint
    notices: tuple[str, ...]


def _tasks(gallery: Gallery, intake: _Intake, files: Iterable[Path], unproven: _Reading | None) -> Iterator[_Task]:
    """Files with what is certain about them; the way of reading is proven at the first picture, before it is read."""
    for source in gather(files):
        task = _Task(source, intake.known(source))
        if unproven is not None and task.outcome is None and not is_template(source.path):
            gallery.refuse_new_method(unproven.kind, load_preset(unproven.preset).extraction_digest)
            unproven = None
        yield task


class _Intake:
    """Results in the order of the files -> batches in the gallery -> outcomes in the same order."""

    def __init__(self, gallery: Gallery, *, mixed: bool) -> None:
        self.gallery = gallery
        self.mixed = mixed
        self._batch: Batch[_Read | Outcome] = Batch()

    def known(self, source: Source) -> Outcome | None:
        """What can be said of a file without reading a picture: it is none, or its bytes are in the gallery."""
        try:
            if source.refusal is not None:
                raise source.refusal
            return self._found(source.name, sha256_hex(read_bytes(source)), ())
        except InputRefused as error:
            return _set_aside(source, error)

    def take(self, source: Source, result: _Read | Outcome) -> Iterator[Outcome]:
        """One more result; yields what has become certain."""
        if isinstance(result, _Read):
            if self._depends_on_batch(result.new):
                yield from self.store()
            result = self._judged(source, result)
        if self._batch.add(result):
            yield from self.store()

    def store(self) -> Iterator[Outcome]:
        """Commit the batch, then say so."""
        batch = self._batch.take()
        fresh = [item for item in batch if isinstance(item, _Read)]
        ids = self.gallery.add([item.new for item in fresh], mixed=self.mixed)
        records = iter(self.gallery.records(ids))
        for item in batch:
            if isinstance(item, _Read):
                yield Outcome(item.new.print, "added", next(records), notices=item.notices)
            else:
                yield item

    def _depends_on_batch(self, new: NewPrint) -> bool:
        """Whether what to do with a print can only be said after the batch is stored."""
        held = [item.new for item in self._batch.items if isinstance(item, _Read)]
        return any(
            new.print == other.print or new.sha256 == other.sha256 or new.extraction_digest != other.extraction_digest
            for other in held
        )

    def _judged(self, source: Source, read: _Read) -> _Read | Outcome:
        new = read.new
        try:
            found = self._found(new.print, new.sha256, read.notices)
            if found is None and not self.mixed:
                self.gallery.refuse_new_method(new.kind, new.extraction_digest)
        except (InputRefused, DigestMismatch) as error:
            return _set_aside(source, error)
        return read if found is None else found

    def _found(self, name: str, sha256: str, notices: tuple[str, ...]) -> Outcome | None:
        record = self.gallery.find(name, sha256)
        if record is None:
            return None
        if record.print != name:
            notices = (*notices, f"the same bytes are in the gallery as {record.print}")
        return Outcome(name, "known", record, notices=notices)


def _set_aside(source: Source, error: FpipeError) -> Outcome:
    return Outcome(source.name, "quarantined", code=error.code, message=error.message)


def _died(task: _Task) -> Outcome:
    return _set_aside(task.source, DecoderCrashed(where=task.source.name, reason="the process that read it died"))


def _work(reading: _Reading, task: _Task) -> _Read | Outcome:
    """Read one file and extract its template; in a worker process where there are several."""
    if task.outcome is not None:
        return task.outcome
    return guarded(lambda: _read(reading, task.source), lambda error: _set_aside(task.source, error), task.source.name)


def _read(reading: _Reading, source: Source) -> _Read:
    data = read_bytes(source)
    common: dict[str, Any] = {
        "print": source.name,
        "sha256": sha256_hex(data),
        "subject": reading.subject,
        "finger": reading.finger,
        "kind": reading.kind,
        "path": source.path.absolute().as_posix(),
        "original": data,
    }
    template: Template
    if is_template_data(data, source.path.name):
        file = parse_template(data, source.name, ppi=reading.ppi)
        template, notices = blob.quantised(file.template), file.notices
        common |= _of_template(template, reading.ppi)
    else:
        picture = read_picture(data, name=source.name, ppi=reading.ppi)
        preset, notices = load_preset(reading.preset), picture.notices
        template = extract(to_500_ppi(picture, source.name), preset, where=source.name)
        height, width = picture.pixels.shape
        common |= {
            "ppi": picture.ppi,
            "ppi_origin": picture.ppi_origin,
            "format": picture.format,
            "width": width,
            "height": height,
            "preset": preset.name,
            "extraction_digest": preset.extraction_digest,
        }
    vectors = vectors_of(template)
    new = NewPrint(**common, minutiae=len(template.minutiae), template=blob.encode(template), vectors=vectors)
    return _Read(new, tuple(notices))


def _of_template(template: Template, ppi: float | None) -> dict[str, Any]:
    """The record of an imported template; its method is its format, unless it says who extracted it."""
    method = template.source.partition(":")[0] or "unknown"
    return {
        "ppi": float(PPI),
        "ppi_origin": "file" if ppi is None else "option",
        "format": "template",
        "width": template.width,
        "height": template.height,
        "preset": "imported",
        "extraction_digest": method,
    }
