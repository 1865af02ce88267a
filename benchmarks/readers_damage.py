"""Damaged pictures: what each reader makes of files that were cut short or had bytes flipped.

    python benchmarks/readers_damage.py [--each 1000] [--seed 1]

Allowed: a cut file is an fpipe error or the right picture; flipped bytes are an fpipe error or a picture of the
declared size, in PNG always an error.  Never another exception, a picture of another size, a hang, a word on stderr.
Exit 0 only where all of it holds.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from fpipe.core.errors import DecoderCrashed, FpipeError
from fpipe.formats import read_picture

FORBIDDEN = ("cut: WRONG PICTURE", "flip: WRONG SIZE", "flip: UNNOTICED", "EXCEPTION", "HANG")
HANG_SECONDS = 90


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


def outcome(kind: str, whole: bytes, damaged: bytes, right: np.ndarray, *, was_cut: bool) -> str:
    """What became of one damaged file."""
    start = time.monotonic()
    try:
        pixels = read_picture(damaged, name="damaged").pixels
    except DecoderCrashed:
        return "decoder crashed, an error"
    except FpipeError as error:
        return "HANG" if time.monotonic() - start > HANG_SECONDS else f"error {error.code}"
    except Exception as error:  # noqa: BLE001 - the thing looked for
        return f"EXCEPTION {type(error).__name__}: {error}"
    same = pixels.shape == right.shape and bool((pixels == right).all())
    if was_cut:
        return "cut: the right picture" if same else "cut: WRONG PICTURE"
    if kind == "PNG" and damaged != whole:
        return "flip: UNNOTICED"
    if same:
        return "flip: the right picture"
    declared = declared_size(damaged)
    return "flip: a picture of the declared size" if declared in (None, pixels.shape) else "flip: WRONG SIZE"


def run(each: int, seed: int) -> dict[str, Counter[str]]:
    """Format -> outcomes; the first half cut, the second half flipped."""
    found: dict[str, Counter[str]] = {}
    for kind, files in originals().items():
        rng = random.Random(f"{seed} {kind}")
        right = [read_picture(data).pixels for data in files]
        found[kind] = Counter()
        for i in range(each):
            j, was_cut = rng.randrange(len(files)), i < each // 2
            damaged = (cut if was_cut else flipped)(files[j], rng)
            if damaged != files[j]:
                found[kind][outcome(kind, files[j], damaged, right[j], was_cut=was_cut)] += 1
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


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged pictures against every reader.")
    parser.add_argument("--each", type=int, default=1000, help="damaged files a format")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.monotonic()
    with captured_stderr() as sink:
        found = run(options.each, options.seed)
        sink.seek(0)
        printed = sink.read()
    print("| format | outcome | files |\n|---|---|---|")
    for kind, outcomes in found.items():
        for name, number in sorted(outcomes.items()):
            print(f"| {kind} | {name} | {number} |")
    bad = sum(n for outcomes in found.values() for name, n in outcomes.items() if name.startswith(FORBIDDEN))
    print(f"\nforbidden outcomes: {bad}; bytes on stderr: {len(printed)}; {time.monotonic() - start:.0f} s")
    print(printed.decode(errors="replace"), end="")
    return int(bad > 0 or bool(printed))


if __name__ == "__main__":
    sys.exit(main())
