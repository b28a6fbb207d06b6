"""Stories: which articles are one, whatever the order they come in, and a launch that takes one of each."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core import launching, selection
from core.access import local
from core.article_filter import Analysed, ArticleFilter
from core.articles import delete_articles
from core.clock import utc_now
from core.configuration import Desk
from core.errors import NothingSelected
from core.importers.formats import read_articles
from core.importers.import_articles import import_articles
from core.importers.parsed_article import ParsedArticle
from core.models import BatchRecord, RecordStatus
from core.selection import Selection
from core.stories.groups import components, group_ungrouped, members
from core.stories.likeness import Text, are_one_story, probes, story_keys, title_words, words
from tests.actors import ANN
from tests.conftest import NOW, SHARED_DATA, an_article
from tests.core.answered import a_signal, keep

LEAD = "Our desk has followed this closely since the spring, and what follows reached us from a partner agency earlier today. "
FURNITURE = (
    "Read our newsletter. Follow us everywhere. This site uses cookies to remember what you read and to show what others paid for. " * 3
)


def prose(seed: int, sentences: int = 40) -> str:
    """A text of its own, of some 500 words with figures in them; the same seed gives the same text."""
    chance = random.Random(seed)
    vocabulary = [
        f"{start}{end}" for start in ("ha", "ber", "min", "tok", "lar", "ves", "cor") for end in ("ing", "dale", "ton", "ex", "or", "um")
    ]
    lines = (" ".join(chance.choices(vocabulary, k=12)) + f" by {chance.randint(100, 99_999)} coins" for _ in range(sentences))
    return "".join(f"{line.capitalize()}. " for line in lines)


def a_text(seed: int = 1, **values: Any) -> Text:
    usual = {"publisher_id": 1, "published_at": NOW, "title": f"Harbour number {seed} moves coins to a vault", "body": prose(seed)}
    return Text(**(usual | values))


ORIGINAL = a_text()
HALF = ORIGINAL.body[: len(ORIGINAL.body) // 2]


@pytest.mark.parametrize(
    ("copy", "one"),
    [
        ({}, True),
        ({"body": HALF}, True),
        ({"body": HALF, "title": "Coins go to the vault"}, True),
        ({"body": ORIGINAL.body[:400]}, True),
        ({"body": LEAD + ORIGINAL.body}, True),
        ({"body": LEAD + LEAD[::-1] + HALF + FURNITURE, "title": "Something else altogether happened"}, True),
        ({"body": ORIGINAL.body.upper().replace(" ", "\n\n")}, True),
        ({"body": ORIGINAL.body, "published_at": NOW + timedelta(days=6)}, True),
        ({"body": ORIGINAL.body, "published_at": NOW + timedelta(days=8)}, False),
        ({"body": prose(2)}, False),
        ({"body": prose(2), "title": "Another matter"}, False),
        ({"body": prose(2) + ORIGINAL.body[:600], "title": "Another matter"}, False),
    ],
)
@pytest.mark.parametrize("publisher", [1, 2])
def test_copies_of_a_text_are_one_story(copy: dict[str, Any], one: bool, publisher: int) -> None:
    other = a_text(**({"publisher_id": publisher, "body": ORIGINAL.body} | copy))
    other_headline_at_home = publisher == 1 and "title" in copy
    assert are_one_story(ORIGINAL, other) is (one and not other_headline_at_home)
    assert are_one_story(other, ORIGINAL) is are_one_story(ORIGINAL, other)
    if one:
        found_by = probes(ORIGINAL_KEYS, ORIGINAL.published_at)
        assert not found_by.keys().isdisjoint(story_keys(other.title, other.body, other.published_at))


ORIGINAL_KEYS = story_keys(ORIGINAL.title, ORIGINAL.body, ORIGINAL.published_at)


def test_one_text_at_another_address_of_its_publisher_is_one_story_whatever_its_headline() -> None:
    assert are_one_story(ORIGINAL, a_text(title="Coins go to the vault"))


@pytest.mark.parametrize("title", ["Bitcoin Price Analysis", "Morning Briefing", "What happened in crypto markets over night and why"])
@pytest.mark.parametrize("publisher", [1, 2])
def test_columns_of_one_title_are_not_one_story(title: str, publisher: int) -> None:
    yesterday = a_text(7, title=title, body=prose(7) + FURNITURE)
    today = a_text(8, title=title, body=prose(8) + FURNITURE, publisher_id=publisher, published_at=NOW + timedelta(days=1))
    assert not are_one_story(yesterday, today)


def test_a_site_s_furniture_does_not_make_a_story_of_its_articles() -> None:
    chrome = prose(99, sentences=200)
    one, other = (a_text(seed, body=prose(seed, 8) + chrome) for seed in (3, 4))
    assert not are_one_story(one, other)
    assert not are_one_story(one, replace(other, publisher_id=2))


def test_reports_filled_into_a_template_are_not_one_story() -> None:
    template = prose(5).translate({ord(digit): None for digit in "0123456789"})
    reports = [a_text(title="Flows of the day in numbers", body=template + f"Inflows were {n}1 and outflows {n}7 million.") for n in (3, 8)]
    assert not are_one_story(reports[0], replace(reports[1], publisher_id=2))


def test_one_headline_by_two_publishers_joins_texts_about_the_same_names_and_figures() -> None:
    title = "Larkfield Mining sells its greenhouse to a rival"
    facts = "On Tuesday the buyer Oakridge paid Larkfield 41 million for Site Nine near Bergen, said Ada Holm, after 17 months. "
    first = a_text(title=title, body=facts + "Words of one reporter about heat and tomatoes and little else follow here. ")
    again = "It took 17 months: in Bergen the firm Oakridge will run Site Nine, for which it gave 41 million, and Ada Holm leaves. "
    assert are_one_story(first, a_text(title=title, body=again, publisher_id=2))
    assert not are_one_story(first, a_text(title=title, body=prose(4), publisher_id=2))


@pytest.mark.parametrize(
    ("title", "same_as"),
    [("BREAKING: Miner’s coins move", "Miners coins move"), ("Miner moves | Opinion", "MINER MOVES"), ("Update: x", "x"), ("Live", "live")],
)
def test_a_title_is_compared_without_what_publishers_put_around_it(title: str, same_as: str) -> None:
    assert title_words(title) == title_words(same_as)


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=40), st.timedeltas(timedelta(0), timedelta(days=9)))
def test_any_two_texts_have_an_answer_and_the_same_one_both_ways(one: str, other: str, title: str, apart: timedelta) -> None:
    a, b = Text(1, NOW, title, one), Text(2, NOW + apart, title[:20], other)
    assert are_one_story(a, b) is are_one_story(b, a)
    assert all(-(2**63) <= key < 2**63 for key in story_keys(title, one, NOW))
    if apart <= timedelta(days=7) and words(one):
        assert not probes(story_keys(title, one, NOW), NOW).keys().isdisjoint(story_keys(title, one, NOW + apart))


def test_components_join_what_is_connected_through_others() -> None:
    assert sorted(components([(1, 2), (5, 4), (2, 3), (9, 8), (4, 3)])) == [[1, 2, 3, 4, 5], [8, 9]]


# --- in the database -------------------------------------------------------------------------------------------------


def told(seed: int, publisher: str, hours: int = 0, **values: Any) -> ParsedArticle:
    """An article that tells story ``seed``."""
    usual: dict[str, Any] = {
        "title": f"Harbour number {seed} moves coins to a vault",
        "body": prose(seed),
        "publisher": publisher,
        "published_at": NOW + timedelta(hours=hours),
        "url": f"https://{publisher.lower()}.example/{seed}-{hours}",
    }
    return an_article(**(usual | values))


def stories(desk: Desk) -> list[list[str]]:
    """Addresses of each story's articles, the first published first."""
    with desk.database.session() as session:
        ids = session.scalars(text("SELECT id FROM articles ORDER BY id")).all()
        found = {tuple(str(member.url) for member in members(session, article_id)) for article_id in ids}
        for label in session.scalars(text("SELECT DISTINCT story_id FROM articles WHERE story_id IS NOT NULL")):
            assert session.scalar(text("SELECT count(*) FROM articles WHERE story_id = :label"), {"label": label}) != 0
    return sorted(list(group) for group in found if group)


