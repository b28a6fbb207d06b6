"""Ctrl+C waits for a moment at which nothing is half done."""

import signal

import pytest

from console.interrupts import interruptible

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)


def work(done: list[str], *parts: str | signal.Signals, checked: bool = True) -> None:
    """Do parts one by one, a signal being one that comes in the middle of the work."""
    with interruptible() as check:
        for part in parts:
            if isinstance(part, str):
                done.append(part)
                if checked:
                    check()
            else:
                signal.raise_signal(part)


@BOTH
def test_it_waits_until_it_is_asked_for(number: signal.Signals) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, "a chunk", number, "the chunk it came in", "the next chunk")
    assert done == ["a chunk", "the chunk it came in"]


@BOTH
def test_it_waits_for_the_end_at_most(number: signal.Signals) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, number, "a chunk", "another", checked=False)
    assert done == ["a chunk", "another"]


@BOTH
def test_the_second_one_does_not_wait(number: signal.Signals) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, signal.SIGINT, "a chunk", number, "another", checked=False)
    assert done == ["a chunk"]


def test_afterwards_signals_are_handled_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_fails_inside_comes_out() -> None:
    with pytest.raises(TypeError):
        work([], signal.SIGINT, None)  # type: ignore[arg-type]
