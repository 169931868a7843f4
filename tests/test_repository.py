"""What this repository says about itself stays true."""

from __future__ import annotations

import ast
import html
import re
import subprocess
import sys
from pathlib import Path

import fsm_agent

ROOT = Path(__file__).parent.parent
FSM_AGENT = Path(sys.executable).with_name("fsm-agent")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(FSM_AGENT), *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_gallery_has_no_mistakes() -> None:
    checked = run("check", "workflows")
    assert checked.returncode == 0, checked.stdout


def test_every_diagram_is_fresh() -> None:
    checked = run("diagram", "workflows", "--out-dir", "diagrams", "--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_picture_of_the_example_of_a_review_is_fresh() -> None:
    versions = [f"examples/review/{side}/refunds.yaml" for side in ("before", "after")]
    drawn = run("diff", *versions, "--format", "dot")
    assert drawn.stdout == (ROOT / "diagrams" / "refunds_review.dot").read_text(encoding="utf-8")
    picture = (ROOT / "diagrams" / "refunds_review.svg").read_text(encoding="utf-8")
    shown = html.unescape(" ".join(re.findall(r">([^<>]+)</text>", picture)))
    assert [text for text in ("deciding", "was approving", "the guard is gone") if text not in shown] == []


def test_every_public_name_exists_and_is_listed() -> None:
    assert sorted(fsm_agent.__all__) == sorted(fsm_agent._HOMES)
    assert all(getattr(fsm_agent, name) is not None for name in fsm_agent.__all__)


def test_functions_fit_the_eye_and_modules_the_afternoon() -> None:
    sizes: list[int] = []
    modules = {}
    for path in sorted(Path(fsm_agent.__file__).parent.rglob("*.py")):
        text = path.read_text()
        modules[str(path)] = text.count("\n")
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, functions)]
        sizes += [(node.end_lineno or 0) - node.lineno + 1 for node in nodes]
    sizes.sort()
    assert sizes[int(len(sizes) * 0.9)] <= 25
    assert sizes[-1] <= 60
    assert max(modules.values()) <= 300, [name for name, lines in modules.items() if lines > 300]
