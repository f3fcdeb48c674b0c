import operator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.formulas import VARIABLES_SHOWN, BadFormula, Formula, FormulaFailed
from domain.money import round_half_up

HOUSE = {
    "area": Decimal("89.3700"),
    "inner_area": Decimal("71.50"),
    "coefficient": Decimal("0.7"),
    "floor": 12,
    "households": 3,
    "months": Fraction(15, 31),
    "usage": Decimal("24.25"),
}


def evaluate(text, constants=None, **values):
    return Formula.read(text, constants or {}).evaluate({**HOUSE, **values})


class TestEvaluate:
    @pytest.mark.parametrize(
        ("text", "yuan"),
        [
            ("0", 0),
            ("area * 2.35", Fraction("210.0195")),
            ("area × 2.35 × months", Fraction("210.0195") * Fraction(15, 31)),
            ("１２．５＋（floor－２）×0.5", Fraction("17.5")),
            ("  7 −\u30003\t÷\n2 ", Fraction("5.5")),
            ("1 + 2 * 3", 7),
            ("8 / 2 / 2", 2),
            ("8 - 2 - 1", 5),
            ("-(2 - 5)", 3),
            ("--2", 2),
            ("2 * -3 + 7", 1),
            ("min(area, 50, floor)", 12),
            ("max(usage，30) * 1", 30),
            ("round(1.005, 2)", Fraction("1.01")),
            ("round(2.5, 0)", 3),
            ("4 + round(-2.5, 0)", 1),
            ("round(1 / 3, 6)", Fraction("0.333333")),
            ("0.1 + 0.2", Fraction("0.3")),
            ("1 / 3 * 3", 1),
            ("123456789.12345678 - 123456789", Fraction("0.12345678")),
            ("(min)(1, 2)", 1),
        ],
    )
    def test_is_exact(self, text, yuan):
        assert evaluate(text) == yuan

    def test_reads_the_float_trap_of_the_golden_vectors_as_decimal(self):
        yuan = evaluate("area * 0.15", area=Decimal("130.70"))

        assert round_half_up(yuan * 100) == 1961

    def test_uses_declared_constants(self):
        constants = {"base": Decimal("3.50"), "per_floor": Decimal("-0.02")}

        assert evaluate("base + per_floor * floor", constants) == Fraction("3.26")

    def test_asks_only_for_the_variables_that_it_uses(self):
        formula = Formula.read("area * base + floor", {"base": Decimal(2)})

        assert formula.variables == {"area", "floor"}
        assert formula.evaluate({"area": Decimal(10), "floor": 1, "usage": None}) == 21

    def test_keeps_the_text_as_typed(self):
        assert Formula.read(" area × ２ ").text == " area × ２ "

    def test_the_same_text_is_the_same_formula(self):
        assert Formula.read("round(area, 2)") == Formula.read("round(area, 2)")

    @pytest.mark.parametrize(
        ("text", "values", "why"),
        [
            ("1 / 0", {}, "公式里除数为 0"),
            ("area / (floor - 12)", {}, "公式里除数为 0"),
            ("3 - floor", {}, "公式的结果小于 0"),
            ("0 * usage", {"usage": None}, "公式需要用量，但没有填写"),
            ("1000000000", {}, "公式的结果超过 999,999,999.99 元"),
            ("999999999.991", {}, "公式的结果超过 999,999,999.99 元"),
        ],
    )
    def test_fails_loudly_and_never_gives_a_zero(self, text, values, why):
        with pytest.raises(FormulaFailed) as failed:
            evaluate(text, **values)

        assert failed.value.why == why

    def test_a_variable_that_is_absent_is_missing(self):
        with pytest.raises(FormulaFailed, match="公式需要计费面积"):
            Formula.read("area").evaluate({})

    def test_the_largest_amount_is_still_an_amount(self):
        assert evaluate("999999999.99") == Fraction("999999999.99")


