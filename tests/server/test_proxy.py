"""Behind nginx, as the page on serving says: who signed in there is who asks, and steps arrive when they happen."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import new_token
from tests.support.http_client import EventStream, HttpConnection
from tests.support.runtime import on_loop
from tests.support.servers.fsm_server import FsmServer, made, write_project
from tests.support.servers.nginx import Nginx
from tests.support.servers.own_server import free_port
from tests.test_docs import fences

pytestmark = pytest.mark.long

HOST: Final = "agents.example.com"
ID: Final = "one"
OPTIONS: Final = ("--allowed-host", HOST, "--identity-header", "X-Forwarded-User")


def nginx_in_front_of(server: FsmServer, folder: Path, secret: str) -> Nginx:
    """The configuration of the page, with files and ports of the test's own, and without TLS."""
    [page] = fences("serving.md", "nginx")
    port = free_port()
    files = {
        "/etc/nginx/agents.htpasswd": ("passwords", "ana:{PLAIN}hers\n"),
        "/etc/nginx/fsm_agent_token.conf": ("token.conf", f'proxy_set_header Authorization "Bearer {secret}";\n'),
    }
    for place, (name, text) in files.items():
        (folder / name).write_text(text)
        assert place in page
        page = page.replace(place, str(folder / name))
    page = re.sub(r" *ssl_certificate.*\n", "", page)
    page = page.replace("listen 443 ssl http2", f"listen 127.0.0.1:{port}").replace(":8000", f":{server.port}")
    return Nginx(folder, page, port)


def basic(words: str) -> str:
    return f"Basic {b64encode(words.encode()).decode()}"


@on_loop
async def test_the_configuration_of_nginx_on_the_page_lets_people_and_streams_through(tmp_path: Path) -> None:
    write_project(tmp_path)
    proxy = new_token("proxy", scopes=["read", "answer", "operate", "admin"], now=datetime.now(UTC))
    TokenFile(tmp_path / "tokens.json").add(proxy.token)
    store = f"sqlite:///{tmp_path / 'agents.db'}"
    with (
        FsmServer(tmp_path, store, "--tokens", str(tmp_path / "tokens.json"), *OPTIONS) as server,
        nginx_in_front_of(server, tmp_path, proxy.secret) as nginx,
    ):
        said = {"Host": HOST, "Authorization": basic("ana:hers"), "X-Forwarded-User": "mallory"}
        async with (
            HttpConnection(nginx.port, **said) as ana,
            HttpConnection(nginx.port, **{**said, "Authorization": basic("ana:guessed")}) as guessing,
            HttpConnection(server.port, **said) as around,
        ):
            await made(ana, id=ID)
            async with EventStream(nginx.port, ID, **said) as stream:
                events = aiter(stream)
                first = await anext(events)
                assert (first.id, first.data["by"]) == (1, "ana")
                reply = await ana.post(f"/v1/agents/{ID}/events", {"event": "tick"})
                assert (reply.status, reply.json["version"]) == (200, 2)
                async with asyncio.timeout(30):
                    assert (await anext(events)).id == 2
            assert (await guessing.get(f"/v1/agents/{ID}")).status == 401
            assert (await around.get(f"/v1/agents/{ID}")).status == 401
