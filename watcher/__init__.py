"""irods-watcher: finished image sets leave the microscope, whole, credited and verified, into iRODS."""

from typing import Final

__version__: Final = "0.1.0"
