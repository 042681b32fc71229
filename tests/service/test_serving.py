"""The file of the first token."""

from __future__ import annotations

import stat
from datetime import UTC, datetime

import pytest

pytest.importorskip("uvicorn")

from reactive_config._releases.key_store import StoreAway
from reactive_config._service import serving

pytestmark = pytest.mark.half_grid


@pytest.fixture
async def service(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with serving.open_service("sqlite:releases.db") as service:
        yield service


async def test_a_token_that_is_there_stays(service, tmp_path):
    """It may be another service's, and could not be shown again."""
    (tmp_path / "admin-token").write_text("mine\n")
    await serving._tell_first_token(service.tokens)
    assert (tmp_path / "admin-token").read_text() == "mine\n"
    made = tmp_path / "admin-token-1"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert await service.tokens.identify(made.read_text().strip()) == "admin"
    assert sorted(file.name for file in tmp_path.glob("admin-token*")) == ["admin-token", "admin-token-1"]


async def test_no_file_is_left_of_a_token_that_was_not_made(service, tmp_path):
    assert await service.tokens.create_first(datetime.now(UTC)) is not None
    await serving._tell_first_token(service.tokens)
    assert list(tmp_path.glob("admin-token*")) == []


async def test_a_token_of_which_nobody_knows_whether_it_counts_stays(service, tmp_path, monkeypatch, caplog):
    """Its acknowledgement was lost: without the file nobody could enter."""
    commit = service.tokens._store.commit

    async def lost(write):
        await commit(write)
        raise StoreAway("a test; whether it was written is not known")

    monkeypatch.setattr(service.tokens._store, "commit", lost)
    await serving._tell_first_token(service.tokens)
    assert await service.tokens.identify((tmp_path / "admin-token").read_text().strip()) == "admin"
    assert "nobody knows yet whether the access token in " in caplog.text


async def test_a_token_that_no_file_takes_is_not_made(service, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(serving, "TOKEN_FILE", "x" * 300)
    await serving._tell_first_token(service.tokens)
    assert "no access token was made: " in caplog.text
    assert await service.tokens.create_first(datetime.now(UTC)) is not None
