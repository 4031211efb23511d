"""One process: what runs in which thread, when, and how it stops."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from watcher import __version__
from watcher.clock import Clock, SystemClock
from watcher.errors import (
    JournalError,
    StaleSet,
    StoreError,
    StoreUnreachable,
    WatcherError,
    WatchFolderError,
    WrongMount,
)
from watcher.journal import Journal
from watcher.journal.pruning import prune
from watcher.model import UNDER_WAY, ImageSet, Member, State
from watcher.notify import open_channels, open_sinks
from watcher.notify.base import Sink
from watcher.overview import telling
from watcher.pipeline.adopt import Adoption, to_be_adopted
from watcher.pipeline.amend import Amendments
from watcher.pipeline.answers import BETWEEN, Answers
from watcher.pipeline.attribute import Attributor
from watcher.pipeline.audit import Auditor, Place
from watcher.pipeline.auditing import Auditing
from watcher.pipeline.conveyor import Conveyor
from watcher.pipeline.copies import evidence_everywhere
from watcher.pipeline.crew import Crew
from watcher.pipeline.destination import destination_of
from watcher.pipeline.duties import Duties, Duty
from watcher.pipeline.early import Early
from watcher.pipeline.elsewhere import Elsewhere, elsewhere
from watcher.pipeline.handoff import Line
from watcher.pipeline.hearing import Hearing
from watcher.pipeline.hints import Hints
from watcher.pipeline.manners import Manners, acquires
from watcher.pipeline.mirror import Crews, Mirror
from watcher.pipeline.observe import Seen
from watcher.pipeline.orders import Pausing, paused
from watcher.pipeline.patience import SOON
from watcher.pipeline.patrol import Heard, Patrol, deaf
from watcher.pipeline.progress import Progress
from watcher.pipeline.release.duty import Releasing
from watcher.pipeline.sharing import ALONE, Relay, Sharing
from watcher.pipeline.space import Space
from watcher.pipeline.watching import Watching
from watcher.pipeline.way import Listener, Way
from watcher.pipeline.withdraw import Withdrawals
from watcher.profile import MAIN, Profile
from watcher.profile.release import Release
from watcher.provenance.registers import Register, Registers
from watcher.stores import open_store, workers_for
from watcher.stores.base import Store
from watcher.thumbnails.duty import Thumbnails

#: The journal forgets what is old once a day, with pauses so that nobody waits for it.
PRUNE_EVERY = 24 * 3600.0
_BETWEEN_STEPS = 0.01
#: How soon after an event its folder is looked at: instruments write many files a second.
_BREATH = 0.2
_LONGEST_BREATH = 10.0
#: So long is waited at the start for the facility's persons and requests; what comes later counts from then on.
_AT_START = 5.0
#: How soon in seconds it is noticed that a pause is over.
_PAUSE = 2.0


@dataclass(slots=True)
class Round:
    """What `once` did: where it had to stop, and which sets are not safe yet."""

    store_trouble: WatcherError | None = None
    folder_trouble: list[WatcherError] = field(default_factory=list)
    unsafe: list[ImageSet] = field(default_factory=list)


class Daemon:
    """The watcher of one instrument: sweeps and judges in the calling thread, delivers in others.

    Whatever it knows is in the journal; stopping it at any moment loses nothing. `stop` ends it from any thread or
    signal handler.
    """

    def __init__(
        self,
        profile: Profile,
        journal: Journal,
        listener: Listener,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        copies: Mapping[str, Store] | None = None,
        sinks: Sequence[Sink] | None = None,
        trust_times: bool = False,
        heard: Heard = lambda events, lost: None,  # noqa: ARG005 - nobody counts them
    ) -> None:
        self.profile = profile
        self.journal = journal
        self.store = store or open_store(profile)
        self._elsewhere = elsewhere(profile, copies)
        self._sinks = open_sinks(profile) if sinks is None else sinks
        self._channels = open_channels(profile)
        self._clock = clock or SystemClock()
        journal.believe(self._clock.now())
        journal.note("profile", str(profile.source))
        journal.note("watching", {
            "instrument": profile.instrument.name, "folders": [str(watch.path) for watch in profile.watch],
            "version": __version__,
        })  # fmt: skip
        journal.outbox.keep_only(profile.handoff.sinks)
        journal.copies.keep_only([copy.called for copy in profile.copies])
        self._trust_times = trust_times
        self._heard = heard
        self._acquires = acquires(profile, journal, self._clock)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._wall = clock.now if clock else time.time
        self._manners = self._new_manners()
        self._pausing = Pausing(journal, self._clock)
        self._progress = Progress(journal, self._clock)
        self._listener = Hearing(listener, self._stop, self._manners, self._pausing, self._progress, self._note_trouble)
        self.watchings = [
            Watching(
                watch,
                profile,
                journal,
                self.store,
                self._clock,
                trust_times=trust_times,
                stopping=self._stop.is_set,
                held=self._listener.moved,
            )
            for watch in profile.watch
        ]
        self.registers = Registers(profile)
        self.attribute = Attributor(profile, journal, self.registers, self.store.disk)
        self._told_of_registers: set[str] = set()
        self.destinations = {watch.path: destination_of(profile, watch) for watch in profile.watch}

    @property
    def stopping(self) -> bool:
        """Whether the program was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End as soon as that can be done cleanly; a member that is being sent is given up and sent again next time."""
        self._stop.set()
        self._wake.set()

    def check_store(self) -> None:
        """Raise if the store is away, refuses the login, or the collection that all sets go below is missing."""
        used = bool(self.journal.sets.in_states(State.PUBLISHED, State.RELEASED, limit=1))
        for destination in self.destinations.values():
            for base in destination.bases:
                self.store.check(base, used=used)

    def trouble(self, where: str, what: str) -> None:
        """Tell that something is wrong somewhere beside the sets, "" when it is over; each thing once."""
        self._listener.trouble(where, what)

    def run(self, beside: contextlib.AbstractContextManager[object] | None = None) -> None:
        """Watch until `stop`, while `beside` is open, which ends before anything else does.

        Raises ConfigurationError if the store refuses what the profile says at the start.
        """
        self._guard(self.journal.forget_troubles)
        # The first sweep may take long, and the last heartbeat is that of a process before this one.
        self._guard(self._note_heartbeat)
        try:
            self.check_store()
            # Whatever trouble a process before this one has told is over.
            self._guard(lambda: self.journal.note("store", ""))
        except StoreUnreachable as error:
            self._note_store(error)
        except WrongMount:
            raise
        except WatchFolderError as error:
            # A mount may come later than this program; before it is proven nothing is looked at.
            self._listener.trouble("watch", str(error))
        reading = self.registers.reading(self._tell_registers, _AT_START)
        with reading, self._crews() as crews, self._audits() as audits:
            crew = crews.main
            conveyor = self._conveyor(crew, crews.sharing)
            pruning = threading.Thread(target=self._prune, name="prune")
            more: list[Duty] = [self._progress, *crews.mirrors, *audits, *self._pictures()]
            duties = self._duties(crews, BETWEEN, more=more, conveyor=conveyor)
            self._listener.on_published = duties.wake
            conveyor.start(died=self.stop)
            pruning.start()
            duties.start()
            try:
                with beside or contextlib.nullcontext():
                    self._watch(conveyor)
            finally:
                self.stop()
                pruning.join()
                conveyor.wake()
                duties.join()
                conveyor.join()

    def once(self) -> Round:
        """Take everything that is finished now to the store, and say what is not safe yet."""
        result = Round()
        with self.registers.reading(self._tell_registers, _AT_START), self._crews() as crews:
            crew = crews.main
            self._settle(result)
            try:
                if is_paused := paused(self.journal):
                    raise is_paused
                if self.journal.sets.in_states(*UNDER_WAY, limit=1):
                    self.check_store()
                    self.journal.note("store", "")
                Withdrawals(self.journal, crew, self._clock).clear()
                self._drain(self._way(crew, crews.sharing))
            except WatcherError as error:
                result.store_trouble = error
            self._duties(crews, store_answers=result.store_trouble is None).once()
            if result.store_trouble is None:
                self._drain_copies(crews.mirrors)
        result.unsafe = self.journal.sets.in_states(State.GROWING, State.HELD, *UNDER_WAY)
        return result

    def observe(self) -> list[WatcherError]:
        """One sweep of every watched folder and a judgement, without delivering anything; what went wrong."""
        troubles: list[WatcherError] = []
        for watching in self.watchings:
            try:
                self._report(watching, watching.look_everywhere())
                watching.judge()
            except (WatchFolderError, StoreError) as error:
                troubles.append(error)
        return troubles

    def _settle(self, result: Round) -> None:
        """Two looks, far enough apart that a file which is being written shows itself."""
        result.folder_trouble = self.observe()
        settle = max((watch.settle for watch in self.profile.watch), default=0.0)
        growing = self.journal.sets.in_states(State.GROWING, limit=1)
        if growing and settle and not self._clock.wait(settle, self._stop):
            for image_set in self.journal.sets.in_states(State.GROWING):
                with contextlib.suppress(StaleSet):
                    self.journal.sets.change(image_set, retry_at=0.0)
            self.observe()

    def _drain(self, way: Way) -> None:
        tried: set[tuple[str, State]] = set()
        while not self.stopping:
            waiting = [
                one for one in self.journal.sets.in_states(*UNDER_WAY)
                if (one.id, one.state) not in tried and not one.on_hold
            ]  # fmt: skip
            if not waiting:
                return
            for image_set in waiting:
                tried.add((image_set.id, image_set.state))
                self._take_all_steps(way, image_set)

    def _take_all_steps(self, way: Way, image_set: ImageSet | None) -> None:
        while image_set and image_set.state in UNDER_WAY and not self.stopping:
            image_set = way.step(image_set)

    def _tell_registers(self, register: Register) -> None:
        told = {f"registers {where}": what for where, what in register.problems.items()}
        for where in {*self._told_of_registers, *told}:
            self._listener.trouble(where, told.get(where, ""))
        self._told_of_registers = set(told)

    def _drain_copies(self, mirrors: Sequence[Mirror]) -> None:
        """Make every copy that can be made now, however long it takes; its progress ends it if that is asked for."""
        for mirror in mirrors:
            while not self.stopping and (wait := mirror.round()) <= SOON:
                self._clock.wait(wait, self._stop)

    def _crew(self) -> Crew:
        return Crew(self.store, workers_for(self.profile))

    @contextlib.contextmanager
    def _crews(self) -> Iterator[Crews]:
        """The crew of the store, and for each further one what brings sets there, with a crew of its own."""
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(Crew(there.store, there.workers)) for there in self._elsewhere]
            # The last to come is the first to go: what the others still wait for comes from it.
            crew = stack.enter_context(self._crew())
            mirrors, relays = [], []
            for there, other in zip(self._elsewhere, others, strict=True):
                spent = self._listener.spending(self._new_manners())
                trouble = self._listener.trouble
                relays.append(relay := Relay(there, self.journal, other, self._clock, spent, trouble))
                mirrors.append(
                    Mirror(
                        there, self.journal, other, relay, crew, self.store, self._clock,
                        spent=spent, resting=self._resting, stopping=self._stop.is_set, trouble=trouble,
                    )
                )  # fmt: skip
            by_name = {there.name: other for there, other in zip(self._elsewhere, others, strict=True)}
            yield Crews(crew, by_name, mirrors, Sharing(relays))

    def _new_manners(self) -> Manners:
        """The limits of the profile for one store."""
        zone = self.profile.instrument.timezone
        return Manners(
            self.profile.limits,
            ZoneInfo(zone) if zone else None,
            self._clock,
            self._acquires,
            lambda seconds: self._clock.wait(seconds, self._stop),
            # Hours are those of the clock on the wall, also when somebody sets it.
            wall=self._wall,
        )

    def _way(self, crew: Crew, sharing: Sharing) -> Way:
        return Way(
            self.profile, self.journal, self.store, self.destinations, crew, self._clock, self._listener,
            self.attribute, sharing=sharing,
        )  # fmt: skip

    def _conveyor(self, crew: Crew, sharing: Sharing) -> Conveyor:
        way = self._way(crew, sharing)
        early = Early(self.profile, self.journal, self.store, way.sending, self._clock)
        return Conveyor(
            self.profile, self.journal, way, early, crew, self._clock,
            stop=self._stop, resting=self._resting, note_store=self._note_store,
        )  # fmt: skip

    def _resting(self) -> float:
        """Seconds until something may be sent, or until it is to be asked again."""
        return _PAUSE if self._pausing() else self._manners.resting()

    def _duties(
        self,
        crews: Crews,
        between: float = 0.0,
        *,
        store_answers: bool = True,
        more: Sequence[Duty] = (),
        conveyor: Conveyor | None = None,
    ) -> Duties:
        """What is done beside the sets on their way; without the store, only what needs none."""
        duties: list[Duty] = [*more]
        crew = crews.main
        if store_answers:
            duties.append(self._amendments(crew))
        duties += [
            Line(sink, self.journal, self._clock, stopping=self._stop.is_set, trouble=self._listener.trouble)
            for sink in self._sinks
        ]
        if self.profile.handoff.agent and store_answers:
            duties.append(Answers(self.journal, crew, self._clock, between))
        if self.profile.release and store_answers:
            duties.append(self._releasing(crews, self.profile.release))
        if self.store.disk.trusted:
            duties.append(Space([watch.path for watch in self.profile.watch], self.journal, self._clock))
        duties += telling.duties(
            self.profile, self._channels, self.journal, self._clock, self.registers, self.attribute,
            stirred_at=(lambda: max(conveyor.stirred_at, self._progress.sent_at)) if conveyor else None,
            stopping=self._stop.is_set, trouble=self._listener.trouble, wall=self._wall,
        )  # fmt: skip
        return Duties(duties, self._clock, self._stop, self._listener.trouble)

    def _pictures(self) -> list[Duty]:
        """Thumbnails, made while nothing is sent and the instrument does not acquire."""
        if not self.profile.web.enabled:
            return []
        return [Thumbnails(self.journal, self._clock, lambda: self._progress.sending or self._acquires())]

    def _prune(self) -> None:
        """Once a day, a little at a time: let the journal forget what nobody will ask for again."""
        roots = [watch.path for watch in self.profile.watch]
        while not self.stopping:
            with contextlib.suppress(JournalError):  # it is done again tomorrow
                for _ in prune(self.journal.database, self._clock.now(), roots):
                    if self._stop.wait(_BETWEEN_STEPS):
                        return
            self._clock.wait(PRUNE_EVERY, self._stop)

    def amend(self) -> None:
        """Tell the store all that became known of published sets, and end. Raises what concerns the whole store."""
        with self.registers.reading(self._tell_registers, _AT_START), self._crews() as crews:
            amendments = self._amendments(crews.main)
            while amendments.step() and not self.stopping:
                pass
            # Whoever hears of sets hears of this, too.
            self._duties(crews).once()

    def carry_out_releases(self) -> None:
        """Do all that was ordered of local copies, and what is due, and end. Raises WatcherError."""
        if self.profile.release:
            with self._crews() as crews:
                releasing = self._releasing(crews, self.profile.release)
                while releasing.step() and not self.stopping:
                    pass

    def why_not_released(self, sets: Sequence[ImageSet], release: Release) -> Iterator[tuple[ImageSet, list[str]]]:
        """Of each set why its local copy could not go now; its bytes are not read for that."""
        with self._crews() as crews:
            releasing = self._releasing(crews, release)
            for one in sets:
                yield one, releasing.refusals(one)

    def adopt(self, folder: Path) -> Iterator[tuple[ImageSet, str]]:
        """Take over the finished sets in a folder that are in the store already: each, and why not, "" if it was.

        Raises what concerns the whole store, and WatchFolderError.
        """
        self._settle(result := Round())
        for trouble in result.folder_trouble:
            raise trouble
        self.check_store()
        with self.registers.reading(self._tell_registers, _AT_START), self._crew() as crew:
            adoption = Adoption(self.journal, self._way(crew, ALONE), self._clock)
            for one in to_be_adopted(self.journal, folder):
                if self.stopping:
                    return
                yield one, adoption.take_over(one)

    def auditor(self, away: Callable[[str, str], None] | None = None) -> Auditor:
        """Who compares published sets with all stores; to be closed. `away`: see there."""

        def used(place: Elsewhere) -> Callable[[], None]:
            return lambda: place.store.check(place.base, used=self.journal.copies.is_used(place.name))

        places = [Place(MAIN, self.store, self.check_store)]
        places += [Place(there.name, there.store, used(there)) for there in self._elsewhere]

        def tell(name: str, what: str) -> None:
            self._listener.trouble(f"audit in {name}", what and f"copies in {name}: {what}")

        return Auditor(self.journal, places, self._clock, away or tell)

    @contextlib.contextmanager
    def _audits(self) -> Iterator[Sequence[Duty]]:
        """What looks at published sets again, if the profile says so."""
        with contextlib.closing(self.auditor()) as auditor:
            yield [
                Auditing(
                    section, self.journal, self._clock, auditor,
                    resting=self._resting, tell=self._listener.tell, trouble=self._listener.trouble,
                )
                for section in filter(None, [self.profile.audit])
            ]  # fmt: skip

    def _releasing(self, crews: Crews, release: Release) -> Releasing:
        def ask(image_set: ImageSet, members: Sequence[Member]) -> Mapping[str, Sequence[str]]:
            return evidence_everywhere(image_set, members, self.journal, crews.asking)

        return Releasing(
            self.profile, release, self.journal, self._clock, ask,
            acquires=self._acquires, tell=self._listener.trouble, wall=self._wall,
        )  # fmt: skip

    def _amendments(self, crew: Crew) -> Amendments:
        return Amendments(self.profile, self.journal, crew, self.attribute, self.registers, self._clock)

    def _watch(self, conveyor: Conveyor) -> None:
        """The calling thread's part of `run`: events, sweeps, judgements."""
        silent = not self.store.disk.trusted
        hints = [Hints(watching.watch.path, self._wake, silent=silent) for watching in self.watchings]
        patrols = [Patrol(watching, hint, self._heard) for watching, hint in zip(self.watchings, hints, strict=True)]
        try:
            while not self.stopping:
                self._wake.clear()
                begin, worked = self._clock.now(), time.thread_time()
                pause = min(self._guarded(patrol) for patrol in patrols)
                self._listener.trouble("events", deaf(self.watchings, hints))
                self._guard(self._note_heartbeat)
                conveyor.wake()
                looked = self._clock.now()
                # However many events come, looking takes a tenth of a core and a third of the time, and not more.
                breath = max(
                    _BREATH, min(_LONGEST_BREATH, max(9 * (time.thread_time() - worked), 2 * (looked - begin)))
                )
                gather = _BREATH if self._clock.wait(pause, self._wake) else 0.0
                # Counted from the look: what is due must not wait for it once more.
                self._clock.wait(max(gather, looked + breath - self._clock.now()), self._stop)
        finally:
            for hint in hints:
                hint.stop()

    def _guarded(self, patrol: Patrol) -> float:
        """One round of a patrol; seconds until the next, whatever goes wrong."""
        pause = patrol.watching.watch.sweep

        def make_round() -> None:
            nonlocal pause
            pause = patrol.round(self._clock.now(), self._report)

        self._guard(make_round)
        return pause

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something that writes to the journal; a full disk or a missing folder passes, and is told."""
        try:
            work()
        except WatcherError as error:
            if not error.transient:
                raise
            self._listener.trouble("watch", str(error))
        else:
            self._listener.trouble("watch", "")

    def _report(self, watching: Watching, seen: Seen) -> None:
        self.journal.swept(watching.watch.path, self._clock.now(), seen.problems[:20])
        for problem in seen.problems[:20]:
            self._listener.trouble(problem, problem)

    def _note_heartbeat(self) -> None:
        self.journal.note("heartbeat", self._clock.now())
        self.journal.note("pace", asdict(self._manners.pace()))

    def _note_trouble(self, where: str, what: str) -> None:
        # Of a journal that cannot be written nobody can be told through it.
        with contextlib.suppress(JournalError):
            self.journal.trouble(where, what, self._clock.now())

    def _note_store(self, error: WatcherError | None) -> None:
        """Tell of the store's trouble when it begins and when it ends."""
        if self._listener.is_new("store", str(error or "")):
            self._listener.trouble("store", str(error or ""))
            self._guard(lambda: self.journal.note("store", str(error or "")))
