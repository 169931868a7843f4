"""A workflow as a value."""

from tests.support.runtime import flow


def test_the_text_of_a_workflow_is_its_name_and_version() -> None:
    assert repr(flow("initial: over\nstates: {over: {final: true}}")) == "Workflow('w', version=1)"
