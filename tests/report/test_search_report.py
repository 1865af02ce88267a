"""The report says everything the search says, to anyone, wherever it is opened."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fpipe.core.errors import DiskFull, IntegrityError
from fpipe.core.types import GrayImage, Minutiae, Picture, Template
from fpipe.index import PrintRecord
from fpipe.report import write_search_report
from fpipe.report.drawing import to_gray
from fpipe.report.search import report_name
from fpipe.service.search import Candidate, Search
from fpipe.synth import samples

DATE = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
SHA = "0123456789abcdef" * 4


def sample(name: str) -> GrayImage:
    with Image.open(samples.folder() / name) as image:
        return np.asarray(image)


def template(seed: int, count: int, width: int, height: int) -> Template:
    rng = np.random.default_rng(seed)
    minutiae = Minutiae(
        rng.uniform(60, width - 60, count).astype(np.float32),
        rng.uniform(60, height - 60, count).astype(np.float32),
        rng.uniform(0, 6.28, count).astype(np.float32),
        rng.integers(0, 3, count).astype(np.uint8),
        np.full(count, 60, np.uint8),
    )
    mask = np.zeros((-(-height // 12), -(-width // 12)), np.bool_)
    mask[4:-4, 4:-4] = True
    return Template(minutiae, width, height, mask)


def candidate(rank: int, score: float, pairs: int, **facts: Any) -> Candidate:
    record = PrintRecord(
        id=rank,
        print=facts.get("print", f"archive/{rank}.png"),
        sha256=f"{rank:064x}",
        subject=facts.get("subject", f"S-{rank}"),
        finger=facts.get("finger", "left index"),
        kind="plain",
        ppi=500.0,
        ppi_origin="file",
        format="png",
        width=360,
        height=420,
        preset="plain",
        extraction_digest="e" * 16,
        minutiae=30,
        vectors=30,
        added="2026-01-01T00:00:00Z",
        path=None,
    )
    rows = np.column_stack([np.arange(pairs), np.arange(pairs)[::-1] + 2]).astype(np.int32).reshape(-1, 2)
    return Candidate(rank, record, score, rows, np.zeros(pairs, np.bool_), -0.2, template(rank, 30, 360, 420))


def search(**facts: Any) -> Search:
    pixels = sample("latent-1.png")
    height, width = pixels.shape
    values: dict[str, Any] = {
        "latent": "marks/latent-1.png",
        "sha256": SHA,
        "ppi": 500.0,
        "ppi_origin": "file",
        "preset": "latent",
        "extraction_digest": "aaaabbbbccccdddd",
        "comparison_digest": "1111222233334444",
        "score_digest": "5555666677778888",
        "seconds": {"read": 0.1, "extract": 0.2, "search": 0.3},
        "prints_searched": 5309,
        "prints_compared": 207,
        "candidates": (candidate(1, 31.25, 12), candidate(2, 7.5, 5), candidate(3, 7.5, 0)),
        "picture": Picture(pixels, 500.0, "file", "png", 8, SHA),
        "image": pixels,
        "enhanced": (1 - pixels / 127.5).astype(np.float32),  # of these pixels: ridges positive
        "template": template(99, 23, width, height),
        "versions": {"fpipe": "9.8.7", "numpy": "2.3.4"},
        "notices": ("two methods were mixed",),
    }
    return Search(**{**values, **facts})


def print_picture(_: Candidate) -> GrayImage | None:
    return sample("p1-right-index.png")


def written(
    found: Search, folder: Path, originals: Callable[[Candidate], GrayImage | None] = print_picture, **options: Any
) -> str:
    path = write_search_report(found, folder, gallery="/g/city", date=DATE, originals=originals, **options)
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """What a browser would take from the file: tags balanced, visible text, attributes that fetch."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.pieces: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href", "data", "action"}]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.pieces.append(data)


def test_every_fact_of_the_search_is_in_the_report(tmp_path: Path) -> None:
    found = search()
    text = Reader(written(found, tmp_path)).text
    for fact in (
        found.latent, found.sha256, found.preset, found.extraction_digest, found.comparison_digest, found.score_digest,
        "5309", "207", "23",
        "/g/city", "2026-03-01 12:30:05 UTC", "fpipe 9.8.7", "numpy 2.3.4", "two methods were mixed",
        "500 ppi, stated in the file", "360 × 420 px",
        "A candidate is not an identification",
    ):  # fmt: skip
        assert fact in text, fact


