"""Control of a server in another process: a JSON object a line in, a JSON object a line out.

`{"call": "faults.drop", "with": {"api": 676}}` answers `{"result": null}`, or `{"error": "..."}`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TextIO

from .server import IrodsServer


def calls(server: IrodsServer) -> dict[str, Callable[..., Any]]:
    """What may be called, by name."""
    faults = server.faults
    return {
        "faults.drop": faults.drop,
        "faults.stall": faults.stall,
        "faults.slow": faults.slow,
        "faults.error": faults.error,
        "faults.kill_agent": faults.kill_agent,
        "faults.corrupt": faults.corrupt,
        "faults.lie_about_checksums": faults.lie_about_checksums,
        "faults.resource_full": faults.resource_full,
        "faults.resource_down": faults.resource_down,
        "faults.clear": faults.clear,
        "restart": server.restart,
        "stop": server.stop,
        "start": server.start,
        "drop_connections": server.drop_connections,
        "add_user": server.add_user,
        "add_group": server.add_group,
        "add_resource": server.add_resource,
        "make_collection": server.make_collection,
        "register": server.register,
        "environment": server.environment,
        "objects": lambda prefix="/": {path: asdict(item) for path, item in server.objects(prefix).items()},
        "collections": lambda prefix="/": sorted(server.collections(prefix)),
        "avus": server.avus,
        "access": server.access,
        "requests": lambda: [asdict(request) for request in server.requests],
        "reset_requests": server.reset_requests,
        "connections": lambda: server.connections,
    }


def serve_control(server: IrodsServer, commands: TextIO, answers: TextIO) -> None:
    """Carry out commands until there are no more."""
    known = calls(server)
    for line in commands:
        try:
            command = json.loads(line)
            answer = {"result": known[command["call"]](**command.get("with", {}))}
        except (KeyError, TypeError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()
