"""What import makes of parsed articles: one row an article, whoever delivers it, however often and under whatever address."""

import csv
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.articles import publishers, set_active
from core.configuration import Desk
from core.importers.import_articles import CHUNK, ImportReport, content_hash, import_articles, write_report
from core.importers.parsed_article import ParsedArticle, RejectedRow
from tests.actors import ANN
from tests.conftest import NOW, an_article

Outcome = tuple[int, int, int, int]


def take(desk: Desk, *rows: ParsedArticle | RejectedRow) -> Outcome:
    """Import these rows: how many are new, updated, unchanged, rejected."""
    report = import_articles(desk, "test", rows, by=ANN)
    assert report.total == len(rows)
    return report.new, report.updated, report.unchanged, len(report.rejected)


def column(desk: Desk, name: str, table: str = "articles") -> list[Any]:
    with desk.database.session() as session:
        return list(session.scalars(text(f"SELECT {name} FROM {table} ORDER BY id")))


def categories(desk: Desk) -> list[Any]:
    query = "SELECT name FROM article_categories JOIN categories c ON c.id = category_id ORDER BY article_id, name"
    with desk.database.session() as session:
        return list(session.scalars(text(query)))


# --- new, updated, unchanged -----------------------------------------------------------------------------------------


def test_new_then_unchanged(desk: Desk) -> None:
    articles = [an_article() for _ in range(5)]
    assert take(desk, *articles) == (5, 0, 0, 0)
    assert take(desk, *articles, an_article()) == (1, 0, 5, 0)
    assert column(desk, "title")[:5] == [article.title for article in articles]


