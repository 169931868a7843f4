"""When the work of a state begins, ends, and what waits for it."""

from __future__ import annotations

from fsm_agent import Context, Runner, Status, action, open_store
from fsm_agent.testing import drive
from tests.support.runtime import flow, on_loop

NOTING = """
    data: {{notes: {{type: array, items: {{type: string}}, default: []}}}}
    events: {{note: {{text: string}}, worked: {{}}, leave: {{}}}}
    initial: a
    states:
      a:
        do: work
        on:
          note: {{append: {{notes: event.text}}}}
          worked: {worked}
          leave: b
      b:
        on:
          note: {{append: {{notes: '"late " + event.text'}}}}
"""


def test_an_action_whose_event_stays_in_the_state_is_done_and_the_agent_waits_there() -> None:
    run = drive(flow(NOTING.format(worked="{append: {notes: '\"done\"'}}")), actions={"work": ["worked"]})
    assert (run.state, run.status, run.data["notes"]) == ("a", Status.WAITING, ["done"])
    assert run.send("note", text="x").data["notes"] == ["done", "x"]
    assert run.send("leave").state == "b"


@on_loop
async def test_what_was_queued_waits_for_the_action_also_when_another_process_goes_on() -> None:
    seen: list[list[str]] = []

    @action(emits=["worked"])
    async def work(ctx: Context) -> str:
        seen.append(ctx.data.plain("notes"))
        return "worked"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(flow(NOTING.format(worked="b")), drive=False)
        queued = await runner.send(agent.id, "note", {"text": "x"}, drive=False)
        assert (queued.delivery, queued.version) == ("queued", 1)
        agent = await runner.resume(agent.id)
        assert seen == [[]]
        assert (agent.state, agent.data["notes"]) == ("b", ["late x"])
