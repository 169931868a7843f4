"""Commands about the tokens of the server: make one, list them, revoke one."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from fsm_agent.cli.blocks import Facts, Ink
from fsm_agent.cli.input.command_group import CommandGroup
from fsm_agent.cli.input.parameters import TOKEN_NAME, read_by
from fsm_agent.cli.input.token_path import token_path, tokens_option
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.cli.views.tokens import token_blocks, token_json
from fsm_agent.domain.state import Duration
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope, new_token


@click.group(cls=CommandGroup, no_args_is_help=False)
def token() -> None:
    """Make, list and revoke tokens, with which programs and people use the server.

    They are kept in a file that only its owner may read. A server that runs reads it again when it changes.
    """


@token.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it allows: one of these, or several by repeating the option; none implies another.",
)
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Where it counts, instead of only in the namespace of the command; repeatable.",
)
@click.option(
    "--expires", callback=read_by(Duration.parse), metavar="DURATION", help="How long it counts, such as 90d."
)
@tokens_option
@click.pass_obj
def new(
    settings: CommandSettings,
    *,
    name: str,
    scopes: tuple[str, ...],
    namespaces: tuple[str, ...],
    expires: Duration | None,
    tokens_file: str | None,
) -> None:
    """Make a token, and print its secret, which is shown only now. NAME is in whose name everything is done with it."""
    now = datetime.now(UTC)
    made = new_token(name, scopes=scopes, namespaces=namespaces or (settings.namespace,), lifetime=expires, now=now)
    TokenFile(token_path(settings, tokens_file)).add(made.token)
    if settings.json:
        output.print_json({**token_json(made.token, now), "secret": made.secret})
    else:
        click.echo(made.secret)
    output.say(f"this is the secret of token {made.token.name!r}: keep it now, for it is not shown again")


@token.command("list")
@tokens_option
@click.pass_obj
def list_tokens(settings: CommandSettings, *, tokens_file: str | None) -> None:
    """List tokens, what they allow, and until when."""
    path, now = token_path(settings, tokens_file), datetime.now(UTC)
    tokens = TokenFile(path).all()
    if not path.exists():
        output.say(f"there is no file {path}")
    document = {"file": str(path), "tokens": [token_json(each, now) for each in tokens]}
    output.show(settings, document, lambda: token_blocks(tokens, now))


@token.command()
@click.argument("name", type=TOKEN_NAME, metavar="NAME")
@tokens_option
@click.pass_obj
def revoke(settings: CommandSettings, *, name: str, tokens_file: str | None) -> None:
    """Revoke token NAME: the next request with it is refused."""
    revoked = TokenFile(token_path(settings, tokens_file)).revoke(name)
    document = {"revoked": revoked.name, "id": revoked.id}
    output.show(settings, document, lambda: [Facts("", [("revoked", Ink(revoked.name))])])
