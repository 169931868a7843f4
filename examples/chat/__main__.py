"""Two people talk with ``workflows/chat.yaml`` over several days: ``python -m examples.chat [MODEL]``.

Without a model's name a script answers, with no network and no key. The days pass on a clock of our own; each of them
opens the store afresh, as another process would.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from examples.chat.actions import greet, remember
from fsm_agent import Runner, Status, Surroundings, Thread, Workflow, open_store
from fsm_agent.domain.message import Role
from fsm_agent.testing import FakeClock

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = f"scripted:{Path(__file__).with_name('script.yaml')}"

#: So much is said on Monday that the window of the conversation cannot hold it.
_CHATTER: Final = "And another thing, about the weather, the huts, the maps, the food and the trains there. " * 9

#: day of the week, days since the last, who, what they say
DAYS: Final[Sequence[tuple[str, int, str, Sequence[str]]]] = (
    (
        "Monday",
        0,
        "ana",
        ["I am Ana. In June I walk in the Alps for a week, with my dog Rex.", "My tent weighs 3 kg.", *[_CHATTER] * 4],
    ),
    ("Tuesday", 1, "ben", ["Do you know me?", "I am Ben, and I bake bread."]),
    ("Thursday", 2, "ana", ["Where do I sleep in June?"]),
    ("next week", 5, "ana", ["Do you know me?"]),
)


async def main(model: str = SCRIPT) -> None:
    """Play the days, and print what is said."""
    with tempfile.TemporaryDirectory() as folder:
        clock = FakeClock()
        for day, since, who, texts in DAYS:
            clock.advance(days=since)
            print(f"\n# {day}: {who}")
            store = open_store(f"sqlite:///{folder}/chat.db", clock=clock)
            async with Runner(store, actions=[greet, remember], surroundings=Surroundings(model=model)) as runner:
                await _talk(runner, who, texts, is_last=day == "next week")


async def _talk(runner: Runner, who: str, texts: Sequence[str], *, is_last: bool) -> None:
    """One sitting. Ana's conversation stays open from Monday to Thursday."""
    going_on = [head for head in (await runner.store.list(status=Status.WAITING)).heads if head.user == who]
    if going_on:
        agent = await runner.get(going_on[0].id)
    else:
        agent = await runner.start(Workflow.load(ROOT / "workflows" / "chat.yaml"), user=who)
    print(f"chat: {agent.data['reply']}")
    for text in texts:
        asked = agent.question and agent.question.id
        agent = await runner.answer(agent.id, {"text": text}, event="said", question=asked, by=who)
        print(f"{who}: {text if len(text) < 80 else text[:77] + '...'}\nchat: {agent.data['reply']}")
    said = await Thread.of_agent(runner.store, agent.id).messages()
    summary = next((message.content for message in reversed(said) if message.role is Role.SUMMARY), None)
    print(f"({len(said)} messages so far{f', with a summary: {summary}' if summary else ''})")
    if len(texts) < 3 and not is_last:
        agent = await runner.answer(agent.id, {}, event="bye", by=who)
        print(f"(remembered of {who}: {dict((await runner.store.user(who)).values)})")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
