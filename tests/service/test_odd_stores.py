"""What is in the store is odd or damaged: every answer is true, names the way out, and others go on."""

from __future__ import annotations

import logging

import pytest

from reactive_config._releases.access_tokens import token_key
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.idempotency import ANSWERS
from reactive_config._releases.key_store import Write
from reactive_config._service import trouble_log

from .conftest import ANY, CONFIG, MERGE, NEW, client_of, problem

pytestmark = pytest.mark.half_grid

COMMON = "/v1/shop/common/config"
RELEASES = "/v1/shop/production/releases"
NAME = EnvironmentName("shop", "production")
EFFECTIVE = {"view": "effective"}


async def write(service, puts, deletes=frozenset()):
    """What etcdctl does."""
    releases = service.releases
    revision = await releases._store.commit(Write(puts, frozenset(deletes)))
    assert await releases.replica.wait(revision, 5)


async def tagged(client, path, **params):
    answer = await client.get(path, params=params)
    return answer.headers.get("ETag"), answer.content


async def test_no_two_contents_of_two_layers_have_one_tag(client):
    await client.put(COMMON, json={"a": {"b": 1}}, headers=NEW)
    await client.put(CONFIG, json={"a": {"b": 23}}, headers=NEW)
    tag, body = await tagged(client, f"{CONFIG}/a/b", **EFFECTIVE)
    assert body == b"23"
    await client.put(f"{COMMON}/a/b", json=12, headers=ANY)
    await client.put(f"{CONFIG}/a/b", json=3, headers=ANY)
    assert (await client.get(f"{CONFIG}/a/b", params=EFFECTIVE, headers={"If-None-Match": tag})).json() == 3


async def test_what_a_single_value_hides_is_no_longer_answered(client):
    await client.put(COMMON, json={"a": {"b": 7}}, headers=NEW)
    await client.put(CONFIG, json={"a": {"x": 1}}, headers=NEW)
    tag, body = await tagged(client, f"{CONFIG}/a/b", **EFFECTIVE)
    assert body == b"7"
    await client.put(f"{CONFIG}/a", json=5, headers=ANY)
    answer = await client.get(f"{CONFIG}/a/b", params=EFFECTIVE, headers={"If-None-Match": tag})
    assert problem(answer) == (404, "no-such-path")


async def test_a_bare_text_is_told_from_a_table(service, shop):
    await write(service, {f"{NAME.prefix}d/c": b"x"})
    tag, body = await tagged(shop, f"{CONFIG}/d/c")
    assert body == b'"x"'
    await write(service, {f"{NAME.prefix}d/c": b'{"":"x"}'})
    assert (await shop.get(f"{CONFIG}/d/c", headers={"If-None-Match": tag})).json() == {"": "x"}


async def test_what_is_not_there_is_never_unchanged(shop):
    deleted = await shop.delete(f"{CONFIG}/pool", headers=ANY)
    assert "ETag" not in deleted.headers
    for path in ("pool", "nope", "nope/deeper"):
        for header in ("*", '"0000.json"'):
            answer = await shop.get(f"{CONFIG}/{path}", headers={"If-None-Match": header})
            assert problem(answer) == (404, "no-such-path")
    assert (await shop.get(f"{CONFIG}/debug", headers={"If-None-Match": "*"})).status_code == 304


async def test_a_restore_is_repeated_even_if_its_release_is_forgotten(service, shop):
    await shop.patch(CONFIG, json={"debug": True}, headers=ANY | MERGE)
    key = {"Idempotency-Key": "back"}
    assert (await shop.post(f"{RELEASES}/1/restore", headers=key)).json()["release"]["number"] == 3
    await write(service, {}, {NAME.release(1), NAME.release(2), NAME.release(3)})
    again = await shop.post(f"{RELEASES}/1/restore", headers=key)
    assert (again.status_code, again.json()["repeated"]) == (200, True)


async def test_an_encoded_slash_is_another_request(shop):
    key = {"Idempotency-Key": "k"}
    assert (await shop.put(f"{CONFIG}/pool/b%2Fc", json=1, headers=NEW | key)).status_code == 200
    answer = await shop.put(f"{CONFIG}/pool/b/c", json=1, headers=NEW | key)
    assert problem(answer) == (422, "key-used-for-another-request")


