"""``python -m fsm_agent`` is the command line, and so is the script ``fsm-agent``."""

import gc

#: Python looks for garbage whenever so many objects are new, 700 by default. A command that starts makes many and drops
#: few: looking less often saves 3 % of what ``show`` costs.
gc.set_threshold(50_000)

from fsm_agent.cli.main import main  # noqa: E402 - after the above, which is for what it imports

if __name__ == "__main__":  # processes that share its work import it too
    main()
