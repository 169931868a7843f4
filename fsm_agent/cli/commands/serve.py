"""``serve``: the HTTP API and the page, until stopped."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_agent.cli.commands.run import checked_workflow
from fsm_agent.cli.engine import engine_of, wakeups_of
from fsm_agent.cli.input.parameters import LOG_FORMAT, WORKFLOW_FILE, WholeNumber, read_by, text
from fsm_agent.cli.input.paths import workflow_files
from fsm_agent.cli.input.token_path import token_path, tokens_option
from fsm_agent.cli.logs import in_json, in_sentences
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.agent import Head
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import SettingsInvalid
from fsm_agent.project.defaults import DEFAULT_DRAIN_S
from fsm_agent.runtime.runner import Runner
from fsm_agent.telemetry import configured

if TYPE_CHECKING:
    from fsm_agent.server.access import Access
    from fsm_agent.server.metrics import Metrics
    from fsm_agent.telemetry import OpenTelemetry

logger = logging.getLogger("fsm_agent")

_WORKFLOWS: Final = "workflows"
_PORT: Final = 8000
#: what a header may be called, and what the name of a host is made of
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HOST: Final = re.compile(r"[\w.-]+")
_MAKE: Final = "make a token with `fsm-agent token new`"


@dataclass(frozen=True, slots=True)
class ServeArguments:
    """The arguments of the command line."""

    namespaces: tuple[str, ...]
    host: str
    port: int
    drives: bool
    drain: Duration
    tokens_file: str | None
    identity_header: str | None
    allowed_hosts: tuple[str, ...]
    rate: int
    metrics: bool
    log_format: str


@click.command()
@click.argument("paths", type=WORKFLOW_FILE, metavar="[PATH]...", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Where to listen.")
@click.option(
    "--port", type=WholeNumber(0, 65_535), default=_PORT, show_default=True, help="Where to listen; 0 is a free one."
)
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME", help="A part of the store; repeatable.")
@click.option("--no-drive", is_flag=True, help="Leave it to other processes to drive agents.")
@click.option(
    "--drain",
    callback=read_by(Duration.parse),
    default=f"{DEFAULT_DRAIN_S}s",
    show_default=True,
    metavar="DURATION",
    help="How long actions may go on when it is stopped.",
)
@tokens_option
@click.option(
    "--identity-header", type=text, metavar="NAME", help="The header in which a proxy says in whose name it asks."
)
@click.option("--allowed-host", "allowed_hosts", multiple=True, metavar="HOST", help="A name that it has; repeatable.")
@click.option(
    "--rate", type=WholeNumber(0), default=200, show_default=True, help="Requests a second per token; 0 is any."
)
@click.option("--metrics", is_flag=True, help="Serve /metrics for Prometheus, to tokens with the scope read.")
@LOG_FORMAT
@click.pass_obj
def serve(
    settings: CommandSettings, /, *, paths: tuple[str, ...], namespaces: tuple[str, ...], no_drive: bool, **more: Any
) -> None:
    """Serve the HTTP API and the page: the inbox of open questions, agents and their histories, workflows.

    The workflows in PATH, by default in the folder `workflows`, can be started. If there is a file of tokens, everybody
    is asked for one; without, the server listens on this machine only.
    """
    run(
        settings,
        paths,
        ServeArguments(tuple(dict.fromkeys(namespaces)) or (settings.namespace,), drives=not no_drive, **more),
    )


def run(settings: CommandSettings, paths: tuple[str, ...], arguments: ServeArguments) -> None:
    """Serve until a signal comes."""
    try:
        import fsm_agent.server.process  # noqa: F401 - is it there?
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("fsm_agent"):
            raise
        raise SettingsInvalid(f"the server needs {error.name}: pip install 'fsm-agent[server]'") from None
    workflows = _workflows(settings, paths)
    access = _access(settings, arguments)
    with output.kept_clean(settings), (in_json if arguments.log_format == "json" else in_sentences)(settings):
        asyncio.run(_serve(settings, arguments, workflows, access))


def _workflows(settings: CommandSettings, paths: tuple[str, ...]) -> dict[str, Workflow]:
    """The newest version of each workflow, by name. Raises ``WorkflowInvalid``, and ``SettingsInvalid`` for two files
    that declare one version each in its own way."""
    if not paths and not Path(_WORKFLOWS).is_dir():
        return {}
    found: dict[tuple[str, int], tuple[Path, Workflow]] = {}
    for path in workflow_files(paths or (_WORKFLOWS,)):
        workflow = checked_workflow(settings, str(path))
        other, same = found.setdefault((workflow.name, workflow.version), (path, workflow))
        if same.hash != workflow.hash:
            raise SettingsInvalid(
                f"{other} and {path} declare version {workflow.version} of workflow {workflow.name!r}, and differ: "
                "give one of them another version, or another name"
            )
    return {name: found[name, version][1] for name, version in sorted(found)}


def _access(settings: CommandSettings, arguments: ServeArguments) -> Access:
    from fsm_agent.server.access import Access
    from fsm_agent.server.token_file import TokenFile

    _check_names(arguments)
    tokens = TokenFile(token_path(settings, arguments.tokens_file))
    asks = arguments.tokens_file is not None or tokens.path.exists()
    if asks and not tokens.all():
        raise SettingsInvalid(f"there is no token in {tokens.path}: {_MAKE}")
    if not asks:
        _check_privacy(arguments)
    return Access(
        tokens=tokens if asks else None,
        operator=settings.by,
        namespaces=arguments.namespaces,
        identity_header=arguments.identity_header,
        hosts=(arguments.host, *arguments.allowed_hosts),
    )


def _check_privacy(arguments: ServeArguments) -> None:
    """Raises ``SettingsInvalid`` if others than this machine could do everything, since nobody is asked for a token. A
    host that is not this machine is that of a proxy, which lets everybody through unless it says who asks."""
    from fsm_agent.server.access import is_loopback

    if not is_loopback(arguments.host):
        raise SettingsInvalid(
            f"without tokens the server listens on this machine only, and {arguments.host} is more than that: {_MAKE}"
        )
    others = [host for host in arguments.allowed_hosts if not is_loopback(host)]
    if others and arguments.identity_header is None:
        raise SettingsInvalid(
            f"without tokens whoever reaches {others[0]} could do everything: {_MAKE}, or name the header in which a "
            "proxy says who asks, with --identity-header"
        )


def _check_names(arguments: ServeArguments) -> None:
    """Raises ``SettingsInvalid`` for names that no request can have, since each one would be refused."""
    header = arguments.identity_header
    if header is not None and not _HEADER.fullmatch(header):
        raise SettingsInvalid(f"--identity-header {header!r} names no header: write one such as X-Forwarded-User")
    for host in arguments.allowed_hosts:
        if not (_HOST.fullmatch(host) or _is_address(host)):
            raise SettingsInvalid(
                f"--allowed-host {host!r} names no host: write a name or an address, without scheme, port and path"
            )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _serve(
    settings: CommandSettings, arguments: ServeArguments, workflows: dict[str, Workflow], access: Access
) -> None:
    from fsm_agent.server.api.endpoint import Gate
    from fsm_agent.server.app import application
    from fsm_agent.server.process import address_of, listen, serve
    from fsm_agent.server.rates import RateLimit
    from fsm_agent.server.service import Service

    if not arguments.drives:
        engine_of(settings)  # a URL that is wrong is told now, and not at the first wake-up
    with listen(arguments.host, arguments.port) as listening:
        metrics = _metrics() if arguments.metrics else None
        telemetry = metrics.telemetry if metrics else configured()
        services = {
            name: Service(
                name,
                _runner_of(settings, name, telemetry, drives=arguments.drives),
                workflows,
                drives=arguments.drives,
                drain_s=arguments.drain.ms / 1000,
                retention=settings.retention,
            )
            for name in arguments.namespaces
        }
        gate = Gate(access, RateLimit(arguments.rate), services)
        app = application(gate, [metrics.route(gate)] if metrics else [])

        is_json = arguments.log_format == "json"

        def say(sentence: str) -> None:
            if is_json:
                logger.info("%s", sentence, extra={"action": "server"})
            else:
                output.say(sentence)

        def ready() -> None:
            click.echo(address_of(listening))
            asks = "" if access.asks_for_tokens else "; nobody is asked for a token"
            stores = ", ".join(dict.fromkeys(service.runner.store.url for service in services.values()))
            say(f"serving {stores}{asks}; Ctrl-C stops")

        await serve(app, tuple(services.values()), listening, when_ready=ready, say=say)


def _metrics() -> Metrics:
    """Raises ``SettingsInvalid`` without the libraries for it."""
    try:
        from fsm_agent.server.metrics import Metrics
    except ImportError as error:
        raise SettingsInvalid(str(error)) from None
    return Metrics()


def _runner_of(
    settings: CommandSettings, namespace: str, telemetry: OpenTelemetry | None, *, drives: bool
) -> Callable[[Callable[[Head], None]], Runner]:
    part = settings.changed(namespace=namespace)

    def make(observe: Callable[[Head], None]) -> Runner:
        around, actions = settings.surroundings(), settings.actions
        store = part.open_store()
        wakeups = None if drives else wakeups_of(part)  # a worker of its own is told by the server itself
        return Runner(
            store, actions=actions, observe=observe, surroundings=around, telemetry=telemetry, wakeups=wakeups
        )

    return make
