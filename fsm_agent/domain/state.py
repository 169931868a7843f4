"""The words of a declaration, one by one: durations, transitions, timers, questions, states.

Everything here is immutable and normalised: targets are absolute dotted paths, shorthand is gone. ``to_json``
and ``from_json`` are exact inverses; what is empty is left out, so that absent and empty hash alike.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import NOTHING

Outcome: TypeAlias = Literal["done", "failed", "cancelled"]
#: How two changes of one data field become one.
MergePolicy: TypeAlias = Literal["last", "append", "union", "max"]

_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")


class Duration(NamedTuple):
    """A length of time, remembered as it was written (``3d``), because diagrams and histories quote it."""

    text: str
    ms: int

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read an integer with a unit (ms, s, m, h, d); raises ``ValueError`` for anything else."""
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a duration: write an integer and ms, s, m, h or d, such as 30s or 3d")
        return cls(text, int(match[1]) * _UNITS_MS[match[2]])

    def __str__(self) -> str:
        return self.text


_BYTES: Final = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_BYTE_SIZE: Final = re.compile(r"([0-9]{1,12})(B|kB|MB|GB)")


class ByteSize(NamedTuple):
    """A number of bytes, remembered as it was written (``1MB``)."""

    text: str
    bytes: int

    @classmethod
    def parse(cls, text: str) -> "ByteSize":
        """Read an integer with a unit (B, kB, MB, GB, each a thousand of the one before); raises ``ValueError`` for
        anything else."""
        match = _BYTE_SIZE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a size: write an integer and B, kB, MB or GB, such as 500kB or 1MB")
        return cls(text, int(match[1]) * _BYTES[match[2]])

    def __str__(self) -> str:
        return self.text


#: More than this no database keeps in one place.
LARGEST_SIZE: Final = ByteSize.parse("1GB")


class Transition(NamedTuple):
    """One way out of a state for one event. Without ``target`` it is internal: nothing is left or entered."""

    target: str | None = None
    #: CEL; ``None`` is always true
    when: str | None = None
    #: field -> literal, or CEL when the value is a string
    assign: Mapping[str, Json] = NOTHING
    #: list field -> CEL of the one item to add
    append: Mapping[str, str] = NOTHING
    description: str = ""

    def to_json(self, *, describe: bool = True) -> dict[str, Json]:
        return compact(
            target=self.target,
            when=self.when,
            assign=dict(self.assign),
            append=dict(self.append),
            description=self.description if describe else "",
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "Transition":
        return cls(**document)


#: event -> candidates in order; ``None`` forbids what an ancestor would do
Candidates: TypeAlias = tuple[Transition, ...]
Handlers: TypeAlias = Mapping[str, Candidates | None]


class Timer(NamedTuple):
    """``after: {3d: ...}``: armed on entry, cleared on leaving, durable in between."""

    duration: Duration
    transitions: Candidates


class Retry(NamedTuple):
    """How often an action is tried: ``attempts`` counts the first; delay n = min(max, backoff * 2^(n-1))."""

    attempts: int = 1
    backoff: Duration = Duration("1s", 1_000)
    max: Duration | None = None
    #: exception type names; empty means every exception
    on: tuple[str, ...] = ()

    def delay_ms(self, failures: int) -> int:
        """Milliseconds to wait after the ``failures``-th failed attempt (1-based)."""
        delay = self.backoff.ms << min(failures - 1, 62)
        return delay if self.max is None else min(self.max.ms, delay)

    def to_json(self) -> dict[str, Json]:
        longest = self.max.text if self.max else None
        return compact(attempts=self.attempts, backoff=self.backoff.text, max=longest, on=list(self.on))

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "Retry":
        longest = document.get("max")
        return cls(
            attempts=document["attempts"],
            backoff=Duration.parse(document["backoff"]),
            max=Duration.parse(longest) if longest else None,
            on=tuple(document.get("on", ())),
        )


class Ask(NamedTuple):
    """What a state asks a person. Each of ``events`` is one possible answer; its payload schema is the form."""

    #: text with CEL in ``{{ }}``
    prompt: str
    events: tuple[str, ...]
    #: CEL; who may answer
    to: str | None = None

    def to_json(self) -> dict[str, Json]:
        return compact(prompt=self.prompt, events=list(self.events), to=self.to)

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "Ask":
        return cls(document["prompt"], tuple(document["events"]), document.get("to"))


class State(NamedTuple):
    """A named place. A leaf may work (``do``), ask (``ask``) or just wait; a compound state has ``states``."""

    #: dotted, from the top level
    path: str
    description: str = ""
    do: str | None = None
    #: keyword argument of the action -> literal, or CEL when the value is a string
    with_: Mapping[str, Json] = NOTHING
    #: per attempt
    timeout: Duration | None = None
    retry: Retry | None = None
    ask: Ask | None = None
    after: tuple[Timer, ...] = ()
    on: Handlers = NOTHING
    #: absolute path of the child that is entered first
    initial: str | None = None
    states: tuple["State", ...] = ()
    final: bool = False
    outcome: Outcome = "done"
    output: Mapping[str, Json] = NOTHING

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def parent(self) -> str | None:
        return self.path.rpartition(".")[0] or None

    @property
    def is_leaf(self) -> bool:
        return not self.states

    def to_json(self, *, describe: bool = True) -> dict[str, Json]:
        return compact(
            path=self.path,
            description=self.description if describe else "",
            do=self.do,
            with_=dict(self.with_),
            timeout=self.timeout.text if self.timeout else None,
            retry=self.retry.to_json() if self.retry else None,
            ask=self.ask.to_json() if self.ask else None,
            after=[[timer.duration.text, _listed(timer.transitions, describe=describe)] for timer in self.after],
            on=handlers_to_json(self.on, describe=describe),
            initial=self.initial,
            states=[child.to_json(describe=describe) for child in self.states],
            final=self.final,
            outcome=self.outcome if self.final else None,
            output=dict(self.output),
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "State":
        known = dict(document)
        known["with_"] = known.pop("with", {})
        known["on"] = handlers_from_json(known.pop("on", {}))
        known["states"] = tuple(cls.from_json(child) for child in known.pop("states", ()))
        known["after"] = tuple(Timer(Duration.parse(text), _read(chosen)) for text, chosen in known.pop("after", ()))
        for key, read in (("timeout", Duration.parse), ("retry", Retry.from_json), ("ask", Ask.from_json)):
            if key in known:
                known[key] = read(known[key])
        return cls(**known)


def handlers_to_json(on: Handlers, *, describe: bool = True) -> dict[str, Json]:
    return {event: None if chosen is None else _listed(chosen, describe=describe) for event, chosen in on.items()}


def handlers_from_json(document: Mapping[str, Json]) -> dict[str, Candidates | None]:
    return {event: None if chosen is None else _read(chosen) for event, chosen in document.items()}


def compact(**items: Json) -> dict[str, Json]:
    """Keep what says something: not None, not empty, not False. A trailing ``_`` of a key is dropped."""
    return {
        key.rstrip("_"): value
        for key, value in items.items()
        if value is not None and value is not False and value not in ("", {}, [])
    }


def _listed(chosen: Candidates, *, describe: bool) -> list[Json]:
    return [each.to_json(describe=describe) for each in chosen]


def _read(document: list[Mapping[str, Json]]) -> Candidates:
    return tuple(Transition.from_json(each) for each in document)
