"""What is counted of all agents of a namespace. To count takes a while, so it is kept for some seconds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

from fsm_agent.domain.agent import Head
from fsm_agent.domain.selection import ANYBODY, Selection, Tally
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import DefinitionDamaged
from fsm_agent.report.activity import Activity, activity
from fsm_agent.report.coverage import Coverage, coverage
from fsm_agent.runtime.agent_reads import read_workflow
from fsm_agent.runtime.coverage import tally_agents
from fsm_agent.stores.base import Store

Value = TypeVar("Value")

#: seconds
_TALLY_KEPT_S: Final = 10
_SAMPLE_KEPT_S: Final = 60
_OPEN_KEPT_S: Final = 1
#: the newest agents, whose histories are read to tell how long agents stay in states
SAMPLE: Final = 200
#: counts that are kept: those of people who ask for their inbox, and those of definitions
_MOST_KEPT: Final = 1_000
_PAGE: Final = 1_000
#: of all their histories together: to tell them takes a second or two
_MOST_STEPS: Final = 20_000


class KnownWorkflow(NamedTuple):
    """A workflow that can be started, or that agents have."""

    #: all versions that are known, in order
    versions: Mapping[int, Workflow]
    can_start: bool

    @property
    def newest(self) -> Workflow:
        return self.versions[max(self.versions)]


class Sample(NamedTuple):
    """What the newest agents of a workflow have done."""

    agents: int
    #: whether there are no others
    is_all: bool
    #: agents that have another definition
    others: int
    #: under its present definition
    coverage: Coverage
    #: ``None`` if there are no agents
    activity: Activity | None


class Statistics:
    """Counts of one namespace, each made once for all who ask at the same time."""

    def __init__(
        self, store: Store, startable: Mapping[str, Workflow], *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._startable = startable
        self._definitions: dict[str, Workflow] = {}
        #: what was counted -> until when it is kept, and the count; in the order in which they were asked for
        self._kept: OrderedDict[tuple[str, ...], tuple[float, asyncio.Future[Any]]] = OrderedDict()

    @property
    def kept(self) -> int:
        """How many counts are kept."""
        return len(self._kept)

    async def tally(self) -> Sequence[Tally]:
        """How many agents there are, by workflow, state and status."""
        return await self._counted(("tally",), _TALLY_KEPT_S, self._store.tally)

    async def workflows(self) -> Mapping[str, KnownWorkflow]:
        """All workflows by name."""
        return await self._counted(("workflows",), _TALLY_KEPT_S, self._read_workflows)

    async def open_questions(self, name: str | None) -> int:
        """How many questions somebody may answer: those asked of them, and those asked of anybody."""
        count = partial(self._count_questions, name)
        return await self._counted(("open", name or ""), _OPEN_KEPT_S, count)

    async def _count_questions(self, name: str | None) -> int:
        mine = await self._store.count_questions(to=name) if name else 0
        return mine + await self._store.count_questions(to=ANYBODY)

    async def sample(self, workflow: Workflow) -> Sample:
        """What the newest agents of a workflow have done, at most ``SAMPLE`` of them."""
        return await self._counted(("sample", workflow.hash), _SAMPLE_KEPT_S, lambda: self._look(workflow))

    async def _counted(self, name: tuple[str, ...], kept_s: float, count: Callable[[], Awaitable[Value]]) -> Value:
        until_s, future = self._kept.pop(name, (0.0, None))
        if future is None or (future.done() and (self._clock() > until_s or _has_failed(future))):
            until_s, future = self._clock() + kept_s, asyncio.ensure_future(count())
        self._kept[name] = until_s, future
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        value: Value = await asyncio.shield(future)
        return value

    async def _read_workflows(self) -> Mapping[str, KnownWorkflow]:
        known: dict[str, dict[int, Workflow]] = defaultdict(dict)
        async for workflow in self._stored():
            known[workflow.name][workflow.version] = workflow
        for name, workflow in self._startable.items():
            known[name][workflow.version] = workflow
        return {
            name: KnownWorkflow(dict(sorted(versions.items())), name in self._startable)
            for name, versions in sorted(known.items())
        }

    async def _stored(self) -> AsyncIterator[Workflow]:
        after: str | None = None
        while page := await self._store.definitions(limit=_PAGE, after=after):
            for definition in page:
                if definition not in self._definitions:
                    try:
                        self._definitions[definition] = await read_workflow(self._store, definition)
                    except DefinitionDamaged:
                        continue  # `doctor` tells of it
                yield self._definitions[definition]
            after = page[-1]

    async def _look(self, workflow: Workflow) -> Sample:
        page = await self._store.select(Selection(workflow=workflow.name), newest=True, limit=SAMPLE)
        heads = [head for head, steps in zip(page.heads, _sums(page.heads), strict=True) if steps <= _MOST_STEPS]
        tally, lives = await tally_agents(self._store, workflow, [head.id for head in heads])
        told = activity(lives, now_ms=await self._store.now())
        others = sum(head.definition != workflow.hash for head in heads)
        return Sample(len(lives), page.next is None and len(heads) == len(page.heads), others, coverage(tally), told)


def _has_failed(future: asyncio.Future[Any]) -> bool:
    return future.cancelled() or future.exception() is not None


def _sums(heads: Sequence[Head]) -> Iterator[int]:
    """How many steps each agent has had, together with those before it."""
    return accumulate(head.version for head in heads)
