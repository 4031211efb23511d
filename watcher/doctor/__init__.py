"""What may keep an instrument's images from becoming safe, looked for one thing after the other, each with its cure.

check       what a check is and says, and how all are made: in threads, so that none can hang the others
checks      all of them, in their order
computer    the program and this computer: libraries, disks, clock, port
watched     the watched folders, and the events that tell of new files
installation  what the profile names: persons, hand-off; the journal, its watcher and its log
archive     the store, by a set of its own that is delivered, verified and removed again
telling     what was found, for people and for programs
bundle      all that helps others to help, as one archive; hiding takes out what they need not know
"""
