"""Traces: what a batch does and how long each step takes, as OpenTelemetry spans, where somebody collects them.

batch → article → agent run → model request, with the searches beside the agent runs; the agent's spans are pydantic-ai's own. On
when ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set, and without cost otherwise. Spans leave in a thread of their own, a few hundred at a time:
a collector that is away is logged and costs a run nothing. Of articles, prompts and answers nothing leaves unless
``SIGNALDESK_TRACE_CONTENT`` asks for it; nor do the words of an error, which may quote them. The SDK's own variables hold too
(``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_TRACES_SAMPLER``, ``OTEL_SERVICE_NAME``, …).
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from core.errors import SettingsError
from core.logs import about, concerned
from core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""How long an end waits at most for the last spans to leave."""

_lock = threading.Lock()
_provider: "TracerProvider | None" = None
_tracer: "Tracer | None" = None
_set_up_for: tuple[str, bool] | None = None


def set_up(settings: Settings) -> None:
    """Begin to trace if an endpoint is set. Once a process; may be called again, and then does nothing.

    Raises:
        SettingsError: the packages are not installed.
    """
    global _provider, _tracer, _set_up_for  # noqa: PLW0603 - one a process
    endpoint = settings.otel_endpoint
    if endpoint is None:
        return
    with _lock:
        if _set_up_for == (endpoint, settings.trace_content):
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise SettingsError(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the packages that send traces are not installed. Install them with"
                " pip install -e '.[tracing]', or take the variable away."
            ) from error
        from pydantic_ai import Agent
        from pydantic_ai.models.instrumented import InstrumentationSettings

        if _provider is not None:
            _provider.shutdown()
        name = os.environ.get("OTEL_SERVICE_NAME", "signaldesk")
        _provider = TracerProvider(
            resource=Resource.create({"service.name": name, "service.version": _version(), "service.instance.id": str(os.getpid())}),
            shutdown_on_exit=False,  # it would wait as long as the exporter tries
        )
        _provider.add_span_processor(_with_ids())
        _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
        _tracer = _provider.get_tracer("signaldesk", _version())
        Agent.instrument_all(
            InstrumentationSettings(
                tracer_provider=_provider,
                include_content=settings.trace_content,
                include_binary_content=False,
                include_model_request_parameters=settings.trace_content,
            )
        )
        _set_up_for = (endpoint, settings.trace_content)
        logger.info("traces are sent to %s", endpoint)


@contextmanager
def span(name: str, **ids: int | str) -> Iterator[None]:
    """A step that takes time, with what it concerns; log lines within concern the same, and name the trace."""
    if _tracer is None:
        with about(**ids):
            yield
        return
    with (
        about(**ids),
        # An error's words may be the article's: only its kind leaves.
        _tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current,
        about(trace_id=f"{current.get_span_context().trace_id:032x}"),
    ):
        try:
            yield
        except Exception as error:
            failed(type(error).__qualname__)
            raise


def failed(kind: str) -> None:
    """The step that is under way ends in a failure of this kind."""
    if _tracer is not None:
        from opentelemetry import trace

        current = trace.get_current_span()
        current.set_attribute("error.type", kind)
        current.set_status(trace.StatusCode.ERROR)


def flush() -> None:
    """Wait a little for the spans that ended to leave. Called as a process lets go of the desk."""
    provider = _provider
    if provider is None:
        return
    flushing = threading.Thread(target=provider.force_flush, name="trace-flush", daemon=True)  # it has no time limit of its own
    flushing.start()
    flushing.join(FLUSH_SECONDS)
    if flushing.is_alive():
        logger.warning("the last traces are lost: the collector did not take them within %g s", FLUSH_SECONDS)


def _with_ids() -> Any:
    from opentelemetry.sdk.trace import SpanProcessor

    class WithIds(SpanProcessor):
        """Every span, pydantic-ai's too, says which batch, record and article it concerns."""

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            for name, value in concerned().items():
                if name != "trace_id":
                    span.set_attribute(f"signaldesk.{name}", value)

    return WithIds()


def _version() -> str:
    try:
        return version("signaldesk")
    except PackageNotFoundError:  # a checkout that is run without being installed
        return "unknown"
