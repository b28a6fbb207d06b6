"""A whole run of every article through the real Gemini and Tavily clients, against providers that keep what they were asked."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core import launching
from core.access import local
from core.article_filter import ArticleFilter
from core.clock import utc_now
from core.configuration import Desk
from core.models import BatchStatus
from core.selection import Selection
from tests.core.test_run import finish
from tests.loopback import LoopbackProviders


@pytest.fixture
def providers() -> Iterator[LoopbackProviders]:
    with LoopbackProviders(keep_exchanges=True, signals=(1, 3), seed=5) as loopback:
        yield loopback


@pytest.fixture
def run(database: Any, make_settings: Any, providers: LoopbackProviders) -> Callable[..., Desk]:
    """``run()`` analyses all articles to the end, with budgets that are not what is tested."""

    def to_the_end(**settings: Any) -> Desk:
        keys = providers.env()
        given = {
            "gemini_api_key": keys["GEMINI_API_KEY"],
            "gemini_base_url": providers.url,
            "tavily_api_key": keys["TAVILY_API_KEY"],
            "tavily_base_url": providers.url,
            "daily_budget": "90",
            "monthly_budget": "100",
        }
        desk = Desk(database, make_settings(**(given | settings)))
        selection = Selection.of_filter(ArticleFilter())
        with database.session() as session:
            batch_id = launching.launch(session, selection, desk.settings(session), by=local("tester"), now=utc_now())
        progress = finish(desk, batch_id, patience=240)
        assert progress.status is BatchStatus.COMPLETED
        return desk

    return to_the_end
