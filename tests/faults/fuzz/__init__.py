"""Damaged and hostile files for every reader: `python -m tests.faults.fuzz --help`."""
