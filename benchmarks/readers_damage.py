"""Damaged files: what each reader makes of pictures, exchange files and templates that were cut, flipped or lied in.

    python benchmarks/readers_damage.py [--each 1000] [--seed 1] [--only "JPEG,ISO 2005"]

Allowed: a cut file is an fpipe error or the right content; flipped bytes, swapped fields and lying numbers are an fpipe
error or sound content of the declared size, in PNG and .fpt always an error.  Small files are cut at every length.
Never another exception, content that contradicts itself, more than 2 s of processor time for one file, more than 500 MB
of memory, a word on stderr: time and memory of this process and of the decoder's, each.  Exit 0 only where all holds.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fpipe.core.errors import DecoderCrashed, FpipeError, InputRefused
from fpipe.core.types import Minutiae, Template
from fpipe.formats import isolation, read_picture
from fpipe.formats.exchange import building
from fpipe.formats.exchange.records import parse
from fpipe.minutiae import blob, json_codec, xyt
from fpipe.minutiae.files import describe_template, parse_template
from fpipe.minutiae.records import RECORDS, write_record
from fpipe.minutiae.views import of_template
from fpipe.service.inspect import describe_exchange

FORBIDDEN = ("cut: WRONG", "flip: WRONG", "flip: UNNOTICED", "EXCEPTION", "HANG", "SLOW", "NOT KEPT", "UNSOUND")
HANG_SECONDS = 90
CPU_SECONDS, MEGABYTES = 2.0, 500
"""Most for one damaged file, of each process; memory of the whole run."""
Judge = Callable[[bytes, bytes, bool], str]
"""Whole file, damaged file, whether it was cut -> what became of it."""


def drawn_print(height: int = 200, width: int = 160) -> np.ndarray:
    """A whorl of ridges nine pixels apart with a soft edge: smooth enough for every codec."""
    y, x = np.mgrid[:height, :width].astype(float)
    radius = np.hypot(x - width / 2, (y - height / 2) * 0.8)
    inside = 1 / (1 + np.exp((radius - width * 0.45) / 4))
    ridges = 127.5 - 110 * np.cos(radius * 2 * np.pi / 9 + np.arctan2(y - height / 2, x - width / 2))
    return np.rint(255 - inside * (255 - ridges)).astype(np.uint8)


def _pillow(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def originals() -> dict[str, list[bytes]]:
    """Format -> whole files of several varieties."""
    import _wsq

    pixels = drawn_print()
    gray = Image.fromarray(pixels)
    colour = gray.convert("RGB")
    bits = gray.convert("1", dither=Image.Dither.NONE)
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    height, width = pixels.shape
    return {
        "PNG": [
            _pillow(gray, "PNG", dpi=(500, 500)),
            _pillow(colour, "PNG"),
            _pillow(gray.convert("P"), "PNG"),
            _pillow(deep, "PNG"),
        ],
        "TIFF": [
            *(
                _pillow(gray, "TIFF", compression=name, dpi=(500, 500))
                for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
            ),
            *(_pillow(bits, "TIFF", compression=name) for name in ("group3", "group4")),
            _pillow(deep, "TIFF", compression="raw"),
        ],
        "BMP": [_pillow(gray, "BMP", dpi=(500, 500)), _pillow(colour, "BMP"), _pillow(bits, "BMP")],
        "JPEG": [
            _pillow(gray, "JPEG", dpi=(500, 500)),
            _pillow(colour, "JPEG", progressive=True, quality=90),
            _pillow(colour.convert("CMYK"), "JPEG"),
        ],
        "JPEG 2000": [
            _pillow(gray, "JPEG2000"),
            _pillow(colour, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[10]),
            _pillow(gray, "JPEG2000", no_jp2=True, tile_size=(64, 64)),
        ],
        "WSQ": [_wsq.compress(drawn_print(h, w).tobytes(), h, w, 12) for h, w in ((height, width), (256, 256))],
    }


def declared_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) of the header, upright, by Pillow; None where it can't tell."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            turned = image.getexif().get(274, 1) >= 5 and image.format in ("TIFF", "JPEG")
            return image.size if turned else image.size[::-1]
    except Exception:  # noqa: BLE001 - a damaged header may break anything in it
        return None


def cut(data: bytes, rng: random.Random) -> bytes:
    """Any length, and often just short of the whole."""
    length = len(data) - rng.randint(1, 64) if rng.random() < 0.3 else rng.randrange(len(data))
    return data[: max(0, length)]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One to 64 bytes changed, half of the time within the headers."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16, 64))):
        at = rng.randrange(min(len(out), 700)) if rng.random() < 0.5 else rng.randrange(len(out))
        out[at] ^= rng.randint(1, 255)
    return bytes(out)


def lied(data: bytes, rng: random.Random) -> bytes:
    """One to three numbers replaced: runs of digits by others, or one to four bytes of the headers by extremes."""
    out = data
    for _ in range(rng.randint(1, 3)):
        runs = [m.span() for m in re.finditer(rb"\d{1,11}", out[:4000])]
        if runs and rng.random() < 0.5:
            start, end = rng.choice(runs)
            lie = rng.choice((b"0", b"1", b"-1", b"99999999999", b"65536", b"", b"x", b"1e9", b"2", b"255", b"16800"))
        else:
            size = rng.choice((1, 2, 4))
            start = rng.randrange(max(1, min(len(out), 300) - size))
            end, lie = (
                start + size,
                rng.choice((b"\0" * size, b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), b"\1" * size)),
            )
        out = out[:start] + lie + out[end:]
    return out


def swapped(data: bytes, rng: random.Random) -> bytes:
    """Fields moved, doubled or dropped: between separators where there are any, else pieces of equal length."""
    marks = [m.start() for m in re.finditer(rb"[\x1c-\x1f\n,]", data)]
    if len(marks) > 3:
        a, b, c, d = sorted(rng.sample(marks, 4))
    else:
        size = rng.randint(1, 12)
        a = rng.randrange(max(1, len(data) - 2 * size))
        c = rng.randrange(a + size, max(a + size + 1, len(data) - size))
        b, d = a + size, c + size
    first, middle, last = data[a:b], data[b:c], data[c:d]
    kind = rng.randrange(3)
    changed = (last + middle + first, first + last + middle + last, middle + last)[kind]
    return data[:a] + changed + data[d:]


def _lossless_jpeg(pixels: np.ndarray) -> bytes:
    """One component, 8 bits, differences to the left neighbour, all code words of five bits."""
    v = pixels.astype(np.int64)
    guess = np.empty_like(v)
    guess[:, 1:], guess[1:, 0], guess[0, 0] = v[:, :-1], v[:-1, 0], 128
    text = []
    for d in (v - guess).ravel().tolist():
        bits = abs(d).bit_length()
        text.append(f"{bits:05b}" + (f"{d if d > 0 else d + (1 << bits) - 1:0{bits}b}" if bits else ""))
    whole = "".join(text)
    whole += "1" * (-len(whole) % 8)
    body = int(whole, 2).to_bytes(len(whole) // 8, "big").replace(b"\xff", b"\xff\0")

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 255, marker, len(content) + 2) + content

    table = bytes([0]) + bytes(17 if i == 5 else 0 for i in range(1, 17)) + bytes(range(17))
    frame = struct.pack(">BHHB", 8, *pixels.shape, 1) + b"\1\x11\0"
    parts = segment(0xC4, table) + segment(0xC3, frame) + segment(0xDA, b"\1\1\0\1\0\0")
    return b"\xff\xd8" + parts + body + b"\xff\xd9"


def drawn_template(count: int = 40) -> Template:
    """Minutiae anywhere on a print of 300 x 400 px."""
    rng = np.random.default_rng(4)
    m = Minutiae(
        rng.uniform(0, 299, count).astype(np.float32),
        rng.uniform(0, 399, count).astype(np.float32),
        rng.uniform(0, 6, count).astype(np.float32),
        rng.integers(0, 3, count).astype(np.uint8),
        rng.integers(0, 101, count).astype(np.uint8),
    )
    return Template(m, 300, 400, np.ones((34, 25), bool), source="drawn:1")


def _exchange_files() -> list[bytes]:
    """A latent with markup, a card, an old file of Type-4 pixels and both kinds of Type-9, one with WSQ inside."""
    import _wsq

    envelope = building.Envelope("LFS", "20260101", "TESTDAI", "TESTORI", "CASE0001")
    subject = building.Subject({18: "\u0627\u062e\u062a\u0628\u0627\u0631"})
    pixels, at = drawn_print(48, 40), np.array([5.0, 20, 35])
    efs = building.efs_of(at, at, at / 20, np.array([1, 2, 0], np.uint8), width=40, height=48, ppi=500, finger=2)
    latent = building.latent(envelope, subject, building.Print(pixels, 500, 0, 4, efs, "NONE"), "SRC")
    prints = [building.Print(pixels, 500, f, 1, None, c) for f, c in ((1, "PNG"), (2, "NONE"))]  # type: ignore[arg-type]
    card = building.tenprint(envelope, subject, prints, "SRC")
    body = bytes([1, 3, 2, 255, 255, 255, 255, 255, 0]) + struct.pack(">HHB", 40, 48, 0) + pixels.tobytes()
    four = building.Record(4, 1, (), struct.pack(">I", 4 + len(body)) + body)
    nine = building.text_record(
        9,
        [
            (2, "01"), (3, "1"), (4, "S"), (6, "02"), (12, [["001", "01000100090", "02", "A"]]),
            (128, "40"), (129, "48"), (136, "1"), (137, [["1", "2", "3", "4", "1", "60"]]),
        ],
    )  # fmt: skip
    old = building.compose(envelope, [four, nine], per_mm=19.69)
    wsq = drawn_print(200, 160)
    inside = building.text_record(
        14, [(2, "01"), (3, "1"), (6, "160"), (7, "200"), (8, "1"), (9, "500"), (10, "500"), (11, "WSQ20"), (12, "8"),
             (13, "2"), (999, _wsq.compress(wsq.tobytes(), 200, 160, 12))]
    )  # fmt: skip
    return [latent.to_bytes(), card.to_bytes(), old.to_bytes(), building.compose(envelope, [inside]).to_bytes()]


def readers() -> dict[str, tuple[list[bytes], Judge]]:
    """Name -> whole files, and the judge of what becomes of damaged ones."""
    found: dict[str, tuple[list[bytes], Judge]] = {}
    for kind, files in {**originals(), "lossless JPEG": [_lossless_jpeg(drawn_print(40, 32))]}.items():
        right = {data: read_picture(data).pixels for data in files}
        found[kind] = (
            files,
            lambda whole, damaged, was_cut, kind=kind, right=right: outcome(  # type: ignore[misc]
                kind, whole, damaged, right[whole], was_cut=was_cut
            ),
        )
    found["ANSI/NIST"] = _exchange_files(), exchange_outcome
    template = drawn_template()
    for name in RECORDS:
        views = [of_template(template, finger=1), of_template(drawn_template(9), finger=7)]
        found[name] = [write_record(views, name)[0]], lambda *what: template_outcome("t.fmr", *what)
    found["xyt"] = [xyt.write(template, "m1")], lambda *what: template_outcome("t.xyt", *what)
    found["JSON"] = [json_codec.write(drawn_template(12)).rstrip()], lambda *what: template_outcome("t.json", *what)
    found["fpt"] = [blob.encode(template)], lambda *what: template_outcome("t.fpt", *what)
    return found


def exchange_outcome(whole: bytes, damaged: bytes, was_cut: bool) -> str:
    """Of an exchange file: refused, or read with what is broken in it named, and every byte kept."""
    document = describe_exchange(damaged, "damaged")
    if was_cut:
        return "cut: WRONG, it was read"
    if parse(damaged, "damaged").to_bytes() != damaged:
        return "NOT KEPT"
    if any(image["width"] * image["height"] > 1 << 26 for image in document["images"]):
        return "UNSOUND picture"
    return "flip: read, what is broken is named" if document["failed"] else "flip: read"


def template_outcome(name: str, whole: bytes, damaged: bytes, was_cut: bool) -> str:
    """Of a template: refused, or one whose every number is possible."""
    try:
        describe_template(damaged, name)
    finally:
        template = parse_template(damaged, name).template
    m = template.minutiae
    inside = (m.x >= 0) & (m.x <= template.width) & (m.y >= 0) & (m.y <= template.height)
    sound = np.isfinite(m.direction).all() and inside.all() and (m.kind <= 2).all() and (m.quality <= 100).all()
    if not sound:
        return "UNSOUND template"
    if was_cut and not name.endswith(".xyt"):  # text has no end mark: fewer lines are a shorter template
        return "cut: WRONG, it was read"
    return "flip: UNNOTICED" if name.endswith(".fpt") else f"{'cut' if was_cut else 'flip'}: a sound template"


def outcome(kind: str, whole: bytes, damaged: bytes, right: np.ndarray, *, was_cut: bool) -> str:
    """Of one damaged picture."""
    pixels = read_picture(damaged, name="damaged").pixels
    same = pixels.shape == right.shape and bool((pixels == right).all())
    if was_cut:
        return "cut: the right picture" if same else "cut: WRONG PICTURE"
    if kind == "PNG" and damaged != whole:
        return "flip: UNNOTICED"
    if same:
        return "flip: the right picture"
    declared = declared_size(damaged)
    return "flip: a picture of the declared size" if declared in (None, pixels.shape) else "flip: WRONG SIZE"


@dataclass
class Largest:
    """Processor time of the slowest file so far, seconds: in this process, and in decoders' processes."""

    ours: float = 0.0
    decoder: float = 0.0


