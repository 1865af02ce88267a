"""What a file holds, as ``fpipe inspect`` says it: one picture, a template, or a whole exchange file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fpipe.core.errors import FpipeError, InputRefused, MissingLibrary
from fpipe.core.files import sha256_hex
from fpipe.core.types import KIND_NAMES
from fpipe.formats.decoders import to_picture
from fpipe.formats.exchange.features import Marks, marks_in
from fpipe.formats.exchange.pictures import RecordPicture, decode_picture, pictures_of
from fpipe.formats.exchange.records import DATA, FIXED_TYPES, ExchangeFile, Record, is_exchange, parse
from fpipe.formats.exchange.tables import position_name
from fpipe.minutiae.files import describe_template, is_template_data
from fpipe.service.gallery_files import Source, read_bytes
from fpipe.service.reading import estimated, picture_of

EXCHANGE = "ANSI/NIST-ITL"


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file's description, JSON-able; ``kind`` says which of three documents it is."""

    kind: str
    document: dict[str, Any]


def inspect_file(path: Path, *, ppi: float | None = None) -> Inspected:
    """Describe a file by its content.

    Raises InputRefused where it can't be read at all; a picture inside an exchange file that can't be is listed under
    "failed" instead.
    """
    name = path.as_posix()
    if not _is_file(path):  # a folder, a missing file, or FILE#POSITION
        return Inspected("picture", _picture_document(path, None, ppi))
    data = read_bytes(Source(path, name))
    common = {"file": name, "sha256": sha256_hex(data)}
    if is_exchange(data):
        return Inspected("exchange", {**common, **describe_exchange(data, name, ppi)})
    if is_template_data(data, path.name):
        found = describe_template(data, name)
        views = [{"record": number, **view} for number, view in enumerate(found["minutiae"], 1)]
        return Inspected("template", {**common, **found, "records": [], "images": [], "minutiae": views})
    return Inspected("picture", _picture_document(path, data, ppi))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, for instance: opening it says so
        return False


def _picture_document(path: Path, data: bytes | None, ppi: float | None) -> dict[str, Any]:
    picture = picture_of(path if data is None else data, path.as_posix(), ppi)
    height, width = picture.pixels.shape
    return {
        "file": path.as_posix(),
        "sha256": picture.sha256,
        "format": picture.format,
        "width": width,
        "height": height,
        "bits": picture.bits,
        "ppi": picture.ppi,
        "ppi_origin": picture.ppi_origin,
        "pixels_sha256": sha256_hex(picture.pixels.tobytes()),
        "pages": picture.pages,
        "records": [],
        "images": [
            {
                "record": None,
                "finger": None,
                "impression": None,
                "width": width,
                "height": height,
                "ppi": picture.ppi,
                "ppi_origin": picture.ppi_origin,
                "compression": picture.format,
                "pixels_sha256": sha256_hex(picture.pixels.tobytes()),
            }
        ],
        "minutiae": [],
        "notices": list(picture.notices),
    }


def describe_exchange(data: bytes, where: str, ppi: float | None = None) -> dict[str, Any]:
    """Records with their fields, pictures, minutiae and markup of an exchange file; what failed, and notices.

    Raises InputRefused where the file itself contradicts itself.
    """
    file = parse(data, where)
    pictures, failed, notices = pictures_of(file), list[dict[str, Any]](), list(file.notices)
    images = []
    for picture in pictures:
        try:
            images.append(_image(picture, where, ppi, notices))
        except (InputRefused, MissingLibrary) as error:
            failed.append(_failure(picture.record, error))
    minutiae, markup = _minutiae(file, pictures, where, failed, notices)
    return {
        "format": EXCHANGE,
        "version": file.records[0].text(2),
        "records": [_record(record) for record in file.records],
        "images": images,
        "minutiae": minutiae,
        "markup": markup,
        "failed": failed,
        "notices": notices,
    }


def _record(record: Record) -> dict[str, Any]:
    fields = {f"{record.type}.{field.number:03d}": _value(record, field.number) for field in record.fields}
    return {"type": record.type, "idc": record.idc, "fields": fields}


def _value(record: Record, number: int) -> Any:
    """One item as text, several as a list, several subfields as a list of lists; bytes by size and hash."""
    field = record.field(number)
    assert field is not None
    if record.type in FIXED_TYPES:
        last = record.fields[-1].number
        if number != last:
            return list(field.value) if len(field.value) == 6 else int.from_bytes(field.value, "big")
    elif number != DATA or record.type in (1, 2, 9):
        subfields = field.subfields(record.charset)
        if len(subfields) > 1:
            return subfields
        return subfields[0] if len(subfields[0]) > 1 else subfields[0][0]
    return {"bytes": len(field.value), "sha256": sha256_hex(field.value)}


