"""A trained classifier on new sentences."""

from tkre.pipelines.inference.pipeline import create_pipeline

__all__ = ["create_pipeline"]
