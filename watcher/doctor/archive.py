"""Checks of the store, in the order in which a set meets it: reached, logged in, and a set of its own all the way.

The set has a name that says whose it is, and nobody but this account can read it. It is never published, and removed.
"""

import hashlib
import os
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from watcher import names, osfacts
from watcher.doctor.check import Fact, Subject, Verdict, doubt, fine, wrong
from watcher.errors import LoginRefused
from watcher.journal import FILE_NAME, Journal
from watcher.model import Avu, State
from watcher.overview.language import say
from watcher.overview.words import amount, when
from watcher.pipeline.destination import destination_of
from watcher.profile import FolderStore, MountStore
from watcher.profile.pattern import Field, pieces
from watcher.stores import open_store
from watcher.stores.base import Claimed, Grant
from watcher.stores.source import Source

if TYPE_CHECKING:
    from watcher.stores.irods.session import IrodsSession
    from watcher.stores.mount.session import MountSession

#: So long in seconds the store may take for one answer here.
PATIENCE: Final = 10.0
#: A certificate that expires so soon, in seconds, is worth telling.
_SOON: Final = 30 * 86400.0
_NAMESPACE: Final = uuid.UUID("0b8a4c5e-7a0d-4f0e-8a53-6a2c39b1c6d1")
_FILE: Final = "irods-watcher-doctor.bin"
_SIZE: Final = 1 << 20
_NOTE: Final = Avu("acq:doctor", "µ: it works", "try")


def reach(subject: Subject) -> Iterator[Fact]:
    """Whether somebody listens where the store is."""
    section = subject.profile.store
    subject.store = open_store(subject.profile, PATIENCE)
    if isinstance(section, FolderStore):
        subject.store.check("")
        yield fine(say("{path}: the folder of the archive is there", path=section.path))
        return
    from watcher.stores.irods.environment import read_environment

    environment = read_environment(section.environment)
    where = f"{environment.host}:{environment.port}"
    begin = time.monotonic()
    try:
        socket.create_connection((environment.host, environment.port), PATIENCE).close()
    except socket.gaierror:
        cure = say("check irods_host in {file}, and the network", file=environment.file)
        yield wrong(say("{host}: nobody knows a computer of this name", host=environment.host), cure)
        return
    except OSError as error:
        why = say("it timed out") if isinstance(error, TimeoutError) else error.strerror
        cure = say("check irods_host and irods_port in {file}, the network and its firewall, and that the server runs",
                   file=environment.file)  # fmt: skip
        yield wrong(say("{where}: nobody answers there ({why})", where=where, why=why), cure)
        return
    took = 1000 * (time.monotonic() - begin)
    yield fine(say("{where}: somebody listens, {ms} ms away", where=where, ms=f"{took:.0f}"))


def line(subject: Subject) -> Iterator[Fact]:
    """Whether the connection can be read on the way, whose certificate it is, and until when."""
    section = subject.profile.store
    subject.session = subject.store.session()
    subject.at_end.append(subject.session.close)
    if isinstance(section, FolderStore):
        yield fine(say("no connection of ours leads to a folder"))
        return
    from watcher.stores.irods.environment import read_environment

    environment = read_environment(section.environment)
    try:
        found = cast("IrodsSession | MountSession", subject.session).line()
    except LoginRefused:
        # There may have been no connection at all, if no login is stored.
        yield Fact(Verdict.SKIPPED, say("not known before the login works, which is next"))
        return
    if not found.tls:
        local = environment.host in {"localhost", "::1"} or environment.host.startswith("127.")
        what = say("the connection can be read on the way (no TLS), and so can the images")
        cure = say("set irods_client_server_policy to CS_NEG_REQUIRE in {file}, if the server can do TLS",
                   file=environment.file)  # fmt: skip
        yield fine(say("not encrypted, and does not leave this computer")) if local else doubt(what, cure)
        return
    if environment.verify == "none":
        cure = say("set irods_ssl_verify_server to hostname in {file}", file=environment.file)
        yield doubt(say("{tls}, but nobody verifies whose server it is", tls=found.tls), cure)
        return
    against = environment.ca_file or environment.ca_path or say("the authorities that this computer knows")
    how = say("certificate and name of the host") if environment.verify == "hostname" else say("certificate alone")
    what = say("{tls}, verified: {how}, against {against}", tls=found.tls, how=how, against=against)
    if found.expires is not None:
        what += say("; the certificate is valid until {when}", when=when(found.expires))
    if found.expires is not None and found.expires - subject.now() < _SOON:
        yield doubt(what, say("ask the iRODS administrator for a new certificate before then: nothing is sent without"))
    else:
        yield fine(what)


def login(subject: Subject) -> Iterator[Fact]:
    """Whether the store takes this account, and whether others can read its password."""
    section = subject.profile.store
    if isinstance(section, FolderStore):
        yield fine(say("a folder asks for no login"))
        return
    from watcher.stores.irods.environment import read_environment

    environment = read_environment(section.environment)
    found = cast("IrodsSession | MountSession", subject.session).line()
    yield fine(say("{who}, iRODS {version}", who=environment, version=found.server))
    secret = section.password.file if section.password else environment.auth_file
    if sys.platform != "win32" and secret and secret.exists() and secret.stat().st_mode & 0o077:
        what = say("{file}: other accounts of this computer can read the login in it", file=secret)
        yield doubt(what, say("close it, as in `chmod 600 {file}`", file=secret))


