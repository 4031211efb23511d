"""The profile that `irods-watcher init` writes: complete, explained, and ready to be changed."""

from typing import Final, Literal

import yaml

from watcher.profile import schema

_TEXT: Final = """\
# yaml-language-server: $schema={schema}
# The profile of one instrument. Only the lines without # count; the values after # are what is taken when they are
# absent. Durations need a unit: 20s, 2m, 24h, 7d. So do rates: 80MB/s, 20MiB/s.

instrument:
  name: {instrument}
  # manufacturer: Zeiss
  # model: LSM 980
  # serial: "3951000123"
  # timezone: Europe/Amsterdam        # absent: that of this computer

watch:
  - path: {path}
    # include: ["**"]                 # patterns must be in quotes
    # exclude: []                     # as in ["**/Calibration/**"]
    # capture: ""                     # what the first folders mean, as in "{{group}}/{{user}}/"
    # settle: {settle:4}                    # a file that has not changed for so long is no longer being written
    # sweep: 60s                      # how often the whole folder is looked through
    # priority: 0                     # sets of the folder with the higher number (to 100) go first

# sets:
#   formats: null                     # only these, as in [ome-tiff]; null: all
#   group: auto                       # auto | file | directory | stem

# complete:
#   quiet: 2m                         # nothing of the set has changed for so long
#   marker: null                      # a file that appears when a set is finished, as in "*.done"
#   name: null                        # a name that only finished sets have, as in "*_final*"
#   deadline: 24h                     # a set that is not whole by then is given up ...
#   incomplete: hold                  # ... and waits for a person (hold) or is sent labelled incomplete (deliver)
#   early: true                       # members that have come to rest are sent while the acquisition goes on

# people:
#   directory: null                   # the facility's persons, as in people.yaml or people.csv
#   requests: null                    # the folder of the requests, as in requests
#   generic_logins: []                # logins that mean nobody, as in [zeiss, labuser]
#   staffed: false                    # whether staff operates the instrument for the scientists
#   operator: contributor             # contributor | creator: an author like the scientist
#   facility: null                    # as in {{name: BioImaging Facility, ror: "https://ror.org/03yrm5c26"}}
#   bookings: null                    # as in {{file: bookings.csv}}
#   sessions: {{longest: 12h}}          # a session that nobody stops ends after so long

# metadata:
#   vocabulary: dcterms               # dcterms | mango | npg
#   tags: []                          # words for dcterms:subject, as in [microscopy, ready for omero]
#   licence: null                     # as in https://spdx.org/licenses/CC-BY-4.0
#   imaging_method: null              # as in "FBbi:00000251 confocal microscopy"

# limits:
#   rate: null                        # send no more than this, as in 80MB/s
#   rate_while_acquiring: null        # the same while the instrument acquires, as in 20MB/s
#   hours: "00:00-24:00"              # when members may be sent, as in "20:00-06:00"
#   acquiring: null                   # as in {{process: ZEN.exe}}; null: something was just written to a watched folder

# handoff:
#   agent: null                       # the program that takes published sets on, as in omero (watcher/HANDOFF.md)
#   webhook: null                     # as in {{url: "https://agent.example/events", secret: {{env: AGENT_SECRET}}}}
#   amqp: null                        # as in {{url: {{env: AMQP_URL}}, exchange: image-sets}}
#   omero: null                       # files for an in-place import, as in {{mount: /mnt/irods}}

# notify:
#   apprise: []                       # addresses of Apprise for the facility, as in [{{env: NOTIFY_FACILITY}}]
#   mail: null                        # the mail server for persons who want to be told, as in {{env: NOTIFY_MAIL}}
#   ping: null                        # a dead man's switch, as in {{url: {{env: PING_URL}}}}
#   quiet: null                       # when nobody is told, as in "22:00-07:00"
#   urgent_in_quiet: false            # but what is urgent, then too
#   every: 1h                         # what is not urgent is told once in so long at most
#   page: null                        # the address of the status page, for the messages
#   unencrypted: null                 # the one host that may be told without encryption, as in smtp.lan

# fleet: null                         # a page with all instruments that this one reports to, as in
#                                     # {{url: "https://fleet.example.org/", secret: {{env: FLEET_SECRET}}}}

# web:
#   enabled: true                     # false: no page
#   port: 8765                        # the page is at http://127.0.0.1:8765
#   listen: 127.0.0.1                 # on any other address it needs a password and TLS, or a proxy
#   hosts: []                         # by which other names browsers reach it, as in [scope1.example.org]
#   actions: true                     # whether anything can be ordered there
#   people: false                     # whether names are shown to those without a password
#   password: null                    # as in {{env: PAGE_PASSWORD}}; null: whoever is at this computer may order
#   proxy: null                       # as in {{header: X-Remote-User, address: 10.0.0.5}}
#   certificate: null                 # for TLS, as in /etc/irods-watcher/page.pem
#   key: null                         # its key

# release: null                       # null: local files are never removed; else as in {{after: 7d, copies: 2}}
# audit: null                         # null: sets are verified again when you ask; else as in {{every: 7d, deep: 180d}}

store:
{store}"""

