"""Photos are drawn anew: upright, small, without a word of where and by whom they were taken."""

import io
import random
import struct
import zlib

import pytest
from PIL import Image

from gateways.photos import PillowPhotos
from services.files.refusals import PhotoTooLarge, PhotoUnreadable

PLACE = "纬度31.2304"


def photo(size=(60, 40), form="JPEG", mode="RGB", colour=(200, 30, 30), **options):
    written = io.BytesIO()
    Image.new(mode, size, colour).save(written, form, **options)
    return written.getvalue()


def remade(content):
    return PillowPhotos().remake(content)


def opened(content):
    return Image.open(io.BytesIO(content))


class TestDrawnAnew:
    @pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
    def test_the_usual_forms_become_jpeg(self, form):
        photo_ = remade(photo(form=form))

        with opened(photo_.full) as image:
            assert (image.format, image.size) == ("JPEG", (60, 40))
            assert all(
                abs(a - b) < 6 for a, b in zip(image.getpixel((30, 20)), (200, 30, 30), strict=True)
            )
        assert (photo_.width, photo_.height) == (60, 40)

    @pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
    def test_every_mode_of_colour(self, mode):
        form = "JPEG" if mode == "CMYK" else "PNG"
        image = Image.new("L", (20, 20), 255).convert(mode)
        written = io.BytesIO()
        image.save(written, form)

        assert opened(remade(written.getvalue()).full).size == (20, 20)

    def test_what_is_transparent_lies_on_white(self):
        photo_ = remade(photo(form="PNG", mode="RGBA", colour=(0, 0, 0, 0)))

        assert min(opened(photo_.full).getpixel((5, 5))) > 250

    def test_large_ones_are_made_smaller_and_small_ones_are_not_blown_up(self):
        large, small = remade(photo((4000, 3000))), remade(photo((100, 50)))

        assert (large.width, large.height) == (1600, 1200)
        assert opened(large.small).size == (320, 240)
        assert (small.width, small.height) == (100, 50)

    def test_what_the_camera_wrote_is_gone_and_the_picture_stands_upright(self):
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by a quarter
        exif[0x010F] = PLACE
        content = photo((60, 40), exif=exif, comment=PLACE.encode())
        assert PLACE.encode() in content

        photo_ = remade(content)

        for made in (photo_.full, photo_.small):
            assert PLACE.encode() not in made
            assert not opened(made).getexif()
            assert "comment" not in opened(made).info
        assert (photo_.width, photo_.height) == (40, 60)

    def test_what_hides_behind_a_picture_is_gone(self):
        page = b"<script>alert(1)</script>"

        assert page not in remade(photo() + page).full


class TestRefused:
    @pytest.mark.parametrize(
        "content",
        [
            b"x",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"%PDF-1.7\n",
            b"GIF89a" + b"\0" * 40,
            photo()[:200],
            photo(form="PNG")[:60],
            b"\xff\xd8\xff\xe0" + b"\0" * 100,
        ],
        ids=["letter", "svg", "pdf", "gif", "half jpeg", "half png", "nothing inside"],
    )
    def test_no_photo(self, content):
        with pytest.raises(PhotoUnreadable):
            remade(content)

    def test_forms_that_are_no_photos_have_no_decoder(self):
        for form in ("GIF", "BMP", "TIFF", "ICO"):
            with pytest.raises(PhotoUnreadable):
                remade(photo(form=form))

    @pytest.mark.parametrize("side", [6000, 40_000, 100_000])
    def test_a_bomb_is_refused_by_its_header(self, side):
        """A few hundred bytes that would unpack to gigabytes."""

        def chunk(kind, data):
            checked = kind + data
            return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))

        with pytest.raises(PhotoTooLarge):
            remade(bomb + chunk(b"IEND", b""))

    def test_bytes_changed_at_random_are_taken_or_refused(self):
        rng = random.Random(20261125)
        for form in ("JPEG", "PNG", "WEBP"):
            whole = photo((64, 64), form=form)
            for _ in range(300):
                broken = bytearray(whole)
                for _ in range(rng.randint(1, 12)):
                    broken[rng.randrange(len(broken))] = rng.randrange(256)
                try:
                    remade(bytes(broken))
                except (PhotoUnreadable, PhotoTooLarge):
                    continue
