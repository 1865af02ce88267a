"""The examiner's report of one search: a single HTML file that needs nothing beside it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import jinja2

from fpipe.core.errors import FpipeError
from fpipe.core.files import disk_errors, write_atomic
from fpipe.core.types import GrayImage, Template
from fpipe.report.drawing import Figure, Pictures, blank, marked, side_by_side, to_gray, whole

if TYPE_CHECKING:
    from fpipe.service.search import Candidate, Search

ORIGIN_WORDS = {
    "file": "stated in the file",
    "option": "given by the operator",
    "scale": "measured by the operator on a scale in the picture",
    "estimated": "ESTIMATED from the distance of the ridges",
}
KIND_LETTERS = ("-", "E", "B")
"""Of minutia types in the tables of pairs, as KIND_NAMES."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A numbered pair as the table shows it: px at 500 ppi and degrees, of the latent and of the candidate.

    examiner : a person marked it in the latent; doubtful : the program doubts it, in one print or both
    """

    number: int
    latent: tuple[str, str, str, str]
    candidate: tuple[str, str, str, str]
    examiner: bool
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A candidate side by side with the latent; missing : why there is no picture of it, empty where there is one."""

    candidate: Candidate
    latent: Figure
    print: Figure
    pairs: tuple[Pair, ...]
    turn: str
    missing: str


def write_search_report(
    search: Search,
    folder: Path,
    *,
    gallery: str,
    date: datetime,
    top: int = 5,
    originals: Callable[[Candidate], GrayImage | None],
) -> Path:
    """Write the report of one search.

    search : with the enhanced picture, where one is to be shown
    folder : made if absent; the file is named after the latent and the first digits of its sha256, so that
        different latents of one name don't meet; a report that is already there is replaced
    gallery : its path, as the report states it
    date : of the search, with its time zone; the only thing in the file that does not follow from the search
    top : how many candidates are drawn side by side with the latent
    originals : gives a candidate's picture at 500 ppi, or None where it was not kept or is gone; an fpipe error
        it raises is stated in the picture's place

    Returns the file's path.  Raises DiskFull where it can't be written, ValueError for a date without time zone.
    """
    if date.tzinfo is None:
        raise ValueError(f"date {date.isoformat()}: expected one with a time zone")
    pictures = Pictures()
    received = pictures.add(search.picture.pixels)
    at_500 = pictures.add(search.image)
    enhanced = None if search.enhanced is None else to_gray(search.enhanced)
    charts = [_chart(search, candidate, at_500, pictures, originals) for candidate in search.candidates[:top]]
    html = _template().render(
        search=search,
        marked_by_examiner=int(search.examiner.sum()),
        name=PurePosixPath(search.latent).name,
        gallery=gallery,
        date=date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        resolution=f"{round(search.ppi, 1):g} ppi, {ORIGIN_WORDS.get(search.ppi_origin, search.ppi_origin)}",
        received=whole(received, search.picture.pixels, search.ppi),
        enhanced=None if enhanced is None else whole(pictures.add(enhanced), enhanced, 500),
        minutiae=marked(at_500, search.template, search.examiner),
        gaps=_gaps([candidate.score for candidate in search.candidates]),
        charts=charts,
        pictures=pictures.stored,
        footer=f"fpipe, search of latent sha256 {search.sha256[:16]}",
    )
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / report_name(search.latent, search.sha256)
    write_atomic(path, html.encode("utf-8"))
    return path


def report_name(latent: str, sha256: str) -> str:
    """A file name for the report of a latent that every file system takes: letters, digits, - and _ of any script.

    Of a picture in an exchange file, ``card.an2#7``, it says which one, since all are of one sha256.
    """
    name = unicodedata.normalize("NFC", PurePosixPath(latent.replace("\\", "/")).name)
    file, mark, choice = name.rpartition("#")
    stem = _safe(PurePosixPath(file if mark else name).stem)[:48] or "latent"
    return "-".join(part for part in (stem, _safe(choice)[:20] if mark else "", f"{sha256[:8]}.html") if part)


def _safe(text: str) -> str:
    return re.sub(r"[^\w-]+", "-", text).strip("-")


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fpipe.report", "templates"),
        autoescape=True,  # file names and subjects may hold anything
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("search.html")


def _gaps(scores: list[float]) -> list[str]:
    """Each score's lead over the next; the last has none."""
    return [f"{a - b:.2f}" for a, b in pairwise(scores)] + ["" for _ in scores[-1:]]


def _chart(
    search: Search,
    candidate: Candidate,
    latent: str,
    pictures: Pictures,
    originals: Callable[[Candidate], GrayImage | None],
) -> Chart:
    picture, missing = _picture(candidate, originals)
    latent_figure, print_figure = side_by_side(
        (latent, search.template), (pictures.add(picture), candidate.template), candidate.pairs, search.examiner
    )
    return Chart(
        candidate=candidate,
        latent=latent_figure,
        print=print_figure,
        pairs=tuple(
            Pair(
                number,
                _cells(search.template, int(a)),
                _cells(candidate.template, int(b)),
                examiner=bool(search.examiner[a]) if a < len(search.examiner) else False,
                doubtful=bool(doubtful),
            )
            for number, ((a, b), doubtful) in enumerate(zip(candidate.pairs, candidate.doubtful, strict=True), 1)
        ),
        turn=_turn(candidate.rotation),
        missing=missing,
    )


def _picture(candidate: Candidate, originals: Callable[[Candidate], GrayImage | None]) -> tuple[GrayImage, str]:
    """A candidate's picture, or blank paper and the reason."""
    template = candidate.template
    try:
        picture = originals(candidate)
    except FpipeError as error:
        return blank(template), f"The original could not be read: {error.message}."
    if picture is None:
        return blank(template), "The original is not in the gallery: it was not kept, or its file is gone."
    if picture.shape != (template.height, template.width):
        size = f"{picture.shape[1]} x {picture.shape[0]} px, the template's {template.width} x {template.height} px"
        return blank(template), f"The original does not fit the template: at 500 ppi it has {size}."
    return picture, ""


def _cells(template: Template, row: int) -> tuple[str, str, str, str]:
    m = template.every
    angle = _degrees(float(m.direction[row]))
    return f"{m.x[row]:.0f}", f"{m.y[row]:.0f}", angle, KIND_LETTERS[int(m.kind[row])]


def _degrees(angle: float) -> str:
    """Rad -> whole degrees, 0..359."""
    return str(round(math.degrees(angle)) % 360)


def _turn(angle: float) -> str:
    """Rad counter-clockwise -> words, the shorter way round."""
    degrees = (round(math.degrees(angle)) + 180) % 360 - 180
    return f"{abs(degrees)}° {'clockwise' if degrees < 0 else 'counter-clockwise'}"
