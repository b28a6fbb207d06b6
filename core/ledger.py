"""The two statements that calls run: enter them with their reservations, and end them with their costs.

The second also writes what they add to the roll-ups (``core.spending``), so these hold what the ledger holds, at every moment.

Each takes many calls at once, so it is one round trip and one lock of the budget rows for all of them. Budget rows and entries
are locked in the order of their ids. Nothing here decides: the rows that come back say what stood in the way.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, Numeric, Row, String, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

_ASKED: dict[str, TypeEngine[Any]] = {
    "kind": String(),
    "agent": String(),
    "provider": String(),
    "model": String(),
    "record_id": BigInteger(),
    "article_id": BigInteger(),
    "attempt": Integer(),
    "worst": Numeric(14, 8),
    "ceiling": Numeric(14, 8),
    "leased": Boolean(),
}
_GIVEN: dict[str, TypeEngine[Any]] = {
    "entry": BigInteger(),
    "status": String(),
    "cost": Numeric(14, 8),
    "input": Integer(),
    "cached": Integer(),
    "output": Integer(),
    "thinking": Integer(),
    "credits": Numeric(12, 4),
    "error_kind": String(),
    "error_message": String(),
}


def _statement(sql: str, columns: Mapping[str, TypeEngine[Any]]) -> TextClause:
    """``sql`` with ``{columns}`` as a table of one row a call, from an array a column."""
    arrays = ", ".join(f":{name}" for name in columns)
    table = f"unnest({arrays}) WITH ORDINALITY AS call({', '.join(columns)}, position)"
    return text(sql.format(columns=table)).bindparams(*[bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()])


# Calls are let in one after another: what a budget has left for one is what those before it in the list leave of it.
_ENTER = _statement(
    """
WITH asked AS (
    SELECT * FROM {columns}
), due AS (
    SELECT id, scope, limit_usd, spent_usd, reserved_usd FROM budgets
    WHERE :paid AND (scope, key) IN (('day', :day), ('month', :month), ('batch', :batch))
    ORDER BY id FOR UPDATE
), room AS (
    SELECT NOT :paid OR count(*) FILTER (WHERE scope <> 'batch') = 2 AS complete, min(limit_usd - spent_usd - reserved_usd) AS usd FROM due
), article AS (
    SELECT article_id, sum(CASE status WHEN 'RESERVED' THEN reserved_usd ELSE usd END) AS spent FROM ledger_entries
    WHERE batch_id = CAST(:batch_id AS bigint) AND article_id IN (SELECT article_id FROM asked WHERE ceiling IS NOT NULL)
    GROUP BY article_id
), allowed AS (
    SELECT asked.*, coalesce(article.spent, 0) AS spent,
           NOT leased OR coalesce(r.lease_owner = :owner AND r.status = 'PROCESSING' AND b.status <> 'CANCELLED', false) AS is_ours,
           ceiling IS NULL OR ceiling - coalesce(article.spent, 0)
                              >= sum(worst) OVER (PARTITION BY asked.article_id ORDER BY asked.position) AS under_ceiling
    FROM asked
    LEFT JOIN article ON article.article_id = asked.article_id
    LEFT JOIN batch_records r ON r.id = asked.record_id
    LEFT JOIN batch_sessions b ON b.id = r.batch_id
), verdict AS (
    SELECT allowed.*, complete, complete AND is_ours AND under_ceiling AND (
        worst = 0 OR sum(CASE WHEN is_ours AND under_ceiling THEN worst ELSE 0 END) OVER (ORDER BY position) <= room.usd
    ) AS go
    FROM allowed, room
), let_in AS MATERIALIZED (
    SELECT verdict.*, nextval(pg_get_serial_sequence('ledger_entries', 'id')) AS entry FROM verdict WHERE go
), held AS (
    UPDATE budgets SET reserved_usd = budgets.reserved_usd + total.usd
    FROM due, (SELECT sum(worst) AS usd FROM let_in) AS total WHERE budgets.id = due.id AND total.usd > 0
), entered AS (
    INSERT INTO ledger_entries (id, status, kind, agent, provider, model, batch_id, record_id, article_id, attempt, reserved_usd, owner,
                                created_at, day)
    SELECT entry, 'RESERVED', kind, agent, provider, model, CAST(:batch_id AS bigint), record_id, article_id, attempt, worst, :owner,
           CAST(:now AS timestamptz), CAST(:day AS date)
    FROM let_in
)
SELECT let_in.entry, verdict.complete, verdict.is_ours, verdict.under_ceiling, verdict.spent
FROM verdict LEFT JOIN let_in USING (position) ORDER BY position
""",
    _ASKED,
)

_END = _statement(
    """
