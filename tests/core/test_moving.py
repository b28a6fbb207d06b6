"""Moving in from other databases: real ones, of several shapes, through roles that may only read."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from core import access, batches
from core.configuration import Desk
from core.errors import ImportRefused, NotAllowed, SettingsError
from core.importers.import_articles import import_articles
from core.moving.move import MoveReport, Step, move
from core.moving.source import SourceDatabase
from tests.conftest import NOW, an_article
from tests.core.answered import a_signal, keep, validated
from tests.core.elsewhere import HOSTILE, MIXED, NEWSLETTER, ODD, TEXTS, Elsewhere, elsewhere

ADA = access.local("ada")


@pytest.fixture(scope="module")
def other(server_url: str) -> Iterator[Elsewhere]:
    with elsewhere(server_url) as made:
        yield made


@pytest.fixture(scope="module")
def newsletter(other: Elsewhere) -> str:
    """A newsletter's database as a role that may only read it sees it."""
    return other.reader(other.make(NEWSLETTER))


def moved(desk: Desk, url: str, **more: Any) -> MoveReport:
    return move(desk, url, by=ADA, now=NOW, **more)


def ask(desk: Desk, query: str) -> list[tuple[Any, ...]]:
    with desk.database.session() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_articles_publishers_categories_and_analyses_come_over_as_they_were(desk: Desk, newsletter: str) -> None:
    report = moved(desk, newsletter)
    assert (report.articles.new, report.articles.rejected) == (2_100, [])
    assert (report.publishers, report.categories) == (3, 3)
    assert {name: number for name, number in report.earlier.items() if number} == {
        "analyses": 300,
        "signals": 600,
        "signals without a quote that stands in the article": 300,
        "quotes that do not stand in the article": 300,
        "analyses that failed there or had not ended": 1,
    }
    title, publisher, url, categories, language, sentiment = ask(
        desk,
        "SELECT a.title, p.name, a.url, (SELECT array_agg(c.name) FROM article_categories j JOIN categories c ON c.id = j.category_id"
        " WHERE j.article_id = a.id), a.language, a.provider_sentiment FROM articles a JOIN publishers p ON p.id = a.publisher_id"
        " WHERE a.url LIKE '%/17'",
    )[0]
    assert (publisher, url, categories, language, sentiment) == ("Blockledger", "https://hashyard.example/17", ["MARKET"], "en", "POSITIVE")
    assert title.endswith(" 17")
    assert dict(ask(desk, "SELECT name, is_priority FROM publishers")) == {"Hashyard": True, "Blockledger": False, "Silent Wire": False}
    assert {name for (name,) in ask(desk, "SELECT name FROM categories")} == {"MINING", "MARKET", "UNUSED"}

    # analyses: marked, of the scale 0..1, checked against the article, and free
    ((model, sentiment, impact, strength, confidence, context, dropped, ungrounded, day),) = ask(
        desk,
        "SELECT n.model, n.sentiment, n.impact, n.signal_strength, n.confidence, n.context, n.dropped_quotes, n.ungrounded_signals,"
        " n.created_at::date::text FROM analyses n JOIN articles a ON a.id = n.article_id WHERE a.url LIKE '%/17'",
    )
    assert model.startswith("gpt-4o (imported from elsewhere_")
    assert (sentiment, impact, strength, confidence, context) == ("POSITIVE", 0.7, 0.8, 0.75, "Reserves fall.")
    assert (dropped, ungrounded, day) == (1, 1, "2026-10-01")
    signals = ask(
        desk,
        'SELECT s.kind, s.category, s.timeframe, s.confidence, substr(a.body, e.start + 1, e."end" - e.start) = e.quote, e.quote, s.verdict'
        " FROM signals s JOIN evidence e ON e.signal_id = s.id JOIN articles a ON a.id = s.article_id WHERE a.url LIKE '%/17' ORDER BY s.id",
    )
    assert signals == [
        ("weak_signal", "mining", "short-term", 0.7, True, "it moved 17 BTC to a new wallet", None),
        ("pattern_anomaly", "other", "medium-term", 0.8, True, "the first such transfer since spring", None),
    ]
    assert ask(desk, "SELECT count(*) FROM ledger_entries") == [(0,)]
    ((status, by, configuration, selection),) = ask(desk, "SELECT status, launched_by, configuration, selection FROM batch_sessions")
    assert (status, by, configuration["research_provider"]) == ("COMPLETED", "ada", "imported")
    assert selection["imported_from"].endswith(newsletter.rpartition("/")[2])
    assert ask(desk, "SELECT status, count(*) FROM batch_records GROUP BY 1") == [("COMPLETED", 300)]
    with desk.database.session() as session:
        state = batches.recent(session)[0]
    assert (state.ended, state.spent_usd, state.estimated_usd) == (300, 0, 0)