def urls(*articles: ParsedArticle) -> list[str]:
    return [str(article.url) for article in articles]


def ids_of(desk: Desk, *articles: ParsedArticle) -> list[int]:
    with desk.database.session() as session:
        known = dict(session.execute(text("SELECT url, id FROM articles")).all())
    return [known[article.url] for article in articles]


FIRST, COPY, CUT = told(1, "Hashyard"), told(1, "Blockledger", 2), told(1, "Ridge", 5, body=prose(1)[:900], title="Coins at sea")
ALONE, OTHER, OTHER_COPY = told(2, "Hashyard", 1), told(3, "Ridge", 1), told(3, "Blockledger", 3)
ALL = (FIRST, COPY, CUT, ALONE, OTHER, OTHER_COPY)
GROUPS = sorted([urls(FIRST, COPY, CUT), urls(OTHER, OTHER_COPY)])


def test_stories_are_found_at_import_and_counted(desk: Desk) -> None:
    report = import_articles(desk, "test", ALL, by=ANN)
    assert report.stories == 2
    assert stories(desk) == GROUPS
    assert import_articles(desk, "test", ALL, by=ANN).stories == 0
    assert stories(desk) == GROUPS


@given(st.permutations(ALL), st.lists(st.integers(1, 5), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
def test_any_order_in_any_number_of_imports_gives_the_same_stories(desk: Desk, order: list[ParsedArticle], cuts: list[int]) -> None:
    with desk.database.session() as session:
        session.execute(text("DELETE FROM articles"))
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(order)], strict=True):
        import_articles(desk, "test", order[start:end], by=ANN)
    assert stories(desk) == GROUPS
    import_articles(desk, "test", order[::-1], by=ANN)
    assert stories(desk) == GROUPS


