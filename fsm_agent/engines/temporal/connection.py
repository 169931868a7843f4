"""How a client of Temporal is found and opened: address and namespace by URL, all else as Temporal's own tools do."""

from __future__ import annotations

import asyncio
import atexit
import logging
import re
import time
from datetime import timedelta
from functools import cache
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode

from fsm_agent.domain.text import shortened
from fsm_agent.errors import EngineUnavailable, EngineUrlInvalid

logger = logging.getLogger("fsm_agent")

_ADDRESS: Final = "localhost:7233"
_PORT: Final = 7233
_CONNECT: Final = timedelta(seconds=5)
#: how long a process leaves the client's threads to return from Python before it ends
_BEFORE_EXIT_S: Final = 0.2
#: where the client, which is written in another language, prints a reason
_REASON: Final = r'(?:message|error): "([^"]+)"'
#: what it calls a workflow that does not go the way of its history
_OTHER_CODE: Final = "TMPRL1100"


class Place(NamedTuple):
    """Where Temporal is. What a URL leaves out is read from its environment variables and its configuration file."""

    address: str | None
    namespace: str | None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Raises ``EngineUrlInvalid``."""
        rest = url.partition("://")[2]
        if "@" in rest or "?" in rest or "#" in rest:
            raise EngineUrlInvalid(
                "an engine URL of Temporal is temporal://HOST:PORT/NAMESPACE and has nothing else: TLS and the API key "
                "come from TEMPORAL_TLS, TEMPORAL_API_KEY and their like, or from Temporal's configuration file"
            )
        try:
            parts = urlsplit(url)
            address = f"{parts.hostname}:{parts.port or _PORT}" if parts.hostname else None
        except ValueError as error:
            raise EngineUrlInvalid(f"engine URL {url!r} names no place: {error}") from None
        return cls(address, parts.path.strip("/") or None)


class Connection:
    """A client that is opened when it is first needed, and again if that has failed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._place = Place.from_url(url)
        self._client: Client | None = None
        self._turn = asyncio.Lock()

    async def client(self) -> Client:
        """Raises ``EngineUnavailable``."""
        async with self._turn:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def check(self) -> None:
        """Raises ``EngineUnavailable`` unless the server answers and has the namespace."""
        client = await self.client()
        request = DescribeNamespaceRequest(namespace=client.namespace)
        try:
            await client.workflow_service.describe_namespace(request, timeout=_CONNECT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise EngineUnavailable(self.url, f"it has no namespace {client.namespace!r}") from error
            raise EngineUnavailable(self.url, told(error)) from error

    async def _connect(self) -> Client:
        try:
            options: dict[str, Any] = {**ClientConfig.load_client_connect_config()}
            options["target_host"] = self._place.address or options.get("target_host") or _ADDRESS
            if self._place.namespace:
                options["namespace"] = self._place.namespace
            return await Client.connect(**options, runtime=_runtime(), connect_timeout=_CONNECT)
        except Exception as error:
            raise EngineUnavailable(self.url, told(error)) from error


def told(error: BaseException) -> str:
    """Why something failed, for people: of what the client says of a connection, the innermost reason."""
    text = str(error) or type(error).__name__
    reasons: list[str] = re.findall(_REASON, text)
    return reasons[-1] if reasons else shortened(text, 200).strip("'\"")


def _tells_errors(record: logging.LogRecord) -> bool:
    """Whether the client's record is logged: only errors are. One of its warnings is told in our words instead."""
    if _OTHER_CODE in record.getMessage():
        text = "Temporal ends a workflow that another version of fsm-agent has begun; the next wake-up begins it anew"
        logger.warning(text, extra={"action": "other_version"})
        return False
    return record.levelno >= logging.ERROR


@cache
def _runtime() -> Runtime:
    """What runs Temporal's client in this process. It would print what it retries, again and again.

    Its threads tell Python what they have done, and are still at it when Python goes on. A process that ends just then
    is aborted by Python, so it waits a moment before.
    """
    atexit.register(time.sleep, _BEFORE_EXIT_S)
    core = logging.getLogger("temporalio.core")
    core.addFilter(_tells_errors)
    forwarding = LogForwardingConfig(core)
    quiet = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=quiet, forwarding=forwarding)))