def _image(picture: RecordPicture, where: str, ppi: float | None, notices: list[str]) -> dict[str, Any]:
    decoded, compression = decode_picture(picture, where)
    found = estimated(partial(to_picture, decoded, format=compression, sha256=""), where, ppi)
    height, width = found.pixels.shape
    notices += [f"{picture.name}: {notice}" for notice in found.notices]
    return {
        "record": picture.record.type,
        "idc": picture.record.idc,
        "finger": picture.finger,
        "fingers": list(picture.fingers),
        "impression": picture.impression,
        "impression_code": picture.impression_code,
        "width": width,
        "height": height,
        "bits": found.bits,
        "ppi": found.ppi,
        "ppi_origin": found.ppi_origin,
        "compression": compression,
        "pixels_sha256": sha256_hex(found.pixels.tobytes()),
    }


def _failure(record: Record, error: FpipeError) -> dict[str, Any]:
    return {"record": record.type, "idc": record.idc, "reason": error.code, "message": error.message}


def _minutiae(
    file: ExchangeFile,
    pictures: list[RecordPicture],
    where: str,
    failed: list[dict[str, Any]],
    notices: list[str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    minutiae, markup = [], []
    for record in file.records:
        if record.type != 9:
            continue
        try:
            found = marks_in(record, pictures, where)
        except InputRefused as error:
            failed.append(_failure(record, error))
            continue
        for marks in found:
            notices += marks.notices
            if len(marks) or marks.efs is None:
                minutiae.append(_view(marks))
            if marks.efs is not None:
                facts = asdict(marks.efs)
                del facts["minutiae"]
                markup.append({"record": 9, "idc": record.idc, "finger": marks.finger, "unit_mm": 0.01, **facts})
    return minutiae, markup


def _view(marks: Marks) -> dict[str, Any]:
    points = []
    for row in range(len(marks)):
        point: dict[str, Any] = {
            "x": _tidy(marks.x[row]),
            "y": _tidy(marks.y[row]),
            "direction_degrees": _tidy(np.rad2deg(marks.direction[row])),
            "type": KIND_NAMES[marks.kind[row]],
            "quality": int(marks.quality[row]),
        }
        if not np.isnan(marks.radius[row]):
            point["radius"] = _tidy(marks.radius[row])
        if not np.isnan(marks.spread[row]):
            point["direction_uncertainty_degrees"] = _tidy(marks.spread[row])
        points.append(point)
    return {
        "record": 9,
        "idc": marks.record.idc,
        "block": marks.block,
        "finger": marks.finger,
        "width": marks.width,
        "height": marks.height,
        "ppi": marks.ppi and round(marks.ppi, 3),
        "count": len(points),
        "cores": [[_tidy(x), _tidy(y)] for x, y in marks.cores],
        "deltas": [[_tidy(x), _tidy(y)] for x, y in marks.deltas],
        "points": points,
    }


def _tidy(value: float) -> float | int:
    """Four decimals, whole numbers without any."""
    rounded = round(float(value), 4)
    return int(rounded) if rounded.is_integer() else rounded


def exchange_lines(document: dict[str, Any]) -> list[str]:
    """An exchange file's description for people."""
    records = document["records"]
    types: dict[int, int] = {}
    for record in records:
        types[record["type"]] = types.get(record["type"], 0) + 1
    held = ", ".join(f"{count} x Type-{type}" for type, count in types.items())
    first = records[0]["fields"]
    stated = [f"{label} {first[number]}" for label, number in _FACTS if isinstance(first.get(number), str)]
    lines = [f"  format      {document['format']}, version {document['version'] or '?'}: {held}"]
    lines += [f"  from        {', '.join(stated)}"] if stated else []
    for image in document["images"]:
        ppi = "ppi unknown" if image["ppi"] is None else f"{image['ppi']:.6g} ppi"
        size = f"{image['width']} x {image['height']} px, {ppi}, {image['compression']}"
        lines.append(f"  {_place(image)}  {position_name(image['finger'])}, {image['impression']}: {size}")
    for view in document["minutiae"]:
        who = position_name(view["finger"])
        lines.append(f"  {_place(view)}  {who}: {view['count']} minutiae ({view['block']})")
    for entry in document["markup"]:
        value = entry["value"]["code"] if entry["value"] else "no value given"
        counts = f"{len(entry['cores'])} cores, {len(entry['deltas'])} deltas"
        lines.append(f"  {_place(entry)}  markup: {value}, {counts}, {len(entry['correspondences'])} correspondences")
    lines += [f"  {_place(failure)}  NOT READ: {failure['message']}" for failure in document["failed"]]
    return lines


_FACTS = (("transaction", "1.004"), ("of", "1.005"), ("from", "1.008"), ("to", "1.007"), ("number", "1.009"))


def _place(entry: dict[str, Any]) -> str:
    return f"{entry['record']:>2} idc {entry['idc']!s:<3}"