def test_an_article_that_tells_two_stories_makes_one_of_them(desk: Desk) -> None:
    week = 24 * 6
    ends = told(1, "Hashyard"), told(1, "Blockledger", 2 * week)
    import_articles(desk, "test", ends, by=ANN)
    assert stories(desk) == []
    between = told(1, "Ridge", week)
    import_articles(desk, "test", [between], by=ANN)
    assert stories(desk) == [urls(ends[0], between, ends[1])]
    import_articles(desk, "test", [replace(between, title="A new matter entirely told here", body=prose(8))], by=ANN)
    assert stories(desk) == []


def test_an_update_of_the_text_leaves_one_story_and_joins_another(desk: Desk) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    import_articles(desk, "test", [replace(FIRST, title=OTHER.title, body=OTHER.body)], by=ANN)
    assert stories(desk) == sorted([urls(COPY, CUT), urls(FIRST, OTHER, OTHER_COPY)])
    import_articles(desk, "test", [replace(CUT, body=prose(9))], by=ANN)
    assert stories(desk) == [urls(FIRST, OTHER, OTHER_COPY)]


def test_an_earlier_date_makes_another_publisher_the_first(desk: Desk) -> None:
    import_articles(desk, "test", [FIRST, COPY], by=ANN)
    import_articles(desk, "test", [replace(COPY, published_at=NOW - timedelta(hours=1))], by=ANN)
    assert stories(desk) == [urls(COPY, FIRST)]


def test_a_deletion_leaves_size_and_first_publisher_right_and_one_alone(desk: Desk) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    desk.transaction(lambda session: delete_articles(session, ids_of(desk, FIRST), by=ANN))
    assert stories(desk) == sorted([urls(COPY, CUT), urls(OTHER, OTHER_COPY)])
    desk.transaction(lambda session: delete_articles(session, ids_of(desk, COPY, OTHER), by=ANN))
    assert stories(desk) == []
    assert {row.story_size for row in rows(desk, EVERY)} == {1}
    import_articles(desk, "test", [FIRST], by=ANN)
    assert stories(desk) == [urls(FIRST, CUT)]


def test_articles_from_before_there_were_stories_are_grouped_chunk_by_chunk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    with desk.database.session() as session:
        session.execute(text("UPDATE articles SET story_id = NULL, story_keys = NULL"))
    monkeypatch.setattr("core.stories.groups.CHUNK", 2)
    assert group_ungrouped(desk, leave=lambda: True) == 0
    assert group_ungrouped(desk) == len(ALL)
    assert stories(desk) == GROUPS
    assert group_ungrouped(desk) == 0


