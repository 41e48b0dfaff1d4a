"""Pictures of the graph for the README and the docs, taken of the site itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tkre.graph.browsing import DRAWN, open_graph

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page


STILL = 1500  # milliseconds after which kedro-viz has moved everything to its place


@dataclass(frozen=True)
class Picture:
    """A view of the graph.

    Attributes:
        name: Of the file.
        query: What of the graph is shown, as in the address of kedro-viz.
        size: In pixels.
        unfolded: Namespaces to unfold, from the outside in.
        hidden: Nodes to leave out, by a click on their eye in the list.
        short: Whether names stand without their namespaces.
    """

    name: str
    query: str
    size: tuple[int, int]
    unfolded: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    short: bool = False


PICTURES = (
    # The default experiment without its datasets, its variants and its report folded. An edge to
    # nearly every node from what reads the corpus, and what only the report reads, would hide it.
    Picture(
        "graph",
        "?pid=__default__&types=nodes&expandAllPipelines=false",
        (1200, 860),
        unfolded=("newsroom", "newsroom.k8", "newsroom.k8.s13"),
        hidden=(
            "read_splits", "merge_accounts", "mark_implicit_test", "score_support", "doubt_support",
        ),
    ),
    # One stage with all of its datasets, by layer.
    Picture(
        "data_generation",
        "?pid=data_generation&types=nodes,datasets&expandAllPipelines=true",
        (1500, 1080),
        short=True,
    ),
)  # fmt: skip


def draw(site: Path, folder: Path) -> Iterator[Path]:
    """Takes the pictures.

    Args:
        site: That ``build_site`` wrote.
        folder: Where to.

    Yields:
        The files, as they are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        with open_graph(site, picture.query, picture.size, short=picture.short) as page:
            for namespace in picture.unfolded:
                unfold(page, namespace)
            for node in picture.hidden:
                hide(page, node)
            page.get_by_label("Hide menu").click()
            page.wait_for_timeout(STILL)
            file = folder / f"{picture.name}.png"
            page.screenshot(path=file, clip=_right_of(page, ".pipeline-toolbar", picture.size))
            yield file


def unfold(page: Page, namespace: str) -> None:
    """Unfolds a namespace in the list on the left, and so in the graph."""
    before = page.locator(DRAWN).count()
    _in_list(page, namespace).locator(".MuiTreeItem-iconContainer").click()
    page.wait_for_timeout(STILL)
    assert page.locator(DRAWN).count() >= before, f"{namespace} has not been unfolded"


def hide(page: Page, node: str) -> None:
    """Leaves a node out of the graph, by its eye in the list on the left."""
    before = page.locator(DRAWN).count()
    item = _in_list(page, node)
    item.hover()
    item.locator("label.toggle-control").click()
    page.wait_for_timeout(STILL)
    assert page.locator(DRAWN).count() == before - 1, f"{node} has not been hidden"


def _in_list(page: Page, name: str) -> Locator:
    return page.locator(".MuiTreeItem-content", has=page.get_by_text(name, exact=True))


def _right_of(page: Page, bar: str, size: tuple[int, int]) -> FloatRect:
    """The part of a window that buttons leave to the graph."""
    box = page.locator(bar).first.bounding_box()
    left = box["x"] + box["width"] if box else 0
    return {"x": left, "y": 0, "width": size[0] - left, "height": size[1]}
