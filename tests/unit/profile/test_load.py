"""Reading a whole profile: what comes out, and what a person is told who got it wrong."""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from watcher.errors import ConfigurationError, ProfileError
from watcher.profile import FolderStore, IrodsStore, Profile, Secret, Watch, load
from watcher.profile.limits import WHOLE_DAY, Acquiring, Limits

MINIMAL = 'instrument: {name: LSM}\nwatch: [{path: data}]\nstore: {kind: irods, collection: "/zone/{set}"}\n'


def read(folder: Path, text: str | bytes) -> Profile:
    file = folder / "lab.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file)


def refused(folder: Path, text: str) -> list[str]:
    """The problems in a profile, without the name of its file."""
    with pytest.raises(ProfileError) as caught:
        read(folder, text)
    return [problem.removeprefix(f"{folder / 'lab.yaml'}:") for problem in caught.value.problems]


def test_little_is_needed_and_the_rest_has_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    profile = read(tmp_path, MINIMAL)
    assert profile.instrument.name == "LSM"
    assert profile.watch == (Watch(path=tmp_path / "data"),)
    watch = profile.watch[0]
    assert (watch.include, watch.exclude, watch.capture, watch.settle, watch.sweep) == (("**",), (), "", 20.0, 60.0)
    assert (profile.sets.formats, profile.sets.group) == (None, "auto")
    complete = profile.complete
    assert (complete.quiet, complete.deadline, complete.incomplete) == (120.0, 86400.0, "hold")
    assert (complete.marker, complete.name, complete.early) == (None, None, True)
    assert profile.watch[0].priority == 0
    assert profile.limits == Limits(rate=None, rate_while_acquiring=None, hours=WHOLE_DAY, acquiring=None)
    assert profile.store == IrodsStore(
        kind="irods",
        collection="/zone/{set}",
        environment=tmp_path / "home" / ".irods" / "irods_environment.json",
        password=None,
        resource=None,
        connections=4,
    )
    assert profile.source == tmp_path / "lab.yaml"
    assert profile.digest == hashlib.sha256(MINIMAL.encode()).hexdigest()


def test_everything_can_be_said(tmp_path: Path) -> None:
    profile = read(
        tmp_path,
        """\
instrument: {name: LSM980-2, manufacturer: Zeiss, model: 980, serial: 0123, pid: x, timezone: Europe/Amsterdam}
watch:
  - {path: data, include: ["**/*.czi"], exclude: ["a/**"], capture: "{group}/{user}/", settle: 0s, sweep: 1h30m}
  - {path: more, capture: "{group}/{user}/", priority: -7}
sets: {formats: [ome-tiff], group: stem}
complete: {quiet: 5m, marker: "*.done", name: "*_final*", deadline: 7d, incomplete: deliver, early: false}
store: {kind: folder, path: archive, collection: "{year}/{group}/{user}/{set}"}
limits:
  {rate: 80MB/s, rate_while_acquiring: 1.5MiB/s, hours: ["20:00-06:00", 12:00-24:00], acquiring: {process: ZEN.exe}}
""",
    )
    assert (profile.limits.rate, profile.limits.rate_while_acquiring) == (80e6, 1.5 * 1024**2)
    assert profile.limits.hours == ((1200, 360), (720, 1440))
    assert profile.limits.acquiring == Acquiring(process="ZEN.exe")
    assert (profile.watch[1].priority, profile.complete.early) == (-7, False)
    assert (profile.instrument.model, profile.instrument.serial) == ("980", "0123")
    assert (profile.watch[0].settle, profile.watch[0].sweep) == (0.0, 5400.0)
    assert (profile.sets.formats, profile.sets.group) == (("ome-tiff",), "stem")
    assert (profile.complete.name, profile.complete.deadline) == ("*_final*", 604800.0)
    assert profile.store == FolderStore(
        kind="folder", path=tmp_path / "archive", collection="{year}/{group}/{user}/{set}"
    )


def test_a_folder_store_has_a_collection_of_its_own_accord(tmp_path: Path) -> None:
    profile = read(tmp_path, "instrument: {name: a}\nwatch: [{path: a}]\nstore: {kind: folder, path: b}\n")
    assert profile.store.collection == "{instrument}/{folder}/{set}"


