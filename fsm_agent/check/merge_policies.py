"""Checks of merge policies against their fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm_agent.check.codes import Code
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.json import Schema
from fsm_agent.domain.kinds import DEEPEST, json_types, resolved
from fsm_agent.domain.state import MergePolicy
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import Workflow

_NUMBERS: Final = frozenset({"integer", "number"})


def merge_findings(workflow: Workflow) -> Iterator[Finding]:
    """Policies of unknown fields, and policies that cannot merge the values of their fields."""
    user = {f"user.{field}": schema for field, schema in workflow.user.items()}
    for field, policy in workflow.merge.items():
        path = ("merge", field)
        what, fields = ("user field", user) if field.startswith("user.") else ("data field", workflow.data)
        if fields is workflow.data and not workflow.knows_data:
            continue
        if field not in fields:
            near = did_you_mean(field, fields) or f"; there is {listed(fields)}"
            yield Code.UNKNOWN_FIELD.found(f"there is no {what} `{field}` to merge{near}", path, at_key=True)
        elif wanted := _misfit(policy, fields[field]):
            kinds = " or ".join(sorted(json_types(fields[field])))
            yield Code.UNFIT_POLICY.found(f"`{policy}` merges {wanted}, and `{field}` is {kinds}", path)


def _misfit(policy: MergePolicy, schema: Schema) -> str:
    """What the field would have to be for the policy; empty if it is."""
    types = json_types(schema) - {"null"}
    match policy:
        case "append" | "union":
            return "" if types == {"array"} else "lists"
        case "max":
            fits = types <= _NUMBERS if types != {"string"} else _formats(schema, schema) in ({"date"}, {"date-time"})
            return "" if types and fits else "numbers, dates or datetimes of one kind"
        case "last":
            return ""


def _formats(schema: Schema, root: Schema, depth: int = 0) -> set[str]:
    """The formats that the texts of ``schema`` may have."""
    schema = resolved(schema, root)
    if depth > DEEPEST or json_types(schema, root) == {"null"}:
        return set()
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if not branches:
        return {str(schema.get("format", ""))}
    return set().union(*(_formats(each, root, depth + 1) for each in branches))
