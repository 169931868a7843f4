"""Styles and scripts as browsers get them: kept for a year, since another file has another address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from fsm_agent.render.image import adaptive_style
from fsm_agent.server.page.assets import asset
from tests.support.servers.in_thread import served


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx2.Client]:
    with served(tmp_path) as server, server.client() as client:
        yield client


@pytest.mark.parametrize("name", ["agent.js", "agent_parts.js", "agent_timeline.js"])
def test_a_script_names_others_by_the_addresses_that_pages_name_them_by(client: httpx2.Client, name: str) -> None:
    """Under another address a browser would run the same script twice, and keep an old one for a year."""
    script = client.get(asset(name)).text
    named = re.findall(r'^import .*?"([^"]+)"', script, flags=re.MULTILINE)
    assert named
    for address in named:
        found = re.fullmatch(r"/static/([a-z_]+\.js)\?v=[0-9a-f]{12}", address)
        assert found is not None, address
        assert address == asset(found[1])
        assert client.get(address).headers["cache-control"] == "public, max-age=31536000, immutable"


def test_diagrams_have_the_colours_of_a_dark_page(client: httpx2.Client) -> None:
    assert client.get(asset("diagram.css")).text.endswith(adaptive_style())


def test_the_script_of_pictures_is_that_of_pages_that_are_files(client: httpx2.Client) -> None:
    from importlib.resources import files

    assert client.get(asset("picture.js")).text == (files("fsm_agent.report.page") / "picture.js").read_text("utf-8")


def test_there_are_no_other_files(client: httpx2.Client) -> None:
    for name in ("none.js", "..%2Fagent.py", "__init__.py"):
        assert client.get(f"/static/{name}").status_code == 404
