"""The names of keys. All of a namespace have it as their hash tag, so that a cluster keeps them on one node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from fsm_agent.domain.message import owner_of


class AgentKeys(NamedTuple):
    """What is kept of one agent; what says nothing is not there."""

    #: hash: ``pin``, ``moving``, ``version``, ``epoch``, ``status``, ``wake``; ``lease``, ``queued``, ``numbered``,
    #: ``forgotten`` (steps), ``start`` (key of the creation); ``asks`` and ``tags``, by which it is found (``index``)
    head: str
    #: list of steps
    history: str
    #: text
    snapshot: str
    #: text
    origin: str
    #: hash: number -> event
    queue: str
    #: hash: key of an event -> version, fingerprint
    keys: str
    #: hash: key of an effect -> effect
    effects: str
    #: list: the last number that a message of its own thread was given, then the messages that are kept
    thread: str
    #: sorted set: keys of effects by activation
    activations: str


class SpaceKeys(NamedTuple):
    """What is kept of a namespace."""

    #: text: how the rest is to be read
    schema: str
    #: hash: definition hash -> definition
    workflows: str
    #: hash: key of a creation -> id, fingerprint
    starts: str
    #: sorted set: ids by since when, or from when on, somebody is needed and nobody holds them; those who are needed at
    #: once stand below 0, by their last step, and at 0 where an earlier version has put them
    due: str
    #: sorted set of equal scores: host of a holder, id
    held: str
    #: sorted set of equal scores: by what agents are found, and the id (``index``)
    listed: str
    #: hash: name of a user -> what is remembered
    users: str
    #: sorted set of equal scores: `t` and the name of a thread that agents share; `u` and that of a user
    named: str
    #: text: there as long as agents of before schema 3 are being taken up into ``listed``
    filling: str


#: What was called otherwise before schema 3, when most of it had the names of the fields. A process of that time which
#: still runs would leave ``listed`` as it is; it finds nothing under the names that it knows, or what it cannot use.
_CALLED: Final[Mapping[str, str]] = {
    "head": "agent",
    "workflows": "definitions",
    "due": "waking",
    "held": "leased",
    "listed": "index",
    "named": "names",
}


def space_keys(namespace: str) -> SpaceKeys:
    return SpaceKeys._make(f"{_prefix(namespace)}{_CALLED.get(name, name)}" for name in SpaceKeys._fields)


def former_space_keys(namespace: str) -> SpaceKeys:
    """The keys as they were called before schema 3."""
    return SpaceKeys._make(f"{_prefix(namespace)}{name}" for name in SpaceKeys._fields)


def former_head_key(namespace: str, agent_id: str) -> str:
    """The key as it was called before schema 3."""
    return f"{_prefix(namespace)}head:{agent_id}"


@lru_cache(maxsize=1_024)
def agent_keys(namespace: str, agent_id: str) -> AgentKeys:
    start, end = _prefix(namespace), f":{agent_id}"
    return AgentKeys._make([start + _CALLED.get(name, name) + end for name in AgentKeys._fields])


def any_key(namespace: str, agent_id: str) -> str:
    """All keys of an agent, as a pattern that people understand."""
    return f"{_prefix(namespace)}*:{agent_id}"


def part_of(namespace: str, key: str) -> tuple[str, str]:
    """Which of ``AgentKeys`` a key is, and of which agent; two empty texts if it is none."""
    part, _, agent_id = key.removeprefix(_prefix(namespace)).partition(":")
    field = next((name for name in AgentKeys._fields if _CALLED.get(name, name) == part), "")
    return (field, agent_id) if field and agent_id else ("", "")


def thread_key(namespace: str, thread: str) -> str:
    """The key of a thread that agents share: a list like ``AgentKeys.thread``."""
    owner = owner_of(thread)
    return f"{_prefix(namespace)}shared:{thread}" if owner is None else agent_keys(namespace, owner).thread


def bell_channel(namespace: str) -> str:
    """The channel on which workers are woken; it is no key, and all databases of a server share it."""
    return f"{_prefix(namespace)}bell"


def _prefix(namespace: str) -> str:
    return f"fsm-agent:{{{namespace}}}:"
