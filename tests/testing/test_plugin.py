"""The pytest plugin in projects of users: theirs are run by a pytest of their own."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest

import reactive_config.testing.plugin as plugin

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

APP = """
import asyncio
import msgspec
import pytest
from reactive_config import Config, Memory, Rejected, StartupError
from reactive_config.status import SourceState

class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    log: dict[str, str] = {}
    size: int = 1

CLOSED = []

async def follow(config):
    async for snapshot in config:
        pass
    CLOSED.append(config)
"""

TESTS = """
from app import *

async def test_change(live_config):
    config = await live_config(App, {"log": {"root": "INFO"}})
    assert isinstance(config, Config)
    live = config.select("log.root")
    await config.patch({"log": {"root": "DEBUG"}})
    assert config.current.log["root"] == live.current == "DEBUG"
    await config.replace({"size": 3})
    assert config.current == App(size=3)
    await config.delete("size")
    assert config.current == App()

async def test_refusal(live_config):
    config = await live_config(App)
    with pytest.raises(Rejected, match="size: expected int"):
        await config.patch({"size": "many"})
    assert config.current == App()

async def test_outage(live_config):
    config = await live_config(App, below=[Memory({"size": 7})])
    config.source.state(SourceState.STALE, "gone")
    assert config.status().sources[-1].state is SourceState.STALE
    assert config.current.size == 7

async def test_two_at_once(live_config):
    one, two = await live_config(App, {"size": 1}), await live_config(App, {"size": 2})
    await one.patch({"size": 5})
    assert (one.current.size, two.current.size) == (5, 2)

async def test_start_that_fails(live_config):
    with pytest.raises(StartupError):
        await live_config(App, {"size": "many"})

async def test_leaves_a_subscriber_behind(live_config):
    config = await live_config(App)
    follower = asyncio.create_task(follow(config))
    await asyncio.sleep(0)
    await config.patch({"size": 2})
"""

# Runs coroutines as other plugins do: with a loop that ends right after the test, or one that stays for fixtures.
RUNNER = """
import asyncio, inspect, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        runner = asyncio.Runner(debug=True)
        try:
            runner.run(pyfuncitem.obj(**arguments))
        finally:
            pyfuncitem.addfinalizer(runner.close) if LATE else runner.close()
        return True
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str, asyncio: bool = False) -> pytest.RunResult:
    """A pytest of its own, with pytest-asyncio where asked for: loops, warnings and loaded modules are a user's."""
    without = () if asyncio else ("-p", "no:asyncio")
    return project.runpytest_subprocess("-q", "-W", "error", *without, *arguments)


def test_with_the_plugin_of_anyio(project: pytest.Pytester) -> None:
    """The whole of it under anyio's plugin, in auto mode, on both loops."""
    backends = '[("asyncio", {"use_uvloop": False})'
    backends += ', ("asyncio", {"use_uvloop": True})]' if importlib.util.find_spec("uvloop") else "]"
    project.makeconftest(
        f"import pytest\n@pytest.fixture(params={backends})\ndef anyio_backend(request): return request.param"
    )
    project.makepyfile(test_it=TESTS)
    loops = backends.count("asyncio")
    run(project, "-o", "anyio_mode=auto").assert_outcomes(passed=6 * loops)


@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.skipif(importlib.util.find_spec("pytest_asyncio") is None, reason="pytest-asyncio is not installed")
def test_with_pytest_asyncio(project: pytest.Pytester, mode: str) -> None:
    """The whole of it under pytest-asyncio, in both of its modes."""
    mark = "pytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
    project.makepyfile(test_it=f"import pytest\n{mark}{TESTS}")
    options = ("-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function")
    run(project, "-p", "no:anyio", *options, asyncio=True).assert_outcomes(passed=6)


@pytest.mark.parametrize("late", [False, True], ids=["loop ends before the fixture", "loop ends after the fixture"])
def test_with_any_runner(project: pytest.Pytester, late: bool) -> None:
    """Whoever runs the tests, and whenever they end the loop: everything is closed, without a warning."""
    project.makeconftest(f"LATE = {late}\n{RUNNER}")
    project.makepyfile(test_it=TESTS)
    result = run(project, "-p", "no:anyio")
    result.assert_outcomes(passed=6)


