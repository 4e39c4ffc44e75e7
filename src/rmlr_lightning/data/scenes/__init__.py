"""The scene cache: what the frozen detector says, stored once and read in every epoch of every run (docs/CACHE.md)."""
