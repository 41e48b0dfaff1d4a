"""The classifier as a part of other libraries: each module knows one of them."""
