"""Which prints files hold, and what is certain about each before it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from fpipe.core.errors import DigestMismatch, InputRefused, NameTaken, NotFound
from fpipe.core.files import sha256_hex
from fpipe.formats.exchange.records import is_exchange
from fpipe.formats.reading import recognise
from fpipe.index import Gallery
from fpipe.minutiae.files import is_template_data
from fpipe.pipeline.presets import KIND_PRESET, Preset, load_preset
from fpipe.service.cards import Part, given, parts_of
from fpipe.service.gallery_files import UNSAID, Details, Source, gather, read_bytes
from fpipe.service.intake import Outcome, Task
from fpipe.service.manifest import read_manifest


def sources(
    files: Iterable[Path], manifest: Path | None = None, details: Details = UNSAID, *, but: Iterable[Path] = ()
) -> Iterator[Source]:
    """All files that are meant: those of ``gather``, then those of a manifest; ``details`` where it says nothing.

    Raises UsageError, naming the line, where the manifest is wrong: before anything is given.
    """
    listed = read_manifest(manifest) if manifest is not None else ()
    passed = tuple(but)
    rows = (gather([path], said.or_else(details), but=passed) for path, said in listed)
    return chain(gather(files, details, but=passed), chain.from_iterable(rows))


def tasks_of(
    gallery: Gallery, found: Iterable[Source], *, preset: str | None, mixed: bool, limit: int | None = None
) -> Iterator[Task]:
    """The prints in the files with what is certain about them before they are read.

    Raises DigestMismatch where the first that must be read would need ``mixed``; UsageError where the preset is none.
    """
    if preset is not None:
        load_preset(preset)
    methods = _Methods(gallery, mixed=mixed)
    files = 0
    for source in found:
        tasks = [methods.proven(task) for task in _of_file(gallery, source, preset)]
        if any(task.outcome is None for task in tasks):
            files += 1
            if limit is not None and files > limit:
                return
        yield from tasks


def _of_file(gallery: Gallery, source: Source, preset: str | None) -> list[Task]:
    """A file's prints; at least one, which may be a refusal of the whole file."""
    whole = Task(source, source.name, keep=gallery.keep_originals)
    try:
        if source.refusal is not None:
            raise source.refusal
        data = read_bytes(source)
        whole = replace(whole, sha256=sha256_hex(data))
        parts = _parts(data, source, whole.sha256)
    except InputRefused as error:
        return [replace(whole, outcome=whole.set_aside(error, "read" if whole.sha256 else "find"))]
    imported = is_template_data(data, source.path.name)
    return [_task(gallery, whole, part, None if imported else preset_of(part.details, preset)) for part in parts]


def _parts(data: bytes, source: Source, sha256: str) -> list[Part]:
    if is_exchange(data):
        parts = given(source.details, parts_of(data, source.name, source.choice, sha256), source.name)
    elif source.choice:
        reason = f"#{source.choice} names a picture of an ANSI/NIST file, which this is not"
        raise NotFound(where=source.name, reason=reason)
    else:
        if not is_template_data(data, source.path.name):
            recognise(data, source.name)  # what is no picture must not count as one that needs a method
        parts = [Part(source.name, "", source.details)]
    return [replace(part, details=part.details.or_else(Details(kind="plain"))) for part in parts]


def preset_of(details: Details, preset: str | None) -> Preset:
    """How a picture is read: as asked for, else by the preset of its kind."""
    return load_preset(preset or KIND_PRESET[details.kind or "plain"])


def _task(gallery: Gallery, whole: Task, part: Part, preset: Preset | None) -> Task:
    task = replace(whole, name=part.name, part=part.part, details=part.details, preset=preset)
    try:
        if part.refusal is not None:
            raise part.refusal
        return replace(task, outcome=found_in(gallery, task, ()))
    except InputRefused as error:
        return replace(task, outcome=task.set_aside(error, "store" if isinstance(error, NameTaken) else "read"))


def found_in(gallery: Gallery, task: Task, notices: tuple[str, ...]) -> Outcome | None:
    """What the gallery holds of a print already; None where it is new.

    Raises NameTaken.
    """
    record = gallery.find(task.name, task.sha256, task.part)
    if record is None:
        return None
    if record.print != task.name:
        notices = (*notices, f"the same bytes are in the gallery as {record.print}")
    said = task.source.details
    for name, held, wanted in (
        ("subject", record.subject, said.subject),
        ("finger", record.finger, said.finger),
        ("kind", record.kind, said.kind),
        *((name, record.fields.get(name), wanted) for name, wanted in said.fields.items()),
    ):
        if wanted not in (None, held):
            notices = (*notices, f"its {name} in the gallery is {held or 'not said'}, not {wanted}; {_KEPT}")
    return task.told("known", record=record, notices=notices)


_KEPT = "that was left as it is; `fpipe gallery set` changes it"


class _Methods:
    """Whether a kind of print may be read as it is to be: found out once for each kind, before one is read."""

    def __init__(self, gallery: Gallery, *, mixed: bool) -> None:
        self._gallery = gallery
        self._mixed = mixed
        self._answers: dict[tuple[str, str], DigestMismatch | None] = {}

    def proven(self, task: Task) -> Task:
        """The task, or its refusal.

        Raises DigestMismatch where nothing was proven before: most of a run is of one kind.
        """
        if self._mixed or task.outcome is not None or task.preset is None:
            return task
        way = task.details.kind or "plain", task.preset.extraction_digest
        if way not in self._answers:
            try:
                self._gallery.refuse_new_method(*way)
                self._answers[way] = None
            except DigestMismatch as error:
                if not self._answers:
                    raise
                self._answers[way] = error
        answer = self._answers[way]
        return task if answer is None else replace(task, outcome=task.set_aside(answer, "store"))