def test_the_table_holds_every_candidate(tmp_path: Path) -> None:
    html = written(search(), tmp_path, top=1)
    body = re.search(r"<tbody>(.*?)</tbody>", html, re.S)
    assert body is not None
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", body[1])]
    plain = [[re.sub("<[^>]+>", "", cell) for cell in row] for row in rows]
    assert plain == [
        ["1", "archive/1.png", "S-1", "left index", "plain", "31.25", "23.75", "12"],
        ["2", "archive/2.png", "S-2", "left index", "plain", "7.50", "0.00", "5"],
        ["3", "archive/3.png", "S-3", "left index", "plain", "7.50", "–", "0"],
    ]
    assert html.count('class="chart"') == 1


def test_paired_minutiae_carry_one_number_on_both_prints(tmp_path: Path) -> None:
    html = written(search(candidates=(candidate(1, 31.25, 12),)), tmp_path)
    latent, other = re.findall(r"<svg viewBox.*?</svg>", html.split('class="chart"')[1], re.S)[:2]
    for drawing in (latent, other):
        numbers = [int(n) for n in re.findall(r'<text class="label" transform[^>]*>(\d+)<', drawing)]
        assert sorted(numbers) == list(range(1, 13))
    assert latent.count('class="unpaired"') == 23 - 12 and other.count('class="unpaired"') == 30 - 12
    view = re.findall(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', latent + other)
    assert view[0] == view[1]  # the same scale


def test_marks_stand_where_the_minutiae_are(tmp_path: Path) -> None:
    found = search(candidates=(candidate(1, 31.25, 3),))
    html = written(found, tmp_path)
    chart = re.findall(r"<svg viewBox.*?</svg>", html.split('class="chart"')[1], re.S)[1]
    places = re.findall(r'<g class="" transform="translate\(([\d.]+) ([\d.]+)\)', chart)
    m = found.candidates[0].template.minutiae
    rows = found.candidates[0].pairs[:, 1]
    expected = sorted((round(float(m.x[row]), 1), round(float(m.y[row]), 1)) for row in rows)
    assert sorted((float(x), float(y)) for x, y in places) == pytest.approx(np.array(expected), abs=0.051)


def test_pairs_on_weak_minutiae_are_shown_as_doubted(tmp_path: Path) -> None:
    """Numbered like the others, marked in the table, counted; weak minutiae without a partner are not drawn."""
    found = search(candidates=(candidate(1, 31.25, 12),))
    latent = replace(found.template, weak=template(5, 4, found.template.width, found.template.height).minutiae)
    pairs = found.candidates[0].pairs.copy()
    pairs[:2, 0] = (23, 25)  # the first and the third weak one
    doubted = replace(found.candidates[0], pairs=pairs, doubtful=np.arange(12) < 2)
    html = written(replace(found, template=latent, candidates=(doubted,)), tmp_path)
    chart = re.findall(r"<svg viewBox.*?</svg>", html.split('class="chart"')[1], re.S)[0]
    numbers = [int(n) for n in re.findall(r'<text class="label" transform[^>]*>(\d+)<', chart)]
    assert sorted(numbers) == list(range(1, 13))
    assert chart.count('class="unpaired"') == 23 - 10
    assert len(re.findall(r"<td><b>[12]</b>\?</td>", html)) == html.count("</b>?</td>") == 2
    text = Reader(html).text
    assert "31.25; 10 of the latent's 23 with the print's 30, and 2 more on minutiae that the program doubts" in text
    assert "doubts" not in Reader(written(search(), tmp_path)).text


def test_an_examiners_minutiae_are_told_apart(tmp_path: Path) -> None:
    """On the latent alone, in the table of pairs, in the counts; and a report without any says nothing of them."""
    examiner = np.arange(23) < 4
    html = written(search(examiner=examiner, use="both", candidates=(candidate(1, 31.25, 12),)), tmp_path)
    text = Reader(html).text
    assert "23: 4 marked by an examiner, as the file says, and 19 read by the program" in text
    assert "no person has changed them" not in text
    assert "4 of the pairs rest on minutiae that an examiner marked" in text
    drawings = re.findall(r"<svg viewBox.*?</svg>", html, re.S)
    assert [drawing.count(' examiner"') for drawing in drawings if "<use" in drawing] == [0, 0, 4, 4, 0]
    assert len(re.findall(r"<td><b>\d+</b>\*</td>", html)) == 4
    plain = written(search(), tmp_path)
    assert "no person has changed them" in plain
    assert "marked by an examiner" not in plain
    imported = written(search(use="template"), tmp_path)
    assert "as the template file holds them" in imported
    assert "no person" not in imported


def test_pictures_are_inside_the_file_and_lossless(tmp_path: Path) -> None:
    html = written(search(), tmp_path)
    inside = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    ]
    assert any(np.array_equal(picture, sample("latent-1.png")) for picture in inside)
    assert any(np.array_equal(picture, sample("p1-right-index.png")) for picture in inside)
    assert len(inside) == 2  # the latent, which here is its own enhancement, and the print: each kept once


