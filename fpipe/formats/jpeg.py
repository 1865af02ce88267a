"""JPEG (ITU-T T.81), with JFIF, EXIF and Adobe markers; decoded in the worker, judged here."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from fpipe.core.errors import Damaged, Truncated, Unsupported
from fpipe.formats import jpeg_lossless
from fpipe.formats.colour import Model, scaled, to_gray
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.isolation import Raw, decode_apart
from fpipe.formats.resolution import UNSTATED, Resolution, credible, per_centimetre, per_inch, unusable
from fpipe.formats.tags import exif

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_SCAN, _END = 0xDA, 0xD9
_MODELS: dict[str, Model] = {"L": "gray", "RGB": "rgb", "CMYK": "cmyk"}


@dataclass(slots=True)
class _Facts:
    width: int = 0
    height: int = 0
    precision: int = 0
    frame: int = 0
    orientation: int = 1
    jfif: Resolution = UNSTATED
    exif: Resolution = UNSTATED
    notices: list[str] = field(default_factory=list)


def decode(data: bytes, where: str) -> Decoded:
    """A JPEG file."""
    facts = _read_markers(data, where)
    if facts.frame == jpeg_lossless.FRAME:
        lossless, bits = jpeg_lossless.decode_lossless(data, where)
        resolution, notice = _chosen(facts)
        told = [*facts.notices, *filter(None, (notice,))]
        return Decoded(scaled(lossless, (1 << bits) - 1), bits, resolution, facts.orientation, 1, told)
    if facts.frame in _LOSSLESS or facts.precision != 8:
        kind = "lossless" if facts.frame in _LOSSLESS else f"{facts.precision}-bit"
        raise Unsupported(where=where, reason=f"{kind} JPEG is not read; save it as PNG or TIFF")
    check_size(facts.width, facts.height, where)
    raw, notices = decode_pixels(data, where)
    if raw.mode not in _MODELS or (raw.width, raw.height) != (facts.width, facts.height):
        raise Damaged(where=where, reason=f"decoded to {raw.width} x {raw.height} px of {raw.mode}, against its header")
    samples = np.frombuffer(raw.data, np.uint8).reshape(raw.height, raw.width, -1)
    resolution, notice = _chosen(facts)
    notices += [*facts.notices, *filter(None, (notice,))]
    if (after := len(data) - data.rfind(b"\xff\xd9") - 2) and after < len(data):
        notices.append(f"{after} bytes follow the end of the picture and were ignored")
    return Decoded(to_gray(samples, 255, _MODELS[raw.mode]), 8, resolution, facts.orientation, 1, notices)


def stated_size(data: bytes, where: str) -> tuple[int, int]:
    """Width and height that the headers of a JPEG state."""
    facts = _read_markers(data, where)
    return facts.width, facts.height


def decode_pixels(data: bytes, where: str) -> tuple[Raw, list[str]]:
    """Pixels and notices; where libjpeg made up pixels that are not in the file, an error instead of a picture."""
    raw = decode_apart("jpeg", data, where)
    if "premature end" in raw.printed.lower():
        raise Truncated(where=where, reason=f"pixels are missing ({raw.printed})")
    if "corrupt jpeg data" in raw.printed.lower() and "extraneous" not in raw.printed:
        raise Damaged(where=where, reason=raw.printed)
    return raw, [f"the JPEG decoder says: {raw.printed}"] if raw.printed else []


def _read_markers(data: bytes, where: str) -> _Facts:
    facts, at = _Facts(), 2
    while True:
        while at < len(data) and data[at] == 0xFF:
            at += 1
        if at >= len(data):
            raise Truncated(where=where, reason="it ends before its picture begins")
        if data[at - 1] != 0xFF:
            raise Damaged(where=where, reason=f"at byte {at}: a marker expected, {data[at]:#04x} found")
        marker = data[at]
        at += 1
        if marker in (0x01, *range(0xD0, 0xD8)):
            continue
        if marker == _END:
            raise Damaged(where=where, reason="its end mark comes before any picture")
        size = struct.unpack_from(">H", data, at)[0] if at + 2 <= len(data) else 0
        if at + max(size, 2) > len(data):
            raise Truncated(
                where=where, reason=f"at byte {at}: a segment of {size} bytes announced, {len(data) - at} left"
            )
        content = data[at + 2 : at + size]
        at += max(size, 2)
        if marker == _SCAN:
            if not facts.frame:
                raise Damaged(where=where, reason="pixels come before the frame header")
            return facts
        _note(marker, content, facts, where)


def _note(marker: int, content: bytes, facts: _Facts, where: str) -> None:
    if marker in _FRAMES and len(content) >= 6:
        if facts.frame:
            raise Damaged(where=where, reason="two frame headers")
        facts.frame = marker
        facts.precision, facts.height, facts.width = struct.unpack_from(">BHH", content)
    elif marker == 0xE0 and content[:5] == b"JFIF\0" and len(content) >= 12 and facts.jfif is UNSTATED:
        unit, x, y = struct.unpack_from(">BHH", content, 7)
        if unit in (1, 2):
            facts.jfif = per_inch(x, y) if unit == 1 else per_centimetre(x, y)
        else:
            facts.jfif = unusable("the file states the shape of its pixels only, not their size")
    elif marker == 0xE1 and content[:6] == b"Exif\0\0":
        facts.orientation, facts.exif, notice = exif(content[6:], where)
        facts.notices += [notice] if notice else []


def _chosen(facts: _Facts) -> tuple[Resolution, str]:
    """JFIF before EXIF, but a usable one before a stand-in; both usable and different: said."""
    jfif, other = credible(facts.jfif)[0], credible(facts.exif)[0]
    if jfif is None:
        return (facts.exif if other is not None or facts.jfif is UNSTATED else facts.jfif), ""
    if other is not None and abs(jfif - other) > 0.01 * jfif:
        return facts.jfif, f"JFIF states {jfif:.6g} ppi and EXIF {other:.6g}: JFIF is used, check it"
    return facts.jfif, ""
