"""Ctrl+C and SIGTERM that wait for a moment at which nothing is half done.

Raised wherever the program happens to be, ``KeyboardInterrupt`` may fall into the middle of a statement, and what the database's driver
then says (that the connection is busy, or lost) comes out in its place.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """A block that is interrupted only where it calls the function given, or at its end; a second request interrupts it at once.

    Main thread only.

    Raises:
        KeyboardInterrupt: Ctrl+C or SIGTERM came.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
        check()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
