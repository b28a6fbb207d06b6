"""How long the evidence check of one article takes: a long body, with quotes that stand in it, nearly stand in it, or do not.

    python -m tests.benchmarks.evidence --chars 60000 --quotes 24

Prints the milliseconds for all quotes of a kind together, with the body's normalised form made once, as for an article.
"""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.evidence import Text
from tests.benchmarks.pipeline import an_article

KINDS: dict[str, Callable[[str], str]] = {
    "exact": lambda quote: quote,
    "retyped": lambda quote: quote.upper(),
    "with slips": lambda quote: quote.replace(" the ", " ", 1).replace("e", "ee", 1),
    "made up": lambda quote: "Two people who asked not to be named said that " + quote[::-1],
}


def main(
    chars: Annotated[int, typer.Option(help="Characters of the body.")] = 60_000,
    quotes: Annotated[int, typer.Option(help="Quotes of the article.")] = 24,
) -> None:
    """Run the benchmark."""
    body = an_article(1, chars).body
    step = len(body) // (quotes + 1)
    table = Table("quotes", "found", f"ms for {quotes}")
    for kind, change in KINDS.items():
        stretches = [body[step * number : step * number + 160] for number in range(quotes)]
        wanted = [change(stretch[stretch.index(" ") + 1 : stretch.rindex(" ")]) for stretch in stretches]
        began = time.perf_counter()
        text = Text(body)
        found = sum(text.find(quote) is not None for quote in wanted)
        table.add_row(kind, str(found), f"{(time.perf_counter() - began) * 1000:.1f}")
    Console(width=60).print(table)


if __name__ == "__main__":
    typer.run(main)
