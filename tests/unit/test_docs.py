"""The documents say what the program does."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from watcher.cli.app import app
from watcher.cli.main import GROUPS as REGISTERED_GROUPS
from watcher.cli.main import VERBS as REGISTERED
from watcher.errors import Exit
from watcher.formats.families import table
from watcher.model import State

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "watcher" / "ARCHITECTURE.md").read_text(encoding="utf-8")
GROUPS = {
    name: [one.name or getattr(one.callback, "__name__", "") for one in group.registered_commands]
    for name, group in REGISTERED_GROUPS.items()
}
VERBS = ["list" if verb.__name__ == "list_sets" else verb.__name__ for verb in REGISTERED]


def _first_column(text: str, heading: str) -> list[str]:
    """The first cells of the first table after a heading."""
    rows = text.partition(heading)[2].lstrip("\n").partition("\n\n")
    table = (
        rows[0]
        if rows[0].startswith("|")
        else next(p for p in text.partition(heading)[2].split("\n\n") if p.startswith("|"))
    )
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


def test_the_exit_codes_in_the_readme_are_those_of_the_program() -> None:
    assert [int(code) for code in _first_column(README, "## Exit codes")] == [int(code) for code in Exit]


def test_the_states_in_the_architecture_are_those_of_the_program() -> None:
    assert _first_column(ARCHITECTURE, "## The way of an image set") == [str(state) for state in State]


def test_every_module_of_the_first_level_is_in_the_architecture() -> None:
    listed = set(re.findall(r"^      ([\w./]+)\s", ARCHITECTURE, re.MULTILINE))
    there = {p.name + ("/" if p.is_dir() else "") for p in (ROOT / "watcher").iterdir() if not p.name.startswith("__")}
    assert listed == there - {"ARCHITECTURE.md", "HANDOFF.md", "py.typed"}


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "profiles/README.md", "tests/benchmarks/README.md"]
)
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert ((ROOT / document).parent / target).exists(), target


def test_the_readme_names_every_verb_and_no_other() -> None:
    named = set(re.findall(r"(?:`|^ *|Scripts.)irods-watcher ([a-z]+)\b", README, re.MULTILINE))
    assert named == {*VERBS, *GROUPS}


@pytest.mark.parametrize("verb", [*VERBS, *(f"{name} {verb}" for name, verbs in GROUPS.items() for verb in verbs)])
def test_every_verb_explains_itself_with_an_example_that_parses(verb: str) -> None:
    result = CliRunner().invoke(app, [*verb.split(), "--help"])
    assert result.exit_code == 0
    text = " ".join(result.output.replace("irods-\n  watcher", "irods-watcher").split())
    example = text.partition("Example: ")[2]
    assert example.startswith(f"irods-watcher {verb}"), text


def test_the_commands_of_the_readme_work_one_after_the_other(tmp_path: Path) -> None:
    section = README.partition("## Use it")[2].partition("\n## ")[0]
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    commands = [line.strip() for line in blocks.splitlines() if line.strip()]
    assert len(commands) == 7
    for line in commands:
        first, *words = shlex.split(line)
        if words[0] == "run":
            continue  # it does not end; tests/e2e runs it
        program = [sys.executable, "-m", "watcher"] if first == "irods-watcher" else [first]
        result = subprocess.run([*program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=50)
        assert result.returncode == 0, line + result.stdout + result.stderr


def test_what_the_readme_says_of_people_requests_and_sessions_can_be_done_like_that(tmp_path: Path) -> None:
    section = README.partition("## Who made the images")[2].partition("\n## ")[0]
    people, profile = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (tmp_path / "people.yaml").write_text(people)
    head = "instrument: {name: Scope-1}\nwatch: [{path: data, settle: 0s}]\ncomplete: {quiet: 0s}\n"
    (tmp_path / "zone.yaml").write_text(head + "store: {kind: irods, collection: '/zone/{set}'}\n" + profile)
    local = head + "store: {kind: folder, path: archive}\n" + profile.partition("access:")[0]
    (tmp_path / "local.yaml").write_text(local)
    for folder in ("data", "archive"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data" / "a.dat").write_bytes(b"pixels")
    environment = {**os.environ, "IRODS_WATCHER_STATE": str(tmp_path / "state")}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "watcher", *words]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50)
        assert result.returncode == 0, f"{words}{result.stdout}{result.stderr}"
        return result.stdout

    run("validate", "zone.yaml")
    run("once", "local.yaml")
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    made = ""
    for line in block.splitlines():
        said = run(*(made if word == "RQ4F7K2MT" else word for word in shlex.split(line)[1:]))
        made = made or said.split()[0]
    assert "a: resolved: Doe, Jane, operated by Roe, Richard" in said


def test_the_table_of_formats_is_that_of_the_registry() -> None:
    written = README.partition("<!-- formats: python -m watcher.formats.families -->\n")[2]
    assert written.partition("<!-- end of formats -->")[0] == table()
