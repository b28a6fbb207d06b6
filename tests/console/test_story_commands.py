"""Stories on the command line: what an import says of them, and both costs of an estimate."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from console.cli import app
from core.access import ITSELF
from core.configuration import Desk
from core.importers.import_articles import import_articles
from core.samples import load_samples
from tests.actors import ANN
from tests.conftest import NOW
from tests.core.test_stories import ALL


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Desk, "open", classmethod(lambda cls, *_, **__: cls(desk.database, desk.environment)))
    monkeypatch.setattr(Desk, "close", lambda _: None)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_an_estimate_of_one_article_a_story_has_both_costs(desk: Desk, run: Any) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    assert run("estimate", "--one-per-story").output.splitlines()[0] == "5 articles, 3 stories: $0.00 instead of $0.00"
    figures = json.loads(run("estimate", "--one-per-story", "--json").output)
    assert (figures["articles"], figures["every_article"]["articles"], figures["one_per_story"]["articles"]) == (3, 5, 3)
    assert (figures["skipped"], figures["skipped_reasons"]) == (2, "2 of a story of which another article is taken")
    assert json.loads(run("estimate", "--json").output)["articles"] == 5


def test_the_samples_have_two_stories_told_twice(desk: Desk) -> None:
    """Each was edited by the second publisher: another lead, other figures' spelling, some paragraphs less."""
    assert load_samples(desk, NOW, by=ITSELF).stories == 2