def idle(subject: Subject) -> str:
    """Why no test set is sent."""
    mounted = isinstance(subject.profile.store, MountStore)
    return say("nothing is sent to a mount; the first set shows what this account may do there") if mounted else ""


def target(subject: Subject) -> Iterator[Fact]:
    """Whether the collection is there that all sets go below, and this account may write to it."""
    used = False
    if (subject.state / FILE_NAME).exists():
        with Journal(subject.state) as journal:
            used = bool(journal.sets.in_states(State.PUBLISHED, State.RELEASED, limit=1))
    for base in destination_of(subject.profile, subject.profile.watch[0]).bases:
        subject.store.check(base, used=used)
        where = base or str(getattr(subject.profile.store, "path", ""))
        yield fine(say("{where}: it is there, and this account may write to it", where=where))


def create(subject: Subject) -> Iterator[Fact]:
    """Whether a collection can be made that nobody else can read."""
    base, set_id = _base(subject), _set_id(subject)
    name = names.legal(f"irods-watcher-doctor-{osfacts.host_name()}-{subject.profile.instrument.name}")
    subject.collection = f"{base}/{name}" if base else name
    # What a doctor has left that was killed.
    subject.session.withdraw(subject.collection, set_id)
    before = subject.now()
    if subject.session.claim(subject.collection, set_id) is Claimed.NOT:
        cure = say("remove it, if nobody needs it")
        yield wrong(say("{where}: something of this name is there and is not ours", where=subject.collection), cure)
        return
    subject.times = (before, subject.session.made_at(subject.collection), subject.now())
    yield fine(say("{where}: it was made, for this account alone", where=subject.collection))


def deliver(subject: Subject) -> Iterator[Fact]:
    """Whether a file arrives whole, the catalogue knows its SHA-256, and it can be read back."""
    content = os.urandom(_SIZE)
    digest = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as folder:
        path = Path(folder) / _FILE
        path.write_bytes(content)
        begin = time.monotonic()
        receipt = subject.session.put(Source(path, osfacts.facts_at(path)), subject.collection, _FILE, lambda _: None)
    took = max(time.monotonic() - begin, 0.001)
    there = subject.session.replicas(subject.collection).get(_FILE)
    cure = say("ask the iRODS administrator to look at the resource that new files go to")
    where = f"{subject.collection}/{_FILE}"
    if there is None or not there.good:
        yield wrong(say("{where}: it was sent, and the catalogue has no good replica of it", where=where), cure)
        return
    if {receipt.sha256, there.sha256} != {digest}:
        yield wrong(say("{where}: the catalogue has another SHA-256 than was sent", where=where), cure)
        return
    back = hashlib.sha256()
    for block in subject.session.read(subject.collection, _FILE):
        back.update(block)
    if back.hexdigest() != digest:
        yield wrong(say("{where}: other bytes come back than were sent", where=where), cure)
        return
    rate = amount(_SIZE / took)
    yield fine(say("{size} were sent, verified by the catalogue, and read back ({rate} in a second)",
                   size=amount(_SIZE), rate=rate))  # fmt: skip


def annotate(subject: Subject) -> Iterator[Fact]:
    """Whether metadata can be written and are there then."""
    subject.session.annotate(subject.collection, [_NOTE])
    if _NOTE not in subject.session.avus(subject.collection):
        cure = say("ask the iRODS administrator whether a policy changes metadata")
        yield wrong(say("{where}: metadata were written and are not there", where=subject.collection), cure)
        return
    subject.session.annotate(subject.collection, [], [_NOTE])
    yield fine(say("metadata can be written and removed"))


def grant(subject: Subject) -> Iterator[Fact]:
    """Whether those whom the profile names can be given access; whom it means only by the set cannot be tried."""
    rules = subject.profile.access
    fixed = [rule for rule in rules if not any(isinstance(part, Field) for part in pieces(rule.who))]
    subject.session.open_to_readers(subject.collection)
    refused: Mapping[str, str] = {}
    if fixed:
        wanted = [Grant(rule.who, rule.level, rule.above) for rule in fixed]
        refused = subject.session.grant(subject.collection, wanted)
    for who, why in refused.items():
        cure = say("ask the iRODS administrator, or mend access in the profile; sets are published all the same")
        yield doubt(say("no access for {who}: {why}", who=who, why=why), cure)
    let_in = [rule.who for rule in fixed if rule.who not in refused]
    if let_in:
        yield fine(say("access can be given to {who}", who=", ".join(let_in)))
    if len(fixed) < len(rules):
        others = ", ".join(rule.who for rule in rules if rule not in fixed)
        yield fine(say("not tried, because it depends on who made a set: {who}", who=others))
    if not rules:
        yield fine(say("the profile gives access to nobody but whom the collection above lets in"))


def remove(subject: Subject) -> Iterator[Fact]:
    """Whether the test set is gone again, whatever became of the checks before."""
    # A session of its own: the other one may hang.
    with subject.store.session() as session:
        session.withdraw(subject.collection, _set_id(subject))
        left = bool(session.avus(subject.collection) or session.replicas(subject.collection))
    if left:
        what = say("{where}: the test set could not be removed", where=subject.collection)
        yield wrong(what, say("ask the iRODS administrator to remove it"))
        return
    yield fine(say("the test set was removed again"))


def _base(subject: Subject) -> str:
    return destination_of(subject.profile, subject.profile.watch[0]).bases[0]


def _set_id(subject: Subject) -> str:
    """The same for every doctor of an instrument on this computer, so that the next one removes what one has left."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{osfacts.host_name()}/{subject.profile.instrument.name}')}"
