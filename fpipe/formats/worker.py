"""The process in which C decoders run: it may crash, hang or print without hurting anybody.

A script of its own that imports nothing of fpipe, so that it starts fast.  It reads requests from stdin and answers on
what was stdout; file descriptor 1 is then turned into 2, and 2 belongs to the parent, who reads what was printed.
It ends when stdin ends, so when its parent dies, and by itself when one request takes too long (also inside C code).

Request: ``HEAD`` (decoder, bytes, seconds), the bytes.
Answer: ``REPLY`` (bytes of JSON, bytes of pixels), the JSON, the pixels.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any

HEAD = struct.Struct("<16sQI")
REPLY = struct.Struct("<IQ")
MOST_BYTES = 3 << 30
"""Of memory, all that is mapped: the largest picture that is taken fits, what a damaged header asks for need not."""

Answer = tuple[dict[str, Any], bytes]


def pillow(data: bytes, format_name: str) -> Answer:
    """Any picture Pillow reads, as raw samples of one of a few modes."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # sizes were judged before, from the headers
    with Image.open(io.BytesIO(data), formats=[format_name]) as opened:
        opened.load()
        image: Image.Image = opened
        if opened.mode in ("P", "PA"):
            image = opened.convert("RGBA" if opened.mode == "PA" or "transparency" in opened.info else "RGB")
        return {"width": image.width, "height": image.height, "mode": image.mode}, image.tobytes()


def jpeg(data: bytes) -> Answer:
    """libjpeg-turbo, twice: Pillow keeps libjpeg's warnings to itself, OpenCV prints them."""
    import cv2
    import numpy as np

    cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return pillow(data, "JPEG")


def jpeg2000(data: bytes) -> Answer:
    """OpenJPEG."""
    return pillow(data, "JPEG2000")


def jpeg2000deep(data: bytes) -> Answer:
    """OpenJPEG by OpenCV, for colour of more than 8 bits."""
    import cv2
    import numpy as np

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.dtype != np.uint16:
        raise ValueError("OpenCV can't decode it as 16-bit colour")
    mode = "BGR;16" if pixels.shape[2] == 3 else "BGRA;16"
    return {"width": pixels.shape[1], "height": pixels.shape[0], "mode": mode}, pixels.astype("<u2").tobytes()


def tiff(data: bytes) -> Answer:
    """libtiff, for one strip or tile wrapped as a TIFF file of its own."""
    return pillow(data, "TIFF")


def wsq(data: bytes) -> Answer:
    """NBIS."""
    import _wsq  # type: ignore[import-not-found, unused-ignore]

    pixels, width, height, _ = _wsq.decompress(data)
    return {"width": width, "height": height, "mode": "L"}, bytes(pixels)


DECODERS: dict[str, Callable[[bytes], Answer]] = {
    "jpeg": jpeg,
    "jpeg2000": jpeg2000,
    "jpeg2000deep": jpeg2000deep,
    "tiff": tiff,
    "wsq": wsq,
}


def answer(name: str, data: bytes) -> Answer:
    """One request; whatever goes wrong becomes words."""
    try:
        return DECODERS[name](data)
    except ImportError as error:
        return {"missing": str(error)}, b""
    except MemoryError:
        return {"error": "its header asks for more memory than any picture needs"}, b""
    except Exception as error:  # noqa: BLE001 - decoders raise anything; the parent makes a typed error of it
        return {"error": f"{type(error).__name__}: {error}"}, b""


def serve() -> None:
    """Answer requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(3)  # no dialogue box when a decoder crashes
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MOST_BYTES if hard == resource.RLIM_INFINITY else min(MOST_BYTES, hard)  # which can't be raised
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    requests = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        while len(head := requests.read(HEAD.size)) == HEAD.size:
            name, size, seconds = HEAD.unpack(head)
            data = requests.read(size)
            if len(data) < size:
                return
            faulthandler.dump_traceback_later(seconds, exit=True)
            facts, pixels = answer(name.rstrip(b"\0").decode(), data)
            faulthandler.cancel_dump_traceback_later()
            text = json.dumps(facts).encode()
            sys.stderr.flush()
            answers.write(REPLY.pack(len(text), len(pixels)) + text)
            answers.write(pixels)
            answers.flush()


if __name__ == "__main__":
    serve()
