"""Drawing photos anew with Pillow: upright, small enough, and nothing else of the file is left."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from services.file_ports import RemadePhoto
from services.files.refusals import PhotoTooLarge, PhotoUnreadable

_FORMATS = ("JPEG", "PNG", "WEBP")
_PIXELS = {"JPEG": 110_000_000, "PNG": 25_000_000, "WEBP": 25_000_000}
"""JPEG is decoded at a fraction of its size; the others as a whole, four bytes a pixel."""
_FULL, _SMALL = 1600, 320
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class PillowPhotos:
    """Implements `services.file_ports.PhotoMaker`.

    The format is told by Pillow's own look at the bytes, and only three decoders may look; sizes
    are read from the header and refused before a pixel is decoded.
    """

    def remake(self, content: bytes) -> RemadePhoto:
        """Draw a photo anew as JPEG.

        Raises:
            PhotoUnreadable: no JPEG, PNG or WebP, or broken.
            PhotoTooLarge: more pixels than we decode.
        """
        try:
            with warnings.catch_warnings():
                # Pillow warns of a bomb at a size that our own limit lies below or beside.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                return _remake(content)
        except Image.DecompressionBombError:
            raise PhotoTooLarge from None
        except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError):
            # All that Pillow was seen to raise when bytes were changed at random.
            raise PhotoUnreadable from None


def _remake(content: bytes) -> RemadePhoto:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > _PIXELS[image.format or "PNG"]:
            raise PhotoTooLarge
        image.draft("RGB", (_FULL, _FULL))
        image.load()
        upright = ImageOps.exif_transpose(image)
    flat = _flatten(upright)
    flat.thumbnail((_FULL, _FULL), Image.Resampling.LANCZOS)
    small = flat.copy()
    small.thumbnail((_SMALL, _SMALL), Image.Resampling.LANCZOS)
    return RemadePhoto(_as_jpeg(flat), _as_jpeg(small), *flat.size)


def _flatten(image: Image.Image) -> Image.Image:
    """Put what is transparent on white, and bring every mode to RGB; nothing of the info stays."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGB", rgba.size, "white")
        ground.paste(rgba, mask=rgba.getchannel("A"))
        return ground
    plain = Image.new("RGB", image.size)
    plain.paste(image.convert("RGB"))
    return plain


def _as_jpeg(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return written.getvalue()
