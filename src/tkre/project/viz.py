"""The first view of ``kedro viz run``: the four stages and the datasets that say what they do.

kedro-viz draws every dataset between two folded stages, under its full name: 70 of them for the
default experiment. Here the graph that it serves keeps the datasets of ``ON_TOP`` between the
folded stages, the others appear when a stage is unfolded, and names lose the parts that all
datasets of a pipeline have in common (``newsroom.k8.s13.tkre.classifier``: ``tkre.classifier``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from kedro_viz.constants import DEFAULT_REGISTERED_PIPELINE_ID as DEFAULT
from kedro_viz.constants import ROOT_MODULAR_PIPELINE_ID as ROOT
from kedro_viz.data_access import DataAccessManager, data_access_manager
from kedro_viz.models.flowchart.model_utils import GraphNodeType
from kedro_viz.models.flowchart.nodes import GraphNode, ModularPipelineNode

from tkre.pipelines.namespaces import dataset_place
from tkre.training.stages import STAGES

ON_TOP = (
    "folder", "recordings", "support", "knowledge", *(f"{stage}_encoder" for stage in STAGES),
    "test_predictions", "development_predictions", "sentences", "predictions", "classifier",
    "summary", "report",
)  # fmt: skip
ENCODER = "encoder_"  # prefix of the variant part of an encoder's name


class StagesFirst(DataAccessManager):
    """Graphs of kedro-viz with few datasets between folded stages, and short names."""

    def create_modular_pipelines_tree_for_registered_pipeline(
        self, registered_pipeline_id: str = DEFAULT
    ) -> dict[str, ModularPipelineNode]:
        """The tree of namespaces; datasets that are not on top are children of a stage."""
        tree = super().create_modular_pipelines_tree_for_registered_pipeline(registered_pipeline_id)
        nodes = self.nodes.as_dict()
        short = self._short(registered_pipeline_id)
        shown = {
            name: _renamed(box, short).model_copy(update={"children": set(box.children)})
            for name, box in tree.items()
        }
        stages = sorted(child.id for child in tree[ROOT].children if child.id in tree)
        for child in tree[ROOT].children:
            node = nodes.get(child.id)
            if node is None or node.type != GraphNodeType.DATA or _leaf(node.name) in ON_TOP:
                continue
            makers = [stage for stage in stages if child.id in tree[stage].outputs]
            readers = [stage for stage in stages if child.id in tree[stage].inputs]
            if home := next(iter([*makers, *readers]), None):
                shown[ROOT].children.discard(child)
                shown[home].children.add(child)
            # The page draws the inputs and outputs of every folded box.
            for stage in {*makers, *readers}:
                shown[stage].inputs = shown[stage].inputs - {child.id}
                shown[stage].outputs = shown[stage].outputs - {child.id}
        return shown

    def get_nodes_for_registered_pipeline(
        self, registered_pipeline_id: str = DEFAULT
    ) -> list[GraphNode]:
        """The nodes, under short names; their details keep the full ones."""
        nodes = super().get_nodes_for_registered_pipeline(registered_pipeline_id)
        short = self._short(registered_pipeline_id)
        return [_renamed(node, short) for node in nodes]

    def get_sorted_layers_for_registered_pipeline(
        self, registered_pipeline_id: str = DEFAULT
    ) -> list[str]:
        """No layers across folded stages: each of them goes through several."""
        tree = self.modular_pipelines[registered_pipeline_id].as_dict()
        if sum("." not in name for name in tree) > 2:  # the root and more than one stage
            return []
        layers: list[str] = super().get_sorted_layers_for_registered_pipeline(
            registered_pipeline_id
        )
        return layers

    def _short(self, registered_pipeline_id: str) -> Callable[[str], str]:
        nodes = super().get_nodes_for_registered_pipeline(registered_pipeline_id)
        return shortened(node.name for node in nodes if node.type == GraphNodeType.DATA)


N = TypeVar("N", bound=GraphNode)


def _renamed(node: N, short: Callable[[str], str]) -> N:
    """A copy under the name to be shown."""
    name = node.name
    if node.type == GraphNodeType.DATA:
        name = _with_variants(short(name), node)
    elif node.type == GraphNodeType.MODULAR_PIPELINE and "." in name:
        place = _with_variants(short(dataset_place(name)), node)
        stages = [stage for stage in STAGES if stage in node.tags]
        name = f"{place}.{stages[0]}" if len(stages) == 1 and ENCODER in name else place
    return node.model_copy(update={"name": name})


def put_stages_first() -> None:
    """Makes kedro-viz, in this process, serve its graphs in this way."""
    # It warns of folded namespaces that go through layers in a cycle, and draws no layers there.
    logging.getLogger("kedro_viz.services.layers").setLevel(logging.ERROR)
    data_access_manager.__class__ = StagesFirst


def shortened(names: Iterable[str]) -> Callable[[str], str]:
    """A function that drops corpus, K or seed from names of datasets where they have but one.

    K, with the number of annotated rows, is also dropped where the variant or dataset has but one.
    """
    of_samples = [name.split(".") for name in names if name.count(".") >= 3]
    samples = [parts[:3] for parts in of_samples]
    single = [len(set(values)) == 1 for values in zip(*samples, strict=True)]
    corpora = {sample[0] for sample in samples}
    shots: dict[str, set[str]] = {}
    for parts in of_samples:
        shots.setdefault(parts[3], set()).add(parts[1])

    def short(name: str) -> str:
        parts = name.split(".")
        if len(parts) == 2 and parts[0] in corpora and len(corpora) == 1:
            return parts[1]
        if len(parts) < 4:
            return name
        drop = [single[0], single[1] or len(shots.get(parts[3], ())) == 1, single[2]]
        kept = [part for part, same in zip(parts, drop, strict=False) if not same]
        return ".".join([*kept, *parts[3:]])

    return short


def _with_variants(name: str, node: GraphNode) -> str:
    """Names an encoder after the variants that share it, as far as they are in the pipeline."""
    cells = [tag.split(".") for tag in sorted(node.tags) if tag.count(".") == 3]
    variants = dict.fromkeys(cell[3] for cell in cells if not cell[3].startswith(ENCODER))
    return ".".join(
        "+".join(variants) if part.startswith(ENCODER) and variants else part
        for part in name.split(".")
    )


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
