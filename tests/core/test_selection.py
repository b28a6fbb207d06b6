"""Selection: which articles a list shows, in which order, and which a launch takes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select, text, update

from core import batch_actions, launching, selection
from core.access import local
from core.article_filter import Analysed, ArticleFilter, Order
from core.articles import publisher_names, publishers, set_priority
from core.configuration import Desk
from core.models import Article
from core.paging import Count
from core.selection import Selection
from core.text_search import prefix_query
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.answered import a_signal, keep

ALL = ArticleFilter(ready_only=False, priority_first=False)
NEWEST_DAY = datetime(2026, 11, 20, tzinfo=UTC)


def found(desk: Desk, article_filter: ArticleFilter) -> list[int]:
    """The ids a filter finds, in its order; a page, a count and a launch must agree on them."""
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        ids = [row.id for row in selection.page(session, article_filter, ready, offset=0, size=1_000)]
        assert selection.count(session, article_filter, ready) == Count(len(ids), exact=True)
        assert selection.resolve(session, Selection.of_filter(article_filter), ready) == ids
    return ids


def publisher_id(desk: Desk, name: str) -> int:
    with desk.database.session() as session:
        return next(row.id for row in publishers(session) if row.name == name)


def test_ready_means_active_long_enough_and_not_analysed(desk: Desk, articles: Any) -> None:
    (ready,) = articles(1)
    articles(1, active=False)
    articles(1, body="x" * 1_999)
    (analysed,) = articles(1)
    keep(desk, analysed, a_signal())
    assert found(desk, ArticleFilter()) == [ready]
    assert len(found(desk, ALL)) == 4


def test_two_thousand_characters_are_enough(desk: Desk, articles: Any) -> None:
    ids = articles(1, body="x" * 2_000)
    assert found(desk, ArticleFilter()) == ids


def test_an_unfinished_analysis_leaves_an_article_ready(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    keep(desk, article, a_signal(), completed=False)
    assert found(desk, ArticleFilter()) == [article]


def test_another_configuration_makes_an_analysed_article_ready_again(desk: Desk, articles: Any, make_settings: Any) -> None:
    (article,) = articles(1)
    keep(desk, article, a_signal(), settings=make_settings(minimum_confidence=0.9))
    assert found(desk, ArticleFilter()) == [article]
    keep(desk, article, a_signal())
    assert found(desk, ArticleFilter()) == []


def test_a_changed_text_makes_an_analysed_article_ready_again(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    keep(desk, article, a_signal())
    with desk.database.session() as session:
        session.execute(update(Article).values(content_hash="changed"))
    assert found(desk, ArticleFilter()) == [article]


def test_analysed_or_not_is_a_filter_of_its_own(desk: Desk, articles: Any) -> None:
    analysed, other = articles(2)
    keep(desk, analysed, a_signal())
    assert found(desk, ALL.model_copy(update={"analysed": Analysed.YES})) == [analysed]
    assert found(desk, ALL.model_copy(update={"analysed": Analysed.NO})) == [other]


def test_priority_publishers_come_first_until_an_analyst_changes_it(desk: Desk, articles: Any) -> None:
    (plain,) = articles(1, publisher="Hashyard", published_at=NEWEST_DAY)
    (coindesk,) = articles(1, publisher="CoinDesk", published_at=NEWEST_DAY - timedelta(days=2))
    (crypto_potato,) = articles(1, publisher="Crypto Potato", published_at=NEWEST_DAY - timedelta(days=1))
    assert found(desk, ArticleFilter()) == [crypto_potato, coindesk, plain]
    assert found(desk, ArticleFilter(priority_first=False)) == [plain, crypto_potato, coindesk]
    with desk.database.session() as session:
        rows = publishers(session)
        assert [(row.name, row.is_priority) for row in rows] == [("CoinDesk", True), ("Crypto Potato", True), ("Hashyard", False)]
        assert list(publisher_names(session).items()) == [(row.id, row.name) for row in rows]
        set_priority(session, rows[2].id, True, by=ANN)
        set_priority(session, rows[0].id, False, by=ANN)
    assert found(desk, ArticleFilter()) == [plain, crypto_potato, coindesk]


def test_a_launch_of_picked_articles_takes_priority_publishers_first_then_the_newest(desk: Desk, articles: Any) -> None:
    (old,) = articles(1, published_at=NEWEST_DAY - timedelta(days=1))
    (new,) = articles(1, published_at=NEWEST_DAY)
    (first,) = articles(1, publisher="NewsBTC", published_at=NEWEST_DAY - timedelta(days=9))
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        assert selection.resolve(session, Selection.of_ids([old, new, first, old, 10**9]), ready) == [first, new, old]


@pytest.mark.parametrize(
    ("order", "expected"), [(Order.NEWEST, "cba"), (Order.OLDEST, "abc"), (Order.LONGEST, "bac"), (Order.PROMISING, "acb")]
)
def test_every_order(desk: Desk, articles: Any, order: Order, expected: str) -> None:
    names = {}
    for name, chars, promise in (("a", 2_500, 0.9), ("b", 3_000, 0.1), ("c", 2_000, 0.5)):
        (article,) = articles(1, body=name * chars, published_at=NEWEST_DAY + timedelta(hours=ord(name)))
        names[article] = name
        with desk.database.session() as session:
            session.execute(update(Article).where(Article.id == article).values(promise=promise))
    assert "".join(names[article] for article in found(desk, ArticleFilter(order=order))) == expected


def test_articles_of_one_moment_have_an_order_too_so_that_pages_do_not_overlap(desk: Desk, articles: Any) -> None:
    ids = articles(7, published_at=NEWEST_DAY)
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        pages = [selection.page(session, ALL, ready, offset=offset, size=3) for offset in (0, 3, 6)]
    assert [row.id for page in pages for row in page] == sorted(ids, reverse=True)


def test_dates_are_utc_days_with_both_ends_included(desk: Desk, articles: Any) -> None:
    day = date(2026, 11, 3)
    moments = ["2026-11-02T23:59:59", "2026-11-03T00:00:00", "2026-11-03T23:59:59", "2026-11-04T00:00:00"]
    ids = [articles(1, published_at=datetime.fromisoformat(f"{moment}+00:00"))[0] for moment in moments]
    assert sorted(found(desk, ALL.model_copy(update={"since": day, "until": day}))) == ids[1:3]
    assert sorted(found(desk, ALL.model_copy(update={"since": day}))) == ids[1:]
    assert sorted(found(desk, ALL.model_copy(update={"until": day}))) == ids[:3]


def test_the_ends_of_the_calendar_are_dates_like_any_other(desk: Desk, articles: Any) -> None:
    ids = articles(1)
    assert found(desk, ALL.model_copy(update={"since": date.min, "until": date.max})) == ids


def test_publishers_and_samples_are_filters(desk: Desk, articles: Any) -> None:
    (own,) = articles(1, publisher="Hashyard")
    (sample,) = articles(1, publisher="Ridge", is_sample=True)
    assert found(desk, ArticleFilter(publishers=(publisher_id(desk, "Ridge"),))) == [sample]
    assert found(desk, ArticleFilter(samples=False)) == [own]


@pytest.mark.parametrize(
    ("words", "finds"),
    [
        ("larkfield", "title"),
        ("Larkf", "title"),
        ("mining", "title"),
        ("mines", "title"),
        ("greenhouse Larkfield", "title"),
        ("greenhouse spring", ""),
        ("self-custody", "body"),
        ("& | ! ( ) : * <->", ""),
        ("'", ""),
        ("larkfield & !mining", "title"),
    ],
)
def test_a_search_finds_every_word_as_a_beginning_in_title_or_body(desk: Desk, articles: Any, words: str, finds: str) -> None:
    filler = "Nothing of interest follows here. " * 70
    ids = {
        articles(1, title="Larkfield Mining heats a greenhouse", body=filler)[0]: "title",
        articles(1, title="Wallets", body=f"Users turn to self-custody in spring. {filler}")[0]: "body",
    }
    assert "".join(ids[article] for article in found(desk, ALL.model_copy(update={"text": words}))) == finds


@given(st.text(max_size=200))
@example("_")
@example("\\ ' \" :* & | ! ( ) <->")
@example("²½ ǅ İ")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_no_search_text_can_break_the_query(desk: Desk, words: str) -> None:
    with desk.database.session() as session:
        selection.count(session, ArticleFilter(text=words), launching.readiness(desk.environment))
        session.execute(select(text("to_tsquery('english', :words)")).params(words=prefix_query(words)))


def test_an_article_in_an_open_batch_is_shown_as_in_flight_but_stays_in_the_list(desk: Desk, articles: Any) -> None:
    (article,) = articles(1)
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        batch_id = launching.launch(session, Selection.of_ids([article]), desk.environment, by=local("ada"), now=NOW)
    with desk.database.session() as session:
        assert [row.in_flight for row in selection.page(session, ArticleFilter(), ready, offset=0, size=9)] == [True]
        batch_actions.cancel(session, batch_id, now=NOW, by=ANN)
        assert [row.in_flight for row in selection.page(session, ArticleFilter(), ready, offset=0, size=9)] == [False]


def test_a_limit_takes_the_first_of_the_filters_order(desk: Desk, articles: Any) -> None:
    ids = [articles(1, published_at=NEWEST_DAY - timedelta(days=age))[0] for age in range(4)]
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        assert selection.resolve(session, Selection.of_filter(ArticleFilter(), limit=3), ready) == ids[:3]


def test_a_count_past_its_bound_says_more_than(desk: Desk, articles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    articles(4)
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        for bound, words in ((3, "more than 3"), (4, "4"), (10_000, "4")):
            monkeypatch.setattr(selection, "COUNT_BOUND", bound)
            assert str(selection.count(session, ALL, ready)) == words
    assert str(Count(10_000, exact=False)) == "more than 10,000"


def test_seventy_thousand_picked_ids_are_one_query(desk: Desk, articles: Any) -> None:
    ids = articles(2)
    picked = Selection.of_ids([*range(10**6, 10**6 + 70_000), *ids])
    with desk.database.session() as session:
        assert sorted(selection.resolve(session, picked, launching.readiness(desk.environment))) == ids


def test_a_selection_is_empty_only_without_ids_and_without_a_filter() -> None:
    assert Selection().is_empty
    assert Selection.of_ids([]).is_empty
    assert not Selection.of_ids([3]).is_empty
    assert not Selection.of_filter(ArticleFilter()).is_empty
    assert Selection.of_ids([3, 1, 3]).ids == (3, 1)


@pytest.mark.parametrize("wrong", [{"txet": "a"}, {"order": "random"}, {"text": "x" * 201}, {"since": "yesterday"}])
def test_a_filter_with_an_unknown_or_malformed_field_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ArticleFilter(**wrong)


def test_a_selection_is_read_back_from_its_json() -> None:
    chosen = Selection.of_filter(ArticleFilter(text="a", since=date(2026, 1, 2), order=Order.LONGEST), limit=5)
    assert Selection.model_validate(chosen.model_dump(mode="json")) == chosen