def test_paths_start_at_the_profile_or_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "lab.yaml").write_text(MINIMAL.replace("{path: data}", "{path: ~/d}, {path: ../e}"))
    monkeypatch.chdir(tmp_path)
    profile = load(Path("conf/lab.yaml"))
    assert [watch.path for watch in profile.watch] == [tmp_path / "d", tmp_path / "conf" / ".." / "e"]
    assert profile.source == tmp_path / "conf" / "lab.yaml"


def test_environment_variables_are_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NAME", "LSM")
    monkeypatch.setenv("LAB_EMPTY", "")
    monkeypatch.delenv("LAB_UNSET", raising=False)
    profile = read(
        tmp_path,
        'instrument: {name: "${LAB_NAME}-${LAB_UNSET:-2}", model: "a${LAB_EMPTY}b", serial: "$${LAB_NAME} $5"}\n'
        'watch: [{path: "/${LAB_EMPTY:-data}", settle: "${LAB_UNSET:-3s}"}]\n'
        'store: {kind: irods, collection: "/zone/${LAB_NAME}/{set}", resource: "r${LAB_UNSET:-}"}\n',
    )
    instrument = profile.instrument
    assert (instrument.name, instrument.model, instrument.serial) == ("LSM-2", "ab", "${LAB_NAME} $5")
    assert (profile.watch[0].path, profile.watch[0].settle) == (Path("/data").absolute(), 3.0)
    assert profile.store.collection == "/zone/LSM/{set}"


def test_an_unset_variable_is_told_at_its_place_with_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_UNSET", raising=False)
    text = MINIMAL.replace("LSM", "'${LAB_UNSET}'").replace("path: data", "path: '${a b}', settle: '${LAB_UNSET}'")
    assert refused(tmp_path, text + "complete: {quiet: 5}\n") == [
        "1:20: instrument.name: the environment variable LAB_UNSET is not set; set it, or write ${LAB_UNSET:-default}",
        "2:16: watch[0].path: after ${ stands a name and }, as in ${NAME} or ${NAME:-default}; "
        "write $${ for a plain ${",
        "2:34: watch[0].settle: the environment variable LAB_UNSET is not set; set it, or write ${LAB_UNSET:-default}",
        "4:19: complete.quiet: 5 has no unit; write 5s for seconds, 5m for minutes, 5h or 5d",
    ]
    assert refused(tmp_path, MINIMAL.replace("LSM", "'${LAB_UNSET}'")) == [
        "1:20: instrument.name: the environment variable LAB_UNSET is not set; set it, or write ${LAB_UNSET:-default}"
    ]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
instrument: {nam: LSM, model: true}
watch:
  - path: data
    capture: "{group}/{usr"
    settle: 20
    sweep: 22:00
    quiet: 3s
  - include: "*.czi"
