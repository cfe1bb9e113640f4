"""The one picture of docs/architecture.md, checked by import-linter with the contracts in pyproject.toml."""

import subprocess
import sys
from pathlib import Path


def test_layers(root: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
