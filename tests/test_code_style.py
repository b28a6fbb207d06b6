"""Lint, format and types are part of every full run."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("command", ["ruff check .", "ruff format --check .", "mypy"])
def test_passes(command: str) -> None:
    result = subprocess.run([sys.executable, "-m", *command.split()], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
