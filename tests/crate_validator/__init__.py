"""The RO-Crate validator of CRS4 as one process that is asked for many crates, and never asks the web."""

import json
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
#: An environment of its own, which `make` builds: the validator wants an older rich than this program.
PYTHON = ROOT / ".venv" / "crate-validator" / "bin" / "python"


@dataclass(frozen=True)
class Issue:
    """What the validator finds wrong with a crate: REQUIRED, RECOMMENDED or OPTIONAL, which check, and in words."""

    severity: str
    check: str
    message: str


class CrateValidator:
    """Starts the process at the first crate and keeps it until it is closed."""

    def __init__(self) -> None:
        context = resources.files("rocrate") / "data" / "ro-crate.jsonld"
        script = Path(__file__).with_name("process.py")
        self._process = subprocess.Popen(
            [str(PYTHON), str(script), str(context)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def issues(self, crate: Path, severity: str = "REQUIRED", profile: str = "ro-crate-1.2") -> list[Issue]:
        """What is wrong with the crate in a folder, at this severity and above."""
        assert self._process.stdin
        assert self._process.stdout
        question = {"crate": str(crate), "severity": severity, "profile": profile}
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the validator ended; what it said is on stderr"
        return [Issue(*one) for one in json.loads(answer)]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
