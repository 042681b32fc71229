"""What a scrape says, read by Prometheus' own parsers."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from datetime import datetime, timedelta

import anyio
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from reactive_config import Memory, Rejected, open_config
from reactive_config._web.asgi import EndpointRequest
from reactive_config._web.collector import MAX_BINDINGS
from reactive_config.bindings import rebuilt
from reactive_config.status import SourceState
from reactive_config.testing import Scripted
from reactive_config.web import Metrics, Operations


class App(msgspec.Struct, frozen=True):
    size: int = 1


def scrape(operations, accept=b"", parse=parse_text):
    answer = operations.answer(EndpointRequest("GET", "/metrics", [(b"Accept", accept)]))
    assert answer.status == 200
    return samples(answer.body.decode(), parse), dict(answer.headers)["Content-Type"]


def samples(text, parse=parse_text):
    return {
        (sample.name.removeprefix("reactive_config_"), *sorted(sample.labels.values())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


async def until(condition):
    with anyio.fail_after(5):
        while not condition():
            await asyncio.sleep(0)


async def build(size):
    if size < 0:
        raise ConnectionError
    return size


class Measured(Memory):
    """A source that counts and measures."""

    async def run(self, feed):
        feed.count("relists", 2)
        feed.gauge("lag", 50)
        feed.gauge("lag", 7.5)
        await super().run(feed)


@pytest.mark.parametrize("parse", [parse_text, parse_openmetrics])
async def test_what_goes_up_and_down_is_a_gauge_and_no_counter(parse):
    """A counter that falls is a restart to Prometheus: its rate would be made up."""
    operations = Operations()
    async with open_config(App, Measured(name="store")) as config, operations.serving(config):
        (status,) = config.status().sources
        assert (status.counters, status.gauges) == ({"relists": 2}, {"lag": 7.5})
        accept = b"application/openmetrics-text" if parse is parse_openmetrics else b""
        body = operations.answer(EndpointRequest("GET", "/metrics", [(b"Accept", accept)])).body.decode()
        families = {family.name.removeprefix("reactive_config_"): family for family in parse(body)}
        (lag,) = families["source_gauge"].samples
        assert (families["source_gauge"].type, lag.labels, lag.value) == (
            "gauge",
            {"source": "store", "gauge": "lag"},
            7.5,
        )
        (relists,) = [sample for sample in families["source_events"].samples if sample.name.endswith("_total")]
        assert (relists.labels, relists.value) == ({"source": "store", "event": "relists"}, 2)


async def test_the_status_is_read_when_it_is_scraped():
    source, operations = Scripted({"size": 1}), Operations()
    async with open_config(App, source) as config, operations.serving(config):
        found, _ = scrape(operations)
        assert (found["generation",], found["source_state", "scripted", "synced"]) == (1, 1)
        assert (found["source_state", "scripted", "stale"], found["source_stale_seconds", "scripted"]) == (0, 0)
        source.state(SourceState.STALE, "no route")
        await source.set({"size": 2})
        source.state(SourceState.STALE, "no route")
        found, _ = scrape(operations)
        assert (found["generation",], found["source_state", "scripted", "synced"]) == (2, 0)
        assert found["source_state", "scripted", "stale"] == 1
        assert found["source_stale_seconds", "scripted"] > 0
        assert found["source_revision", "scripted"] == config.status().sources[0].revision
    assert ("generation",) not in scrape(operations)[0]


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_wall_clock_that_is_set_does_not_change_for_how_long_a_source_is_stale(days, monkeypatch):
    class Set(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    source, operations = Scripted({"size": 1}), Operations()
    async with open_config(App, source) as config, operations.serving(config):
        source.state(SourceState.STALE, "no route")
        monkeypatch.setattr("reactive_config._core.status.datetime", Set)
        first, second = (scrape(operations)[0]["source_stale_seconds", "scripted"] for _ in range(2))
        assert 0 < first < second < 60


async def test_what_is_refused_is_counted_from_zero_on():
    memory, operations = Memory(), Operations()
    async with open_config(App, memory) as config, operations.serving(config):
        assert scrape(operations)[0]["rejections_total", "memory"] == 0
        with pytest.raises(Rejected):
            await memory.patch({"size": "x"})
        found, _ = scrape(operations)
        assert (found["rejections_total", "memory"], found["source_held_units", "memory"]) == (1, 1)
        await memory.patch({"size": 2})
        found, _ = scrape(operations)
        assert (found["rejections_total", "memory"], found["source_held_units", "memory"]) == (1, 0)


async def test_applies_rebuilds_and_the_age_of_changes_are_timed():
    memory, operations = Memory(), Operations()
    async with (
        open_config(App, memory) as config,
        operations.serving(config),
        rebuilt(config.select("size"), build, name="pool") as pool,
    ):
        await memory.patch({"size": 2})
        await until(lambda: pool.value == 2)
        await memory.patch({"size": 2})  # changes nothing
        await memory.patch({"size": -1})
        await until(lambda: pool.failures)
        found, _ = scrape(operations)
    assert (found["apply_seconds_count",], found["publish_age_seconds_count",]) == (3, 2)
    assert found["rebuild_seconds_count", "pool"] >= 3  # the first, the second, and those that failed
    assert found["in_force_age_seconds_count", "pool"] == 1
    assert 0 < found["in_force_age_seconds_sum", "pool"] < 5
    assert (found["binding_changes_total", "pool"], found["binding_forced_total", "pool"]) == (2, 0)
    assert found["binding_failures_total", "pool"] >= 1
    assert found["binding_state", "in force", "pool"] == 0


async def test_figures_go_on_when_the_application_starts_again():
    operations = Operations()
    for starts in (1, 2):
        memory = Memory()
        async with open_config(App, memory) as config, operations.serving(config):
            await memory.patch({"size": 2})
            assert scrape(operations)[0]["apply_seconds_count",] == starts


async def test_openmetrics_is_given_where_it_is_accepted():
    operations = Operations()
    async with open_config(App, Memory()) as config, operations.serving(config):
        accept = b"application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"
        found, content_type = scrape(operations, accept, parse_openmetrics)
        assert content_type.startswith("application/openmetrics-text")
        assert found["generation",] == 1
        for strange in (b"application/openmetrics-text;version=x", b"text/plain;version=1.x", b"\xff;;,=", b"*/*"):
            assert scrape(operations, strange)[1].startswith("text/plain")


async def test_bindings_of_one_name_do_not_spoil_the_scrape():
    operations = Operations()
    async with open_config(App, Memory()) as config, operations.serving(config):
        size = config.select("size")
        async with rebuilt(size, build, name="twin"), rebuilt(size, build, name="twin"):
            found, _ = scrape(operations)
            lines = operations.answer(EndpointRequest("GET", "/metrics")).body.decode().splitlines()
    assert (found["binding_state", "in force", "twin"], found["binding_changes_total", "twin"]) == (2, 2)
    assert len([line for line in lines if 'binding_changes_total{binding="twin"' in line]) == 1


async def test_a_name_that_utf8_cannot_hold_does_not_spoil_the_scrape():
    operations = Operations()
    async with (
        open_config(App, Memory(name='m\udcff"\n')) as config,
        operations.serving(config),
        rebuilt(config.select("size"), build, name="b\udcff"),
    ):
        found, _ = scrape(operations)
    assert found["source_state", 'm\\udcff"\n', "synced"] == 1
    assert found["binding_changes_total", "b\\udcff"] == 1


async def test_the_number_of_series_is_bounded():
    metrics = Metrics()
    async with open_config(App, Memory()) as config:
        with metrics.watching(config):
            for number in range(MAX_BINDINGS + 50):
                async with rebuilt(config.select("size"), build, name=f"of request {number}"):
                    pass
            found = samples(metrics.page()[0].decode())
    counts = {name: value for name, value in found.items() if name[0] == "rebuild_seconds_count"}
    assert len(counts) == MAX_BINDINGS + 1
    assert counts["rebuild_seconds_count", "other"] == 50


async def test_a_registry_of_the_program_is_served_whole_and_may_be_scraped_from_a_thread():
    registry = CollectorRegistry(auto_describe=True)
    operations = Operations(registry=registry)
    pages = []
    async with open_config(App, Memory()) as config, operations.serving(config):
        thread = threading.Thread(target=lambda: pages.append(generate_latest(registry)))
        thread.start()
        await until(lambda: not thread.is_alive())
        assert samples(pages[0].decode())["generation",] == 1
        assert scrape(operations)[0]["generation",] == 1
        with pytest.raises(ValueError, match="Duplicated"):
            Metrics(registry)


async def test_one_of_them_watches_one_configuration():
    metrics = Metrics()
    async with open_config(App, Memory()) as config:
        with (
            metrics.watching(config),
            pytest.raises(RuntimeError, match="one configuration at a time"),
            metrics.watching(config),
        ):
            pass
        with metrics.watching(config):
            assert samples(metrics.page()[0].decode())["generation",] == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
async def test_promtool_has_nothing_to_say_about_names_and_texts():
    memory, operations = Memory(), Operations()
    async with (
        open_config(App, memory) as config,
        operations.serving(config),
        rebuilt(config.select("size"), build, name="pool"),
    ):
        page = operations.answer(EndpointRequest("GET", "/metrics")).body
    done = await anyio.run_process(["promtool", "check", "metrics"], input=page, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


async def test_without_the_library_the_endpoint_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = Operations().answer(EndpointRequest("GET", "/metrics"))
    assert answer.status == 404
    assert b"pip install prometheus-client" in answer.body
    with pytest.raises(ImportError, match="pip install prometheus-client"):
        Metrics()


class Reconnecting(Scripted):
    async def run(self, feed):
        feed.count("reconnects", 2)
        await super().run(feed)


def counters(found):
    """What Prometheus takes for counters."""
    return {key: value for key, value in found.items() if key[0].endswith(("_total", "_count", "_sum", "_bucket"))}


async def test_no_counter_falls_whatever_opens_and_closes():
    memory, operations = Memory(), Operations()
    seen = {}

    def look():
        found = counters(scrape(operations)[0])
        fell = {key: (seen[key], found.get(key)) for key in seen if found.get(key, -1) < seen[key]}
        assert not fell
        seen.update(found)

    async with open_config(App, memory) as config, operations.serving(config):
        size = config.select("size")
        for number in range(1, 4):
            async with rebuilt(size, build, name="twin") as one:
                async with rebuilt(size, build, name="twin") as two:
                    await memory.patch({"size": 100 + number})
                    await until(lambda: one.value == two.value == 100 + number)  # noqa: B023 - awaited at once
                    look()
                look()
            look()
    assert seen["binding_changes_total", "twin"] == 12  # 6 bindings, each made twice


async def test_what_a_binding_counted_stays_counted_once_it_has_closed():
    operations = Operations()
    async with open_config(App, Memory()) as config, operations.serving(config):
        for _ in range(3):
            async with rebuilt(config.select("size"), build, name="of a request"):
                pass
        found, _ = scrape(operations)
    assert found["binding_changes_total", "of a request"] == 3


async def test_counters_go_on_when_the_application_starts_again():
    operations, found = Operations(), []
    for _ in range(2):
        async with (
            open_config(App, Reconnecting({"size": 1})) as config,
            rebuilt(config.select("size"), build, name="pool"),
            operations.serving(config),
        ):
            found.append(scrape(operations)[0])
    assert [each["binding_changes_total", "pool"] for each in found] == [1, 2]
    assert [each["source_events_total", "reconnects", "scripted"] for each in found] == [2, 4]


async def test_a_configuration_that_is_watched_again_is_not_counted_twice():
    operations = Operations()
    async with open_config(App, Memory()) as config, rebuilt(config.select("size"), build, name="pool"):
        for _ in range(3):
            async with operations.serving(config):
                assert scrape(operations)[0]["binding_changes_total", "pool"] == 1
        assert ("binding_changes_total", "pool") not in scrape(operations)[0]
