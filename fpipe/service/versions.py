"""Which versions made a result: part of every document and report."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from fpipe import __version__

LIBRARIES = ("numpy", "opencv-python-headless", "scikit-image", "scipy", "numba", "faiss-cpu", "pillow", "wsq")


def versions() -> dict[str, str]:
    """fpipe, Python, processor type and the libraries that results can depend on."""
    found = {
        "fpipe": __version__,
        "python": platform.python_version(),
        "machine": f"{sys.platform} {platform.machine()}",
    }
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
