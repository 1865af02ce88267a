"""One writer, across processes; none on a network disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fpipe.core.errors import DiskFull, Locked
from fpipe.store import lock
from fpipe.store.lock import network_disk, writer_lock

HOLD = """
import sys
from pathlib import Path
from fpipe.store.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_held_by_another_process_until_it_ends_however(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.05)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match="another fpipe command"), writer_lock(tmp_path):
            pass
        other.kill()
        other.wait()
    with writer_lock(tmp_path):
        pass


def test_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(DiskFull), writer_lock(file / "below"):
        pass


def test_a_local_disk_is_none_of_the_network(tmp_path: Path) -> None:
    assert network_disk(tmp_path) == ""
