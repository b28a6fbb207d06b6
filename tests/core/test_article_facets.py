"""What the Articles and Article pages count: facets, the archive, ticks beside all that match, an article's runs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from core import article_facets, launching, selection
from core.article_facets import IS_SAMPLE, facets, matched_among
from core.article_filter import Analysed, ArticleFilter
from core.article_history import runs_of
from core.articles import delete_articles, set_active
from core.configuration import Desk
from core.models import LedgerEntry, LedgerKind, LedgerStatus, RecordStatus
from core.offline.analysis import promise, promise_of
from core.paging import Count
from core.text_search import Frequency
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

ALL = ArticleFilter(ready_only=False, priority_first=False)


def found(desk: Desk, article_filter: ArticleFilter) -> set[int]:
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        rows = selection.page(session, article_filter, ready, offset=0, size=100)
        assert selection.count(session, article_filter, ready) == Count(len(rows), True)
        return {row.id for row in rows}


def test_each_choice_is_counted_by_itself(desk: Desk, articles: Any) -> None:
    analysed, _, archived = articles(3)
    articles(1, is_sample=True)
    articles(1, body="x" * 100)
    keep(desk, analysed, a_signal())
    choices: dict[str, Any] = {
        "any": {},
        "analysed": {"analysed": Analysed.YES},
        "ready": {"ready_only": True},
        "samples": IS_SAMPLE,
        "archived": {"archived": True},
    }
    with desk.database.session() as session:
        set_active(session, [archived], False, by=ANN)
        counted = facets(session, ALL.model_copy(update={"archived": False}), launching.readiness(desk.environment), choices)
    assert {name: count.value for name, count in counted.items()} == {"any": 4, "analysed": 1, "ready": 2, "samples": 1, "archived": 1}
    assert all(count.exact for count in counted.values())


@pytest.mark.parametrize("narrowed", [{}, {"since": NOW.date() - timedelta(days=3)}, {"as_stories": True}, {"excluded": (1, 2)}])
@pytest.mark.parametrize("most", [10_000, 0])
def test_words_are_counted_alike_however_they_are_looked_up(
    desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch, narrowed: dict[str, Any], most: int
) -> None:
    """By cells, among the few that were fetched, or tested one by one where they are common."""
    for days in (1, 2, 9):
        ids = articles(3, body=f"{'Taproot spends rise. ' * 120}", published_at=NOW - timedelta(days=days))
        keep(desk, ids[0], a_signal())
    articles(2, body="Nothing of the kind is said here. " * 80)
    monkeypatch.setattr(Frequency, "is_common", property(lambda often: often.rows > most))
    ready = launching.readiness(desk.environment)
    asked = ALL.model_copy(update={"text": "taproot", **narrowed})
    choices: dict[str, Any] = {one.value: {"analysed": one} for one in Analysed} | {"ready": {"ready_only": True}, "samples": IS_SAMPLE}
    with desk.database.session() as session:
        counted = facets(session, asked, ready, choices)
        for name, choice in choices.items():
            if name != "samples":
                rows = selection.page(session, asked.model_copy(update=choice), ready, offset=0, size=100)
                assert counted[name] == Count(len(rows), True), name
    assert counted["samples"].value == 0


def test_a_facet_is_exact_up_to_its_bound(desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    articles(4)
    monkeypatch.setattr(article_facets, "FACET_BOUND", 3)
    with desk.database.session() as session:
        counted = facets(session, ALL, launching.readiness(desk.environment), {"any": {}})
    assert counted["any"] == Count(3, False)


def test_an_archived_article_is_left_out_until_it_is_restored(desk: Desk, articles: Any) -> None:
    one, other = articles(2)
    with desk.database.session() as session:
        assert set_active(session, [one, 10**9], False, by=ANN) == [one]
        assert set_active(session, [one], False, by=ANN) == []
    assert found(desk, ArticleFilter()) == {other}
    assert found(desk, ALL.model_copy(update={"archived": True})) == {one}
    assert found(desk, ALL.model_copy(update={"archived": False})) == {other}
    assert found(desk, ALL) == {one, other}
    with desk.database.session() as session:
        assert set_active(session, [one, other], True, by=ANN) == [one]
    assert found(desk, ArticleFilter()) == {one, other}


def test_all_that_match_less_some_and_some_besides(desk: Desk, articles: Any) -> None:
    first, second = articles(2, publisher="CoinDesk")
    third, fourth = articles(2, publisher="Hashyard")
    with desk.database.session() as session:
        coindesk = session.scalar(text("SELECT id FROM publishers WHERE name = 'CoinDesk'"))
    matching = ALL.model_copy(update={"publishers": (coindesk,)})
    assert found(desk, matching) == {first, second}
    assert found(desk, matching.model_copy(update={"excluded": (first,)})) == {second}
    assert found(desk, matching.model_copy(update={"excluded": (first,), "besides": (fourth,)})) == {second, fourth}
    assert found(desk, ALL.model_copy(update={"ids": (first, third)})) == {first, third}
    with desk.database.session() as session:
        assert matched_among(session, matching, launching.readiness(desk.environment), [second, third]) == {second}


def test_the_runs_of_an_article_say_what_it_cost_in_each(desk: Desk, articles: Any) -> None:
    article, other = articles(2)
    keep(desk, article, a_signal())
    with desk.database.session() as session:
        batch = session.scalar(text("SELECT id FROM batch_sessions"))
        usual = {"status": LedgerStatus.SETTLED, "kind": LedgerKind.MODEL, "agent": "a", "provider": "p", "model": "m", "day": NOW.date()}
        for article_id, usd in ((article, "0.0010"), (article, "0.0003"), (other, "5")):
            session.add(LedgerEntry(**usual, batch_id=batch, article_id=article_id, usd=Decimal(usd)))
        session.flush()
        (run,) = runs_of(session, article)
        assert (run.batch_id, run.status, run.model) == (batch, RecordStatus.COMPLETED, "offline")
        assert (run.calls, run.usd, run.reason) == (2, Decimal("0.0013"), "")
        assert runs_of(session, other) == []
        delete_articles(session, [article], by=ANN)
        assert runs_of(session, article) == []
        assert session.scalars(select(LedgerEntry.usd).where(LedgerEntry.batch_id == batch)).all() != []


def test_the_score_is_what_its_parts_come_to() -> None:
    body = "Miners quietly filed a lawsuit over $5 million. " * 60
    parts = promise_of("Bitcoin price prediction: record high", body)
    assert (parts.hints, parts.filler) == (("record high", "quietly", "filed", "lawsuit"), ("price prediction",))
    assert (parts.long_enough, parts.penalty) == (True, 2)
    assert parts.score == promise("Bitcoin price prediction: record high", body) == 0.08 + 0.055 * 4 + 0.008 * 20 + 0.05 - 0.16
