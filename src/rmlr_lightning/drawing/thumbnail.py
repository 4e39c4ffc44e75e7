"""Small copies of images, for pages and logs."""

import io

from PIL import Image


def thumbnail(image: Image.Image, width: int) -> bytes:
    """A JPEG file without metadata, at most `width` pixels wide and high."""
    small = image.convert("RGB")
    small.thumbnail((width, width), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "jpeg", quality=72, optimize=True)
    return buffer.getvalue()