def test_every_field_of_a_new_article_is_kept(desk: Desk) -> None:
    fields: dict[str, Any] = {
        "subtitle": "A subtitle", "authors": "A. Writer, B. Writer", "language": "de", "keywords": ("hash rate", "fees"),
        "published_at": NOW, "active": False, "is_sample": True,
    }  # fmt: skip
    article = an_article(**fields, sentiment="NEGATIVE", categories=("MINING", "MARKET"))
    take(desk, article)
    with desk.database.session() as session:
        row = session.execute(text("SELECT * FROM articles")).mappings().one()
    assert {name: row[name] for name in ("title", "body", "url", "subtitle", "authors", "language")} == {
        name: getattr(article, name) for name in ("title", "body", "url", "subtitle", "authors", "language")
    }
    assert (row["keywords"], row["published_at"], row["is_active"], row["is_sample"]) == (["hash rate", "fees"], NOW, False, True)
    assert row["provider_sentiment"] == "NEGATIVE"
    assert row["body_chars"] == len(article.body)
    assert row["content_hash"] == content_hash(article.title, article.body)
    assert 0 <= row["promise"] <= 1
    assert categories(desk) == ["MARKET", "MINING"]


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Miner moves coins, corrected"},
        {"body": "The corrected text of the miner's announcement. " * 60},
        {"subtitle": "now with a subtitle"},
        {"published_at": NOW + timedelta(minutes=1)},
        {"authors": "C. Writer"},
        {"sentiment": "POSITIVE"},
        {"active": False},
        {"keywords": ("fees",)},
        {"categories": ("REGULATION",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_any_field_is_an_update_once(desk: Desk, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"url": "https://hashyard.example/same", "title": "Miner moves coins", "published_at": NOW}
    body = "The text of the miner's announcement. " * 80
    take(desk, an_article(**given, body=body, categories=("MINING",)))
    changed = an_article(**({**given, "body": body, "categories": ("MINING",)} | change))
    assert take(desk, changed) == (0, 1, 0, 0)
    assert take(desk, changed) == (0, 0, 1, 0)
    assert column(desk, "title") == [changed.title]
    assert column(desk, "body") == [changed.body]
    assert categories(desk) == sorted(changed.categories)
    with desk.database.session() as session:
        assert session.scalar(text("SELECT updated_at > imported_at FROM articles"))


def test_what_an_analyst_archived_stays_archived_until_an_analyst_restores_it(desk: Desk) -> None:
    given: dict[str, Any] = {"url": "https://hashyard.example/same", "published_at": NOW}
    take(desk, an_article(**given))
    (article_id,) = column(desk, "id")
    desk.transaction(lambda session: set_active(session, [article_id], False, by=ANN))
    assert take(desk, an_article(**given, subtitle="Corrected.")) == (0, 1, 0, 0)
    assert column(desk, "is_active") == [False]
    desk.transaction(lambda session: set_active(session, [article_id], True, by=ANN))
    assert take(desk, an_article(**given, subtitle="Corrected again.")) == (0, 1, 0, 0)
    assert column(desk, "is_active") == [True]

    # What only its source calls inactive is active again as soon as the source says so.
    take(desk, an_article(**given, active=False))
    assert column(desk, "is_active") == [False]
    take(desk, an_article(**given, active=True))
    assert column(desk, "is_active") == [True]


def test_only_a_changed_text_makes_an_article_ready_again(desk: Desk) -> None:
    article = an_article(url="https://hashyard.example/same", title="One")
    take(desk, article)
    (before,) = column(desk, "content_hash")
    take(desk, an_article(url=article.url, title="One", body=article.body, authors="Somebody"))
    assert column(desk, "content_hash") == [before]
    take(desk, an_article(url=article.url, title="Two", body=article.body))
    assert column(desk, "content_hash") != [before]


def test_an_update_with_a_much_shorter_body_is_not_taken(desk: Desk) -> None:
    full = an_article(url="https://hashyard.example/full", body="A sentence of the whole report. " * 100)
    take(desk, full)
    summary = an_article(url=full.url, title="Summary", body=full.body[: len(full.body) // 2 - 1])
    assert take(desk, summary) == (0, 0, 1, 0)
    assert column(desk, "body") == [full.body]
    half = an_article(url=full.url, title="Half", body=full.body[: len(full.body) // 2])
    assert take(desk, half) == (0, 1, 0, 0)
    assert column(desk, "title") == ["Half"]


def test_the_same_article_twice_in_one_source_is_one_row_and_the_later_one_counts(desk: Desk) -> None:
    first = an_article(url="https://hashyard.example/twice", title="First")
    second = an_article(url="https://hashyard.example/twice?utm_source=x", title="Second")
    assert take(desk, first, an_article(), second, second) == (2, 1, 1, 0)
    assert column(desk, "title")[0] == "Second"


# --- who is the same article -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        "https://hashyard.example/news/one?utm_source=rss&utm_medium=feed",
        "http://www.hashyard.example/news/one/",
        "https://HASHYARD.example:443/news/one?fbclid=abc#comments",
        "https://hashyard.example/news/one?ref=home&gclid=1",
    ],
)
def test_one_address_however_it_is_written_is_one_row(desk: Desk, again: str) -> None:
    take(desk, an_article(url="https://hashyard.example/news/one", title="One", published_at=NOW))
    assert take(desk, an_article(url=again, title="One", published_at=NOW, body=column(desk, "body")[0])) == (0, 0, 1, 0)
    assert len(column(desk, "id")) == 1


def test_one_guid_or_one_providers_id_is_one_row(desk: Desk) -> None:
    by_id = an_article(url=None, external_id="coindesk:52473886")
    by_guid = an_article(url=None, guid="tag:hashyard.example,2026:1")
    assert take(desk, by_id, by_guid) == (2, 0, 0, 0)
    moved = an_article(url="https://hashyard.example/moved", external_id="coindesk:52473886")
    renamed = an_article(url="https://hashyard.example/renamed", guid="tag:hashyard.example,2026:1")
    assert take(desk, moved, renamed) == (0, 2, 0, 0)
    assert column(desk, "title") == [moved.title, renamed.title]
    # The keys that came with the second delivery are known from then on.
    assert take(desk, an_article(url=moved.url), an_article(url=renamed.url)) == (0, 2, 0, 0)


def test_a_guid_is_one_publishers_own(desk: Desk) -> None:
    assert take(desk, *(an_article(url=None, guid="1", publisher=name) for name in ("Hashyard", "Blockledger"))) == (2, 0, 0, 0)


def test_publishers_spelled_differently_are_one(desk: Desk) -> None:
    names = ("CoinDesk", "coindesk", "Coin Desk", "COIN-DESK", "Coindesk.")
    for name in names:
        take(desk, an_article(publisher=name))
    with desk.database.session() as session:
        (row,) = publishers(session)
    assert (row.name, row.articles) == ("CoinDesk", 5)
    together = [an_article(publisher=name) for name in ("Hash Yard", "HashYard", "hashyard")]
    assert take(desk, *together) == (3, 0, 0, 0)
    with desk.database.session() as session:
        assert [row.articles for row in publishers(session)] == [5, 3]


def test_the_three_priority_publishers_come_first_by_default_and_a_choice_stays(desk: Desk) -> None:
    take(desk, *(an_article(publisher=name) for name in ("Aardvark", "NewsBTC", "Coindesk", "Crypto Potato", "Bitcoinist")))
    with desk.database.session() as session:
        assert [(row.name, row.is_priority) for row in publishers(session)] == [
            ("Coindesk", True), ("Crypto Potato", True), ("NewsBTC", True), ("Aardvark", False), ("Bitcoinist", False),
        ]  # fmt: skip
        session.execute(text("UPDATE publishers SET is_priority = NOT is_priority"))
    take(desk, *(an_article(publisher=name) for name in ("Aardvark", "CoinDesk")))
    with desk.database.session() as session:
        assert [row.name for row in publishers(session) if row.is_priority] == ["Aardvark", "Bitcoinist"]


# --- what cannot be imported -----------------------------------------------------------------------------------------


def test_a_row_that_the_database_refuses_is_rejected_alone(desk: Desk) -> None:
    rows: list[ParsedArticle | RejectedRow] = [an_article() for _ in range(6)]
    rows[2] = an_article(title="A title with a zero\0 byte")
    rows[4] = RejectedRow("test", 5, "no date", "A title")
    report = import_articles(desk, "test", rows, by=ANN)
    assert (report.new, report.updated, report.unchanged) == (4, 0, 0)
    refused = next(row for row in report.rejected if row.reason != "no date")
    assert (refused.source, refused.row, refused.title) == ("test", 3, "A title with a zero\0 byte")
    assert refused.reason.startswith("refused by the database: ")
    assert report.reasons() == {"no date": 1, "refused by the database": 1}
    assert len(column(desk, "id")) == 4


def test_the_report_lists_every_rejected_row_with_its_reason(tmp_path: Path) -> None:
    rejected = [RejectedRow("feed.csv", 3, "no date", "A “title”, with a comma", "line\nbreak"), RejectedRow("feed.csv", 7, "no body")]
    path = write_report(rejected, tmp_path / "not" / "there" / "yet", NOW)
    assert path
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], int(row["row"]), row["reason"], row["title"], row["excerpt"]) for row in rows] == [
        ("feed.csv", 3, "no date", "A “title”, with a comma", "line\nbreak"),
        ("feed.csv", 7, "no body", "", ""),
    ]
    assert write_report([], tmp_path / "none", NOW) is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("formula", ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_nothing_in_the_report_is_a_formula_to_a_spreadsheet(tmp_path: Path, formula: str) -> None:
    path = write_report([RejectedRow("feed.csv", 1, "no date", formula, formula)], tmp_path, NOW)
    assert path
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["title"], row["excerpt"]) == (f"'{formula}", f"'{formula}")


def test_progress_is_told_chunk_by_chunk_and_what_was_done_before_a_failure_stays(desk: Desk) -> None:
    told: list[int] = []

    def rows() -> Any:
        yield from (an_article() for _ in range(CHUNK))
        yield RejectedRow("test", CHUNK + 1, "no date")
        raise OSError("the line went dead")

    report = ImportReport()
    with pytest.raises(OSError, match="the line went dead"):
        import_articles(desk, "test", rows(), report=report, on_progress=told.append, by=ANN)
    assert told == [CHUNK]
    assert report.new == CHUNK
    assert len(column(desk, "id")) == CHUNK


# --- two at once -----------------------------------------------------------------------------------------------------


def at_once(*works: Callable[[], ImportReport]) -> list[ImportReport]:
    ready = threading.Barrier(len(works))

    def one(work: Callable[[], ImportReport]) -> ImportReport:
        ready.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def test_imports_of_the_same_rows_at_once_make_no_duplicates(desk: Desk) -> None:
    articles = [an_article(publisher=f"Publisher {number % 7}", categories=(f"Category {number % 5}",)) for number in range(250)]
    orders = [articles, articles[::-1], articles[125:] + articles[:125]]
    reports = at_once(*(lambda rows=rows: import_articles(desk, "test", rows, by=ANN) for rows in orders))
    assert sum(report.new for report in reports) == 250
    assert sum(report.unchanged for report in reports) == 500
    assert not any(report.rejected for report in reports)
    assert sorted(column(desk, "title")) == sorted(article.title for article in articles)
    assert len(column(desk, "name", "publishers")) == 7
    assert len(column(desk, "name", "categories")) == 5


def test_two_deliveries_of_one_article_at_once_under_different_keys_are_one_row(desk: Desk) -> None:
    both = [an_article(url=f"https://hashyard.example/both/{number}", external_id=f"coindesk:{number}") for number in range(40)]
    by_address = [an_article(url=article.url) for article in both]
    by_id = [an_article(url=None, external_id=article.external_id) for article in both]
    take(desk, *both)
    at_once(*(lambda rows=rows: import_articles(desk, "test", rows, by=ANN) for rows in (by_address, by_id, both)))
    assert len(column(desk, "id")) == 40