complete: {deadline: , incomplete: holt}
copies: []
store: {kind: irods, collection: zone/x, connections: 04}
"""
    assert refused(tmp_path, text) == [
        "1:13: instrument.name: this is missing; write for example `name: LSM980-2`",
        "1:14: instrument.nam: there is no such key; did you mean name?",
        "1:31: instrument.model: this must be text, in quotes if it looks like something else; "
        "write for example `model: LSM 980`",
        "4:14: watch[0].capture: a brace is open or left over; write fields like {user}, and {{ or }} for a brace",
        "5:13: watch[0].settle: 20 has no unit; write 20s for seconds, 20m for minutes, 20h or 20d",
        "6:12: watch[0].sweep: '22:00' is not a duration; write one like 20s, 2m, 1h30m or 7d",
        "7:5: watch[0].quiet: there is no such key here; it belongs under complete",
        "8:5: watch[1].path: this is missing; write for example `path: 'D:/Data'`",
        "8:14: watch[1].include: this must be a list; write for example `include: ['**/*.czi']`",
        "9:21: complete.deadline: there is nothing here; write for example `deadline: 24h`",
        "9:36: complete.incomplete: 'holt' is none of 'hold' or 'deliver'",
        "11:34: store.collection: its last part must hold {set}, so that each set has a collection of its own",
        "11:55: store.connections: '04' is not a whole number (no quotes, no zeros before it); "
        "write for example `connections: 4`",
    ]


KEYS = (
    "instrument, watch, sets, complete, store, people, access, metadata, limits, handoff, notify, fleet, web, "
    "copies, release, audit"
)
INSTRUMENT, WATCH, STORE = MINIMAL.splitlines(keepends=True)
EXAMPLE_STORE = "`store: {kind: irods, collection: '/zone/home/facility/{instrument}/{set}'}`"
EXAMPLE_WATCH = "`watch: [{path: 'D:/Data'}]`"


def store(rest: str) -> str:
    return INSTRUMENT + WATCH + f'store: {{kind: irods, collection: "/zone/{{set}}", {rest}}}\n'


def limits(rest: str) -> str:
    return MINIMAL + f"limits: {{{rest}}}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: this is no profile: it needs the keys instrument, watch and store"),
        ("- a\n", "1:1: this is no profile: it needs the keys instrument, watch and store"),
        ("a: [\n", "2:1: the file ends within brackets that are never closed"),
        (WATCH + STORE, "1:1: instrument: this is missing; write for example `instrument: {name: LSM980-2}`"),
        (INSTRUMENT + STORE, f"1:1: watch: this is missing; write for example {EXAMPLE_WATCH}"),
        (INSTRUMENT + WATCH, f"1:1: store: this is missing; write for example {EXAMPLE_STORE}"),
        (
            "instrument: LSM\n" + WATCH + STORE,
            "1:13: instrument: this must be keys with values; write for example `instrument: {name: LSM980-2}`",
        ),
        (
            "instrument:\n" + WATCH + STORE,
            "1:12: instrument: there is nothing here; write for example `instrument: {name: LSM980-2}`",
        ),
        (
            MINIMAL.replace("LSM", "a/b"),
            "1:20: instrument.name: 'a/b': this is not the name of one file or folder; "
            "it becomes part of a path, so write it without /",
        ),
        (MINIMAL.replace("LSM", '""'), "1:20: instrument.name: this is empty; write for example `name: LSM980-2`"),
        (
            MINIMAL.replace("LSM", "LSM, timezone: Europe/Amsterdm"),
            "1:35: instrument.timezone: 'Europe/Amsterdm' is not a time zone; did you mean Europe/Amsterdam?",
        ),
        (
            MINIMAL.replace("LSM", "LSM, timezone: ../../x"),
            "1:35: instrument.timezone: '../../x' is not a time zone; write one like Europe/Amsterdam",
        ),
        (INSTRUMENT + "watch: []\n" + STORE, f"2:8: watch: this is empty; write for example {EXAMPLE_WATCH}"),
        (
            INSTRUMENT + "watch: {path: a}\n" + STORE,
            f"2:8: watch: this must be a list; write for example {EXAMPLE_WATCH}",
        ),
        (
            INSTRUMENT + "watch: [D:/Data]\n" + STORE,
            f"2:9: watch[0]: this must be keys with values; write for example {EXAMPLE_WATCH}",
        ),
        (MINIMAL.replace("data", '""'), "2:16: watch[0].path: it is empty; write a path"),
        (
            MINIMAL.replace("data", "~"),
            "2:16: watch[0].path: there is nothing here; write for example `path: 'D:/Data'`",
        ),
        (
            MINIMAL.replace("data", "7"),
            "2:16: watch[0].path: this must be text, in quotes if it looks like something else; "
            "write for example `path: 'D:/Data'`",
        ),
        (
            MINIMAL.replace("data", '"D:\\temp"'),
            '2:16: watch[0].path: "\\t" and "\\n" in double quotes are a tab and a line end; '
            "write / instead of \\ in paths",
        ),
        (
            MINIMAL.replace("data", "~no-such-user-here/data"),
            "2:16: watch[0].path: ~no-such-user-here/data: the home folder is not known here; write the whole path",
        ),
        (
            MINIMAL.replace("data", "data, include: []"),
            "2:31: watch[0].include: this is empty; write for example `include: ['**/*.czi']`",
        ),
        (
            MINIMAL.replace("data", "data, include: ['**\\*.czi']"),
            "2:32: watch[0].include[0]: **\\*.czi: in patterns folders are parted with / on Windows too; "
            "write / instead of \\",
        ),
        (
            MINIMAL.replace("data", "data, capture: '{set}/'"),
            "2:31: watch[0].capture: {set} is known without any folder; give this field another name",
        ),
        (
            MINIMAL.replace("data", "data, setle: 3s"),
            "2:22: watch[0].setle: there is no such key; did you mean settle?",
        ),
        (
            MINIMAL + "sets: {formats: []}\n",
            "4:17: sets.formats: this is empty; write for example `formats: [ome-tiff]`",
        ),
        (
            MINIMAL + "sets: {group: files}\n",
            "4:15: sets.group: 'files' is none of 'auto', 'file', 'directory' or 'stem'",
        ),
        (
            MINIMAL + "zzz: 1\n",
            f"4:1: zzz: there is no such key here; there are {KEYS}",
        ),
        (MINIMAL + "source: a\n", "4:1: source: there is no such key; did you mean store?"),
        (
            MINIMAL + "digest: a\n",
            f"4:1: digest: there is no such key here; there are {KEYS}",
        ),
        (
            INSTRUMENT + WATCH + "store: {path: a}\n",
            "3:8: store: kind is missing; write `kind: irods`, `kind: folder` or `kind: mount`",
        ),
        (
            INSTRUMENT + WATCH + "store: {kind: s3}\n",
            "3:15: store.kind: there is no kind 's3'; write `kind: irods`, `kind: folder` or `kind: mount`",
        ),
        (
            INSTRUMENT + WATCH + "store: {kind: mount, mount_root: /mnt, logical_root: /zone}\n",
            "3:8: store.known: this is missing; write for example `known: home/facility/README.txt`",
        ),
        (
            INSTRUMENT + WATCH + "store: irods\n",
            f"3:8: store: this must be keys with values; write for example {EXAMPLE_STORE}",
        ),
        (
            INSTRUMENT + WATCH + "store: {kind: irods}\n",
            "3:8: store.collection: this is missing; "
            "write for example `collection: '/zone/home/facility/{year}/{instrument}/{set}'`",
        ),
        (
            MINIMAL.replace("/zone/{set}", "zone/{set}"),
            "3:34: store.collection: it must begin with the zone, as in /zone/home/facility/{instrument}/{set}",
        ),
        (
            MINIMAL.replace("/zone/{set}", "/{instrument}/{set}"),
            "3:34: store.collection: it must begin with the zone, as in /zone/home/facility/{instrument}/{set}",
        ),
        (
            store("path: a"),
            "3:49: store.path: there is no such key for `kind: irods`; "
            "there are kind, environment, password, collection, resource, connections",
        ),
        (
            MINIMAL.replace("/zone/{set}", "/zone/{yaer}/{set}"),
            "3:34: store.collection: {yaer} is not known here; did you mean year? (for watch[0])",
        ),
        (
            MINIMAL.replace("{path: data}", '{path: a, capture: "{user}/"}, {path: b}').replace(
                "/{set}", "/{user}/{set}"
            ),
            "3:34: store.collection: {user} is not known here; there are {year}, {month}, {day}, {date}, {instrument}, "
            "{host}, {set}, {folder} (for watch[1])",
        ),
        (
            INSTRUMENT + WATCH + 'store: {kind: folder, path: a, collection: "/a/{set}"}\n',
            "3:44: store.collection: it is a place below store.path; write it without / at the beginning",
        ),
        (
            INSTRUMENT + WATCH + "store: {kind: folder, path: a, resource: b}\n",
            "3:32: store.resource: there is no such key for `kind: folder`; there are kind, path, collection",
        ),
        (
            MINIMAL + '"a\\nb": 1\n',
            f"4:1: 'a\\nb': there is no such key here; there are {KEYS}",
        ),
        (
            INSTRUMENT + WATCH + "store: {kind: '${LAB_UNSET}', path: a}\n",
            "3:15: store.kind: the environment variable LAB_UNSET is not set; set it, or write ${LAB_UNSET:-default}",
        ),
        (
            INSTRUMENT + WATCH + "store: {kind: '${LAB_UNSET:-folder}'}\n",
            "3:8: store.path: this is missing; write for example `path: 'E:/archive'`",
        ),
        (store("connections: 17"), "3:62: store.connections: 17 is out of range; it must be at most 16"),
        (store("connections: 0"), "3:62: store.connections: 0 is out of range; it must be at least 1"),
        (
            store("connections: true"),
            "3:62: store.connections: True is not a whole number (no quotes, no zeros before it); "
            "write for example `connections: 4`",
        ),
        (
            store("password: hunter2"),
            "3:59: store.password: a secret is never written into the profile; write {env: NAME} or {file: PATH}",
        ),
        (
            store("password: 1234"),
            "3:59: store.password: a secret is never written into the profile; write {env: NAME} or {file: PATH}",
        ),
        (store("password: {}"), "3:59: store.password: write either {env: NAME} or {file: PATH}"),
        (store("password: {env: A, file: b}"), "3:59: store.password: write either {env: NAME} or {file: PATH}"),
        (
            store("password: {env: 'hunter 2'}"),
            "3:65: store.password.env: this is not a name of letters, digits and _; "
            "write for example `env: IRODS_PASSWORD`",
        ),
        (
            limits("rate: 80"),
            "4:16: limits.rate: '80' is not a rate; write one like 80MB/s or 20MiB/s (of bytes: 8Mbit/s is 1MB/s)",
        ),
        (limits("rate: 80MB"), "4:16: limits.rate: 80MB is a size and no rate; write 80MB/s"),
        (limits("rate: 0MB/s"), "4:16: limits.rate: 0MB/s is too little to work with; write at least 100kB/s"),
        (limits("hours:"), "4:16: limits.hours: there is nothing here; write for example `hours: '20:00-06:00'`"),
        (limits("rat: 80MB/s"), "4:10: limits.rat: there is no such key; did you mean rate?"),
        (
            limits("rate: 1MB/s, rate_while_acquiring: 1MiB/s"),
            "4:45: limits.rate_while_acquiring: it is more than limits.rate; write less, or take it out",
        ),
        (
            limits("hours: ['8-18', 20:00-06:00]"),
            "4:17: limits.hours: '8-18' is no part of a day; write one like 20:00-06:00, from 00:00 to 24:00",
        ),
        (
            limits("hours: 08:00-25:00"),
            "4:17: limits.hours: '08:00-25:00' is no part of a day; write one like 20:00-06:00, from 00:00 to 24:00",
        ),
        (
            limits("hours: 08:00-08:00"),
            "4:17: limits.hours: 08:00-08:00 has no length; write 00:00-24:00 for the whole day",
        ),
        (
            limits("hours: 24:00-08:00"),
            "4:17: limits.hours: 24:00-08:00 has no length; write 00:00-24:00 for the whole day",
        ),
        (
            limits("hours: []"),
            "4:17: limits.hours: this is empty; write for example `hours: '20:00-06:00'`",
        ),
        (
            limits("acquiring: {process: ZEN.exe}"),
            "4:21: limits.acquiring: this changes nothing without limits.rate_while_acquiring; "
            "write for example 20MB/s there",
        ),
        (
            limits("rate_while_acquiring: 1MB/s, acquiring: {process: 'C:/ZEN.exe'}"),
            "4:60: limits.acquiring.process: 'C:/ZEN.exe' is a path; write the program's name alone, as in ZEN.exe",
        ),
        (
            limits("rate_while_acquiring: 1MB/s, acquiring: {}"),
            "4:50: limits.acquiring.process: this is missing; write for example `process: ZEN.exe`",
        ),
        (MINIMAL + "process: a\n", "4:1: process: there is no such key here; it belongs under limits.acquiring"),
        (
            MINIMAL.replace("data", "data, priority: 101"),
            "2:32: watch[0].priority: 101 is out of range; it must be at most 100",
        ),
        (
            MINIMAL + "complete: {early: no}\n",
            "4:19: complete.early: 'no' is neither true nor false; write for example `early: true`",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_cure(tmp_path: Path, text: str, problem: str) -> None:
    assert refused(tmp_path, text) == [problem]


_KEYS = st.sampled_from(["kind", "path", "name", "include", "env", "watch", "group", "nonsense", ""])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "20s", "irods", "folder", "${", "~x", "\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_FULL: dict[str, dict[str, object]] = {
    "instrument": {"name": "a", "model": "b", "timezone": "UTC"},
    "watch": {"path": "a", "include": ["**"], "capture": "", "settle": "1s"},
    "sets": {"formats": ["a"], "group": "auto"},
    "complete": {"quiet": "1s", "marker": "a"},
    "store": {"kind": "irods", "collection": "/z/{set}", "password": {"env": "A"}, "connections": 1},
    "limits": {
        "rate": "8MB/s",
        "rate_while_acquiring": "2MB/s",
        "hours": ["20:00-06:00"],
        "acquiring": {"process": "a"},
    },
}
_PLACES = st.sampled_from([(section, key) for section, keys in _FULL.items() for key in ("", "odd", *keys)])


@settings(deadline=None)
@given(st.dictionaries(_PLACES, _VALUES, min_size=1, max_size=4))
def test_whatever_stands_anywhere_is_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[tuple[str, str], object]
) -> None:
    whole: dict[str, object] = {section: dict(keys) for section, keys in _FULL.items()}
    for (section, key), value in changes.items():
        held = whole[section]
        if key and isinstance(held, dict):
            held[key] = value
        else:
            whole[section] = value
    if isinstance(whole["watch"], dict):
        whole["watch"] = [whole["watch"]]
    folder = tmp_path_factory.getbasetemp()
    try:
        read(folder, json.dumps(whole))
    except ProfileError as error:
        lines = error.problems
        assert all(re.match(rf"{re.escape(str(folder / 'lab.yaml'))}:1:[0-9]+: .+[^ ]", line) for line in lines)


def test_an_archive_inside_the_watched_folder_is_refused(tmp_path: Path) -> None:
    for inside in ("data", "data/archive", "other/../data/archive"):
        text = INSTRUMENT + WATCH + f"store: {{kind: folder, path: {inside}}}\n"
        (problem,) = refused(tmp_path, text)
        assert problem == (
            f"3:29: store.path: {tmp_path / inside} lies in watch[0].path, so that what is stored would be found again"
        )


def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        load(tmp_path / "none.yaml")
    assert (
        str(caught.value) == f"{tmp_path / 'none.yaml'}: there is no such file; `irods-watcher init` writes a profile"
    )
    with pytest.raises(ProfileError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: this is a folder; name the profile's file"
    with pytest.raises(ProfileError) as caught:
        load(tmp_path / ("x" * 300))
    assert "it cannot be read (" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this account may read everything")
def test_a_forbidden_file_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(MINIMAL)
    file.chmod(0)
    with pytest.raises(ProfileError, match="this account may not read it"):
        load(file)


def test_a_profile_cannot_be_changed(tmp_path: Path) -> None:
    profile = read(tmp_path, MINIMAL)
    with pytest.raises(ValidationError):
        profile.digest = ""


def test_a_secret_is_read_when_it_is_needed_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PASSWORD", "hunter2")
    (tmp_path / "pw").write_text("hünter3 \r\n", encoding="utf-8", newline="")
    for written, secret in (("{env: LAB_PASSWORD}", "hunter2"), ("{file: pw}", "hünter3 ")):
        profile = read(tmp_path, store(f"password: {written}"))
        assert isinstance(profile.store, IrodsStore)
        assert profile.store.password is not None
        assert profile.store.password.reveal() == secret
        assert "nter" not in repr(profile)


def test_a_missing_secret_is_told_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_PASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match="the environment variable LAB_PASSWORD holds nothing"):
        Secret(env="LAB_PASSWORD").reveal()
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigurationError, match="empty holds nothing"):
        Secret(file=tmp_path / "empty").reveal()
    with pytest.raises(ConfigurationError, match="none: what it keeps secret cannot be read"):
        Secret(file=tmp_path / "none").reveal()
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(
        ConfigurationError, match=r"binary: what it keeps secret cannot be read \(it is not UTF-8 text\)"
    ):
        Secret(file=tmp_path / "binary").reveal()
