"""Traces, as a real OTLP/HTTP receiver on loopback gets them: the spans of a batch, what is in them and what is not."""

import asyncio
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from pydantic_ai import Agent
from sqlalchemy import select

from core import tracing
from core.agents.prompts import prompt
from core.batch_run import BatchRun, Shared
from core.configuration import Desk
from core.database import Database
from core.errors import SettingsError
from core.logs import concerned
from core.models import BatchRecord, BatchStatus, RecordStatus
from core.settings import CHECKOUT, Settings
from tests.faults.conftest import launch, progress_of, provider_settings
from tests.loopback import LoopbackProviders


@dataclass
class Collector:
    """What an OpenTelemetry collector on this machine was sent."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Any]:
        return [span for one in self.requests for resource in one.resource_spans for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            got.paths.append(self.path)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    got = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield got
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _tracing_off_again() -> Iterator[None]:
    yield
    if tracing._provider is not None:
        tracing._provider.shutdown()
    tracing._provider = tracing._tracer = tracing._set_up_for = None
    Agent.instrument_all(False)


@pytest.fixture
def run(database: Database, make_settings: Any, articles: Any) -> Iterator[Callable[..., tuple[int, BatchStatus]]]:
    """``run(3, otel_endpoint=...)``: a batch of so many articles on loopback providers, to its end."""
    with LoopbackProviders(latency=0.0, signals=(2, 2)) as providers:

        def to_the_end(number: int, *faults: dict[str, Any], **values: Any) -> tuple[int, BatchStatus]:
            if faults:
                providers.faults(*faults)
            articles(number)
            settings = make_settings(**provider_settings(providers, failure_share=1.0, **values))
            desk = Desk(database, settings)
            tracing.set_up(settings)
            batch_id = launch(database, settings)
            asyncio.run(BatchRun(desk, batch_id, Shared("tester")).run())
            tracing.flush()
            state = progress_of(database, batch_id)
            assert state is not None
            return batch_id, state.status

        yield to_the_end


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_batch_is_a_tree_of_articles_agent_runs_model_requests_and_searches(collector: Collector, run: Any, database: Database) -> None:
    batch_id, status = run(3, otel_endpoint=collector.url)
    assert status is BatchStatus.COMPLETED
    assert set(collector.paths) == {"/v1/traces"}
    resource = {one.key: one.value.string_value for one in collector.requests[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "signaldesk"

    by_id = {span.span_id: span for span in collector.spans}
    (batch,) = collector.named("batch")
    assert not batch.parent_span_id
    assert {span.trace_id for span in collector.spans} == {batch.trace_id}
    articles = collector.named("article")
    assert len(articles) == 3
    assert {article.parent_span_id for article in articles} == {batch.span_id}
    runs = [span for span in collector.spans if attributes(span).get("gen_ai.operation.name") == "invoke_agent"]
    assert len(runs) == 6
    assert {by_id[one.parent_span_id].name for one in runs} == {"article"}
    requests = [span for span in collector.spans if attributes(span).get("gen_ai.operation.name") == "chat"]
    assert len(requests) >= 6
    assert {attributes(by_id[one.parent_span_id])["gen_ai.operation.name"] for one in requests} == {"invoke_agent"}
    assert {attributes(one)["gen_ai.request.model"] for one in requests} == {"gemini-2.5-flash"}
    searches = collector.named("search archive") + collector.named("search tavily")
    assert len(collector.named("search archive")) == 3
    assert len(collector.named("search tavily")) >= 3
    assert {by_id[one.parent_span_id].name for one in searches} == {"article"}

    with database.session() as session:
        records = dict(session.execute(select(BatchRecord.id, BatchRecord.article_id)).all())
    for span in collector.spans:
        given = attributes(span)
        assert given["signaldesk.batch_id"] == batch_id
        if span.name != "batch":
            assert records[given["signaldesk.record_id"]] == given["signaldesk.article_id"]
        assert batch.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= batch.end_time_unix_nano


def words_sent(collector: Collector) -> str:
    return b"".join(collector.bodies).decode("utf-8", "replace")


ARTICLE_WORDS = "said on Tuesday that it moved"  # stands in every article of the tests
PROMPT_WORDS = prompt("content_analysis").text.splitlines()[0]


def test_nothing_of_articles_prompts_answers_or_keys_leaves_even_as_things_go_wrong(collector: Collector, run: Any) -> None:
    run(
        6,
        {"provider": "gemini", "kind": "fabricated", "every_n": 3},
        {"provider": "gemini", "kind": "schema_violation", "every_n": 4},
        {"provider": "tavily", "kind": "server_error", "every_n": 3},
        otel_endpoint=collector.url,
        max_attempts=1,
    )
    sent = words_sent(collector)
    assert "search tavily" in sent
    assert ARTICLE_WORDS not in sent
    assert PROMPT_WORDS not in sent
    assert "description" not in "".join(key for span in collector.spans for key in attributes(span))
    assert "loopback-gemini" not in sent  # the key
    assert "tvly-" not in sent


def test_articles_and_prompts_leave_where_that_is_asked_for(collector: Collector, run: Any) -> None:
    run(1, otel_endpoint=collector.url, trace_content=True)
    assert ARTICLE_WORDS in words_sent(collector)
    assert PROMPT_WORDS in words_sent(collector)


def test_what_failed_says_of_which_kind(collector: Collector, run: Any, database: Database) -> None:
    batch_id, _ = run(2, {"provider": "gemini", "kind": "blocked", "count": 1}, otel_endpoint=collector.url)
    state = progress_of(database, batch_id)
    assert state is not None
    assert state.counts[RecordStatus.FAILED] == 1
    kinds = [attributes(article).get("error.type") for article in collector.named("article")]
    assert sorted(map(str, kinds)) == ["None", "blocked"]
    assert [span.status.code for span in collector.named("article") if attributes(span).get("error.type")] == [2]


@pytest.mark.parametrize("kind", ["refuses", "never answers"])
def test_a_collector_that_is_away_costs_a_run_nothing(kind: str, run: Any, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "never answers":
            taken.listen()
        with caplog.at_level(logging.WARNING):
            began = time.monotonic()
            _, status = run(3, otel_endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
            took = time.monotonic() - began
    assert status is BatchStatus.COMPLETED
    assert took < 60 + tracing.FLUSH_SECONDS  # the run's own time, and no wait beyond the limit
    assert "the last traces are lost" in caplog.text or "Failed to export" in caplog.text


def test_without_an_endpoint_nothing_is_loaded_and_ids_are_still_told() -> None:
    with tracing.span("batch", batch_id=3):
        assert dict(concerned()) == {"batch_id": 3}
    script = (
        "import sys; from core import tracing, pipeline; from core.settings import Settings;"
        "tracing.set_up(Settings(_env_file=None)); print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lines_of_a_traced_step_name_its_trace(collector: Collector, make_settings: Any) -> None:
    tracing.set_up(make_settings(otel_endpoint=collector.url))
    with tracing.span("batch", batch_id=3):
        told = dict(concerned())
    tracing.flush()
    (batch,) = collector.named("batch")
    assert told == {"batch_id": 3, "trace_id": batch.trace_id.hex()}


def test_without_the_packages_the_desk_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[tracing\]'"):
        tracing.set_up(Settings(_env_file=None, otel_endpoint="http://127.0.0.1:4318"))


@pytest.mark.slow
def test_a_command_sends_its_spans_before_it_ends(collector: Collector, database_url: str, articles: Any, tmp_path: Path) -> None:
    articles(2)
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "SIGNALDESK_DATA_DIR": str(tmp_path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/",
        "OTEL_SERVICE_NAME": "desk-of-the-tests",
    }
    command = [sys.executable, "-m", "console.cli", "analyze", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "COMPLETED"
    assert len(collector.named("article")) == 2
    assert len(collector.named("batch")) == 1
    assert "desk-of-the-tests" in words_sent(collector)
