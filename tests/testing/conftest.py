"""One real etcd for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reactive_config.testing import EtcdServer, running_etcd


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdServer]:
    with running_etcd() as server:
        yield server
