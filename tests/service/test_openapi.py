"""The OpenAPI document and the service agree: schemathesis asks for all that the document allows, and for more.

It runs as users run it, as a command beside a service that listens, so that its pytest plugin and its warnings
touch no other test.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from .conftest import NEW

uvicorn = pytest.importorskip("uvicorn")

from reactive_config._service.serving import listening, open_service  # noqa: E402 - uvicorn is asked for first

pytestmark = pytest.mark.skipif(
    find_spec("schemathesis") is None or find_spec("jsonschema_rs") is None, reason="schemathesis is not installed"
)

SETTINGS = Path(__file__).with_name("data") / "schemathesis.toml"


@contextlib.contextmanager
def served(file: Path) -> Iterator[tuple[str, str]]:
    """URL and token of a service over a new file, in a thread of its own."""
    with (
        listening("127.0.0.1", 0) as taken,  # who connects before the server runs waits here
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_service(f"sqlite:{file}")) as service,
    ):
        token = portal.call(service.tokens.create_first, datetime.now(UTC))
        server = uvicorn.Server(uvicorn.Config(service.app, log_config=None, access_log=False, lifespan="off"))
        serving = portal.start_task_soon(server.serve, [taken])
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}", token
        finally:
            server.should_exit = True
            serving.result(timeout=30)


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A service with some environments, which waits for no revision."""
    monkeypatch.setattr("reactive_config._service.config_endpoints.MIN_REVISION_WAIT", 0.001)
    with served(tmp_path / "releases.db") as (url, token):
        headers = {"Authorization": f"Bearer {token}", **NEW}
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
            for environment in ("common", "production"):
                client.put(f"/v1/shop/{environment}/config", json={"pool": {"size": 1}}).raise_for_status()
        yield url, token


INSIDE = """
[parameters]
"path.namespace" = "shop"
"path.environment" = "production"
"header.If-Match" = "*"
"""
"""Makes all requests be about an environment that is there."""

LONG = [pytest.mark.marathon, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("phases", "examples", "more"),
    [
        pytest.param("examples,coverage", 1, "", id="anywhere"),
        pytest.param("fuzzing,stateful", 8, INSIDE, id="inside"),
        pytest.param("fuzzing,stateful", 100, "", id="anywhere-long", marks=LONG),
        pytest.param("fuzzing,stateful", 100, INSIDE, id="inside-long", marks=LONG),
    ],
)
def test_the_service_does_what_its_document_says(service, tmp_path, phases, examples, more):
    url, token = service
    (tmp_path / "schemathesis.toml").write_text(SETTINGS.read_text() + more)
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "--no-color",
        "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--generation-deterministic",
        "--phases", phases, "--max-examples", str(examples), "--continue-on-failure",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
