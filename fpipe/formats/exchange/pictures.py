"""The finger, palm and latent pictures of an exchange file: Types 4, 13, 14 and 15.

What a record says of its picture (resolution, size, compression) is compared with what the picture is: the record's
resolution holds, since the agency states it; the compression is looked at, not believed; every difference is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import BadParameter, Damaged, NotAnImage, SeveralPictures, Unsupported
from fpipe.core.files import sha256_hex
from fpipe.core.types import GrayImage, Picture
from fpipe.formats.colour import scaled, to_gray
from fpipe.formats.decoded import Decoded, check_size
from fpipe.formats.decoders import decoder_of, to_picture
from fpipe.formats.exchange.records import DATA, ExchangeFile, Record, parse
from fpipe.formats.exchange.tables import COMPRESSIONS, FAMILY, Impression, impression_name, position_name
from fpipe.formats.resolution import UNSTATED, Resolution, credible, per_centimetre, per_inch, unusable

TYPES = (4, 13, 14, 15)
"""Record types whose picture is read."""
MINIMUM_PER_MM = 19.69
"""Pixels a millimetre (500 an inch) of a Type-4 picture whose file states no other."""
_UNUSED_POSITION = 255
_COLOUR_BITS = 24


@dataclass(frozen=True, slots=True, eq=False)
class RecordPicture:
    """A picture as its record describes it.

    fingers : positions (FGP) it may be of, mostly one
    impression_code : Table 7
    width, height : px, None where the record does not say it
    compression : as stated, by name
    data : the picture's bytes
    """

    record: Record
    fingers: tuple[int, ...]
    impression_code: int | None
    width: int | None
    height: int | None
    resolution: Resolution
    compression: str
    bits: int
    data: bytes

    @property
    def finger(self) -> int | None:
        """Its first position."""
        return self.fingers[0] if self.fingers else None

    @property
    def impression(self) -> Impression:
        """Plain, rolled, latent and so on; of Type-13 always a latent."""
        name = impression_name(self.impression_code)
        return "latent" if self.record.type == 13 and name == "unknown" else name

    @property
    def name(self) -> str:
        """For messages."""
        return f"{position_name(self.finger)} (Type-{self.record.type}, {self.impression}, IDC {self.record.idc})"


def pictures_of(file: ExchangeFile) -> list[RecordPicture]:
    """The pictures in a file, in its order; records that say that they have none (a missing finger) are left out."""
    found = []
    for record in file.records:
        if record.type == 4:
            found.append(_of_fixed(record, file.records[0]))
        elif record.type in TYPES:
            found.append(_of_tagged(record))
    return [picture for picture in found if picture.data or not _says_missing(picture)]


def _says_missing(picture: RecordPicture) -> bool:
    """Whether a record without pixels says so: by no size, or as amputated or bandaged (AMP, field 18)."""
    return not (picture.width or picture.height) or bool(picture.record.type != 4 and picture.record.entries(18))


def _of_fixed(record: Record, first: Record) -> RecordPicture:
    """A Type-4 record; its resolution lies in Type-1 (sections 8.1.11, 8.1.12 and 8.4)."""
    field, code = record.field(4), record.integer(8) or 0
    positions = field.value if field is not None else b""
    data = record.field(9)
    return RecordPicture(
        record,
        tuple(code for code in positions if code != _UNUSED_POSITION),
        record.integer(3),
        record.integer(6),
        record.integer(7),
        _fixed_resolution(record.integer(5) or 0, first),
        COMPRESSIONS[code] if code < len(COMPRESSIONS) else str(code),
        8,
        data.value if data is not None else b"",
    )


def _fixed_resolution(scanning: int, first: Record) -> Resolution:
    """ISR 1: the scanner's own resolution, field 1.011; ISR 0: that of the transmission, 1.012, or the minimum."""
    text = first.text(11 if scanning == 1 else 12)
    try:
        stated = float(text)
    except ValueError:
        stated = 0.0
    if not 0 < stated < 10_000:
        if scanning == 1:
            return unusable(f"the record refers to field 1.011, which is {text!r}")
        stated = MINIMUM_PER_MM
    return per_inch(stated * 25.4, stated * 25.4)


