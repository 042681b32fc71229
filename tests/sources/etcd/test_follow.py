"""Following a real etcd: first state, transactions, layers, every kind of key and value."""

from __future__ import annotations

import pytest

from reactive_config._core.delta import Bare, Malformed, Patch, Replace
from reactive_config._core.status import SourceState
from reactive_config._etcd.transaction import write

pytestmark = pytest.mark.etcd


async def test_the_first_delta_is_the_whole_state_and_the_source_is_synced(server, prefix, follow, values, synced):
    revision = await server.txn({f"{prefix}debug": "true", f"{prefix}pool": '{"max": 20}', f"{prefix}pool/min": "2"})
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        (first,) = feed.deltas
        assert isinstance(first, Replace)
        assert first.revision >= revision
        assert values(feed) == {f"{prefix}debug": "<true>", f"{prefix}pool": {"max": 20}, f"{prefix}pool/min": "<2>"}
        entry = first.entries[f"{prefix}pool/min"]
        assert (entry.path, entry.unit, entry.revision, entry.layer) == (("pool", "min"), revision, revision, 0)


async def test_an_empty_prefix_is_an_empty_state(server, prefix, follow, synced):
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        assert feed.deltas[0].entries == {}


async def test_puts_and_deletes_arrive_as_patches_with_their_transaction(server, prefix, follow, values, synced):
    await server.put(f"{prefix}old", "1")
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        revision = await server.txn({f"{prefix}a": "1", f"{prefix}b": "2"}, deletes=[f"{prefix}old"])
        await feed.wait(lambda feed: feed.revision >= revision)
        patch = feed.deltas[-1]
        assert isinstance(patch, Patch)
        assert {entry.unit for entry in patch.set.values()} | set(patch.deleted.values()) == {revision}
        assert patch.revision == revision
        assert values(feed) == {f"{prefix}a": "<1>", f"{prefix}b": "<2>"}


async def test_layers_are_one_watch(server, prefix, follow, values, synced):
    await server.txn({
        f"{prefix}common/a": "1",
        f"{prefix}production.json": '{"a": 2}',
        f"{prefix}production/b/c": "3",
        f"{prefix}staging/a": "4",
        f"{prefix}_releases/1": "5",
        f"{prefix}common/_rollout": "6",
    })  # fmt: skip
    async with follow(server.endpoint, prefix=prefix, layers=["common", "production"]) as feed:
        await feed.wait(synced)
        assert {name: (entry.layer, entry.path) for name, entry in feed.entries.items()} == {
            f"{prefix}common/a": (0, ("a",)),
            f"{prefix}production.json": (1, ()),
            f"{prefix}production/b/c": (1, ("b", "c")),
        }
        assert feed.said == (f"1 key is left out, under no layer: {prefix}staging/a",)
        await server.delete(f"{prefix}staging/a")
        await feed.wait(lambda feed: feed.said == ())


async def test_one_key_is_one_document(server, prefix, follow, values, synced):
    key = f"{prefix}config"
    await server.txn({key: '{"a": 1}', f"{key}uration": "2"})
    async with follow(server.endpoint, key=key) as feed:
        await feed.wait(synced)
        assert values(feed) == {key: {"a": 1}}
        assert feed.entries[key].path == ()
        await server.put(key, "text")
        await feed.wait(lambda feed: isinstance(feed.entries[key].value, Malformed))
        await server.delete(key)
        await feed.wait(lambda feed: not feed.entries)


