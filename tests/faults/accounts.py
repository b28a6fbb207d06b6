"""Two accounts of one run held against each other: what the providers' own record says they served, and what the ledger says."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from core.database import Database
from core.pricing import TokenUsage, model_cost
from tests.loopback import Entry, read_record, subject_of, totals

TASKS = {"ContentAnalysis": "content_analysis", "SignalValidation": "signal_validation", "search": "research"}
"""The agent whose work a task of the record is."""
USD_PER_CREDIT = Decimal("0.008")

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
    created_at: datetime
    settled_at: datetime | None


def read_ledger(database: Database) -> list[Line]:
    with database.session() as session:
        rows = session.execute(
            text(
                "SELECT article_id, agent, status, input_tokens, cached_tokens, output_tokens, thinking_tokens, search_credits,"
                " usd, error_kind, created_at, settled_at FROM ledger_entries ORDER BY id"
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
class Finished:
    """An article that is done: when it was, and the providers' name for its text."""

    at: datetime
    subject: str


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

    def assert_no_answer_was_paid_twice(self, finished: dict[int, Finished], searches_kept: int) -> None:
        """What was answered and settled was not asked for again, whatever was killed; only a call that a kill fell into was.

        Such a call ended UNKNOWN. Content analysis is followed by the article's text in the providers' record; validation, whose
        prompt names no article, by its figures in the ledger; searches by those that validations say they rest on.
        """
        for article_id, article in finished.items():
            lines = [line for line in self.ledger if line.article_id == article_id]
            settled = Counter(line.agent for line in lines if line.status == "SETTLED")
            assert settled["content_analysis"] == 1
            assert settled["signal_validation"] <= 1
            calls = [entry for entry in self.billed("content_analysis") if entry.subject == article.subject]
            in_doubt = [line for line in lines if line.agent == "content_analysis" and line.status == "UNKNOWN"]
            assert 1 <= len(calls) <= 1 + len(in_doubt)
            assert max(entry.started for entry in calls) <= article.at.timestamp()
            assert max(line.created_at for line in lines) <= article.at  # no call of any kind, once it is done
        for work, times in self.paid_twice.items():
            entry = next(entry for entry in self.served if entry.work == work)
            of_agent = [line for line in self.ledger if line.agent == TASKS[entry.task]]
            same = Counter(line.article_id for line in of_agent if line.status == "SETTLED" and line.figures == figures_of(entry))
            in_doubt_of = Counter(line.article_id for line in of_agent if line.status == "UNKNOWN")
            assert any(times <= same[article_id] + in_doubt_of[article_id] for article_id in (same or in_doubt_of)), (
                f"{work} paid {times} times"
            )
        assert len(self.lines("SETTLED", "research")) == searches_kept


def searches_kept(database: Database) -> int:
    """Searches of the web that the validations of signals rest on; two signals of an article may share one."""
    with database.session() as session:
        return (
            session.scalar(
                text(
                    "SELECT count(DISTINCT (signals.article_id, made ->> 'query')) FROM validations JOIN signals ON signals.id = signal_id,"
                    " jsonb_array_elements(CAST(searches AS jsonb) -> 'made') AS made"
                    " WHERE made ->> 'provider' = 'tavily'"
                )
            )
            or 0
        )


def finished_articles(database: Database, batch_id: int) -> dict[int, Finished]:
    with database.session() as session:
        rows = session.execute(
            text(
                "SELECT r.article_id, r.finished_at, a.body FROM batch_records r JOIN articles a ON a.id = r.article_id"
                " WHERE r.batch_id = :id AND r.status = 'COMPLETED'"
            ),
            {"id": batch_id},
        ).all()
    return {article_id: Finished(at, subject_of(body)) for article_id, at, body in rows}


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
