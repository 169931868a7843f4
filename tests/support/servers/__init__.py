"""Real servers that tests start themselves: on a free port, in a temporary folder, gone when the tests are."""