async def test_only_releases_that_this_service_knows_are_listed(service, shop):
    await write(service, {NAME.release(2): b"of somebody who was faster"})
    listed = (await shop.get(RELEASES)).json()["releases"]
    assert [release["number"] for release in listed] == [1]


async def test_many_paths_in_a_large_document_are_planned_once(shop, monkeypatch):
    """Each on its own took seconds of the loop."""
    from reactive_config._releases import document_edits

    await shop.put(f"{CONFIG}/large", json={f"k{n}": {"a": n} for n in range(1000)}, headers=NEW)
    written = []
    monkeypatch.setattr(
        document_edits,
        "write_document",
        lambda *args, real=document_edits.write_document: written.append(1) or real(*args),
    )
    body = {"set": {f"/large/k{n}/a": -n for n in range(100, 200)}, "delete": [f"/large/k{n}" for n in range(50)]}
    answer = await shop.post(RELEASES, json=body)
    assert (answer.status_code, len(answer.json()["changes"])) == (200, 150)
    assert len(written) == 1
    large = (await shop.get(f"{CONFIG}/large")).json()
    assert (len(large), large["k150"], large["k99"]) == (950, {"a": -150}, {"a": 99})


async def test_what_is_too_large_for_any_release_is_not_planned(shop, monkeypatch):
    monkeypatch.setattr("reactive_config._service.config_endpoints.edits_at", None)
    answer = await shop.put(f"{CONFIG}/x", json="x" * 1_500_000, headers=NEW)
    assert problem(answer) == (413, "too-large")


@pytest.mark.parametrize("depth", [129, 300, 2000])
async def test_a_key_of_many_names_breaks_nothing(service, shop, depth):
    await write(service, {NAME.prefix + "/".join(["d"] * depth): b"1"})
    assert (await shop.get(CONFIG)).json() == {"pool": {"size": 1, "min": 0}, "debug": False, "names": ["a"]}
    assert (await shop.get(f"{RELEASES}/2")).status_code == 200
    assert (await shop.post(f"{RELEASES}/1/restore")).status_code == 200
    await write(service, {NAME.prefix + "/".join(["d"] * depth): b"1"})
    assert (await shop.post(RELEASES, json={"delete": ["/d"]})).status_code == 200
    assert service.releases.replica.state(NAME).contents.count == 3


async def test_a_document_may_not_be_deeper_than_any_together_with_its_path(shop):
    value = 1
    for _ in range(128):
        value = {"x": value}
    answer = await shop.put(f"{CONFIG}/" + "/".join(["p"] * 128), json=value, headers=NEW)
    assert problem(answer) == (422, "cannot-be-written")
    assert "at most 128 levels" in answer.json()["detail"]


async def test_a_damaged_release_is_named_and_others_go_on(service, shop, caplog):
    await shop.patch(CONFIG, json={"debug": True}, headers=ANY | MERGE)
    await write(service, {NAME.release(1): b"garbage"})
    answer = await shop.get(RELEASES)
    assert problem(answer) == (503, "damaged-history")
    assert NAME.release(1) in answer.json()["detail"]
    assert "Retry-After" not in answer.headers
    assert (await shop.patch(CONFIG, json={"debug": 3}, headers=ANY | MERGE)).status_code == 200
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert told[0].startswith("a request was refused: shop/production: ")


@pytest.mark.parametrize("head", [b"garbage", b'{"number": -5, "hash": "", "fingerprint": ""}', b'{"number": 1e15}'])
async def test_a_damaged_head_is_named_and_may_be_deleted(service, shop, head):
    await shop.patch(CONFIG, json={"debug": True}, headers=ANY | MERGE)
    await write(service, {NAME.head: head})
    answer = await shop.patch(CONFIG, json={"debug": 3}, headers=ANY | MERGE)
    assert problem(answer) == (503, "damaged-history")
    assert NAME.head in answer.json()["detail"]
    assert (await shop.get(f"{CONFIG}/debug")).json() is True
    await write(service, {}, {NAME.head})
    answer = await shop.patch(CONFIG, json={"debug": 3}, headers=ANY | MERGE)
    assert answer.json()["release"]["number"] == 4
    assert [release["number"] for release in (await shop.get(RELEASES)).json()["releases"]] == [4, 3, 2, 1]


