"""How long an export of many signals takes, and how much memory: the command line, as an analyst runs it, format by format.

    python -m tests.benchmarks.exports --signals 100000

Fills an embedded Postgres with accepted signals that have two quotes, a validation with two sources, and a decision each. Prints,
a format, the seconds from the start of the process to its end, its peak memory, and the size of the file.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from core.configuration import Desk
from core.exports import Format
from core.settings import Settings

PER_ARTICLE = 5
FILL = """
INSERT INTO publishers (name, name_key) VALUES ('Hashyard', 'hashyard');
INSERT INTO batch_sessions (status, launched_by, configuration, configuration_hash, selection, estimate, concurrency)
    VALUES ('COMPLETED', 'ada', '{}', 'benchmark', '{}', '{}', 1);
INSERT INTO articles (publisher_id, url, title, body, language, published_at, import_hash, content_hash)
    SELECT p.id, 'https://news.example/' || n, 'Miner ' || n || ' moves coins',
        repeat('Miner number ' || n || ' said on Tuesday that it moved 4,100 BTC to a new wallet, the first such transfer since spring. ', 20),
        'en', timestamptz '2026-11-20 12:00Z' - n * interval '1 minute', md5(n::text), md5(n::text)
    FROM publishers p, generate_series(1, :articles) n;
INSERT INTO analyses (article_id, batch_id, configuration_hash, content_hash, model, prompt_version, sentiment, impact, summary, context,
        signal_strength, uniqueness, confidence, completed_at)
    SELECT a.id, b.id, 'benchmark', a.content_hash, 'offline', 'content-1', 'NEUTRAL', 0.5, 'A miner moved coins.', 'Miners sell.', 0.5, 0.5,
        0.5, now()
    FROM articles a, batch_sessions b;
INSERT INTO signals (analysis_id, article_id, position, kind, category, description, implications, timeframe, confidence, research_query,
        verdict, decision)
    SELECT a.id, a.article_id, p, (ARRAY['weak_signal', 'pattern_anomaly', 'narrative_gap'])[1 + p % 3], 'mining',
        'Miner number ' || a.id || ' moved 4,100 BTC to a new wallet on Tuesday, the first such transfer since spring of that year.',
        'It may sell ' || p || ' % of its coins, which would weigh on the price for weeks.', 'short-term', (a.id * 7 + p) % 100 / 100.0,
        'miner transfer', 'VALIDATED', 'accepted'
    FROM analyses a, generate_series(1, :per_article) p;
INSERT INTO evidence (signal_id, quote, start, "end", match)
    SELECT s.id, 'Miner number ' || s.analysis_id || ' said on Tuesday that it moved 4,100 BTC to a new wallet, the first', q * 120, q * 120 + 100,
        'exact'
    FROM signals s, generate_series(0, 1) q;
INSERT INTO validations (signal_id, verdict, model_verdict, confidence_adjustment, reason, model, research_provider, prompt_version, searches)
    SELECT id, 'VALIDATED', 'INCONCLUSIVE', 0.1, 'Two other publishers report the transfer, one of them with the address of the wallet.',
        'offline', 'archive', 'validation-1', '{"made": []}'
    FROM signals;
INSERT INTO validation_sources (validation_id, url, title, publisher, published_at, stance, authority, quote, origin)
    SELECT v.id, 'https://other.example/' || v.id || '/' || n, 'Miner moves coins after a long pause', 'Other News', now(), 'supports', 'MEDIUM',
        'The company confirmed on Wednesday that 4,100 BTC had left its wallet', n
    FROM validations v, generate_series(1, 2) n;
INSERT INTO reviews (signal_id, decision, note, verdict, reviewer)
    SELECT id, 'accepted', 'Lead story of the week.', 'VALIDATED', 'ida' FROM signals;
UPDATE signals s SET review_id = r.id FROM reviews r WHERE r.signal_id = s.id;
"""


def main(signals: Annotated[int, typer.Option(help="Signals; five an article.")] = 100_000) -> None:
    """Run the benchmark."""
    table = Table("format", "seconds", "peak MB", "file MB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Desk.open(Settings(_env_file=None, data_dir=folder)) as desk:
            with desk.database.session() as session:
                values = {"articles": signals // PER_ARTICLE, "per_article": PER_ARTICLE}
                for statement in FILL.split(";\n"):
                    if statement.strip():
                        session.execute(text(statement), values)
            with desk.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))
            for kind in Format:
                path = folder / f"signals{kind.suffix}"
                seconds, peak = exported(folder, path)
                table.add_row(kind.value, f"{seconds:.1f}", f"{peak / 2**20:.0f}", f"{path.stat().st_size / 1e6:.0f}")
    Console(width=60).print(table)


def exported(folder: Path, path: Path) -> tuple[float, int]:
    """Seconds and peak memory (bytes, sampled) of ``signaldesk export`` to this path."""
    began, peak = time.perf_counter(), 0
    process = psutil.Popen(
        [sys.executable, "-m", "console.cli", "export", "signals", "-o", str(path)],
        env=os.environ | {"SIGNALDESK_DATA_DIR": str(folder)},
        stderr=subprocess.DEVNULL,
    )
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        peak = max(peak, process.memory_info().rss)
        time.sleep(0.02)
    assert process.wait() == 0
    return time.perf_counter() - began, peak


if __name__ == "__main__":
    typer.run(main)
