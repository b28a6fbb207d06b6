"""What the command line prints: results on standard output, notes and progress on standard error."""

import json
import logging
from datetime import timedelta
from typing import Any

import typer
from rich.console import Console

from console.words import duration, money
from core import batches, exports, launching
from core.clock import utc_now
from core.logs import is_structured

logger = logging.getLogger("console")

notes = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def announce(words: str) -> None:
    """Tell whoever waits for a service what it does; in the form of the log where that is for machines."""
    if is_structured():
        logger.info("%s", words)
    else:
        typer.echo(f"Signal Desk: {words}", err=True)


def print_estimate(planned: launching.Plan, skipped: str, *, by_story: bool, as_json: bool) -> None:
    """The figures; also what one article a story costs, where it was asked for or would cost less."""
    figures = planned.estimate
    if as_json:
        costs = {"every_article": planned.every_article, "one_per_story": planned.one_per_story}
        both = {name: {"articles": cost.articles, "usd": cost.usd, "usd_at_most": cost.usd_at_most} for name, cost in costs.items()}
        print_json({**figures.as_json(), **both, "skipped": len(planned.skipped), "skipped_reasons": skipped})
        return
    if by_story or planned.has_repeats:
        typer.echo(launching.stories_in_words(planned))
    typer.echo(f"{figures.articles:,} articles" + (f" ({skipped} skipped)" if skipped else ""))
    typer.echo(f"about {money(figures.usd)}, at most {money(figures.usd_at_most)}; about {duration(figures.seconds)}")
    typer.echo(f"{figures.input_tokens:,} tokens in, {figures.output_tokens:,} out, {figures.searches:,} searches")


def print_batch(state: batches.Progress, as_json: bool) -> None:
    counts = {status.value.lower(): number for status, number in state.counts.items()}
    took = ((state.finished_at or utc_now()) - (state.started_at or state.created_at)) if state.created_at else timedelta(0)
    if as_json:
        print_json(
            {
                "batch": state.id,
                "status": state.status,
                "model": state.model,
                "research": state.research,
                "total": state.total,
                **counts,
                "estimated_usd": state.estimated_usd,
                "spent_usd": state.spent_usd,
                "seconds": round(took.total_seconds(), 3),
                "pause_reason": state.pause_reason,
            }
        )
        return
    typer.echo(f"Batch {state.id}: {state.status.value}, {state.model} and {state.research}")
    typer.echo("  " + ", ".join(f"{number:,} {name}" for name, number in counts.items() if number))
    typer.echo(f"  {money(state.spent_usd)} spent ({money(state.estimated_usd)} estimated) in {duration(took.total_seconds())}")
    if state.pause_reason:
        typer.echo(f"  {state.pause_reason}")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(exports.as_json(value), ensure_ascii=False, indent=2))
