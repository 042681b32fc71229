"""What is sent is a function of what etcd holds, however it got there."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from reactive_config._core.delta import Bare, Malformed
from reactive_config._etcd.messages import Batch, Item, KeyChange, Listing, StoreHead
from reactive_config._sources.etcd.key_documents import ONE, TURN, KeyDocument, read_document, read_documents
from reactive_config._sources.etcd.key_layout import Ignored, KeyLayout
from reactive_config._sources.etcd.store import Store

KEYS = KeyLayout(prefix="/s/")


def read(items):
    documents = []
    for item in items:
        meaning = KEYS.meaning(item.key)
        if item.value is None or isinstance(meaning, Ignored):
            documents.append(None if item.value is None else meaning)
        else:
            documents.append(read_document(item.key.decode(), item.value, item.mod_revision, meaning))
    return documents


def listing(state, revision):
    items = tuple(Item(k, v, r) for k, (v, r) in state.items())
    newest = max((i.mod_revision for i in items), default=0)
    return Listing(StoreHead(1, 1, revision, len(items), newest), items)


def listed(store, state, revision):
    told = listing(state, revision)
    return store.replace(told, read(told.items))


def patched(store, *changes):
    latest = Batch(changes).latest()
    return store.patch(latest, read(latest))


def put(key, value, revision):
    return KeyChange(key.encode(), value.encode(), revision)


def delete(key, revision):
    return KeyChange(key.encode(), None, revision)


def test_a_patch_carries_whole_transactions_as_units():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    patch = patched(store, put("/s/a", "2", 6), put("/s/b", "x", 6), delete("/s/a", 7))
    assert {name: entry.unit for name, entry in patch.set.items()} == {"/s/b": 6}
    assert patch.deleted == {"/s/a": 7}
    assert patch.revision == 7


def test_what_is_covered_already_changes_nothing():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    patch = patched(store, put("/s/a", "0", 4), delete("/s/a", 5))
    assert (patch.set, patch.deleted, patch.revision) == ({}, {}, 5)


def test_two_keys_for_one_path_are_refused_by_name_and_recover_when_one_goes():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    clash = patched(store, put("/s/a.json", "2", 6), put("/s/b", "3", 6))
    assert set(clash.set) == {"/s/a", "/s/a.json", "/s/b"}
    for name in ("/s/a", "/s/a.json"):
        assert clash.set[name].unit == 6
        assert clash.set[name].value == Malformed("one key for this path", "/s/a and /s/a.json")
    healed = patched(store, delete("/s/a.json", 7))
    assert healed.deleted == {"/s/a.json": 7}
    assert healed.set["/s/a"].unit == 7
    assert healed.set["/s/a"].raw == b"1"
    assert healed.set["/s/a"].revision == 3


def test_two_keys_that_part_and_meet_again_are_refused_again():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3), b"/s/a.json": (b"2", 3)}, 5)
    assert set(patched(store, delete("/s/a.json", 6), put("/s/a", "3", 7)).set) == {"/s/a"}
    again = patched(store, put("/s/a.json", "4", 8))
    assert {name: entry.unit for name, entry in again.set.items()} == {"/s/a": 8, "/s/a.json": 8}


def test_a_relist_sends_the_very_entries_that_were_sent_before():
    store = Store()
    first = listed(store, {b"/s/a": (b"[1]", 3), b"/s/b": (b"2", 4)}, 5)
    told = listing({b"/s/a": (b"[1]", 3), b"/s/b": (b"2", 4)}, 9)
    again = store.replace(told, list(store.documents.values()))
    assert all(again.entries[name] is entry for name, entry in first.entries.items())


def test_a_relist_keeps_what_another_key_s_transaction_made_of_an_entry():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3), b"/s/a.json": (b"2", 3)}, 5)
    healed = patched(store, delete("/s/a.json", 7)).set["/s/a"]
    assert healed.unit == 7
    told = listing({b"/s/a": (b"1", 3)}, 9)
    assert store.replace(told, list(store.documents.values())).entries["/s/a"] is healed
    assert patched(store, put("/s/a", "4", 10)).set["/s/a"].unit == 10
    told = listing({b"/s/a": (b"4", 10)}, 11)
    assert store.replace(told, list(store.documents.values())).entries["/s/a"].value == Bare("4")


def test_the_newest_is_of_a_key_that_is_there():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    patched(store, put("/s/b", "1", 6), put("/s/_x", "1", 7))
    assert (store.newest, store.count) == (7, 3)
    patched(store, delete("/s/_x", 8))
    assert (store.newest, store.count) == (6, 2)
    patched(store, delete("/s/b", 9))
    assert (store.newest, store.count) == (3, 1)


def test_what_is_left_out_is_noted_for_as_long_as_it_is_there():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    assert store.notes() == []
    patched(store, KeyChange(b"/s/\xff", b"1", 6), put("/s/_x", "1", 6))
    assert store.notes() == ["1 key is left out, not UTF-8: /s/\\xff"]
    patched(store, KeyChange(b"/s/\xff", None, 7), KeyChange(b"/s/\xfe", None, 7))
    assert store.notes() == []


def test_equal_newest_and_count_prove_a_later_revision():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    assert store.covers(StoreHead(1, 1, 9, 1, 3))
    assert not store.covers(StoreHead(1, 1, 9, 1, 8))
    assert not store.covers(StoreHead(1, 1, 9, 0, 3))
    assert not store.covers(StoreHead(1, 1, 9, 1, None))


def test_a_store_of_another_history_is_told_by_its_bytes():
    store = Store()
    listed(store, {b"/s/a": (b"1", 3)}, 5)
    assert store.equals(listing({b"/s/a": (b"1", 3)}, 5))
    assert not store.equals(listing({b"/s/a": (b"2", 3)}, 5))
    assert not store.equals(listing({b"/s/a": (b"1", 4)}, 5))
    assert not store.equals(listing({}, 5))


def test_no_text_for_people_holds_a_value():
    document = read_document("/s/a", b"hunter2", 3, KEYS.meaning(b"/s/a"))
    assert "hunter2" not in repr([document, put("/s/a", "hunter2", 3), Item(b"/s/a", b"hunter2", 3)])


NAMES = st.sampled_from(
    ["/s/a", "/s/a.json", "/s/a.yaml", "/s/a.json.yaml", "/s/b/c", "/s/b/c.json", "/s//d", "/s/_x", "/s/e"]
)
VALUES = st.sampled_from(["1", "[]", '"x"', "{", ""])
TRANSACTIONS = st.lists(st.dictionaries(NAMES, st.none() | VALUES, min_size=1, max_size=4), max_size=12)


@given(TRANSACTIONS, st.integers(1, 4))
def test_patches_end_where_a_list_begins(transactions, together):
    """The sum of all patches is what a source that starts now would send, but for units."""
    state, sent, store, waiting = {}, {}, Store(), []
    listed(store, {}, 1)
    for revision, transaction in enumerate(transactions, start=2):
        for name, value in transaction.items():
            if value is not None:
                state[name.encode()] = (value.encode(), revision)
            elif state.pop(name.encode(), None) is None:
                continue
            waiting.append(KeyChange(name.encode(), None if value is None else value.encode(), revision))
        if revision % together and revision <= len(transactions):
            continue
        patch = patched(store, *waiting)
        waiting = []
        sent.update(patch.set)
        for name in patch.deleted:
            sent.pop(name, None)
    fresh = listed(Store(), state, 100).entries
    assert {n: (e.value, e.path, e.revision, e.raw) for n, e in sent.items()} == {
        n: (e.value, e.path, e.revision, e.raw) for n, e in fresh.items()
    }
    assert all(isinstance(entry, KeyDocument) for entry in sent.values())
    assert (store.count, store.newest) == (len(state), max((r for _, r in state.values()), default=0))
    assert store.size == sum(len(k) + len(v) for k, (v, _) in state.items())


def test_of_a_key_put_twice_the_later_one_counts_and_nothing_overtakes_it():
    batch = Batch((put("/s/a", "1", 6), put("/s/b", "2", 6), put("/s/a", "3", 7), delete("/s/c", 8)))
    assert batch.latest() == (put("/s/b", "2", 6), put("/s/a", "3", 7), delete("/s/c", 8))


def test_a_suffix_before_the_suffix_belongs_to_the_path():
    store = Store()
    listed(store, {b"/s/a.json": (b"1", 3)}, 5)
    patch = patched(store, put("/s/a.json.json", "2", 6))
    assert {name: (entry.path, entry.value) for name, entry in patch.set.items()} == {
        "/s/a.json.json": (("a.json",), 2)
    }


async def test_a_key_that_comes_again_keeps_its_name_and_path():
    """Else every change would cost memory: the runtime holds the first ones as keys of its tables."""
    first = await read_documents(KEYS, [Item(b"/s/long/path", b"1", 3)], {})
    known = {"/s/long/path": first[0]}
    (again,) = await read_documents(KEYS, [put("/s/long/path", "2", 6)], known)
    assert again.value == Bare("2")
    assert again.place is first[0].place
    assert again.path is first[0].path
    same, rewritten = await read_documents(KEYS, [put("/s/long/path", "1", 3), put("/s/long/path", "1", 9)], known)
    assert same is first[0]
    assert (rewritten.value, rewritten.revision) == (Bare("1"), 9)


async def test_a_key_that_cannot_be_mounted_stays_one_when_it_comes_again():
    (first,) = await read_documents(KEYS, [Item(b"/s//d", b"1", 3)], {})
    (again,) = await read_documents(KEYS, [put("/s//d", "2", 6)], {"/s//d": first})
    assert isinstance(first.value, Malformed)
    assert again.value == first.value


async def test_keys_of_one_table_share_its_name():
    one, other = await read_documents(KEYS, [Item(b"/s/table/one", b"1", 3), Item(b"/s/table/two", b"1", 3)], {})
    assert one.path[0] is other.path[0]


async def test_a_long_list_gives_the_loop_its_turn():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    items = [Item(b"/s/%d" % number, b"x" * 1000, 3) for number in range(3 * TURN // (ONE + 1000))]
    assert len(await read_documents(KEYS, items, {})) == len(items)
    task.cancel()
    assert 2 <= turns <= 5


LAYERED = KeyLayout(prefix="/s/", layers=["low", "high"])


def layered_store(*keys):
    store = Store()
    items = tuple(Item(f"/s/{key}".encode(), b"1", 1) for key in keys)
    documents = [read_document(i.key.decode(), i.value, 1, LAYERED.meaning(i.key)) for i in items]
    store.replace(Listing(StoreHead(1, 1, 5, len(items), 1), items), documents)
    return store


def emptied(store, delta):
    """The layers that a delta left emptied on purpose."""
    filled = {document.layer for document in store.documents.values()}
    assert delta.emptied == store.emptied.layers | filled  # what waits in a layer keeps it from being empty
    return store.emptied.layers


def test_a_layer_whose_last_key_is_deleted_by_itself_is_emptied():
    store = layered_store("low/a", "high/a", "high/b")
    assert emptied(store, patched(store, delete("/s/high/a", 6))) == set()
    assert emptied(store, patched(store, delete("/s/high/b", 7))) == {1}
    assert emptied(store, patched(store, delete("/s/low/a", 8))) == {0, 1}


def test_deletions_one_by_one_that_arrive_together_empty_a_layer_too():
    store = layered_store("low/a", "high/a", "high/b", "high/c")
    changes = delete("/s/high/a", 6), delete("/s/high/b", 6), delete("/s/high/c", 7)
    assert emptied(store, patched(store, *changes)) == {1}


def test_a_transaction_that_deletes_several_keys_empties_nothing():
    store = layered_store("low/a", "high/a", "high/b")
    assert emptied(store, patched(store, delete("/s/high/a", 6), delete("/s/high/b", 6))) == set()
    store = layered_store("low/a", "high/a")
    assert emptied(store, patched(store, delete("/s/high/a", 6), delete("/s/low/a", 6))) == set()


def test_a_list_keeps_what_is_emptied_and_adds_nothing():
    store = layered_store("low/a", "high/a")
    patched(store, delete("/s/high/a", 6))
    assert emptied(store, listed(store, {}, 7)) == {1}
    assert emptied(store, patched(store)) == {1}
    assert emptied(store, listed(store, {b"/s/a": (b"1", 8)}, 8)) == {1}


def test_a_layer_with_a_key_again_is_emptied_no_more():
    store = layered_store("low/a", "high/a")
    patched(store, delete("/s/low/a", 6))
    assert emptied(store, listed(store, {b"/s/x": (b"1", 8)}, 8)) == set()  # the unlayered keys' one layer is the first
    store = layered_store("low/a")
    patched(store, delete("/s/low/a", 6))
    assert emptied(store, patched(store, put("/s/x", "1", 7))) == set()
    assert emptied(store, listed(store, {}, 8)) == set()
