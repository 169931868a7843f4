"""Models by name: which one counts, what there is, and what is said where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fsm_agent.errors import ModelError, ModelKeyMissing, ModelUnknown
from fsm_agent.llm.resolve import default_model, key_variables, resolve
from fsm_agent.loading.model_script import read_script

KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FSM_AGENT_MODEL")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("explicit", "argument", "environ", "configured", "chosen"),
    [
        ("a", "b", {"FSM_AGENT_MODEL": "c"}, "d", "a"),
        (None, "b", {"FSM_AGENT_MODEL": "c"}, "d", "b"),
        (None, None, {"FSM_AGENT_MODEL": "c"}, "d", "c"),
        (None, None, {}, "d", "d"),
        ("", "", {"FSM_AGENT_MODEL": ""}, "d", "d"),
    ],
)
def test_the_command_comes_before_the_action_the_environment_and_the_project(
    explicit: str | None, argument: str | None, environ: Mapping[str, str], configured: str, chosen: str
) -> None:
    assert default_model(explicit, argument, environ=environ, configured=configured) == chosen


def test_without_a_name_it_is_said_how_to_give_one() -> None:
    with pytest.raises(ModelUnknown) as raised:
        default_model(None, None, environ={}, configured=None)
    for way in ("--model", "`with`", "FSM_AGENT_MODEL", "[tool.fsm-agent]", "scripted:FILE"):
        assert way in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "it is no name of a model"),
        ("gpt", "it is no name of a model"),
        (":x", "it is no name of a model"),
        ("openai-chat:", "it is no name of a model"),
        ("nobody:x", "there is no such provider"),
        ("scripted:", "the script file cannot be read"),
        ("scripted:nowhere.yaml", "nowhere.yaml:1:1: the script file cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_name_is_told_with_what_is_allowed(name: str, said: str) -> None:
    with pytest.raises(ModelUnknown) as raised:
        resolve(name, read_script)
    assert str(raised.value).startswith(f"model {name!r} cannot be used: ")
    assert said in str(raised.value)
    assert "write `test`, `scripted:FILE` or `PROVIDER:NAME`" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("opnai-chat:mine", "openai-chat:mine"),
        ("antropic:claude", "anthropic:claude"),
        ("claude-haiku-4-5", "anthropic:claude-haiku-4-5"),
    ],
)
def test_what_was_meant_is_guessed_at(name: str, meant: str) -> None:
    with pytest.raises(ModelUnknown) as raised:
        resolve(name)
    assert f"(did you mean `{meant}`?)" in str(raised.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ModelKeyMissing) as raised:
        resolve("openai-chat:gpt-4.1")
    assert raised.value.variables == ("OPENAI_API_KEY",)
    assert str(raised.value) == ("model 'openai-chat:gpt-4.1' needs a key: set the environment variable OPENAI_API_KEY")


def test_a_local_endpoint_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert resolve("openai-chat:llama").model_name == "llama"


def test_an_address_that_is_none_is_told_without_the_password_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:hunter2@[::bad/v1")
    with pytest.raises(ModelError) as raised:
        resolve("openai-chat:llama")
    assert "its client cannot be made" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_provider_whose_library_is_missing_says_what_to_install() -> None:
    with pytest.raises(ModelUnknown, match=r"pip install 'pydantic-ai-slim\[cohere\]'"):
        resolve("cohere:command")


def test_the_variable_of_a_key_is_that_of_its_provider() -> None:
    assert key_variables("openai-chat:x") == key_variables("openai-responses:x") == ["OPENAI_API_KEY"]
    assert key_variables("google:x") == ["GOOGLE_API_KEY"]
    assert key_variables("azure-x:y") == ["AZURE_X_API_KEY"]


BLOCKED = """
import json, sys
for name in ("pydantic_ai", "openai"):
    sys.modules[name] = None
from fsm_agent.llm import resolve as models
from fsm_agent.errors import ModelUnknown
loaded = sorted({name.partition(".")[0] for name in sys.modules})
said = []
for name in ("test", "scripted:x.yaml", "openai-chat:x"):
    try:
        models.resolve(name, str)
    except ModelUnknown as error:
        said.append(str(error))
print(json.dumps([loaded, said]))
"""


def test_without_the_extra_the_room_costs_nothing_and_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    loaded, said = json.loads(done.stdout)
    assert not {"pydantic", "yaml", "httpx", "httpx2", "genai_prices"} & set(loaded)
    assert len(said) == 3
    for sentence in said:
        assert "need a library that is not installed: pip install 'fsm-agent[llm]'" in sentence