def test_a_second_time_nothing_is_new_and_what_changed_there_is_updated(desk: Desk, other: Elsewhere) -> None:
    url = other.make(NEWSLETTER.replace("2100", "60").replace("series(1, 300)", "series(1, 20)"))
    other.run(
        url,
        "INSERT INTO articles SELECT 61, 'Said again', body, url || '#again', NULL, 'Ben', 'en', 1, now(), NULL FROM articles WHERE id = 5".replace(
            "articles SELECT", "articles (id, title, body, url, image_url, author, language, publisher_id, published_on, sentiment) SELECT"
        ).replace("now()", "published_on"),
    )
    first, before = moved(desk, url), rows_of(desk)
    assert (first.articles.new, first.articles.updated, first.earlier["analyses"]) == (60, 1, 20)
    second = moved(desk, url)
    assert (second.articles.new, second.articles.updated, second.articles.unchanged) == (0, 0, 61)
    assert (second.publishers, second.categories, +second.earlier) == (0, 0, Counter({"analyses that failed there or had not ended": 1}))
    assert rows_of(desk) == before
    other.run(url, "UPDATE articles SET title = 'Corrected' WHERE id = 7; DELETE FROM articles WHERE id = 61")
    other.run(url, "INSERT INTO content_analysis (article_id, summary, model_used, weak_signals) VALUES (30, 's', 'claude', '[]')")
    third = moved(desk, url)
    assert (third.articles.new, third.articles.updated, third.articles.unchanged, third.earlier["analyses"]) == (0, 1, 59, 1)
    assert ask(desk, "SELECT title FROM articles WHERE url LIKE '%/7'") == [("Corrected",)]
    assert not second.resumed


def rows_of(desk: Desk) -> list[tuple[Any, ...]]:
    return ask(desk, "SELECT id, title, updated_at, content_hash FROM articles ORDER BY id") + ask(
        desk, "SELECT id, analysis_id, description FROM signals ORDER BY id"
    )


class Stopped(Exception):
    """The process went away."""


@pytest.mark.parametrize("what", ["articles", "analyses"])
def test_what_was_ended_half_way_goes_on_from_there(desk: Desk, other: Elsewhere, what: str) -> None:
    url = other.make(NEWSLETTER.replace("2100", "450").replace("series(1, 300)", "series(1, 420)"))

    def stop(step: Step) -> None:
        if step.what == what and step.done >= 200:
            raise Stopped

    with pytest.raises(Stopped):
        moved(desk, url, on_progress=stop)
    kept = ask(desk, f"SELECT count(*) FROM {what}")[0][0]
    assert 0 < kept < 450
    steps: list[Step] = []
    second = moved(desk, url, on_progress=steps.append)
    assert second.resumed
    assert steps[0] == Step(what, 0, 250 if what == "articles" else 221), "only what is left is read"
    assert second.articles.total == (250 if what == "articles" else 0)
    assert ask(desk, "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM analyses)") == [(450, 420)]
    third = moved(desk, url)
    assert (third.resumed, third.articles.new, third.articles.unchanged, third.earlier["analyses"]) == (False, 0, 450, 0)


def test_the_other_database_cannot_be_written_to(other: Elsewhere) -> None:
    url = other.make("CREATE TABLE articles (id int PRIMARY KEY, title text, body text)")
    with SourceDatabase(url) as source, pytest.raises(ImportRefused, match="read-only transaction"):  # as its owner
        source.rows("INSERT INTO articles (id) VALUES (1) RETURNING id")
    with SourceDatabase(url) as source, pytest.raises(ImportRefused, match="transaction read-write mode must be set before any query"):
        source.rows("SET TRANSACTION READ WRITE")
    with SourceDatabase(url) as source:
        assert source.rows("SHOW transaction_read_only") == [("on",)]
        assert source.rows("SHOW transaction_isolation") == [("repeatable read",)]


