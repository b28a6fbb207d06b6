"""Roll-ups and the list of articles: after whatever was written, they are what a rebuild would make of it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from core import articles as core_articles
from core import reports, reviews, rollups, signals
from core.access import local
from core.articles import delete_articles, publishers
from core.configuration import Desk
from core.importers.import_articles import import_articles
from core.models import Analysis, Article, Decision, Publisher, Review, Signal
from core.signal_filter import SignalFilter
from tests.actors import ANN
from tests.conftest import NOW, an_article
from tests.core.answered import a_signal, keep, validated

KEPT = {
    "list": "SELECT article_id, publisher_id, analysed_with, thousands, is_active, is_sample, published_at, body_chars, promise, story_id"
    " FROM article_list JOIN article_cells ON article_cells.id = cell_id ORDER BY 1",
    "publishers": "SELECT day, publisher_id, sum(articles), sum(signals), sum(accepted) FROM publisher_days GROUP BY 1, 2"
    " HAVING (sum(articles), sum(signals), sum(accepted)) <> (0, 0, 0) ORDER BY 1, 2",
    "signals": "SELECT day, kind, verdict, decision, sum(signals) FROM signal_days GROUP BY 1, 2, 3, 4 HAVING sum(signals) <> 0 ORDER BY 1, 2, 3, 4",
    "categories": "SELECT category, sum(signals) FROM signal_categories GROUP BY 1 HAVING sum(signals) <> 0 ORDER BY 1",
    "decisions": "SELECT * FROM standing_decisions ORDER BY signal_id",
    "words": "SELECT article_id, search::text FROM article_words ORDER BY 1",
    "sums": "SELECT reviewer, in_bulk, about, name, decision, sum(number), sum(confidence), sum(error) FROM decision_sums"
    " GROUP BY 1, 2, 3, 4, 5 HAVING sum(number) <> 0 ORDER BY 1, 2, 3, 4, 5",
    "repeated": "SELECT id, publisher_id, published_at, is_sample, batch_id FROM signals ORDER BY id",
}


def kept(session: Session) -> dict[str, Sequence[Any]]:
    return {name: session.execute(text(query)).all() for name, query in KEPT.items()}


def assert_right(desk: Desk) -> dict[str, Sequence[Any]]:
    """What is kept is what a rebuild makes, and folding changes no sum; returns it."""
    with desk.database.session() as session:
        found = kept(session)
        rollups.fold(session)
        assert kept(session) == found
        assert not session.scalar(text("SELECT count(*) FROM publisher_days WHERE NOT folded"))
        rollups.rebuild(session)
        made = kept(session)
    for name, rows in found.items():
        assert rows == made[name], name
    return found


def number_of(desk: Desk, name: str) -> int:
    return len(desk.transaction(kept)[name])


def decide_on(desk: Desk, *ids: int, decision: Decision = Decision.ACCEPTED) -> None:
    for signal_id in ids:
        desk.transaction(lambda session, signal_id=signal_id: reviews.decide(session, signal_id, decision, by=local("ada")))  # type: ignore[misc]


def test_an_import_an_analysis_and_a_validation(desk: Desk, articles: Any) -> None:
    one, _ = articles(2)
    articles(1, publisher="CoinDesk", is_sample=True)
    found = keep(desk, one, a_signal(), a_signal(category="flows"))
    validated(desk, found[0])
    rows = assert_right(desk)
    assert sum(row[2] for row in rows["publishers"]) == 3
    assert [row[4] for row in rows["signals"]] == [1, 1]
    assert [row.analysed_with for row in rows["list"]].count([]) == 2


def test_an_article_that_comes_again_with_another_date_or_text(desk: Desk, articles: Any) -> None:
    article = an_article()
    import_articles(desk, "test", [article], by=ANN)
    (id_,) = desk.transaction(lambda session: session.scalars(select(Article.id)).all())
    decide_on(desk, *keep(desk, id_, a_signal()))
    longer = {"body": article.body + " It says more now."}
    for change in ({"published_at": NOW - timedelta(days=40)}, longer):
        article = replace(article, **change)
        assert import_articles(desk, "test", [article], by=ANN).updated == 1
        assert_right(desk)
    assert [row.analysed_with for row in desk.transaction(kept)["list"]] == [[]], "the text is another one"


def test_decisions_undone_withdrawn_corrected_and_made_on_many(desk: Desk, articles: Any) -> None:
    found = keep(desk, articles(1)[0], *[a_signal(category=name) for name in ("mining", "flows", "macro")])
    decide_on(desk, *found)
    assert number_of(desk, "decisions") == 3
    desk.transaction(lambda session: reviews.undo(session, found[0], by=local("ada")))
    decide_on(desk, found[1], decision=Decision.WITHDRAWN)
    desk.transaction(lambda session: reviews.correct(session, found[2], reviews.Correction(category="energy"), by=local("ada")))
    validated(desk, found[2])
    assert [row[0] for row in assert_right(desk)["categories"]] == ["energy", "flows", "mining"]
    assert number_of(desk, "decisions") == 1
    everything = SignalFilter()
    asked = desk.transaction(lambda session: reviews.matched(session, everything))
    bulk, _ = desk.transaction(lambda session: reviews.decide_all(session, everything, Decision.REJECTED, by=local("ada"), asked=asked))
    assert_right(desk)
    assert [row.decision for row in desk.transaction(kept)["decisions"]] == ["rejected"] * 3
    desk.transaction(lambda session: reviews.undo_all(session, bulk, by=local("ada")))
    assert_right(desk)
    assert number_of(desk, "decisions") == 1


def test_deletion_takes_everything_with_it(desk: Desk, articles: Any) -> None:
    ids = articles(3)
    decide_on(desk, *keep(desk, ids[0], a_signal(), a_signal()))
    desk.transaction(lambda session: delete_articles(session, ids[:2], by=ANN))
    rows = assert_right(desk)
    assert [len(rows[name]) for name in ("list", "publishers", "signals", "categories", "decisions")] == [1, 1, 0, 0, 0]


def test_research_again_makes_an_article_unfinished(desk: Desk, articles: Any) -> None:
    (id_,) = articles(1)
    keep(desk, id_, a_signal())
    desk.transaction(lambda session: session.execute(update(Analysis).values(completed_at=None)))
    assert [row.analysed_with for row in assert_right(desk)["list"]] == [[]]
    desk.transaction(lambda session: session.execute(delete(Analysis)))
    assert_right(desk)


def test_what_is_put_right_by_hand_is_followed(desk: Desk, articles: Any) -> None:
    decide_on(desk, *keep(desk, articles(1)[0], a_signal()))
    desk.transaction(lambda session: session.execute(update(Review).values(reviewer="ida", created_at=NOW)))
    desk.transaction(lambda session: session.execute(update(Analysis).values(model="another")))
    desk.transaction(lambda session: session.execute(update(Article).values(is_active=False, is_sample=True)))
    rows = assert_right(desk)
    assert (rows["decisions"][0].reviewer, rows["decisions"][0].model) == ("ida", "another")


def test_figures_read_from_roll_ups_are_those_of_the_tables(desk: Desk, articles: Any) -> None:
    found = keep(desk, articles(1, publisher="CoinDesk")[0], a_signal(), a_signal(category="flows"), a_signal())
    keep(desk, articles(1)[0], a_signal(category="flows"))
    articles(1, is_sample=True)
    decide_on(desk, found[0])
    with desk.database.session() as session:
        assert core_articles.counts(session) == (3, 1)
        assert {row.name: row.articles for row in publishers(session)} == {"CoinDesk": 1, "Hashyard": 2}
        assert reports.publishers_by_signals(session) == [("CoinDesk", 3, 1), ("Hashyard", 1, 0)]
        assert sum(number for _, _, number in reports.signals_by_day(session, since=(NOW - timedelta(days=60)).date())) == 4
        assert signals.categories(session) == ["flows", "mining"]


def test_writers_at_once_wait_for_nobody_and_lose_nothing(desk: Desk, articles: Any) -> None:
    ids = articles(8)
    found = [signal_id for id_ in ids for signal_id in keep(desk, id_, a_signal(), a_signal())]

    def work(number: int) -> None:
        mine = found[:8][number::4]
        decide_on(desk, *mine)
        for signal_id in mine[::2]:
            validated(desk, signal_id)
            desk.transaction(lambda session, signal_id=signal_id: reviews.undo(session, signal_id, by=local("ada")))  # type: ignore[misc]
        desk.transaction(rollups.fold)
        desk.transaction(
            lambda session: session.execute(
                update(Article).where(Article.id == ids[number]).values(published_at=NOW - timedelta(days=number))
            )
        )
        desk.transaction(lambda session: delete_articles(session, [ids[number + 4]], by=ANN))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert_right(desk)
    assert number_of(desk, "list") == 4


def test_two_writers_of_one_day_do_not_wait_for_each_other(desk: Desk, articles: Any) -> None:
    one, other = (keep(desk, id_, a_signal())[0] for id_ in articles(2, published_at=NOW))
    with desk.database.session() as holding:
        reviews.decide(holding, one, Decision.ACCEPTED, by=local("ada"))
        with desk.database.session() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            reviews.decide(session, other, Decision.ACCEPTED, by=local("ida"))
    assert_right(desk)


def test_one_folds_at_a_time_and_the_other_goes_on(desk: Desk, articles: Any) -> None:
    articles(1)
    with desk.database.session() as holding:
        rollups.fold(holding)
        with desk.database.session() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            rollups.fold(session)
    assert_right(desk)


STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "decide", "undo", "move", "archive", "delete", "import", "fold"]), st.integers(0, 9)), max_size=14
)


@pytest.mark.slow
@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None)
def test_any_acts_in_any_order(desk: Desk, articles: Any, steps: list[tuple[str, int]]) -> None:
    with desk.database.session() as session:
        session.execute(delete(Article))
    articles(3)
    for act, number in steps:
        with desk.database.session() as session:
            ids = session.scalars(select(Article.id).order_by(Article.id)).all()
            found = session.scalars(select(Signal.id).order_by(Signal.id)).all()
            names = session.scalars(select(Publisher.id).order_by(Publisher.id)).all()
        if act == "import":
            articles(1, publisher=("CoinDesk", "NewsBTC", "Hashyard")[number % 3])
        elif act == "fold":
            desk.transaction(rollups.fold)
        elif act in ("decide", "undo") and found:
            chosen = found[number % len(found)]
            if act == "decide":
                decide_on(desk, chosen, decision=list(Decision)[number % len(Decision)])
            elif desk.transaction(lambda session, chosen=chosen: reviews.standing(reviews.acts_of(session, chosen)).newest):  # type: ignore[misc]
                desk.transaction(lambda session, chosen=chosen: reviews.undo(session, chosen, by=local("ada")))  # type: ignore[misc]
        elif ids and act in ("keep", "move", "archive", "delete"):
            id_ = ids[number % len(ids)]
            of_one = update(Article).where(Article.id == id_)
            if act == "keep":
                _keep_once(desk, id_)
            elif act == "move":
                change = of_one.values(publisher_id=names[number % len(names)], published_at=NOW - timedelta(days=number))
                desk.transaction(lambda session, change=change: session.execute(change))  # type: ignore[misc]
            elif act == "archive":
                desk.transaction(lambda session, of_one=of_one, number=number: session.execute(of_one.values(is_active=number % 2 == 0)))  # type: ignore[misc]
            else:
                desk.transaction(lambda session, id_=id_: delete_articles(session, [id_], by=ANN))  # type: ignore[misc]
    assert_right(desk)


def _keep_once(desk: Desk, article_id: int) -> None:
    with desk.database.session() as session:
        fit = session.scalar(select(Article.is_active).where(Article.id == article_id))
        done = session.scalar(select(Analysis.id).where(Analysis.article_id == article_id))
    if fit and done is None:
        keep(desk, article_id, a_signal(), a_signal(category="flows"))
