"""What a person sees: contrast whatever the camera's zero is, and no picture that is larger than it should be."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from watcher.thumbnails.shown import SIDE, is_flat, png


def seen(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png(pixels))) as image:
        assert image.format == "PNG"
        assert max(image.size) <= SIDE
        return np.asarray(image)


@given(
    st.tuples(st.integers(1, 700), st.integers(1, 700)),
    st.sampled_from(["u1", "i1", "u2", ">i2", "u4", "f2", "f4", "f8", "c8", "bool"]),
    st.sampled_from([(), (1,), (2,), (3,), (4,)]),
)
def test_pixels_of_any_kind_and_shape_make_a_picture(size: tuple[int, int], kind: str, more: tuple[int, ...]) -> None:
    shape = (*size, *more)
    pixels = (np.arange(np.prod(shape)) % 97).reshape(shape).astype(kind)
    found = seen(pixels)
    scale = min(1.0, SIDE / max(size))
    for side, whole in zip(found.shape, size, strict=False):
        assert whole * scale / 2 - 1 <= side <= whole * scale + 1, "the picture has the shape of the plane"
    assert found.ndim == (3 if more in ((3,), (4,)) else 2)


def test_a_camera_whose_zero_is_not_zero_does_not_make_grey_pictures() -> None:
    pixels = np.full((100, 100), 32_000, "u2")
    pixels[20:40, 20:40] = 32_050
    found = seen(pixels)
    assert (int(found[50, 50]), int(found[30, 30])) == (0, 255)


def test_single_hot_pixels_do_not_darken_the_rest() -> None:
    pixels = np.add.outer(np.arange(200), np.arange(200)).astype("u2")
    pixels[7, 7] = 65_535
    assert int(seen(pixels)[150, 150]) > 180


def test_a_few_bright_points_on_a_flat_ground_are_seen() -> None:
    pixels = np.full((200, 200), 100, "u2")
    pixels[10, 10] = 4000
    assert int(seen(pixels).max()) == 255


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_do_not_spoil_the_others(nonsense: float) -> None:
    pixels = np.add.outer(np.arange(100.0), np.arange(100.0))
    pixels[:10] = nonsense
    found = seen(pixels)
    assert int(found[90, 90]) > 200
    assert int(found[20, 0]) < 60


def test_a_stained_section_keeps_its_colours_and_a_dark_one_is_brightened() -> None:
    pink = np.zeros((50, 50, 3), "u1")
    pink[...] = (240, 180, 200)
    pink[:25] = (120, 60, 140)
    assert tuple(seen(pink)[40, 40]) == (240, 180, 200)
    assert seen(pink // 16).max() == 255


def test_what_is_the_same_everywhere_is_flat() -> None:
    assert is_flat(np.zeros((5, 5)))
    assert is_flat(np.zeros((0, 5)))
    assert not is_flat(np.eye(5))