async def test_suffixes_name_the_format_and_bare_values_keep_their_text(server, prefix, follow, values, synced):
    await server.txn({
        f"{prefix}j.json": '{"a": 1.10}',
        f"{prefix}y.yaml": "a: [1, no]",
        f"{prefix}t.toml": 'a = "x"',
        f"{prefix}bare": "1.10",
        f"{prefix}empty": "",
        f"{prefix}broken": '{"a": ',
        f"{prefix}list.json": "[1]",
    })  # fmt: skip
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        seen = {entry.path: entry.value for entry in feed.entries.values()}
        broken = seen.pop(("broken",))
        assert isinstance(broken, Malformed)
        assert broken.line == 1
        assert seen == {
            ("j",): {"a": 1.1}, ("y",): {"a": [1, "no"]}, ("t",): {"a": "x"},
            ("bare",): Bare("1.10"), ("empty",): Bare(""), ("list",): [1],
        }  # fmt: skip
        document = feed.entries[f"{prefix}y.yaml"]
        assert document.locate is not None
        assert document.locate(document, ("a",)) == (1, 1)  # a list stands where its key does


async def test_colliding_keys_are_rejected_until_one_goes(server, prefix, follow, values, synced):
    await server.put(f"{prefix}a", "1")
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        await server.put(f"{prefix}a.json", "2")
        await feed.wait(lambda feed: f"{prefix}a.json" in feed.entries)
        assert set(values(feed).values()) == {"expected one key for this path"}
        assert feed.accepted[f"{prefix}a"].value == Bare("1")
        await server.delete(f"{prefix}a")
        await feed.wait(lambda feed: values(feed) == {f"{prefix}a.json": 2})


async def test_what_is_not_utf_8_is_named_and_the_rest_served(server, prefix, follow, values, synced):
    name = prefix.encode()
    await server.txn({name + b"\xff\xfe": "1", name + b"value": b"\xff", name + b"good": "1", name + b"/x": "1"})
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        assert values(feed) == {
            f"{prefix}value": "expected UTF-8 text",
            f"{prefix}good": "<1>",
            f"{prefix}/x": "expected a key without empty segments",
        }
        assert feed.said == (f"1 key is left out, not UTF-8: {prefix}\\xff\\xfe",)
        await server.delete(name + b"\xff\xfe")
        await feed.wait(lambda feed: feed.said == ())


async def test_a_long_list_and_large_documents_come_whole(server, prefix, follow, values, synced):
    async with server.connect() as link:
        for start in range(0, 2500, 100):
            await write(link, {f"{prefix}k{i:05}": str(i) for i in range(start, start + 100)})
        await write(link, {f"{prefix}big.yaml": "a: " + "x" * 50_000, f"{prefix}big.json": '"' + "y" * 1_200_000 + '"'})
        await write(link, {f"{prefix}wide": '"' + "z" * 1_200_000 + '"'}, deletes=[f"{prefix}big.json"])
    async with follow(server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced)
        assert len(feed.deltas) == 1
        assert values(feed)[f"{prefix}k02499"] == "<2499>"
        assert len(feed.entries) == 2502
    await _clear(server, prefix)


async def _clear(server, prefix):
    server.ctl("del", "--prefix", prefix)


async def test_several_endpoints_with_the_first_dead(server, prefix, follow, synced):
    await server.put(f"{prefix}a", "1")
    async with follow("127.0.0.1:1", server.endpoint, prefix=prefix) as feed:
        await feed.wait(synced, timeout=2)
        assert [state for state, _ in feed.states] == [SourceState.SYNCED]


async def test_nothing_there_is_said_with_the_reason_and_the_next_try(follow):
    async with follow("127.0.0.1:1", "localhost:2", prefix="/a/") as feed:
        await feed.wait(lambda feed: len(feed.states) >= 2)
        state, reason = feed.states[-1]
        assert state is SourceState.CONNECTING
        assert "127.0.0.1:1: Failed to connect to remote host: Connection refused; localhost:2: " in reason


async def test_an_optional_source_lets_the_program_start_without_etcd(follow):
    async with follow("127.0.0.1:1", prefix="/a/", optional=True, mirror_after=0) as feed:
        await feed.wait(lambda feed: feed.states and feed.states[-1][0] is SourceState.STALE, timeout=3)
        assert not feed.deltas
