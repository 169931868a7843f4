"""A command that has commands of its own, such as ``token new``."""

from __future__ import annotations

import click

from fsm_agent.cli.input.global_options import taking_globals
from fsm_agent.domain.text import did_you_mean, listed


class CommandGroup(click.Group):
    """Its commands take the global options too, and the error of a misspelt one names those there are."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            near = did_you_mean(args[0], self.commands)
            raise click.UsageError(f"there is no command {args[0]!r}{near}; there are {listed(self.commands)}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        options = ctx.find_root().command.params
        return name, command and taking_globals(command, options, shows_them=ctx.resilient_parsing), rest
