"""What every peer can be asked, and how its process begins. Imports nothing but what peers have."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Protocol

from benchmarks.serving import serve


class Peer(Protocol):
    """One library. ``where`` is what ``Place.for_peers`` says of an empty place."""

    def about(self) -> dict[str, Any]:
        """Its ``version``."""

    def open(self, where: dict[str, Any], *, tuned: bool = True) -> dict[str, Any]:
        """Keep agents there from now on; ``tuned`` is as its documentation allows, otherwise as shipped."""

    def close(self) -> dict[str, Any]:
        """Let go of files and connections."""

    def steps(self, steps: int) -> dict[str, Any]:
        """``seconds`` for as many steps of a new agent, each durable before the next begins."""

    def talk(self, messages: int, *, how: str) -> dict[str, Any]:
        """A conversation, one message a step; the four ``moments`` between which its thirds lie."""

    def crowd(self, agents: int) -> dict[str, Any]:
        """As many agents that have taken one step and wait for a word."""

    def long(self, steps: int) -> dict[str, Any]:
        """The id of an ``agent`` that has taken all these steps, and waits for a word."""

    def deliver(self, agent: str) -> None:
        """Say that word to it; returns when its step is durable."""


def run_peer(peer: Peer) -> None:
    """``deliver WHERE AGENT`` and nothing else, or whatever is asked."""
    if sys.argv[1:2] == ["deliver"]:
        where, agent = sys.argv[2:]
        peer.open(json.loads(where))
        peer.deliver(agent)
        peer.close()
        sys.stdout.flush()
        os._exit(0)  # DBOS has a thread for each agent that waits, and a process waits for its threads
    serve({verb: getattr(peer, verb) for verb in ("about", "open", "close", "steps", "talk", "crowd", "long")})
