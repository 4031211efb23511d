"""`python -m watcher` is `irods-watcher`."""

from watcher.cli.main import main

if __name__ == "__main__":
    main()
