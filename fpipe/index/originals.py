"""Originals by their content: ``originals/ab/abcdef...``, the name being the sha256 of the bytes.

They come and go through ``incoming/``: written and fsynced there before the record is committed, moved to their place
after it; moved there before a removal is committed, deleted after it.  So whatever lies in ``incoming/`` after a crash
either has a record, and belongs in its place, or has none, and is rubbish.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from fpipe.core.errors import IntegrityError
from fpipe.core.files import disk_errors, make_private, open_private, sha256_hex, sync_folder


class Originals:
    """The originals of one gallery."""

    def __init__(self, gallery: Path) -> None:
        self.folder = gallery / "originals"
        self.incoming = gallery / "incoming"

    def place(self, sha256: str) -> Path:
        """Where an original belongs."""
        return self.folder / sha256[:2] / sha256

    def stage(self, files: Mapping[str, bytes]) -> None:
        """Write originals, by their sha256, to ``incoming/``: durable when this returns."""
        with disk_errors(self.incoming):
            for sha256, data in files.items():
                with open_private(self.incoming / sha256, new=True) as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
            sync_folder(self.incoming)

    def settle(self, hashes: Iterable[str]) -> None:
        """Move committed originals to their place."""
        with disk_errors(self.folder):
            changed = {self.incoming}
            for sha256 in hashes:
                place = self.place(sha256)
                if not place.parent.exists():
                    make_private(place.parent)
                    changed.add(self.folder)
                (self.incoming / sha256).replace(place)
                changed.add(place.parent)
            for folder in changed:
                sync_folder(folder)

    def withdraw(self, hashes: Iterable[str]) -> None:
        """Move originals that are about to be removed to ``incoming/``."""
        with disk_errors(self.folder):
            for sha256 in hashes:
                with contextlib.suppress(FileNotFoundError):  # one that is missing can't be left behind
                    self.place(sha256).replace(self.incoming / sha256)

    def heal(self, known: Callable[[str], bool]) -> None:
        """Finish what a crash left in ``incoming/``; ``known`` says whether a hash has a record."""
        for path in list(self.leftovers()):
            if known(path.name):
                self.settle([path.name])
            else:
                path.unlink()
        if self.incoming.is_dir():
            sync_folder(self.incoming)

    def leftovers(self) -> Iterator[Path]:
        """What lies in ``incoming/``."""
        return iter(sorted(self.incoming.iterdir())) if self.incoming.is_dir() else iter(())

    def read(self, sha256: str) -> bytes | None:
        """An original's bytes; None where it is gone.

        Raises IntegrityError where they are not what was stored.
        """
        for path in (self.place(sha256), self.incoming / sha256):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise IntegrityError(where=str(path), reason=f"can't be read: {error.strerror}") from error
            if sha256_hex(data) != sha256:
                raise IntegrityError(where=str(path), reason="the original's bytes were changed (sha256)")
            return data
        return None

    def strangers(self, known: Callable[[str], bool]) -> Iterator[Path]:
        """Files among the originals that no record names: never left by a crash, so their records were lost."""
        if self.folder.is_dir():
            for path in sorted(self.folder.glob("*/*")):
                if not known(path.name) or path != self.place(path.name):
                    yield path
