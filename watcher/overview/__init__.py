"""What people are shown, in one place: the command line, the page, the API, metrics and messages all say the same.

`overview.take` is the one picture of an instrument, `attention` what needs a person, `words` how it is said, and
`records` the shape of `--json` and of the API. All of it comes from the journal alone, so that it is there when the
watcher is not.
"""
