"""Models by name. Their library is imported when the first is needed, and only then."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from fsm_agent.domain.similarity import nearest
from fsm_agent.errors import FsmAgentError, ModelKeyMissing, ModelUnknown
from fsm_agent.llm.import_lock import READING
from fsm_agent.llm.types import SCRIPTED

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from fsm_agent.llm.script import Script

#: the variable of the environment that names a model
VARIABLE: Final = "FSM_AGENT_MODEL"
TEST: Final = "test"

_INSTALL: Final = "pip install 'fsm-agent[llm]'"
_KEY_VARIABLE: Final = re.compile(r"`([A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET)[A-Z0-9_]*)`")
_EXTRA: Final = re.compile(r"pydantic-ai-slim\[[\w-]+\]")


def default_model(
    explicit: str | None, argument: str | None, *, environ: Mapping[str, str], configured: str | None
) -> str:
    """The name that counts: what the command says, else the action, else the environment, else the project.

    Raises ``ModelUnknown``, which says how to name one, where nobody does.
    """
    for name in (explicit, argument, environ.get(VARIABLE), configured):
        if name:
            return name
    raise ModelUnknown(None)


def resolve(name: str, read_script: Callable[[str], Script] | None = None) -> Model:
    """The model of a name: ``test``, ``scripted:FILE``, or ``PROVIDER:NAME`` as pydantic-ai knows them.

    ``read_script`` reads the file of a script. Talks to nobody. Raises ``ModelUnknown`` or ``ModelKeyMissing``. The
    first call imports much: call it in a thread.
    """
    with READING:
        return _resolved(name, read_script)


def _resolved(name: str, read_script: Callable[[str], Script] | None) -> Model:
    try:
        if name == TEST:
            from fsm_agent.llm.fake import TrialModel

            return TrialModel()
        if name.startswith(SCRIPTED) and read_script is not None:
            from fsm_agent.llm.scripted import ScriptedModel

            return ScriptedModel(read_script(name.removeprefix(SCRIPTED)))
        return _of_a_provider(name)
    except FsmAgentError:
        raise
    except ImportError as error:
        raise ModelUnknown(name, _missing_library(error)) from None


def key_variables(name: str) -> list[str]:
    """The variables of the environment that may hold the key of a model, as its provider asks for it."""
    provider = name.partition(":")[0]
    known = {"openai-chat": "OPENAI_API_KEY", "openai-responses": "OPENAI_API_KEY", "google": "GOOGLE_API_KEY"}
    return [known.get(provider, f"{re.sub(r'[^A-Z0-9]', '_', provider.upper())}_API_KEY")]


def _of_a_provider(name: str) -> Model:
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.models import infer_model

    provider, _, model = name.partition(":")
    if not provider or not model:
        raise ModelUnknown(name, f"it is no name of a model{_suggestion(name)}")
    try:
        return infer_model(name)
    except ImportError:
        raise
    except UserError as error:
        if variables := _KEY_VARIABLE.findall(error.message):
            raise ModelKeyMissing(name, dict.fromkeys(variables)) from None
        raise ModelUnknown(name, _explained(name, error.message)) from None
    except Exception as error:  # what a client finds wrong with its address, say, may quote a password
        raise ModelUnknown(name, f"its client cannot be made ({type(error).__name__})") from None


def _suggestion(name: str) -> str:
    """What was most likely meant: the same model of a known provider, or a known model with its provider."""
    from pydantic_ai.models import known_model_names

    provider, colon, model = name.partition(":")
    known = [each.partition(":") for each in known_model_names() if ":" in each]
    if colon:
        close = nearest(provider, sorted({each for each, _, _ in known}))
        meant = f"{close}:{model}" if close and model else None
    else:
        providers = {each: of for of, _, each in reversed(known)}
        close = nearest(name, providers)
        meant = f"{providers[close]}:{close}" if close else None
    return f" (did you mean `{meant}`?)" if meant else ""


def _explained(name: str, said: str) -> str:
    if said.startswith("Unknown model"):
        return f"there is no such provider{_suggestion(name)}"
    return said.rstrip(".")


def _missing_library(error: ImportError) -> str:
    """Ours is missing, or that of one provider."""
    if found := _EXTRA.search(str(error)):
        return f"the library of its provider is not installed: pip install '{found[0]}'"
    return f"language models need a library that is not installed: {_INSTALL}"