async def test_damaged_tokens_open_nothing_and_others_go_on(service, shop):
    from datetime import UTC, datetime

    token = await service.tokens.create("bob", datetime.now(UTC))
    await write(service, {token_key(token): b"garbage"})
    async with client_of(service, token) as bob:
        assert problem(await bob.get(CONFIG)) == (401, "unauthorized")
    assert [record.name for record in service.tokens.list()] == ["admin"]
    assert await service.tokens.create("eve", datetime.now(UTC))


async def test_a_damaged_answer_is_named(service, shop):
    key = {"Idempotency-Key": "k"}
    await shop.put(f"{CONFIG}/a", json=1, headers=NEW | key)
    ((at, _),) = await service.releases._store.scan(ANSWERS, "", "~", 10)
    await write(service, {at: b"garbage"})
    answer = await shop.put(f"{CONFIG}/a", json=1, headers=NEW | key)
    assert problem(answer) == (503, "damaged-history")
    assert at in answer.json()["detail"]


async def test_damaged_owners_keep_nobody_from_applying(service, shop):
    body = {"set": {"/web": 1}, "owner": "web", "prune": True}
    await shop.post(RELEASES, json=body)
    await write(service, {"_control/owners/shop/production/web": b"garbage"})
    assert (await shop.post(RELEASES, json=body | {"set": {"/web2": 1}})).status_code == 200
    assert "web" in (await shop.get(CONFIG)).json()  # nobody knows that it was its


async def test_what_nobody_can_read_is_counted_and_not_overwritten_as_new(service, shop):
    await write(service, {f"{NAME.prefix}c": b'{"a":1}', f"{NAME.prefix}c.yaml": b"x: 1"})
    assert problem(await shop.get(f"{CONFIG}/c")) == (404, "no-such-path")
    assert problem(await shop.put(f"{CONFIG}/c", json=1, headers=NEW)) == (422, "cannot-be-written")
    metrics = (await shop.get("/metrics")).text
    assert 'unreadable_keys{environment="production",namespace="shop"} 2.0' in metrics
    assert (await shop.post(RELEASES, json={"set": {"/c": 1}})).status_code == 200
    assert (await shop.get(f"{CONFIG}/c")).json() == 1


async def test_a_large_answer_in_another_format_is_written_in_a_thread(shop, monkeypatch):
    import threading

    from reactive_config._service import views

    await shop.put(f"{CONFIG}/large", json={f"k{n}": "x" * 20 for n in range(3000)}, headers=NEW)
    threads = []
    monkeypatch.setattr(
        views, "rendered", lambda *args, real=views.rendered: threads.append(threading.current_thread()) or real(*args)
    )
    assert (await shop.get(f"{CONFIG}/large", params={"format": "yaml"})).status_code == 200
    assert (await shop.get(f"{CONFIG}/pool", params={"format": "yaml"})).status_code == 200
    assert [thread is threading.main_thread() for thread in threads] == [False, True]


async def test_small_answers_count_for_what_they_take(shop, service, monkeypatch):
    from reactive_config._service import views

    monkeypatch.setattr(views, "MOST_CACHED", 100 * 600)
    kept = views.Rendered()
    replica = service.releases.replica
    for number in range(300):
        await shop.put(f"{CONFIG}/n", json=number, headers=ANY if number else NEW)
        await kept.get(views.view_of(replica, NAME, ("n",), effective=False), "json")
    assert 50 < len(kept._made) <= 120


def test_troubles_are_told_once_in_a_while(caplog):
    log = trouble_log.TroubleLog()
    for _ in range(3):
        for number in range(3):
            log.needs_person(f"trouble {number}")
    assert len(caplog.records) == 3
    for number in range(500):
        log.needs_person(f"another {number}")
    assert len(log._told) <= trouble_log.MOST_TROUBLES
