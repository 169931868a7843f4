"""``python -m fsm_agent.testing.faults URL...``: prove that stores keep their promises under faults."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from fsm_agent.engines import open_engine
from fsm_agent.errors import FsmAgentError
from fsm_agent.testing.faults.mutant_runs import run_mutants
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.run import MEMORY, SQLITE, Subject, prove
from fsm_agent.testing.faults.table import truth_table


def parse_duration(_: click.Context | None, __: click.Parameter | None, text: str) -> float:
    """``90s``, ``10m``, ``1h`` or a number of seconds."""
    units = {"s": 1, "m": 60, "h": 3_600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 10m or 1h") from None


def parse_engine(_: click.Context | None, __: click.Parameter | None, url: str | None) -> str | None:
    """The URL of an engine that there is, and whose library is installed."""
    if url is not None:
        try:
            open_engine(url)
        except FsmAgentError as error:
            raise click.BadParameter(str(error)) from error
    return url


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that this command and ``make prove`` share."""
    options = (
        click.option(
            "--for", "seconds", default="30s", callback=parse_duration, help="How long faults hit each store."
        ),
        click.option("--seed", type=int, help="Repeat the faults of an earlier run; the table names its seed."),
        click.option("--writers", default=3, show_default=True, help="How many write at a time."),
    )
    for option in options:
        command = option(command)
    return command


@click.command()
@click.argument("urls", nargs=-1)
@run_options
@click.option("--engine", callback=parse_engine, help="URL of the engine that carries wake-ups between the writers.")
@click.option("--mutant", type=click.Choice(list(MUTANTS)), help="Break the writers' SQLite store: it must be caught.")
@click.option("--mutants", is_flag=True, help="Run every mutant, one after the other.")
def main(
    urls: tuple[str, ...],
    *,
    seconds: float,
    seed: int | None,
    writers: int,
    engine: str | None,
    mutant: str | None,
    mutants: bool,
) -> None:
    """Kill, freeze and restart what writes to the stores at URLS, and check that nothing was lost.

    Without a URL: memory, and an SQLite file of its own. Exits with 1 if a promise is broken, if a fault hit nothing,
    or, with --mutants, if one of them is not caught.
    """
    handle_sigterm()
    seed = choose_seed(seed)
    if mutants:
        results = list(run_mutants(seconds=min(seconds, 10), seed=seed, echo=click.echo))
        sys.exit(not all(result.broken for result in results))
    if engine and (mutant or not urls or any(url.startswith("memory:") for url in urls)):
        raise click.UsageError("--engine needs the URL of a store that several processes share, and no mutant")
    subjects = [Subject(url.partition(":")[0], url, engine=engine) for url in urls] or [MEMORY, SQLITE]
    subjects = [SQLITE] if mutant else subjects
    sys.exit(not run_and_print(subjects, seconds=seconds, seed=seed, writers=writers, mutant=mutant))


def handle_sigterm() -> None:
    """Treat SIGTERM like Ctrl-C, so that everything is cleaned up."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))


def choose_seed(seed: int | None) -> int:
    return secrets.randbelow(1_000_000) if seed is None else seed


def run_and_print(subjects: Sequence[Subject], **options: Any) -> bool:
    """Print the truth table; returns whether every promise holds and every fault hit something."""
    verdicts = prove(subjects, progress=lambda line: click.echo(line, err=True), **options)
    click.echo(truth_table(verdicts))
    return all(verdict.is_proven for verdict in verdicts)


if __name__ == "__main__":
    main()
