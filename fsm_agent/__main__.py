"""``python -m fsm_agent`` is the command line."""

from fsm_agent.cli.main import main

if __name__ == "__main__":  # processes that share its work import it too
    main()
