"""Coverage in the words of the command line."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.views.output import counted
from fsm_agent.domain.usage import NO_USAGE
from fsm_agent.report.amounts import dollars
from fsm_agent.report.coverage import Coverage, StateCount, TransitionCount
from fsm_agent.report.heat import times
from fsm_agent.report.times import lasting

_TRANSITION_COLUMNS = ("in", "event", "guard", "to", "taken", "in states")
_STATE_COLUMNS = ("state", "entered", "here now", "p50", "p95", "errors", "cost")


def coverage_blocks(told: Coverage) -> Iterator[Block]:
    """What was taken and entered of one workflow."""
    title = f"{told.workflow.name}, version {told.workflow.version}"
    yield Facts(title, [("agents", Ink(str(told.agents))), ("transitions", _share(told))])
    none = "there are no transitions"
    yield Table(_TRANSITION_COLUMNS, [_transition(each) for each in told.transitions], none)
    yield Table(_STATE_COLUMNS, [_state(each) for each in told.states], "there are no states")


def share_text(told: Coverage) -> str:
    """``24 of 31 taken``, and the same where each state counts that inherits one."""
    leaves = [count for each in told.transitions for count in each.leaves.values()]
    text = f"{told.taken} of {len(told.transitions)} taken"
    if len(leaves) == len(told.transitions):
        return text
    return f"{text}; {sum(map(bool, leaves))} of {len(leaves)} if each state counts that inherits one"


def _share(told: Coverage) -> Ink:
    return Ink(share_text(told), Tone.GOOD if told.taken == len(told.transitions) else Tone.ASKING)


def _transition(each: TransitionCount) -> list[Ink]:
    tone = Tone.PLAIN if each.taken else Tone.ASKING
    return [
        Ink(each.declared.owner or "(workflow)"),
        Ink(named(each), Tone.STRONG),
        Ink(visible(each.transition.when or "")),
        Ink(each.transition.target or "(stays)"),
        Ink(times(each), tone),
        Ink(f"{each.reached} of {len(each.leaves)}" if len(each.leaves) > 1 else ""),
    ]


def named(each: TransitionCount) -> str:
    """Its event, with its number if it is not the first candidate."""
    return f"{each.declared.event} ({each.declared.number})" if each.declared.number > 1 else each.declared.event


def _state(each: StateCount) -> list[Ink]:
    p50, p95 = each.dwell_p50_ms, each.dwell_p95_ms
    return [
        Ink(each.path, Tone.STRONG),
        Ink(str(each.visits) if each.visits else "never", Tone.PLAIN if each.visits else Tone.ASKING),
        Ink(str(each.here or "")),
        Ink("" if p50 is None else lasting(p50)),
        Ink("" if p95 is None else lasting(p95)),
        Ink(str(each.errors or ""), Tone.BAD),
        Ink("" if each.usage == NO_USAGE else dollars(each.usage.cost_micros)),
    ]


def left_out_block(left_out: dict[str, str], others: int) -> Iterator[Block]:
    """The agents that are not counted."""
    rows = [(agent_id, Ink(visible(why), Tone.BAD)) for agent_id, why in left_out.items()]
    if others:
        rows.append(("other versions", Ink(f"{counted(others, 'agent')} of other definitions")))
    if rows:
        yield Facts("not counted", rows)
