"""Other newsletters' databases for the tests of moving in: several shapes of schema, on the tests' own server."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import make_url

PASSWORD = "s3cr3t/with@odd:characters"
BODY = (
    "(SELECT 'Miner ' || n || ' said on Tuesday that it moved ' || n || ' BTC to a new wallet, the first such transfer since spring. '"
    " || string_agg(translate(md5(n || '.' || w), '0123456789', 'ghijklmnop'), ' ') FROM generate_series(1, 64) w)"
)
"""An analysis-ready text that is no other's."""
TITLE = "initcap(translate(md5(n || 't'), '0123456789', 'ghij lmn p')) || ' ' || n"
_numbers = count(1)

NEWSLETTER = f"""
CREATE TABLE publishers (id serial PRIMARY KEY, name text NOT NULL, website text, is_priority boolean DEFAULT false, score int);
CREATE TABLE categories (id serial PRIMARY KEY, name text);
CREATE TABLE articles (
    id serial PRIMARY KEY, external_id text, title text, subtitle text, body text, url text, image_url text, author text, language text,
    publisher_id int REFERENCES publishers, published_on timestamptz, sentiment varchar(20), status text DEFAULT 'active', score real,
    embedding float8[], created_at timestamptz DEFAULT now());
CREATE TABLE article_categories (article_id int REFERENCES articles, category_id int REFERENCES categories, PRIMARY KEY (article_id, category_id));
CREATE TABLE content_analysis (
    id serial PRIMARY KEY, article_id int REFERENCES articles, overall_sentiment text, market_impact int, summary text, core_context text,
    weak_signals jsonb, pattern_anomalies jsonb, signal_strength int, uniqueness_score int, confidence numeric, model_used text,
    processing_status text DEFAULT 'completed', created_at timestamp DEFAULT '2026-10-01 10:00');
INSERT INTO publishers (name, website, is_priority) VALUES ('Hashyard', 'hashyard.example', true), ('Blockledger', 'blockledger.example', false),
    ('Silent Wire', 'silent.example', false);
INSERT INTO categories (name) VALUES ('MINING'), ('MARKET'), ('UNUSED');
INSERT INTO articles (external_id, title, subtitle, body, url, author, language, publisher_id, published_on, sentiment)
    SELECT n, {TITLE}, NULL, {BODY}, 'https://hashyard.example/' || n, 'Ada', 'EN', 1 + n % 2,
        timestamptz '2026-11-20 00:00+00' - n * interval '1 hour', 'POSITIVE' FROM generate_series(1, 2100) n;
INSERT INTO article_categories SELECT n, 1 + n % 2 FROM generate_series(1, 2100) n;
INSERT INTO content_analysis (article_id, overall_sentiment, market_impact, summary, core_context, weak_signals, pattern_anomalies,
        signal_strength, uniqueness_score, confidence, model_used)
    SELECT n, 'bullish', 7, 'A miner moves coins.', 'Reserves fall.', jsonb_build_array(
        jsonb_build_object('description', 'Miner ' || n || ' may be selling', 'category', 'Mining', 'confidence', 0.7, 'timeframe',
            'Next few weeks', 'implications', 'Supply', 'evidence', jsonb_build_array('it moved ' || n || ' BTC to a new wallet')),
        jsonb_build_object('description', 'Something that nobody said', 'evidence', jsonb_build_array('aliens landed in the treasury'))),
        '[{{"signal": "A first since spring", "quotes": ["the first such transfer since spring"], "confidence": 8}}]', 8, 6, 0.75, 'gpt-4o'
    FROM generate_series(1, 300) n;
INSERT INTO content_analysis (article_id, overall_sentiment, summary, model_used, processing_status) VALUES (1, NULL, NULL, 'gpt-4o', 'failed');
"""


class Elsewhere:
    """Makes databases on a server, and roles that may only read them."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self._made: list[str] = []
        self._roles: list[str] = []

    def make(self, schema: str = "", *, template: str = "") -> str:
        """A database with this schema; returns its owner's address."""
        name = f"elsewhere_{os.getpid()}_{next(_numbers)}"
        self.run(self.server_url, f"CREATE DATABASE {name} {template}")
        self._made.append(name)
        url = make_url(self.server_url).set(database=name).render_as_string(hide_password=False)
        if schema:
            self.run(url, schema)
        return url

    def reader(self, url: str, *, password: str = PASSWORD, grant: bool = True) -> str:
        """The address for a role that may read every table of the database and do nothing else."""
        name = f"reader_{os.getpid()}_{next(_numbers)}"
        self.run(url, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self._roles.append(name)
        if grant:
            self.run(url, f"GRANT USAGE ON SCHEMA public TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        return make_url(url).set(username=name, password=password).render_as_string(hide_password=False)

    @staticmethod
    def run(url: str, statements: str) -> Any:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statements.encode())

    @staticmethod
    def ask(url: str, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def clear(self) -> None:
        for name in self._made:
            self.run(self.server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        for name in self._roles:
            self.run(self.server_url, f"DROP ROLE IF EXISTS {name}")


@contextmanager
def elsewhere(server_url: str) -> Iterator[Elsewhere]:
    made = Elsewhere(server_url)
    try:
        yield made
    finally:
        made.clear()


Make = Callable[..., str]
