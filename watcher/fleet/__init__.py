"""The facility view: many watchers on one page, and the one among them that says nothing any more.

Each watcher posts a signed report (`overview.report`), or is asked for it (`sources`). `register` keeps the last one of
each and says how each is now; the page is made with the parts of the page of one instrument (`web`).
"""
