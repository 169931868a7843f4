"""Readers of what agents remember and of how their work is going: conversation, user, progress."""

from __future__ import annotations

from fsm_agent.dialect.context import ReadContext
from fsm_agent.dialect.keys import CONVERSATION, PROGRESS
from fsm_agent.domain.conversation import ConversationPolicy, ProgressRule
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json


def conversation(context: ReadContext, value: Json, path: Path) -> ConversationPolicy:
    return ConversationPolicy(**context.entries(CONVERSATION, value, path))


def progress(context: ReadContext, value: Json, path: Path) -> ProgressRule:
    return ProgressRule(**context.entries(PROGRESS, value, path))
