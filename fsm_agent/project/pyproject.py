"""The settings of a project: ``[tool.fsm-agent]`` of the nearest pyproject.toml."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from fsm_agent.data.limit import DEFAULT_LIMIT
from fsm_agent.domain.environment import SEALING_KEYS
from fsm_agent.domain.state import LARGEST_SIZE, ByteSize
from fsm_agent.domain.step import NOTHING
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors import SettingsInvalid
from fsm_agent.project.defaults import DEFAULT_STORE

#: keys of ``[tool.fsm-agent]``
KEYS: Final = (
    "modules",
    "store",
    "namespaces",
    "sealed",
    "retention",
    "engine",
    "model",
    "mcp",
    "environment",
    "limits",
)

_SETTINGS: Final = "pyproject.toml"

#: a file in a URL; there may be two
_FILE: Final = re.compile(r"(sqlite:///)([^,]+)")


class Project(NamedTuple):
    """The settings of a folder, from its pyproject.toml."""

    folder: str
    modules: tuple[str, ...] = ()
    #: the path of an SQLite file is relative to the folder, wherever the command runs
    store: str | None = None
    #: pattern of namespaces -> the URL of the store in which they live; the first that fits counts
    namespaces: Mapping[str, str] = NOTHING
    #: whether nothing is stored in clear text
    sealed: bool = False
    retention: Mapping[str, Any] = NOTHING
    #: the URL of the engine that carries wake-ups
    engine: str | None = None
    #: the model to ask if nothing else says which
    model: str | None = None
    #: MCP servers by name
    mcp: Mapping[str, Mapping[str, Any]] = NOTHING
    #: environment variables that workflows may name under ``auth``
    environment: tuple[str, ...] = ()
    #: limit of the data if the workflow sets none
    data_limit: str = DEFAULT_LIMIT.text

    def store_of(self, namespace: str) -> str | None:
        """The URL of the store in which a namespace lives; ``None`` if the project names none. Raises
        ``SettingsInvalid`` if there are rules, and none of them fits: what belongs elsewhere is not put anywhere."""
        if not self.namespaces:
            return self.store
        from fnmatch import fnmatchcase

        for pattern, url in self.namespaces.items():
            if fnmatchcase(namespace, pattern):
                return url
        raise SettingsInvalid(
            f"no rule says in which store namespace {namespace!r} lives: [tool.fsm-agent.namespaces] has "
            f"{listed(self.namespaces)}"
        )


def project_here() -> Project:
    """The project around the working directory."""
    return find_project(os.getcwd())


def find_project(start: str) -> Project:
    """The project around a folder; without a pyproject.toml, the folder itself."""
    folder = start
    while not os.path.isfile(os.path.join(folder, _SETTINGS)):
        if os.path.dirname(folder) == folder:
            return Project(start)
        folder = os.path.dirname(folder)
    return _read_project(folder)


def _read_project(folder: str) -> Project:
    file = os.path.join(folder, _SETTINGS)
    with open(file, encoding="utf-8", errors="replace") as opened:
        text = opened.read()
    if "fsm-agent" not in text:
        return Project(folder)
    import tomllib

    try:
        section = tomllib.loads(text).get("tool", {}).get("fsm-agent", {})
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{file} is not TOML: {error}") from error
    if problem := _problem(section):
        raise SettingsInvalid(f"[tool.fsm-agent] in {file}: {problem}")
    return Project(
        folder,
        tuple(section.get("modules", ())),
        _anchored(section["store"], folder) if "store" in section else None,
        namespaces={pattern: _anchored(url, folder) for pattern, url in section.get("namespaces", {}).items()},
        sealed=section.get("sealed", False),
        retention=section.get("retention", {}),
        engine=section.get("engine"),
        model=section.get("model"),
        mcp=section.get("mcp", {}),
        environment=tuple(section.get("environment", ())),
        data_limit=section.get("limits", {}).get("data", DEFAULT_LIMIT.text),
    )


def _problem(section: Mapping[str, Any]) -> str | None:
    """The first problem of the settings, or ``None``."""
    if unknown := [key for key in section if key not in KEYS]:
        return f"unknown key {unknown[0]!r}{did_you_mean(unknown[0], KEYS)}; there are {listed(KEYS)}"
    problems = (judge(section[key]) for key, judge in _JUDGES.items() if key in section)
    return next((problem for problem in problems if problem), None)


def _problem_of_modules(modules: Any) -> str | None:
    is_right = isinstance(modules, list) and all(isinstance(module, str) for module in modules)
    return None if is_right else 'modules must be a list of module names, such as ["shop.actions"]'


def _problem_of_servers(servers: Any) -> str | None:
    how = 'such as files = {command = ["files-server", "--root", "."]}, or notes = {url = "http://127.0.0.1:9000/mcp"}'
    if not isinstance(servers, dict):
        return f"mcp must be a table of servers, {how}"
    for name, server in servers.items():
        if not isinstance(server, dict) or ("command" in server) is ("url" in server):
            return f"mcp.{name} must have either command or url, {how}"
        command, env = server.get("command", ["x"]), server.get("env", {})
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            return f"mcp.{name}.command must be a list of words, {how}"
        if not isinstance(server.get("url", ""), str) or not isinstance(env, dict):
            return f"mcp.{name} is read wrongly: url is text, and env a table of texts"
    return None


def _problem_of_environment(names: Any) -> str | None:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return 'environment must be a list of names of environment variables, such as ["SHOP_TOKEN"]'
    if SEALING_KEYS in names:
        return f"environment cannot have {SEALING_KEYS}: the keys of sealed agents are sent to nobody"
    return None


def _problem_of_limits(limits: Any) -> str | None:
    how = 'limits must be a table of one size, such as {data = "10MB"}'
    if not isinstance(limits, dict) or limits.keys() != {"data"} or not isinstance(limits["data"], str):
        return how
    try:
        size = ByteSize.parse(limits["data"])
    except ValueError as error:
        return f"limits.data: {error}"
    return (
        None
        if 0 < size.bytes <= LARGEST_SIZE.bytes
        else f"limits.data must be more than 0B, and at most {LARGEST_SIZE}"
    )


def _problem_of_retention(retention: Any) -> str | None:
    from fsm_agent.domain.retention import Retention

    if not isinstance(retention, dict):
        return 'retention must be a table, such as {history = 100, finished = "30d", idle = "90d"}'
    try:
        Retention.read(retention)
    except ValueError as error:
        return f"retention: {error}"
    return None


def _problem_of_namespaces(rules: Any) -> str | None:
    if isinstance(rules, dict) and all(isinstance(url, str) and "://" in url for url in rules.values()):
        return None
    return 'namespaces must be a table of URLs by pattern, such as {"eu-*" = "postgresql://eu/agents"}'


def _must_be(kind: type, how: str) -> Callable[[Any], str | None]:
    return lambda value: None if isinstance(value, kind) else how


_JUDGES: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "modules": _problem_of_modules,
    "store": _must_be(str, f'store must be a URL, such as "{DEFAULT_STORE}"'),
    "namespaces": _problem_of_namespaces,
    "sealed": _must_be(bool, "sealed must be true or false"),
    "engine": _must_be(str, 'engine must be a URL, such as "temporal://127.0.0.1:7233"'),
    "model": _must_be(str, 'model must be the name of a model, such as "openai-chat:gpt-4.1"'),
    "mcp": _problem_of_servers,
    "retention": _problem_of_retention,
    "environment": _problem_of_environment,
    "limits": _problem_of_limits,
}


def _anchored(store: str, folder: str) -> str:
    """The URL with its relative files in ``folder``; a tiered store may have two files."""
    return _FILE.sub(lambda file: f"{file[1]}{os.path.join(folder, file[2])}", store)
