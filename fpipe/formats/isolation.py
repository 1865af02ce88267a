"""C decoders at arm's length: one worker process for each process that decodes, restarted when it crashes or hangs.

A plain child with pipes instead of a pool, so that it works the same inside the workers of a process pool, on Windows
and on Linux; nothing is forked.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fpipe.core.errors import Damaged, DecoderCrashed, MissingLibrary, Truncated
from fpipe.formats.worker import HEAD, REPLY

SECONDS = 60
"""Longest a decoder may take; the largest picture accepted needs a few seconds on a slow machine."""


@dataclass(frozen=True, slots=True)
class Raw:
    """What a decoder gave.

    mode : Pillow's name of the sample layout
    data : the samples, row by row
    printed : what the C code wrote to stdout or stderr, one line, mostly empty
    """

    width: int
    height: int
    mode: str
    data: bytes
    printed: str


class Worker:
    """The child process and the conversation with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._printed: IO[bytes] | None = None
        self._owner = 0

    def decode(self, decoder: str, data: bytes, where: str, seconds: int = SECONDS) -> Raw:
        """Decode in the child.

        Raises Damaged or Truncated when the decoder refuses, DecoderCrashed when it dies or takes longer than
        ``seconds``, MissingLibrary when this platform has no such decoder.
        """
        with self._lock:
            process = self._running()
            overdue = threading.Event()
            timer = threading.Timer(seconds, _stop, (process, overdue))
            timer.start()
            try:
                facts, pixels = _converse(process, decoder, data, seconds)
                printed = self._take_printed()
            except (OSError, EOFError, ValueError) as error:
                reason = f"took longer than {seconds} s" if overdue.is_set() else self._cause_of_death(process)
                self._discard()
                raise DecoderCrashed(where=where, reason=f"the {decoder} decoder {reason}") from error
            except BaseException:  # interrupted in the middle of a conversation: the next one needs a fresh child
                self._discard()
                raise
            finally:
                timer.cancel()
                timer.join()
        if "missing" in facts:
            raise MissingLibrary(where=where, package=decoder, what_to_do=f"pip install {decoder} ({facts['missing']})")
        if "error" in facts:
            reason = "; ".join(filter(None, (facts["error"], printed)))
            raise (Truncated if "truncated" in reason else Damaged)(where=where, reason=reason)
        return Raw(facts["width"], facts["height"], facts["mode"], pixels, printed)

    def close(self) -> None:
        """End the child; a later ``decode`` starts another."""
        with self._lock:
            self._discard()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self._discard()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._owner = os.getpid()
        script = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", str(script)],  # -P: no modules from the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
        )
        return self._process

    def _take_printed(self) -> str:
        assert self._printed is not None
        self._printed.seek(0)
        text = self._printed.read(2000).decode("utf-8", "replace")
        self._printed.seek(0)
        self._printed.truncate()
        return " ".join(text.split())

    def _cause_of_death(self, process: subprocess.Popen[bytes]) -> str:
        try:
            return f"crashed (exit {process.wait(timeout=1)})"
        except subprocess.TimeoutExpired:
            return "broke off its answer"

    def _discard(self) -> None:
        process, self._process = self._process, None
        printed, self._printed = self._printed, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                _close(pipe)
        _close(printed)


def _converse(
    process: subprocess.Popen[bytes], decoder: str, data: bytes, seconds: int
) -> tuple[dict[str, Any], bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(HEAD.pack(decoder.encode(), len(data), seconds + 5))
    process.stdin.write(data)
    process.stdin.flush()
    head = _exactly(process.stdout, REPLY.size)
    text_size, pixel_size = REPLY.unpack(head)
    facts = json.loads(_exactly(process.stdout, text_size))
    return facts, _exactly(process.stdout, pixel_size)


def _stop(process: subprocess.Popen[bytes], overdue: threading.Event) -> None:
    overdue.set()
    process.kill()


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        try:
            stream.close()
        except OSError:  # what was still to be written to a child that is gone
            return


_WORKER = Worker()
atexit.register(_WORKER.close)


def decode_apart(decoder: str, data: bytes, where: str) -> Raw:
    """Decode ``data`` with a C decoder in this process's worker; see ``Worker.decode``."""
    return _WORKER.decode(decoder, data, where)
