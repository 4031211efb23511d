"""The other side of `processes.fresh`: calls one function and writes its result as JSON."""

import contextlib
import importlib
import json
import sys


def main() -> None:
    """Call what the command line names with the arguments on standard input."""
    module, name = sys.argv[1:]
    arguments = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # what the program tells is no result
        result = getattr(importlib.import_module(module), name)(*arguments)
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
