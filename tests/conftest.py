"""What every test can rely on: no thread outlives its test, and where the real microscope files are."""

import gc
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from irods.connection import Connection

from tests.crate_validator import PYTHON, CrateValidator
from tests.integration.rabbitmq import Broker, missing
from tests.irods_server import make_certificate


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: tests that try a part of something large try all of it (`make faults`)."""
    parser.addoption("--long", action="store_true", help="the long form of tests that have one")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, and count it as deselected."""
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


_SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
        if not left:
            return
        time.sleep(0.01)
    pytest.fail(f"threads outlive the test: {', '.join(thread.name for thread in left)}")


@pytest.fixture(autouse=True, scope="session")
def _library_closes_what_it_drops() -> Iterator[None]:
    """python-irodsclient 3.3 drops a broken socket in its finaliser unclosed (connection.py, disconnect).

    The collector may run that in any later test. Only the library's own class is helped: ours must close by itself.
    """
    finalise = Connection.__del__

    def finalise_and_close(connection: Connection) -> None:
        held = getattr(connection, "socket", None)
        finalise(connection)
        if held is not None and type(connection) is Connection:
            held.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "__del__", finalise_and_close)
        yield
        gc.collect()


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the journals, environment or login of whoever runs it."""
    monkeypatch.delenv("IRODS_WATCHER_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real microscope files; a test that needs it is skipped where it is absent, and fails in CI."""
    if not _SAMPLES.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{_SAMPLES}: the samples are required in CI")
        pytest.skip(f"{_SAMPLES}: the real microscope files are not here")
    return _SAMPLES


@pytest.fixture(scope="session")
def crate_validator() -> Iterator[CrateValidator]:
    """The RO-Crate validator, one process for all tests; a crate takes it some five seconds."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON}: the RO-Crate validator is not installed; run `make .venv/.installed-test`")
    with CrateValidator() as validator:
        yield validator


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """RabbitMQ, plain and encrypted; a test that needs it is skipped where it is not installed, and fails in CI."""
    if lacking := missing():
        if os.environ.get("CI"):
            pytest.fail(f"{lacking}, and it is required in CI")
        pytest.skip(lacking)
    folder = tmp_path_factory.mktemp("rabbitmq")
    with Broker(folder, tls=make_certificate(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' tool that checks metrics and rules; what needs it is skipped where it is absent, and fails in CI."""
    found = shutil.which("promtool")
    if found is None:
        lacking = "promtool is not here (Debian: apt-get install prometheus)"
        if os.environ.get("CI"):
            pytest.fail(f"{lacking}, and it is required in CI")
        pytest.skip(lacking)
    return found


@pytest.fixture
def broker(rabbitmq: Broker) -> Iterator[Broker]:
    """The broker without what another test has bound."""
    yield rabbitmq
    rabbitmq.clear()
