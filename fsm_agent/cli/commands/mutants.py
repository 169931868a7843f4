"""The mutants of workflow files: small changes, judged by several processes at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from fsm_agent.check.mutants import Mutant, judged
from fsm_agent.check.mutations import Mutation
from fsm_agent.cli.views.mutants import TriedMutants
from fsm_agent.domain.finding import Finding, Severity
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import inspect_file

#: applies a function to all changes, and keeps their order
Spread: TypeAlias = Callable[[Callable[[Mutation], Mutant], Sequence[Mutation]], Iterable[Mutant]]

#: it takes longer to start a process than to judge so many
_FEW: Final = 40
#: so many are handed over at once
_CHUNK: Final = 4


@contextmanager
def sharing() -> Iterator[Spread]:
    """A way to share work among as many processes as there are processors. They are started when they are needed."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:

        def spread(judge: Callable[[Mutation], Mutant], mutations: Sequence[Mutation]) -> Iterable[Mutant]:
            if count < 2 or len(mutations) < _FEW:
                return map(judge, mutations)
            return pool.map(judge, mutations, chunksize=_CHUNK)

        yield spread


def tried(file: Path, workflow: Workflow, actions: Mapping[str, Signature], spread: Spread) -> TriedMutants:
    """What becomes of every small change of the workflow in a file."""
    mutants = judged(workflow, actions, spread)
    unnoticed = [Finding("mutant", each.change, each.path, Severity.NOTE) for each in mutants.survivors]
    _, found = inspect_file(file, checks=[lambda of: unnoticed if of == workflow else []])  # and not of a child's file
    return TriedMutants(mutants, tuple(finding for finding in found if finding.code == "mutant"))
