"""An examiner's minutiae as a template: those of a Type-9 record, alone or in the place of ours.

``markup``: the examiner's minutiae, the region of interest (EFS) as the print's area.  ``both``: what was read from the
picture, inside that region, with the examiner's minutiae in the place of ours within ``NEAR_PX`` of one, whatever
direction ours has: the examiner saw that place and decided.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fpipe.core.conventions import CELL_PX, HUNDREDTHS_PER_INCH, PPI, grid_shape
from fpipe.core.errors import NoMarkup, SeveralPictures, UnknownResolution
from fpipe.core.types import Mask, Minutiae, Template
from fpipe.formats.exchange.features import Block, Marks, marks_in
from fpipe.formats.exchange.pictures import RecordPicture, chosen_by, pictures_of
from fpipe.formats.exchange.records import ExchangeFile
from fpipe.formats.exchange.tables import position_name
from fpipe.formats.resample import factor_to_500
from fpipe.minutiae.views import View, to_template

Use = Literal["image", "markup", "both"]
USES: tuple[Use, ...] = ("image", "markup", "both")
NEAR_PX = 12.0
"""px at 500 ppi, 0.6 mm: a ridge period and a third.  Two minutiae of one print are seldom nearer."""
MARKED_QUALITY = 100
"""Of an examiner's minutiae in a search: of too many minutiae the best take part, and these are to."""
_PREFERRED: tuple[Block, ...] = ("efs", "incits378", "fbi", "standard")
"""Where a record says the same in several ways, the first of these is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A template with an examiner's minutiae in it.

    examiner : (N,) bool, the template's minutiae that are the examiner's
    """

    template: Template
    examiner: NDArray[np.bool_]
    notices: tuple[str, ...] = ()


def marks_for(file: ExchangeFile, where: str, choice: str = "") -> Marks:
    """The minutiae of the one Type-9 record of a file, or of the one that is chosen ("7", "idc=3").

    Raises NoMarkup where there is none with minutiae, SeveralPictures where it is not clear which is meant, Damaged.
    """
    pictures = pictures_of(file)
    by_record = [marks_in(record, pictures, where) for record in file.records if record.type == 9]
    found = [min(blocks, key=_rank) for blocks in by_record if any(len(marks) for marks in blocks)]
    if not found:
        held = ", ".join(str(record.type) for record in file.records)
        raise NoMarkup(where=where, reason=f"no Type-9 record with minutiae that are read (record types {held})")
    chosen = [m for m in found if not choice or chosen_by(choice, m.record.idc, _fingers(m, pictures), where)]
    if len(chosen) != 1:
        listing = "; ".join(f"#idc={m.record.idc} {position_name(m.finger)}, {len(m)} minutiae" for m in found)
        problem = f"{len(chosen) or 'no'} records of minutiae"
        raise SeveralPictures(where=where, count=problem, choice=f" for #{choice}" if choice else "", listing=listing)
    return chosen[0]


def _rank(marks: Marks) -> int:
    return _PREFERRED.index(marks.block) + len(_PREFERRED) * (not len(marks))


def _fingers(marks: Marks, pictures: list[RecordPicture]) -> tuple[int, ...]:
    own = () if marks.finger is None else (marks.finger,)
    return (*own, *(f for p in pictures if p.record.idc == marks.record.idc for f in p.fingers))


def marked_template(
    marks: Marks,
    where: str,
    *,
    size: tuple[int, int] | None = None,
    ppi: float | None = None,
    quality: int | None = None,
    source: str = "",
) -> Marked:
    """The markup alone, at 500 ppi, the region of interest as its mask.

    size : (width, height) px at 500 ppi of the picture it lies on; minutiae outside it are left out and counted.
        None takes the picture as the record states it, or what holds all points
    ppi : overrides the resolution of the picture that the positions refer to
    quality : of all minutiae; None keeps what the record says

    Raises UnknownResolution, BadTemplate.
    """
    scale = _scale(marks, where, ppi)
    view = view_of_marks(marks, ppi=ppi)
    width, height = (None if side is None else round(side * scale) for side in (view.width, view.height))
    at_500 = replace(view, x=view.x * scale, y=view.y * scale, width=width, height=height, ppi_x=PPI, ppi_y=PPI)
    template = to_template(at_500, ppi=None, source=source, where=where, format="Type-9")
    notices = list(marks.notices)
    m = template.minutiae
    if size is not None:
        inside = (m.x < size[0]) & (m.y < size[1])
        if not inside.all():
            notices.append(f"{int((~inside).sum())} of the examiner's minutiae lie outside the picture: left out")
        template = Template(m.take(inside), *size, source=source)
    if quality is not None:
        m = template.minutiae
        template = replace(template, minutiae=replace(m, quality=np.full(len(m), quality, np.uint8)))
    template = replace(template, mask=region_mask(marks, template.height, template.width, scale))
    return Marked(template, np.ones(len(template.minutiae), np.bool_), tuple(notices))


