"""What is shipped in packaging/monitoring: the alerts come when they must, and all speak of metrics that there are."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.metrics.conftest import parsed
from tests.unit.pipeline.conftest import Bench
from watcher.metrics import Metrics
from watcher.pipeline.space import Space

HERE = Path(__file__).resolve().parents[3] / "packaging" / "monitoring"
DASHBOARD = json.loads((HERE / "grafana" / "irods-watcher.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((HERE / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]


@pytest.fixture
def there(bench: Bench) -> set[str]:
    """The names of all samples of a watcher for which everything is known."""
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, handoff={"agent": "omero"})
    bench.write("a.dat")
    bench.finish()
    bench.write("b.dat")
    bench.observe()
    bench.journal.note("heartbeat", 1.0)
    Space([bench.root], bench.journal, bench.clock).round()
    text, _ = Metrics(bench.journal, "scope", now=bench.clock.now).render()
    # The hand-off has samples only while somebody is to be told.
    described = re.findall(rb"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    return {name for name, _ in parsed(text)} | {name.decode() for name in described}


def _named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:irods_watcher|process)_[a-z_]+", text))


def _expressions(dashboard: Any = DASHBOARD) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_every_metric_of_the_alerts_exists(there: set[str]) -> None:
    named = _named((HERE / "alerts.yml").read_text(encoding="utf-8"))
    assert named
    assert named - there == set()
    assert _named((HERE / "alerts.test.yml").read_text(encoding="utf-8")) - there == set()


def test_every_metric_of_the_dashboard_exists(there: set[str]) -> None:
    named = {name for expression in _expressions() for name in _named(expression)}
    assert len(named) > 20
    assert named - there == set()
    assert _named(json.dumps(DASHBOARD["templating"])) == {"irods_watcher_build_info"}


def test_the_description_names_every_metric_and_no_other(there: set[str]) -> None:
    table = (HERE / "README.md").read_text(encoding="utf-8").partition("## What there is")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {f"irods_watcher_{name}" for row in rows for name in re.findall(r"`([a-z_]+)", row)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in there if name.startswith("irods_watcher_")}
    assert named == families


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert "{{ $labels.instrument }}" in rule["annotations"]["summary"]
    assert len(rule["annotations"]["runbook"]) > 40
    assert rule["alert"] in (HERE / "alerts.test.yml").read_text(encoding="utf-8"), "it is tried"


def test_the_alerts_come_when_they_must_and_stay_away_when_they_must(promtool: str) -> None:
    for verb, file in (("check", "alerts.yml"), ("test", "alerts.test.yml")):
        done = subprocess.run([promtool, verb, "rules", file], cwd=HERE, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_alerts_miss_each_that_never_comes(promtool: str, tmp_path: Path) -> None:
    never = [dict(rule, expr=f"({rule['expr']}) and vector(0) > 1") for rule in RULES]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": never}]}))
    (tmp_path / "alerts.test.yml").write_bytes((HERE / "alerts.test.yml").read_bytes())
    command = [promtool, "test", "rules", "alerts.test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert [rule["alert"] for rule in RULES if f'alertname="{rule["alert"]}"' not in said] == []


def test_prometheus_understands_every_expression_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    values = {"$instrument": "scope", "$__rate_interval": "5m"}
    rules = []
    for number, expression in enumerate(_expressions()):
        for variable, said in values.items():
            expression = expression.replace(variable, said)
        assert "$" not in expression, expression
        rules.append({"record": f"panel:{number}", "expr": expression})
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", "panels.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_a_row_for_each_instrument_and_no_two_panels_on_one_place() -> None:
    panels = DASHBOARD["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == ["All instruments", "$instrument"]
    assert [panel.get("repeat") for panel in panels if panel["type"] == "row"] == [None, "instrument"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, "Grafana's grid"
        taken |= cells
    repeated = [
        panel for panel in panels if panel["gridPos"]["y"] > panels[0]["gridPos"]["y"] + 20 and "targets" in panel
    ]
    assert all("$instrument" in target["expr"] for panel in repeated for target in panel["targets"])
