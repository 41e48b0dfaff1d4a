"""K-shot sets, explanations and synthetic sentences of every draw."""

from tkre.pipelines.data_generation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