def test_an_import_groups_what_others_inserted(desk: Desk) -> None:
    import_articles(desk, "test", [FIRST, OTHER], by=ANN)
    with desk.database.session() as session:
        session.execute(text("UPDATE articles SET story_id = NULL, story_keys = NULL"))
    import_articles(desk, "test", [COPY], by=ANN)
    assert stories(desk) == [urls(FIRST, COPY)]


def test_two_imports_at_once_find_the_same_stories(desk: Desk) -> None:
    here = [told(seed, "Hashyard") for seed in range(20, 40)]
    there = [told(seed, "Ridge", 1) for seed in range(20, 40)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda some: [import_articles(desk, "test", [one], by=ANN) for one in some], (here, there[::-1])))
    assert stories(desk) == sorted(urls(one, copy) for one, copy in zip(here, there, strict=True))


# --- shown and launched ----------------------------------------------------------------------------------------------

EVERY = ArticleFilter(ready_only=False, priority_first=False)
AS_STORIES = ArticleFilter(as_stories=True, priority_first=False)


def rows(desk: Desk, article_filter: ArticleFilter) -> list[selection.ArticleRow]:
    ready = launching.readiness(desk.environment)
    with desk.database.session() as session:
        found = selection.page(session, article_filter, ready, offset=0, size=100)
        assert selection.count(session, article_filter, ready).value == len(found)
        assert selection.resolve(session, Selection.of_filter(article_filter), ready) == [row.id for row in found]
    return found


def plan(desk: Desk, chosen: Selection) -> launching.Plan:
    with desk.database.session() as session:
        return launching.plan(session, chosen, desk.environment)


def test_a_list_of_stories_has_one_row_each_that_of_its_first_publisher(desk: Desk) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    found = {row.id: (row.story_size, row.first_publisher) for row in rows(desk, AS_STORIES)}
    assert found == dict(zip(ids_of(desk, FIRST, ALONE, OTHER), [(3, "Hashyard"), (1, "Hashyard"), (2, "Ridge")], strict=True))
    every = {row.id: row.story_size for row in rows(desk, EVERY)}
    assert every == dict(zip(ids_of(desk, *ALL), [3, 3, 3, 1, 2, 2], strict=True))


def test_of_a_story_the_first_that_can_be_analysed_and_matches_stands_for_it(desk: Desk) -> None:
    short = told(1, "Ridge", -3, body=prose(1)[:900])
    import_articles(desk, "test", [*ALL, short], by=ANN)
    for article_filter in (AS_STORIES, AS_STORIES.model_copy(update={"ready_only": False})):
        row = next(row for row in rows(desk, article_filter) if row.story_size == 4)
        assert (row.id, row.first_publisher) == (ids_of(desk, FIRST)[0], "Ridge")
    publisher = selection_of_publisher(desk, "Blockledger")
    assert [row.id for row in rows(desk, publisher)] == ids_of(desk, OTHER_COPY, COPY)


def selection_of_publisher(desk: Desk, name: str) -> ArticleFilter:
    with desk.database.session() as session:
        number = session.scalar(text("SELECT id FROM publishers WHERE name = :name"), {"name": name})
    return AS_STORIES.model_copy(update={"publishers": (number,)})


def test_a_story_of_which_one_article_is_analysed_is_analysed(desk: Desk) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    (copy,) = ids_of(desk, COPY)
    keep(desk, copy, a_signal())
    assert {row.id for row in rows(desk, AS_STORIES)} == set(ids_of(desk, ALONE, OTHER))
    analysed = AS_STORIES.model_copy(update={"ready_only": False, "analysed": Analysed.YES})
    assert [row.id for row in rows(desk, analysed)] == [copy]
    unread = AS_STORIES.model_copy(update={"ready_only": False, "analysed": Analysed.NO})
    assert {row.id for row in rows(desk, unread)} == set(ids_of(desk, ALONE, OTHER))


def reasons(planned: launching.Plan) -> dict[int, str]:
    return dict(planned.skipped)


def launch(desk: Desk, chosen: Selection) -> dict[int, tuple[RecordStatus, str | None]]:
    with desk.database.session() as session:
        batch_id = launching.launch(session, chosen, desk.environment, by=local("ada"), now=NOW)
        found = session.query(BatchRecord).where(BatchRecord.batch_id == batch_id).all()
        return {record.article_id or 0: (record.status, record.skip_reason) for record in found}


