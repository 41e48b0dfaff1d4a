"""Kedro's settings for this project."""

import logging
import warnings

from omegaconf.resolvers import oc

from tkre.datasets.versions import Catalog
from tkre.project.config_loader import ConfigLoader, Context
from tkre.project.hooks import ProjectHooks

# Nodes of a cell read datasets of its sample and its corpus, nodes of an experiment those of its
# cells: names that begin with another namespace are intended. tkre.core.cells builds them.
warnings.filterwarnings("ignore", message="One or more dataset names contain", category=UserWarning)

# A log that cannot be written (a read-only folder, a full disk) is left out: each line would print
# a traceback. What a command itself must write it refuses in words.
logging.raiseExceptions = False

HOOKS = (ProjectHooks(),)
# Installed beside this project it would open its database in every command, and make one run of a
# whole grid. `kedro results track` makes one of each cell. (With a hyphen it would be ignored.)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)

CONTEXT_CLASS = Context
DATA_CATALOG_CLASS = Catalog
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment that changes one parameter of a group leaves the others as they are.
    "merge_strategy": {"parameters": "soft", "experiments": "soft", "globals": "soft"},
    # Kedro allows environment variables in credentials only; the root of the corpora is one too.
    "custom_resolvers": {"oc.env": oc.env},
    "config_patterns": {
        "experiments": ["experiments*", "experiments*/**", "**/experiments*"],
        "mlflow": ["mlflow*"],
    },
}
