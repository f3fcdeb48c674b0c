"""Amounts in capitals (人民币大写), as receipts and vouchers state them against alteration."""

from __future__ import annotations

from domain.money import MAX_FEN

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("仟", "佰", "拾", "")
_GROUPS = ("亿", "万", "")


def in_capitals(amount_fen: int) -> str:
    """Write an amount in capitals, without the word 人民币 that must stand right before it.

    Where the rules leave a choice: 整 follows 元 and never 角; a 0 at the place of 元 before a 角
    is written 零, as in 壹仟陆佰捌拾元零叁角贰分; a 0 at the place of 万 before a 仟 is not, as in
    壹拾万柒仟元零伍角叁分. Less than a yuan begins with its 角 or 分.

    Raises:
        ValueError: negative, over 999,999,999.99 yuan, or not a whole number of fen.

    Source: 支付结算办法 (银发〔1997〕393号) 附一 正确填写票据和结算凭证的基本规定, 2 to 4.
    """
    if type(amount_fen) is not int or not 0 <= amount_fen <= MAX_FEN:
        raise ValueError(f"no amount for capitals: {amount_fen!r}")
    yuan, cents = divmod(amount_fen, 100)
    if not cents:
        return f"{_whole(yuan) or '零'}元整"
    return (f"{_whole(yuan)}元" if yuan else "") + _parts_of_a_yuan(yuan, *divmod(cents, 10))


def _whole(yuan: int) -> str:
    """Write whole yuan by groups of four places; nothing for 0."""
    groups = f"{yuan:012d}"
    words = ""
    for number, name in enumerate(_GROUPS):
        group = groups[4 * number : 4 * number + 4]
        if int(group):
            has_gap = bool(words) and (group[0] == "0" or words.endswith("零"))
            words = words.removesuffix("零") + ("零" if has_gap else "") + _group(group) + name
        elif words and not words.endswith("零"):
            words += "零"
    return words.removesuffix("零")


def _group(group: str) -> str:
    """Write four places; zeros between two digits are one 零, those at either end nothing."""
    words = ""
    for digit, place in zip(group, _PLACES, strict=True):
        if digit != "0":
            words += _DIGITS[int(digit)] + place
        elif not words.endswith("零"):
            words += "零"
    return words.strip("零")


def _parts_of_a_yuan(yuan: int, jiao: int, fen: int) -> str:
    has_gap = yuan > 0 and (jiao == 0 or yuan % 10 == 0)
    return "".join(
        (
            "零" if has_gap else "",
            f"{_DIGITS[jiao]}角" if jiao else "",
            f"{_DIGITS[fen]}分" if fen else "",
        )
    )
