"""Scripts of models, read from files of YAML or JSON; ``fsm_agent.llm.script`` has the format."""

from pathlib import Path

from fsm_agent.dialect.positions import locate
from fsm_agent.errors import ModelUnknown, WorkflowInvalid
from fsm_agent.llm.script import Script, problems, script_of
from fsm_agent.llm.types import SCRIPTED
from fsm_agent.loading.yaml_text import composed, text_of


def read_script(file: str) -> Script:
    """Raises ``ModelUnknown`` with all that is wrong with the file."""
    name = f"{SCRIPTED}{file}"
    try:
        text = text_of(Path(file), "script").removeprefix("\ufeff")
        document, composer = composed(text if text.strip() else "[]", file)
        findings = [*composer.findings, *problems(document)]
        if not findings:
            return script_of(name, document)
        findings = locate(findings, composer.positions)
    except WorkflowInvalid as error:
        findings = list(error.findings)
    raise ModelUnknown(name, "; ".join([f"{each.place}: {each.message}" for each in findings]))
