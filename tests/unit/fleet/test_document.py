"""fleet.yaml: every mistake with its place and what would be right."""

import re
from pathlib import Path

import pytest
import yaml

from watcher.errors import ConfigurationError, FleetError
from watcher.fleet import document, server
from watcher.fleet.document import Asked, Fleet, Instrument
from watcher.fleet.reception import Reception
from watcher.fleet.register import Register
from watcher.profile import fleet as profiles_fleet

GOOD = """\
name: BioImaging Facility
silent: 10m
secret: {env: FLEET_SECRET}
instruments:
  - {name: LSM980-2, page: "https://lsm980.example/", silent: 1h}
  - {name: STED-1, ask: {url: "https://sted.example:8765/", password: {env: STED_PAGE}}}
"""


def load(folder: Path, text: str) -> Fleet:
    file = folder / "fleet.yaml"
    file.write_text(text, encoding="utf-8")
    return document.load(file)


def test_a_good_file_says_who_reports_and_who_is_asked(tmp_path: Path) -> None:
    fleet = load(tmp_path, GOOD)
    assert [one.name for one in fleet.instruments] == ["LSM980-2", "STED-1"]
    assert [fleet.patience(one) for one in fleet.instruments] == [3600.0, 600.0]
    assert fleet.web.is_local


def test_what_the_readme_says_can_be_written_like_that(tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## All instruments on one page")[2].partition("\n## ")[0]
    fleet, profile = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert [bool(one.ask) for one in load(tmp_path, fleet).instruments] == [False, True]
    assert profiles_fleet.Fleet.model_validate(yaml.safe_load(profile)["fleet"]).every == 60.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("instruments: []\n", "1:14: instruments: this is empty; write for example `instruments: [{name: LSM980-2}]`"),
        ("instruments: [{name: A}]\n",
         "1:14: instruments: A: there is no key that its reports are signed with; write "
         "`secret: {env: FLEET_SECRET}` there, or beside instruments for all"),
        ("secret: {env: A}\ninstruments: [{name: A}, {name: A}]\n",
         "2:14: instruments: A is there twice; each name stands for one instrument"),
        ("secret: {env: A}\ninstruments: [{name: A}, {name: B}, {name: a}]\n",
         "2:14: instruments: a is there twice; each name stands for one instrument"),
        ("secret: {env: A}\ninstruments: [{name: A}]\nweb: {enabled: false, listen: 0.0.0.0}\n",
         "3:6: web: the page is all that this program has; take `enabled: false` out"),
        ("secret: {env: A}\ninstruments: [{name: A}]\nweb: {listen: 0.0.0.0}\n",
         "3:15: web.listen: on 0.0.0.0 other computers reach the page; write a password beside it (or a proxy), or "
         "listen on 127.0.0.1"),
        ("secret: {env: A}\ninstruments: [{name: a/b}]\n",
         "2:22: instruments[0].name: 'a/b': this is not the name of one file or folder; it becomes part of a path, so "
         "write it without /"),
        ("secret: hunter2\ninstruments: [{name: A}]\n",
         "1:9: secret: a secret is never written into the profile; write {env: NAME} or {file: PATH}"),
        ("secret: {env: A}\nsilent: 5\ninstruments: [{name: A}]\n",
         "2:9: silent: 5 has no unit; write 5s for seconds, 5m for minutes, 5h or 5d"),
        ("secret: {env: A}\nsilent: 1s\ninstruments: [{name: A}]\n",
         "2:9: silent: it must be at least 30s and at most 7d"),
        ("secret: {env: A}\ninstruments: [{name: A, page: 'javascript:alert(1)'}]\n",
         "2:31: instruments[0].page: this is no address; write one like https://eln.example.org/exp/4711"),
        ("instruments: [{name: A, ask: {url: 'http://a.example/'}}]\n",
         "1:36: instruments[0].ask.url: http:// to a.example can be read on the way; write https://, or `unencrypted: "
         "a.example` beside it if everybody who could read it may"),
        ("instruments: [{name: A}]\nsecrets: {env: A}\n", "2:1: secrets: there is no such key; did you mean secret?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FleetError) as caught:
        load(tmp_path, text)
    assert problem in [one.removeprefix(f"{tmp_path / 'fleet.yaml'}:") for one in caught.value.problems]


def test_a_key_that_is_none_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SECRET", "hunter2")
    fleet = load(tmp_path, GOOD)
    with pytest.raises(ConfigurationError, match="openssl rand -base64 32") as caught:
        Reception(fleet, Register(fleet, tmp_path / "state", lambda: 0.0), lambda: 0.0)
    assert "hunter2" not in str(caught.value)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    fleet = load(tmp_path, GOOD)
    with pytest.raises(ConfigurationError, match=r"cannot be made .*; give another one with --state"):
        Register(fleet, tmp_path / "fleet.yaml" / "state", lambda: 0.0)


def test_a_certificate_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    for name in ("page.pem", "page.key"):
        (tmp_path / name).write_text("no certificate", encoding="utf-8")
    fleet = load(tmp_path, f"{GOOD}web: {{port: 0, certificate: page.pem, key: page.key}}\n")
    with pytest.raises(ConfigurationError, match="this certificate cannot be used"):
        server.serve(fleet, tmp_path / "state")


@pytest.mark.parametrize("section", [Fleet, Instrument, Asked])
def test_every_key_is_described_with_an_example(section: type[Fleet]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, name
        assert field.examples, name
