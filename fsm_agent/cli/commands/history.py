"""Commands about the past: show it, verify it, restore it, or begin a new agent from it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from fsm_agent.cli.blocks import Block, Facts, Ink, Tone, visible
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.parameters import AGENT_ID, WholeNumber, text
from fsm_agent.cli.session import Session, drive, finish
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import agent_blocks, next_rows, short, still_blocks
from fsm_agent.cli.views.next_commands import Next
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.replay import Replayed, Rewound
from fsm_agent.domain.workflow import Workflow
from fsm_agent.stores.base import Store

_agent = click.argument("agent_id", type=AGENT_ID, metavar="ID")


@click.command()
@_agent
@click.option("--to", type=WholeNumber(), metavar="VERSION", help="Rebuild this version.  [default: the last]")
@click.pass_obj
def replay(settings: CommandSettings, *, agent_id: str, to: int | None) -> int:
    """Verify that the history of agent ID tells what the store says of it, and rebuild one version from its steps."""
    from fsm_agent.runtime import replay as lookback

    async def read(store: Store) -> Replayed:
        return await find(store, agent_id, lambda whole: lookback.replay(store, whole, to))

    replayed = read_store(settings, read)
    output.show(settings, replayed.to_json(), lambda: _replay_blocks(replayed, is_shown=to is not None))
    return 0 if replayed.is_verified else 1


@click.command()
@_agent
@click.argument("version", type=WholeNumber(), metavar="VERSION")
@click.option("--expect-version", type=WholeNumber(), metavar="N", help="Only if the agent is still at version N.")
@click.pass_obj
def rewind(settings: CommandSettings, *, agent_id: str, version: int, expect_version: int | None) -> None:
    """Bring state and data of VERSION back, as a new step of agent ID; what its actions
    have done to the world outside since then stays done."""

    async def work(session: Session) -> tuple[Rewound, Workflow]:
        whole = await session.whole_id(agent_id)
        call = session.runner.rewind(whole, version, by=settings.by, expect_version=expect_version)
        rewound = await session.follow(call)
        return rewound, await session.runner.workflow(rewound.agent.definition)

    rewound, workflow = finish(settings, work)
    output.show(settings, rewound.to_json(), lambda: _rewound_blocks(settings, rewound, workflow, version))


@click.command()
@_agent
@click.argument("version", type=WholeNumber(), metavar="[VERSION]", required=False)
@click.option("--id", "new_id", metavar="NEW", help="Id of the new agent.  [default: a new one]")
@click.option("--key", type=text, metavar="KEY", help="Fork once: a repeat under this key gives the same agent.")
@click.pass_obj
def fork(settings: CommandSettings, *, agent_id: str, version: int | None, new_id: str | None, key: str | None) -> None:
    """Begin another agent as agent ID was at VERSION, or as it is now. Agent ID stays as it is."""

    async def work(session: Session) -> Agent:
        whole = await session.whole_id(agent_id)
        return await session.follow(session.runner.fork(whole, version, id=new_id, key=key, by=settings.by))

    drive(settings, work)


def show_past(settings: CommandSettings, agent_id: str, version: int) -> None:
    """Print an agent as it was at a version (``show --at``)."""
    from fsm_agent.runtime import replay as lookback

    async def read(store: Store) -> Agent:
        return (await find(store, agent_id, lambda whole: lookback.agent_at(store, whole, version)))[0]

    agent = read_store(settings, read)
    output.show(settings, agent.to_json(), lambda: _past_blocks(settings, agent))


def _past_blocks(settings: CommandSettings, agent: Agent) -> Iterator[Block]:
    yield from still_blocks(agent)
    back = [
        Next("come back here", settings.command("rewind", agent.id, str(agent.version))),
        Next("go another way", settings.command("fork", agent.id, str(agent.version))),
    ]
    yield Facts("next", list(next_rows(back)))


def _replay_blocks(replayed: Replayed, *, is_shown: bool) -> Iterator[Block]:
    if replayed.is_verified:
        yield Facts("verified", [(label, Ink(result, Tone.GOOD)) for label, result in _verified(replayed)])
    else:
        found = [(_place(each.version), Ink(visible(each.message), Tone.BAD)) for each in replayed.mismatches]
        yield Facts("does not add up", found)
    if replayed.agent and is_shown:
        yield from still_blocks(replayed.agent)


def _place(version: int | None) -> str:
    return "in the end" if version is None else f"version {version}"


def _verified(replayed: Replayed) -> Iterator[tuple[str, str]]:
    yield "versions", f"{replayed.first} to {replayed.last}, none missing, times never decreasing"
    yield "steps", "each begins where the one before it ended, and is declared"
    counts = "visits, timers, " if replayed.counts else ""
    yield "agent", f"state, status, {counts}question, output and error are what the steps tell"
    yield "data", "snapshot and tail are what all changes add up to, and as the definition declares"
    if replayed.is_erased:
        yield "erased", "words, since a person is forgotten; the steps add up without them"
    if not replayed.counts:
        yield "unknown", "visits and timers: an earlier version wrote steps that do not say what they entered"


def _rewound_blocks(settings: CommandSettings, rewound: Rewound, workflow: Workflow, version: int) -> Iterator[Block]:
    yield from agent_blocks(settings, rewound.agent, workflow)
    if rewound.effects:
        yield Facts(f"done since version {version}, and not undone", [_effect(entry) for entry in rewound.effects])


def _effect(entry: EffectEntry) -> tuple[str, Ink]:
    outcome = Ink("in doubt: begun, and no result is known", Tone.BAD) if entry.is_open else Ink(short(entry.result))
    return entry.name, outcome._replace(text=f"{outcome.text} (key {entry.key})")