class TestRead:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "公式是空的"),
            (" \u3000\n", "公式是空的"),
            (None, "公式是空的"),
            ("1 +", "公式没有写完"),
            ("(area", "公式第 1 个字“(”附近写法不对"),
            ("  area )", "公式第 8 个字“)”附近写法不对"),
            ("1 2", "公式第 3 个字“2”附近写法不对"),
            ("area area", "公式第 6 个字“area”附近写法不对"),
            ("()", "公式第 1 个字“()”写法不对"),
            ("  1, 2", "公式第 3 个字“1, 2”写法不对"),
            ("2 ** 3", "公式第 3 个字“**”不能用在公式里"),
            ("7 // 2", "公式第 3 个字“//”不能用在公式里"),
            ("7 % 2", "公式第 3 个字“%”不能用在公式里"),
            ("area.real", "公式第 5 个字“.”不能用在公式里"),
            ("面积 * 2", "公式第 1 个字“面”不能用在公式里"),
            ("Area", "公式第 1 个字“A”不能用在公式里"),
            ("price × 2", "公式第 1 个字“price”不是变量、常数或函数"),
            ("1 if area else 2", "公式第 3 个字“if”不是变量、常数或函数"),
            ("__import__(1)", "公式第 1 个字“__import__”不是变量、常数或函数"),
            ("２area", "公式第 1 个字“2area”不是数字，整数最多 12 位，小数最多 8 位，例如 0.85"),
            ("+ 1", "公式第 1 个字“+ 1”写法不对"),
            ("min", "公式第 1 个字“min”写法不对"),
            ("area(2)", "公式第 1 个字“area(2)”写法不对"),
            ("2(3)", "公式第 1 个字“2(3)”写法不对"),
            ("min(1)", "公式第 1 个字“min(1)”至少要比较两个数"),
            ("max(*area, 2)", "公式第 5 个字“*area”写法不对"),
            ("round(area)", "公式第 1 个字“round(area)”应当写成 round(数, 位数)，位数为 0 到 6"),
            (
                "round(area, 7)",
                "公式第 1 个字“round(area, 7)”应当写成 round(数, 位数)，位数为 0 到 6",
            ),
            (
                "round(area, floor)",
                "公式第 1 个字“round(area, floor)”应当写成 round(数, 位数)，位数为 0 到 6",
            ),
        ],
    )
    def test_names_the_part_and_where_it_stands(self, text, message):
        with pytest.raises(BadFormula) as refused:
            Formula.read(text)

        assert refused.value.message == message

    @pytest.mark.parametrize(
        "number", ["1e5", "0x10", "1_000", "1j", "007", "1.", "1.2.3", "9" * 13, "0.123456789"]
    )
    def test_numbers_are_plain(self, number):
        with pytest.raises(BadFormula, match="不是数字"):
            Formula.read(f"area + {number}")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("1" * 501, "超过 500 个字"),
            ("+".join(["1"] * 51), "使公式太长"),
            ("-" * 100 + "1", "使公式太长"),
            ("(" * 21 + "1" + ")" * 21, "使括号超过 20 层"),
            ("(" * 499, "使括号超过 20 层"),
        ],
    )
    def test_has_limits(self, text, why):
        with pytest.raises(BadFormula, match=why):
            Formula.read(text)

    def test_what_is_just_inside_the_limits_is_read(self):
        assert evaluate("+".join(["1"] * 50)) == 50
        assert evaluate("-" * 98 + "1") == 1
        assert evaluate("(" * 20 + "1" + ")" * 20) == 1

    @pytest.mark.parametrize(
        "name", ["", "A", "1a", "a b", "_a", "a" * 22, "area", "min", "round", "if", "in", "单价"]
    )
    def test_constants_have_names_of_their_own(self, name):
        with pytest.raises(BadFormula, match="常数名"):
            Formula.read("1", {name: Decimal(1)})

    @pytest.mark.parametrize(
        "value", ["NaN", "Infinity", "1E+999999", "1E-999999", "1E+12", "0.000000001"]
    )
    def test_constants_are_numbers_of_a_sensible_size(self, value):
        with pytest.raises(BadFormula, match="常数“base”的值不能用"):
            Formula.read("base", {"base": Decimal(value)})

    @given(st.text(max_size=60))
    @example("\x00")
    @example("\ud800")
    @example("1\\\n+1")
    def test_any_text_is_read_or_refused(self, text):
        with suppress(BadFormula):
            Formula.read(text)

    @given(
        st.lists(
            st.sampled_from(
                [
                    *VARIABLES_SHOWN,
                    *"+-*/(),0123 .",
                    "min(",
                    "max(",
                    "round(",
                    "×",
                    "（",
                    "if",
                    "0.",
                ]
            ),
            max_size=60,
        ).map("".join)
    )
    def test_any_words_of_ours_are_read_or_refused_and_give_an_amount_or_fail(self, text):
        try:
            yuan = evaluate(text)
        except (BadFormula, FormulaFailed):
            return

        assert yuan >= 0


SYMBOLS = {"+": operator.add, "-": operator.sub, "×": operator.mul, "÷": operator.truediv}
NUMBERS = st.decimals(min_value=0, max_value=9999, places=4)


@st.composite
def expressions(draw, depth=3):
    """A formula's text with its exact value worked out by hand, None for a division by zero."""
    if not depth or draw(st.integers(0, 4)) == 0:
        if draw(st.booleans()):
            name = draw(st.sampled_from(sorted(HOUSE)))
            return name, Fraction(HOUSE[name])
        number = draw(NUMBERS)
        return f"{number:f}", Fraction(number)
    first, one = draw(expressions(depth=depth - 1))
    second, two = draw(expressions(depth=depth - 1))
    form = draw(st.sampled_from([*SYMBOLS, "min", "max", "neg", "round"]))
    if form == "neg":
        return f"-({first})", None if one is None else -one
    if form == "round":
        places = draw(st.integers(0, 6))
        value = None if one is None else Fraction(round_half_up(one * 10**places), 10**places)
        return f"round({first}, {places})", value
    text = f"{form}({first}，{second})" if form in ("min", "max") else f"({first} {form} {second})"
    if one is None or two is None or (form == "÷" and two == 0):
        return text, None
    work = {"min": min, "max": max, **SYMBOLS}[form]
    return text, work(one, two)


@given(expressions())
def test_random_formulas_give_what_fractions_give_by_hand(expression):
    text, exact = expression
    formula = Formula.read(text)
    if exact is None or not 0 <= exact <= Fraction("999999999.99"):
        with pytest.raises(FormulaFailed):
            formula.evaluate(HOUSE)
    else:
        assert formula.evaluate(HOUSE) == exact
