"""docs/service.md and the README's part about the service are followed word by word."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from reactive_config._testing.etcd_installed import free_ports
from reactive_config.testing import running_etcd
from tests.page_reader import PageReader

for package in ("starlette", "uvicorn", "httpx", "prometheus_client", "jsonpatch", "cyclopts", "yaml"):
    pytest.importorskip(package)

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="they are written for bash"),
]


def follow(page, home, **words):
    (port,) = free_ports(1)
    words = {"127.0.0.1:8470": f"127.0.0.1:{port}", "/home/me": str(home), **words}
    page = page.replace("reactive-config serve", f"reactive-config serve --listen 127.0.0.1:{port}")
    environ = {
        "HOME": str(home), "PATH": f"{sysconfig.get_path('scripts')}:{os.defpath}:/usr/local/bin", "LANG": "C.UTF-8",
    }  # fmt: skip
    reader = PageReader(home, home, environ, words)
    try:
        reader.follow(page)
    finally:
        reader.close()


def test_the_page_about_the_service(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    page = (ROOT / "docs/service.md").read_text()
    follow(page[page.index("## From the shell") :], tmp_path)


@pytest.mark.etcd
def test_the_readme_s_second_screen(tmp_path):
    readme = (ROOT / "README.md").read_text()
    part = readme[readme.index("## Change it while it runs") : readme.index("## Where to go next")]
    with running_etcd() as server:
        follow(part, tmp_path, **{"127.0.0.1:2379": server.endpoint})
