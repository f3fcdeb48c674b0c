"""Formulas that a manager types for an item: read by a small grammar, evaluated exactly."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from keyword import iskeyword
from types import MappingProxyType
from typing import NamedTuple

from domain.errors import InvalidInput
from domain.money import MAX_FEN, divide_half_up
from domain.troubles import NotChargeable

VARIABLES_SHOWN: Mapping[str, str] = MappingProxyType(
    {
        "area": "计费面积",
        "inner_area": "套内面积",
        "coefficient": "收费系数",
        "floor": "楼层",
        "households": "户数",
        "months": "月数",
        "usage": "用量",
    }
)
"""What a formula may use of a house and its period, with the Chinese names."""
CHARACTERS_LIMIT = 500
NODES_LIMIT = 100
NESTING_LIMIT = 20
PLACES_LIMIT = 6

_FUNCTIONS = frozenset({"min", "max", "round"})
_PLAIN_FORMS = str.maketrans(
    "０１２３４５６７８９（），．＋－−×＊÷／\u3000\t\r\n",
    "0123456789(),.+--**//    ",
)
"""Full-width and printed forms; one for one, so that positions stay those of the typed text."""
_TOKEN = re.compile(
    r" *(?:(?P<number>[0-9][0-9a-z_.]*)|(?P<name>[a-z_][a-z0-9_]*)|(?P<operator>\*\*|//|[-+*/])"
    r"|(?P<mark>[(),])|(?P<strange>[^ ]))"
)
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,8})?")
_PLACES = re.compile(rf"[0-{PLACES_LIMIT}]")
_CONSTANT_NAME = re.compile(r"[a-z][a-z0-9_]{0,20}")
_CONSTANT_LIMIT = 10**12
_CONSTANT_STEP = Decimal("0.00000001")
_OPERATIONS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class BadFormula(InvalidInput):
    """The text is no formula of ours; the message names the part and where it stands."""

    code = "bad_formula"
    message = "公式有误，请检查"


class FormulaFailed(NotChargeable):
    """A formula gives no amount for a house: an exception row, never a zero."""


class _Operation(NamedTuple):
    work: Callable[..., Fraction]
    arguments: tuple[_Node, ...]


_Node = Fraction | str | _Operation
"""A number, the name of a variable, or an operation on such."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula in yuan, as typed, with the ``variables`` it uses; made by `read`.

    Source: domain.md D1, ``formula``.
    """

    text: str
    variables: frozenset[str]
    _root: _Node

    @classmethod
    def read(cls, text: str, constants: Mapping[str, Decimal] = MappingProxyType({})) -> Formula:
        """Read a formula; ``constants`` are the names that the item declares, with their values.

        Allowed are + - * / (also × ÷ and full-width forms), parentheses, numbers, ``min`` and
        ``max`` of two or more, ``round(x, 0 to 6 places)`` half up, the variables, the constants.

        Raises:
            BadFormula: anything else, more than 500 characters, 100 numbers, names and operators
                or 20 levels of parentheses, or a constant that may not be declared.
        """
        _check_constants(constants)
        if not isinstance(text, str) or not text.strip():
            raise BadFormula("公式是空的")
        if len(text) > CHARACTERS_LIMIT:
            raise BadFormula(f"公式超过 {CHARACTERS_LIMIT} 个字")
        plain = text.translate(_PLAIN_FORMS)
        tokens = list(_tokens(plain))
        for token in tokens:
            _check_token(token, constants)
        _check_size(tokens)
        used = VARIABLES_SHOWN.keys() & {token.text for token in tokens}
        # Only now may Python's parser see it: it is short, flat, and of known words.
        return cls(text, frozenset(used), _Reader(plain, constants).read())

    def evaluate(self, values: Mapping[str, Decimal | int | Fraction | None]) -> Fraction:
        """Compute the exact yuan for one house; variables that are not used are not looked at.

        Raises:
            FormulaFailed: a variable has no value, a division by zero, or a result that is
                negative or above 999,999,999.99 yuan.
        """
        known = {}
        for name in sorted(self.variables):
            value = values.get(name)
            if value is None:
                raise FormulaFailed(f"公式需要{VARIABLES_SHOWN[name]}，但没有填写")
            known[name] = Fraction(value)
        try:
            yuan = _value(self._root, known)
        except ZeroDivisionError:
            raise FormulaFailed("公式里除数为 0") from None
        if yuan < 0:
            raise FormulaFailed("公式的结果小于 0")
        if yuan * 100 > MAX_FEN:
            raise FormulaFailed("公式的结果超过 999,999,999.99 元")
        return yuan


def _value(node: _Node, known: Mapping[str, Fraction]) -> Fraction:
    if isinstance(node, Fraction):
        return node
    if isinstance(node, str):
        return known[node]
    return node.work(*[_value(argument, known) for argument in node.arguments])


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def _tokens(plain: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(plain):
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind))


def _bad(position: int, part: str, why: str) -> BadFormula:
    shown = part if len(part) <= 20 else f"{part[:20]}…"
    return BadFormula(f"公式第 {position + 1} 个字“{shown}”{why}")


def _check_constants(constants: Mapping[str, Decimal]) -> None:
    for name, value in constants.items():
        if not _CONSTANT_NAME.fullmatch(name) or iskeyword(name):
            raise BadFormula(
                f"常数名“{name[:20]}”不能用，应当由小写字母、数字和下划线组成，最多 21 个字"
            )
        if name in VARIABLES_SHOWN or name in _FUNCTIONS:
            raise BadFormula(f"常数名“{name}”已有别的含义，请换一个")
        # Quantizing is cheap for any exponent; an exact ratio of a huge one would not be.
        if not (
            value.is_finite()
            and abs(value) < _CONSTANT_LIMIT
            and value == value.quantize(_CONSTANT_STEP)
        ):
            raise BadFormula(f"常数“{name}”的值不能用，整数最多 12 位，小数最多 8 位")


def _check_token(token: _Token, constants: Mapping[str, Decimal]) -> None:
    kind, part, position = token
    if kind == "strange" or part in ("**", "//"):
        raise _bad(position, part, "不能用在公式里")
    if kind == "number" and not _NUMBER.fullmatch(part):
        raise _bad(position, part, "不是数字，整数最多 12 位，小数最多 8 位，例如 0.85")
    if kind == "name" and not (part in VARIABLES_SHOWN or part in _FUNCTIONS or part in constants):
        raise _bad(position, part, "不是变量、常数或函数")


def _check_size(tokens: list[_Token]) -> None:
    """Check the limits; each number, name and operator becomes one node of the tree."""
    nodes = depth = 0
    for kind, part, position in tokens:
        if kind == "mark":
            depth += {"(": 1, ")": -1}.get(part, 0)
        else:
            nodes += 1
        if depth > NESTING_LIMIT:
            raise _bad(position, part, f"使括号超过 {NESTING_LIMIT} 层")
        if nodes > NODES_LIMIT:
            raise _bad(position, part, f"使公式太长，数、名称和运算符最多 {NODES_LIMIT} 个")


def _negate(number: Fraction) -> Fraction:
    return -number


def _round(number: Fraction, places: Fraction) -> Fraction:
    scale = 10 ** int(places)
    return Fraction(divide_half_up(number.numerator * scale, number.denominator), scale)


class _Reader:
    """Turns Python's tree of a checked text into nodes; whatever is not ours is refused."""

    def __init__(self, plain: str, constants: Mapping[str, Decimal]) -> None:
        self._source = plain.strip(" ")
        self._shift = plain.index(self._source)
        self._constants = constants

    def read(self) -> _Node:
        try:
            tree = ast.parse(self._source, mode="eval")
        except SyntaxError as error:
            # Python counts from 1; 0 is the end, where something is still missing.
            if not error.offset:
                raise BadFormula("公式没有写完") from None
            start = error.offset - 1
            until = max((error.end_offset or 0) - 1, start + 1)
            raise _bad(self._shift + start, self._source[start:until], "附近写法不对") from None
        return self._read(tree.body)

    def _read(self, node: ast.expr) -> _Node:
        match node:
            case ast.Constant():
                return Fraction(self._part(node))
            case ast.Name(id=name) if name not in _FUNCTIONS:
                return Fraction(self._constants[name]) if name in self._constants else name
            case ast.BinOp(left=left, op=op, right=right):
                return _Operation(_OPERATIONS[type(op)], (self._read(left), self._read(right)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _Operation(_negate, (self._read(operand),))
            case ast.Call(func=ast.Name(id="round")):
                return self._read_round(node)
            case ast.Call(func=ast.Name(id="min" | "max" as name)):
                return self._read_choice(node, min if name == "min" else max)
        raise self._bad(node, "写法不对")

    def _read_round(self, node: ast.Call) -> _Node:
        if len(node.args) != 2 or not _PLACES.fullmatch(self._part(node.args[1])):
            raise self._bad(node, f"应当写成 round(数, 位数)，位数为 0 到 {PLACES_LIMIT}")
        return _Operation(_round, (self._read(node.args[0]), self._read(node.args[1])))

    def _read_choice(self, node: ast.Call, work: Callable[..., Fraction]) -> _Node:
        if len(node.args) < 2:
            raise self._bad(node, "至少要比较两个数")
        return _Operation(work, tuple(self._read(argument) for argument in node.args))

    def _part(self, node: ast.expr) -> str:
        return self._source[node.col_offset : node.end_col_offset]

    def _bad(self, node: ast.expr, why: str) -> BadFormula:
        return _bad(self._shift + node.col_offset, self._part(node), why)
