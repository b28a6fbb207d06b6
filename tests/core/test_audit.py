"""The audit log: an entry with every change, in its transaction, that nobody can change or delete afterwards."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core import articles as article_actions
from core import audit, backups, batch_actions, launching, limits, people, records, reviews, tokens
from core.access import Permission, Role, local
from core.audit import Action, AuditFilter, Entry
from core.authorities import authorities, replace_authorities
from core.batches import progress
from core.budget import budget_states
from core.configuration import Desk, put_back, reset_setting, save_settings
from core.errors import DeskError, NotAllowed, NotPossible
from core.models import Authority, BatchRecord, BudgetScope, Decision, Publisher
from core.paging import FIRST
from core.prices import import_prices
from core.reviews import Correction
from core.selection import Selection
from core.signal_filter import SignalFilter
from tests.actors import ANN, NOBODY
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

EVERYTHING = AuditFilter()


def entries(desk: Desk, chosen: AuditFilter = EVERYTHING) -> list[Entry]:
    """Oldest first."""
    return desk.transaction(lambda session: audit.page(session, chosen, FIRST, size=500)).rows[::-1]


def told(desk: Desk, since: int = 0) -> list[tuple[str, str, Any, Any]]:
    """Action, subject, before and after of each entry but imports', oldest first."""
    return [
        (one.action, f"{one.subject_kind} {one.subject_id}", one.before, one.after)
        for one in entries(desk)
        if one.id > since and not one.action.startswith("import.")
    ]


def launch(desk: Desk, ids: list[int], budget: Decimal | None = None) -> int:
    chosen = Selection.of_ids(ids)
    return desk.transaction(lambda session: launching.launch(session, chosen, desk.environment, by=ANN, now=NOW, budget=budget))


def test_a_decision_and_what_follows_it_are_told_with_what_stood_before(desk: Desk, articles: Any) -> None:
    (signal_id,) = keep(desk, articles(1)[0], a_signal())
    start = len(entries(desk))
    for act in (
        lambda session: reviews.decide(session, signal_id, Decision.ACCEPTED, by=ANN, note="Seen on chain."),
        lambda session: reviews.decide(session, signal_id, Decision.REJECTED, by=local("bea")),
        lambda session: reviews.correct(session, signal_id, Correction(category="flows"), by=ANN),
        lambda session: reviews.annotate(session, signal_id, "Ask the miner.", by=ANN),
        lambda session: reviews.undo(session, signal_id, by=ANN),
    ):
        desk.transaction(act)
    found = entries(desk)[start:]
    assert [one.actor for one in found] == ["ann", "bea", "ann", "ann", "ann"]
    assert {f"{one.subject_kind} {one.subject_id}" for one in found} == {f"signal {signal_id}"}
    assert [one.action for one in found] == [Action.DECIDE, Action.DECIDE, Action.CORRECT, Action.NOTE, Action.UNDO]
    assert (found[0].before, (found[0].after or {})["decision"], (found[0].after or {})["note"]) == (None, "accepted", "Seen on chain.")
    assert (found[1].before, (found[1].after or {})["decision"]) == ({"decision": "accepted"}, "rejected")
    assert found[2].after == {"corrected_category": "flows"}
    assert found[3].before == {"decision": "rejected", "corrected_category": "flows"}


def test_one_decision_on_many_is_one_entry(desk: Desk, articles: Any) -> None:
    for article_id in articles(3):
        keep(desk, article_id, a_signal())
    asked = desk.transaction(lambda session: reviews.matched(session, SignalFilter()))
    start = entries(desk)[-1].id
    bulk, _ = desk.transaction(lambda session: reviews.decide_all(session, SignalFilter(), Decision.REJECTED, by=ANN, asked=asked))
    desk.transaction(lambda session: reviews.undo_all(session, bulk, by=ANN))
    decided, undone = told(desk, start)
    assert decided[:2] == (Action.DECIDE_ALL, f"bulk {bulk}")
    assert (decided[3]["decision"], decided[3]["number"]) == ("rejected", 3)
    assert undone == (Action.UNDO_ALL, f"bulk {bulk}", None, {"taken back": 3, "left": 0})


