"""One print on its way into a gallery: from a file's bytes to what is stored; in a worker's process."""

from __future__ import annotations

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fpipe.core.conventions import PPI
from fpipe.core.errors import DecoderCrashed, FileChanged, FpipeError, TimedOut
from fpipe.core.files import sha256_hex
from fpipe.core.types import GrayImage, Template
from fpipe.index import NewPrint, PrintRecord
from fpipe.minutiae import blob
from fpipe.minutiae.files import is_template_data, parse_template
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import Preset
from fpipe.service.cards import image_of
from fpipe.service.gallery_files import UNSAID, Details, Source, as_text, read_bytes
from fpipe.service.reading import lacking
from fpipe.service.storing import guarded, vectors_of

Status = Literal["added", "known", "quarantined", "new"]
Stage = Literal["find", "read", "extract", "store"]
"""Where a print was when it was set aside: being looked for, read as a picture or template, extracted, stored."""

TEMPLATE = "template"
"""Format of prints that were imported as templates."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one print, told once that is certain.

    file : its name: the file's, or FILE#POSITION for a picture inside an exchange file
    status : "added": stored and safe; "known": the gallery holds these bytes already, as ``record``;
        "quarantined": left out, for the reason in code and message; "new": in a dry run, would be added.  The file
        itself is never touched
    path : of the file; sha256 : of its bytes, hex, "" where they could not be read
    stage : where it was set aside, "" where it was not
    seconds : spent on it, by step
    """

    file: str
    status: Status
    record: PrintRecord | None = None
    code: str = ""
    message: str = ""
    notices: tuple[str, ...] = ()
    path: str = ""
    sha256: str = ""
    stage: Stage | Literal[""] = ""
    seconds: tuple[tuple[str, float], ...] = ()

    def as_document(self) -> dict[str, Any]:
        """JSON-able."""
        document: dict[str, Any] = {"file": self.file, "status": self.status}
        if self.record is not None:
            names = ("print", "sha256", "part", "subject", "finger", "kind", "ppi", "ppi_origin", "minutiae")
            document.update({name: getattr(self.record, name) for name in names})
            document["fields"] = dict(self.record.fields)
        if self.code:
            facts = {"path": self.path, "sha256": self.sha256 or None, "stage": self.stage}
            document.update(**facts, code=self.code, message=self.message)
        return {**document, "notices": list(self.notices)}


@dataclass(frozen=True, slots=True)
class Task:
    """A print to be read, or what is certain about it already.

    part : which picture of the file; details : what is said of it, the default kind filled in
    preset : how a picture is read; None for templates, which need none
    keep : whether the file's bytes are wanted
    only_look : read the picture but extract nothing, for an estimate
    twin : the same was begun a moment ago under another name
    """

    source: Source
    name: str
    sha256: str = ""
    part: str = ""
    details: Details = UNSAID
    preset: Preset | None = None
    keep: bool = True
    only_look: bool = False
    twin: bool = False
    outcome: Outcome | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides what reading gives."""
        return self.sha256, self.part, self.details.ppi, self.preset and self.preset.extraction_digest

    def set_aside(self, error: FpipeError, stage: Stage) -> Outcome:
        """Left out for this reason."""
        return self.told("quarantined", code=error.code, message=error.message, stage=stage)

    def told(self, status: Status, **facts: Any) -> Outcome:
        """What became of it."""
        return Outcome(self.name, status, path=as_text(self.source.path), sha256=self.sha256, **facts)

    def died(self) -> Outcome:
        """Its process died of it."""
        return self.set_aside(DecoderCrashed(where=self.name, reason="the process that read it died"), "read")

    def overdue(self, seconds: float) -> Outcome:
        """It took too long."""
        return self.set_aside(TimedOut(where=self.name, seconds=seconds), "read")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A print that can be stored; seconds : spent on it, by step."""

    new: NewPrint
    notices: tuple[str, ...]
    seconds: tuple[tuple[str, float], ...]

    @property
    def format(self) -> str:
        """Of its file."""
        return self.new.format


@dataclass(frozen=True, slots=True)
class Looked:
    """A print that could be read; seconds : spent on it."""

    format: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Twin:
    """Stands for the result of a task that gives what an earlier one gave."""


def work(task: Task) -> Read | Looked | Outcome:
    """Read one print and extract its template."""
    if task.outcome is not None:
        return task.outcome
    steps = _Steps()
    return guarded(lambda: _read(task, steps), lambda error: task.set_aside(error, steps.at), task.name)


class _Steps:
    """Which step a print is at, and how long each took."""

    def __init__(self) -> None:
        self.at: Stage = "read"
        self.seconds: dict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def __call__(self, stage: Stage) -> Iterator[None]:
        self.at = stage
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start


def _read(task: Task, steps: _Steps) -> Read | Looked:
    image: GrayImage | None
    with steps("read"):
        data = read_bytes(task.source)
        if sha256_hex(data) != task.sha256:
            raise FileChanged(where=task.name)
        if is_template_data(data, task.source.path.name):
            image, (template, facts, notices) = None, _imported(data, task)
        else:
            image, facts, notices = _pictured(data, task)
    if task.only_look:
        return Looked(facts["format"], steps.seconds["read"])
    if image is not None:
        assert task.preset is not None
        with steps("extract"):
            template = extract(image, task.preset, where=task.name)
    with steps("store"):
        new = _new(task, data, template, facts)
    return Read(new, notices, tuple(steps.seconds.items()))


def _pictured(data: bytes, task: Task) -> tuple[GrayImage, dict[str, Any], tuple[str, ...]]:
    """The picture at 500 ppi, and its record's part."""
    assert task.preset is not None
    picture, image = image_of(data, task.part, task.name, task.details.ppi)
    height, width = picture.pixels.shape
    facts = {
        "ppi": picture.ppi,
        "ppi_origin": picture.ppi_origin,
        "format": picture.format,
        "width": width,
        "height": height,
        "preset": task.preset.name,
        "extraction_digest": task.preset.extraction_digest,
    }
    return image, facts, picture.notices


def _imported(data: bytes, task: Task) -> tuple[Template, dict[str, Any], tuple[str, ...]]:
    """A template and its record's part; its method is its format, unless it says who extracted it."""
    ppi = task.details.ppi
    file = parse_template(data, task.name, ppi=ppi)
    template = blob.quantised(file.template)
    facts = {
        "ppi": float(PPI),
        "ppi_origin": "file" if ppi is None or math.isnan(ppi) else getattr(ppi, "origin", "option"),
        "format": TEMPLATE,
        "width": template.width,
        "height": template.height,
        "preset": "imported",
        "extraction_digest": template.source.partition(":")[0] or "unknown",
    }
    return template, facts, (*file.notices, *lacking(template))


def _new(task: Task, data: bytes, template: Template, facts: dict[str, Any]) -> NewPrint:
    details = task.details
    return NewPrint(
        print=task.name,
        sha256=task.sha256,
        part=task.part,
        subject=details.subject,
        finger=details.finger,
        kind=details.kind or "plain",
        fields=details.fields,
        path=task.source.path.absolute().as_posix(),
        original=data if task.keep else b"",
        minutiae=len(template.minutiae),
        template=blob.encode(template),
        vectors=vectors_of(template),
        **facts,
    )
