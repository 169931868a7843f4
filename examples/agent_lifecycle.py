"""The five states of an agent at work on a scripted plan: a letter, whose signature has to be asked for.

A language model would choose the tools; here the script does, so that every run is the same. ``WORKFLOW`` is
``workflows/agent_lifecycle.yaml`` in Python, with the same hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from fsm_agent import Context, State, Transition, Workflow, action

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


_TEXT: Final = {"type": "string", "minLength": 1}

WORKFLOW: Final = Workflow(
    "agent_lifecycle",
    version=1,
    description="The life of an agent, in five states and six transitions.",
    data={
        "goal": "string?",
        "plan": {"type": "array", "items": {"type": "object"}, "default": []},
        "position": {"type": "integer", "minimum": 0, "default": 0},
        "log": {"type": "array", "items": {"type": "string"}, "default": []},
        "answers": {"type": "array", "items": {"type": "string"}, "default": []},
    },
    events={
        "new_task": {"goal": _TEXT},
        "plan_ready": {},
        "step_complete": {},
        "needs_input": {},
        "input_received": {"feedback": _TEXT},
        "task_complete": {},
    },
    initial="idle",
    states=[
        State("idle", on={"new_task": Transition("planning", assign={"goal": "event.goal"})}),
        State("planning", do=make_plan, on={"plan_ready": "executing"}),
        State(
            "executing",
            do=execute_step,
            on={"step_complete": "executing", "needs_input": "waiting_feedback", "task_complete": "done"},
        ),
        State(
            "waiting_feedback",
            ask={"prompt": "{{ data.plan[data.position].question }}", "events": ["input_received"]},
            on={"input_received": Transition("executing", append={"answers": "event.feedback"})},
        ),
        State("done", final=True, output={"log": "data.log"}),
    ],
    limits={"visits": {"executing": 50}},
    must={
        "plans_first": {"never": "executing", "before": "plan_ready"},
        "ends_only_when_told": {"never": "done", "before": "task_complete"},
        "answers_only_questions": {"never": "input_received", "before": "waiting_feedback"},
    },
)
