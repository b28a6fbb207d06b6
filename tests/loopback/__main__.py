"""``python -m tests.loopback --port 0 --latency 1.0``: serve until interrupted, after printing the address on one line."""

import argparse
import json
import os
import sys
import threading
from typing import Any

from tests.loopback import Options, listen, serve


def _range(text: str) -> float | list[float]:
    """``1.0``, or ``0.5-2.0`` for anything between."""
    parts = [float(part) for part in text.split("-")]
    return parts[0] if len(parts) == 1 else parts


def _latency(text: str) -> Any:
    """A range for all providers, or ``gemini=1.0,tavily=0.2-0.4``."""
    return {name: _range(value) for name, _, value in (part.partition("=") for part in text.split(","))} if "=" in text else _range(text)


def _counts(text: str) -> list[int]:
    low, _, high = text.partition("-")
    return [int(low), int(high or low)]


def options_from(arguments: list[str]) -> tuple[argparse.Namespace, Options]:
    parser = argparse.ArgumentParser(prog="python -m tests.loopback", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--latency", type=_latency, help=_latency.__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--fabricated-quotes", type=float, metavar="SHARE", help="share of quotes that stand nowhere, 0..1")
    parser.add_argument("--fabricated-urls", type=float, metavar="SHARE", help="share of sources that no search returned, 0..1")
    parser.add_argument("--signals", type=_counts, metavar="LOW-HIGH", help="signals per article")
    parser.add_argument("--thoughts", type=_counts, metavar="LOW-HIGH", help="thinking tokens per answer")
    parser.add_argument("--cached-share", type=float, metavar="SHARE", help="share of prompt tokens served from the cache, 0..1")
    parser.add_argument("--record", metavar="PATH", help="keep what was served in this JSONL file")
    parser.add_argument("--articles", metavar="PATH", help="JSON or JSONL articles for CoinDesk (else invented ones)")
    parser.add_argument(
        "--fault", type=json.loads, action="append", dest="faults", metavar="JSON", help='{"kind": "overloaded", "first_n": 5}'
    )
    parser.add_argument("--key", action="append", default=[], metavar="PROVIDER=KEY", help="accept this key instead of the usual one")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON", help="any of the above in one object")
    parser.add_argument("--leave-with-stdin", action="store_true", help="end when standard input is closed")
    given = parser.parse_args(arguments)
    named = (
        "latency",
        "seed",
        "fabricated_quotes",
        "fabricated_urls",
        "signals",
        "thoughts",
        "cached_share",
        "record",
        "articles",
        "faults",
    )
    values = {name: getattr(given, name) for name in named if getattr(given, name) is not None}
    options = Options.read(given.options).changed(values)
    keys: dict[str, list[str]] = {}
    for pair in given.key:
        provider, _, key = pair.partition("=")
        keys.setdefault(provider, []).append(key)
    return given, options.changed({"keys": options.keys | keys})


def _leave_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    given, options = options_from(sys.argv[1:])
    bound, server = listen(given.port), serve(options)
    if given.leave_with_stdin:
        threading.Thread(target=_leave_with_stdin, daemon=True).start()
    print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
    server.run(sockets=[bound])


if __name__ == "__main__":
    main()
