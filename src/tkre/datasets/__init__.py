"""Catalog datasets that Kedro does not ship: corpus folders, response stores, checkpoints, ...

None of them imports torch when it is imported, so that the catalog resolves without it.
"""