def test_odd_names_other_schemas_pages_as_bodies_and_dates_as_texts(desk: Desk, other: Elsewhere) -> None:
    report = moved(desk, other.make(ODD))
    assert (report.articles.new, report.articles.rejected) == (31, [])
    ((title, body, authors, moment, publisher),) = ask(
        desk,
        "SELECT a.title, a.body, a.authors, a.published_at::text, p.name FROM articles a JOIN publishers p ON p.id = a.publisher_id"
        " WHERE a.url LIKE '%odd.example/3?%'",
    )
    assert "<" not in title + body
    assert "steal" not in body
    assert body.endswith("End & more.")
    assert (authors, publisher, moment[:16]) == ("Ada, Ben", "Odd Wire", "2026-11-19 21:00")
    assert {name.lower() for (name,) in ask(desk, "SELECT name FROM categories")} == {"mining", "law"}
    assert ask(desk, "SELECT count(*) FROM articles WHERE NOT is_active") == [(1,)]
    assert moved(desk, other.server_url.rpartition("/")[0] + "/" + other.made[-1]).articles.unchanged == 31


def test_articles_without_address_or_publishers_and_signals_without_analyses(desk: Desk, other: Elsewhere) -> None:
    url = other.make(TEXTS)
    report = moved(desk, url)
    assert (report.articles.new, report.articles.rejected) == (30, [])
    assert (report.earlier["analyses"], report.earlier["signals"], report.earlier["validations"]) == (10, 10, 10)
    assert report.left_out == {"quotes that do not stand in the article": 10}
    assert ask(desk, "SELECT DISTINCT kind, confidence, verdict FROM signals") == [("edge_indicator", 0.8, "INSUFFICIENT_DATA")]
    assert ask(desk, "SELECT DISTINCT model_verdict, verdict, confidence_adjustment, reason FROM validations") == [
        ("VALIDATED", "INSUFFICIENT_DATA", 0.0, "Two sources.")
    ], "what cannot be checked here is what that desk said, not what this one says"
    again = moved(desk, url)
    assert (again.articles.new, again.articles.unchanged, +again.earlier) == (0, 30, Counter())


def test_hostile_rows_are_rejected_alone_and_say_why(desk: Desk, other: Elsewhere) -> None:
    report = moved(desk, other.make(HOSTILE))
    assert {row.row: row.reason.partition(":")[0] for row in report.articles.rejected} == {
        10: "unreadable date",
        11: "unreadable date",
        12: "no title",
        13: "no body",
        14: "no body",
        15: "body longer than 500,000 characters",
        16: "no publisher",
    }
    assert report.articles.new == 7
    assert report.articles.updated == 1, "the row that has another's address is the same article"
    assert ask(desk, "SELECT url FROM articles WHERE title LIKE '=HYPER%'") == [(None,)]


def test_another_signal_desk_is_a_source_too(desk: Desk, other: Elsewhere) -> None:
    url = other.make()
    settings = desk.environment.model_copy(update={"database_url": SecretStr(url)})
    with Desk.open(settings) as there:
        import_articles(there, "test", [an_article(), an_article()], by=ADA)
        first, second = keep(there, 1, a_signal(), a_signal(kind="narrative_gap", timeframe="long-term"))
        validated(there, first)
        ((confidence, quote),) = ask(
            there, "SELECT s.confidence, e.quote FROM signals s JOIN evidence e ON e.signal_id = s.id WHERE s.id = 1"
        )
    report = moved(desk, url)
    assert (report.articles.new, report.articles.rejected, second) == (2, [], 2)
    assert +report.earlier == {"analyses": 1, "signals": 2, "validations": 1, "sources of validations that cannot be checked": 1}
    assert ask(
        desk,
        "SELECT s.kind, s.timeframe, s.confidence, e.quote, s.verdict FROM signals s JOIN evidence e ON e.signal_id = s.id ORDER BY s.id",
    ) == [
        ("weak_signal", "short-term", confidence, quote, "INSUFFICIENT_DATA"),
        ("narrative_gap", "long-term", confidence, quote, None),
    ]


