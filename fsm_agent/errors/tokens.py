"""Errors of the server's tokens."""

from __future__ import annotations

from collections.abc import Sequence

from fsm_agent.domain.text import did_you_mean, shortened, some
from fsm_agent.errors.base import Refused


class TokenExists(Refused):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a token {shortened(name)} already; choose another name, or revoke that one first")


class TokenNotFound(Refused):
    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        there = f"there are {some(known)}" if known else "there are no tokens"
        super().__init__(f"there is no token {shortened(name)}{did_you_mean(name, known)}; {there}")
