"""The scripts of ``lua/``: one for each verb that writes, or that reads more than one key in one view."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple


class Script(NamedTuple):
    source: str
    #: by which a server knows it, once it has seen it
    sha: str


class Call(NamedTuple):
    """A script with the keys that it touches, all of them, and its arguments. Of agents that nobody can know beforehand
    it is given what their keys begin with."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[str]

    @property
    def by_sha(self) -> tuple[str | int, ...]:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.arguments)

    @property
    def by_source(self) -> tuple[str | int, ...]:
        """The call for a server that has not seen the script yet; the server keeps it from then on."""
        return ("EVAL", self.script.source, len(self.keys), *self.keys, *self.arguments)


@functools.cache
def script(name: str) -> Script:
    """The script in ``lua/<name>.lua``, with the words that all share before it."""
    return of_source(_text(name))


def of_source(text: str) -> Script:
    source = f"{_text('words')}\n{text}"
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def _text(name: str) -> str:
    return resources.files("fsm_agent.stores.redis").joinpath("lua", f"{name}.lua").read_text()
