"""What the options that several commands take say of themselves."""

ENVIRONMENT = "Environment of the configuration, as of kedro run."
SOURCE = "Folder or archive of the configuration, as of kedro run."
PARAMETERS = "Parameters for this once, as of kedro run: a.b=1,c=2."