WITH given AS (
    SELECT * FROM {columns}
), held AS (
    SELECT id FROM ledger_entries WHERE id IN (SELECT entry FROM given) AND status = 'RESERVED' ORDER BY id FOR UPDATE
), ended AS (
    UPDATE ledger_entries AS line SET status = given.status, settled_at = CAST(:now AS timestamptz), owner = NULL,
        usd = coalesce(given.cost, line.reserved_usd), input_tokens = given.input, cached_tokens = given.cached,
        output_tokens = given.output, thinking_tokens = given.thinking, search_credits = given.credits,
        error_kind = given.error_kind, error_message = given.error_message
    FROM given, held WHERE line.id = held.id AND given.entry = held.id
    RETURNING line.*
), rolled_up AS (
    INSERT INTO spend_deltas (day, slot, batch_id, publisher_id, kind, agent, provider, model, calls, released_calls, unknown_calls, usd,
                              unknown_usd, input_tokens, cached_tokens, output_tokens, thinking_tokens, search_credits)
    SELECT day, date_bin('10 minutes', CAST(:now AS timestamptz), timestamptz '2000-01-01 00:00Z'), coalesce(batch_id, 0), publisher_id,
           kind, agent, provider, model, count(*), count(*) FILTER (WHERE status = 'RELEASED'),
           count(*) FILTER (WHERE status = 'UNKNOWN'), sum(usd), coalesce(sum(usd) FILTER (WHERE status = 'UNKNOWN'), 0),
           sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(thinking_tokens), sum(search_credits)
    FROM ended, LATERAL (SELECT coalesce((SELECT publisher_id FROM articles WHERE id = ended.article_id), 0)) AS of_article(publisher_id)
    GROUP BY day, batch_id, publisher_id, kind, agent, provider, model
), moved AS (
    SELECT scope, key, sum(usd) AS usd, sum(reserved_usd) AS reserved
    FROM ended, LATERAL (VALUES
        ('day', to_char(day, 'YYYY-MM-DD')), ('month', to_char(day, 'YYYY-MM')), ('batch', CAST(batch_id AS text))
    ) AS counts_against(scope, key)
    GROUP BY scope, key HAVING sum(usd) + sum(reserved_usd) > 0
), due AS (
    SELECT budgets.id, moved.usd, moved.reserved FROM budgets JOIN moved USING (scope, key) ORDER BY budgets.id FOR UPDATE OF budgets
)
UPDATE budgets SET spent_usd = budgets.spent_usd + due.usd, reserved_usd = budgets.reserved_usd - due.reserved
FROM due WHERE budgets.id = due.id
RETURNING budgets.id, budgets.limit_usd, budgets.spent_usd, due.usd AS added
""",
    _GIVEN,
)


def enter(session: Session, calls: Sequence[Mapping[str, Any]], *, batch_id: int | None, owner: str, now: datetime) -> Sequence[Row[Any]]:
    """Enter those of a batch's calls that everything allows. One row a call: the entry's id or None, and the reasons.

    Each call has ``kind``, ``agent``, ``provider``, ``model``, ``record_id``, ``article_id``, ``attempt``, ``worst`` (USD),
    ``ceiling`` (USD or None) and ``leased``.
    """
    utc = now.astimezone(UTC)
    when = {"now": now, "day": f"{utc:%Y-%m-%d}", "month": f"{utc:%Y-%m}"}
    paid = any(call["worst"] > Decimal(0) for call in calls)
    whose = {"batch_id": batch_id, "batch": str(batch_id), "owner": owner, "paid": paid}
    return session.execute(_ENTER, _arrays(calls, _ASKED) | when | whose).all()


def end(session: Session, ends: Sequence[Mapping[str, Any]], *, now: datetime) -> Sequence[Row[Any]]:
    """Move entries out of RESERVED, each once. One row a budget that this changed, as it is now, with what was ``added`` to it.

    Each end has ``entry``, ``status``, ``cost`` (USD; None means what was reserved), ``input``, ``cached``, ``output``,
    ``thinking`` (tokens), ``credits``, ``error_kind`` and ``error_message``.
    """
    return session.execute(_END, _arrays(ends, _GIVEN) | {"now": now}).all()


def _arrays(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, TypeEngine[Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in columns}
