"""``GET /metrics`` for Prometheus: the desk's figures as they are at the scrape, and the API's own requests since the process began."""

from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from console.api.requests import Requests
from console.api.serving import Caller, Guarded
from core import overall
from core.clock import utc_now
from core.errors import DatabaseUnavailable
from core.health import versions
from core.overall import Overall
from core.records import LEASE

router = APIRouter(tags=["desk"], route_class=Guarded)


class _Desk(Collector):
    """The desk's figures as one look found them; None while the database is away."""

    def __init__(self, found: Overall | None, now: float) -> None:
        self._found, self._now = found, now

    def collect(self) -> Iterator[Metric]:
        found = self._found
        yield _gauge("signaldesk_database_up", "Whether the database answers.", float(found is not None))
        if found is None:
            yield InfoMetricFamily("signaldesk_build", "What runs.", {"version": versions()["signaldesk"]})
            return
        yield InfoMetricFamily("signaldesk_build", "What runs.", {"version": versions()["signaldesk"], "migration": found.revision or ""})
        yield _gauge("signaldesk_articles", "Articles.", found.today.articles)
        yield _gauge("signaldesk_articles_published_24h", "Published in the last 24 hours, at most 10,000.", found.published_lately.value)
        yield _gauge("signaldesk_articles_ready", "Articles that are ready for analysis, at most 10,000.", found.today.ready.value)
        yield _gauge("signaldesk_signals_to_review", "Signals that nobody has decided on.", found.today.to_review)
        yield _gauges("signaldesk_batches", "Batches by status.", "status", {one.value: n for one, n in found.batches.items()})
        records = {one.value: number for one, number in found.records.items()}
        yield _gauges("signaldesk_open_records", "Articles of batches that have not ended.", "state", records)
        queue = {"waiting": found.queue.waiting.value, "paused": found.queue.paused.value, "in_work": found.queue.in_work}
        yield _gauges("signaldesk_queue", "Articles by what they wait for, at most 10,000 each.", "state", queue)
        beats = [one.heartbeat_at.timestamp() for one in found.workers if one.runs_batches]
        alive = sum(beat >= self._now - LEASE.total_seconds() for beat in beats)
        yield _gauge("signaldesk_workers", "Processes that run batches and whose heartbeat is fresh.", alive)
        yield _gauge("signaldesk_worker_last_heartbeat_timestamp_seconds", "The newest heartbeat; 0 without one.", max(beats, default=0.0))
        for name in ("limit", "spent", "reserved"):
            amounts = {one.scope.value: float(getattr(one, name)) for one in found.budgets}
            yield _gauges(f"signaldesk_budget_{name}_usd", f"US dollars {name} of today's (UTC) and this month's budget.", "scope", amounts)
        calls = CounterMetricFamily("signaldesk_calls", "Calls that have ended, by provider and result.", labels=("provider", "result"))
        spent = CounterMetricFamily("signaldesk_spend_usd", "US dollars spent.", labels=("provider",))
        for provider, used in found.calls.items():
            answered = used.calls - used.released_calls - used.unknown_calls
            for result, number in (("answered", answered), ("released", used.released_calls), ("unknown", used.unknown_calls)):
                calls.add_metric((provider, result), number)
            spent.add_metric((provider,), float(used.usd))
        yield calls
        yield spent
        in_flight = {one.name: one.in_flight for one in found.providers}
        yield _gauges("signaldesk_calls_in_flight", "Calls under way, by provider.", "provider", in_flight)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)


def _gauges(name: str, words: str, label: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def exposition(requests: Requests, found: Overall | None, now: float) -> bytes:
    """All figures in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Desk(found, now))
    return generate_latest(registry) + generate_latest(requests.registry)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
def metrics(at: Caller) -> Response:
    """The desk's figures for Prometheus."""
    now = utc_now()
    try:
        found = at.with_settings(lambda session, settings: overall.overall(session, settings, now))
    except DatabaseUnavailable:
        found = None
    return Response(exposition(at.requests, found, now.timestamp()), media_type=CONTENT_TYPE_LATEST)
