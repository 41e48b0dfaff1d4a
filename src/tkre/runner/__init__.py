"""Runners: in which order, and where, the nodes of a grid are run, and which need not be.

``kedro run`` uses ``GridRunner`` unless ``--runner`` names another.
"""

from tkre.runner.grid import GridRunner
from tkre.runner.ray import RayRunner

__all__ = ["GridRunner", "RayRunner"]
