"""Which files an enrolment means, and their bytes."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fpipe.core.errors import BadName, EmptyFile, InputRefused, NotFound, Unsupported
from fpipe.core.files import split_choice
from fpipe.formats.reading import MAX_BYTES
from fpipe.index.records import Kind

_WILD = "*?["


@dataclass(frozen=True, slots=True)
class Details:
    """What is said of prints beforehand; None where their file is to say it.

    kind : impression type; ppi : pixels an inch that hold whatever the file says
    fields : whatever else is known, as in ``PrintRecord``
    """

    subject: str | None = None
    finger: str | None = None
    kind: Kind | None = None
    ppi: float | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def or_else(self, other: Details) -> Details:
        """These, and the other's where these say nothing."""
        return Details(
            self.subject if self.subject is not None else other.subject,
            self.finger if self.finger is not None else other.finger,
            self.kind or other.kind,
            self.ppi if self.ppi is not None else other.ppi,
            {**other.fields, **self.fields},
        )


UNSAID = Details()


@dataclass(frozen=True, slots=True)
class Source:
    """One file to enrol.

    name : the path as given, with forward slashes
    refusal : why it can't be one, None for a regular file
    choice : which picture of an exchange file is meant, ``7`` or ``idc=7``; "" for all
    """

    path: Path
    name: str
    refusal: InputRefused | None = None
    choice: str = ""
    details: Details = UNSAID


def gather(
    files: Iterable[Path],
    details: Details = UNSAID,
    *,
    but: Iterable[Path] = (),
) -> Iterator[Source]:
    """Files as given, folders walked in the order of their names.  Odd entries come with the reason against them.

    files : files, folders, ``FILE#POSITION``, and names with ``*``, ``?``, ``[...]`` or ``**`` where no file has them
    details : of each of them
    but : files and folders to pass over inside folders, such as the gallery itself; refused where they are given

    Links to files are followed, links to folders inside a folder are not: they could go round in a circle.
    """
    passed = frozenset(identity for path in but if (identity := _identity(path)) is not None)
    for path in files:
        for found in _expanded(path):
            if _identity(found) in passed:
                yield _refused(found, "it is what the prints are to be added to, or listed in")
            elif _is_folder(found):
                yield from _walk(found, details, passed)
            else:
                yield _source(found, details)


def _expanded(path: Path) -> Iterable[Path]:
    """The files that a pattern means; the path itself where it is none, or matches nothing."""
    name = str(path)
    if not any(sign in name for sign in _WILD) or _identity(path) is not None:
        return [path]
    matching = [Path(found) for found in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 - keeps names as typed
    return matching or [path]


def _identity(path: Path) -> tuple[int, int] | None:
    """Which entry of which disk it is; None where there is none."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, for instance: opening it says so
        return False


def _walk(folder: Path, details: Details, passed: frozenset[tuple[int, int]]) -> Iterator[Source]:
    """Depth first in the order of the names; with a list of its own, for folders lie deeper than Python recurses."""
    waiting: list[Path | os.DirEntry[str]] = [folder]
    while waiting:
        entry = waiting.pop()
        path = Path(entry)
        if path is not folder and passed and _identity(path) in passed:
            continue
        if isinstance(entry, Path) or _is_folder_entry(entry, follow_symlinks=False):
            try:
                waiting += sorted(os.scandir(path), key=lambda found: found.name, reverse=True)
            except OSError as error:
                yield _refused(path, error.strerror or str(error))
        elif _is_folder_entry(entry, follow_symlinks=True):
            yield _refused(path, "a link to a folder, which is not followed")
        else:
            yield _source(path, details)


def _is_folder_entry(entry: os.DirEntry[str], *, follow_symlinks: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_symlinks)
    except OSError:  # a link that goes round in a circle, for instance: opening it says so
        return False


def _source(given: Path, details: Details) -> Source:
    try:
        given.as_posix().encode()
    except UnicodeEncodeError:
        name = as_text(given)
        return Source(given, name, BadName(where=name))
    path, choice = split_choice(given)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        broken = " (a broken link)" if isinstance(error, FileNotFoundError) and path.is_symlink() else ""
        reason = getattr(error, "strerror", None) or str(error)
        return _refused(given, f"{reason}{broken}")
    if not stat.S_ISREG(mode):
        return _refused(given, "a device, pipe or socket, expected a file")
    return Source(path, path.as_posix(), None, choice, details)


def _refused(path: Path, reason: str) -> Source:
    name = as_text(path)
    return Source(path, name, NotFound(where=name, reason=reason))


def as_text(path: Path) -> str:
    """A path with forward slashes; bytes that are no text are written as \\xNN."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


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
