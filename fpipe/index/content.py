"""What a gallery holds, in numbers, and in one: the same for the same content, however it came there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from fpipe.core.errors import IntegrityError
from fpipe.index.subjects import Subjects
from fpipe.store.database import Database

_SAID = ("subject", "finger", "kind", "sha256", "part", "ppi", "extraction_digest", "fields")


def counts(database: Database) -> dict[str, Any]:
    """Prints, files they are of, prints without a subject, and prints of each kind."""
    sql = "SELECT count(*), count(DISTINCT sha256), coalesce(sum(subject IS NULL), 0) FROM records WHERE print NOT NULL"
    prints, files, nameless = database.one(sql)
    kinds = database.rows("SELECT kind, count(*) FROM prints WHERE print NOT NULL GROUP BY 1 ORDER BY 1")
    return {"prints": prints, "files": files, "without_subject": nameless, "kinds": dict(kinds)}


def content_digest(database: Database) -> str:
    """Hex sha256 of the sorted hashes of what each record says and of the links between subjects.

    Ids, names, times, places and the order of additions are not in it.
    """
    with database.snapshot():
        lines = sorted(hashlib.sha256(line.encode()).digest() for line in _lines(database))
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _lines(database: Database) -> Iterator[str]:
    rows = database.each(f"SELECT {', '.join(_SAID)}, template FROM records WHERE print NOT NULL")
    for *said, template in rows:
        if not isinstance(template, bytes):
            raise IntegrityError(where=str(database.path), reason="a template is not bytes")
        yield _text([*said, hashlib.sha256(template).hexdigest()])
    for pair in Subjects(database).links():
        yield _text(["linked", *pair])


def _text(values: list[object]) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
