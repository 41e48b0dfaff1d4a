"""Scores, tables and figures of an experiment."""

from tkre.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
