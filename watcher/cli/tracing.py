"""The verb `observe`: what an instrument's software does during a test acquisition, and a profile that fits it."""

import re
import textwrap
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher import names, osfacts
from watcher.cli.app import JsonOption, complain_plainly, say
from watcher.clock import Clock, SystemClock
from watcher.errors import Exit, NameRefused, UsageError
from watcher.overview import records
from watcher.overview.words import amount, files, when
from watcher.pipeline.proposal import FoundSet, Proposal, propose, shown, spell
from watcher.pipeline.trace import Kind, Line, Story, Trace, look
from watcher.profile import schema, units
from watcher.profile.sample import quoted
from watcher.signals import ended_by_signals

_DAY = 86400.0


def observe(
    path: Annotated[Path, typer.Argument(help="The folder that the instrument writes to.", show_default=False)],
    for_: Annotated[str, typer.Option("--for", help="How long, as in 10m; else until Ctrl-C.")] = "",
    every: Annotated[str, typer.Option(help="How often to look.")] = "1s",
    until_quiet: Annotated[str, typer.Option(help="End when nothing has changed for so long.")] = "",
    instrument: Annotated[str, typer.Option(help="The instrument's name in the profile.")] = "my-microscope",
    profile_out: Annotated[Path | None, typer.Option(help="Write the profile there.", show_default=False)] = None,
    json: JsonOption = False,
) -> int:
    """Watch a test acquisition and propose a profile.

    Start it, acquire as usual, and press Ctrl-C when the acquisition is over and its files have come to rest. It only
    looks; at the end the formats look into the new files. Exit code 5: nothing was written meanwhile.

    Example: irods-watcher observe D:/Data --for 10m
    """
    root = path.absolute()
    _check(root, instrument, profile_out)
    times = {name: _seconds(name, text) for name, text in (("--for", for_), ("--until-quiet", until_quiet)) if text}
    if (interval := _seconds("--every", every)) < 1:
        raise UsageError("--every: it must be at least 1s")
    osfacts.lower_priority()
    stop = threading.Event()
    with ended_by_signals(stop.set):
        until = "until Ctrl-C" + (f", {spell(times['--for'])} at most" if "--for" in times else "")
        complain_plainly(f"Observing {root} {until}. Start the acquisition now.")
        trace = record(
            root, SystemClock(), stop, interval, times.get("--for"), times.get("--until-quiet"), live=not json
        )
    proposal = propose(trace, root)
    text = profile_text(proposal, trace, root, instrument)
    if json:
        records.emit(**as_record(trace, proposal, text))
    else:
        say("\n".join([*timeline(trace), "", *map(_told, proposal.sets), "", text.rstrip()]))
    if not trace.lines:
        complain_plainly("Nothing changed meanwhile, so there is nothing to base a profile on.")
        return Exit.TRY_LATER
    if profile_out:
        _write(profile_out, text)
    return Exit.OK


def record(
    root: Path,
    clock: Clock,
    stop: threading.Event,
    every: float,
    limit: float | None,
    quiet: float | None,
    *,
    live: bool,
) -> Trace:
    """Look again and again until somebody stops it, the time is over, or nothing has changed for long."""
    trace = Trace()
    trace.add(look(root, clock.now()))
    told = 0
    while not stop.is_set():
        now = clock.now()
        left = every if limit is None else min(every, trace.started + limit - now)
        if left <= 0 or (quiet and trace.last_change and now - trace.last_change >= quiet):
            break
        # However large the folder is, at least half of the time is left to the instrument's disk.
        clock.wait(max(left, now - trace.at), stop)
        trace.add(look(root, clock.now()))
        for line in list(trace.lines.values())[told:] if live else ():
            complain_plainly(f"  {_at(trace, line.first)}  {line.kind}: {shown(line.names)}")
        told = len(trace.lines)
    return trace


def timeline(trace: Trace) -> list[str]:
    """One line for each thing that happened to names of one kind."""
    lines = [f"{when(trace.started)}: {files(trace.there_before)} before; looked {trace.looks} times."]
    for line in sorted(trace.lines.values(), key=lambda one: (one.first, one.last)):
        span = _at(trace, line.first) + (f" - {_at(trace, line.last)}" if line.last > line.first else "")
        lines.append(f"  {span:15}  {line.kind:14}  {_counted(line):32}  {shown(line.names)}")
    if trace.last_change is not None:
        rest = spell(trace.at - trace.last_change)
        lines.append(f"  {_at(trace, trace.last_change):15}  the last change; then {rest} of rest until the end")
    return lines


