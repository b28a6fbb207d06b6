"""The outline of a selection: a plan's own figures for a few articles, of many what some of them come to; a launch is exact."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core import launching, text_search
from core.article_filter import ArticleFilter, Order
from core.configuration import Desk
from core.errors import NothingSelected
from core.launching import TOO_SHORT, Outline, Plan
from core.selection import Selection
from tests.conftest import NOW

ALL = ArticleFilter(ready_only=False)


@pytest.fixture
def both(desk: Desk) -> Callable[[Selection], tuple[Outline, Plan]]:
    """The outline of a selection, and the plan that a launch would follow."""

    def of(chosen: Selection) -> tuple[Outline, Plan]:
        with desk.database.session() as session:
            return launching.outline(session, chosen, desk.environment), launching.plan(session, chosen, desk.environment)

    return of


def some(articles: Any) -> list[int]:
    """Six that can run, two of them one story, and two that are too short; the newest are one of each."""
    (short,) = articles(1, body="x" * 100, published_at=NOW)
    ids = [articles(1, published_at=NOW - timedelta(hours=hours), title=f"A greenhouse of {hours}")[0] for hours in range(6)]
    return [short, *ids, *articles(1, body="y" * 50, published_at=NOW - timedelta(days=9))]


@pytest.mark.parametrize(
    "filter_",
    [ALL, ArticleFilter(), ALL.model_copy(update={"text": "greenhouse"}), ALL.model_copy(update={"as_stories": True})],
    ids=["all", "ready", "words", "stories"],
)
def test_of_few_articles_an_outline_says_what_the_plan_does(articles: Any, both: Any, filter_: ArticleFilter) -> None:
    some(articles)
    outline, planned = both(Selection.of_filter(filter_))
    assert (outline.is_exact, outline.about) == (True, "")
    assert (outline.runnable, outline.articles) == (len(planned.runnable), len(planned.runnable) + len(planned.skipped))
    assert (outline.estimate, outline.every_article, outline.one_per_story) == (
        planned.estimate,
        planned.every_article,
        planned.one_per_story,
    )
    assert launching.reasons_in_words(outline.reasons) == launching.reasons_in_words(planned.skipped)


@pytest.mark.parametrize("order", Order)
def test_of_many_the_newest_stand_for_all(articles: Any, both: Any, monkeypatch: pytest.MonkeyPatch, order: Order) -> None:
    monkeypatch.setattr(launching, "PLANNED_AT_MOST", 4)
    some(articles)
    outline, planned = both(Selection.of_filter(ALL.model_copy(update={"order": order})))
    assert len(planned.runnable) + len(planned.skipped) == 8
    assert (outline.about, outline.articles) == ("about ", 8), "counted exactly, whatever the order"
    assert (outline.runnable, outline.reasons) == (6, {TOO_SHORT: 2}), "of the newest four three can run"
    assert outline.estimate.articles == 6
    assert outline.estimate.seconds == pytest.approx(planned.estimate.seconds)


def test_of_more_than_are_counted_it_says_more_than(articles: Any, both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "PLANNED_AT_MOST", 2)
    monkeypatch.setattr(launching, "COUNTED_AT_MOST", 5)
    some(articles)
    outline, _ = both(Selection.of_filter(ArticleFilter()))
    assert (outline.about, outline.articles) == ("more than ", 5)


@pytest.mark.parametrize(("limit", "about"), [(2, ""), (5, "about ")])
def test_a_limit_is_what_is_taken(articles: Any, both: Any, monkeypatch: pytest.MonkeyPatch, limit: int, about: str) -> None:
    monkeypatch.setattr(launching, "PLANNED_AT_MOST", 3)
    some(articles)
    outline, planned = both(Selection.of_filter(ArticleFilter(), limit))
    assert (outline.about, outline.articles) == (about, limit)
    assert len(planned.runnable) == limit


@pytest.mark.parametrize("as_stories", [False, True])
def test_a_common_word_is_reckoned_from_the_few_that_have_it(
    articles: Any, both: Any, monkeypatch: pytest.MonkeyPatch, as_stories: bool
) -> None:
    monkeypatch.setattr(text_search, "COMMON", 0)
    monkeypatch.setattr(text_search, "PAGE", 0)
    monkeypatch.setattr(launching, "COMMON_AT_MOST", 3)
    some(articles)
    outline, planned = both(Selection.of_filter(ArticleFilter(text="greenhouse", as_stories=as_stories)))
    assert outline.about == "about "
    assert outline.articles >= 4, "at least those that were come upon"
    assert outline.estimate.articles == outline.runnable
    assert planned.runnable


def test_nothing_selected_is_said_as_before(both: Any) -> None:
    with pytest.raises(NothingSelected):
        both(Selection.of_filter(ArticleFilter()))
