"""From pixels of any kind to a small picture that a person can see something in."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: The longest side of a picture, and of what is read for it.
SIDE: Final = 256
ENOUGH: Final = 1024
#: Of a grey picture so many parts of 100 at either end are black or white: single pixels say nothing of contrast.
_DARK, _BRIGHT = 0.5, 99.7
#: Colours of 8 bits stay as they are, as those of a stained section, unless they are darker than this.
_DIM: Final = 64

Pixels = NDArray[Any]


def step_for(width: int, height: int) -> int:
    """Of how many rows and columns one is enough."""
    return max(1, -(-max(width, height) // ENOUGH))


def is_flat(pixels: Pixels) -> bool:
    """Whether there is nothing to be seen: all pixels are the same."""
    return pixels.size == 0 or bool(np.all(pixels == pixels.flat[0]))


def png(pixels: Pixels) -> bytes:
    """A PNG of rows x columns, or of rows x columns x 3 or 4 colours; floating point and complex numbers too."""
    pixels = pixels[..., :3] if pixels.ndim == 3 else pixels
    if pixels.ndim == 3 and pixels.shape[2] < 3:  # one channel, or two, which are no colours
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.dtype == np.uint8:
        small = _shrunk(Image.fromarray(np.ascontiguousarray(pixels)))
        if np.percentile(np.asarray(small), _BRIGHT) < _DIM:
            small = Image.fromarray(_stretched(np.asarray(small, np.float32)))
    else:
        planes = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
        bands = [np.asarray(_shrunk(Image.fromarray(_real(planes[..., band])))) for band in range(planes.shape[2])]
        seen = _stretched(np.stack(bands, axis=-1))
        small = Image.fromarray(seen if seen.shape[2] == 3 else seen[..., 0])
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return file.getvalue()


def _real(plane: Pixels) -> NDArray[np.float32]:
    """As finite floating point numbers."""
    if np.iscomplexobj(plane):
        plane = np.abs(plane)
    with np.errstate(over="ignore"):
        real = plane.astype(np.float32)
    return np.nan_to_num(real, nan=0.0, posinf=0.0, neginf=0.0, copy=False)


def _shrunk(image: Image.Image) -> Image.Image:
    scale = max(image.width, image.height) / SIDE
    if scale <= 1:
        return image
    size = max(1, round(image.width / scale)), max(1, round(image.height / scale))
    return image.resize(size, Image.Resampling.BOX)


def _stretched(bands: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From the darkest to the brightest, whatever the camera's zero is."""
    low, high = (float(value) for value in np.percentile(bands, (_DARK, _BRIGHT)))
    if high <= low:  # a few bright points on a flat ground
        low, high = float(bands.min()), float(bands.max())
    if high <= low:
        return np.full(bands.shape, 128, np.uint8)
    scaled = (bands.astype(np.float64) - low) / (high - low)
    return (np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)
