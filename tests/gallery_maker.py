"""Galleries of random bytes and vectors: the store and the index know no algorithm, so their tests need none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fpipe.core.files import sha256_hex
from fpipe.index import Gallery, NewPrint, Reextraction, Vectors
from fpipe.index.records import Kind

WIDTH = 6
"""Bytes a descriptor: few, so that similarities tie often."""


def vectors_of(template: bytes, where: str = "") -> Vectors:
    """Stands for an algorithm: vectors that depend on the template's bytes alone."""
    rng = np.random.default_rng(list(template[:16]))
    rows = int(rng.integers(0, 60))
    places = rng.random((3, rows)).astype(np.float32)
    return Vectors(rng.integers(0, 256, (rows, WIDTH), dtype=np.uint8), *places)


def new_print(number: int, *, kind: Kind = "plain", digest: str = "0123456789abcdef") -> NewPrint:
    """A print of its own for every number."""
    rng = np.random.default_rng(number)
    template, original = rng.bytes(int(rng.integers(60, 2500))), rng.bytes(int(rng.integers(100, 600)))
    name = f"cards/{rng.bytes(9).hex()}-{number}.png"
    vectors = vectors_of(template)
    return NewPrint(
        print=name,
        sha256=sha256_hex(original),
        subject=f"subject {rng.bytes(6).hex()}",
        finger="right_index",
        kind=kind,
        ppi=500,
        ppi_origin="file",
        format="PNG",
        width=388,
        height=374,
        preset="plain",
        extraction_digest=digest,
        minutiae=len(vectors) + 3,
        path=f"/somewhere/{name}",
        template=template,
        vectors=vectors,
        original=original,
        fields={"case": f"case {rng.bytes(6).hex()}"},
    )


def create(path: Path, *, keep_originals: bool = True) -> Gallery:
    """An empty gallery for such prints."""
    return Gallery.create(
        path, comparison_digest="fedcba9876543210", descriptor_bytes=WIDTH, keep_originals=keep_originals
    )


def filled(path: Path, count: int, *, batch: int = 7, keep_originals: bool = True) -> list[NewPrint]:
    """A closed gallery of prints 0 .. count - 1."""
    prints = [new_print(number) for number in range(count)]
    with create(path, keep_originals=keep_originals) as gallery:
        for start in range(0, count, batch):
            gallery.add(prints[start : start + batch])
    return prints


def again(before: NewPrint, *, method: str) -> NewPrint:
    """A print as another method reads it: another template and other vectors, all else as it was."""
    rng = np.random.default_rng(list(f"{method} {before.print}".encode()))
    template = rng.bytes(int(rng.integers(60, 2500)))
    vectors = vectors_of(template)
    facts = {"preset": f"preset-{method}", "extraction_digest": sha256_hex(method.encode())[:16]}
    return replace(before, template=template, vectors=vectors, minutiae=len(vectors) + 900, **facts)


def reextraction(number: int, new: NewPrint) -> Reextraction:
    """What a gallery is given of it; number : the print's id."""
    return Reextraction(number, new.preset, new.extraction_digest, new.minutiae, new.template, new.vectors)


def files_of(path: Path) -> dict[str, bytes]:
    """Every file of a gallery."""
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def traces(path: Path, gone: NewPrint) -> list[str]:
    """Where something of a print is found: its template, hashes, name, subject, original or vectors."""
    step = 24
    needles = {
        "name": gone.print.encode(),
        "image hash, hex": gone.sha256.encode(),
        "image hash, raw": bytes.fromhex(gone.sha256),
        "template hash, hex": sha256_hex(gone.template).encode(),
        **{f"template at {i}": gone.template[i : i + step] for i in range(0, len(gone.template) - step, step)},
        **{f"original at {i}": gone.original[i : i + step] for i in range(0, len(gone.original) - step, step)},
        **{f"vectors at {i}": gone.vectors.bits[i : i + 2].tobytes() for i in range(0, len(gone.vectors) - 1, 2)},
    }
    if gone.subject is not None:
        needles["subject"] = gone.subject.encode()
    needles.update({f"field {name}": value.encode() for name, value in gone.fields.items()})
    found = []
    for name, data in files_of(path).items():
        if gone.sha256 in name:
            found.append(f"{name}: its name")
        found += [f"{name}: {what}" for what, needle in needles.items() if needle in data]
    return found


def assert_holds(path: Path, prints: list[NewPrint]) -> None:
    """Everything about these prints, and no others, is found as it was given."""
    with Gallery.open(path) as gallery:
        assert gallery.check() == []
        assert gallery.leftovers() == []
        records = gallery.records()
        assert [record.print for record in records] == [p.print for p in prints]
        ids = gallery.print_ids()
        assert ids.tolist() == [record.id for record in records]
        assert gallery.templates(ids) == [p.template for p in prints]
        queries = np.random.default_rng(0).integers(0, 256, (20, WIDTH), dtype=np.uint8)
        hits = gallery.search(queries, 12)
        counts = [len(p.vectors) for p in prints]
        bits = np.concatenate([np.zeros((0, WIDTH), np.uint8), *(p.vectors.bits for p in prints)])
        owner = np.repeat(ids, counts)
        differ = np.unpackbits(queries[:, None] ^ bits[None], axis=2).sum(2)
        weights = [np.sqrt(np.unpackbits(b, axis=1).sum(1)) for b in (queries, bits)]
        unlike = np.sqrt(differ) / (weights[0][:, None] + weights[1][None])
        order = np.argsort(unlike.round(9), axis=1, kind="stable")[:, :12]
        assert (hits.print_id[:, : order.shape[1]] == owner[order]).all()
        for record, given in zip(records, prints, strict=True):
            names = (
                "sha256",
                "part",
                "subject",
                "finger",
                "kind",
                "ppi",
                "format",
                "width",
                "minutiae",
                "preset",
                "fields",
            )
            for name in (*names, "part", "fields"):
                assert getattr(record, name) == getattr(given, name)
            assert record.extraction_digest == given.extraction_digest
            assert record.vectors == len(given.vectors)
            if gallery.keep_originals:
                assert gallery.original(record) == given.original