def test_a_source_that_is_an_article_here_and_says_what_is_quoted_counts(desk: Desk, other: Elsewhere) -> None:
    cited = [
        {"url": "https://hashyard.example/2?utm_source=x", "stance": "supports", "quote": "it moved 2 BTC to a new wallet"},
        {"url": "https://hashyard.example/3", "stance": "supports", "quote": "it bought the moon"},
        {"url": "https://away.example/3", "stance": "supports", "quote": "it moved 3 BTC"},
        "https://away.example/4",
    ]
    signal = {
        "description": "d" * 9,
        "evidence": ["it moved 1 BTC to a new wallet"],
        "validation": {"verdict": "VALIDATED", "sources": cited},
    }
    url = other.make(NEWSLETTER.replace("2100", "5").replace("series(1, 300)", "series(1, 0)"))
    other.run(
        url, f"INSERT INTO content_analysis (article_id, summary, model_used, weak_signals) VALUES (1, 's', 'm', '{json.dumps([signal])}')"
    )
    report = moved(desk, url)
    assert report.left_out["sources of validations that cannot be checked"] == 3
    ((quote, of, stance, verdict),) = ask(
        desk,
        "SELECT s.quote, a.url, s.stance, v.verdict FROM validation_sources s JOIN articles a ON a.id = s.article_id JOIN validations v ON v.id = s.validation_id",
    )
    assert (quote, of, stance, verdict) == ("it moved 2 BTC to a new wallet", "https://hashyard.example/2", "supports", "VALIDATED")


def test_the_desks_own_database_is_refused_by_whatever_address(desk: Desk, database_url: str) -> None:
    for url in (database_url, database_url.replace("127.0.0.1", "localhost"), database_url.replace("postgresql://", "postgres://")):
        with pytest.raises(ImportRefused, match="is this desk's own database"):
            moved(desk, url)


def test_only_who_may_import_articles_may_import_a_database(desk: Desk, newsletter: str) -> None:
    with pytest.raises(NotAllowed):
        move(desk, newsletter, by=access.Actor("eve", access.Role.VIEWER.permissions), now=NOW)


def at(url: str, **parts: Any) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def test_what_stands_in_the_way_is_said_in_words_without_the_password(desk: Desk, other: Elsewhere, newsletter: str) -> None:
    empty = other.make("CREATE TABLE notes (id int)")
    bare = other.make("CREATE TABLE articles (id int PRIMARY KEY, title text)")
    closed = other.make("CREATE SCHEMA hidden; CREATE TABLE hidden.articles (id int PRIMARY KEY, title text, body text)")
    cases = {
        at(newsletter, password="s3cr3t/wrong"): "refuses the user '.*' or its password",
        make_url(newsletter)._replace(password=None).render_as_string(): "asks for a password",
        at(newsletter, port=1): "does not answer: Connection refused",
        at(newsletter, host="no-such-host.invalid"): "does not answer",
        at(newsletter, database="no_such_database"): "There is no such database: .*no_such_database",
        other.reader(empty): "has no table named articles. Its tables: notes",
        other.reader(bare): r"no column for a text \(body, content, text\). Its columns: id, title",
        other.reader(bare, grant=False): "does not let this user read the table public.articles",
        other.reader(closed): "does not let this user read the table hidden.articles",
        "postgresql://ada:s3cr3t@[::1/x": "is malformed",
        "postgresql://ada:s3cr3t@h:s3cr3t/x": "is malformed",
    }
    for url, words in cases.items():
        with pytest.raises((ImportRefused, SettingsError), match=words) as refusal:
            moved(desk, url)
        error: BaseException | None = refusal.value
        while error is not None:
            assert "s3cr3t" not in str(error) + repr(error)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        assert "\n" not in str(refusal.value)
    assert ask(desk, "SELECT count(*) FROM moves WHERE finished_at IS NOT NULL") == [(0,)]


def test_a_source_that_goes_away_is_a_refusal_and_the_rest_comes_the_next_time(desk: Desk, other: Elsewhere) -> None:
    url = other.make(NEWSLETTER.replace("2100", "450").replace("series(1, 300)", "series(1, 0)"))

    def cut(step: Step) -> None:
        if step.done == 200:
            other.run(
                other.server_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"
            )

    with pytest.raises(ImportRefused, match="was lost on the way"):
        moved(desk, url, on_progress=cut)
    assert ask(desk, "SELECT count(*) FROM articles") == [(200,)]
    assert moved(desk, url).articles.new == 250


