"""The progress of an agent's task and its cost, in the words of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm_agent.cli.blocks import Block, Facts, Ink, Tone, visible
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.step import Step
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.report.amounts import dollars
from fsm_agent.report.times import lasting

#: cells of a bar; fewer steps have a cell each
_WIDEST_BAR: Final = 20


def tally_blocks(agent: Agent) -> Iterator[Block]:
    """The agent's progress, and the usage of models so far."""
    if agent.progress is not None and (rows := list(_progress_rows(agent.progress))):
        yield Facts("progress", rows)
    if agent.usage != NO_USAGE:
        yield Facts("models", list(_usage_rows(agent.usage)))


def _progress_rows(progress: Progress) -> Iterator[tuple[str, Ink]]:
    if progress.goal:
        yield "goal", Ink(visible(progress.goal))
    if count := counted_steps(progress):
        yield "steps", Ink(" ".join(filter(None, [_bar(progress), count])), Tone.STRONG)
    if progress.current:
        yield "now", Ink(visible(progress.current), Tone.BUSY)


def counted_steps(progress: Progress) -> str:
    """``3 of 5``, or the part of it that is known."""
    return str(progress._replace(current=None)) or ("" if progress.remaining is None else f"{progress.remaining} to go")


def _bar(progress: Progress) -> str:
    done, remaining = progress.done, progress.remaining
    if done is None or remaining is None or done < 0 or remaining < 0 or not done + remaining:
        return ""
    width = min(done + remaining, _WIDEST_BAR)
    full = done * width // (done + remaining)
    return "■" * full + "□" * (width - full)


def progress_text(progress: Progress | None) -> str:
    """The progress in one line for a list."""
    if progress is None:
        return ""
    return visible(": ".join(filter(None, [counted_steps(progress), progress.current or ""])) or progress.goal or "")


def _usage_rows(usage: Usage) -> Iterator[tuple[str, Ink]]:
    refused = f", {usage.refused} of the replies refused" if usage.refused else ""
    yield "requests", Ink(f"{usage.requests}{refused}")
    yield "tokens", Ink(f"{usage.input_tokens} in, {usage.output_tokens} out")
    if usage.cost_micros:
        yield "cost", Ink(dollars(usage.cost_micros))
    if usage.latency_ms:
        yield "waited", Ink(lasting(usage.latency_ms))
    if usage.context_tokens:
        yield "context", Ink(f"{usage.context_tokens} tokens")


def usage_text(step: Step) -> str:
    """The usage of models by a step, in one line."""
    usage = step.usage
    if usage == NO_USAGE:
        return ""
    parts = [f"{usage.input_tokens} in, {usage.output_tokens} out"]
    parts += [dollars(usage.cost_micros)] if usage.cost_micros else []
    parts += [f"{usage.refused} refused"] if usage.refused else []
    return ", ".join(parts)
