"""What an exchange file gives a gallery: one print for each picture of a finger, and what the file says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from fpipe.core.errors import (
    BadParameter,
    Damaged,
    InputRefused,
    NotAnImage,
    NotFound,
    PalmPicture,
    SeveralPictures,
    SlapPicture,
)
from fpipe.core.fingers import FINGERS
from fpipe.core.types import GrayImage, Picture
from fpipe.formats import read_picture, to_500_ppi
from fpipe.formats.exchange.patterns import pattern_class
from fpipe.formats.exchange.pictures import RecordPicture, choose, pictures_of
from fpipe.formats.exchange.records import ExchangeFile, parse
from fpipe.formats.exchange.tables import position_name
from fpipe.index.records import Kind
from fpipe.pipeline.slaps import FINGERS_OF, Slaps
from fpipe.service.gallery_files import Details
from fpipe.service.reading import estimated

_THUMBS = {11: "right_thumb", 12: "left_thumb"}
_EXTRA = {16: "right_extra_digit", 17: "left_extra_digit"}
_FINGER_OF = {**dict(enumerate(FINGERS, 1)), **_THUMBS, **_EXTRA}
"""Position -> the finger's name; other positions name none."""
_SLAPS = frozenset((13, 14, 15, *range(40, 51)))
_SKIN = frozenset((*range(20, 39), *range(60, 80), *range(81, 87)))
"""Positions on palms and soles."""
_JOINTS = 19
"""Position of a whole finger's or a tip's picture; which finger, field 14 (PPD) says."""
_KINDS: Mapping[str, Kind] = {"plain": "plain", "rolled": "rolled", "latent": "latent", "swipe": "plain"}
_NAMED_SO = ("", "NORAM")
"""Domains (1.013) in which field 2.018 is the person's name: EBTS, and files that name no domain."""


@dataclass(frozen=True, slots=True)
class Part:
    """One picture of an exchange file.

    name : of the print it becomes, ``FILE#POSITION``, or ``FILE#idc=NUMBER`` where a position comes twice or is none;
        of a finger of a slap ``FILE#13.2``: its position behind the slap's
    part : which picture it is, the same whatever the file is called: ``idc=3``, of a finger of a slap ``idc=3.2``
    refusal : why it becomes none
    """

    name: str
    part: str
    details: Details
    refusal: InputRefused | None = None


def parts_of(data: bytes, name: str, choice: str, sha256: str) -> list[Part]:
    """The pictures of an exchange file, in its order, with what the file says of each.

    choice : which one, as ``FILE#`` names it; "" for all
    sha256 : of the data, hex

    Raises InputRefused where the file contradicts itself, has no picture, or has none that is chosen.
    """
    file = parse(data, name)
    pictures = pictures_of(file)
    if not pictures:
        held = ", ".join(str(record.type) for record in file.records)
        raise NotAnImage(where=name, reason=f"an ANSI/NIST file without a finger picture (record types {held})")
    place, _, finger = choice.partition(".")
    chosen = [_chosen(pictures, place, name)] if place else pictures
    numbers = Counter(picture.record.idc for picture in pictures)
    positions = Counter(position for picture in pictures for position in picture.fingers)
    said = _said(file, sha256)
    parts = [
        part
        for picture in chosen
        for part in _fingers(picture, _part(picture, name, numbers, positions, _classed(said, file, picture)))
    ]
    if finger:
        parts = [part for part in parts if part.part.endswith(f".{finger}")]
    if not parts:
        raise NotFound(where=f"{name}#{choice}", reason="no picture of several fingers with this one")
    return parts


def _chosen(pictures: list[RecordPicture], choice: str, name: str) -> RecordPicture:
    try:
        return choose(pictures, choice, name, [])
    except BadParameter as error:
        raise NotFound(where=f"{name}#{choice}", reason=f"expected {error.facts['expected']}") from error


def _fingers(picture: RecordPicture, part: Part) -> list[Part]:
    """The fingers of a slap as parts of their own; the part itself where it is none, or is left out."""
    position = picture.finger
    if part.refusal is not None or position not in FINGERS_OF or len(picture.fingers) > 1:
        return [part]
    found = [finger for finger in FINGERS_OF[position] if finger not in _missing(picture)]
    return [
        replace(
            part,
            name=f"{part.name}.{finger}",
            part=f"{part.part}.{finger}",
            details=replace(part.details, finger=_FINGER_OF[finger]),
        )
        for finger in found
    ]


def _missing(picture: RecordPicture) -> frozenset[int]:
    """Fingers that the record says are amputated or bandaged (AMP, field 18)."""
    if picture.record.type == 4:
        return frozenset()
    said = [items[0].strip() for items in picture.record.items(18)]
    return frozenset(int(text) for text in said if text.isascii() and text.isdigit() and len(text) < 3)


