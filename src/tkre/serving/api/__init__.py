"""The classifier as an HTTP service (extra ``serve``); Kedro is not needed."""
