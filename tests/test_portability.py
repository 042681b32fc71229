"""A system without POSIX, as far as it can be simulated: the package is imported, and files alone work.

A process of its own loses what Windows lacks, after the standard library and the outside libraries were
imported: they have made their choice for this system.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

OUTSIDE = (
    "aetcd", "aiohttp.web", "anyio._backends._asyncio", "asyncpg", "attrs", "cronsim", "cyclopts", "grpc.aio", "httpx",
    "limits", "litestar", "openfeature", "opentelemetry.trace", "orjson", "prometheus_client", "psycopg_pool",
    "pydantic", "pytest", "redis.asyncio", "rich.console", "sqlalchemy.ext.asyncio", "starlette.applications",
    "structlog", "uvicorn", "watchfiles", "yaml",
)  # fmt: skip

WITHOUT_POSIX = """
import asyncio, importlib, os, pkgutil, signal, subprocess, sys, zoneinfo
from pathlib import Path
for name in {outside}:
    importlib.import_module(name)
for name in ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty", "uvloop"):
    sys.modules[name] = None
for name in (
    "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "fchmod", "fchown", "fork", "geteuid",
    "getgid", "getpgid", "getuid", "killpg", "mkfifo", "register_at_fork", "setsid", "statvfs", "uname",
):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGSTOP", "SIGCONT", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
posix_open = os.open
def windows_open(path, *args, **options):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return posix_open(path, *args, **options)
os.open = windows_open
def no_signals(*args):
    raise NotImplementedError
asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = no_signals
asyncio.unix_events._UnixSelectorEventLoop.remove_signal_handler = no_signals
sys.platform = "win32"
"""

IMPORT_ALL = """
import reactive_config
failed = []
for module in pkgutil.walk_packages(reactive_config.__path__, "reactive_config."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except Exception as error:
        failed.append(f"{module.name}: {error!r}")
print(failed)
"""

FOLLOW = """
from reactive_config import Env, Files, Memory, open_config

async def main(home):
    (home / "app.toml").write_text("size = 1")
    (home / "folder").mkdir()
    (home / "folder" / "more.json").write_text('{"name": "x"}')
    files = Files(str(home / "app.toml"), str(home / "folder"), NOTIFIER)
    async with open_config(dict, files, Env("SHOP_", environ={"SHOP_ZONE": "b"}), Memory()) as config:
        assert config.current == {"size": 1, "name": "x", "zone": "b"}, config.current
        (home / "new").write_text("size = 2")
        os.replace(home / "new", home / "app.toml")
        async with asyncio.timeout(20):
            async for snapshot in config:
                if snapshot.value["size"] == 2:
                    break
    print("followed")

asyncio.run(main(Path(sys.argv[1])))
"""

MIRROR = """
from reactive_config._sources.etcd.mirror_copies import CopyRow, MirrorCopy
from reactive_config._sources.etcd.mirror import Mirror, Saved
mirror = Mirror(Path(sys.argv[1], "var", "shop.json"), "/s/")
for revision in (5, 6):
    state = MirrorCopy("/s/", 7, revision, revision, {"/s/a": CopyRow(str(revision), revision)})
    assert mirror.save(state, set_aside=True, rewound=False) is Saved.WRITTEN
    assert mirror.load() == state
print("saved")
"""

COMMANDS = """
from reactive_config._cli import doctor as host
from reactive_config._cli.app import run
host._INOTIFY = Path("not", "there")
file = Path(sys.argv[1], "app.toml")
file.write_text("size = 7")
print([run([*command, str(file)]) for command in (["get", "size"], ["check"], ["doctor"])])
"""


def run(program: str, home: Path) -> str:
    source = WITHOUT_POSIX.format(outside=OUTSIDE) + program
    done = subprocess.run(
        [sys.executable, "-c", source, str(home)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_module_is_imported(tmp_path):
    assert run(IMPORT_ALL, tmp_path) == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("notifier", ["auto", "polling"])
def test_files_alone_are_followed(notifier, tmp_path):
    assert run(FOLLOW.replace("NOTIFIER", f"notifier={notifier!r}"), tmp_path) == "followed"


def test_a_mirror_is_written_where_directories_cannot_be_opened(tmp_path):
    assert run(MIRROR, tmp_path) == "saved"


def test_the_command_works(tmp_path):
    assert run(COMMANDS, tmp_path).splitlines()[-1] == "[0, 0, 0]"
