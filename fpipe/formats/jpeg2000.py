"""JPEG 2000 (ISO/IEC 15444-1), as JP2 file and as raw codestream; decoded in the worker, judged here."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fpipe.core.errors import Damaged, Truncated, Unsupported
from fpipe.formats.colour import Alpha, Model, Samples, to_gray
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.isolation import decode_apart
from fpipe.formats.resolution import UNSTATED, Resolution, per_metre

FILE_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
STREAM_SIGNATURE = b"\xff\x4f\xff\x51"
_MODES: dict[str, tuple[Model, Alpha]] = {
    "L": ("gray", "none"),
    "I;16": ("gray", "none"),
    "LA": ("gray", "straight"),
    "RGB": ("rgb", "none"),
    "RGBA": ("rgb", "straight"),
    "CMYK": ("cmyk", "none"),
    "BGR;16": ("rgb", "none"),
    "BGRA;16": ("rgb", "straight"),
}


@dataclass(frozen=True, slots=True)
class _Stream:
    width: int
    height: int
    components: int
    bits: int
    mixed: bool


def decode(data: bytes, where: str) -> Decoded:
    """A JP2 file or a raw codestream."""
    resolution, palette, announced = UNSTATED, False, None
    stream = data
    if not data.startswith(STREAM_SIGNATURE):
        stream, resolution, palette, announced = _open_file(data, where)
    facts = _read_stream(stream, where)
    if announced not in (None, (facts.height, facts.width)):  # the decoder makes room for what is announced
        raise Damaged(
            where=where, reason=f"{facts.height} rows of {facts.width} px, its file's header says {announced}"
        )
    check_size(facts.width, facts.height, where)
    deep_colour = facts.bits > 8 and facts.components > 1  # Pillow drops the low bits of these, and wraps the highest
    if facts.mixed or not 1 <= facts.bits <= 16 or (deep_colour and facts.components not in (3, 4)):
        kinds = f"{facts.components} components of {'mixed' if facts.mixed else facts.bits} bits"
        raise Unsupported(where=where, reason=f"JPEG 2000 with {kinds} is not read; save it as PNG or TIFF")
    if palette and facts.bits != 8:
        raise Unsupported(where=where, reason=f"JPEG 2000 with a palette of {facts.bits} bits is not read")
    raw = decode_apart("jpeg2000deep" if deep_colour else "jpeg2000", data, where)
    if raw.mode not in _MODES or (raw.width, raw.height) != (facts.width, facts.height):
        raise Damaged(where=where, reason=f"decoded to {raw.width} x {raw.height} px of {raw.mode}, against its header")
    notices = [f"the JPEG 2000 decoder says: {raw.printed}"] if raw.printed else []
    model, alpha = _MODES[raw.mode]
    samples: Samples = np.frombuffer(raw.data, "<u2" if ";16" in raw.mode else np.uint8)
    samples = samples.reshape(raw.height, raw.width, -1)
    if not deep_colour and facts.bits not in (8, 16):  # Pillow moves gray to the upper end of 8 or 16 bits
        samples = np.right_shift(samples, (16 if ";16" in raw.mode else 8) - facts.bits, dtype=samples.dtype)
    if len(samples.shape) == 3 and raw.mode.startswith("BGR"):
        samples = samples[..., [2, 1, 0, *range(3, samples.shape[2])]]
    if samples.max() >= 1 << facts.bits:
        raise Damaged(where=where, reason=f"a sample of {samples.max()} in {facts.bits} bits")
    return Decoded(to_gray(samples, (1 << facts.bits) - 1, model, alpha), facts.bits, resolution, notices=notices)


def _boxes(data: bytes, start: int, end: int, where: str) -> Iterator[tuple[bytes, int, int]]:
    """(type, first byte, end) of the boxes between two places."""
    at = start
    while at < end:
        if at + 8 > end:
            raise Truncated(where=where, reason=f"at byte {at}: a box needs 8 bytes, {end - at} left")
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        elif size == 0:
            size = end - at
        if size < head:
            raise Damaged(where=where, reason=f"at byte {at}: box {kind!r} of {size} bytes")
        if at + size > end:
            raise Truncated(
                where=where, reason=f"at byte {at}: box {kind!r} of {size} bytes announced, {end - at} left"
            )
        yield kind, at + head, at + size
        at += size


def _open_file(data: bytes, where: str) -> tuple[bytes, Resolution, bool, tuple[int, int] | None]:
    """The codestream of a JP2 file, its resolution (of capture before that of display), whether it has a palette, and
    the rows and columns that it announces."""
    found: dict[bytes, Resolution] = {}
    stream, palette, announced = b"", False, None
    for kind, first, end in _boxes(data, 0, len(data), where):
        if kind == b"jp2h":
            for inner, inner_first, inner_end in _boxes(data, first, end, where):
                palette |= inner == b"pclr"
                if inner == b"ihdr" and inner_end - inner_first >= 8:
                    announced = struct.unpack_from(">II", data, inner_first)
                if inner == b"res ":
                    for name, at, stop in _boxes(data, inner_first, inner_end, where):
                        found[name] = _resolution(data[at:stop])
        elif kind == b"jp2c" and not stream:
            stream = data[first:end]
    if not stream:
        raise Truncated(where=where, reason="no codestream in it")
    return stream, found.get(b"resc", found.get(b"resd", UNSTATED)), palette, announced


def _resolution(content: bytes) -> Resolution:
    if len(content) < 10:
        return UNSTATED
    down, down_by, across, across_by, down_power, across_power = struct.unpack_from(">HHHHbb", content)
    if not down_by or not across_by:
        return UNSTATED
    return per_metre(across / across_by * 10.0**across_power, down / down_by * 10.0**down_power)


def _read_stream(stream: bytes, where: str) -> _Stream:
    """The size header, and a walk over the tile parts to their end mark: a cut stream still decodes, blurred."""
    if not stream.startswith(STREAM_SIGNATURE) or len(stream) < 45:
        raise Damaged(where=where, reason="no size header at the beginning of its codestream")
    right, bottom, left, top = struct.unpack_from(">IIII", stream, 8)
    components = struct.unpack_from(">H", stream, 40)[0]
    if not 1 <= components <= 16 or 42 + 3 * components > len(stream):
        raise Damaged(where=where, reason=f"{components} colour components")
    depths = {stream[42 + 3 * i] for i in range(components)}
    check_size(right - left, bottom - top, where)
    tiles, expected = len(_walk(stream, where)), _tiles(stream, where)
    if tiles != expected:  # so a header can't make the decoder prepare for thousands that are not there
        raise Damaged(where=where, reason=f"{tiles} tiles, expected {expected}")
    if any(depth & 128 for depth in depths):
        raise Unsupported(where=where, reason="signed JPEG 2000 is not read; save it as PNG or TIFF")
    return _Stream(right - left, bottom - top, components, max(depths) + 1, len(depths) > 1)


def _tiles(stream: bytes, where: str) -> int:
    """That the size header announces."""
    (right, bottom), size, origin = (struct.unpack_from(">II", stream, at) for at in (8, 24, 32))
    if not all(size) or origin[0] >= right or origin[1] >= bottom:
        raise Damaged(where=where, reason=f"tiles of {size[0]} x {size[1]} px")
    across, down = -(-(right - origin[0]) // size[0]), -(-(bottom - origin[1]) // size[1])
    return int(across * down)


def _walk(stream: bytes, where: str) -> set[int]:
    """Numbers of the tiles that are there."""
    at, tiles = 2, set[int]()
    while True:
        if at + 4 > len(stream):
            if stream[at : at + 2] == b"\xff\xd9":
                return tiles
            raise Truncated(
                where=where, reason=f"at byte {at} of its codestream: a marker expected, {len(stream) - at} bytes left"
            )
        marker, size = struct.unpack_from(">HH", stream, at)
        if marker == 0xFFD9:
            return tiles
        if marker == 0xFF90:
            tiles.add(int.from_bytes(stream[at + 4 : at + 6]))
            part = struct.unpack_from(">I", stream, at + 6)[0] if at + 10 <= len(stream) else 0
            if part == 0:  # the last tile part reaches to the end
                if not stream.endswith(b"\xff\xd9"):
                    raise Truncated(where=where, reason="no end mark")
                return tiles
            if part < 14:
                raise Damaged(where=where, reason=f"a tile part of {part} bytes")
            at += part
            continue
        if not 0xFF51 <= marker <= 0xFF6F or size < 2:
            raise Damaged(where=where, reason=f"at byte {at} of its codestream: {marker:#06x} is no marker of a header")
        at += 2 + size
