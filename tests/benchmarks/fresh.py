"""The other side of `processes.fresh`: calls one function and writes its result as JSON."""

import importlib
import json
import sys


def main() -> None:
    """Call what the command line names with the arguments on standard input."""
    module, name = sys.argv[1:]
    arguments = json.load(sys.stdin)
    sys.stdout.write(json.dumps(getattr(importlib.import_module(module), name)(*arguments)))


if __name__ == "__main__":
    main()
