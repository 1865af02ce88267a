"""Which files an enrolment means, and their bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fpipe.core.errors import BadName, EmptyFile, InputRefused, NotFound, Unsupported
from fpipe.formats.reading import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Source:
    """One file to enrol.

    name : the print's name in the gallery: the path as given, with forward slashes
    refusal : why it can't be one, None for a regular file
    """

    path: Path
    name: str
    refusal: InputRefused | None = None


def gather(files: Iterable[Path]) -> Iterator[Source]:
    """Files as given, folders walked in the order of their names.  Odd entries come with the reason against them.

    Links to files are followed, links to folders inside a folder are not: they could go round in a circle.
    """
    for path in files:
        if path.is_dir():
            yield from _walk(path)
        else:
            yield _source(path)


def _walk(folder: Path) -> Iterator[Source]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield _refused(folder, error.strerror or str(error))
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        elif entry.is_dir():
            yield _refused(path, "a link to a folder, which is not followed")
        else:
            yield _source(path)


def _source(path: Path) -> Source:
    try:
        path.as_posix().encode()
    except UnicodeEncodeError:
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        return Source(path, name, BadName(where=name))
    try:
        mode = path.stat().st_mode
    except OSError as error:
        broken = " (a broken link)" if path.is_symlink() else ""
        return _refused(path, f"{error.strerror or error}{broken}")
    if not stat.S_ISREG(mode):
        return _refused(path, "a device, pipe or socket, expected a file")
    return Source(path, path.as_posix())


def _refused(path: Path, reason: str) -> Source:
    name = os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")
    return Source(path, name, NotFound(where=name, reason=reason))


def read_bytes(source: Source) -> bytes:
    """A file's bytes.

    Raises NotFound, EmptyFile, Unsupported where it is larger than any picture fpipe reads.
    """
    try:
        size = source.path.stat().st_size
        if size > MAX_BYTES:
            raise Unsupported(where=source.name, reason=f"{size} bytes, expected at most {MAX_BYTES}")
        data = source.path.read_bytes()
    except OSError as error:
        raise NotFound(where=source.name, reason=error.strerror or str(error)) from error
    if not data:
        raise EmptyFile(where=source.name)
    return data
