"""Spans around applies and rebuilds, by OpenTelemetry's own SDK."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import anyio
import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from reactive_config import Memory, Rejected, Secret, open_config
from reactive_config.bindings import rebuilt
from reactive_config.web import Tracing, lifespan


class App(msgspec.Struct, frozen=True):
    size: int = 1
    password: Secret[str] = Secret("canary")


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield SimpleNamespace(
        provider=provider, named=lambda name: [s for s in exporter.get_finished_spans() if s.name == name]
    )
    provider.shutdown()


async def until(condition):
    with anyio.fail_after(5):
        while not condition():
            await asyncio.sleep(0)


async def test_an_apply_says_who_spoke_and_what_came_of_it(spans):
    memory = Memory()
    async with open_config(App, memory) as config:
        with config.observe(Tracing(spans.provider)):
            await memory.patch({"size": 2})
            with pytest.raises(Rejected):
                await memory.patch({"size": "canary"})
    published, held = spans.named("reactive_config.apply")
    assert dict(published.attributes) == {"reactive_config._sources": ("memory",), "reactive_config.generation": 2}
    assert dict(held.attributes) == {
        "reactive_config._sources": ("memory",),
        "reactive_config.held": ("memory revision 3",),
    }
    assert published.context.trace_id != held.context.trace_id


async def test_a_rebuild_is_around_what_the_builder_traces_and_links_to_the_apply(spans):
    tracer = spans.provider.get_tracer("a driver")

    async def build(size):
        with tracer.start_as_current_span("connect"):
            await asyncio.sleep(0)
        return size

    memory = Memory()
    async with open_config(App, memory) as config:
        with config.observe(Tracing(spans.provider)):
            async with rebuilt(config.select("size"), build, name="pool") as pool:
                await memory.patch({"size": 2})
                await until(lambda: pool.value == 2)
    (apply,) = spans.named("reactive_config.apply")
    first, second = spans.named("reactive_config.rebuild")
    assert dict(first.attributes) == dict(second.attributes) == {"reactive_config.binding": "pool"}
    assert [link.context.span_id for link in second.links] == [apply.context.span_id]
    assert not first.links
    assert [span.parent.span_id for span in spans.named("connect")] == [first.context.span_id, second.context.span_id]


async def test_a_failed_and_a_superseded_rebuild_say_so_without_the_text_of_the_error(spans):
    hanging = asyncio.Event()

    async def build(size):
        if size == 2:
            hanging.set()
            await anyio.sleep_forever()
        if size == 3:
            raise ConnectionError("canary: the password is in here")
        return size

    memory = Memory()
    async with open_config(App, memory) as config:
        with config.observe(Tracing(spans.provider)):
            async with rebuilt(config.select("size"), build, name="pool") as pool:
                await memory.patch({"size": 2})
                await hanging.wait()
                await memory.patch({"size": 3})
                await until(lambda: pool.failures)
    _, superseded, failed = spans.named("reactive_config.rebuild")[:3]
    assert superseded.attributes["reactive_config.superseded"] is True
    assert superseded.status.status_code is StatusCode.UNSET
    assert failed.attributes["error.type"] == "ConnectionError"
    assert failed.status.status_code is StatusCode.ERROR
    for span in (superseded, failed):
        assert span.events == ()
        assert "canary" not in span.to_json()


async def test_whatever_span_is_around_the_opening_is_no_parent(spans):
    memory = Memory()
    with spans.provider.get_tracer("main").start_as_current_span("starting"):
        async with open_config(App, memory) as config:
            with config.observe(Tracing(spans.provider)):
                await memory.patch({"size": 2})
    assert spans.named("reactive_config.apply")[0].parent is None


async def test_a_lifespan_traces_where_the_library_is_installed(spans, monkeypatch):
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    memory = Memory()
    app = SimpleNamespace(state=SimpleNamespace())
    async with lifespan(lambda: open_config(App, memory))(app):
        await memory.patch({"size": 2})
    assert len(spans.named("reactive_config.apply")) == 1


async def test_a_lifespan_works_where_it_is_not_and_asking_for_spans_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    memory = Memory()
    app = SimpleNamespace(state=SimpleNamespace())
    async with lifespan(lambda: open_config(App, memory))(app):
        await memory.patch({"size": 2})
        assert app.state.reactive_config.current.size == 2
    with pytest.raises(ImportError, match="pip install opentelemetry-api"):
        Tracing()