_IRODS: Final = """\
  kind: irods
  collection: {target}
  # environment: ~/.irods/irods_environment.json
  # password: {{env: IRODS_PASSWORD}}   # or {{file: /path}}; absent: as `iinit` left it
  # resource: imagesResc              # absent: the server decides
  # connections: 4

# copies: []                          # further places for each set, as in [{{kind: folder, path: //backup/facility}}]
# access: []                          # who may read a published set, as in [{{who: "{{scientist}}", level: read}}]
"""

_FOLDER: Final = """\
  kind: folder
  path: {target}
  # collection: "{{instrument}}/{{folder}}/{{set}}"
"""

_MOUNT: Final = """\
  # A set needs a folder of its own: `group: directory` gives each one, and auto only formats that are folders.
  kind: mount
  mount_root: {mount}
  logical_root: {target}
  known: README.txt                   # a small file below both that is always there: it proves that they are the same
  # collection: null                  # where sets are moved, as in "/zone/home/{{year}}/{{set}}"; null: nowhere
  # move_up_to: 10000                 # a set with more files is not moved
  # compare: false                    # also read each file through the mount and compare
  # environment: ~/.irods/irods_environment.json
  # password: {{env: IRODS_PASSWORD}}   # or {{file: /path}}; absent: as `iinit` left it
  # connections: 4

# access: []                          # who may read a published set, as in [{{who: "{{scientist}}", level: read}}]
"""

#: What a store is made of in a sample, by its kind.
_STORES: Final = {"irods": _IRODS, "folder": _FOLDER, "mount": _MOUNT}


def sample(
    instrument: str, path: str, kind: Literal["irods", "folder", "mount"], target: str, mount: str = "/mnt/irods"
) -> str:
    """The text of a profile for an instrument that writes to the folder `path`.

    `target` is the collection (with {set} and other fields) for irods, the folder to copy to for folder, and for mount
    the collection that the folder `mount` shows. In its first line it names the schema that is installed with this
    program, so that an editor on this computer can use it.
    """
    store = _STORES[kind].format(target=quoted(target), mount=quoted(mount))
    names = {"instrument": quoted(instrument), "path": quoted(path)}
    settle = "120s" if kind == "mount" else "20s"
    return _TEXT.format(schema=schema.FILE.as_uri(), **names, settle=settle, store=store)


def quoted(value: str, *, variables: bool = True) -> str:
    """A value as YAML that reads as exactly this text, in a file in which `${NAME}` is a variable or one where not."""
    style = "'" if value.isprintable() else '"'  # only double quotes can hold what cannot be seen
    escaped = value.replace("${", "$${") if variables else value
    written: str = yaml.safe_dump(escaped, default_style=style, allow_unicode=True, width=10**6)
    return written.strip()
