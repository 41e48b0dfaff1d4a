"""The Kedro pipelines: which function makes which dataset from which."""
