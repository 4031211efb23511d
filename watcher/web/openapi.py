"""The description of /api/v1 (OpenAPI 3.1)."""

from typing import Any


def description(instrument: str) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": instrument, "version": "1"}, "paths": {}}
