"""Run by the Python of the validator's own environment: a question a line on stdin, an answer a line on stdout.

The one argument is the JSON-LD context that stands for that of RO-Crate 1.2: the file of rocrate 0.16 is that of 1.3,
which has all its terms. Whatever else of the web is asked for is an error, so that nothing is validated by chance.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rocrate_validator import models, services
from rocrate_validator.utils import document_loader
from rocrate_validator.utils.http import HttpRequester

CONTEXT = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
ADDRESS = "https://w3id.org/ro/crate/1.2/context"


class Answer:
    """What `requests` would have brought."""

    status_code = 200
    headers = {"Content-Type": "application/ld+json"}  # noqa: RUF012 - never changed

    def json(self) -> Any:
        """The context."""
        return CONTEXT


def fetched(url: str) -> Any:
    """The context, and nothing else."""
    if url != ADDRESS:
        raise AssertionError(f"the validator asked the web for {url}")
    return CONTEXT


def got(self: HttpRequester, url: str, **how: object) -> Answer:
    """The same for what asks with HTTP."""
    fetched(url)
    return Answer()


def validated(question: dict[str, str], cache: str) -> list[tuple[str, str, str]]:
    """The issues of one crate."""
    settings = services.ValidationSettings(
        rocrate_uri=question["crate"],
        profile_identifier=question["profile"],
        requirement_severity=models.Severity[question["severity"]],
        offline=True,
        cache_path=cache,
    )
    result = services.validate(settings)
    return [(issue.severity.name, issue.check.identifier, str(issue.message)) for issue in result.get_issues()]


def main() -> None:
    """Answer until stdin ends."""
    document_loader._fetch_json_ld = fetched
    HttpRequester.get = got
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever the validator prints is no answer
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            print(json.dumps(validated(json.loads(line), f"{folder}/cache")), file=answers, flush=True)


main()