def test_async_fixtures_of_the_user(project: pytest.Pytester) -> None:
    """A user's async fixture may open, change and use the configuration until its own end."""
    project.makeconftest('import pytest\n@pytest.fixture\ndef anyio_backend(): return "asyncio"')
    project.makepyfile(
        test_it="""
        from app import *

        @pytest.fixture
        async def config(live_config):
            config = await live_config(App, {"size": 2})
            yield config
            await config.patch({"size": 9})
            assert config.current.size == 9

        async def test_it(config):
            await config.patch({"size": 3})
            assert config.current.size == 3
        """
    )
    run(project, "-o", "anyio_mode=auto").assert_outcomes(passed=1)


def test_a_bug_of_a_source_fails_the_test(project: pytest.Pytester) -> None:
    """A configuration that ended by a bug is not passed over in silence."""
    project.makeconftest('import pytest\n@pytest.fixture\ndef anyio_backend(): return "asyncio"')
    project.makepyfile(
        test_it="""
        from app import *

        async def test_it(live_config):
            config = await live_config(App)
            await config.source.crash(ZeroDivisionError("a bug"))
            await asyncio.Event().wait()
        """
    )
    result = run(project, "-o", "anyio_mode=auto")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*ZeroDivisionError: a bug*"])


def test_the_example_of_the_documentation_runs(project: pytest.Pytester) -> None:
    """What the plugin's docstring shows is a test that passes."""
    assert plugin.__doc__ is not None
    example = re.search(r"\n\n((?:    .*\n|\n)+)", plugin.__doc__)
    assert example is not None
    source = example[1].replace("\n    ", "\n").removeprefix("    ")
    project.makeconftest('import pytest\n@pytest.fixture\ndef anyio_backend(): return "asyncio"')
    project.makepyfile(test_example=f"from app import *\n\n{source}")
    run(project, "-o", "anyio_mode=auto").assert_outcomes(passed=1)


def test_it_can_be_turned_off(project: pytest.Pytester) -> None:
    """Users who disable the plugin lose the fixture and nothing else."""
    project.makepyfile(
        test_it="""
        import asyncio
        from app import *
        from reactive_config.testing import open_test_config

        async def change():
            async with open_test_config(App, {"size": 2}) as config:
                await config.patch({"size": 3})
                return config.current.size

        def test_without(): assert asyncio.run(change()) == 3
        def test_with(live_config): pass
        """
    )
    run(project, "-p", "no:reactive_config").assert_outcomes(passed=1, errors=1)


def test_the_suite_explains_itself(project: pytest.Pytester) -> None:
    """A check of the conformance suite that fails shows the values, as a test of the user's own would."""
    project.makeconftest('import pytest\n@pytest.fixture\ndef anyio_backend(): return "asyncio"')
    project.makepyfile(
        test_it="""
        from app import *
        from reactive_config.testing import ConformanceSuite, SourceHarness

        class Wrong(SourceHarness):
            def source(self): return Memory({"name": "not what was written"})
            async def write(self, tree): pass

        class TestMine(ConformanceSuite):
            @pytest.fixture
            def harness(self): return Wrong()
        """
    )
    result = run(project, "-o", "anyio_mode=auto", "-k", "test_written_values_arrive")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *not what was written*"])


HEAVY = "{'grpc', 'aetcd', 'watchfiles', 'uvloop', 'hypothesis'}"
OURS = "[m for m in sys.modules if m.startswith('reactive_config.testing.')]"


def test_the_plugin_costs_next_to_nothing() -> None:
    """Starting pytest with it loads no grpc and nothing of the testing room but itself."""
    code = "import sys, reactive_config.testing.plugin\n"
    code += f"assert not {HEAVY} & sys.modules.keys(); assert {OURS} == ['reactive_config.testing.plugin'], {OURS}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_room_is_loaded_when_it_is_used() -> None:
    """Importing the room loads neither pytest nor grpc nor its own parts; each name can be had and is documented."""
    code = "import sys, reactive_config.testing as t\n"
    code += f"assert not ({HEAVY} | {{'pytest'}}) & sys.modules.keys(); assert {OURS} == []\n"
    code += "assert dir(t) == sorted(t.__all__)\n"
    code += "assert all(getattr(t, name).__doc__ for name in t.__all__)\n"
    code += "assert not {'grpc', 'aetcd', 'pytest'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy room answers as any module does."""
    import reactive_config.testing

    assert not hasattr(reactive_config.testing, "Nothing")
