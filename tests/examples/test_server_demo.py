"""``make demo-server``: a server with agents of the gallery in all states, which Ctrl-C stops."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fsm_agent.domain.agent import Status
from tests.support.pages import text_of
from tests.support.servers.in_thread import client

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


def test_the_demo_serves_agents_in_all_states_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "examples.server", str(tmp_path / "demo")]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            said = ""
            while not (found := re.search(r"^http://\S+/$", said, re.MULTILINE)):
                read = demo.stdout.readline()
                assert read, demo.communicate()
                said += read
            token = re.search(r"^ +(fsm_\S+)$", said, re.MULTILINE)
            assert token is not None
            look_around(found[0].rstrip("/"), token[1])
            demo.send_signal(signal.SIGINT)
            _, errors = demo.communicate(timeout=PATIENCE_S)
            assert demo.returncode in (0, 130), errors
            assert "Traceback" not in errors
        finally:
            demo.kill()
    left = [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or [])]
    assert left == []


def look_around(url: str, token: str) -> None:
    with client(url, {"Cookie": f"fsm_agent_token={token}"}) as browser:
        inbox = text_of(browser.get("/").text)
        assert "When shall turbine N-01 be visited" in inbox
        agents = text_of(browser.get("/agents").text)
        for status in Status:
            assert re.search(rf"\b{status} [1-9]", agents), (status, agents[:400])
        names = re.findall(r'href="/workflows/([^"/]*)"', browser.get("/workflows").text)
        assert {"site_visit", "expense_approval", "agent_lifecycle"} <= set(names)
        ids = re.findall(r'class="id" href="(/agents/[^"]*)"', browser.get("/agents").text)
        for path in [*(f"/workflows/{name}" for name in names), *(f"/workflows/{name}/start" for name in names), *ids]:
            page = browser.get(path)
            assert page.status_code == 200, (path, text_of(page.text)[:400])
