"""The two statements that every call runs: enter it with its reservation, and end it with its cost.

Each is one statement, so one round trip and one lock of the budget rows, however many calls are in flight. Budget rows are
locked in the order of their ids. Nothing here decides: the rows that come back say what stood in the way.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Numeric, Row, String, bindparam, text
from sqlalchemy.orm import Session

_TYPES: dict[str, Any] = {
    "worst": Numeric(14, 8),
    "ceiling": Numeric(14, 8),
    "cost": Numeric(14, 8),
    "credits": Numeric(12, 4),
    "batch_id": BigInteger(),
    "record_id": BigInteger(),
    "article_id": BigInteger(),
    "now": DateTime(timezone=True),
    "error_kind": String(),
    "error_message": String(),
    "attempt": Integer(),
}


def _statement(sql: str) -> Any:
    return text(sql).bindparams(*[bindparam(name, type_=kind) for name, kind in _TYPES.items() if f":{name}" in sql])


_ENTER = _statement("""
WITH due AS (
    SELECT id, scope, key, limit_usd, spent_usd, reserved_usd FROM budgets
    WHERE CAST(:worst AS numeric) > 0 AND (scope, key) IN (('day', :day), ('month', :month), ('batch', :batch))
    ORDER BY id FOR UPDATE
), room AS (
    SELECT :worst = 0 OR count(*) FILTER (WHERE scope <> 'batch') = 2 AS complete,
           coalesce(bool_and(spent_usd + reserved_usd + :worst <= limit_usd), :worst = 0) AS fits
    FROM due
), record AS (
    SELECT coalesce((
        SELECT r.lease_owner = :owner AND r.status = 'PROCESSING' AND b.status <> 'CANCELLED'
        FROM batch_records r JOIN batch_sessions b ON b.id = r.batch_id WHERE r.id = :record_id
    ), false) OR NOT :leased AS is_ours
), article AS (
    SELECT coalesce(sum(CASE status WHEN 'RESERVED' THEN reserved_usd ELSE usd END), 0) AS spent FROM ledger_entries
    WHERE CAST(:ceiling AS numeric) IS NOT NULL AND batch_id = :batch_id AND article_id = :article_id
), verdict AS (
    SELECT complete, fits, is_ours, spent, complete AND fits AND is_ours AND (:ceiling IS NULL OR spent + :worst <= :ceiling) AS go
    FROM room, record, article
), held AS (
    UPDATE budgets SET reserved_usd = budgets.reserved_usd + :worst FROM due, verdict WHERE budgets.id = due.id AND verdict.go
), entered AS (
    INSERT INTO ledger_entries (status, kind, agent, provider, model, batch_id, record_id, article_id, attempt, reserved_usd, owner,
                                created_at, day)
    SELECT 'RESERVED', :kind, :agent, :provider, :model, :batch_id, :record_id, :article_id, :attempt, :worst, :owner,
           :now, CAST(:day AS date)
    FROM verdict WHERE go
    RETURNING id
)
SELECT entered.id AS entry, verdict.*, due.id, due.scope, due.key, due.limit_usd, due.spent_usd, due.reserved_usd
FROM verdict LEFT JOIN entered ON true LEFT JOIN due ON true ORDER BY due.id
""")

_END = _statement("""
WITH ended AS (
    UPDATE ledger_entries SET status = :status, settled_at = :now, owner = NULL, usd = coalesce(CAST(:cost AS numeric), reserved_usd),
        input_tokens = :input, cached_tokens = :cached, output_tokens = :output, thinking_tokens = :thinking,
        search_credits = :credits, error_kind = :error_kind, error_message = :error_message
    WHERE id = :entry AND status = 'RESERVED'
    RETURNING usd, reserved_usd, day, batch_id
), due AS (
    SELECT budgets.id FROM budgets, ended
    WHERE ended.usd + ended.reserved_usd > 0 AND (scope, key) IN (
        ('day', to_char(ended.day, 'YYYY-MM-DD')), ('month', to_char(ended.day, 'YYYY-MM')), ('batch', CAST(ended.batch_id AS text))
    )
    ORDER BY budgets.id FOR UPDATE OF budgets
)
UPDATE budgets SET spent_usd = budgets.spent_usd + ended.usd, reserved_usd = budgets.reserved_usd - ended.reserved_usd
FROM due, ended WHERE budgets.id = due.id
RETURNING budgets.id, budgets.scope, budgets.key, budgets.limit_usd, budgets.spent_usd, budgets.reserved_usd, ended.usd AS added
""")


def enter(
    session: Session, *, now: datetime, worst: Decimal, ceiling: Decimal | None, leased: bool, batch_id: int | None, **call: Any
) -> list[Row[Any]]:
    """Enter a call if everything allows it. Each row: the entry's id or None, the reasons, and one budget that applies."""
    utc = now.astimezone(UTC)
    return list(
        session.execute(
            _ENTER,
            {
                "now": now,
                "worst": worst,
                "ceiling": ceiling,
                "leased": leased,
                "batch_id": batch_id,
                "day": f"{utc:%Y-%m-%d}",
                "month": f"{utc:%Y-%m}",
                "batch": str(batch_id),
                **call,
            },
        )
    )


def end(session: Session, entry: int, *, status: str, cost: Decimal | None, now: datetime, **figures: Any) -> list[Row[Any]]:
    """Move an entry out of RESERVED, once; ``cost`` None means what was reserved. Each row: one budget as it is now."""
    return list(session.execute(_END, {"entry": entry, "status": status, "cost": cost, "now": now, **figures}))
