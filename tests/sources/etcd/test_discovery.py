"""`discover=True`: the members that etcd advertises are tried, too, and the given endpoints stay."""

from __future__ import annotations

import random

import pytest

from reactive_config._core.status import SourceState
from reactive_config._etcd.members import ClusterMember, MemberList
from reactive_config._etcd.settings import TLS, Settings, parse_endpoint
from reactive_config._sources.etcd import endpoints as module
from reactive_config._sources.etcd.endpoints import EndpointList
from reactive_config._sources.etcd.etcd_options import EtcdOptions
from reactive_config._sources.etcd.key_layout import KeyLayout
from reactive_config._sources.etcd.run_state import RunState
from reactive_config._testing.etcd_cluster import running_cluster
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = pytest.mark.half_grid


def learned(*urls, given=("a:1",), tls=None, learner=False):
    """The endpoints that are tried after a list with these URLs, and the notes about them."""
    feed = RecordingFeed()
    endpoints = tuple(map(parse_endpoint, given))
    plan = EtcdOptions(endpoints, Settings(tls=tls), KeyLayout(prefix="/"), None, random.Random(1), discover=True)
    members = EndpointList(plan, RunState(feed))
    members.learn(MemberList(7, (ClusterMember("m", urls, learner), ClusterMember("", (), False))))
    assert [members.cluster_of(endpoint) for endpoint in members.endpoints[: len(given)]] == [None] * len(given)
    assert {members.cluster_of(endpoint) for endpoint in members.endpoints[len(given) :]} <= {7}
    return [str(endpoint) for endpoint in members.endpoints], feed.said


async def test_what_members_advertise_comes_after_what_was_given():
    assert learned("http://b:2", "http://a:1", "http://b:2") == (["a:1", "b:2"], ("discovered members: b:2",))
    assert learned("https://b:2", given=["a:1", "c:3"])[0] == ["a:1", "c:3", "b:2"]


async def test_a_learner_is_left_out():
    assert learned("http://b:2", learner=True) == (["a:1"], ())


@pytest.mark.parametrize("options", [{"tls": TLS(ca="ca.pem")}, {"given": ["https://a:1"]}])
async def test_what_is_not_encrypted_is_never_tried_in_place_of_what_is(options):
    endpoints, said = learned("http://b:2", "https://c:3", **options)
    assert endpoints == ["a:1", "c:3"]
    assert said == (
        "discovered members: c:3",
        "advertised by members and not used: http://b:2 (not encrypted, as the given endpoints are)",
    )


async def test_what_leads_nowhere_is_left_out_and_noted():
    urls = ["http://0.0.0.0:2379", "http://[::]:2379", "unix://etcd:0", "http://b:0"]
    endpoints, (said,) = learned(*urls)
    assert endpoints == ["a:1"]
    assert [url in said for url in urls] == [True] * 4
    assert "http://0.0.0.0:2379 (no address to connect to)" in said


@pytest.fixture(scope="module")
def cluster(binary):
    with running_cluster(binary=binary) as cluster:
        yield cluster


@pytest.mark.etcd
@pytest.mark.slow
@pytest.mark.parametrize("discover", [True, False])
async def test_the_other_members_take_over_when_the_only_one_that_was_given_dies(
    cluster, prefix, follow, synced, discover
):
    leader = await cluster.wait_leader()
    await leader.put(f"{prefix}a", "1")
    async with follow(leader.endpoint, prefix=prefix, discover=discover) as feed:
        await feed.wait(synced)
        if discover:
            await feed.wait(lambda feed: feed.said)
            others = [endpoint for endpoint in cluster.endpoints if endpoint != leader.endpoint]
            assert sorted(feed.said[0].removeprefix("discovered members: ").split(", ")) == sorted(others)
        leader.kill()
        await feed.wait(lambda feed: feed.states[-1][0] is SourceState.STALE)
        survivor = await cluster.wait_leader()
        revision = await survivor.put(f"{prefix}a", "2")
        if discover:
            await feed.wait(lambda feed: synced(feed) and feed.revision >= revision)
            assert (feed.counters["relists"], feed.counters["restores"]) == (0, 0)
        else:
            await feed.wait(lambda feed: len(feed.states) > 3)
            assert feed.revision < revision
        await cluster.start()
        await feed.wait(lambda feed: synced(feed) and feed.revision >= revision)


@pytest.mark.etcd
async def test_members_are_listed_with_authentication_on_and_again_and_again(binary, follow, synced, monkeypatch):
    lists = []
    really = module.list_members

    async def counted(link):
        lists.append(await really(link))
        return lists[-1]

    monkeypatch.setattr(module, "list_members", counted)
    monkeypatch.setattr(module, "EVERY", 0.01)
    async with etcd_server(binary, auth={"app": ("p", ["/app/"])}) as server:
        await server.put("/app/a", "1")
        async with follow(server.endpoint, prefix="/app/", username="app", password="p", discover=True) as feed:
            await feed.wait(synced)
            revision = await server.put("/app/a", "2")
            await feed.wait(lambda feed: feed.revision >= revision and len(lists) > 2)
            assert feed.said == ()  # it advertises what was given
        assert {url for member in lists[-1].members for url in member.urls} == {f"http://{server.endpoint}"}


@pytest.mark.etcd
async def test_an_advertised_address_that_leads_to_another_cluster_is_not_followed(
    binary, server, prefix, follow, synced, values, monkeypatch
):
    """`localhost` of another machine may be an etcd here."""
    await server.put(f"{prefix}a", "wrong")
    async with etcd_server(binary, flags=["--initial-cluster-token", "other"]) as own:
        await own.put(f"{prefix}a", "right")
        really = module.list_members

        async def told(link):
            found = await really(link)
            return MemberList(found.cluster, (ClusterMember("m", (f"http://{server.endpoint}",), False),))

        monkeypatch.setattr(module, "list_members", told)
        async with follow(own.endpoint, prefix=prefix, discover=True) as feed:
            await feed.wait(lambda feed: synced(feed) and feed.said)
            own.kill()
            await feed.wait(
                lambda feed: "this is another cluster than the one that advertised it" in feed.states[-1][1]
            )
            await own.start()
            await feed.wait(synced)
            assert values(feed) == {f"{prefix}a": "<right>"}
            assert feed.counters["restores"] == 0
