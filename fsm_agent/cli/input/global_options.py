"""Global options are also accepted after the command: ``fsm-agent list --json``.

Each command gets copies of them, which its help does not show. A value after the command wins over one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any, Final

import click
from click.core import ParameterSource

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.project.defaults import DEFAULT_NAMESPACE

#: name of the group's parameter -> field of ``Settings``
_FIELDS: Final = {
    "store": "given_store",
    "namespace": "namespace",
    "by": "given_by",
    "modules": "given_modules",
    "model": "given_model",
    "as_json": "json",
    "wide": "wide",
    "debug": "debug",
}
_BEFORE: Final = "global_"


def taking_globals(
    command: click.Command, options: Iterable[click.Parameter], *, shows_them: bool = False
) -> click.Command:
    """Add these options to a command; its own options win. With ``shows_them``, the shell offers them."""
    taken = {name for parameter in command.params for name in parameter.opts}
    known = copy(command)
    free = [each for each in options if _is_free(each, taken)]
    known.params = [*command.params, *(_late(each, is_hidden=not shows_them) for each in free)]
    return known


def _is_free(option: click.Parameter, taken: Iterable[str]) -> bool:
    return option.name in _FIELDS and set(option.opts).isdisjoint(taken)


def _late(option: click.Parameter, *, is_hidden: bool) -> click.Parameter:
    late = copy(option)
    late.name, late.expose_value, late.envvar, late.callback = f"{_BEFORE}{option.name}", False, None, _given
    if isinstance(late, click.Option):
        late.hidden = is_hidden
    return late


def _given(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Store a value that was given after the command."""
    if ctx.get_parameter_source(option.name or "") is not ParameterSource.COMMANDLINE:
        return value
    field = _FIELDS[(option.name or "").removeprefix(_BEFORE)]
    if isinstance(ctx.obj, CommandSettings):
        before = getattr(ctx.obj, field)
        changed: dict[str, Any] = {field: (*before, *value) if isinstance(before, tuple) else value}
        ctx.obj = ctx.obj.changed(**changed)
        if field == "debug":
            show_log(ctx)
    elif ctx.resilient_parsing:
        ctx.meta[f"{__name__}.{field}"] = value
    return value


def settings_of_unfinished(ctx: click.Context) -> CommandSettings:
    """The global options of a line that is still being typed, wherever they are in it."""
    before = ctx.find_root().params

    def said(field: str, name: str) -> Any:
        return ctx.meta.get(f"{__name__}.{field}") or before.get(name)

    return CommandSettings(said("given_store", "store"), said("namespace", "namespace") or DEFAULT_NAMESPACE)


def show_log(ctx: click.Context) -> None:
    """``--debug``: show all log entries with tracebacks; see ``is_debugging``."""
    import logging

    ctx.meta[__name__] = True
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")


def is_debugging(ctx: click.Context) -> bool:
    return __name__ in ctx.meta