def test_what_is_done_with_a_run_is_told_once_each(desk: Desk, articles: Any) -> None:
    batch = launch(desk, articles(3), Decimal(1))
    for _ in range(2):  # what changes nothing is no entry
        desk.transaction(lambda session: batch_actions.pause(session, batch, by=ANN))
    for _ in range(2):
        desk.transaction(lambda session: batch_actions.resume(session, batch, by=ANN))
    record = desk.transaction(lambda session: session.scalars(select(BatchRecord.id).where(BatchRecord.batch_id == batch)).first()) or 0
    desk.transaction(lambda session: records.cancel_one(session, record, by=ANN, now=NOW))
    desk.transaction(lambda session: batch_actions.requeue(session, record, by=ANN))
    desk.transaction(lambda session: batch_actions.pause_now(session, batch, by=ANN))
    for _ in range(2):
        desk.transaction(lambda session: batch_actions.cancel(session, batch, by=ANN, now=NOW))
    found = told(desk)
    assert [(action, subject) for action, subject, _, _ in found] == [
        (Action.LAUNCH, f"run {batch}"),
        (Action.PAUSE, f"run {batch}"),
        (Action.RESUME, f"run {batch}"),
        (Action.TAKE_OUT, f"record {record}"),
        (Action.QUEUE, f"record {record}"),
        (Action.STOP, f"run {batch}"),
        (Action.CANCEL, f"run {batch}"),
    ]
    launched = found[0][3]
    assert Decimal(launched.pop("estimate_usd")) == 0
    assert launched == {"articles": 3, "skipped": 0, "model": "offline", "limit_usd": "1"}
    assert found[1][3] == {"status": "PAUSED", "reason": "Paused by ann."}


def test_the_run_s_own_pause_is_nobody_s_decision(desk: Desk, articles: Any) -> None:
    batch = launch(desk, articles(1))
    desk.transaction(lambda session: batch_actions.pause_for_cause(session, batch, "The key is refused.", kind="key"))
    assert [action for action, *_ in told(desk)] == [Action.LAUNCH]


def test_money_is_told_to_the_cent(desk: Desk, articles: Any) -> None:
    batch = launch(desk, articles(1), Decimal("1.50"))
    (budget,) = desk.transaction(lambda session: budget_states(session, [(BudgetScope.BATCH, str(batch))]))
    event = desk.transaction(lambda session: limits.change_limit(session, budget.id, Decimal("2.25"), by=ANN))
    desk.transaction(lambda session: limits.undo(session, event, by=ANN))
    desk.transaction(lambda session: limits.top_up(session, budget.id, Decimal("0.75"), by=ANN))
    of_money = [
        (action, {k: Decimal(v) for k, v in before.items()}, Decimal(after["limit"])) for action, _, before, after in told(desk)[1:]
    ]
    assert of_money == [
        (Action.CHANGE_LIMIT, {"limit": Decimal("1.5")}, Decimal("2.25")),
        (Action.UNDO_LIMIT, {"limit": Decimal("2.25")}, Decimal("1.5")),
        (Action.TOP_UP, {"limit": Decimal("1.5")}, Decimal("2.25")),
    ]


def test_settings_sources_and_publishers(desk: Desk, articles: Any) -> None:
    articles(1, publisher="Hashyard")
    environment = desk.environment
    desk.transaction(lambda session: save_settings(session, environment, {"concurrency": 8}, by=ANN))
    desk.transaction(lambda session: save_settings(session, environment, {"concurrency": 4}, by=ANN))
    desk.transaction(lambda session: put_back(session, environment, {"concurrency": 8}, by=ANN))
    for _ in range(2):
        desk.transaction(lambda session: reset_setting(session, "concurrency", by=ANN))
    table = desk.transaction(authorities)
    for _ in range(2):
        desk.transaction(lambda session: replace_authorities(session, table | {"a.example": Authority.HIGH}, by=ANN))
    publisher = desk.transaction(lambda session: session.scalars(select(Publisher.id)).one())
    for _ in range(2):
        desk.transaction(lambda session: article_actions.set_priorities(session, {publisher: True}, by=ANN))
    assert told(desk) == [
        (Action.SAVE_SETTING, "setting concurrency", None, {"value": 8}),
        (Action.SAVE_SETTING, "setting concurrency", {"value": 8}, {"value": 4}),
        (Action.SAVE_SETTING, "setting concurrency", {"value": 4}, {"value": 8}),
        (Action.RESET_SETTING, "setting concurrency", {"value": 8}, None),
        (Action.AUTHORITY, "web sources 1", {}, {"a.example": "HIGH"}),
        (Action.PRIORITY, f"publisher {publisher}", {"name": "Hashyard", "priority": False}, {"priority": True}),
    ]


def test_articles_come_and_go(desk: Desk, articles: Any) -> None:
    ids = articles(2, title="Old news")
    begun, ended = entries(desk)
    assert (begun.action, ended.action) == (Action.BEGIN_IMPORT, Action.END_IMPORT)
    assert (ended.subject_id, ended.after) == ("test", {"new": 2, "updated": 0, "unchanged": 0, "rejected": 0})
    for active in (False, False, True):
        desk.transaction(lambda session, active=active: article_actions.set_active(session, ids[:1], active, by=ANN))  # type: ignore[misc]
    desk.transaction(lambda session: article_actions.delete_articles(session, ids, by=ANN))
    assert told(desk) == [
        (Action.ARCHIVE, f"article {ids[0]}", None, {"number": 1, "ids": ids[:1]}),
        (Action.RESTORE, f"article {ids[0]}", None, {"number": 1, "ids": ids[:1]}),
        (Action.DELETE, "articles 2", {"number": 2, "ids": ids, "titles": ["Old news", "Old news"]}, None),
    ]
    import_prices(desk, "btc.csv", b"date,close\n2026-11-24,91250.10\n", by=ANN, now=NOW)
    assert entries(desk)[-1].after == {"new": 1, "updated": 0, "first": "2026-11-24", "last": "2026-11-24"}


