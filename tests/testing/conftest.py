"""One real etcd for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reactive_config.testing import EtcdServer, etcd_binaries, running_etcd


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdServer]:
    if not etcd_binaries():
        pytest.skip("there is no etcd here")
    with running_etcd() as server:
        yield server