def _of_tagged(record: Record) -> RecordPicture:
    """Types 13, 14 and 15."""
    data = record.field(DATA)
    positions = [items[0].strip() for items in record.entries(13)]
    return RecordPicture(
        record,
        tuple(int(code) for code in positions if code.isascii() and code.isdigit() and len(code) < 4),
        record.integer(3),
        record.integer(6),
        record.integer(7),
        _tagged_resolution(record),
        record.text(11).upper(),
        record.integer(12) or 8,
        data.value if data is not None else b"",
    )


def _tagged_resolution(record: Record) -> Resolution:
    """SLC, HPS and VPS: 1 an inch, 2 a centimetre, 0 the shape of the pixels only."""
    unit, x, y = record.integer(8), record.integer(9), record.integer(10)
    if unit not in (1, 2):
        if unit is None:
            return UNSTATED
        shape = "the record states the shape of its pixels only, not their size"
        return unusable(shape if unit == 0 else f"its unit is {unit}, expected 1 (inch) or 2 (centimetre)")
    if not x or not y:
        return unusable(f"the record states {record.text(9)!r} x {record.text(10)!r} pixels")
    return (per_inch if unit == 1 else per_centimetre)(x, y)


def decode_picture(picture: RecordPicture, where: str) -> tuple[Decoded, str]:
    """The pixels, with the record's resolution before the codestream's own; and the compression that was found.

    Raises Damaged, Truncated, Unsupported, TooLarge, DecoderCrashed, MissingLibrary.
    """
    kind = f"{picture.record.type}.{DATA}" if picture.record.type != 4 else "4.009"
    if not picture.data:
        size = f", {picture.width} x {picture.height} px announced" if picture.width else ""
        lacks = "is empty" if picture.record.field(DATA) or picture.record.type == 4 else "is not there"
        raise Damaged(where=where, reason=f"field {kind} of {picture.name} {lacks}{size}")
    at = f"{where}: {picture.name}"
    codec = decoder_of(picture.data)
    if picture.compression in ("NONE", "") and len(picture.data) == _raw_size(picture):
        codec = None  # pixels, whatever they begin with
    if codec is None:
        return _raw(picture, at, kind)
    name, decode = codec
    found = decode(picture.data, at)
    notices = [*found.notices]
    actual = _compression_name(picture, name, found)
    if FAMILY.get(picture.compression) != name:
        notices.append(f"the record states compression {picture.compression or 'nothing'}, the picture is {name}")
    height, width = found.gray.shape
    if (picture.width, picture.height) != (width, height):
        stated = f"{picture.width} x {picture.height}"
        notices.append(f"the record states {stated} px, the picture has {width} x {height}")
    resolution, doubts = _chosen(picture.resolution, found.resolution)
    return replace(found, resolution=resolution, notices=[*notices, *doubts]), actual


def _compression_name(picture: RecordPicture, codec: str, found: Decoded) -> str:
    """By its content, in the standard's words; lossless or not as the record says where the content leaves it open."""
    if FAMILY.get(picture.compression) == codec:
        return {"WSQ": "WSQ20"}.get(picture.compression, picture.compression)
    return {"WSQ": "WSQ20", "JPEG": "JPEGB", "JPEG 2000": "JP2"}.get(codec, codec)


def _chosen(record: Resolution, stream: Resolution) -> tuple[Resolution, list[str]]:
    ours, theirs = credible(record)[0], credible(stream)[0]
    if ours is not None:
        if theirs is not None and abs(ours - theirs) > 0.005 * ours:
            return record, [f"the record states {ours:.6g} ppi, the picture inside {theirs:.6g}: the record holds"]
        return record, []
    if theirs is not None:
        reason = credible(record)[1]
        return stream, [f"{reason or 'the record states no resolution'}; that of the picture inside is taken"]
    return record, []


