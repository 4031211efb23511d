"""The verb for a gateway: a watcher for each profile in a folder."""

import multiprocessing
import signal
import sys
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer

from watcher import names
from watcher.cli.app import VerboseOption
from watcher.clock import SystemClock
from watcher.errors import Exit
from watcher.gateway import Gateway, Start
from watcher.logs.lines import set_up
from watcher.profile import load
from watcher.signals import ended_by_signals

#: Loaded once, for all watchers that are started from then on.
_MODULES: Final = ["watcher.cli.main", "watcher.stores.irods", "watcher.stores.folder"]


def gateway(
    folder: Annotated[Path, typer.Argument(help="The folder of the profiles, one for each instrument.")],
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            envvar="IRODS_WATCHER_STATE",
            help="The folder in which each instrument's journal has its own.",
            show_default=False,
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> int:
    """Watch for many instruments: each profile in a folder has a watcher of its own, until stopped.

    Profiles that come, change or go are noticed.

    Example: irods-watcher gateway /etc/irods-watcher
    """
    set_up(verbose=verbose)
    stop = threading.Event()
    log, told = structlog.get_logger(), dict[str, str]()

    def tell(where: str, what: str) -> None:
        if told.get(where, "") != what:
            told[where] = what
            log.error("trouble", where=where, problem=what) if what else log.info("recovered", where=where)

    with ended_by_signals(stop.set) as came:
        Gateway(folder.absolute(), _starting(state, verbose=verbose), SystemClock(), stop, tell).run()
    log.info("stopped")
    return Exit.INTERRUPTED if signal.SIGINT in came else Exit.OK


def _starting(state: Path | None, *, verbose: bool) -> Start:
    """How a watcher is started: as a copy of a process that has all modules, where the system can; else anew."""
    context: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if sys.platform != "win32":
        context.set_forkserver_preload(_MODULES)

    def start(profile: Path) -> BaseProcess:
        process: BaseProcess = context.Process(target=_watch, args=(profile, state, verbose), name=profile.stem)
        process.start()
        return process

    return start


def _watch(profile: Path, state: Path | None, verbose: bool) -> None:
    import watcher.cli.main  # noqa: F401 - the verbs
    from watcher.cli.app import run_app

    place = ["--state", str(state / names.legal(load(profile).instrument.name))] if state else []
    sys.exit(run_app(["run", str(profile), *place, *(["--verbose"] if verbose else [])]))
