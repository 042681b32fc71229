"""Everything that a configuration, its errors, the log, the commands and the web endpoints put out."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import pickle
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactive_config import Config, ConfigError, Env, Files, Memory, Rejected, Secret, StartupError, open_config
from reactive_config._cli.app import run as run_app
from reactive_config._cli.opening import Opened
from reactive_config._cli.output import Output
from reactive_config._cli.watch_output import Generation, tell_generation, tell_held, tell_start
from reactive_config._core.paths import format_path
from reactive_config._web.asgi import EndpointRequest
from reactive_config.web import Operations
from tests.chained import chained
from tests.properties.planted_secrets import Case


class Heard:
    """Everything that came out, as (where, text).

    Attributes:
        outputs: What the library shows.
        inward: Texts of what the program holds itself, in which its own type decides.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[str, str]] = []
        self.inward: list[str] = []

    def hear(self, where: str, *things: Any) -> None:
        self.outputs += [(where, repr(thing)) for thing in things] + [(where, str(thing)) for thing in things]

    def hear_error(self, where: str, error: BaseException) -> None:
        """An error, and whatever hangs on it."""
        for one in chained(error):
            self.hear(where, one, one.args, getattr(one, "__notes__", ()), vars(one))
        self.hear(where, "".join(traceback.format_exception(error)))
        with contextlib.suppress(Exception):
            self.hear(where, pickle.dumps(error))

    def assert_silent(self, secrets: list[str]) -> None:
        assert self.outputs
        found = [(where, secret) for where, text in self.outputs for secret in secrets if secret in text]
        assert not found, found[:3]

    def text(self, *where: str) -> str:
        return "\n".join(text for place, text in self.outputs if place in where)


@contextlib.contextmanager
def listening(heard: Heard) -> Iterator[None]:
    """Take every log record, with its traceback."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.hear("log", self.format(record), record.args, record.msg)

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def paths_in(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(tree, dict):
        for name, inner in tree.items():
            yield from paths_in(inner, (*path, name))


def hear_config(heard: Heard, config: Config[Any], case: Case) -> None:
    """Whatever an open configuration shows, in the library, on the web and by the commands' own functions."""
    heard.hear("repr", config, config.snapshot, config.status(), config.updates())
    heard.inward.append(repr(config.current))
    heard.hear("describe", msgspec.json.encode(config.describe()).decode())
    heard.hear("status", msgspec.json.encode(config.status()).decode())
    for path in paths_in(case.good):
        heard.hear("explain", msgspec.json.encode(config.explain(format_path(path))).decode())
        with contextlib.suppress(LookupError):
            heard.hear("live", config.select(format_path(path)))


async def ask_web(heard: Heard, config: Config[Any]) -> None:
    operations = Operations(config_token=Secret("open-door"))
    async with operations.serving(config):
        for path in ("/config", "/metrics", "/readyz", "/loggers"):
            answer = operations.answer(EndpointRequest("GET", path, [(b"authorization", b"bearer open-door")]))
            heard.hear(path, answer.body.decode())


def print_changes(heard: Heard, config: Config[Any], case: Case, before: Any) -> None:
    """What `watch` prints."""
    for as_json in (False, True):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            session, output = Opened(config, case.kind, None, ()), Output(json=as_json)
            tell_start(output, session, config.snapshot)
            tell_generation(output, session, Generation(before, config.snapshot, ()))
            for source in config.status().sources:
                for held in source.held:
                    tell_held(output, source.name, held)
        heard.hear("watch", out.getvalue())


async def in_memory(heard: Heard, case: Case) -> None:
    """Good content, another layer above it, wrong content, and back."""
    lower, upper = Memory({"count": 3}), Memory(name="upper")
    try:
        async with open_config(case.kind, Memory(case.good), lower, upper) as config:
            before = config.snapshot
            for content in (*case.bad, {"count": "plainly"}, case.good, {}):
                try:
                    await upper.replace(content)
                except Rejected as error:
                    heard.hear_error("rejected", error)
                hear_config(heard, config, case)
                print_changes(heard, config, case, before)
                before = config.snapshot
            await ask_web(heard, config)
            heard.hear("errors", *[p for s in config.status().sources for held in s.held for p in held.problems])
    except StartupError as error:
        heard.hear_error("startup", error)


async def at_start(heard: Heard, case: Case, *sources: Any) -> None:
    try:
        async with open_config(case.kind, *sources) as config:
            hear_config(heard, config, case)
    except ConfigError as error:
        heard.hear_error("startup", error)


def variables(tree: dict[str, Any], prefix: str) -> dict[str, str]:
    """Content as variables: tables by nested names, everything else as its text or as JSON."""
    found: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            found |= variables(value, f"{prefix}{name}__")
        else:
            found[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return found


def through_memory(case: Case) -> Heard:
    heard = Heard()
    with listening(heard):
        asyncio.run(in_memory(heard, case))
        for content in case.bad:
            asyncio.run(at_start(heard, case, Memory(content)))
    return heard


def as_file(directory: Path, name: str, tree: Any) -> Path:
    """A document that looks old, so that nobody waits for its writer."""
    file = directory / name
    file.write_text(json.dumps(tree))
    os.utime(file, (1, 1))
    return file


def through_files_and_variables(case: Case, directory: Path) -> Heard:
    heard = Heard()
    with listening(heard), pytest.MonkeyPatch.context() as patch:
        for suffix in (".json", ".yaml", ".toml", ".env"):  # half a document, and one in another's words
            half = as_file(directory, f"half{suffix}", case.good)
            half.write_text(half.read_text()[: -2 - len(case.planter.secrets)])
            os.utime(half, (1, 1))
            asyncio.run(at_start(heard, case, Files(half)))
        for content in (case.good, *case.bad[:2]):
            asyncio.run(at_start(heard, case, Files(as_file(directory, "app.json", content))))
            for name, text in variables(content, "PLANTED_").items():
                patch.setenv(name.upper(), text)
            asyncio.run(at_start(heard, case, Env("PLANTED_")))
    return heard


def through_commands(case: Case, directory: Path) -> Heard:
    heard = Heard()
    module: Any = types.ModuleType("planted_settings")
    module.Root = case.kind
    good, bad = (str(as_file(directory, f"{name}.json", tree)) for name, tree in (("g", case.good), ("b", case.bad[0])))
    with pytest.MonkeyPatch.context() as patch, listening(heard):
        patch.setitem(sys.modules, "planted_settings", module)
        for command in (["get", "."], ["get", "top"], ["explain", "."], ["explain", "top"], ["check"], ["doctor"]):
            for content in ([good], [bad, good], [bad]):
                for form in ([], ["--json"]):
                    typed = [] if command == ["doctor"] else ["--type", "planted_settings:Root"]
                    out, err = io.StringIO(), io.StringIO()
                    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                        run_app([*command, *content, *typed, *form])
                    heard.hear(" ".join(command), out.getvalue(), err.getvalue())
    return heard