def view_of_marks(marks: Marks, *, ppi: float | None = None) -> View:
    """The markup in the picture's own pixels, as the template formats write it."""
    scale = ppi or marks.ppi
    width, height = marks.width, marks.height
    region = marks.efs.region if marks.efs is not None else None
    if (width is None or height is None) and region is not None:
        width, height = (
            max(1, round((side + corner) * (scale or PPI) / HUNDREDTHS_PER_INCH))
            for side, corner in ((region.width, region.x), (region.height, region.y))
        )
    finger = marks.finger or 0
    return View(
        finger=finger,
        width=width,
        height=height,
        ppi_x=scale,
        ppi_y=scale,
        x=np.maximum(marks.x, 0.0),
        y=np.maximum(marks.y, 0.0),
        direction=marks.direction,
        kind=marks.kind,
        quality=marks.quality,
    )


def _scale(marks: Marks, where: str, ppi: float | None) -> float:
    """px at 500 ppi of a pixel of the picture."""
    stated = ppi or marks.ppi
    if stated is None:
        raise UnknownResolution(where=where, reason="the Type-9 record and its picture do not state it")
    return 1.0 / factor_to_500(stated)


def region_mask(marks: Marks, height: int, width: int, scale: float) -> Mask | None:
    """The region of interest on the template's grid; None where there is none, or no cell of it in the picture.

    scale : px at 500 ppi of a pixel of the marks
    """
    region = marks.efs.region if marks.efs is not None else None
    if region is None:
        return None
    unit = (marks.ppi or float(PPI)) / HUNDREDTHS_PER_INCH * scale  # px at 500 ppi of 0.01 mm
    corners = region.polygon or ((0, 0), (region.width, 0), (region.width, region.height), (0, region.height))
    polygon = (np.array(corners, np.float64) + np.array([region.x, region.y], np.float64)) * unit
    rows, columns = grid_shape(height, width)
    x, y = np.meshgrid((np.arange(columns) + 0.5) * CELL_PX, (np.arange(rows) + 0.5) * CELL_PX)
    mask = _inside(polygon, x, y)
    return mask if mask.any() else None


def _inside(polygon: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> Mask:
    """Points inside a polygon by the even-odd rule; (P, 2) corners."""
    inside = np.zeros(x.shape, np.bool_)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ay != by:
            crosses = (ay > y) != (by > y)
            inside ^= crosses & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return inside


def merged(ours: Template, theirs: Marked, source: str = "") -> Marked:
    """Both: ours inside their region, theirs in the place of ours within NEAR_PX of one.

    The two are of one picture: theirs is kept whole, ours gives the area, the weak minutiae and the rest.
    """
    region = theirs.template.mask
    mask = ours.mask if region is None else (region if ours.mask is None else ours.mask & region)
    t = theirs.template.minutiae
    kept, weak = (_apart(_within(m, region), t) for m in (ours.minutiae, ours.weak))
    columns = (np.concatenate(pair) for pair in zip(_columns(t), _columns(kept), strict=True))
    template = replace(ours, minutiae=Minutiae(*columns), mask=mask, weak=weak, source=source or ours.source)
    examiner = np.arange(len(t) + len(kept)) < len(t)
    return Marked(template, examiner, theirs.notices)


def _columns(m: Minutiae) -> tuple[NDArray[Any], ...]:
    return m.x, m.y, m.direction, m.kind, m.quality


def _apart(m: Minutiae, others: Minutiae) -> Minutiae:
    """Those farther than NEAR_PX from all of the others."""
    if not len(m) or not len(others):
        return m
    gap = np.hypot(m.x[:, None] - others.x[None, :], m.y[:, None] - others.y[None, :]).min(axis=1)
    return m.take(gap > NEAR_PX)


def _within(m: Minutiae, region: Mask | None) -> Minutiae:
    if region is None or not len(m):
        return m
    rows = np.clip((m.y / CELL_PX).astype(np.int64), 0, region.shape[0] - 1)
    columns = np.clip((m.x / CELL_PX).astype(np.int64), 0, region.shape[1] - 1)
    return m.take(region[rows, columns])


def facts_of(marks: Marks) -> dict[str, Any]:
    """What the markup says beside its minutiae, JSON-able: block, counts, and of EFS the examiner's statements."""
    facts: dict[str, Any] = {"block": marks.block, "minutiae": len(marks), "finger": marks.finger}
    if marks.efs is not None:
        stated = asdict(marks.efs)
        facts |= {name: stated[name] for name in ("orientation", "patterns", "positions", "value")}
        facts |= {"cores": len(marks.cores), "deltas": len(marks.deltas)}
    return facts
