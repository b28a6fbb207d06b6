"""How the Articles table fills the screen that it is on."""

from datetime import UTC, datetime
from typing import Any

import pytest

from console import articles_view, scripts
from core.article_filter import ArticleFilter
from core.article_rows import ArticleRow


def row(**changes: Any) -> ArticleRow:
    given: dict[str, Any] = {
        "id": 1,
        "title": "A title",
        "publisher": "CoinDesk",
        "published_at": datetime(2026, 11, 24, tzinfo=UTC),
        "body_chars": 2_400,
        "promise": 0.4,
        "is_priority": True,
        "is_active": True,
        "is_sample": False,
        "analysed": True,
        "in_flight": False,
        "story_size": 3,
        "first_publisher": "NewsBTC",
    }
    return ArticleRow(**(given | changes))


@pytest.mark.parametrize("as_stories", [False, True])
@pytest.mark.parametrize(("window", "table", "shown"), [(1_280, 656, 6), (1_440, 770, 6), (1_920, 1_112, 7), (2_560, 1_570, 7)])
def test_the_title_takes_what_the_other_columns_leave(
    monkeypatch: pytest.MonkeyPatch, window: int, table: int, shown: int, as_stories: bool
) -> None:
    monkeypatch.setattr(scripts, "viewport_width", lambda: window)
    listed = ArticleFilter(as_stories=as_stories)
    columns = articles_view._columns([row(story_size=1)], listed)
    drawn = articles_view._frame([row()], listed).columns[: shown - 1]  # without that of the ticks
    assert articles_view.TICKS + sum(columns[name]["width"] for name in drawn) == table