def test_a_feed_s_password_is_not_written(desk: Desk) -> None:
    from core.importers.import_articles import import_articles

    import_articles(desk, "https://ann:s3cret@feeds.example/rss?key=s3cret", [], by=ANN)
    assert {one.subject_id for one in entries(desk)} == {"https://feeds.example/rss"}


def test_a_backup_is_told(desk: Desk, tmp_path: Path) -> None:
    backups.back_up(desk.database, tmp_path / "desk.dump", by=ANN)
    ((action, subject, _, after),) = told(desk)
    assert (action, subject) == (Action.BACK_UP, "file desk.dump")
    assert after["bytes"] == (tmp_path / "desk.dump").stat().st_size


def test_what_is_refused_or_rolled_back_leaves_no_entry(desk: Desk, articles: Any) -> None:
    batch = launch(desk, articles(1))
    start = entries(desk)[-1].id
    with pytest.raises(NotAllowed):
        desk.transaction(lambda session: batch_actions.pause(session, batch, by=NOBODY))
    with pytest.raises(NotPossible):
        desk.transaction(lambda session: batch_actions.top_up_and_resume(session, batch, by=ANN))

    def paused_then_failed(session: Any) -> None:
        batch_actions.pause(session, batch, by=ANN)
        raise DeskError("Something else went wrong.")

    with pytest.raises(DeskError):
        desk.transaction(paused_then_failed)
    assert told(desk, start) == []
    assert desk.transaction(lambda session: progress(session, batch)).pause_reason is None


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'eve'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
def test_the_database_refuses_to_change_or_delete_what_was_written(desk: Desk, articles: Any, statement: str) -> None:
    articles(1)
    before = entries(desk)
    assert before
    with pytest.raises(DBAPIError, match="the audit log is append-only"):
        desk.transaction(lambda session: session.execute(text(statement)))
    assert entries(desk) == before


def test_the_list_is_found_by_who_and_what_and_read_a_page_at_a_time(desk: Desk) -> None:
    def add(number: int) -> None:
        who, what = (ANN, Action.NOTE) if number % 3 else (local("bea"), Action.DECIDE)
        desk.transaction(lambda session: audit.record(session, who, what, ("signal", number), after={"n": number}))

    for number in range(10):
        add(number)
    chosen = AuditFilter(actor="ann")
    seen, place = [], FIRST
    while place is not None:
        page = desk.transaction(lambda session, at=place: audit.page(session, chosen, at, size=4))  # type: ignore[misc]
        seen += [int(one.subject_id) for one in page.rows]
        place = page.next  # type: ignore[assignment]
    assert seen == [8, 7, 5, 4, 2, 1]
    assert str(desk.transaction(lambda session: audit.count(session, chosen))) == "6"
    assert desk.transaction(lambda session: audit.page(session, AuditFilter(actor="ann", action=Action.DECIDE), FIRST, size=4)).rows == []
    assert desk.transaction(audit.actors) == ["ann", "bea"]


def test_roles_and_tokens_are_told_without_a_secret(desk: Desk) -> None:
    secret = desk.transaction(lambda session: tokens.create(session, "dashboard", {Permission.READ}, by=ANN, expires_at=None))
    (token,) = desk.transaction(tokens.listed)
    for _ in range(2):
        desk.transaction(lambda session: tokens.revoke(session, token.id, by=ANN))
    for role in (Role.VIEWER, Role.VIEWER, Role.ANALYST):
        desk.transaction(lambda session, role=role: people.set_role(session, "Bea@Example.org", role, by=ANN, settings=desk.environment))  # type: ignore[misc]
    desk.transaction(lambda session: people.remove(session, "bea@example.org", by=ANN, settings=desk.environment))
    assert told(desk) == [
        (Action.CREATE_TOKEN, f"token {token.id}", None, {"name": "dashboard", "scopes": ["read"], "expires_at": None}),
        (Action.REVOKE_TOKEN, f"token {token.id}", {"name": "dashboard"}, None),
        (Action.SET_ROLE, "person bea@example.org", None, {"role": "viewer"}),
        (Action.SET_ROLE, "person bea@example.org", {"role": "viewer"}, {"role": "analyst"}),
        (Action.REMOVE_ROLE, "person bea@example.org", {"role": "analyst"}, None),
    ]
    assert secret not in repr(entries(desk))
