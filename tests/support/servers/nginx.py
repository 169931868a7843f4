"""nginx with a configuration of ours, on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .own_server import program_at

_PATIENCE_S: Final = 30
#: what stands around a server, so that it needs no folder but its own
_AROUND: Final = """
{user}
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{servers}
}}
"""


class Nginx:
    """Used as a context. ``servers`` is a part of a configuration that listens on ``port``."""

    def __init__(self, folder: Path, servers: str, port: int) -> None:
        program = program_at("nginx", shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin"))
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_AROUND.format(user=user, servers=servers))
        self._command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
        self.port = port

    def __enter__(self) -> Self:
        tested = subprocess.run([*self._command, "-t"], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        while True:
            assert self._process.poll() is None
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)
