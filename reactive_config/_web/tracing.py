"""Spans around every apply and every rebuild, for OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from reactive_config import Config
from reactive_config._extras import install
from reactive_config.observability import ApplyEvent, Observer, RebuildEvent

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, TracerProvider


class Tracing(Observer):
    """Makes spans; `with config.observe(Tracing()): ...`.

    `reactive_config.apply` has the attributes `reactive_config._sources`, `.generation` (where it published one) and
    `.held` (source and unit of what was refused). `reactive_config.rebuild` has `reactive_config.binding`, and
    `error.type` and the status ERROR where it failed, or `reactive_config.superseded`; it links to the apply that
    published last, and what the builder itself traces becomes its child. Each begins a trace of its own.
    Values, and texts of exceptions, which may quote them, are in none.

    Args:
        provider: OpenTelemetry's global one unless given.

    Raises:
        ImportError: opentelemetry-api is not installed.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError:
            raise ImportError(f"Tracing needs opentelemetry-api: {install('otel')}") from None
        self._tracer = trace.get_tracer("reactive_config", tracer_provider=provider)
        self._published: SpanContext | None = None

    @contextmanager
    def applying(self, apply: ApplyEvent) -> Iterator[None]:
        with self._span("reactive_config.apply", {"reactive_config._sources": apply.sources}) as span:
            yield
            if apply.generation:
                span.set_attribute("reactive_config.generation", apply.generation)
                self._published = span.get_span_context()
            if apply.held:
                span.set_attribute("reactive_config.held", [f"{source} {held.unit}" for source, held in apply.held])

    @contextmanager
    def rebuilding(self, rebuild: RebuildEvent) -> Iterator[None]:
        from opentelemetry.trace import StatusCode

        attributes = {"reactive_config.binding": rebuild.binding}
        with self._span("reactive_config.rebuild", attributes, self._published) as span:
            try:
                yield
            finally:
                if rebuild.superseded:
                    span.set_attribute("reactive_config.superseded", True)
                if rebuild.error:
                    span.set_attribute("error.type", rebuild.error)
                    span.set_status(StatusCode.ERROR)

    def _span(
        self, name: str, attributes: dict[str, Any], cause: SpanContext | None = None
    ) -> AbstractContextManager[Any]:
        from opentelemetry.context import Context
        from opentelemetry.trace import Link

        return self._tracer.start_as_current_span(
            name,
            context=Context(),  # whatever span was around the opening of the configuration ended long ago
            attributes=attributes,
            links=[Link(cause)] if cause is not None else [],
            record_exception=False,
            set_status_on_exception=False,
        )


def traced(config: Config[Any]) -> AbstractContextManager[None]:
    """Spans while the block lasts, where opentelemetry-api is installed; without a provider they cost little."""
    try:
        return config.observe(Tracing())
    except ImportError:
        return nullcontext()
