"""Where the real microscope files are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of public sample files; its SOURCES.tsv says where each is from."""
    folder = Path(__file__).parents[3].parent / "shared" / "samples"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{folder} is missing, and CI must not pass without the real files")
        pytest.skip(f"the real microscope files are not in {folder}")
    return folder
