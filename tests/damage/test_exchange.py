"""Damaged exchange files: an error of one line, or the right picture; never a crash, a hang or half a picture."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED, a_print, fixed, header, tagged, whorl
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core.errors import InputRefused
from fpipe.formats import read_picture
from fpipe.formats.exchange.building import Print, efs_of, latent, tenprint
from fpipe.formats.exchange.records import parse
from fpipe.service.inspect import describe_exchange

SECONDS = 2.0
INPUTS = int(os.environ.get("FPIPE_DAMAGED_INPUTS", "600"))
"""Per kind of damage; 10000 before a release."""
COLUMN = np.array([5.0, 30.0, 60.0])
EFS = efs_of(COLUMN, COLUMN, COLUMN / 20, np.array([1, 2, 0], np.uint8), width=32, height=40, ppi=500, finger=2)
SMALL = Print(whorl(40, 32), 500, 2, 4, EFS, "NONE")
LATENT = latent(ENVELOPE, NAMED, SMALL, "SRC").to_bytes()
CARD = tenprint(
    ENVELOPE, NAMED, [Print(whorl(40, 32), 500, f, 1, None, c) for f, c in ((1, "PNG"), (2, "NONE"))], "S"
).to_bytes()
M1 = [(128, b"32"), (129, b"40"), (136, b"1"), (137, b"1\x1f2\x1f3\x1f4\x1f1\x1f60")]
OLD = (
    header(b"1 3,2 0,4 1,9 1", transmitted=b"19.69")
    + tagged(2, [(2, b"00"), (18, b"NOBODY")])
    + fixed(whorl(40, 32).tobytes(), 32, 40)
    + tagged(9, [(2, b"01"), (3, b"1"), (4, b"S"), (6, b"02"), (12, b"001\x1f01000100090\x1f02\x1fA"), *M1])
)
FILES = {"latent": LATENT, "card": CARD, "old": OLD}


def survives(data: bytes) -> bool:
    """Whether it is read; otherwise it was refused properly.  Pictures must have the size they are described with."""
    start = time.perf_counter()
    try:
        document = describe_exchange(data, "x")
    except InputRefused as error:
        assert "\n" not in error.message
        return False
    finally:
        assert time.perf_counter() - start < SECONDS * 10, "slow on a damaged file"
    for image in document["images"]:
        assert image["width"] * image["height"] <= 1 << 24
    for failure in document["failed"]:
        assert failure["message"]
        assert "\n" not in failure["message"]
    assert parse(data, "x").to_bytes() == data
    return True


@pytest.mark.parametrize("name", FILES)
def test_the_whole_files_are_read(name: str) -> None:
    document = describe_exchange(FILES[name], "x")
    assert not document["failed"]
    assert not document["notices"]
    assert document["images"]


@pytest.mark.parametrize("name", FILES)
def test_cut_at_every_length(name: str) -> None:
    data = FILES[name]
    for length in range(len(data)):
        with pytest.raises(InputRefused):
            parse(data[:length], "x")
    for length in range(0, len(data), 101):
        with pytest.raises(InputRefused):
            read_picture(data[:length])


def flipped(data: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Bits anywhere, half of them where the text is: pictures are most of a file and the least of its structure."""
    text = [i for i, byte in enumerate(data) if byte in b"0123456789.:\x1c\x1d\x1e\x1f"][:400]
    for number in range(count):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.choice(text)) if number % 2 else int(rng.integers(len(broken)))
            broken[at] ^= 1 << int(rng.integers(8))
        yield bytes(broken)