def test_the_enhanced_picture_has_dark_ridges() -> None:
    enhanced = np.array([[-1, 0, 1], [np.nan, 3, -3]], np.float32)
    assert to_gray(enhanced).tolist() == [[255, 128, 0], [128, 0, 255]]


def test_nothing_is_fetched_and_nothing_runs(tmp_path: Path) -> None:
    html = written(search(), tmp_path)
    page = Reader(html)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    anchors = {link[1:] for link in page.links if link.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]+)"', html))
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert "url(" not in html and "@import" not in html and "http://" not in html and "https://" not in html
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    "name", ['<script>alert("1")</script>.png', "a&b' onload=\"x.png", "بصمة ١٢.png", "\u202egnp.exe", "{{ 7*7 }}.png"]
)
def test_names_are_only_names(tmp_path: Path, name: str) -> None:
    plain = Reader(written(search(), tmp_path / "plain"))
    strange = candidate(1, 2.0, 3, print=name, subject=name, finger=name)
    html = written(search(latent=name, candidates=(strange,), notices=(name,)), tmp_path / "strange")
    page = Reader(html)
    assert set(page.tags) <= set(plain.tags)
    assert name in page.text
    for place in re.finditer(re.escape(name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")), html):
        before = html[: place.start()]
        assert before.rfind("<bdi>") > before.rfind("</bdi>") or before.endswith("<title>Search of ")


@pytest.mark.parametrize(
    ("original", "reason"),
    [
        (lambda _: None, "not in the gallery"),
        (lambda _: np.zeros((10, 20), np.uint8), "does not fit the template: at 500 ppi it has 20 x 10 px"),
    ],
)
def test_a_missing_original_is_said_in_its_place(
    tmp_path: Path, original: Callable[[Candidate], GrayImage | None], reason: str
) -> None:
    html = written(search(), tmp_path, original)
    text = Reader(html).text
    assert text.count(reason) == 3 and text.count("No picture.") == 3
    assert html.count('class="unpaired"') > 0  # the minutiae are drawn all the same


def test_a_damaged_original_is_said_in_its_place(tmp_path: Path) -> None:
    def damaged(_: Candidate) -> GrayImage | None:
        raise IntegrityError(where="originals/ab", reason="the sha256 differs")

    assert "could not be read: originals/ab: the sha256 differs" in Reader(written(search(), tmp_path, damaged)).text


def test_no_candidates_no_minutiae_no_enhanced_picture(tmp_path: Path) -> None:
    empty = replace(template(1, 5, 360, 420), minutiae=Minutiae.empty(), mask=None)
    text = Reader(written(search(candidates=(), enhanced=None, template=empty), tmp_path)).text
    assert "No candidate." in text and "The enhanced picture was not kept" in text
    nan = np.full((420, 360), np.nan, np.float32)
    assert "Enhanced" in Reader(written(search(candidates=(), enhanced=nan, template=empty), tmp_path)).text


def test_the_same_search_gives_the_same_bytes(tmp_path: Path) -> None:
    assert written(search(), tmp_path / "a") == written(search(), tmp_path / "b")


def test_date_needs_a_zone_and_is_given_in_utc(tmp_path: Path) -> None:
    local = DATE.astimezone(timezone(timedelta(hours=3)))
    path = write_search_report(search(), tmp_path, gallery="g", date=local, originals=print_picture)
    assert "2026-03-01 12:30:05 UTC" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="time zone"):
        write_search_report(search(), tmp_path, gallery="g", date=DATE.replace(tzinfo=None), originals=print_picture)


def test_latents_of_one_name_do_not_meet_and_a_report_is_replaced(tmp_path: Path) -> None:
    for sha256 in (SHA, SHA[::-1], SHA):
        written(search(sha256=sha256), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latent-1-01234567.html", "latent-1-fedcba98.html"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskFull):
        written(search(), tmp_path / "file" / "reports")


@given(st.text(min_size=0, max_size=300))
def test_report_names_are_safe_everywhere(name: str) -> None:
    safe = report_name(name, SHA)
    assert re.fullmatch(r"[\w-]+-01234567\.html", safe)
    assert len(safe.encode()) < 230


@pytest.mark.parametrize(
    ("latent", "expected"),
    [
        ("C:\\marks\\scene 4.tif", "scene-4-01234567.html"),
        ("CON.png", "CON-01234567.html"),
        ("../../etc/passwd", "passwd-01234567.html"),
        ("....", "latent-01234567.html"),
        ("بصمة.png", "بصمة-01234567.html"),
        ("cards/a.an2#7", "a-7-01234567.html"),
        ("a.an2#idc=3", "a-idc-3-01234567.html"),
        ("#7", "latent-7-01234567.html"),
    ],
)
def test_report_names(latent: str, expected: str) -> None:
    assert report_name(latent, SHA) == expected
