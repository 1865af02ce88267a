"""A file or its bytes to a ``Picture``: recognised by content, upright, gray, resolution judged."""

from __future__ import annotations

import stat
from pathlib import Path

from fpipe.core.errors import EmptyFile, NotAnImage, NotFound, Unsupported
from fpipe.core.files import sha256_hex, split_choice
from fpipe.core.types import Picture
from fpipe.formats.decoders import DECODERS, Decoder, check_ppi, decoder_of, to_picture
from fpipe.formats.exchange.pictures import read_exchange_picture
from fpipe.formats.exchange.records import is_exchange

MAX_BYTES = 1 << 30
"""Largest file that is read: the largest picture accepted, 16 bits and three colours, has half of it."""

_NAMED = (
    (b"GIF8", "a GIF file"),
    (b"RIFF", "a WebP or other RIFF file"),
    (b"%PDF", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive or office file"),
    (b"FMR\0", "a minutiae template"),
    (b"<?xml", "an XML file; of ANSI/NIST files only the traditional encoding is read"),
    (b"P5", "a PGM file"),
    (b"P6", "a PPM file"),
    (b"\x8aMNG", "an MNG file"),
)
"""What people also have lying about: named, so that they know what to do."""


def read_picture(source: Path | bytes, *, name: str = "", ppi: float | None = None, part: str = "") -> Picture:
    """Read a picture as the file means it: upright, ridges as in the file, before any resampling.

    source : file, or its bytes; of an ANSI/NIST file of several pictures ``FILE#POSITION`` or ``FILE#idc=NUMBER``
    name : for messages; the path where absent
    ppi : pixels an inch that hold whatever the file says; its origin is then "option"
    part : the picture that is meant, as ``idc=7``, where the source does not name one itself

    Raises a subclass of InputRefused that says what is wrong with the file.
    """
    check_ppi(ppi)
    where = name or (source.as_posix() if isinstance(source, Path) else "picture")
    choice = part
    if isinstance(source, Path):
        source, named = split_choice(source)
        choice = named or part
    data = source if isinstance(source, bytes) else _read_file(source, where)
    if not data:
        raise EmptyFile(where=where)
    if is_exchange(data):
        return read_exchange_picture(data, where, choice, ppi)
    if choice:
        reason = f"#{choice} names a picture of an ANSI/NIST file, which this is not"
        raise NotFound(where=where, reason=reason)
    format_name, decode = recognise(data, where)
    return to_picture(decode(data, where), ppi=ppi, format=format_name, sha256=sha256_hex(data))


def _read_file(path: Path, where: str) -> bytes:
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise NotFound(where=where, reason="is a folder, expected a file")
        if not stat.S_ISREG(facts.st_mode):
            raise NotFound(where=where, reason="is a device or pipe, expected a file")
        if facts.st_size > MAX_BYTES:
            raise Unsupported(where=where, reason=f"{facts.st_size} bytes, expected at most {MAX_BYTES}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(where=where, reason="no such file") from error
    except PermissionError as error:
        raise NotFound(where=where, reason="no permission to read it") from error
    except (OSError, ValueError) as error:
        raise NotFound(where=where, reason=f"can't be opened: {error}") from error


def recognise(data: bytes, where: str) -> tuple[str, Decoder]:
    """What kind of picture a file's bytes are, and what reads it; other than an ANSI/NIST file.

    Raises NotAnImage.
    """
    found = decoder_of(data)
    if found is not None:
        return found
    for signature, name in _NAMED:
        if data.startswith(signature):
            raise NotAnImage(where=where, reason=f"it is {name}")
    if any(signature.startswith(data) for signature, _, _ in DECODERS):
        raise NotAnImage(where=where, reason=f"only {len(data)} bytes")
    raise NotAnImage(where=where, reason=f"it begins with {data[:8].hex(' ')}")
