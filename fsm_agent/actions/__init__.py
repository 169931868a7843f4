"""Actions: the functions that states call, what they are given, and where they are found."""
