"""``serve`` on the command line: what it cannot serve, it says before it listens."""

from __future__ import annotations

import logging
import socket

import pytest

from fsm_agent.cli.logs import in_sentences
from fsm_agent.cli.settings import CommandSettings
from tests.support.shop import ORDER, Shop


def refused(shop: Shop, *words: str) -> str:
    """What it says to a command that it does not carry out. Without a token it would end in any case."""
    done = shop("--json", "serve", "--tokens", "none.json", *words)
    assert done.code == 1, done.err
    said: str = done.json["error"]["detail"]
    return said


def test_two_files_may_not_declare_one_version_each_in_its_own_way(shop: Shop) -> None:
    (shop.folder / "a.yaml").write_text(ORDER)
    (shop.folder / "b.yaml").write_text(ORDER.replace("item: string?", "item: string?\n  size: integer?"))
    assert refused(shop, "a.yaml", "b.yaml") == (
        "a.yaml and b.yaml declare version 1 of workflow 'order', and differ: give one of them another version, or "
        "another name"
    )


@pytest.mark.parametrize("name", ["X User", "X-User:", "Ü", "X\tY"])
def test_a_header_that_no_request_can_have_says_nothing_of_who_asks(shop: Shop, name: str) -> None:
    assert refused(shop, "--identity-header", name) == (
        f"--identity-header {name!r} names no header: write one such as X-Forwarded-User"
    )


@pytest.mark.parametrize(
    "host", ["https://agents.example.com", "agents.example.com:443", "agents.example.com/", "[::1]", ""]
)
def test_a_host_that_no_request_can_name_is_not_allowed(shop: Shop, host: str) -> None:
    assert refused(shop, "--allowed-host", "agents.example.com", "--allowed-host", "::1", "--allowed-host", host) == (
        f"--allowed-host {host!r} names no host: write a name or an address, without scheme, port and path"
    )


@pytest.mark.parametrize("words", [(), ("--allowed-host", "::1"), ("--allowed-host", "localhost")])
def test_without_tokens_a_host_that_is_not_this_machine_is_refused_unless_a_proxy_says_who_asks(
    shop: Shop, words: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        known = ("serve", "--port", str(taken.getsockname()[1]), *words)
        told = shop("--json", *known, "--allowed-host", "agents.example.com").json["error"]["detail"]
        assert told == (
            "without tokens whoever reaches agents.example.com could do everything: make a token with `fsm-agent token "
            "new`, or name the header in which a proxy says who asks, with --identity-header"
        )
        proxied = ("--allowed-host", "agents.example.com", "--identity-header", "X-Forwarded-User")
        for harmless in ((), proxied):
            assert "Address already in use" in shop("--json", *known, *harmless).json["error"]["detail"]


def test_an_engine_that_there_is_not_is_told_before_anybody_is_to_be_woken(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSM_AGENT_ENGINE", "kafka://host")
    done = shop("--json", "serve", "--port", "0", "--no-drive")
    assert done.code == 1
    assert done.json["error"]["detail"].startswith("engine URL 'kafka://host' has no known scheme")


def test_a_port_that_is_taken_is_told_in_one_sentence(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert shop("--json", "serve", "--port", str(port)).json["error"]["detail"] == (
            f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another --port or --host"
        )


def test_a_log_for_people_says_of_what_nobody_expected_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("fsm_agent")
    with in_sentences(CommandSettings()):
        logger.error("showAgent failed", exc_info=ZeroDivisionError("division\nby zero"))
        logger.error("it could not be driven: by zero", exc_info=ZeroDivisionError("by zero"))
    assert capsys.readouterr().err == (
        "showAgent failed: ZeroDivisionError: division\nit could not be driven: by zero\n"
    )
