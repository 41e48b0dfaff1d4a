"""Finished cells as runs of a tracking server. Nothing that trains or scores knows of one.

What is tracked is read from the catalog, so it works for runs of the past too, and for cells that
a run passed over because they were up to date.
"""
