import pytest

from domain.personal_data import Keep, words_of
from domain.phones import closed_phone, mask_phone
from domain.register import HEADINGS, REGISTER, as_markdown, rows_of


class TestWordsOf:
    def test_reads_columns_in_order(self):
        assert words_of("phone 手机号, label 备注") == {"phone": "手机号", "label": "备注"}

    @pytest.mark.parametrize("spec", ["", "phone", "phone 手 机"])
    def test_a_column_without_its_words_is_a_mistake(self, spec):
        with pytest.raises(ValueError, match="unpack"):
            words_of(spec)


class TestRegister:
    def test_a_line_has_a_cell_for_each_heading(self):
        assert {len(row) for row in rows_of()} == {len(HEADINGS)}

    def test_the_table_has_a_row_for_each_line(self):
        assert as_markdown().count("\n") == len(REGISTER) + 2

    def test_no_cell_breaks_the_table(self):
        assert not any("|" in cell or "\n" in cell for row in rows_of() for cell in row)

    def test_vouchers_are_kept_thirty_years(self):
        """Source: 会计档案管理办法, schedule 1."""
        assert "30 年" in Keep.VOUCHER
        assert {
            held.kept for held in REGISTER if held.table in {"payment", "receipt", "refund"}
        } == {Keep.VOUCHER}


class TestClosedPhone:
    def test_is_no_phone_and_names_its_account(self):
        assert closed_phone(17) == "deleted-17"
        assert "17" not in mask_phone(closed_phone(1))
