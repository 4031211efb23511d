"""The JSON Schema of a profile, with which editors explain keys and mark mistakes; made from the models.

`python -m watcher.profile.schema` writes it anew after a change to the models.
"""

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from watcher.profile.models import Document

#: The schema as it is installed with the program.
FILE: Final = Path(__file__).with_name("profile.schema.json")


def text(kind: str = "profile", model: type[BaseModel] = Document) -> str:
    """The text of the schema file, or that for another file that people write."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:irods-watcher:{kind}"}
    return json.dumps(head | model.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8", newline="\n")
