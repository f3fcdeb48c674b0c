"""What may stand in a checklist, and what may be found of it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.checklists import (
    ChecklistItem,
    Finding,
    check_findings,
    check_items,
    find_loosened,
    items_from_json,
    items_to_json,
)
from domain.errors import InvalidInput
from domain.maintenance_states import Verdict
from domain.statutory_maintenance import STATUTORY_LIBRARY

PRESSURE = ChecklistItem(
    "p", "压力", needs_photo=True, needs_value=True, unit="MPa", low=Decimal("0.8"), high=Decimal(2)
)
LOOK = ChecklistItem("l", "外观")
GOOD = Finding("p", Verdict.NORMAL, Decimal("1.2"), photo_ids=(1,))
SEEN = Finding("l", Verdict.NORMAL)


def problems(*findings, items=(PRESSURE, LOOK)):
    with pytest.raises(InvalidInput) as refused:
        check_findings(items, findings)
    return refused.value.fields


class TestItems:
    @pytest.mark.parametrize(
        "item",
        [
            ChecklistItem("", "外观"),
            ChecklistItem("x", ""),
            ChecklistItem("x", " 外观"),
            ChecklistItem("x", "长" * 300),
            ChecklistItem("x" * 300, "外观"),
            ChecklistItem("x", "外\x07观"),
            ChecklistItem("x", "外观", needs_value=True, unit="长" * 300),
            ChecklistItem("x", "外观", needs_value=True, low=Decimal(2), high=Decimal(1)),
            ChecklistItem("x", "外观", needs_value=True, low=Decimal("NaN")),
            ChecklistItem("x", "外观", needs_value=True, high=Decimal("Infinity")),
            ChecklistItem("x", "外观", needs_value=True, high=Decimal(10**12)),
            ChecklistItem("x", "外观", low=Decimal(1)),
        ],
    )
    def test_refuses_what_cannot_be_used(self, item):
        with pytest.raises(InvalidInput) as refused:
            check_items([LOOK, item])

        assert refused.value.fields["checklist"][0].startswith("第 2 项")

    @pytest.mark.parametrize("items", [[], [LOOK] * 61, [LOOK, LOOK]])
    def test_refuses_a_list_of_no_use(self, items):
        with pytest.raises(InvalidInput):
            check_items(items)

    def test_writing_and_reading_changes_nothing(self):
        assert items_from_json(items_to_json([PRESSURE, LOOK])) == (PRESSURE, LOOK)

    def test_the_library_can_be_used(self):
        for one in STATUTORY_LIBRARY:
            assert check_items(one.checklist)
            assert one.source
        assert len({one.code for one in STATUTORY_LIBRARY}) == len(STATUTORY_LIBRARY)


class TestFindings:
    def test_come_back_in_the_order_of_the_list(self):
        assert check_findings([PRESSURE, LOOK], [SEEN, GOOD]) == [(PRESSURE, GOOD), (LOOK, SEEN)]

    @pytest.mark.parametrize(
        ("finding", "why"),
        [
            (replace(GOOD, value=None), "请填写读数"),
            (replace(GOOD, photo_ids=()), "请上传照片"),
            (replace(GOOD, value=Decimal("2.1")), "读数超出范围，应判为异常"),
            (replace(GOOD, value=Decimal("0.79")), "读数超出范围，应判为异常"),
            (replace(GOOD, value=Decimal("NaN")), "读数不是数字，最多 6 位小数"),
            (replace(GOOD, value=Decimal("1.0000001")), "读数不是数字，最多 6 位小数"),
            (replace(GOOD, verdict=Verdict.ABNORMAL), "异常或不适用时请写明情况"),
            (Finding("p", Verdict.NOT_APPLICABLE), "异常或不适用时请写明情况"),
            (replace(GOOD, verdict=Verdict.ABNORMAL, note="漏", photo_ids=()), "请上传照片"),
            (replace(GOOD, note="长" * 201), "说明请在 200 个字以内"),
        ],
    )
    def test_refuses_what_does_not_hold(self, finding, why):
        assert problems(finding, SEEN) == {"results.p": [why]}

    @pytest.mark.parametrize(
        "finding",
        [
            replace(GOOD, value=Decimal("0.8")),
            replace(GOOD, value=Decimal(2)),
            replace(GOOD, value=Decimal(9), verdict=Verdict.ABNORMAL, note="压力过高"),
            Finding("p", Verdict.NOT_APPLICABLE, note="已拆除"),
        ],
    )
    def test_takes_what_does(self, finding):
        assert check_findings([PRESSURE], [finding]) == [(PRESSURE, finding)]

    def test_a_photo_from_before_is_enough(self):
        again = replace(GOOD, photo_ids=())

        assert check_findings([PRESSURE], [again], photographed={"p"}) == [(PRESSURE, again)]

    def test_every_item_has_one_finding_and_no_other_has(self):
        assert problems(GOOD) == {"results.l": ["还没有填写结果"]}
        assert problems(GOOD, SEEN, SEEN) == {"results.l": ["同一项填了两次"]}
        assert problems(GOOD, SEEN, Finding("x", Verdict.NORMAL)) == {
            "results.x": ["清单中没有这一项"]
        }


class TestLoosened:
    @pytest.mark.parametrize(
        ("own", "told"),
        [
            ([LOOK], "少了“压力”"),
            ([replace(PRESSURE, needs_photo=False), LOOK], "“压力”不要求照片"),
            ([replace(PRESSURE, needs_value=False, low=None, high=None), LOOK], "“压力”不要求读数"),
            ([replace(PRESSURE, low=Decimal("0.7")), LOOK], "“压力”的范围更宽"),
            ([replace(PRESSURE, high=None), LOOK], "“压力”的范围更宽"),
        ],
    )
    def test_tells_what_is_less(self, own, told):
        assert find_loosened(own, [PRESSURE, LOOK]) == [told]

    @pytest.mark.parametrize(
        "own",
        [
            [PRESSURE, LOOK],
            [replace(PRESSURE, low=Decimal(1)), replace(LOOK, needs_photo=True)],
            [ChecklistItem("z", "另查"), PRESSURE, LOOK],
        ],
    )
    def test_as_much_or_more_is_well(self, own):
        assert find_loosened(own, [PRESSURE, LOOK]) == []
