"""Actions: the functions that do the work of states, what they are given, and where they are found."""
