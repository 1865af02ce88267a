"""Where compiled kernels are kept.

numba compiles a kernel once and keeps it beside the source file.  In an installation that the user may not write to,
with a home that is read-only too, it would fail: so before numba is imported a folder is chosen that can be written.
Call ``prepare()`` at the top of every module that imports numba.
"""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from pathlib import Path


def prepare() -> None:
    """Point numba at a writable cache unless the user has chosen one.  Must run before numba is imported."""
    if "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(_writable_folder())


def _writable_folder() -> Path:
    for folder in (_user_cache() / "fpipe" / "kernels", Path(tempfile.gettempdir()) / f"fpipe-kernels-{_user()}"):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and _is_ours(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="fpipe-kernels-"))


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local")))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "user"


def _is_ours(folder: Path) -> bool:
    """Code is loaded from here: a folder that another user prepared is not trusted."""
    return sys.platform == "win32" or folder.stat().st_uid == os.getuid()
