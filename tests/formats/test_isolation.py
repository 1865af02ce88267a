"""The worker process: crash, hang, noise, loss of the parent, use inside the workers of a pool."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fpipe.core.errors import Damaged, DecoderCrashed
from fpipe.formats import isolation, read_picture
from fpipe.formats.isolation import Worker

wsq = pytest.importorskip("_wsq", reason="no WSQ codec on this platform")
GOOD = wsq.compress(np.random.default_rng(1).integers(0, 256, (96, 96)).astype(np.uint8).tobytes(), 96, 96, 12)


linux = pytest.mark.skipif(sys.platform != "linux", reason="stops a process and looks into /proc")


@pytest.fixture
def worker():  # type: ignore[no-untyped-def]
    worker = Worker()
    yield worker
    worker.close()


def child_of(worker: Worker) -> subprocess.Popen[bytes]:
    assert worker._process is not None
    return worker._process


def test_one_child_serves_many(worker: Worker) -> None:
    first = worker.decode("wsq", GOOD, "a")
    child = child_of(worker).pid
    assert worker.decode("wsq", GOOD, "b").data == first.data
    assert child_of(worker).pid == child


def test_refusal_carries_what_c_printed_and_nothing_reaches_stderr(
    worker: Worker, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Damaged, match="ERROR") as caught:
        worker.decode("wsq", GOOD[:-40], "cut.wsq")
    assert "cut.wsq" in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert worker.decode("wsq", GOOD, "next").printed == ""


@linux
def test_a_killed_child_is_an_error_once_and_then_replaced(worker: Worker) -> None:
    worker.decode("wsq", GOOD, "a")
    child = child_of(worker)
    stopper = threading.Timer(0.3, child.kill)
    os.kill(child.pid, signal.SIGSTOP)  # in the middle of its work, as far as the parent can see
    stopper.start()
    with pytest.raises(DecoderCrashed, match=r"crashed \(exit -9\)"):
        worker.decode("wsq", GOOD, "b")
    stopper.join()
    assert worker.decode("wsq", GOOD, "c").width == 96


def test_a_child_that_died_between_two_files_is_replaced_in_silence(worker: Worker) -> None:
    worker.decode("wsq", GOOD, "a")
    child_of(worker).kill()
    child_of(worker).wait()
    assert worker.decode("wsq", GOOD, "b").width == 96


@linux
def test_a_hang_ends(worker: Worker) -> None:
    worker.decode("wsq", GOOD, "a")
    os.kill(child_of(worker).pid, signal.SIGSTOP)
    with pytest.raises(DecoderCrashed, match="longer than 1 s"):
        worker.decode("wsq", GOOD, "b", seconds=1)
    assert worker.decode("wsq", GOOD, "c").width == 96


@linux
def test_the_child_ends_with_its_parent() -> None:
    program = (
        "import sys, os\n"
        "from fpipe.formats import isolation\n"
        "isolation.decode_apart('wsq', sys.stdin.buffer.read(), 'x')\n"
        "print(isolation._WORKER._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=GOOD, capture_output=True, timeout=60)
    child = int(done.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        state = Path(f"/proc/{child}/stat").read_text().split()[2]
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{child}").exists()


def test_inside_the_workers_of_a_pool() -> None:
    context = multiprocessing.get_context("spawn")
    expected = read_picture(GOOD).pixels
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert (pool.submit(read_picture, GOOD).result().pixels == expected).all()
    with context.Pool(1) as daemons:
        assert (daemons.apply(read_picture, (GOOD,)).pixels == expected).all()


def test_threads_take_turns() -> None:
    expected = read_picture(GOOD).pixels
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for picture in pool.map(read_picture, [GOOD] * 20):
            assert (picture.pixels == expected).all()


def test_no_modules_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PIL.py").write_text("raise SystemExit")
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    isolation._WORKER.close()
    assert read_picture(GOOD).pixels.shape == (96, 96)


@linux
def test_a_decoder_gets_no_more_memory_than_the_largest_picture_needs() -> None:
    """Damaged headers of JPEG 2000 made OpenJPEG ask for 12 GB."""
    with contextlib.closing(Worker()) as worker:
        worker.decode("wsq", GOOD, "good.wsq")
        assert worker._process is not None
        limits = Path(f"/proc/{worker._process.pid}/limits").read_text("ascii")
    (line,) = (line for line in limits.splitlines() if line.startswith("Max address space"))
    assert line.split()[3:5] == [str(3 << 30)] * 2


@linux
def test_a_lower_limit_of_memory_stays() -> None:
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (5 << 29, 5 << 29))\n"
        "from fpipe.formats import isolation\n"
        "print(isolation.decode_apart('wsq', sys.stdin.buffer.read(), 'x').width)\n"
        "print(open(f'/proc/{isolation._WORKER._process.pid}/limits').read())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=GOOD, capture_output=True, timeout=60)
    assert done.stdout.startswith(b"96\n"), done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(b"Max address space"))
    assert line.split()[3:5] == [str(5 << 29).encode()] * 2