def decoder_seconds() -> float:
    """Processor time of all decoder processes so far: those that ended, and the one that runs (Linux tells that)."""
    ended = os.times()
    total = ended.children_user + ended.children_system
    try:
        stat = Path(f"/proc/{_decoder()}/stat").read_text(encoding="ascii")
    except OSError:  # none runs, or this is no Linux
        return total
    user, system = stat.rpartition(")")[2].split()[11:13]
    return total + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _decoder() -> int:
    """The running decoder's process, 0 where there is none."""
    process = isolation._WORKER._process
    return 0 if process is None else process.pid


def judged(judge: Judge, whole: bytes, damaged: bytes, was_cut: bool, largest: Largest) -> str:
    """What became of one damaged file, and whether in time."""
    wall, cpu, decoder = time.monotonic(), time.process_time(), decoder_seconds()
    try:
        found = judge(whole, damaged, was_cut)
    except DecoderCrashed:
        found = "decoder crashed, an error"
    except InputRefused as error:
        found = f"error {error.code}" if "\n" not in error.message else f"EXCEPTION of several lines: {error.code}"
    except FpipeError as error:
        found = f"EXCEPTION no refusal: {error.code}"
    except Exception as error:  # noqa: BLE001 - the thing looked for
        found = f"EXCEPTION {type(error).__name__}: {error}"
    ours, theirs = time.process_time() - cpu, decoder_seconds() - decoder
    largest.ours, largest.decoder = max(largest.ours, ours), max(largest.decoder, theirs)
    if max(ours, theirs) > CPU_SECONDS:
        return f"SLOW{' decoder' * (theirs > CPU_SECONDS)}: {found}"
    return f"HANG: {found}" if time.monotonic() - wall > HANG_SECONDS else found


