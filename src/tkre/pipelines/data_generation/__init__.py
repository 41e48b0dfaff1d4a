"""K-shot sets, explanations and synthetic sentences of every sample."""

from tkre.pipelines.data_generation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
