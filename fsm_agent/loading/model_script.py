"""Scripts of models, read from YAML or JSON files; ``fsm_agent.llm.script`` defines the format."""

from pathlib import Path

from fsm_agent.dialect.positions import locate
from fsm_agent.errors import ModelUnknown, WorkflowInvalid
from fsm_agent.llm.script import Script, problems, script_of
from fsm_agent.llm.types import SCRIPTED
from fsm_agent.loading.yaml_text import composed, text_of


def read_script(file: str) -> Script:
    """The script in a file. Raises ``ModelUnknown`` with all mistakes of the file."""
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
