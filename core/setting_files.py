"""The ``.env`` files that settings are read from."""

import stat
from collections.abc import Iterable
from pathlib import Path

from core.errors import SettingsError


def readable(named: Iterable[str | Path]) -> tuple[Path, ...]:
    """Those of the files that are there. A working directory that may not be entered has none.

    Raises:
        SettingsError: one is there and cannot be read.
    """
    found = []
    for file in map(Path, named):
        try:
            kind = file.stat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(kind):  # a pipe, as managers of secrets make them, can be read only once
            try:
                file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
                raise SettingsError(f"The settings in {file.resolve()} cannot be read: {why}.") from None
        found.append(file)
    return tuple(found)
