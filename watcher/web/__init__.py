"""The page that people look at, and the same for programs: it reads the journal, and gives orders through it.

`server.PageServer` runs it in threads of the watcher's process, with a connection to the journal of its own. Whatever
goes wrong here is told, and nothing of it reaches what brings sets into safety.
"""
