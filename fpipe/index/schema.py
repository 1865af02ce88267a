"""The tables of ``gallery.db``.

Rows of ``prints``, ``templates``, ``reextractions``, ``amendments``, ``links`` and ``log`` are only ever appended, and
emptied in place, never deleted and never made longer: so SQLite never moves a row between pages, which could leave a
copy of it behind in unused space in spite of ``secure_delete``.  That is why a re-extraction or an amendment appends a
row and empties the one of its kind that it replaces.  What an amendment replaces in ``prints`` stays there until the
removal: emptying a short row of an upgraded gallery could make it longer, by the columns it was written without.
The two indexes of names and hashes, whose entries do move, are dropped and made anew by a removal; ``waiting`` is
cleared as a whole by it.
"""

from __future__ import annotations

from fpipe.store import log

APPLICATION = 0x6650_4731
"""Marks a database file as a gallery ("fPG1")."""

INDEXES = {
    "prints_by_name": "CREATE UNIQUE INDEX prints_by_name ON prints (print)",
    "prints_by_sha256": "CREATE UNIQUE INDEX prints_by_sha256 ON prints (sha256, coalesce(part, ''))",
}

VERSIONS = (
    f"""
    CREATE TABLE gallery (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        comparison_digest TEXT NOT NULL,
        descriptor_bytes INTEGER NOT NULL,
        keep_originals INTEGER NOT NULL,
        generation INTEGER NOT NULL,    -- of the newest segment ever written
        unscrubbed INTEGER NOT NULL     -- a removal is committed whose traces may still be in the write-ahead log
    );
    CREATE TABLE prints (
        id INTEGER PRIMARY KEY,
        print TEXT,                     -- NULL, like all that follows, once it is removed
        sha256 TEXT,
        subject TEXT,
        finger TEXT,
        kind TEXT,
        ppi REAL,
        ppi_origin TEXT,
        format TEXT,
        width INTEGER,
        height INTEGER,
        preset TEXT,                    -- NULL, like the next three and the template, once it was re-extracted
        extraction_digest TEXT,
        minutiae INTEGER,
        vectors INTEGER,
        added TEXT,
        path TEXT,
        entry INTEGER                   -- of the log, that says it was added
    );
    {INDEXES["prints_by_name"]};
    CREATE UNIQUE INDEX prints_by_sha256 ON prints (sha256);
    CREATE TABLE templates (id INTEGER PRIMARY KEY, template BLOB);
    CREATE TABLE methods (
        kind TEXT NOT NULL,
        extraction_digest TEXT NOT NULL,
        prints INTEGER NOT NULL,
        PRIMARY KEY (kind, extraction_digest)
    );
    CREATE TABLE waiting (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, vectors BLOB NOT NULL);
    CREATE TABLE segments (
        generation INTEGER PRIMARY KEY,
        rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        first_id INTEGER NOT NULL,
        last_id INTEGER NOT NULL
    );
    {log.SCHEMA}
    """,
    """
    CREATE TABLE reextractions (
        number INTEGER PRIMARY KEY,
        id INTEGER NOT NULL,            -- of the print
        preset TEXT,                    -- NULL, like the next three and the template, once a later one replaced it
        extraction_digest TEXT,
        minutiae INTEGER,
        vectors INTEGER,
        entry INTEGER,                  -- of the log, that says it was re-extracted, until the print is removed
        template BLOB                   -- last, so that the others are read without it
    );
    CREATE INDEX reextractions_by_print ON reextractions (id);
    CREATE VIEW records AS              -- every print as it is now, `edition` the log entry that says so
    SELECT
        prints.id AS id, print, sha256, subject, finger, kind, ppi, ppi_origin, format, width, height,
        coalesce(newer.preset, prints.preset) AS preset,
        coalesce(newer.extraction_digest, prints.extraction_digest) AS extraction_digest,
        coalesce(newer.minutiae, prints.minutiae) AS minutiae,
        coalesce(newer.vectors, prints.vectors) AS vectors,
        added, path,
        coalesce(newer.entry, prints.entry) AS edition,
        coalesce(newer.template, templates.template) AS template
    FROM prints
        LEFT JOIN templates ON templates.id = prints.id
        LEFT JOIN reextractions AS newer ON newer.id = prints.id AND newer.template NOT NULL;
    """,
    f"""
    ALTER TABLE prints ADD COLUMN part TEXT;    -- of the file, NULL like '' for the whole of it
    ALTER TABLE prints ADD COLUMN fields TEXT;  -- JSON, NULL like an empty object
    DROP INDEX prints_by_sha256;
    {INDEXES["prints_by_sha256"]};
    CREATE TABLE amendments (
        number INTEGER PRIMARY KEY,
        id INTEGER NOT NULL,            -- of the print
        subject TEXT,                   -- NULL, like the next two, once a later one replaced it
        finger TEXT,
        fields TEXT,                    -- JSON, never NULL while it holds
        entry INTEGER                   -- of the log, that says what was amended, until the print is removed
    );
    CREATE INDEX amendments_by_print ON amendments (id);
    CREATE TABLE links (
        number INTEGER PRIMARY KEY,
        one TEXT,                       -- subject, NULL like all that follows once one of the two has no print left
        other TEXT,
        linked INTEGER,                 -- 1 they are one person, 0 no longer: the last row of a pair holds
        entry INTEGER                   -- of the log, that says so
    );
    DROP VIEW records;
    CREATE VIEW records AS              -- every print as it is now, `edition` the log entry that says so
    SELECT
        prints.id AS id, print, sha256,
        CASE WHEN amended.number IS NULL THEN prints.subject ELSE amended.subject END AS subject,
        CASE WHEN amended.number IS NULL THEN prints.finger ELSE amended.finger END AS finger,
        kind, ppi, ppi_origin, format, width, height,
        coalesce(newer.preset, prints.preset) AS preset,
        coalesce(newer.extraction_digest, prints.extraction_digest) AS extraction_digest,
        coalesce(newer.minutiae, prints.minutiae) AS minutiae,
        coalesce(newer.vectors, prints.vectors) AS vectors,
        added, path,
        CASE WHEN print IS NOT NULL THEN coalesce(part, '') END AS part,
        CASE WHEN print IS NOT NULL THEN coalesce(amended.fields, prints.fields, '{{}}') END AS fields,
        CASE
            WHEN amended.number IS NULL THEN coalesce(newer.entry, prints.entry)
            ELSE max(amended.entry, coalesce(newer.entry, prints.entry))
        END AS edition,
        coalesce(newer.template, templates.template) AS template
    FROM prints
        LEFT JOIN templates ON templates.id = prints.id
        LEFT JOIN reextractions AS newer ON newer.id = prints.id AND newer.template NOT NULL
        LEFT JOIN amendments AS amended ON amended.id = prints.id AND amended.fields NOT NULL;
    """,
)
"""SQL from each version to the next; ``PRAGMA user_version`` is how many of them were run."""
