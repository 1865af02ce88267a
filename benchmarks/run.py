"""Every benchmark of a hot path, one after the other; each prints ratios against a baseline in the same run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (("extract.py",), ("match.py",), ("search.py",), ("synth_prints.py", "speed"), ("synth_templates.py",))

if __name__ == "__main__":
    for name, *options in SCRIPTS:
        print(f"== {name}", flush=True)
        code = subprocess.run([sys.executable, str(HERE / name), *options], check=False).returncode
        if code:
            sys.exit(code)
