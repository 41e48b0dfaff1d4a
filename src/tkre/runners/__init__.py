"""Runners: in which order, and where, the nodes of a grid are run, and which need not be.

``kedro run`` uses ``GridRunner`` unless ``--runner`` names another.
"""

from tkre.runners.grid_runner import GridRunner
from tkre.runners.ray_runner import RayRunner

__all__ = ["GridRunner", "RayRunner"]
