"""Odd content for open configurations: no content ends or stalls a program."""
