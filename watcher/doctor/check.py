"""What a check is and says, and how all are made: each in a thread of its own that is given up after a while."""

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from watcher.errors import DocumentError, Exit, WatcherError
from watcher.overview.language import say
from watcher.profile import Profile
from watcher.stores.base import Session, Store


class Verdict(StrEnum):
    """How a check ended, from good to bad."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was found, in a sentence, and what to do if it is not as it should be."""

    verdict: Verdict
    what: str
    cure: str = ""
    exit_code: Exit = Exit.OK


def fine(what: str) -> Fact:
    """Something is as it should be."""
    return Fact(Verdict.OK, what)


def doubt(what: str, cure: str) -> Fact:
    """Something works and may cause trouble."""
    return Fact(Verdict.WARNING, what, cure)


def wrong(what: str, cure: str, exit_code: Exit = Exit.PARTLY) -> Fact:
    """Something keeps images from being safe."""
    return Fact(Verdict.FAIL, what, cure, exit_code)


def failed(error: WatcherError) -> list[Fact]:
    """What an error of this program says."""
    code = Exit.CONFIGURATION if error.exit_code is Exit.CONFIGURATION else Exit.PARTLY
    if isinstance(error, DocumentError):
        return [wrong(problem, say("mend that line"), code) for problem in error.problems]
    return [wrong(error.what, error.cure, code)]


class Subject:
    """What is examined. What has no value at first is set by the check that finds it out, for those that need it."""

    profile: Profile
    state: Path
    store: Store
    session: Session
    collection: str
    #: The process of the watcher that works with the journal, None if there is none.
    watcher: int | None
    #: Before and after the test set was claimed by this computer's clock, and in between by the store's.
    times: tuple[float, float, float]

    def __init__(
        self,
        path: Path,
        state_of: Callable[[Profile], Path],
        *,
        now: Callable[[], float] = time.time,
        usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
        inotify: Path = Path("/proc/sys/fs/inotify"),
    ) -> None:
        self.path = path
        self.state_of = state_of
        self.now = now
        self.usage = usage
        self.inotify = inotify
        self.at_end: list[Callable[[], object]] = []

    def close(self) -> None:
        """Let go of what was opened, and leave nothing behind."""
        while self.at_end:
            self.at_end.pop()()


@dataclass(frozen=True, slots=True)
class Check:
    """One question: what it is about, who answers it, which others must have gone well, and how long it may take.

    `look` raises WatcherError or OSError for what is wrong, or says it. seconds: it is given up after so many. `idle`
    says why there is nothing to look at here, "" if there is.
    """

    name: str
    title: str
    look: Callable[[Subject], Iterable[Fact]]
    needs: tuple[str, ...] = ()
    seconds: float = 15.0
    idle: Callable[[Subject], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check has found; the worst counts."""

    number: int
    name: str
    title: str
    facts: tuple[Fact, ...]

    @property
    def verdict(self) -> Verdict:
        """How it ended."""
        return max((fact.verdict for fact in self.facts), key=list(Verdict).index)


def examine(subject: Subject, checks: Sequence[Check]) -> Iterator[Result]:
    """The result of each check, as soon as it is there; one that needs another which failed is not made."""
    titles = {check.name: check.title for check in checks}
    lost: set[str] = set()
    try:
        for number, check in enumerate(checks, 1):
            missing = [name for name in check.needs if name in lost]
            if missing:
                what = say("not looked at, because of what is wrong with {what}", what=titles[missing[0]])
                facts = [Fact(Verdict.SKIPPED, what)]
            elif idle := check.idle(subject):
                facts = [Fact(Verdict.SKIPPED, idle)]
            else:
                facts = _within(check, subject)
            result = Result(number, check.name, check.title, tuple(facts))
            if missing or result.verdict is Verdict.FAIL:
                lost.add(check.name)
            yield result
    finally:
        subject.close()


def exit_code(results: Iterable[Result]) -> Exit:
    """0 if nothing is wrong, 78 if it is the profile or what it points to, 3 if something else needs a person."""
    codes = {fact.exit_code for result in results for fact in result.facts if fact.verdict is Verdict.FAIL}
    return Exit.CONFIGURATION if Exit.CONFIGURATION in codes else Exit.PARTLY if codes else Exit.OK


_HANGS: Final = "something does not answer: look at the disk, share or server that this is about"


def _within(check: Check, subject: Subject) -> list[Fact]:
    """What the check finds, or that it takes too long: then its thread is left to itself."""
    found: list[list[Fact]] = []
    # As a daemon, so that a share that hangs does not keep the program from ending.
    thread = threading.Thread(target=lambda: found.append(_looked(check, subject)), name=check.name, daemon=True)
    thread.start()
    thread.join(check.seconds)
    if found:
        return found[0]
    return [wrong(say("no answer within {seconds} s", seconds=f"{check.seconds:g}"), say(_HANGS))]


def _looked(check: Check, subject: Subject) -> list[Fact]:
    facts: list[Fact] = []
    try:
        facts.extend(check.look(subject))
    except WatcherError as error:
        facts += failed(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        facts.append(wrong(f"{where}{error.strerror or error}", say("look at that disk, share or network")))
    except Exception as error:
        what = say("unexpected {kind}: {what}", kind=type(error).__name__, what=error)
        facts.append(wrong(what, say("this is a mistake of the program: please report it"), Exit.UNEXPECTED))
    return facts or [fine(say("nothing to look at"))]
