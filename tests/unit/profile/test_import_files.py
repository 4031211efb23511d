"""What a profile says of imports into OMERO is checked before anybody relies on it."""

import pytest
from pydantic import ValidationError

from watcher.profile.import_files import OmeroImport


def test_a_mount_is_enough() -> None:
    section = OmeroImport(mount="/mnt/irods/")
    assert (section.mount, section.root, section.target, section.quay) == (
        "/mnt/irods",
        "/",
        "Dataset:name:{set}",
        False,
    )


@pytest.mark.parametrize(
    "target",
    ["Dataset:name:{request}", "Dataset:@name:{project} {scientist}", "Screen:id:51", "Dataset:7", "Screen:%name:a:b"],
)
def test_targets_of_omero_are_accepted(target: str) -> None:
    assert OmeroImport(mount="/mnt", target=target).target == target


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"mount": "mnt/irods"}, "write the whole path"),
        ({"mount": "D:/irods"}, "write the whole path"),
        ({"mount": "/mnt", "root": "/zone/../x"}, "write the whole path"),
        ({"mount": "/mnt", "target": "Project:name:x"}, "write where the images are to go"),
        ({"mount": "/mnt", "target": "Dataset:name:"}, "write where the images are to go"),
        ({"mount": "/mnt", "target": "{request}"}, "write where the images are to go"),
        ({"mount": "/mnt", "target": "Dataset:name:{requst}"}, "request"),
        ({"mount": "/mnt", "target": "Dataset:name:{user}"}, "{user} is not known here"),
        ({"mount": "/mnt", "target": "Dataset:name:{"}, "a brace is open"),
    ],
)
def test_mistakes_are_told_with_what_to_write(said: dict[str, str], what: str) -> None:
    with pytest.raises(ValidationError) as found:
        OmeroImport(**said)  # type: ignore[arg-type]
    assert what in str(found.value)
