"""What the commands share that work on a gallery: opening it, many prints to a transaction, one bad one among them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from fpipe.core.errors import DigestMismatch, Fault, FpipeError, UsageError
from fpipe.core.types import Template
from fpipe.index import Gallery, Vectors
from fpipe.minutiae import blob
from fpipe.pipeline.compare import comparer

BATCH = 32
"""Prints stored in one transaction at most."""
BATCH_S = 2.0
"""Seconds after which a smaller batch is stored: what an interrupted run loses of its work."""

Item = TypeVar("Item")
Done = TypeVar("Done")
Left = TypeVar("Left")


def open_for_writing(path: Path) -> Gallery:
    """A gallery open for writing.

    Raises DigestMismatch where it was made for other descriptors than this installation's.
    """
    gallery = Gallery.open(path, write=True)
    if gallery.comparison_digest != comparer().digest:
        gallery.close()
        raise DigestMismatch(
            where=str(path),
            got=f"comparison digest {comparer().digest}",
            expected=gallery.comparison_digest,
            what_to_do="use the fpipe that filled it, or make a new gallery from the originals",
        )
    return gallery


def describe(template: bytes, where: str) -> Vectors:
    """What the index keeps of a stored template."""
    return vectors_of(blob.decode(template, where))


def vectors_of(template: Template) -> Vectors:
    """Descriptors with the places of their minutiae."""
    found, m = comparer().describe(template), template.minutiae
    return Vectors(found.bits, m.x[found.minutia], m.y[found.minutia], m.direction[found.minutia])


class Batch(Generic[Item]):
    """Results on their way into one transaction."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._since = 0.0

    def add(self, item: Item) -> bool:
        """One more; True where it is time to store them."""
        if not self.items:
            self._since = time.monotonic()
        self.items.append(item)
        return len(self.items) >= BATCH or time.monotonic() - self._since >= BATCH_S

    def take(self) -> list[Item]:
        """All of them; the batch is empty then."""
        items, self.items = self.items, []
        return items


def guarded(work: Callable[[], Done], refused: Callable[[FpipeError], Left], name: str) -> Done | Left:
    """What ``work`` gives, or what ``refused`` makes of its error: one print must not end a hundred thousand others'.

    Raises UsageError: what is wrong with the request is wrong for all of them.
    """
    try:
        return work()
    except UsageError:
        raise
    except FpipeError as error:
        return refused(error)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one print is said of that print
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        return refused(Fault(where=name, reason=reason))
