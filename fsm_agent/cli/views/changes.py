"""A history with all details of its steps: the payload of each event, and the changes of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.views.agents import reason_of, short, way
from fsm_agent.domain.step import Step, moment
from fsm_agent.report.times import when

#: facts of an error that its reason already shows
_TOLD: Final = ("type", "message", "place")


def change_blocks(steps: Sequence[Step]) -> Iterator[Block]:
    """One block for each step, the first one first."""
    if not steps:
        yield Table((), (), "there are no steps")
    for step in steps:
        by = f" by {step.by}" if step.by else ""
        title = f"{step.version}  {step.event}{by}, {way(step)}, {when(moment(step.at_ms))}"
        yield Facts(visible(title), list(_rows(step)) or [("data", Ink("as before", Tone.QUIET))])


def _rows(step: Step) -> Iterator[tuple[str, Ink]]:
    if (why := reason_of(step)).text:
        yield "why", why
    hidden = _TOLD if step.event in ("error", "timeout") else ()
    for name, value in step.payload.items():
        if name not in hidden:
            yield f"event.{name}", Ink(short(value))
    for pointer, value in step.delta.set.items():
        yield _field(pointer), Ink(f"= {short(value)}", Tone.STRONG)
    for pointer, items in step.delta.append.items():
        for item in items:
            yield _field(pointer), Ink(f"+ {short(item)}", Tone.STRONG)
    for pointer in step.delta.remove:
        yield _field(pointer), Ink("removed", Tone.STRONG)


def _field(pointer: str) -> str:
    """A field and the path into it: ``data.trip/seats/0``."""
    return visible(f"data.{pointer}")