def run(
    each: int, seed: int, only: tuple[str, ...] = (), slowest: dict[str, Largest] | None = None
) -> dict[str, Counter[str]]:
    """Reader -> outcomes.  A quarter is cut, or all lengths are; the rest flipped, lied in, swapped.

    slowest : filled in, reader -> the largest times
    """
    found: dict[str, Counter[str]] = {}
    for kind, (files, judge) in readers().items():
        if only and kind not in only:
            continue
        rng = random.Random(f"{seed} {kind}")
        found[kind], largest = Counter(), Largest()
        if slowest is not None:
            slowest[kind] = largest
        lengths = [(data, length) for data in files for length in range(len(data))]
        cuts = [(d, d[:n]) for d, n in lengths] if len(lengths) <= each // 2 else [
            (d, cut(d, rng)) for d in (rng.choice(files) for _ in range(each // 4))
        ]  # fmt: skip
        others = [(rng.choice(files), rng.choice((flipped, lied, swapped))) for _ in range(each - len(cuts))]
        for whole, damaged in cuts:
            found[kind][judged(judge, whole, damaged, True, largest)] += 1
        for whole, damage in others:
            damaged = damage(whole, rng)
            if damaged != whole:
                was_cut = whole.startswith(damaged)
                found[kind][judged(judge, whole, damaged, was_cut, largest)] += 1
    return found


@contextmanager
def captured_stderr() -> Iterator[io.BufferedRandom]:
    """Whatever reaches file descriptor 2, also from C."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield sink
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def peak_megabytes() -> tuple[float, float]:
    """Of this process, and of the largest decoder process, ended ones too; 0 on Windows, which does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0, 0.0
    isolation._WORKER.close()  # what has ended is counted
    ours, decoder = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return ours / 1024, decoder / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged pictures against every reader.")
    parser.add_argument("--each", type=int, default=1000, help="damaged files a format")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="readers, by commas")
    options = parser.parse_args()
    start, slowest = time.monotonic(), dict[str, Largest]()
    with captured_stderr() as sink:
        found = run(options.each, options.seed, tuple(filter(None, options.only.split(","))), slowest)
        sink.seek(0)
        printed = sink.read()
    print("| format | outcome | files |\n|---|---|---|")
    for kind, outcomes in found.items():
        for name, number in sorted(outcomes.items()):
            print(f"| {kind} | {name} | {number} |")
    bad = sum(n for outcomes in found.values() for name, n in outcomes.items() if name.startswith(FORBIDDEN))
    memory, decoder = peak_megabytes()
    print("\n| format | slowest file, s | slowest in the decoder, s |\n|---|---|---|")
    for kind, largest in slowest.items():
        print(f"| {kind} | {largest.ours:.2f} | {largest.decoder:.2f} |")
    print(f"\npeak memory {memory:.0f} MB, of a decoder {decoder:.0f} MB")
    print(f"forbidden outcomes: {bad}; bytes on stderr: {len(printed)}; {time.monotonic() - start:.0f} s")
    print(printed.decode(errors="replace"), end="")
    return int(bad > 0 or bool(printed) or max(memory, decoder) > MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
