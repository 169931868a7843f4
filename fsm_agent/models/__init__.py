"""Language models: names, requests, replies. Their library (extra ``llm``) is imported when one is first asked."""

from fsm_agent.models.names import default_model, resolve
from fsm_agent.models.opened import Models
from fsm_agent.models.request import ask
from fsm_agent.models.settings import setting_problems
from fsm_agent.models.words import Ask, Call, Reply, Tool

__all__ = ["Ask", "Call", "Models", "Reply", "Tool", "ask", "default_model", "resolve", "setting_problems"]
