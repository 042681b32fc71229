"""The file of the first token."""

from __future__ import annotations

import stat

import pytest

pytest.importorskip("uvicorn")

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


async def test_where_there_are_no_links_it_is_renamed(service, tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError

    monkeypatch.setattr("os.link", link)
    (tmp_path / "admin-token").write_text("mine\n")
    await serving._tell_first_token(service.tokens)
    assert (tmp_path / "admin-token").read_text() == "mine\n"
    assert await service.tokens.identify((tmp_path / "admin-token-1").read_text().strip()) == "admin"
