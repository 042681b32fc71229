"""Passwords from files and functions: what is read, and what is told of those that cannot be."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import threading
import traceback

import pydantic
import pytest

from reactive_config import Secret
from reactive_config._etcd import passwords
from reactive_config._etcd.errors import BadLogin, Unavailable
from reactive_config._etcd.passwords import read_password
from reactive_config._sources.etcd import Etcd


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"hunter2", "hunter2"), (b"hunter2\n", "hunter2"), (b"hunter2\r\n", "hunter2"), (b" a\n\n", " a\n")],
)
async def test_a_file_holds_the_password_and_maybe_a_line_break(tmp_path, content, password):
    file = tmp_path / "password"
    file.write_bytes(content)
    assert await read_password(file, "etcd") == password
    file.write_text("rotated")
    assert await read_password(file, "etcd") == "rotated"


def too_long(path):
    path.write_bytes(b"x" * (passwords.LONGEST + 1))


@pytest.mark.parametrize(
    ("make", "trouble"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "expected a file, got something else"),
        (lambda path: path.write_bytes(b"hunter2\xff"), "expected UTF-8 text, got other bytes"),
        (lambda path: path.write_bytes(b"\n"), "expected a password, got an empty file"),
        (too_long, "expected 65536 bytes at most, got more"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_and_not_quoted(tmp_path, make, trouble):
    file = tmp_path / "password"
    make(file)
    with pytest.raises(BadLogin) as refused:
        await read_password(file, "etcd:1")
    assert str(refused.value) == f"etcd:1: password_file= {file}: {trouble}"


class Vault:
    """A function in each of the shapes that programs have."""

    def __init__(self):
        self.threads = []

    def blocking(self):
        self.threads.append(threading.current_thread())
        return "hunter2"

    async def __call__(self):
        await asyncio.sleep(0)
        return "hunter2"


async def test_a_function_may_block_or_be_async():
    vault = Vault()
    for function in (vault.blocking, vault, vault.__call__, lambda: vault()):
        assert await read_password(function, "etcd") == "hunter2"
    assert vault.threads[0] is not threading.current_thread()


def raising(error):
    def function():
        raise error

    async def later():
        raise error

    return function, later


@pytest.mark.parametrize(
    "error", [KeyError("hunter2"), SystemExit("hunter2"), StopIteration("hunter2"), asyncio.CancelledError("hunter2")]
)
async def test_what_a_function_raises_is_told_by_its_kind_alone(error):
    for function in raising(error):
        with pytest.raises(Unavailable) as refused:
            await read_password(function, "etcd:1")
        kind = type(error).__name__
        kinds = [kind, "RuntimeError"] if isinstance(error, StopIteration) else [kind]
        assert str(refused.value) in [f"etcd:1: password= raised {kind}" for kind in kinds]
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


async def test_a_function_that_returns_no_text_is_refused_by_its_type():
    with pytest.raises(BadLogin, match="password= expected to return a str, got bytes"):
        await read_password(lambda: b"hunter2", "etcd")


async def test_a_function_that_never_returns_is_given_up_and_can_be_cancelled(monkeypatch):
    monkeypatch.setattr(passwords, "WITHIN", 0.05)
    over = threading.Event()
    for function in (over.wait, lambda: asyncio.sleep(60)):
        with pytest.raises(Unavailable, match=r"password= returned nothing within 0.05 s"):
            await read_password(function, "etcd")
    monkeypatch.undo()
    for function in (over.wait, lambda: asyncio.sleep(60)):
        reading = asyncio.create_task(read_password(function, "etcd"))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    over.set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"username": "app"}, "belong together"),
        ({"password": "p"}, "belong together"),
        ({"password_file": "p"}, "belong together"),
        ({"username": "app", "password": "p", "password_file": "p"}, "either password= or password_file="),
        ({"username": "app", "password": b"p"}, "a function that returns one, got bytes"),
        ({"username": "app", "password": ["hunter2"]}, "a function that returns one, got list"),
        ({"username": "app", "password": "hunter2\udcff"}, "password= .* got one with lone surrogates"),
        ({"username": "app", "password": Secret("hunter2\udcff")}, "got one with lone surrogates"),
        ({"username": "app", "password": Secret(["hunter2"])}, "got a Secret of list"),
        ({"username": "app", "password": pydantic.SecretBytes(b"hunter2")}, "got a SecretBytes of bytes"),
        ({"username": "app\udcff", "password": "hunter2"}, "username= .* got one with lone surrogates"),
        ({"username": ["app"], "password": "hunter2"}, "username= as a str, got list"),
    ],
)
def test_a_login_that_is_none_is_refused(options, words):
    with pytest.raises(ValueError, match=words) as refused:
        Etcd("a:1", prefix="/s/", **options)
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.args)
    assert "hunter2" not in shown


@pytest.mark.parametrize("wrap", [Secret, pydantic.SecretStr])
async def test_a_secret_is_unwrapped_where_it_is_used(wrap):
    source = Etcd("a:1", prefix="/s/", username="app", password=wrap("hunter2"))
    user, password = source._plan.login
    assert (user, await read_password(password, "etcd")) == ("app", "hunter2")
    assert await read_password(lambda: wrap("hunter2"), "etcd") == "hunter2"


@pytest.mark.parametrize("password", ["hunter2\udcff", Secret("hunter2\udcff"), lambda: "hunter2\udcff"])
async def test_a_text_that_cannot_be_sent_is_a_bad_login(password):
    with pytest.raises(BadLogin, match="got one with lone surrogates, which UTF-8 does not have") as refused:
        await read_password(password, "etcd")
    assert "hunter2" not in repr(refused.value)


@pytest.mark.parametrize("save", [pickle.dumps, copy.copy, copy.deepcopy, lambda source: source.__getstate__()])
def test_a_source_with_a_password_is_not_pickled(save):
    for password in ("hunter2", Secret("hunter2")):
        source = Etcd("a:1", prefix="/s/", username="app", password=password)
        with pytest.raises(TypeError, match=r"^an Etcd with a password is not pickled"):
            save(source)
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(source._plan)
    plain = Etcd("a:1", prefix="/s/")
    assert repr(pickle.loads(pickle.dumps(plain))) == repr(plain)


def test_neither_the_password_nor_its_function_is_in_a_repr():
    for password in ("hunter2", Secret("hunter2"), lambda: "hunter2"):
        source = Etcd("a:1", prefix="/s/", username="app", password=password)
        assert "hunter2" not in repr(source) + repr(source._plan)
