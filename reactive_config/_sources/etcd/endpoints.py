"""The endpoints that are tried: those that were given, and with `discover=True` those that etcd advertises."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from reactive_config._etcd.errors import EtcdError, Unavailable
from reactive_config._etcd.link import Link
from reactive_config._etcd.members import MemberList, list_members
from reactive_config._etcd.settings import Endpoint, parse_endpoint
from reactive_config._sources.etcd.etcd_options import EtcdOptions
from reactive_config._sources.etcd.run_state import RunState

EVERY = 60.0
"""Seconds between two looks at the member list; the first one belongs to the begin of a session."""

_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - an address to listen on, which some advertise by mistake


class EndpointList:
    """Where to look for etcd.

    Attributes:
        endpoints: In order: those that were given, always, and then those that were discovered.
    """

    def __init__(self, plan: EtcdOptions, stand: RunState) -> None:
        self.endpoints = plan.endpoints
        self._given = plan.endpoints
        self._encrypted = plan.settings.tls is not None or any(endpoint.secure for endpoint in plan.endpoints)
        self._discover = plan.discover
        self._rng: random.Random = plan.rng
        self._stand = stand
        self._cluster: int | None = None

    def cluster_of(self, endpoint: Endpoint) -> int | None:
        """The id of the only cluster that may answer there; None for a given endpoint, which is trusted.

        An advertised address means another machine for everybody: `localhost` may be an etcd, and not this one.
        """
        return None if endpoint in self._given else self._cluster

    @asynccontextmanager
    async def followed(self, link: Link) -> AsyncIterator[None]:
        """Keep the list up to date over this link, if that was asked for."""
        if not self._discover:
            yield
            return
        task = asyncio.create_task(self._follow(link))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _follow(self, link: Link) -> None:
        while True:
            try:
                told = await list_members(link)
                if self.cluster_of(link.endpoint) in (None, told.cluster):
                    self.learn(told)
            except Unavailable:
                pass  # what is wrong with the connection, the session tells
            except EtcdError as error:
                self._stand.note("members", f"the members of the cluster cannot be listed: {error}")
            await asyncio.sleep(EVERY * self._rng.uniform(0.8, 1.2))

    def learn(self, told: MemberList) -> None:
        """Take a member list; what cannot be an endpoint for us is noted."""
        found: dict[str, Endpoint] = {endpoint.target: endpoint for endpoint in self._given}
        left: list[str] = []
        for url in (url for member in told.members if not member.learner for url in member.urls):
            endpoint, reason = self._endpoint(url)
            if endpoint is None:
                left.append(f"{url} ({reason})")
            else:
                found.setdefault(endpoint.target, endpoint)
        self.endpoints = tuple(found.values())
        self._cluster = told.cluster
        self._stand.note("members", *_note(self.endpoints[len(self._given) :], left))

    def _endpoint(self, url: str) -> tuple[Endpoint | None, str]:
        try:
            endpoint = parse_endpoint(url)
        except ValueError:
            return None, "not as http://host:port"
        if endpoint.address[0] in _ANYWHERE:
            return None, "no address to connect to"
        if self._encrypted and not endpoint.secure:
            return None, "not encrypted, as the given endpoints are"
        return endpoint, ""


def _note(discovered: Sequence[Endpoint], left: Sequence[str]) -> list[str]:
    texts = [f"discovered members: {', '.join(map(str, discovered))}"] if discovered else []
    return texts + ([f"advertised by members and not used: {', '.join(left)}"] if left else [])