def test_parts_whose_types_do_not_fit_and_validations_beside_their_analyses(desk: Desk, other: Elsewhere) -> None:
    url = other.reader(other.make(MIXED))
    report = moved(desk, url)
    assert (report.articles.new, report.articles.rejected) == (12, [])
    assert {name: number for name, number in report.earlier.items() if number} == {
        "analyses": 12,
        "signals": 24,
        "validations": 24,
        "signals without a quote that stands in the article": 36,
        "quotes that do not stand in the article": 12,
        "validations that name no signal of their analysis": 12,
        "sources of validations that cannot be checked": 12,
    }
    assert ask(desk, "SELECT p.name, count(*) FROM articles a JOIN publishers p ON p.id = a.publisher_id GROUP BY 1 ORDER BY 1") == [
        ("Wire One", 6),
        ("Wire Two", 6),
    ]
    assert ask(desk, "SELECT c.name, count(*) FROM article_categories JOIN categories c ON c.id = category_id GROUP BY 1 ORDER BY 1") == [
        ("Flows", 12),
        ("Regulation", 12),
    ]
    assert ask(desk, "SELECT DISTINCT sentiment, confidence, summary, split_part(model, ' ', 1) FROM analyses") == [
        ("NEGATIVE", 0.85, "Coins move.", "claude-x")
    ]
    assert sorted(
        ask(
            desk, "SELECT DISTINCT s.description LIKE 'The first%', v.model_verdict FROM signals s JOIN validations v ON v.signal_id = s.id"
        )
    ) == [
        (False, "CONTRADICTED"),
        (True, "INCONCLUSIVE"),
    ]
    again = moved(desk, url)
    assert (again.articles.new, again.articles.updated, +again.earlier) == (0, 0, Counter())


def test_a_view_without_a_key_and_rows_that_are_there_twice(desk: Desk, other: Elsewhere) -> None:
    url = other.make(
        TEXTS
        + "ALTER TABLE articles RENAME TO kept; CREATE VIEW articles AS SELECT * FROM kept UNION ALL SELECT * FROM kept WHERE id < 'a-2'"
    )
    first = moved(desk, url)
    assert first.articles.new == 30
    assert ask(desk, "SELECT count(*) FROM articles") == [(30,)]
    second = moved(desk, url)
    assert (second.articles.new, second.articles.updated) == (0, 0)


def test_a_column_named_r_is_a_column_like_any_other(desk: Desk, other: Elsewhere) -> None:
    url = other.make(TEXTS + "ALTER TABLE articles ADD r int4range DEFAULT '[1,2)'; ALTER TABLE signals ADD r text, ADD s text, ADD t text")
    report = moved(desk, other.reader(url))
    assert (report.articles.new, report.articles.rejected, report.earlier["signals"]) == (30, [], 10)


def test_a_database_whose_encoding_was_never_checked_comes_over_as_it_was_meant(desk: Desk, other: Elsewhere) -> None:
    url = other.make(TEXTS, template="TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    other.run(url, "UPDATE articles SET title = E'Caf\\xe9 of \\x93old\\x94 bytes', source = 'Société ₿' WHERE id = 'a-1'")
    other.run(url, "UPDATE articles SET id = 'ключ' WHERE id = 'a-2'")
    assert moved(desk, other.reader(url)).articles.new == 30
    assert ask(desk, "SELECT a.title, p.name FROM articles a JOIN publishers p ON p.id = a.publisher_id WHERE p.name <> 'Texts'") == [
        ("Café of “old” bytes", "Société ₿")
    ]
    assert (moved(desk, url).articles.unchanged, ask(desk, "SELECT count(*) FROM articles")) == (30, [(30,)])


def test_what_that_database_allows_a_visitor_does_not_end_a_move_and_a_refusal_is_no_loss(desk: Desk, other: Elsewhere) -> None:
    url = other.make(TEXTS + "CREATE TABLE slow AS SELECT * FROM articles LIMIT 3; ALTER TABLE articles RENAME TO kept;")
    other.run(url, "CREATE VIEW articles AS SELECT s.*, pg_sleep(0.02)::text AS waited FROM slow s WHERE pg_sleep(0.02)::text = ''")
    name = url.rpartition("/")[2]
    other.run(url, f"ALTER DATABASE {name} SET statement_timeout = 30; ALTER DATABASE {name} SET idle_in_transaction_session_timeout = 30")
    assert moved(desk, url).articles.new == 3
    other.run(url, "DROP VIEW articles; CREATE MATERIALIZED VIEW articles AS SELECT * FROM slow WITH NO DATA")
    with pytest.raises(ImportRefused, match="cannot be read: materialized view .* has not been populated"):
        moved(desk, url)
