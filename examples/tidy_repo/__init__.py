"""Tidies a folder of Python files with ruff: safe fixes one by one, unsafe ones when a person says so."""
