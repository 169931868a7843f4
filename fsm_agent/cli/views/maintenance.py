"""The output of the commands of maintenance, and the retention that results from options and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_agent.cli.blocks import Block, Ink, Table, Tone
from fsm_agent.domain.retention import Retention

if TYPE_CHECKING:
    from fsm_agent.runtime.maintenance.purge import Purged
    from fsm_agent.runtime.maintenance.reseal import Resealed
    from fsm_agent.runtime.maintenance.size import Weighed, Weight

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_PARTS: Final = ("steps", "head", "history", "snapshot", "rest", "thread", "total")


def retention(settings: Retention, **options: Any) -> Retention:
    """The retention from options, completed by the settings."""
    wanted = replace(settings, **{key: value for key, value in options.items() if value is not None})
    if wanted.is_everything and not any(options.values()):
        raise click.ClickException(
            "nothing says what may go: give --finished, --idle or --history, or [tool.fsm-agent.retention] in "
            "pyproject.toml"
        )
    return wanted


def weights(weighed: Weighed) -> Iterator[Block]:
    yield _table(("id", "workflow"), weighed.agents, lambda each: (each.name, each.workflow))
    every = [*weighed.workflows, weighed.total._replace(workflow="all")]
    yield _table(("workflow", "agents"), every, lambda each: (each.workflow, str(each.agents)))


def _table(columns: tuple[str, str], weights: Sequence[Weight], naming: Callable[[Weight], Iterable[str]]) -> Table:
    rows = [
        [*map(Ink, naming(each)), Ink(str(each.size.steps)), *map(_bytes, [*each.size[1:], each.size.total])]
        for each in weights
    ]
    return Table((*columns, *_PARTS), rows, "there are no such agents", names_agents=columns[0] == "id")


def _bytes(count: int) -> Ink:
    return Ink(human(count), Tone.PLAIN if count else Tone.QUIET)


def human(count: float) -> str:
    """``1234567`` as ``1.2 MB``: at most three digits, in powers of a thousand."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1_000, unit + 1
    return f"{count:.1f} {_UNITS[unit]}" if unit and count < 99.95 else f"{count:.0f} {_UNITS[unit]}"


def purged(done: Purged) -> Iterator[Block]:
    """The ids are whole, since a deleted agent can no longer be looked up."""
    would = "would be " if done.is_dry else ""
    rows = [
        *((agent_id, Ink(f"{would}deleted")) for agent_id in done.deleted),
        *((agent_id, Ink(f"{would}shortened by {_steps(steps)}")) for agent_id, steps in done.shortened.items()),
        *((agent_id, Ink(f"left as it is: {why}", Tone.BAD)) for agent_id, why in done.left.items()),
    ]
    yield from _outcome(rows, f"nothing {'would be' if done.is_dry else 'was'} forgotten")


def resealed(done: Resealed) -> Iterator[Block]:
    rows = [
        *((agent_id, Ink("sealed afresh")) for agent_id in done.agents),
        *((f"thread {name}", Ink("sealed afresh")) for name in done.threads),
        *((f"user {name}", Ink("sealed afresh")) for name in done.users),
        *((name, Ink(f"left as it is: {why}", Tone.BAD)) for name, why in done.left.items()),
    ]
    for table in _outcome(rows, "there are no agents"):
        yield table._replace(names_agents=True)


def _outcome(rows: Sequence[tuple[str, Ink]], otherwise: str) -> Iterable[Table]:
    return [Table(("id", "outcome"), [[Ink(agent_id), outcome] for agent_id, outcome in rows], otherwise)]


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"