def _part(
    picture: RecordPicture,
    name: str,
    numbers: Counter[int | None],
    positions: Counter[int],
    said: Details,
) -> Part:
    idc, finger = picture.record.idc, picture.finger
    alone = finger is not None and len(picture.fingers) == 1 and positions[finger] == 1
    known = idc is not None and numbers[idc] == 1
    part = f"idc={idc}" if known else f"finger={finger}"
    label = f"{name}#{finger}" if alone else f"{name}#idc={idc}"
    details = _details(picture, said)
    if not known and not alone:
        reason = f"several pictures of IDC {idc} and {position_name(finger)}, which can't be told apart"
        return Part(label, part, details, Damaged(where=label, reason=reason))
    return Part(label, part, details, _refusal(picture, label))


def _refusal(picture: RecordPicture, where: str) -> InputRefused | None:
    palm = picture.record.type == 15 or picture.impression in ("palm", "plantar")
    if palm or (picture.fingers and _SKIN.issuperset(picture.fingers)):
        return PalmPicture(where=where, what=picture.name)
    slap = _SLAPS.intersection(picture.fingers)
    if slap and (picture.impression == "latent" or len(picture.fingers) > 1 or not slap <= FINGERS_OF.keys()):
        return SlapPicture(where=where, what=picture.name, reason=", so it is left out")
    return None


def _details(picture: RecordPicture, said: Details) -> Details:
    """Of a latent it is not known whose it is, whoever else is named in its file."""
    kind = _KINDS.get(picture.impression) or ("latent" if picture.record.type == 13 else None)
    fields = {name: value for name, value in said.fields.items() if kind != "latent" or name != "name"}
    if len(picture.fingers) > 1:
        fields["positions"] = " ".join(map(str, picture.fingers))
    return Details(None if kind == "latent" else said.subject, _finger(picture), kind, None, fields)


def _classed(said: Details, file: ExchangeFile, picture: RecordPicture) -> Details:
    """With the pattern class of a single finger, where the file states it."""
    if len(picture.fingers) > 1 or _SLAPS.intersection(picture.fingers):
        return said
    found = pattern_class(file, picture.record.idc, picture.finger)
    return said if found is None else replace(said, fields={**said.fields, "class": found})


def _finger(picture: RecordPicture) -> str | None:
    if len(picture.fingers) != 1:
        return None
    position = picture.fingers[0]
    if position == _JOINTS and picture.record.type != 4:
        text = picture.record.text(14)
        position = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0
    return _FINGER_OF.get(position)


def _said(file: ExchangeFile, sha256: str) -> Details:
    """What a file says of all its prints.

    A transaction's number (1.009) should be its own, but many writers use one for all, and a name (2.018) can be two
    persons'.  So a card is a subject of its own, by the beginning of its sha256 behind its number and agency (1.008):
    that two cards are one person's is said later, by a link.
    """
    first = file.records[0]
    number, agency = first.text(9), first.text(8)
    subject = "/".join(filter(None, (number, agency, sha256[:8])))
    fields = {"transaction": number, "agency": agency, "name": _name(file)}
    return Details(subject, fields={key: value for key, value in fields.items() if value})


def _name(file: ExchangeFile) -> str:
    """The person's, in any script; "" where it is not said, or not known to be one."""
    if file.records[0].text(13) not in _NAMED_SO:
        return ""
    return next((name for record in file.records if record.type == 2 and (name := record.text(18))), "")


def given(details: Details, parts: Sequence[Part], name: str) -> list[Part]:
    """The parts with what was said of their file before; that holds.

    Raises SeveralPictures where one finger is named for several pictures.
    """
    if details.finger is not None and len(parts) > 1:
        listing = ", ".join(part.name for part in parts)
        count = f"{len(parts)} pictures"
        raise SeveralPictures(
            where=name, count=count, choice=f", but one finger is given: {details.finger}", listing=listing
        )
    return [replace(part, details=details.or_else(part.details)) for part in parts]


def image_of(data: bytes, part: str, name: str, ppi: float | None = None) -> tuple[Picture, GrayImage]:
    """What a print was or will be made of: the file's picture, and its pixels at 500 ppi, of a slap the one finger's.

    part : as in ``PrintRecord``; name : for messages; ppi : holds whatever the file says

    Raises InputRefused.
    """
    place, _, finger = part.partition(".")
    if finger:
        picture, fingers = _slap(data, place, name.removesuffix(f".{finger}"), ppi)
        return picture, fingers[int(finger)]
    picture = estimated(partial(read_picture, data, name=name, part=place), name, ppi)
    return picture, to_500_ppi(picture, name)


@lru_cache(maxsize=1, typed=True)  # the fingers of a slap are asked for one after the other
def _slap(data: bytes, place: str, name: str, ppi: float | None) -> tuple[Picture, dict[int, GrayImage]]:
    """A slap's picture, and its fingers at 500 ppi by their positions."""
    picture, image = image_of(data, place, name, ppi)
    slap = choose(pictures_of(parse(data, name)), place, name, [])
    assert slap.finger is not None
    found = Slaps()(image, slap.finger, name, _missing(slap))
    picture = replace(picture, notices=(*picture.notices, *found.notices))
    return picture, {finger.position: finger.image for finger in found.fingers}
