"""``python -m fsm_agent`` is the command line."""

from fsm_agent.cli.main import main

main()
