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
        self.made: list[str] = []
        self._roles: list[str] = []

    def make(self, schema: str = "", *, template: str = "") -> str:
        """A database with this schema; returns its owner's address."""
        name = f"elsewhere_{os.getpid()}_{next(_numbers)}"
        self.run(self.server_url, f"CREATE DATABASE {name} {template}")
        self.made.append(name)
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
        for name in self.made:
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

ODD = f"""
CREATE SCHEMA news;
CREATE TABLE news."Articles" (
    "Id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "100%% ""of"" it" text, "Headline" text, "Content" text, "Text" text, "sourceUrl" text,
    "publishDate" text, "Publisher" text, "Categories" text[], "deletedAt" timestamptz, "Author" jsonb, "isActive" boolean);
INSERT INTO news."Articles" ("Headline", "Content", "sourceUrl", "publishDate", "Publisher", "Categories", "Author")
    SELECT '<b>' || {TITLE} || '</b>', '<p>' || {BODY} || '</p><script>steal()</script><p>End &amp; more.</p>', 'https://odd.example/' || n || '?utm_source=x',
        to_char(timestamp '2026-11-20 00:00' - n * interval '1 hour', 'Mon DD, YYYY HH24:MI'), 'Odd Wire', ARRAY['Mining', 'mining', 'Law'],
        '["Ada", "Ben"]' FROM generate_series(1, 30) n;
INSERT INTO news."Articles" ("Headline", "Text", "publishDate", "Publisher", "deletedAt")
    SELECT {TITLE}, {BODY}, extract(epoch FROM timestamp '2026-11-19')::text, 'Odd Wire', now() FROM generate_series(31, 31) n;
""".replace("%%", "%")

TEXTS = f"""
CREATE TABLE articles (id text PRIMARY KEY, title text, text text, link text, published_at bigint, source text, category text, sentiment float8);
INSERT INTO articles SELECT 'a-' || n, {TITLE}, {BODY}, NULL, 1795000000 - n * 3600, 'Texts', '["Mining", {{"name": "Law"}}]', 0.4
    FROM generate_series(1, 30) n;
CREATE TABLE signals (id serial, article_id text, signal_type text, title text, supporting_quotes text, strength text, validation_status text,
    validation_notes text);
INSERT INTO signals (article_id, signal_type, title, supporting_quotes, strength, validation_status, validation_notes)
    SELECT 'a-' || n, 'edge_indicator', 'Transfers are back', E'- "it moved ' || n || ' BTC to a new wallet"\\n- not in it at all', 'high', 'confirmed',
        'Two sources.' FROM generate_series(1, 10) n;
"""

HOSTILE = f"""
CREATE TABLE publishers (id int, name text);
CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text, url text, published_at timestamptz, publisher_id int, extra json, raw bytea);
INSERT INTO publishers VALUES (1, 'Wire'), (2, NULL), (NULL, 'Nobody'), (3, '=cmd()|''<script>'), (3, 'Twice');
INSERT INTO articles
    SELECT n, {TITLE}, {BODY}, 'https://wire.example/' || n, '2026-11-01', 1, '{{"a": "\\u0000\\ud800"}}', '\\xff00' FROM generate_series(1, 5) n;
INSERT INTO articles SELECT 10, 'Bound for the far future', {BODY}, NULL, 'infinity', 1 FROM generate_series(10, 10) n;
INSERT INTO articles SELECT 11, 'Before our era', {BODY}, NULL, '0044-03-15 BC', 1 FROM generate_series(11, 11) n;
INSERT INTO articles SELECT 12, NULL, {BODY}, NULL, '2026-11-01', 1 FROM generate_series(12, 12) n;
INSERT INTO articles VALUES (13, 'No body', NULL, NULL, '2026-11-01', 1), (14, 'Blank', '   ', NULL, '2026-11-01', 1);
INSERT INTO articles VALUES (15, 'Too long', repeat('Long words. ', 60000), NULL, '2026-11-01', 1);
INSERT INTO articles SELECT 16, 'Nobody''s', {BODY}, NULL, '2026-11-01', 99 FROM generate_series(16, 16) n;
INSERT INTO articles SELECT 17, '=HYPERLINK("http://evil")', {BODY}, 'javascript:alert(1)', '2026-11-01', 3 FROM generate_series(17, 17) n;
INSERT INTO articles SELECT 18, {TITLE} || U&'\\202E\\0007', {BODY}, 'https://wire.example/1#again', '2026-11-01', 1 FROM generate_series(18, 18) n;
INSERT INTO articles SELECT -9223372036854775808, {TITLE}, {BODY}, NULL, '2026-11-01', 1 FROM generate_series(19, 19) n;
"""

MIXED = f"""
CREATE TABLE publishers (publisher_uuid uuid PRIMARY KEY, display_name text);
INSERT INTO publishers VALUES ('11111111-1111-1111-1111-111111111111', 'Wire One'), ('22222222-2222-2222-2222-222222222222', 'Wire Two');
CREATE TABLE categories (id text PRIMARY KEY, label text);
INSERT INTO categories VALUES ('7', 'Regulation'), ('8', 'Flows');
CREATE TABLE articles (id bigint, headline text, content text, link text, published_date date, source text, category_ids int[], pubkey uuid,
    publisher_id text, PRIMARY KEY (id, published_date)) PARTITION BY RANGE (published_date);
CREATE TABLE articles_2026 PARTITION OF articles FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO articles SELECT n, {TITLE}, {BODY}, 'https://mixed.example/' || n, date '2026-11-20' - n, 'rss', ARRAY[7, 8], NULL,
    CASE n % 2 WHEN 0 THEN '11111111-1111-1111-1111-111111111111' ELSE '22222222-2222-2222-2222-222222222222' END FROM generate_series(1, 12) n;
CREATE TABLE content_analyses (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), article_id text, analysis jsonb, analyzed_at timestamptz);
INSERT INTO content_analyses (article_id, analysis, analyzed_at)
    SELECT n::text, jsonb_build_object('sentiment', jsonb_build_object('label', 'Bearish', 'score', 0.9), 'summary', 'Coins move.', 'confidence', 85,
        'model', 'claude-x', 'weak_signals', jsonb_build_array(
            jsonb_build_object('signal', 'The first transfer since spring', 'quote', 'the first such transfer since spring', 'confidence', 0.6),
            'it moved ' || n || ' BTC to a new wallet', 'no such words anywhere in it', NULL, 17)), '2026-11-21' FROM generate_series(1, 12) n;
CREATE TABLE signal_validations (id serial PRIMARY KEY, content_analysis_id uuid REFERENCES content_analyses, signal_text text, signal_index int,
    validation_status text, reasoning text, sources jsonb, confidence_adjustment numeric);
INSERT INTO signal_validations (content_analysis_id, signal_text, signal_index, validation_status, reasoning, sources, confidence_adjustment)
    SELECT id, 'the FIRST transfer, since spring', NULL, 'Partially confirmed', 'One source.', '["https://away.example"]', 0.2 FROM content_analyses;
INSERT INTO signal_validations (content_analysis_id, signal_text, signal_index, validation_status)
    SELECT id, NULL, 1, 'refuted' FROM content_analyses UNION ALL SELECT id, 'of something else', NULL, 'confirmed' FROM content_analyses;
"""
