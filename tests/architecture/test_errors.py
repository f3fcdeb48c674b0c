"""Every refusal has a code of its own, a Chinese sentence, a number and a line in docs/api.md."""

import importlib
import re

import pytest

from domain.errors import PropertyError
from miniapp_api.errors import STATUS, status_of
from tests.architecture.source import ROOMS, ROOT, modules, name


def _all(kind):
    for special in kind.__subclasses__():
        yield special
        yield from _all(special)


def errors():
    """Every error of the product; tests may have made some of their own."""
    for path in modules(*ROOMS):
        dotted = name(path).removesuffix(".py").replace("/", ".")
        importlib.import_module(dotted.removesuffix(".__init__"))
    found = {error for error in _all(PropertyError) if error.__module__.split(".")[0] in ROOMS}
    return sorted(found, key=lambda error: error.__qualname__)


PUBLIC = [error for error in errors() if not error.__name__.startswith("_")]


@pytest.fixture(scope="module")
def documented():
    """Status and message by code, from the tables of docs/api.md."""
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|$",
        (ROOT / "docs" / "api.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert rows
    assert len(rows) == len({row[0] for row in rows})
    return {code: (int(status), message) for code, status, message, _ in rows}


def test_codes_are_unique():
    codes = [error.code for error in PUBLIC]

    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("error", PUBLIC, ids=lambda error: error.__name__)
class TestEveryError:
    def test_has_a_code_of_its_own_that_is_its_name(self, error):
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", error.__name__).lower()

        assert vars(error)["code"] == snake

    def test_speaks_chinese(self, error):
        assert re.search(r"[一-鿿]", error.message)
        assert not error.message.endswith(("。", ".", "！"))

    def test_is_of_one_kind_with_a_number(self, error):
        kinds = [kind for kind in error.__mro__ if kind in STATUS]

        assert len(kinds) == 1
        assert status_of(error.__new__(error)) == STATUS[kinds[0]]

    def test_says_when_it_happens(self, error):
        assert (error.__doc__ or "").strip()

    def test_has_its_line_in_the_guide(self, error, documented):
        assert documented.get(error.code) == (status_of(error.__new__(error)), error.message)


def test_the_guide_knows_no_error_that_is_not(documented):
    http = {
        "bad_request",
        "internal_error",
        "method_not_allowed",
        "request_timeout",
        "too_large",
        "unsupported_media_type",
    }

    assert set(documented) - {error.code for error in PUBLIC} == http


def test_private_errors_take_their_kinds_code():
    for error in errors():
        if error not in PUBLIC:
            assert "code" not in vars(error)