def _raw_size(picture: RecordPicture) -> int | None:
    if not picture.width or not picture.height:
        return None
    return picture.width * picture.height * -(-picture.bits // 8)


def _raw(picture: RecordPicture, where: str, kind: str) -> tuple[Decoded, str]:
    """Uncompressed pixels, row by row from the top; 16 bits with the high byte first, 24 bits as red, green, blue."""
    size, got = _raw_size(picture), len(picture.data)
    if size is None:
        raise Damaged(where=where, reason=f"its size is {picture.width} x {picture.height} px")
    assert picture.width is not None
    assert picture.height is not None
    check_size(picture.width, picture.height, where)
    notices = []
    stated = picture.compression
    if stated != "NONE":
        if got != size:
            begin = picture.data[:4].hex(" ")
            reason = (
                f"field {kind} is no {stated or 'known'} picture (it begins with {begin}) nor {size} bytes of pixels"
            )
            raise Damaged(where=where, reason=reason)
        notices.append(f"the record states compression {stated or 'nothing'}, the picture is uncompressed")
    if not 8 <= picture.bits <= 16 and picture.bits != _COLOUR_BITS:
        raise Unsupported(where=where, reason=f"uncompressed pixels of {picture.bits} bits are not read")
    if got != size:
        facts = f"{picture.width} x {picture.height} px of {picture.bits} bits need {size} bytes"
        raise Damaged(where=where, reason=f"field {kind} has {got} bytes, {facts}")
    shape = (picture.height, picture.width)
    gray: GrayImage
    if picture.bits == 8:
        gray = np.frombuffer(picture.data, np.uint8).reshape(shape)
    elif picture.bits == _COLOUR_BITS:
        gray = to_gray(np.frombuffer(picture.data, np.uint8).reshape(*shape, 3), 255, "rgb")
    else:
        samples: NDArray[np.uint16] = np.frombuffer(picture.data, ">u2").astype(np.uint16)
        largest = (1 << picture.bits) - 1
        if int(samples.max()) > largest:
            raise Damaged(where=where, reason=f"a pixel of {int(samples.max())} in {picture.bits} bits")
        gray = scaled(samples, largest).reshape(shape)
    return Decoded(gray, picture.bits, picture.resolution, notices=notices), "NONE"


def read_exchange_picture(data: bytes, where: str, choice: str, ppi: float | None) -> Picture:
    """The one picture of an exchange file, or the one that is chosen.

    choice : "" for the only one, a finger position as ``7``, or ``idc=7``

    Raises NotAnImage where there is none, SeveralPictures where it is not clear which one is meant.
    """
    file = parse(data, where)
    picture = choose(pictures_of(file), choice, where, [record.type for record in file.records])
    found, compression = decode_picture(picture, where)
    found = replace(found, notices=[*file.notices, *found.notices])
    name = f"ANSI/NIST Type-{picture.record.type}, {compression}"
    return to_picture(found, ppi=ppi, format=name, sha256=sha256_hex(data))


def choose(pictures: list[RecordPicture], choice: str, where: str, types: list[int]) -> RecordPicture:
    """One of the pictures; ``types`` of the file's records, for the message where there is none."""
    if not pictures:
        held = ", ".join(str(type) for type in types)
        raise NotAnImage(where=where, reason=f"an ANSI/NIST file without a finger picture (record types {held})")
    chosen = [p for p in pictures if not choice or chosen_by(choice, p.record.idc, p.fingers, where)]
    if len(chosen) != 1:
        problem = f"{len(chosen)} pictures" if chosen or not choice else "no picture"
        listing = "; ".join(_listed(p) for p in (chosen or pictures))
        raise SeveralPictures(where=where, count=problem, choice=f" for #{choice}" if choice else "", listing=listing)
    return chosen[0]


def chosen_by(choice: str, idc: int | None, fingers: tuple[int, ...], where: str) -> bool:
    """Whether a choice, a finger position as ``7`` or ``idc=7``, means the record of this IDC and these positions.

    Raises BadParameter where it is neither.
    """
    key, _, number = choice.rpartition("=")
    if not (number.isascii() and number.isdigit() and len(number) < 6) or key not in ("", "idc", "finger"):
        expected = "FILE#POSITION, as card.an2#7, or FILE#idc=NUMBER"
        raise BadParameter(where=where, name="picture", got=choice, expected=expected)
    return int(number) == idc if key == "idc" else int(number) in fingers


def _listed(picture: RecordPicture) -> str:
    position = "-" if picture.finger is None else picture.finger
    return f"#{position} or #idc={picture.record.idc} {picture.name}"
