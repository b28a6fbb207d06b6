"""Programs of the system that some tests need."""

import os
import shutil

import pytest

ALSO_IN = "/usr/sbin"


def program(*names: str, package: str) -> str:
    """The first of these that is installed. Without any the test skips, but in CI it fails."""
    found = next((path for name in names if (path := shutil.which(name) or shutil.which(name, path=ALSO_IN))), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{names[0]} is not installed (apt-get install {package})")
    return str(found)
