"""The five states of an agent at work on a scripted plan: a letter, whose signature has to be asked for.

A language model would choose the tools; here the script does, so that every run is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from fsm_agent import Context, action

#: What a step of a plan can call: the agent's data in, a line of its log out.
TOOLS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "study": lambda data: f"The task has {len(data['goal'].split())} words.",
    "ask": lambda data: f"The answer is {data['answers'][-1]}.",
    "write": lambda data: f"{data['goal']}. Yours, {data['answers'][-1]}",
}

SCRIPT: Final[tuple[Mapping[str, str], ...]] = (
    {"tool": "study"},
    {"tool": "ask", "question": "Who signs the letter?"},
    {"tool": "write"},
)


@action(inline=True)
def make_plan(ctx: Context) -> Literal["plan_ready"]:
    """Plan by the script, unless the agent was created with a plan of its own."""
    if not ctx.data.plan:
        ctx.data.plan = [dict(step) for step in SCRIPT]
    return "plan_ready"


@action
async def execute_step(ctx: Context) -> Literal["step_complete", "needs_input", "task_complete"]:
    """Do the next step of the plan; stop in front of one whose question has no answer yet."""
    data = ctx.data
    if data.position == len(data.plan):
        return "task_complete"
    reached = data.plan[: data.position + 1]
    if sum("question" in step for step in reached) > len(data.answers):
        return "needs_input"
    data.log.append(TOOLS[reached[-1]["tool"]](data.plain()))
    data.position += 1
    return "step_complete"
