"""``python -m fsm_agent.testing.faults URL...``: prove that stores keep their promises under faults."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from fsm_agent.testing.faults.mutant_runs import catch_all
from fsm_agent.testing.faults.mutants import MUTANTS
from fsm_agent.testing.faults.run import MEMORY, SQLITE, Subject, prove
from fsm_agent.testing.faults.table import truth_table


def seconds_of(_: click.Context | None, __: click.Parameter | None, text: str) -> float:
    """``90s``, ``10m``, ``1h`` or a number of seconds."""
    units = {"s": 1, "m": 60, "h": 3_600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 10m or 1h") from None


def of_a_run(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every way to run this has."""
    options = (
        click.option("--for", "seconds", default="30s", callback=seconds_of, help="How long each store is tormented."),
        click.option("--seed", type=int, help="Repeat the faults of an earlier run; the table names its seed."),
        click.option("--writers", default=3, show_default=True, help="How many write at a time."),
    )
    for option in options:
        command = option(command)
    return command


@click.command()
@click.argument("urls", nargs=-1)
@of_a_run
@click.option("--mutant", type=click.Choice(list(MUTANTS)), help="Break the writers' SQLite store: it must be caught.")
@click.option("--mutants", is_flag=True, help="Break it in every way that is known, one after the other.")
def main(
    urls: tuple[str, ...], *, seconds: float, seed: int | None, writers: int, mutant: str | None, mutants: bool
) -> None:
    """Kill, freeze and restart what writes to the stores at URLS, and check that nothing was lost.

    Without a URL: memory, and an SQLite file of its own. Exits with 1 if a promise is broken, if a fault hit nothing,
    or, with --mutants, if one of them is not caught.
    """
    end_like_ctrl_c()
    seed = some_seed(seed)
    if mutants:
        caught = list(catch_all(seconds=min(seconds, 10), seed=seed, say=click.echo))
        sys.exit(not all(each.broken for each in caught))
    subjects = [Subject(url.partition(":")[0], url) for url in urls] or [MEMORY, SQLITE]
    sys.exit(not proves([SQLITE] if mutant else subjects, seconds=seconds, seed=seed, writers=writers, mutant=mutant))


def end_like_ctrl_c() -> None:
    """Who is told to end by SIGTERM cleans up, too."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))


def some_seed(seed: int | None) -> int:
    return secrets.randbelow(1_000_000) if seed is None else seed


def proves(subjects: Sequence[Subject], **how: Any) -> bool:
    """Print the truth table; whether all holds, and nothing holds for want of faults."""
    verdicts = prove(subjects, progress=lambda line: click.echo(line, err=True), **how)
    click.echo(truth_table(verdicts))
    return all(verdict.is_proven for verdict in verdicts)


if __name__ == "__main__":
    main()
