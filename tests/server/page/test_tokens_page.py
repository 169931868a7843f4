"""The page that tells who somebody is here, and which tokens there are."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from fsm_agent.server.token_file import TokenFile
from tests.support.servers.in_thread import Served, served

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, has_tokens=True, namespaces=("default", "shop"), drives=False) as server:
        yield server


def told(client: httpx2.Client) -> str:
    reply = client.get("/tokens")
    assert reply.status_code == 200
    body = re.sub(r"<(head|style|script)\b.*?</\1>", " ", reply.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_an_administrator_sees_the_tokens_of_his_namespaces_and_no_secret(server: Served) -> None:
    root = server.token("root")
    others = [server.token("ana", "read", "answer", namespaces=["default", "shop"])]
    others.append(server.token("eli", "read", lifetime="1d", made=LONG_AGO))
    others.append(server.token("sheila", "read", namespaces=["shop"]))
    assert server.tokens is not None
    kept = TokenFile(server.tokens.path).all()
    with server.client(root) as client:
        page, text = told(client), client.get("/tokens").text
    assert "You act as root , and may:" in page
    assert "All tokens" in page
    assert re.search(r"ana read, answer default [^,]+ UTC never", page)
    assert re.search(r"eli read default 2026-01-01 00:00:00 UTC 2026-01-02 00:00:00 UTC expired", page)
    assert "sheila" not in page
    assert "shop" not in page
    assert not any(secret in text for secret in (root, *others))
    assert not any(token.digest in text for token in kept)
    assert all(token.id in text for token in kept if token.name != "sheila")


def test_anybody_else_sees_what_they_may_do_themselves(server: Served) -> None:
    server.token("root")
    ana = server.token("ana", "answer", namespaces=["shop"], lifetime="90d")
    with server.client(ana) as client:
        page = told(client)
    assert "You act as ana , and may: answer : see open questions, and answer them In namespace shop" in page
    assert re.search(r"Your token expires: \S+ \S+ UTC", page)
    assert "operate" not in page
    assert "root" not in page
    assert "All tokens" not in page


def test_a_token_that_is_revoked_is_gone_at_the_next_look(server: Served) -> None:
    with server.client(server.token("root")) as client:
        server.token("ana", "read")
        assert "ana read" in told(client)
        assert server.tokens is not None
        server.tokens.revoke("ana")
        assert "ana read" not in told(client)


def test_without_tokens_everybody_is_told_that_nobody_is_asked_for_one(tmp_path: Path) -> None:
    with served(tmp_path, drives=False) as open_server, open_server.client() as client:
        page = told(client)
    assert "everybody who reaches this server may do all this" in page
    assert "fsm-agent token new" in page
    assert "Sign out" not in page


def test_the_name_on_every_page_leads_to_it(server: Served) -> None:
    with server.client(server.token("root")) as client:
        assert '<a href="/tokens" title="In this name you act: see what you may do"><bdi>root</bdi></a>' in (
            client.get("/agents").text
        )