def lied(data: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Numbers in the text replaced by others: lengths, counts, sizes, positions."""
    import re

    places = [m.span() for m in re.finditer(rb"(?<=[:\x1f\x1e])\d{1,11}(?=[\x1c-\x1f])", data)]
    lies = [b"0", b"1", b"-1", b"99999999999", b"65536", b"", b"x", b"1e9", b"00000000001", b"2", b"255", b"16800"]
    for _ in range(count):
        start, end = places[int(rng.integers(len(places)))]
        lie = lies[int(rng.integers(len(lies)))]
        yield data[:start] + lie + data[end:]


def swapped(data: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Fields moved, doubled, dropped or given to one another, lengths left as they were or put right."""
    file = parse(data, "x")
    for _ in range(count):
        records = [r.data for r in file.records]
        which = int(rng.integers(len(records)))
        record = file.records[which]
        parts = (
            record.data[:-1].split(b"\x1d") if record.type != 4 else [record.data[i : i + 6] for i in range(0, 60, 6)]
        )
        a, b = rng.integers(len(parts), size=2)
        kind = int(rng.integers(4))
        if kind == 0:
            parts[a], parts[b] = parts[b], parts[a]
        elif kind == 1:
            parts.insert(a, parts[b])
        elif kind == 2:
            del parts[a]
        else:
            parts[a] = parts[a].partition(b":")[0] + b":" + parts[b].partition(b":")[2]
        joined = b"\x1d".join(parts) + b"\x1c"
        if rng.integers(2):
            joined = joined.replace(
                b"%d.001:%d" % (record.type, len(record.data)), b"%d.001:%d" % (record.type, len(joined))
            )
        records[which] = joined
        if rng.integers(3) == 0:
            rng.shuffle(records)
        yield b"".join(records)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [flipped, lied, swapped])
def test_damage_of_every_kind(name: str, damage: object) -> None:
    rng = np.random.default_rng(len(name))
    outcomes = [survives(data) for data in damage(FILES[name], rng, INPUTS // 3)]  # type: ignore[operator]
    assert not all(outcomes)


@given(st.sampled_from([b"1.001:", b"1.01:", b"1.001:30\x1d1.003:1\x1f1\x1e4\x1f1\x1c"]), st.binary(max_size=200))
def test_any_bytes_after_a_beginning(begin: bytes, rest: bytes) -> None:
    survives(begin + rest)


@pytest.mark.parametrize("digits", ["\u00b3", "\u0663", "9" * 5000])
def test_what_only_looks_like_a_number(digits: str) -> None:
    text = digits.encode()
    data = header(b"1 1,14 1", (15, text)) + tagged(14, [(2, text), (6, text), (7, b"4"), (13, text), (999, b"")])
    assert survives(data)


def test_a_picture_that_is_wrong_does_not_take_the_others_with_it() -> None:
    card = tenprint(ENVELOPE, NAMED, [a_print(1), a_print(2, compression="NONE"), a_print(3)], "SRC").to_bytes()
    at = card.index(b"IDAT") + 20
    broken = card[:at] + bytes([card[at] ^ 1]) + card[at + 1 :]
    document = describe_exchange(broken, "card.an2")
    assert [image["finger"] for image in document["images"]] == [2, 3]
    assert [(f["record"], f["idc"], f["reason"]) for f in document["failed"]] == [(14, 1, "damaged")]
    assert "checksum" in document["failed"][0]["message"]


@pytest.mark.real
def test_exchange_files_that_broke_other_tools(cases: Path) -> None:
    """Pictures, records and text of the cases; the folder's own check.py compares templates as well."""
    seen = 0
    for case in json.loads((cases / "cases.json").read_text(encoding="utf-8")):
        for file in case["files"] if case["kind"] == "ANSI/NIST" else ():
            expected = file["expected"].get("accept_any_of", [file["expected"]])[0]
            data = (cases / file["file"]).read_bytes()
            seen += 1
            if expected.get("error"):
                with pytest.raises(InputRefused):
                    describe_exchange(data, "x")
                continue
            document = describe_exchange(data, "x")
            assert parse(data, "x").to_bytes() == data
            assert len(document["images"]) == len(expected["images"])
            for ours, theirs in zip(document["images"], expected["images"], strict=True):
                for key in ("record", "idc", "finger", "compression", "width", "height", "pixels_sha256"):
                    assert ours[key] == theirs[key]
                assert abs(ours["ppi"] - theirs["ppi"]) <= theirs["ppi_tolerance"]
            types = [record["type"] for record in document["records"]]
            assert types == expected.get("records", types)
            text = json.dumps(document["records"], ensure_ascii=False)
            assert all(value in text for value in expected.get("text", {}).values())
            assert [(f["record"], f["idc"]) for f in document["failed"]] == [
                (f["record"], f["idc"]) for f in expected.get("failed", ())
            ]
    assert seen >= 7
