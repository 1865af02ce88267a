"""Where the sample prints lie: in a checkout under samples/, installed under share/fpipe/samples."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from fpipe.core.errors import NotFound

_MANIFEST = "manifest.json"


def folder() -> Path:
    """The folder of the sample prints and their manifest.json.

    Raises NotFound where they were left out of the installation.
    """
    checkout = Path(__file__).resolve().parents[2] / "samples"
    if (checkout / _MANIFEST).is_file():
        return checkout
    try:
        installed = metadata.files("fpipe") or []
    except metadata.PackageNotFoundError:
        installed = []
    for file in installed:
        if file.parts[-4:] == ("share", "fpipe", "samples", _MANIFEST):
            found = Path(str(file.locate())).resolve().parent
            if (found / _MANIFEST).is_file():
                return found
    raise NotFound(
        where=str(checkout), reason="the sample prints are not there; install fpipe from its wheel or checkout"
    )


def manifest() -> dict[str, Any]:
    """What the samples are.

    ``{"licence": str, "ppi": 500, "files": [{"file", "kind": "plain" | "latent", "subject", "finger", "pattern",
    "mate", "seed", "width", "height", "sha256"}]}``: ``subject`` and ``finger`` are None for latents;
    ``mate`` names a latent's print among the files, None where it has none; ``sha256`` is of the 8-bit gray pixels.
    """
    document: dict[str, Any] = json.loads((folder() / _MANIFEST).read_text(encoding="utf-8"))
    return document
