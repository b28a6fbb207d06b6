"""Two accounts of one run held against each other: what the providers' own record says they served, and what the ledger says."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from core.database import Database
from core.pricing import TokenUsage, model_cost
from tests.loopback import Entry, read_record, totals

TASKS = {"ContentAnalysis": "content_analysis", "SignalValidation": "signal_validation", "search": "research"}
"""The agent whose work a task of the record is."""
USD_PER_CREDIT = Decimal("0.008")
KEPT_WITHIN_SECONDS = 1.0
"""Settling a call and keeping its answer are two transactions, one right after the other."""

Figures = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger entry; ``figures`` are prompt, cached, answer and thinking tokens, and search credits."""

    article_id: int
    agent: str
    status: str
    figures: Figures
    usd: Decimal
    error_kind: str | None
    settled_at: datetime | None


def read_ledger(database: Database) -> list[Line]:
    with database.session() as session:
        rows = session.execute(
            text(
                "SELECT article_id, agent, status, input_tokens, cached_tokens, output_tokens, thinking_tokens, search_credits,"
                " usd, error_kind, settled_at FROM ledger_entries ORDER BY id"
            )
        ).all()
    return [Line(row[0], row[1], row[2], (row[3], row[4], row[5], row[6], int(row[7])), *row[8:]) for row in rows]


def figures_of(entry: Entry) -> Figures:
    return entry.prompt, entry.cached, entry.candidates, entry.thoughts, entry.credits


def served_usd(entries: Iterable[Entry]) -> Decimal:
    """What the providers will charge, from their own count."""
    return sum((_charge(entry) for entry in entries if entry.billed), Decimal(0))


def _charge(entry: Entry) -> Decimal:
    if entry.provider == "tavily":
        return entry.credits * USD_PER_CREDIT
    return model_cost(f"google:{entry.model}", TokenUsage(entry.prompt, entry.cached, entry.candidates, entry.thoughts), {})


@dataclass(frozen=True, slots=True)
class Accounts:
    """Both accounts, read at one moment."""

    served: list[Entry]
    ledger: list[Line]

    @classmethod
    def read(cls, record: Path, database: Database) -> "Accounts":
        return cls(read_record(record), read_ledger(database))

    def lines(self, status: str, agent: str | None = None) -> list[Line]:
        return [line for line in self.ledger if line.status == status and agent in (None, line.agent)]

    def billed(self, agent: str) -> list[Entry]:
        return [entry for entry in self.served if entry.billed and TASKS[entry.task] == agent]

    @property
    def paid_twice(self) -> dict[str, int]:
        """Work of the model that was billed more than once, and how often."""
        return {work: times for work, times in totals(self.served)["paid_twice"].items() if work.startswith("gemini")}

    def assert_they_agree(self) -> None:
        """Every settled call was served with the very same figures; what was served beyond those is covered by an UNKNOWN entry each.

        So nothing served is missing from the ledger, and nothing that was refused or released was billed.
        """
        assert not self.lines("RESERVED")
        for agent in TASKS.values():
            settled = Counter(line.figures for line in self.lines("SETTLED", agent))
            served = Counter(figures_of(entry) for entry in self.billed(agent))
            assert not settled - served, f"{agent}: settled, but never served"
            assert (served - settled).total() <= len(self.lines("UNKNOWN", agent)), f"{agent}: served, but not in the ledger"
        assert served_usd(self.served) <= sum(line.usd for line in self.ledger)

    def assert_equal(self) -> None:
        """As above, and no call is in doubt: the figures are the same to the token."""
        self.assert_they_agree()
        assert not self.lines("UNKNOWN")
        assert len(self.ledger) == len(self.served)
        assert served_usd(self.served) == sum(line.usd for line in self.ledger)

    def assert_paid_again_only_for_kills(self, finished: dict[int, datetime], kills: Sequence[float]) -> int:
        """Work of the model was paid again only where a kill fell between call and keeping, and never once its article was done.

        Such a call ended UNKNOWN; or it was settled and its answer, a moment later, not yet kept. Returns how many of the latter.
        """
        settled_not_kept = 0
        for work, times in self.paid_twice.items():
            calls = [entry for entry in self.served if entry.work == work]
            agent = TASKS[calls[0].task]
            same = [line for line in self.lines("SETTLED", agent) if line.figures == figures_of(calls[0])]
            assert len({line.article_id for line in same}) == 1, f"{work} is not in the ledger, or of two articles"
            article_id = same[0].article_id
            in_doubt = [line for line in self.lines("UNKNOWN", agent) if line.article_id == article_id]
            assert times <= len(same) + len(in_doubt)
            for line in same[:-1]:
                assert line.settled_at is not None
                waited = min((kill - line.settled_at.timestamp() for kill in kills if kill >= line.settled_at.timestamp()), default=1e9)
                assert waited < KEPT_WITHIN_SECONDS, f"article {article_id}: {agent} was settled {waited:.1f} s before a kill, and not kept"
            settled_not_kept += len(same) - 1
            assert max(entry.started for entry in calls) <= finished[article_id].timestamp()
        return settled_not_kept


def finishing_times(database: Database, batch_id: int) -> dict[int, datetime]:
    """When each article of the batch was done."""
    with database.session() as session:
        return dict(
            session.execute(
                text("SELECT article_id, finished_at FROM batch_records WHERE batch_id = :id AND status = 'COMPLETED'"), {"id": batch_id}
            ).all()
        )


def assert_budgets_hold(database: Database) -> None:
    """No budget is passed, nothing is held any more, and each says what the ledger says."""
    with database.session() as session:
        budgets = session.execute(text("SELECT scope, key, limit_usd, spent_usd, reserved_usd FROM budgets")).all()
        everything = session.scalar(text("SELECT coalesce(sum(usd), 0) FROM ledger_entries"))
        of_batch = dict(session.execute(text("SELECT batch_id, sum(usd) FROM ledger_entries GROUP BY batch_id")).all())
    assert budgets
    for scope, key, limit, spent, reserved in budgets:
        assert reserved == 0
        assert spent <= limit
        assert spent == (of_batch.get(int(key), Decimal(0)) if scope.lower() == "batch" else everything)
