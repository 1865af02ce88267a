"""Processes beside one that adds, removes and rebuilds: every state they see is one that a transaction left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from gallery_maker import WIDTH, filled, new_print

from fpipe.core.errors import GalleryChanged
from fpipe.index import Gallery, segments

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 12

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gallery_maker import new_print, vectors_of
from fpipe.core.errors import Locked
from fpipe.index import Gallery, segments
segments.FOLD_ROWS = 150
more = [new_print(number) for number in range(50, 55)]
with Gallery.open(Path(sys.argv[2]), write=True) as gallery:
    print("begun", flush=True)
    for _ in range(int(sys.argv[3])):
        gallery.add(more)
        gallery.rebuild(vectors_of)
        try:
            gallery.remove([p.print for p in more])
        except Locked:
            pass  # removed; a reader keeps the overwriting waiting
"""


def test_readers_see_whole_states(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(segments, "FOLD_ROWS", 150)
    path = tmp_path / "g"
    base = filled(path, 15)
    more = [new_print(number) for number in range(50, 55)]
    query = base[3].vectors.bits[:2]
    states = {tuple(p.print for p in prints) for prints in (base, [*base, *more])}
    command = [sys.executable, "-c", WRITER, str(ROOT / "tests"), str(path), str(ROUNDS)]
    seen: set[tuple[str, ...]] = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        with Gallery.open(path) as gallery:
            while writer.poll() is None:
                seen.add(tuple(record.print for record in gallery.records()))
                hits = gallery.search(query, 3)
                assert (hits.print_id[:, 0] == 4).all()
                assert (hits.similarity[:, 0] == 1).all()
                ids = gallery.print_ids()
                try:
                    stored = gallery.stored(ids)
                except GalleryChanged:
                    continue
                templates = {p.print: p.template for p in (*base, *more)}
                assert all(one.template == templates[one.record.print] for one in stored)
        assert writer.returncode == 0, writer.stderr.read() if writer.stderr else ""
    assert seen <= states
    with Gallery.open(path, write=True) as gallery:
        assert gallery.check() == []
        assert gallery.leftovers() == []
        empty = gallery.search(np.zeros((1, WIDTH), np.uint8), 1)
        assert empty.print_id.shape == (1, 1)
