"""The prints of a protocol as templates: read from pictures once and cached, or taken from a folder."""

from __future__ import annotations

import csv
import traceback
from dataclasses import dataclass
from pathlib import Path

from fpipe.core.errors import BadTemplate, Fault, FpipeError, InputRefused, NotFound, UsageError
from fpipe.core.files import sha256_of, write_atomic
from fpipe.core.types import Template
from fpipe.minutiae import blob
from fpipe.minutiae.files import ENDINGS, read_template
from fpipe.pipeline.presets import KIND_PRESET, load_preset
from fpipe.service.reading import read_print


@dataclass(frozen=True, slots=True)
class Label:
    """A row of labels.csv: finger None where it is not said, ppi None where it is not said."""

    finger: str | None = None
    kind: str = "plain"
    ppi: float | None = None


@dataclass(frozen=True, slots=True)
class Prints:
    """Where the prints of a protocol are and how they are read.

    templates : folder of templates that replaces the pictures; cache : folder of what was extracted
    ppi : for prints whose label does not say it
    """

    data: Path
    labels: dict[str, Label]
    templates: Path | None
    cache: Path
    ppi: float | None

    def load(self, name: str) -> Template:
        """One print.  Raises InputRefused where it can't be used."""
        if self.templates is not None:
            return read_template(self._template_file(name))
        label = self.labels.get(name, Label())
        preset = load_preset(KIND_PRESET[label.kind])
        ppi = label.ppi or self.ppi
        path = self.data / name
        if not path.is_file():
            raise NotFound(where=name, reason=f"there is no such file in {self.data}")
        cached = self.cache / preset.extraction_digest / f"{sha256_of(path)}-{ppi or 'file'}.fpt"
        if cached.exists():
            try:
                return blob.decode(cached.read_bytes(), cached.name)
            except BadTemplate:
                cached.unlink(missing_ok=True)  # damaged: made again
        template = read_print(path, preset, ppi=ppi).template
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(cached, blob.encode(template))
        return template

    def _template_file(self, name: str) -> Path:
        assert self.templates is not None
        base = self.templates / name
        for path in [base, *(base.with_suffix(ending) for ending in ENDINGS)]:
            if path.is_file() and path.suffix in ENDINGS:
                return path
        raise NotFound(where=name, reason=f"no template ({', '.join(ENDINGS)}) in {self.templates}")


def read_labels(data: Path) -> dict[str, Label]:
    """``labels.csv`` of a data folder; empty where there is none.

    Raises UsageError where a column or a value makes no sense.
    """
    path = data / "labels.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as handle:  # spreadsheets begin with a byte order mark
        reader = csv.DictReader(handle)
        if "print" not in (reader.fieldnames or ()):
            raise UsageError(
                reason=f"{path}: no column 'print'; there is {', '.join(reader.fieldnames or ['nothing'])}"
            )
        return {row["print"]: _label(row, f"{path}:{line}") for line, row in enumerate(reader, 2)}


def _label(row: dict[str, str], where: str) -> Label:
    kind = row.get("kind") or "plain"
    if kind not in KIND_PRESET:
        raise UsageError(reason=f"{where}: kind {kind!r}; expected one of {', '.join(KIND_PRESET)}")
    try:
        ppi = float(row["ppi"]) if row.get("ppi") else None
    except ValueError as error:
        raise UsageError(reason=f"{where}: ppi {row['ppi']!r} is not a number") from error
    return Label(row.get("finger"), kind, ppi)


def load_or_reason(prints: Prints, name: str) -> tuple[bytes | None, str]:
    """For a worker: the template's bytes, or None and why it can't be used."""
    try:
        return blob.encode(prints.load(name)), ""
    except InputRefused as error:
        return None, error.message
    except FpipeError:
        raise  # a full disk, a preset that is none: not this print's fault
    except Exception as error:  # noqa: BLE001 - one print must not end a run of thousands
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        return None, Fault(where=name, reason=reason).message
