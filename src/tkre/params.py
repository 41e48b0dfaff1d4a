"""What every parameter group has in common; the groups themselves live beside what they steer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

# Who wrote the knowledge of a cell, where that is not an entry of ``generation.writers``: the model
# of ``generation.language_model``; nobody. Words, since an empty text in a CSV file is read back
# as a missing value, which groups of rows leave out.
DEFAULT_WRITER, NO_WRITER = "default", "none"


class Params(BaseModel):
    """A group of parameters: immutable, and a name it does not know is an error.

    Kedro builds these from ``conf/`` before a run starts, because node functions name them in
    their signatures; so a misspelt or impossible value stops the run before anything happens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
