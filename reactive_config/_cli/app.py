"""The commands, and the one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import logging
import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError

from reactive_config._cli.change_commands import apply_files, rollback, set_values, unset_values
from reactive_config._cli.check import check
from reactive_config._cli.completion import completion
from reactive_config._cli.doctor import doctor
from reactive_config._cli.explain import explain
from reactive_config._cli.failures import OK, TROUBLE, USAGE, Failure, Unwritable, UsageError
from reactive_config._cli.get import get
from reactive_config._cli.history_commands import blame, diff, export, history, show_release
from reactive_config._cli.init import init
from reactive_config._cli.output import Output, make_console
from reactive_config._cli.quoting import without_values
from reactive_config._cli.schema import schema
from reactive_config._cli.serve_commands import serve_command, tokens
from reactive_config._cli.watch import watch
from reactive_config.errors import ReactiveConfigError

_HELP = "Look at a live configuration, and change it: what is in force, where it comes from, its history, every change."

_TARGETS = """TARGET is one environment of a configuration service or of its store. It comes
first, or from REACTIVE_CONFIG_TARGET of the environment.
  http://HOST:PORT/NAMESPACE/ENVIRONMENT
                             of a service (https:// too), with a token from
                             REACTIVE_CONFIG_TOKEN or --token-file
  sqlite:FILE/NAMESPACE/ENVIRONMENT
                             of a store in a file, without a service
  etcd://HOST:PORT/PREFIX/NAMESPACE/ENVIRONMENT
                             of a store in etcd; etcds:// is over TLS
  etcd://HOST:PORT/PREFIX/   for set and unset: any prefix of etcd"""

_EPILOGUE = f"""SOURCE is one layer. Give the lowest first; later ones win.
  config/common              a directory of files, or one file
                             (.json, .yaml, .yml, .toml, .env)
  environment:config/production
                             common.*, production.* and *.local.* in config
  values:/run/secrets        a directory with one value a file
  env:SHOP_                  variables: SHOP_DATABASE__POOL__MAX_SIZE=20
  etcd://HOST:PORT/shop/     all keys under a prefix (it ends in a slash)
  etcd://HOST:PORT/shop      one key with the whole document
  etcd://HOST,HOST,HOST/...  several members; etcds:// is over TLS
  optional:SOURCE            any of these, and it may be missing

{_TARGETS}

Examples
  reactive-config init shop --kind worker
  reactive-config watch config/common config/production
  reactive-config get database.pool config/ etcd://10.0.0.1/shop/
  reactive-config explain log.level config/ etcd://10.0.0.1/shop/ env:SHOP_
  reactive-config check config/ --type shop.settings:App
  reactive-config doctor config/ etcds://10.0.0.1,10.0.0.2/shop/ --ca ca.pem
  reactive-config set http://127.0.0.1:8470/shop/dev debug=true -m why --create

Where no SOURCE or --type is given, REACTIVE_CONFIG_SOURCES and
REACTIVE_CONFIG_TYPE of the environment count, and then `sources` and `type` of
[tool.reactive-config] in the nearest pyproject.toml, here or above.
Exit codes: 0 fine, 1 content, a source or a service is at fault, 2 usage,
3 somebody else has changed the environment meanwhile (--at).
Secrets are never printed: what the type says is one, and texts that are named
like one, or stand below such a name (password, token, key)."""

_COMMANDS: dict[str, tuple[Callable[..., Any], str]] = {
    "init": (init, "[DIRECTORY] [--kind worker|web]"),
    "get": (get, "[PATH] [SOURCE...]"),
    "explain": (explain, "PATH [SOURCE...]"),
    "watch": (watch, "[SOURCE...]"),
    "check": (check, "[SOURCE...] [--type MODULE:CLASS]"),
    "schema": (schema, "[--type MODULE:CLASS]"),
    "doctor": (doctor, "[SOURCE...]"),
    "completion": (completion, "bash|zsh|fish"),
    "set": (set_values, "[TARGET] PATH=VALUE..."),
    "unset": (unset_values, "[TARGET] PATH..."),
    "apply": (apply_files, "[TARGET] FILE|DIRECTORY"),
    "export": (export, "[TARGET] DIRECTORY"),
    "history": (history, "[TARGET]"),
    "show": (show_release, "[TARGET] NUMBER"),
    "diff": (diff, "[TARGET] NUMBER [NUMBER]"),
    "blame": (blame, "[TARGET] PATH"),
    "rollback": (rollback, "[TARGET] NUMBER"),
    "serve": (serve_command, "[--store STORE] [--listen HOST:PORT]"),
    "tokens": (tokens, "create NAME|list|revoke NAME"),
}


def make_app() -> App:
    """The command line, nothing run yet."""
    app = App(
        name="reactive-config",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        console=make_console(None),
        version=lambda: importlib.metadata.version("reactive-config"),
    )
    for order, (name, (command, arguments)) in enumerate(_COMMANDS.items()):
        usage = f"Usage: reactive-config {name} {arguments}"
        epilogue = _TARGETS if arguments.startswith("[TARGET]") else ""
        app.command(App(name=name, default_command=command, usage=usage, help_epilogue=epilogue, sort_key=order))
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code.
    """
    logging.getLogger("reactive_config").addHandler(logging.NullHandler())  # what it logs is shown by the commands
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its C core writes to the standard error by itself
    out = Output(json="--json" in arguments)
    try:
        return _told(out, arguments)
    except Unwritable as failure:  # so the message about another failure was lost
        out.fail(failure)
        return failure.code


def _told(out: Output, arguments: Sequence[str]) -> int:
    """Run it; whatever ends it early is told in one message."""
    try:
        return _dispatch(out, arguments)
    except Failure as failure:
        out.fail(failure)
        return failure.code
    except CycloptsError as error:
        message = without_values(str(error), arguments)
        out.fail(UsageError(message, hints=[f"reactive-config {_command(arguments)}--help"]))
        return USAGE
    except ReactiveConfigError as error:
        out.fail(Failure(str(error)))
        return TROUBLE
    except KeyboardInterrupt:
        return 130
    except BaseException as error:  # noqa: BLE001 - a traceback is for those who write the program
        out.fail(_unexpected(error))
        return TROUBLE


def _unexpected(error: BaseException) -> Failure:
    """An error of the type's code, of the machine or of this program. Its text may quote a value: it is not shown."""
    if isinstance(error, OSError):
        name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return Failure(f"{name}expected access, got {error.strerror or type(error).__name__}")
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return Failure(f"expected to go on, got {type(error).__name__}{place}")


def _dispatch(out: Output, arguments: Sequence[str]) -> int:
    app = make_app()
    command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    if all(command is not ours for ours, _ in _COMMANDS.values()):  # the help and the version write by themselves
        with out.writing():
            command(*bound.args, **bound.kwargs)
        return OK
    result = command(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return result if isinstance(result, int) else OK


def _command(arguments: Sequence[str]) -> str:
    return f"{arguments[0]} " if arguments and arguments[0] in _COMMANDS else ""