@pytest.mark.parametrize("by_filter", [True, False])
def test_a_launch_takes_one_article_a_story_and_says_why_not_the_others(desk: Desk, by_filter: bool) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    first, copy, _, alone, other, other_copy = ids_of(desk, *ALL)
    able = [copy, first, alone, other_copy, other]
    chosen = Selection.of_filter(ArticleFilter(), one_per_story=True) if by_filter else Selection.of_ids(able, one_per_story=True)
    planned = plan(desk, chosen)
    assert set(planned.runnable) == {first, alone, other}
    assert reasons(planned) == dict.fromkeys([copy, other_copy], launching.STORY_TAKEN)
    assert (planned.every_article.articles, planned.one_per_story.articles, planned.estimate.articles) == (5, 3, 3)
    every = plan(desk, chosen.model_copy(update={"one_per_story": False}))
    assert set(every.runnable) == set(able)
    assert (every.estimate, every.one_per_story) == (planned.every_article, planned.estimate)
    taken = launch(desk, chosen)
    assert {article for article, (status, _) in taken.items() if status is RecordStatus.PENDING} == {first, alone, other}
    assert taken[copy] == (RecordStatus.SKIPPED, launching.STORY_TAKEN)


def test_a_story_in_flight_or_analysed_is_covered(desk: Desk) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    first, copy, _, alone, other, other_copy = ids_of(desk, *ALL)
    keep(desk, copy, a_signal())
    launch(desk, Selection.of_ids([other_copy]))
    planned = plan(desk, Selection.of_ids([first, copy, alone, other, other_copy], one_per_story=True))
    assert planned.runnable == (alone,)
    assert reasons(planned) == {
        first: launching.STORY_ANALYSED, copy: launching.ALREADY_ANALYSED, other: launching.STORY_IN_FLIGHT, other_copy: launching.IN_FLIGHT,
    }  # fmt: skip
    with pytest.raises(NothingSelected, match="1 of a story already analysed"), desk.database.session() as session:
        launching.launch(session, Selection.of_ids([first], one_per_story=True), desk.environment, by=local("ada"), now=NOW)
    assert launch(desk, Selection.of_ids([first]))[first][0] is RecordStatus.PENDING


def test_a_list_of_stories_selected_whole_is_launched_as_stories(desk: Desk) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    first, _, _, alone, other, other_copy = ids_of(desk, *ALL)
    launch(desk, Selection.of_ids([other_copy]))
    planned = plan(desk, Selection.of_filter(AS_STORIES))
    assert set(planned.runnable) == {first, alone}
    assert reasons(planned) == {other: launching.STORY_IN_FLIGHT}


def test_the_saving_is_said_in_words(desk: Desk, make_settings: Any) -> None:
    import_articles(desk, "test", ALL, by=ANN)
    paid = make_settings(model="google:gemini-2.5-flash", gemini_api_key="key")
    with desk.database.session() as session:
        planned = launching.plan(session, Selection.of_filter(ArticleFilter()), paid)
    words = launching.stories_in_words(planned)
    usd = launching.usd
    assert planned.one_per_story.usd < planned.every_article.usd
    assert words == f"5 articles, 3 stories: {usd(planned.one_per_story.usd)} instead of {usd(planned.every_article.usd)}"


# --- real articles ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the real articles are not on this machine")
def test_the_stories_among_real_articles(desk: Desk) -> None:
    for path in sorted((SHARED_DATA / "articles").iterdir()):
        import_articles(desk, path.name, read_articles(path.name, path, now=utc_now()), by=ANN)
    with desk.database.session() as session:
        found = session.execute(
            text("SELECT count(*), min(title), max(title) FROM articles WHERE story_id IS NOT NULL GROUP BY story_id ORDER BY 1 DESC, 2")
        ).all()
    titles = {smallest: number for number, smallest, _ in found}
    assert titles["Zircuit Launches AI Trading Engine for Lightning-Fast, Cross-Chain Trading"] == 3
    assert titles["Mexico's New Money Move: Bybit Card Makes Mexican Debut with 10%Cashback"] == 2
    assert 4 <= len(found) <= 10
