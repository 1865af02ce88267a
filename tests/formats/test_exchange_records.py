"""Records and fields of ANSI/NIST-ITL files: told apart, kept byte for byte, contradictions named."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_maker import ENVELOPE, NAMED, a_print, fixed, header, tagged
from hypothesis import given
from hypothesis import strategies as st

from fpipe.core.errors import Damaged, EmptyFile, InputRefused, NotAnImage, Truncated, UsageError
from fpipe.formats.exchange.building import compose, latent, tenprint, text_record
from fpipe.formats.exchange.records import ExchangeFile, is_exchange, parse

CARD = tenprint(ENVELOPE, NAMED, [a_print(finger) for finger in (1, 2, 13)], "TESTSRC").to_bytes()
FIELDS = [(2, b"01"), (3, b"0"), (13, b"2")]


def test_what_is_written_is_read() -> None:
    file = parse(CARD, "card")
    assert file.to_bytes() == CARD
    assert [(r.type, r.idc) for r in file.records] == [(1, None), (2, 0), (14, 1), (14, 2), (14, 3)]
    assert file.notices == ()
    assert file.records[1].text(18) == "اختبار بصمة"
    assert file.records[0].items(3) == [["1", "4"], ["2", "00"], ["14", "01"], ["14", "02"], ["14", "03"]]
    assert file.records[0].items(15) == [["003", "UTF-8"]]
    assert [r.integer(13) for r in file.records[2:]] == [1, 2, 13]
    assert sum(len(r.data) for r in file.records) == len(CARD)
    assert all(CARD[r.at : r.at + len(r.data)] == r.data for r in file.records)
    assert all(CARD[f.at : f.at + len(f.value)] == f.value for r in file.records for f in r.fields)


def test_an_ascii_file_declares_no_character_set() -> None:
    file = compose(ENVELOPE, [text_record(2, [(2, "00"), (18, "NOBODY")])])
    assert file.records[0].field(15) is None


def test_numbers_of_1993_and_fixed_records_and_padding() -> None:
    first = b"1.01:45\x1d1.02:0201\x1d1.03:1\x1f3\x1e4\x1f1\x1e7\x1f2\x1e8\x1f3\x1c"
    first = first.replace(b":45", b":%d" % len(first))
    fourth, seventh = fixed(bytes(6), 3, 2, scanning=1), b"\0\0\0\x09\x02free"
    eighth = (12 + 2).to_bytes(4, "big") + bytes([3, 0, 1, 1, 0, 8, 0, 2]) + b"ab"
    data = first + fourth + seventh + eighth + b"\r\n\0"
    file = parse(data, "x")
    assert file.to_bytes() == data
    assert [(r.type, r.idc) for r in file.records] == [(1, None), (4, 1), (7, 2), (8, 3)]
    four, seven, eight = file.records[1:]
    assert [four.integer(n) for n in (1, 2, 3, 5, 6, 7, 8)] == [24, 1, 3, 1, 3, 2, 0]
    assert [f.value for f in seven.fields] == [b"\0\0\0\x09", b"\x02", b"free"]
    assert [eight.integer(n) for n in range(1, 8)] == [14, 3, 0, 1, 1, 8, 2]
    assert file.notices == ("3 bytes of padding follow the last record",)


def test_files_are_recognised_by_how_they_begin() -> None:
    for begin in (b"1.001:9", b"1.01:9", b"1.1:9", b"01.001:9"):
        assert is_exchange(begin)
    for begin in (b"", b"1.002:9", b"11.001:9", b" 1.001:9", b"1.001", b"2.001:9"):
        assert not is_exchange(begin)


@pytest.mark.parametrize(
    ("code", "text", "read", "told"),
    [
        (b"003\x1fUTF-8\x1f", "مريم".encode(), "مريم", ""),
        (b"3", "مريم".encode(), "مريم", ""),
        (b"002\x1fUTF-16", "مريم".encode(), "مريم", "text is read as UTF-8"),
        (b"003\x1fUTF-8", b"caf\xe9", "caf\xe9", "is no UTF-8"),
        (b"000", b"caf\xe9", "caf\xe9", "is not ASCII"),
        (b"", b"caf\xe9", "caf\xe9", "is not ASCII"),
        (b"001", "é".encode(), "Ã©", "read as Latin-1; as UTF-8 it would be 'é'"),
        (b"129", b"caf\xe9", "caf\xe9", "which is not read"),
        (b"UTF8", b"cafe", "cafe", "expected a number"),
    ],
)
def test_character_sets_are_declared_or_noticed(code: bytes, text: bytes, read: str, told: str) -> None:
    data = header(b"1 1,2 0", *([(15, code)] if code else [])) + tagged(2, [(2, b"00"), (18, text)])
    file = parse(data, "x")
    assert file.records[1].text(18) == read
    assert file.to_bytes() == data
    assert any(told in notice for notice in file.notices) if told else not file.notices


ONE = tagged(14, FIELDS)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", EmptyFile, "empty"),
        (b"\x89PNG\r\n", NotAnImage, "1.001"),
        (header(b"1 1,14 1"), Truncated, r"announces a Type-14 record \(IDC 1\), 0 bytes are left"),
        (header(b"1 1,14 1") + ONE[:-9], Truncated, r"Type-14 record at byte \d+: \d+ bytes announced in field 14.001"),
        (header(b"1 1,14 1") + ONE + ONE, Damaged, "a Type-14 record that field 1.003 does not announce"),
        (header(b"1 1,14 1") + ONE + b"junk", Damaged, "4 bytes after the last record"),
        (header(b"1 1,13 1") + ONE, Damaged, r"a Type-13 record is announced, found b'14.001"),
        (header(b"1 2,14 1") + ONE, Damaged, "1.003 begins with 1, 2 and announces 1 records"),
        (header(b"1 1,14 x") + ONE, Damaged, "expected a record type and a number"),
        (header(b"1 1,1 1") + ONE, Damaged, "there is no record Type-1"),
        (header(b"1 1,14 1") + tagged(14, FIELDS, len(ONE) - 3), Damaged, "expected the end mark 1c"),
        (
            header(b"1 2,14 1,14 1") + tagged(14, FIELDS, 2 * len(ONE)) + ONE,
            Damaged,
            "the length in field 14.001 is too",
        ),
        (header(b"1 1,14 1") + tagged(14, FIELDS, 10**14), Damaged, "bytes announced"),
        (header(b"1 1,14 1") + tagged(14, FIELDS).replace(b"14.001:", b"14.001:x"), Damaged, "expected its length"),
        (header(b"1 1,14 1") + tagged(14, [*FIELDS, (13, b"3")]), Damaged, "field 14.013 is there twice"),
        (header(b"1 1,14 1") + tagged(14, [(2, b"01\x1dnothing")]), Damaged, "expected a tag '14.nnn:'"),
        (header(b"1 1,4 1") + b"\0\0\0\x09\1", Truncated, "18 bytes of header expected"),
        (header(b"1 1,4 1") + b"\0\0\0\x09" + bytes(30), Damaged, "say 9 bytes, expected at least 18"),
        (header(b"1 1,4 1") + fixed(bytes(6), 3, 2)[:-1], Truncated, "24 bytes announced, 23 left"),
        (tagged(1, [(2, b"0502")]), Damaged, "no field 1.003"),
    ],
)
def test_contradictions_are_errors_that_say_where(data: bytes, kind: type[InputRefused], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        parse(data, "card.an2")
    assert caught.value.exit_code == 5
    assert "card.an2" in caught.value.message
    assert "\n" not in caught.value.message


def test_oddities_of_records_that_are_not_used_are_noticed_and_kept() -> None:
    odd = tagged(2, [(2, b"00"), (5, b"a"), (5, b"b")]), tagged(10, [(2, b"02\x1dnothing")])
    data = header(b"1 3,2 0,10 2,14 7") + odd[0] + odd[1] + ONE
    file = parse(data, "x")
    assert file.to_bytes() == data
    text = " | ".join(file.notices)
    assert "field 2.005 is there twice" in text
    assert "its fields can't be told apart" in text
    assert "its IDC is 1, field 1.003 says 7" in text


def test_a_second_data_field_is_the_one_with_the_data() -> None:
    data = header(b"1 1,14 1") + tagged(14, [*FIELDS, (999, b"38423\x1d14.999:\xff\xd8pixels")])
    file = parse(data, "x")
    field = file.records[1].field(999)
    assert field is not None
    assert field.value == b"\xff\xd8pixels"
    assert file.to_bytes() == data
    assert "is there twice" in file.notices[0]


def test_separators_and_counts_are_the_writers_business() -> None:
    for value in ("a\x1fb", "a\x1cb", [["a", "b\x1d"]]):
        with pytest.raises(UsageError, match="holds a separator"):
            text_record(2, [(2, "00"), (18, value)])
    with pytest.raises(UsageError, match="given twice"):
        text_record(2, [(2, "00"), (2, "01")])
    with pytest.raises(UsageError, match="counted by itself"):
        text_record(2, [(1, "9")])
    with pytest.raises(UsageError, match="no tagged fields"):
        text_record(4, [])
    with pytest.raises(UsageError, match="without IDC"):
        compose(ENVELOPE, [text_record(2, [(18, "x")])])
    with pytest.raises(UsageError, match="not valid text"):
        text_record(2, [(2, "00"), (18, "\ud800")])


item = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1c\x1d\x1e\x1f"), max_size=12)
subfields = st.lists(st.lists(item, min_size=1, max_size=4), min_size=1, max_size=4)


@given(st.dictionaries(st.integers(3, 998), subfields, max_size=8), st.integers(0, 99), st.binary(max_size=40))
def test_any_fields_come_back(fields: dict[int, list[list[str]]], idc: int, rest: bytes) -> None:
    record = text_record(10, [(2, f"{idc:02d}"), *fields.items(), (999, b"\xff" + rest)])
    written = compose(ENVELOPE, [record]).to_bytes()
    file = parse(written, "x")
    assert file.to_bytes() == written
    back = file.records[1]
    assert back.idc == idc
    for number, value in fields.items():
        assert back.items(number) == value
    data = back.field(999)
    assert data is not None
    assert data.value == b"\xff" + rest


def test_a_file_read_and_written_with_one_record_more_keeps_the_others() -> None:
    file = parse(latent(ENVELOPE, NAMED, a_print(0, 4), "TESTSRC").to_bytes(), "x")
    more = text_record(2, [(2, "05"), (900, "note")])
    again = parse(compose(ENVELOPE, [*file.records[1:], more]).to_bytes(), "y")
    assert [r.data for r in again.records[1:-1]] == [r.data for r in file.records[1:]]
    assert again.records[-1].data == more.data


def test_bytes_of_a_file_made_of_the_same_records_are_the_same() -> None:
    file = parse(CARD, "x")
    assert ExchangeFile(file.records, file.tail).to_bytes() == CARD


@pytest.mark.real
def test_files_of_others_are_kept_byte_for_byte(data: Path) -> None:
    files = sorted((data / "formats" / "an2").glob("*.an2"))
    assert len(files) >= 36
    for path in files:
        content = path.read_bytes()
        assert parse(content, path.name).to_bytes() == content
