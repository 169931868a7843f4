"""An MCP server with a few tools, as a process of its own: over its standard input and output, or over HTTP.

python -m tests.support.servers.mcp_server            # stdio
python -m tests.support.servers.mcp_server --http     # the first line it prints is its URL
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

#: how it is started over standard input and output
COMMAND: Final = [sys.executable, "-m", "tests.support.servers.mcp_server"]

server = MCPServer("tests")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool(name="odd.name/here")
def odd() -> str:
    """Has a name that no model can call."""
    return "odd"


@server.tool()
def fail() -> str:
    """Never works."""
    raise ToolError("no such file")


@server.tool()
def die() -> str:
    """Takes the server with it."""
    os._exit(3)


@server.tool()
def variable(name: str) -> str:
    """What it sees of the environment."""
    return os.environ.get(name, "nothing")


def serve_http() -> None:
    """Listens before it says where, so that nobody comes too early."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)  # noqa: T201
        config = uvicorn.Config(server.streamable_http_app(), log_level="error")
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def over_http() -> Iterator[str]:
    """The URL of a server that is there meanwhile."""
    process = subprocess.Popen([*COMMAND, "--http"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    serve_http() if "--http" in sys.argv else server.run("stdio")