def profile_text(proposal: Proposal, trace: Trace, root: Path, instrument: str) -> str:
    """The proposal as a profile, with its reasons as comments."""
    seen = ", ".join(sorted({one.group.format or "not known" for one in proposal.sets})) or "none"
    head = f"Proposed by `irods-watcher observe` from what was seen in {shown(str(root))} on {when(trace.started)}, "
    head += f"for {spell(trace.at - trace.started)}. Sets: {len(proposal.sets)}; formats: {seen}. "
    lines = [
        f"# yaml-language-server: $schema={schema.FILE.as_uri()}",
        *_comment(head + "Look through it, and say in `store` where the sets are to go.", 0),
        *(line for remark in proposal.remarks for line in _comment(f"Note: {remark}", 0)),
        *("", "instrument:", f"  name: {quoted(instrument)}", "", "watch:", f"  - path: {quoted(str(root))}"),
    ]
    if proposal.exclude:
        for one in proposal.exclude:
            lines += _comment(f"{one.value}: {one.reason}", 4)
        lines.append(f"    exclude: [{', '.join(quoted(one.value) for one in proposal.exclude)}]")
    if proposal.capture:
        lines.append(f"    capture: {quoted(proposal.capture)}")
    lines += [*_comment(proposal.settle.reason, 4), f"    settle: {proposal.settle.value}"]
    lines += ["", "sets:", *_comment(proposal.group.reason), f"  group: {proposal.group.value}", "", "complete:"]
    quiet = proposal.quiet.reason
    if proposal.marker:
        lines += [*_comment(proposal.marker.reason), f"  marker: {quoted(proposal.marker.value)}"]
        quiet = f"Counts only without the marker. {quiet}"
    lines += [*_comment(quiet), f"  quiet: {proposal.quiet.value}"]
    if (deadline := 4 * units.seconds(proposal.quiet.value)) > _DAY:
        lines.append(f"  deadline: {deadline / 3600:.0f}h")
    where = "Nothing was seen that says where sets are to go: put your own store here."
    return "\n".join([*lines, "", "store:", *_comment(where), "  kind: folder", "  path: archive", ""])


def as_record(trace: Trace, proposal: Proposal, text: str) -> dict[str, Any]:
    """All that is known, for programs; times are seconds since 1970."""
    chosen = {"group": proposal.group, "settle": proposal.settle, "quiet": proposal.quiet, "marker": proposal.marker}
    return {
        "started": trace.started,
        "ended": trace.at,
        "looks": trace.looks,
        "longest_look": trace.longest_look,
        "files_before": trace.there_before,
        "overlooked": trace.overlooked,
        "last_change": trace.last_change,
        "timeline": [
            {"kind": one.kind, "names": one.names, "first": one.first, "last": one.last, "files": one.files,
             "times": one.times, "grown": one.grown} for one in trace.lines.values()
        ],
        "files": [_file_record(story) for story in trace.stories.values()],
        "sets": [
            {"name": one.group.name, "format": one.group.format, "grouped_by": one.group.grouped_by,
             "begun": one.begun, "ended": one.ended, "longest_pause": one.pause,
             "members": [story.path for story in one.stories]} for one in proposal.sets
        ],
        "choices": {key: {"value": one.value, "reason": one.reason} for key, one in chosen.items() if one},
        "exclude": [{"value": one.value, "reason": one.reason} for one in proposal.exclude],
        "remarks": list(proposal.remarks),
        "profile": text,
    }  # fmt: skip


def _file_record(story: Story) -> dict[str, Any]:
    return {
        "path": story.path, "bytes": story.facts.size, "there_before": story.there_before, "appeared": story.born,
        "quiet_since": story.changed_at, "gone_at": story.gone_at, "preallocated": story.preallocated,
        "earlier_names": [one.old for one in story.names], "times": {str(k): n for k, n in story.times.items()},
        "events": [{"at": one.at, "kind": one.kind, "path": one.path, "bytes": one.size} for one in story.events],
    }  # fmt: skip


def _told(one: FoundSet) -> str:
    first, last = (shown(story.path) for story in (one.stories[0], one.stories[-1]))
    which = f"first {first}, last {last}" if len(one.stories) > 1 else first
    text = f"{shown(one.group.name)}: {files(len(one.stories))}, {one.group.format or 'format not known'}; written for "
    return f"{text}{spell(one.ended - one.begun)}, longest pause {spell(one.pause)}; {which}"


def _counted(line: Line) -> str:
    if line.kind in (Kind.FOLDER, Kind.FOLDER_GONE):
        return f"{line.times} x"
    if line.files == line.times:
        return files(line.files)
    what = f"{files(line.files)}, {line.times} times"
    return f"{what}, by {amount(line.grown)}" if line.kind is Kind.GREW else what


def _at(trace: Trace, at: float) -> str:
    minutes, seconds = divmod(int(at - trace.started), 60)
    return f"{minutes}:{seconds:02d}"


def _comment(text: str, indent: int = 2) -> list[str]:
    lines = textwrap.wrap(text, 112 - indent, break_long_words=False, break_on_hyphens=False)
    return [f"{' ' * indent}# {line}" for line in lines]


def _seconds(option: str, text: str) -> float:
    try:
        return units.seconds(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", cure="") from None


def _check(root: Path, instrument: str, profile_out: Path | None) -> None:
    """Refuse before the acquisition what would fail after it."""
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such folder", cure="give the folder that the instrument writes to")
    if re.search(r"[\x00-\x1f\ud800-\udfff]", str(root)):
        raise UsageError(f"{root}: a profile cannot hold this name", cure="observe a folder above it, or rename it")
    try:
        names.check(instrument)
    except NameRefused as error:
        raise UsageError(f"--instrument: {error.what}", cure="give a short name without /") from None
    if profile_out and profile_out.exists():
        raise UsageError(f"{profile_out}: it is there already", cure="choose another name, or remove it first")
    if profile_out and profile_out.absolute().is_relative_to(root):
        raise UsageError(f"{profile_out}: it lies in the observed folder", cure="choose another place")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror})", cure="choose another place") from None
    complain_plainly(f"{path} is written. Next: look through it, then `irods-watcher validate {path}`.")
