"""When is an image set finished? Small rules, joined with & and |, that also say what they still wait for."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from wcmatch import fnmatch, glob

from watcher.profile import Complete, Watch

_GLOB = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX | glob.IGNORECASE
_NAME = fnmatch.BRACE | fnmatch.FORCEUNIX | fnmatch.IGNORECASE


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a growing set at one moment.

    quiet_for: seconds since one of its files was last new or different. companions: the paths, relative to the set's
    folder, among which a marker may be found. missing: the members that the set lists and that are not there.
    problems: what is wrong with the structure, if it was looked at.
    """

    name: str
    quiet_for: float
    companions: Sequence[str]
    missing: Sequence[str] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a rule is met, by what (for `acq:completion_rule`), and what it waits for in plain words."""

    met: bool
    by: str = ""
    waits_for: tuple[str, ...] = ()


class Rule(ABC):
    """One condition; `a & b` asks for both, `a | b` for either."""

    @abstractmethod
    def __call__(self, situation: Situation) -> Verdict:
        """Judge the situation."""

    def __and__(self, other: "Rule") -> "Rule":
        return _All((self, other))

    def __or__(self, other: "Rule") -> "Rule":
        return _Any((self, other))


@dataclass(frozen=True, slots=True)
class _All(Rule):
    rules: tuple[Rule, ...]

    def __call__(self, situation: Situation) -> Verdict:
        verdicts = [rule(situation) for rule in self.rules]
        waits = tuple(text for verdict in verdicts if not verdict.met for text in verdict.waits_for)
        return Verdict(all(v.met for v in verdicts), " & ".join(v.by for v in verdicts if v.by), waits)


@dataclass(frozen=True, slots=True)
class _Any(Rule):
    rules: tuple[Rule, ...]

    def __call__(self, situation: Situation) -> Verdict:
        verdicts = [rule(situation) for rule in self.rules]
        for verdict in verdicts:
            if verdict.met:
                return verdict
        return Verdict(False, "", tuple(text for verdict in verdicts for text in verdict.waits_for))


@dataclass(frozen=True, slots=True)
class Quiet(Rule):
    """None of the files changed for some seconds."""

    seconds: float

    def __call__(self, situation: Situation) -> Verdict:
        left = self.seconds - situation.quiet_for
        waits = () if left <= 0 else (f"no change for {self.seconds:g} s ({left:.0f} s left)",)
        return Verdict(left <= 0, f"quiet:{self.seconds:g}s", waits)


@dataclass(frozen=True, slots=True)
class Marker(Rule):
    """A file is there that the instrument writes last."""

    pattern: str

    def __call__(self, situation: Situation) -> Verdict:
        found = glob.globfilter(situation.companions, self.pattern, flags=_GLOB)
        if not found:
            found = [path for path in situation.companions if fnmatch.fnmatch(path, self.pattern, flags=_NAME)]
        return Verdict(bool(found), f"marker:{self.pattern}", (f"the marker file {self.pattern}",))


@dataclass(frozen=True, slots=True)
class Listed(Rule):
    """All files are there that the set's own files name as its members."""

    def __call__(self, situation: Situation) -> Verdict:
        waits = tuple(f"the missing file {name}" for name in situation.missing)
        return Verdict(not waits, "listed-members", waits)


@dataclass(frozen=True, slots=True)
class Named(Rule):
    """The set has the name of a finished run."""

    pattern: str

    def __call__(self, situation: Situation) -> Verdict:
        met = fnmatch.fnmatch(situation.name, self.pattern, flags=_NAME)
        return Verdict(met, f"name:{self.pattern}", (f"a name like {self.pattern}",))


@dataclass(frozen=True, slots=True)
class Sound(Rule):
    """The structure of the files, where it was looked at, has no fault."""

    def __call__(self, situation: Situation) -> Verdict:
        return Verdict(not situation.problems, "", tuple(situation.problems))


@dataclass(frozen=True, slots=True)
class Deadline(Rule):
    """Nothing has changed for so long that nothing more is to be expected.

    It counts from the last change: an acquisition that runs for days is not broken.
    """

    seconds: float

    def __call__(self, situation: Situation) -> Verdict:
        return Verdict(situation.quiet_for >= self.seconds, f"deadline:{self.seconds:g}s")


def whole_rule(profile: Complete, watch: Watch) -> Rule:
    """The profile's rule for a set of which nothing is missing.

    A marker or a name of a finished run says that the instrument is done; then the files need only have settled.
    """
    signals: list[Rule] = [Marker(profile.marker)] if profile.marker else []
    if profile.name:
        signals.append(Named(profile.name))
    rule: Rule = Quiet(watch.settle if signals else max(profile.quiet, watch.settle))
    for signal in signals:
        rule = rule & signal
    return rule & Listed() & Sound()
