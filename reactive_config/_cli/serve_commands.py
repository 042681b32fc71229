"""`serve` and `tokens`: the service itself, and who may use it."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from reactive_config._cli.etcd_login import NOBODY, EtcdLoginOptions
from reactive_config._cli.failures import OK, Failure, UsageError
from reactive_config._cli.output import Output
from reactive_config._cli.source_options import OUTPUT
from reactive_config._extras import install
from reactive_config._printable import printable

if TYPE_CHECKING:
    from reactive_config._releases.retention import Retention

_SERVICE = Group("Service", sort_key=2)
_STORE = "sqlite:reactive-config.db"
_MOST_KEPT = 100_000

StoreName = Annotated[str, Parameter(metavar="STORE", group=_SERVICE)]


async def serve_command(
    *,
    store: StoreName = _STORE,
    listen: Annotated[str, Parameter(metavar="HOST:PORT", group=_SERVICE)] = "127.0.0.1:8470",
    insecure: Annotated[bool, Parameter(negative="", group=_SERVICE, show_default=False)] = False,
    keep_releases: Annotated[int, Parameter(group=_SERVICE)] = 1000,
    keep_days: Annotated[int | None, Parameter(group=_SERVICE)] = None,
    keep_mib: Annotated[int, Parameter(group=_SERVICE)] = 512,
    access: EtcdLoginOptions = NOBODY,
) -> int:
    """Serve configuration over HTTP, until SIGTERM or Ctrl-C.

    At the first start one token is made, named admin: shown on a terminal, else written to the file admin-token.

    Args:
        store: sqlite:FILE, or etcd://HOST:PORT/PREFIX/ with any number of services over it.
        listen: Where to listen.
        insecure: Listen on an address that others reach, although nothing is encrypted.
        keep_releases: How many releases of each environment are kept.
        keep_days: How old they may be; any age if it is not said.
        keep_mib: MiB of all histories together; each environment has an equal share of them, 64 MiB at most.
    """
    try:
        from reactive_config._service.serving import serve
    except ImportError as error:
        raise UsageError(f"serve needs {error.name}: {install('service')}") from None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        retention = _retention(keep_releases, keep_days, keep_mib)
        await serve(store, listen, insecure=insecure, retention=retention, login=access.login())
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise Failure(f"{listen}: {error.strerror or type(error).__name__}") from None
    return OK


def _retention(count: int, days: int | None, mib: int) -> Retention:
    from reactive_config._releases.retention import Retention

    for name, number in (("--keep-releases", count), ("--keep-days", days), ("--keep-mib", mib)):
        if number is not None and not 1 <= number <= _MOST_KEPT:
            raise UsageError(f"{name}: expected a number from 1 to {_MOST_KEPT:,}, got {number}")
    return Retention(count=count, age=None if days is None else timedelta(days=days), total=mib << 20)


async def tokens(
    action: str,
    name: str = "",
    /,
    *,
    store: StoreName = _STORE,
    access: EtcdLoginOptions = NOBODY,
    json: Annotated[bool, Parameter(negative="", group=OUTPUT, show_default=False)] = False,
) -> int:
    """Make, list and revoke access tokens, in the store itself.

    Args:
        action: create, list or revoke.
        name: Whom the token stands for.
        store: As for `serve`.
        json: JSON lines; errors too.
    """
    try:
        from reactive_config._service.serving import open_service
    except ImportError as error:
        raise UsageError(f"tokens needs {error.name}: {install('service')}") from None
    out = Output(json=json)
    if action not in ("create", "list", "revoke") or bool(name) == (action == "list"):
        got = printable(f"{action} {name}".strip())
        raise UsageError(f"expected create NAME, list, or revoke NAME, got {got}")
    try:
        async with open_service(store, login=access.login(), create=False) as service:
            if action == "create":
                token = await service.tokens.create(name, datetime.now(UTC))
                if json:
                    out.record("token", name=name, token=token)
                else:
                    out.line(token)
            elif action == "revoke":
                await service.tokens.revoke(name)
            else:
                for record in service.tokens.list():
                    if json:
                        out.record("token", name=record.name, created=record.created.isoformat())
                    else:
                        out.line(f"{record.created:%Y-%m-%d %H:%M:%S}  {record.name}")
    except ValueError as error:
        raise UsageError(str(error)) from None
    return OK
