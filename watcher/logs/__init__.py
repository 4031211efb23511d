"""What the program says while it works: lines on the console, and the same as JSON in files beside the journal.

lines       structlog over the standard library's logging, so that what libraries say comes too; what a line holds
files       the files, which are begun anew when they are full
reading     what stands in them, for `irods-watcher logs`
"""
