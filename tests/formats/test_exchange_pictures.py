"""Pictures in exchange files: the record's resolution, the compression that is there, one picture chosen of many."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from exchange_maker import ENVELOPE, NAMED, a_print, fixed, header, tagged, whorl

from fpipe.core.errors import (
    BadParameter,
    Damaged,
    FpipeError,
    InputRefused,
    NotAnImage,
    NotFound,
    SeveralPictures,
    Truncated,
    Unsupported,
)
from fpipe.formats import read_picture, to_500_ppi, write_picture
from fpipe.formats.exchange.building import Print, latent, tenprint
from fpipe.formats.exchange.pictures import decode_picture, pictures_of
from fpipe.formats.exchange.records import parse
from fpipe.formats.exchange.tables import impression_name, position_name
from fpipe.formats.writing import encode_png

GRAY = whorl()
RAW = GRAY.tobytes()


def one(fields: dict[int, bytes], type: int = 14) -> bytes:
    """A file of one picture; its usual fields, with these changed or, where empty, left out."""
    usual = {2: b"01", 3: b"0", 6: b"120", 7: b"140", 8: b"1", 9: b"500", 10: b"500", 11: b"NONE", 12: b"8", 13: b"2"}
    merged = {**usual, 999: RAW, **fields}
    kept = [(number, value) for number, value in sorted(merged.items()) if value or number == 999]
    return header(b"1 1,%d 1" % type) + tagged(type, kept)


@pytest.mark.parametrize(
    ("unit", "x", "y", "ppi", "words"),
    [
        (b"1", b"500", b"500", 500, ""),
        (b"1", b"1000", b"1000", 1000, ""),
        (b"2", b"394", b"394", 1000.76, ""),
        (b"2", b"197", b"197", 500.38, ""),
        (b"0", b"1", b"1", None, "shape of its pixels only"),
        (b"1", b"00", b"00", None, "states '00' x '00'"),
        (b"1", b"", b"", None, "states '' x ''"),
        (b"1", b"72", b"72", None, "does not know it"),
        (b"1", b"500", b"1000", None, "not square"),
        (b"", b"", b"", None, ""),
        (b"9", b"500", b"500", None, "its unit is 9"),
    ],
)
def test_scale_units(unit: bytes, x: bytes, y: bytes, ppi: float | None, words: str) -> None:
    picture = read_picture(one({8: unit, 9: x, 10: y}))
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi))
    assert picture.ppi_origin == ("unknown" if ppi is None else "file")
    assert words in " | ".join(picture.notices)
    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert read_picture(one({8: unit, 9: x, 10: y}), ppi=600).ppi == 600


@pytest.mark.parametrize(
    ("scanning", "native", "transmitted", "ppi"),
    [
        (0, b"19.69", b"19.69", 500.126),
        (0, b"39.37", b"19.69", 500.126),
        (1, b"39.37", b"19.69", 999.998),
        (0, b"00.00", b"00.00", 500.126),
        (0, b"39.37", b"39.37", 999.998),
        (1, b"00.00", b"00.00", None),
        (1, b"nan", b"00.00", None),
    ],
)
def test_scale_of_a_type_4_record_lies_in_type_1(
    scanning: int, native: bytes, transmitted: bytes, ppi: float | None
) -> None:
    first = header(b"1 1,4 1", native=native, transmitted=transmitted)
    picture = read_picture(first + fixed(RAW, 120, 140, scanning=scanning))
    assert picture.ppi == (None if ppi is None else pytest.approx(ppi))
    assert picture.format == "ANSI/NIST Type-4, NONE"
    np.testing.assert_array_equal(picture.pixels, GRAY)


def test_compression_is_looked_at() -> None:
    png = encode_png(GRAY, 1000)
    right = read_picture(one({11: b"PNG", 999: png}))
    assert right.ppi == 500
    assert right.format == "ANSI/NIST Type-14, PNG"
    assert any("states 500 ppi, the picture inside 999.998: the record holds" in n for n in right.notices)
    for stated in (b"NONE", b"WSQ20", b"", b"JP2"):
        picture = read_picture(one({11: stated, 999: png}))
        np.testing.assert_array_equal(picture.pixels, GRAY)
        assert any("the picture is PNG" in n for n in picture.notices)
    unpacked = read_picture(one({11: b"WSQ20"}))
    np.testing.assert_array_equal(unpacked.pixels, GRAY)
    assert any("the picture is uncompressed" in n for n in unpacked.notices)
    assert read_picture(one({8: b"0", 11: b"PNG", 999: png})).ppi == pytest.approx(1000, abs=0.01)


def test_pixels_that_begin_like_a_coded_picture_are_pixels() -> None:
    pixels = GRAY.copy()
    pixels[0, :3] = (0xFF, 0xD8, 0xFF)
    np.testing.assert_array_equal(read_picture(one({999: pixels.tobytes()})).pixels, pixels)


def test_sixteen_bits_are_scaled() -> None:
    deep = (GRAY.astype(">u2") * 257).tobytes()
    picture = read_picture(one({12: b"16", 999: deep}))
    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert picture.bits == 16
    with pytest.raises(Damaged, match="in 12 bits"):
        read_picture(one({12: b"12", 999: deep}))


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({999: b""}, Damaged, "field 14.999 of right index .* is empty, 120 x 140 px announced"),
        ({999: RAW[:-1]}, Damaged, "has 16799 bytes, 120 x 140 px of 8 bits need 16800"),
        ({999: RAW + b"\0"}, Damaged, "has 16801 bytes"),
        ({6: b""}, Damaged, "its size is None x 140"),
        ({6: b"many"}, Damaged, "its size is None x 140"),
        ({6: b"0"}, Damaged, "its size is 0 x 140"),
        ({6: b"99999", 7: b"99999"}, FpipeError, "too large"),
        ({12: b"1"}, Unsupported, "of 1 bits are not read"),
        ({12: b"99"}, Unsupported, "of 99 bits are not read"),
        ({11: b"WSQ20", 999: RAW[:-5]}, Damaged, "is no WSQ20 picture"),
        ({11: b"PNG", 999: encode_png(GRAY, 500)[:-30]}, Truncated, "cut short"),
    ],
)
def test_broken_pictures_are_errors(fields: dict[int, bytes], kind: type[FpipeError], words: str) -> None:
    with pytest.raises(kind, match=words):
        read_picture(one(fields))


def test_a_size_that_the_picture_contradicts_is_noticed() -> None:
    picture = read_picture(one({6: b"99", 11: b"PNG", 999: encode_png(GRAY, 500)}))
    assert picture.pixels.shape == (140, 120)
    assert any("states 99 x 140 px, the picture has 120 x 140" in n for n in picture.notices)


def test_wsq_and_jpeg_2000_inside_records() -> None:
    pytest.importorskip("_wsq", reason="no WSQ codec on this platform")
    import io

    from PIL import Image

    buffer = io.BytesIO()
    large = whorl(280, 240)
    Image.fromarray(large).save(buffer, "JPEG2000", irreversible=False)
    size = {6: b"240", 7: b"280", 8: b"2", 9: b"394", 10: b"394"}
    exact = read_picture(one({**size, 11: b"JP2L", 999: buffer.getvalue()}))
    np.testing.assert_array_equal(exact.pixels, large)
    assert exact.format == "ANSI/NIST Type-14, JP2L"
    assert to_500_ppi(exact, "x").shape == (140, 120)
    data = header(b"1 1,4 1", transmitted=b"19.69") + fixed(b"\xff\xa0\xff\xa8 no WSQ", 120, 140, code=1)
    with pytest.raises(InputRefused):
        read_picture(data)


def test_a_finger_that_is_missing_is_no_picture_and_no_error() -> None:
    there = one({})[len(header(b"1 1,14 1")) :]
    named = [(2, b"00"), (3, b"0"), (13, b"3")]
    for missing in (
        tagged(14, [*named, (18, b"3\x1fUP")]),
        tagged(14, [*named, (18, b"3\x1fXX"), (6, b"120"), (7, b"140"), (999, b"")]),
        tagged(14, [*named, (999, b"")]),
    ):
        np.testing.assert_array_equal(read_picture(header(b"1 2,14 0,14 1") + missing + there).pixels, GRAY)
    old = fixed(b"", 0, 0, idc=3) + fixed(RAW, 120, 140)
    np.testing.assert_array_equal(read_picture(header(b"1 2,4 3,4 1") + old).pixels, GRAY)


def test_one_of_several_is_chosen(tmp_path: Path) -> None:
    pixels = [np.roll(GRAY, shift, 1) for shift in range(3)]
    prints = [Print(pixels[0], 500, 2, 1), Print(pixels[1], 500, 13, 0), Print(pixels[2], 500, 2, 0)]
    card = tenprint(ENVELOPE, NAMED, prints, "SRC")
    path = tmp_path / "card#1.an2"
    path.write_bytes(card.to_bytes())
    with pytest.raises(SeveralPictures, match=r"the file holds 3 pictures: #2 or #idc=1 right index .*FILE#POSITION"):
        read_picture(path)
    for choice, expected in (("13", 1), ("finger=13", 1), ("idc=1", 0), ("idc=3", 2)):
        np.testing.assert_array_equal(read_picture(Path(f"{path}#{choice}")).pixels, pixels[expected])
    with pytest.raises(SeveralPictures, match=r"holds 2 pictures for #2: #2 or #idc=1 right index .*rolled"):
        read_picture(Path(f"{path}#2"))
    with pytest.raises(SeveralPictures, match="holds no picture for #5"):
        read_picture(Path(f"{path}#5"))
    with pytest.raises(BadParameter, match="FILE#idc=NUMBER"):
        read_picture(Path(f"{path}#thumb"))
    other = tmp_path / "gray.png"
    write_picture(other, GRAY, 500)
    with pytest.raises(NotFound, match="names a picture of an ANSI/NIST file"):
        read_picture(Path(f"{other}#2"))
    with pytest.raises(NotFound, match="no such file"):
        read_picture(tmp_path / "nothing.png#2")
    named = tmp_path / "gray.png#2"
    shutil.copy(other, named)
    np.testing.assert_array_equal(read_picture(named).pixels, GRAY)


def test_a_latent_is_read_as_any_other_picture() -> None:
    picture = read_picture(latent(ENVELOPE, NAMED, a_print(0, 4, 1000), "SRC").to_bytes(), name="latent.an2")
    np.testing.assert_array_equal(picture.pixels, GRAY)
    assert (picture.ppi, picture.ppi_origin, picture.format) == (1000, "file", "ANSI/NIST Type-13, PNG")
    with pytest.raises(NotAnImage, match=r"without a finger picture \(record types 1, 2\)"):
        read_picture(header(b"1 1,2 0") + tagged(2, [(2, b"00")]))


def test_words_for_codes() -> None:
    assert [impression_name(code) for code in (0, 1, 3, 4, 7, 8, 10, 13, 25, 29, None)] == [
        "plain", "rolled", "rolled", "latent", "latent", "swipe", "palm", "latent", "rolled", "unknown", "unknown",
    ]  # fmt: skip
    assert [position_name(code) for code in (1, 7, 10, 14, 99, None)] == [
        "right thumb", "left index", "left little", "plain left four fingers", "position 99", "no position",
    ]  # fmt: skip


@pytest.mark.real
def test_every_picture_of_the_reference_files(data: Path) -> None:
    """Number of pictures of each file; all but those of unknown scale state 500 ppi, or what their records say."""
    pytest.importorskip("_wsq", reason="no WSQ codec on this platform")
    counts = {
        "jnbis_sample": 14, "rec01_rec02_rec16.nst": 0, "type-10-14-17-piv-index-iris": 2, "type-10-sap10": 0,
        "type-13-14-latent-match": 2, "type-13-tip-eji-wsq": 5, "type-14-amp-nqm-utf8": 3, "type-14-tpcard-nqm": 14,
        "type-4-14-slaps": 3, "type-7-latent": 0, "type-9-13-9-14-m1": 2, "type-9-4-iafis": 1, "valid1.9": 2,
    }  # fmt: skip
    for name, count in counts.items():
        path = data / "formats" / "an2" / f"{name}.an2"
        file = parse(path.read_bytes(), name)
        pictures = pictures_of(file)
        assert len(pictures) == count
        for picture in pictures:
            found, compression = decode_picture(picture, name)
            assert found.gray.size > 10_000
            assert compression in ("NONE", "WSQ20", "JPEGB", "JPEGL")


@pytest.mark.real
def test_the_latent_and_its_mate_are_those_of_the_data_folder(data: Path) -> None:
    path = data / "formats" / "an2" / "type-13-14-latent-match.an2"
    for choice, name in (("idc=1", "sd27_an2_latent.png"), ("idc=2", "sd27_an2_mate.png")):
        ours, theirs = read_picture(Path(f"{path}#{choice}")), read_picture(data / "latent_real" / name)
        np.testing.assert_array_equal(ours.pixels, theirs.pixels)
        assert ours.ppi == 500
