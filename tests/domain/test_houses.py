import pytest

from domain.houses import house_label


class TestHouseLabel:
    @pytest.mark.parametrize(
        ("building", "unit_no", "room_no", "label"),
        [
            ("1栋", "2", "303", "1栋2单元303"),
            ("1栋", "", "303", "1栋303"),
            ("商业街", "", "A-12", "商业街A-12"),
        ],
    )
    def test_a_house_is_called_as_its_owners_do(self, building, unit_no, room_no, label):
        assert house_label(building, unit_no, room_no) == label
