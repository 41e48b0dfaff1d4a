"""Checks of a corpus of one's own, and of the machine, before anything is trained on it."""
