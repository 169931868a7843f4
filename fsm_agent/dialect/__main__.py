"""``python -m fsm_agent.dialect`` prints the JSON Schema of the dialect afresh; ``make schema`` keeps it."""

from __future__ import annotations

import json
import sys

from fsm_agent.dialect.schema import dialect_schema

sys.stdout.write(json.dumps(dialect_schema(), indent=2) + "\n")
