"""Search: what is stored and damaged is an integrity error, and the index path compares with what it puts forward."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from fpipe.core.errors import IntegrityError
from fpipe.service.enroll import create_gallery, enroll
from fpipe.service.search import open_searcher, search_file
from fpipe.synth import samples


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six sample prints."""
    path = tmp_path_factory.mktemp("search") / "g"
    create_gallery(path)
    files = [item["file"] for item in samples.manifest()["files"] if item["kind"] == "plain"][:6]
    assert all(o.status == "added" for o in enroll(path, [samples.folder() / name for name in files]))
    return path


def latent() -> Path:
    return samples.folder() / next(
        i["file"] for i in samples.manifest()["files"] if i["kind"] == "latent" and i["mate"]
    )


def test_the_index_puts_the_mate_among_the_compared(gallery: Path) -> None:
    with open_searcher(gallery) as searcher:
        every = search_file(searcher, latent(), compared=None)
        some = search_file(searcher, latent(), compared=3)
    assert (every.prints_compared, some.prints_compared, some.prints_searched) == (6, 3, 6)
    assert some.candidates[0].record.id == every.candidates[0].record.id
    scores = {c.record.id: c.score for c in every.candidates}
    assert all(scores[c.record.id] == c.score for c in some.candidates)


def test_a_damaged_stored_template_is_an_integrity_error(gallery: Path) -> None:
    database = sqlite3.connect(gallery / "gallery.db")
    (data,) = database.execute("SELECT template FROM templates WHERE id = 2").fetchone()
    database.execute("UPDATE templates SET template = ? WHERE id = 2", (data[:-1] + bytes([data[-1] ^ 1]),))
    database.commit()
    database.close()
    with open_searcher(gallery) as searcher, pytest.raises(IntegrityError, match="print 2"):
        search_file(searcher, latent(), compared=None)
