"""Labels of equipment as PDF: read back by scanners and readers that are not ours."""

import pytest

from gateways.slips import PrintedSlips
from services.printing import SCAN_TO_REPORT, EquipmentLabel
from tests.gateways.test_slips import LONG, MM, drawn, ink_at_edge, pages, scanned, texts


def make_labels(count, **changes):
    return [
        EquipmentLabel(
            **{
                "community": "翠湖花园",
                "name": f"{number}号电梯",
                "place": "3栋 屋面 机房",
                "number": f"DT-{number:02d}",
                "url": f"https://wuye.example.com/e/{number:012d}",
            }
            | changes
        )
        for number in range(count)
    ]


def labels(given):
    return PrintedSlips().write_equipment_labels(given)


class TestLabels:
    @pytest.mark.parametrize(("count", "expected"), [(1, 1), (14, 1), (15, 2)])
    def test_fourteen_to_a_page_of_a4(self, count, expected):
        found = pages(labels(make_labels(count)))

        assert len(found) == expected
        assert float(found[0].mediabox.width) == pytest.approx(210 * MM, abs=0.1)

    def test_each_code_opens_its_own_address(self):
        given = make_labels(15)

        found = [[code.text for code in scanned(image)] for image in drawn(labels(given))]

        assert sorted(found[0]) == sorted(label.url for label in given[:14])
        assert found[1] == [given[14].url]

    def test_each_says_what_it_is(self):
        [text] = texts(labels(make_labels(14)))

        for number in range(14):
            assert f"{number}号电梯" in text
            assert f"DT-{number:02d}" in text
        assert text.count(SCAN_TO_REPORT) == 14
        assert text.count("3栋屋面机房") == 14

    def test_long_names_are_shrunk_and_nothing_is_cut(self):
        content = labels(make_labels(14, name=LONG, place=LONG, community=LONG))

        [text] = texts(content)
        assert text.count(LONG) == 14 * 3
        [image] = drawn(content)
        assert not ink_at_edge(image, 20)

    def test_the_same_labels_give_the_same_bytes(self):
        assert labels(make_labels(3)) == labels(make_labels(3))

    def test_no_label_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="no label"):
            labels([])

    @pytest.mark.parametrize("url", ["", "x" * 301])
    def test_an_address_that_no_code_holds(self, url):
        with pytest.raises(ValueError, match="no text"):
            labels(make_labels(1, url=url))
