"""``python -m fsm_agent.dialect`` prints the JSON Schema of the dialect; ``make schema`` writes it to its file."""

from __future__ import annotations

import json
import sys

from fsm_agent.dialect.schema import dialect_schema

sys.stdout.write(json.dumps(dialect_schema(), indent=2) + "\n")
