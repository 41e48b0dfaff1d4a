"""Generated inputs for readers, relations.yml, response stores and the service, in bounded time.

    python -m tests.fuzz --inputs 100000 --seconds 1500 --seed 0

Prints the number of inputs, internal tracebacks (errors that no docstring names), silent drops
(rows in that are neither out nor reported), answers with a status of 5xx and requests of over 2 s;
ends with 1 if there is any of them. An input is found again by its target and number.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.targets import Fuzz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=1500, help="stops here, inputs or not")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    fuzz = Fuzz(given.seed)
    fuzz.run(given.inputs, given.seconds)
    sys.stdout.write("\n".join([*fuzz.lines(), ""]))
    sys.exit(bool(fuzz.failures))


if __name__ == "__main__":
    main()
