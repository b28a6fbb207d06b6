"""A desk of any size, from a seed: articles, signals and ledger entries as years of work would leave them, written with COPY.

    python -m tests.benchmarks.size_data --articles 1000000 --folder /tmp/size-1m

For N articles it makes 2 N signals and 3 N ledger entries, with the analyses, quotes, validations, decisions, records and batches
that belong to them. A tenth of the articles have bodies of 2,000 characters and more, the rest are short. Chunks of 10,000
articles are one transaction each; stopped and started again, it goes on with the first chunk that is missing. The same seed
makes the same rows.
"""

import bisect
import hashlib
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from sqlalchemy import text

from core import launching, rollups, spending
from core.configuration import Configuration, Desk
from core.settings import Settings

CHUNK = 10_000
SIGNALS, ENTRIES = 2, 3  # an article
LONG, ANALYSED, STORIES, DECIDED, RESEARCHED = 0.1, 0.6, 0.03, 0.05, 0.6
DAYS = 3 * 365
EVERYTHING = "a11analysed00000"
"""The configuration with which every long article is analysed."""
NEWEST = datetime(2026, 11, 24, tzinfo=UTC)
KINDS = ("weak_signal", "pattern_anomaly", "adjacent_connection", "narrative_gap", "edge_indicator")
KIND_SHARES = (35, 28, 18, 12, 7)
VERDICTS = ("VALIDATED", "CONTRADICTED", "INCONCLUSIVE", "INSUFFICIENT_DATA")
VERDICT_SHARES = (6, 2, 40, 52)
DECISIONS, DECISION_SHARES = ("accepted", "rejected", "unsure"), (45, 45, 10)
TIMEFRAMES = ("immediate", "short-term", "medium-term", "long-term")
CATEGORIES = (
    "mining", "flows", "regulation", "macro", "security", "technology", "derivatives", "adoption", "custody", "stablecoins",
    "energy", "payments", "exchanges", "lightning", "treasury", "sentiment", "taxation", "litigation", "governance", "privacy",
)  # fmt: skip
NEWS = (
    "BTC",
    "MARKET",
    "ETH",
    "TRADING",
    "REGULATION",
    "MINING",
    "BUSINESS",
    "MACROECONOMICS",
    "EXCHANGE",
    "TECHNOLOGY",
    "FIAT",
    "ALTCOIN",
)
PUBLISHERS = (
    "CoinDesk", "NewsBTC", "Crypto Potato", "Bitcoin World", "CoinTelegraph", "Decrypt", "The Block", "Bitcoinist", "U.Today", "AMBCrypto",
    "BeInCrypto", "CryptoSlate", "Bitcoin Magazine", "CoinGape", "The Daily Hodl", "Crypto Briefing", "Blockworks", "DL News", "Protos",
    "CryptoNews", "Coinpedia", "ZyCrypto", "Finbold", "CoinJournal", "Crypto Daily", "BitDegree", "The Defiant", "Forkast", "CCN", "Invezz",
    "Crypto Economy", "Coin Edition", "Timestabloid", "CoinQuora", "Blockonomi", "Hashrate Index", "Bitcoin News", "NullTX", "Live Bitcoin",
    "Chain Wire",
)  # fmt: skip
MODELS = ("google:gemini-2.5-flash", "google:gemini-2.5-pro", "openai:gpt-5-mini", "offline")
REVIEWERS = ("ada", "ida", "max", "kim", "lou")
WORDS = {
    "bitcoin": 0.85, "market": 0.4, "price": 0.35, "etf": 0.2, "miner": 0.12, "regulation": 0.08, "halving": 0.04, "hashrate": 0.03,
    "custody": 0.02, "taproot": 0.008, "ordinals": 0.006, "greenhouse": 0.0008, "subpoena": 0.0004,
}  # fmt: skip
"""Share of the articles that have each of these words."""
TABLES = {
    "articles": "id, publisher_id, url, title, body, language, published_at, imported_at, updated_at, import_hash, content_hash, promise,"
    " story_id, story_keys",
    "article_keys": "key, article_id",
    "article_categories": "article_id, category_id",
    "batch_records": "id, batch_id, article_id, article_title, position, status, attempts, started_at, finished_at, error_kind, error_message",
    "analyses": "id, article_id, batch_id, configuration_hash, content_hash, model, prompt_version, sentiment, impact, summary, context,"
    " signal_strength, uniqueness, confidence, created_at, completed_at",
    "signals": "id, analysis_id, article_id, position, kind, category, description, implications, timeframe, confidence, research_query,"
    " created_at, verdict, disagreement, decision, review_id, publisher_id, published_at, is_sample, batch_id",
    "evidence": 'signal_id, quote, start, "end", match',
    "validations": "id, signal_id, verdict, model_verdict, confidence_adjustment, reason, model, research_provider, prompt_version,"
    " searches, created_at",
    "validation_sources": "validation_id, url, title, publisher, published_at, stance, authority, quote, origin",
    "reviews": "id, signal_id, act, decision, verdict, blind, bulk, reviewer, created_at",
    "ledger_entries": "id, created_at, settled_at, status, kind, agent, provider, model, batch_id, record_id, article_id, attempt,"
    " reserved_usd, usd, input_tokens, cached_tokens, output_tokens, thinking_tokens, search_credits, error_kind, day",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for every chunk."""

    articles: int
    seed: int
    sentences: tuple[str, ...]
    batch_ends: tuple[int, ...]
    """Numbers of analysed articles, cumulated: the n-th batch ends before the n-th."""
    hashes: tuple[str, ...]
    """Configurations over time, the newest last, which is the one in force."""

    def batch_of(self, analysed: int) -> int:
        return bisect.bisect_right(self.batch_ends, analysed) + 1


def plan(articles: int, seed: int, current: str) -> Plan:
    """Draw what all chunks share."""
    rng = random.Random(seed)
    vocabulary = [
        "".join(rng.choice(("ba", "ke", "lo", "mi", "nu", "ra", "so", "ti", "ve", "zo")) for _ in range(rng.randint(2, 4)))
        for _ in range(3_000)
    ]
    weights = [1 / (rank + 5) for rank in range(len(vocabulary))]
    sentences = tuple(" ".join(rng.choices(vocabulary, weights, k=rng.randint(10, 18))).capitalize() + "." for _ in range(4_000))
    total, ends = int(articles * ANALYSED), [0]
    while ends[-1] < total:
        ends.append(ends[-1] + min(int(rng.lognormvariate(5.5, 1.3)) + 1, 20_000, max(total // 20, 1)))
    return Plan(articles, seed, sentences, tuple(ends[1:]), ("0ld0000000000001", "0ld0000000000002", "0ld0000000000003", current))


# --- one chunk -------------------------------------------------------------------------------------------------------


class Chunk:
    """The rows of articles ``number * CHUNK + 1`` and on, by table, as lines of COPY's text format."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan, self.rng = plan, random.Random(f"{plan.seed}-{number}")
        self.first = number * CHUNK
        self.size = min(CHUNK, plan.articles - self.first)
        self.lines: dict[str, list[str]] = {name: [] for name in TABLES}
        self._make()

    def _make(self) -> None:
        rng, size, share = self.rng, self.size, int(self.size * ANALYSED)
        analysed = sorted(rng.sample(range(size), share))
        signals = [0] * size
        for at in rng.choices(analysed, k=size * SIGNALS):
            signals[at] += 1
        entries = [0] * size
        for at in rng.choices(analysed, k=size * ENTRIES):
            entries[at] += 1
        rank = (
            {at: self.first * share // size + number for number, at in enumerate(analysed)}
            if self.size == CHUNK
            else {at: int(self.first * ANALYSED) + number for number, at in enumerate(analysed)}
        )
        self.story = self.told = 0
        self.signal, self.entry, self.review = self.first * SIGNALS, self.first * ENTRIES, self.first * SIGNALS
        for at in range(size):
            article = self._article(at)
            if at in rank:
                self._analysis(article, rank[at], signals[at], entries[at])
            if len(article[-1]) >= 2_000:
                self._analysed_by_all(article, int(self.first * ANALYSED))

    def _article(self, at: int) -> tuple[int, int, datetime, str, str, str]:
        rng, id_ = self.rng, self.first + at + 1
        publisher = min(int(rng.expovariate(1 / 7)), len(PUBLISHERS) - 1) + 1
        age = DAYS * 86_400 * (1 - id_ / self.plan.articles) + rng.random() * 172_800
        published = NEWEST - timedelta(seconds=int(age))
        named = [word for word, often in WORDS.items() if rng.random() < often]
        number = rng.randint(2, 40_000)
        title = f"{' '.join(named[:3]).capitalize() or 'Desk'} {rng.choice(('moves', 'falls', 'rises', 'waits', 'turns'))} after {number} coins leave wallet {id_}"
        long = rng.random() < LONG
        body = " ".join(rng.choices(self.plan.sentences, k=rng.randint(24, 60) if long else rng.randint(1, 5)))
        body = f"A report on {', '.join(named)} names {number} coins. {body}"
        while long and len(body) < 2_000:
            body += " " + rng.choice(self.plan.sentences)
        if self.told == 0 and rng.random() < STORIES / 3:
            self.story, self.told = id_, rng.randint(2, 4)
        story = str(self.story) if self.told else "\\N"
        self.told = max(self.told - 1, 0)
        digest = hashlib.md5(f"{self.plan.seed}-{id_}".encode()).hexdigest()
        when, imported = f"{published:%Y-%m-%d %H:%M:%S+00}", f"{published + timedelta(hours=1):%Y-%m-%d %H:%M:%S+00}"
        promise = f"{rng.betavariate(2, 5):.3f}"
        self._add("articles", id_, publisher, f"https://news{publisher}.example/{id_}", title, body, "en", when, imported, imported, digest, digest, promise, story, "{}")  # fmt: skip
        self._add("article_keys", f"url:news{publisher}.example/{id_}", id_)
        for category in rng.sample(range(1, len(NEWS) + 1), rng.choice((1, 1, 2))):
            self._add("article_categories", id_, category)
        return id_, publisher, published, title, digest, body

    def _analysis(self, article: tuple[int, int, datetime, str, str, str], rank: int, signals: int, entries: int) -> None:
        rng, (id_, _publisher, published, title, digest, _body) = self.rng, article
        batch = self.plan.batch_of(rank)
        age = rank / (self.plan.articles * ANALYSED)
        model = MODELS[(batch * 7) % len(MODELS)]
        configuration = self.plan.hashes[min(int(age * 4), 3)]
        moment = published + timedelta(hours=6, seconds=rng.randint(0, 40_000))
        began, ended = f"{moment:%Y-%m-%d %H:%M:%S+00}", f"{moment + timedelta(seconds=rng.randint(5, 60)):%Y-%m-%d %H:%M:%S+00}"
        prompt = f"content-{1 + min(int(age * 3), 2)}"
        failed = rng.random() < 0.02
        self._add("batch_records", id_, batch, id_, title, rank, "FAILED" if failed else "COMPLETED", 1, began, ended, "timeout" if failed else "\\N", "No answer within 60 s." if failed else "\\N")  # fmt: skip
        self._add("analyses", id_, id_, batch, configuration, digest, model, prompt, rng.choice(("POSITIVE", "NEGATIVE", "NEUTRAL", "MIXED")), f"{rng.random():.2f}", f"Wallet {id_} was moved.", "It was the first in a month.", f"{rng.random():.2f}", f"{rng.random():.2f}", f"{rng.random():.2f}", began, ended)  # fmt: skip
        for position in range(signals):
            self._signal(article, batch, model, prompt, position, ended)
        for _ in range(entries):
            self._entry(id_, batch, model, moment)

    def _analysed_by_all(self, article: tuple[int, int, datetime, str, str, str], rank: int) -> None:
        """With one configuration every long article is analysed, so that nothing is ready: the worst case of looking for what is."""
        id_, when = article[0], f"{article[2] + timedelta(days=1):%Y-%m-%d %H:%M:%S+00}"
        self._add("analyses", self.plan.articles + id_, id_, self.plan.batch_of(rank), EVERYTHING, article[4], "offline", "content-1", "NEUTRAL", 0, "Nothing new.", "Nothing new.", 0, 0, 0, when, when)  # fmt: skip

    def _signal(
        self, article: tuple[int, int, datetime, str, str, str], batch: int, model: str, prompt: str, position: int, ended: str
    ) -> None:
        rng, (id_, publisher, published, _, _, body) = self.rng, article
        self.signal += 1
        signal = self.signal
        kind, category = rng.choices(KINDS, KIND_SHARES)[0], CATEGORIES[min(int(rng.expovariate(1 / 5)), len(CATEGORIES) - 1)]
        confidence = round(min(max(rng.gauss(0.6, 0.18), 0.05), 0.99), 2)
        verdict = rng.choices(VERDICTS, VERDICT_SHARES)[0] if rng.random() < RESEARCHED else "\\N"
        apart = f"{rng.random():.2f}" if verdict == "CONTRADICTED" or rng.random() < 0.1 else "0"
        decision, review = "\\N", "\\N"
        if rng.random() < DECIDED:
            self.review += 1
            decision, review = rng.choices(DECISIONS, DECISION_SHARES)[0], str(self.review)
            bulk = f"bulk-{signal // 500}" if rng.random() < 0.2 else "\\N"
            self._add("reviews", review, signal, "decision", decision, verdict, "t" if rng.random() < 0.1 else "f", bulk, rng.choice(REVIEWERS), ended)  # fmt: skip
        words = rng.choice(self.plan.sentences)
        about = rng.choice(tuple(WORDS))
        self._add("signals", signal, id_, id_, position, kind, category, f"Wallet {id_} sends {rng.randint(2, 9_000)} coins: {words}", f"The {about} trade may turn. {rng.choice(self.plan.sentences)}", rng.choice(TIMEFRAMES), confidence, f"{category} wallet {id_}", ended, verdict, apart, decision, review, publisher, f"{published:%Y-%m-%d %H:%M:%S+00}", "f", batch)  # fmt: skip
        self._add("evidence", signal, body[:60], 0, min(60, len(body)), "exact")
        if verdict != "\\N":
            self._add("validations", signal, signal, verdict, rng.choices(VERDICTS, VERDICT_SHARES)[0], f"{rng.uniform(-0.3, 0.3):.2f}", "Another publisher reports it.", model, "archive", prompt.replace("content", "validation"), '{"made": []}', ended)  # fmt: skip
            if verdict != "INSUFFICIENT_DATA":
                stance = {"VALIDATED": "supports", "CONTRADICTED": "contradicts"}.get(verdict, "neutral")
                self._add("validation_sources", signal, f"https://other.example/{signal}", "Wallet empties", "Other News", ended, stance, "MEDIUM", body[:40], 1)  # fmt: skip

    def _entry(self, id_: int, batch: int, model: str, moment: datetime) -> None:
        rng = self.rng
        self.entry += 1
        moment += timedelta(seconds=rng.randint(0, 90))
        made, settled = f"{moment:%Y-%m-%d %H:%M:%S+00}", f"{moment + timedelta(seconds=rng.randint(1, 20)):%Y-%m-%d %H:%M:%S+00}"
        agent, kind, provider, name = rng.choice((("content_analysis", "model", "google", model), ("signal_validation", "model", "google", model), ("research", "search", "tavily", "tavily")))  # fmt: skip
        status = rng.choices(("SETTLED", "RELEASED", "UNKNOWN"), (96, 3, 1))[0]
        free = model == "offline" or status == "RELEASED"
        usd = "0" if free else "0.008" if kind == "search" else f"{rng.lognormvariate(-6.2, 0.6):.8f}"
        tokens = (
            (rng.randint(900, 9_000), rng.choice((0, 0, 800)), rng.randint(100, 3_000), rng.randint(0, 900))
            if kind == "model"
            else (0, 0, 0, 0)
        )
        self._add("ledger_entries", self.entry, made, settled, status, kind, agent, provider, name, batch, id_, id_, 1, usd, usd, *tokens, 0 if kind == "model" or free else 1, "timeout" if status == "UNKNOWN" else "\\N", made[:10])  # fmt: skip

    def _add(self, table: str, *values: object) -> None:
        self.lines[table].append("\t".join(map(str, values)))


# --- the load --------------------------------------------------------------------------------------------------------


def fill(desk: Desk, articles: int, seed: int = 5, say: Any = typer.echo) -> float:
    """Make the desk's empty database one of ``articles`` articles, or go on with it; returns the seconds that this took."""
    began = time.monotonic()
    planned = plan(articles, seed, launching.readiness(desk.environment).configuration_hash)
    dsn = desk.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        _prepare(connection, planned, desk)
        done = {row[0] for row in connection.execute("SELECT chunk FROM size_benchmark.chunks")}
        chunks = -(-articles // CHUNK)
        for number in range(chunks):
            if number in done:
                continue
            chunk = Chunk(planned, number)
            with connection.transaction():
                for table, lines in chunk.lines.items():
                    with connection.cursor().copy(f"COPY {table} ({TABLES[table]}) FROM STDIN") as copy:  # type: ignore[arg-type]
                        for block in itertools.batched(lines, 2_000) if hasattr(itertools, "batched") else _batched(lines, 2_000):
                            copy.write("\n".join(block) + "\n")
                connection.execute("INSERT INTO size_benchmark.chunks VALUES (%s)", [number])
            if (number + 1) % 10 == 0 or number + 1 == chunks:
                say(f"{(number + 1) * CHUNK:,} articles, {time.monotonic() - began:,.0f} s")
        _finish(connection, desk, say, began)
    return time.monotonic() - began


def _batched(lines: list[str], size: int) -> Iterator[list[str]]:
    return (lines[at : at + size] for at in range(0, len(lines), size))


def _prepare(connection: psycopg.Connection[Any], planned: Plan, desk: Desk) -> None:
    """Drop the indexes of the tables to be filled, once, and insert the few rows that the chunks refer to."""
    connection.execute("SET session_replication_role = replica")  # no triggers, no look-ups of foreign keys
    connection.execute("SET synchronous_commit = off")
    with connection.transaction():
        if connection.execute("SELECT to_regnamespace('size_benchmark')").fetchone() != (None,):
            return
        connection.execute("CREATE SCHEMA size_benchmark")
        connection.execute("CREATE TABLE size_benchmark.chunks (chunk int PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE size_benchmark.indexes AS SELECT indexname AS name, indexdef AS definition FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename = ANY (%s) AND indexdef NOT LIKE '%%UNIQUE%%'",
            [[*TABLES, "article_list", "standing_decisions"]],
        )
        for (name,) in connection.execute("SELECT name FROM size_benchmark.indexes").fetchall():
            connection.execute(f"DROP INDEX {name}")
        for name in PUBLISHERS:
            key = "".join(letter for letter in name.lower() if letter.isalnum())
            first = key in ("newsbtc", "coindesk", "cryptopotato")
            connection.execute("INSERT INTO publishers (name, name_key, is_priority) VALUES (%s, %s, %s)", [name, key, first])
        for name in NEWS:
            connection.execute("INSERT INTO categories (name) VALUES (%s)", [name])
        configuration = psycopg.types.json.Jsonb(Configuration.of(desk.environment).as_json())
        total = int(planned.articles * ANALYSED)
        for number, end in enumerate(planned.batch_ends, start=1):
            moment = NEWEST - timedelta(days=DAYS * (1 - min(end, total) / total))
            usd = str(round(0.004 * (end - (planned.batch_ends[number - 2] if number > 1 else 0)), 4))
            connection.execute(
                "INSERT INTO batch_sessions (status, launched_by, configuration, configuration_hash, selection, estimate, concurrency,"
                " created_at, started_at, finished_at) VALUES ('COMPLETED', %s, %s || jsonb_build_object('model', %s::text), %s, '{}', %s,"
                " 32, %s, %s, %s)",
                [REVIEWERS[number % 5], configuration, MODELS[(number * 7) % 4], planned.hashes[-1],
                 psycopg.types.json.Jsonb({"usd": usd, "articles": 1, "seconds": 60}), moment, moment, moment + timedelta(hours=2)],
            )  # fmt: skip


def _finish(connection: psycopg.Connection[Any], desk: Desk, say: Any, began: float) -> None:
    """Roll-ups, then the indexes that are still missing, then statistics."""
    connection.execute("SET maintenance_work_mem = '512MB'")
    for _name, definition in connection.execute("SELECT name, definition FROM size_benchmark.indexes ORDER BY name").fetchall():
        connection.execute(definition.replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS"))
    say(f"indexes, {time.monotonic() - began:,.0f} s")
    if not connection.execute("SELECT 1 FROM article_list LIMIT 1").fetchone():
        connection.execute("ANALYZE")
        with desk.database.session() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text("SET LOCAL work_mem = '256MB'"))
            rollups.rebuild(session)
            spending.rebuild(session)
        say(f"roll-ups, {time.monotonic() - began:,.0f} s")
    for table in (
        "publishers",
        "categories",
        "batch_sessions",
        *(name for name in TABLES if name not in ("article_keys", "article_categories")),
    ):
        connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT greatest(max(id), 1) FROM {table}))")
    for scope, form in (("day", "YYYY-MM-DD"), ("month", "YYYY-MM")):
        connection.execute(
            "INSERT INTO budgets (scope, key, limit_usd, spent_usd) SELECT %s, to_char(day, %s), greatest(ceil(sum(usd) * 1.5), 5), sum(usd)"
            " FROM ledger_entries GROUP BY 2 ON CONFLICT DO NOTHING",
            [scope, form],
        )
    connection.execute("VACUUM (ANALYZE)")
    say(f"vacuumed and analysed, {time.monotonic() - began:,.0f} s")


def main(
    articles: Annotated[int, typer.Option(help="Articles; twice as many signals, three times as many ledger entries.")] = 1_000_000,
    folder: Annotated[Path, typer.Option(help="Data directory of the desk to be made.")] = Path("/tmp/signaldesk-size"),
    seed: Annotated[int, typer.Option(help="The same seed makes the same desk.")] = 5,
) -> None:
    """Make the desk, or go on making it."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with Desk.open(Settings(_env_file=None, data_dir=folder)) as desk:
        seconds = fill(desk, articles, seed)
    typer.echo(f"{articles:,} articles with all that belongs to them in {seconds:,.0f} s")


if __name__ == "__main__":
    typer.run(main)
