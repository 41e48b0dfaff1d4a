"""The project's parameters, to check what the documentation says of them."""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from tests.conftest import ROOT
from tkre.core.params import Params
from tkre.project.config import ExperimentConfig, ProjectParameters
from tkre.project.config_loader import ConfigLoader
from tkre.settings import CONFIG_LOADER_ARGS


@cache
def loader(env: str | None = None) -> ConfigLoader:
    """What reads ``conf/``."""
    return ConfigLoader(conf_source=str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)


@cache
def config(env: str | None = None) -> ExperimentConfig:
    """The experiments of an environment."""
    return ExperimentConfig(loader(env)["parameters"])


def is_parameter(dotted: str) -> bool:
    """Whether an entry exists; ``<name>``, or any name where names are free, is one."""
    return _is_in(ProjectParameters, dotted.split("."))


def _is_in(annotation: Any, path: list[str]) -> bool:
    if not path:
        return True
    if isinstance(annotation, type) and issubclass(annotation, Params):
        field = annotation.model_fields.get(path[0])
        return field is not None and _is_in(field.annotation, path[1:])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return _is_in(arguments[1], path[1:])
    if origin is Annotated:
        return _is_in(arguments[0], path)
    if origin in (Union, types.UnionType):
        return any(_is_in(argument, path) for argument in arguments)
    return False
