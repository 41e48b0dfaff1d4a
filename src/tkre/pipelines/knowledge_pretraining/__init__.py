"""Further pre-training of an encoder on the knowledge of a sample."""

from tkre.pipelines.knowledge_pretraining.pipeline import create_pipeline

__all__ = ["create_pipeline"]
