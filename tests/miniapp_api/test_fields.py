import pytest
from marshmallow import ValidationError

from miniapp_api.fields import MAX_ID, Count, Input, ListOf, OneOf, RowId, Words
from tests.miniapp_api.answers import refusal


def short(value):
    return repr(value)[:20]


class Form(Input):
    words = Words(limit=3)
    pattern = Words(limit=9, pattern=r"^[a-z]+$")
    row_id = RowId()
    row_id_as_text = RowId(strict=False)
    count = Count(most=9)
    one_of = OneOf(["all", "paid"])
    ids = ListOf(RowId(), most=2)


def reasons(**given):
    with pytest.raises(ValidationError) as caught:
        Form().load(given)
    assert isinstance(caught.value.messages, dict)
    assert set(caught.value.messages) == set(given)
    return caught.value.messages


NO_IDS = [
    *(0, -1, 2**63, 2**64, 10**400, 1.0, 1.5, True, False),
    *("", "1.0", "-1", "+1", "1_0", " 1", "１", "²", "0x1", "1e3", "9" * 5000, "NaN"),
    *([], {}, [1]),
]


class TestRowId:
    @pytest.mark.parametrize("value", [1, 7, MAX_ID])
    def test_takes_what_a_row_can_have(self, value):
        assert Form().load({"row_id": value}) == {"row_id": value}
        assert Form().load({"row_id_as_text": str(value)}) == {"row_id_as_text": value}

    @pytest.mark.parametrize("value", [*NO_IDS, "1", None], ids=short)
    def test_refuses_anything_else(self, value):
        (found,) = reasons(row_id=value).values()

        assert found[0] in {"格式不对", "编号不对", "不能为空", "数字太大"}

    @pytest.mark.parametrize("value", NO_IDS, ids=short)
    def test_refuses_it_as_text_too(self, value):
        reasons(row_id_as_text=value)


class TestWords:
    @pytest.mark.parametrize("value", ["a", "三个字", "\U0001f600" * 3])
    def test_counts_characters(self, value):
        assert Form().load({"words": value}) == {"words": value}

    @pytest.mark.parametrize("value", ["", "四个字吧", "a\0", 1, 1.5, True, None, [], {}, b"\xff"])
    def test_refuses_anything_else(self, value):
        reasons(words=value)

    @pytest.mark.parametrize("value", ["abc\n", "\nabc", "ab c", "ABC", "abc\r", "abc\u2028"])
    def test_a_pattern_holds_for_all_of_it(self, value):
        assert set(reasons(pattern=value)["pattern"]) == {"格式不对"}


class TestOthers:
    @pytest.mark.parametrize("value", [0, 10, -1, 2**64, True, "x"])
    def test_a_count_has_its_range(self, value):
        reasons(count=value)

    @pytest.mark.parametrize("value", ["none", "", "ALL", 1, None, ["all"]])
    def test_one_of_is_one_of(self, value):
        reasons(one_of=value)

    @pytest.mark.parametrize("value", [[], [1, 2, 3], "12", {"0": 1}, None, 1])
    def test_a_list_has_its_length(self, value):
        reasons(ids=value)

    def test_a_list_names_the_bad_item(self):
        assert reasons(ids=[1, "2"]) == {"ids": {1: ["格式不对"]}}

    def test_an_unknown_field_is_refused(self):
        assert reasons(role="admin") == {"role": ["不认识这个字段"]}


class TestOverHttp:
    @pytest.mark.parametrize(
        "bill_ids",
        [*([value] for value in NO_IDS), [], None, "1", 1, {"a": 1}, [None]],
        ids=short,
    )
    def test_bill_ids_are_whole_numbers_in_a_list(self, owner, bill_ids, database):
        headers = {"Idempotency-Key": "key-00000001"}

        answer = owner.call("POST", "/payments", json={"bill_ids": bill_ids}, headers=headers)

        assert all(name.split(".")[0] == "bill_ids" for name in refusal(answer, 422)["fields"])
        assert database.value("SELECT count(*) FROM payment_order") == 0

    def test_at_most_fifty_bills_at_once(self, owner):
        answer = owner.start(list(range(1, 52)))

        assert refusal(answer, 422)["fields"] == {"bill_ids": ["应有 1 至 50 项"]}
