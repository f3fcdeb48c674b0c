"""What a line of the personal data register says, in words that owners and reviewers read.

Source: 个人信息保护法 (PIPL) arts. 5, 6, 13, 19, 45, 47; reliability.md, "PIPL and MLPS".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Category(StrEnum):
    """What kind of personal information a column holds."""

    CONTACT = "联系方式"
    IDENTITY = "身份"
    PROPERTY = "财产与交易"
    WHEREABOUTS = "设备与网络地址"
    CREDENTIAL = "账号凭证"
    WORDS = "自由文字"


class Basis(StrEnum):
    """What allows us to hold it."""

    CONTRACT = "履行物业服务合同（个人信息保护法第十三条第一款第二项）"
    LAW = "履行法定义务（个人信息保护法第十三条第一款第三项）"
    CONSENT = "本人同意（个人信息保护法第十三条第一款第一项）"


class Keep(StrEnum):
    """How long it is held.

    Source: 会计档案管理办法 (财政部、国家档案局令第79号, in force 2016-01-01), 附表一: 原始凭证,
    记账凭证 and 账簿 30 years, 银行对账单 10 years, from the end of the accounting year (第十四条);
    网络安全法 art. 21(3): logs six months at least; 民法典 art. 188: claims three years.
    """

    ACCOUNT = "账号存续期间"
    OWNER = "产权或合同关系存续期间，终止且结清后再 3 年（民法典第一百八十八条诉讼时效）"
    CLAIM = "3 年（民法典第一百八十八条诉讼时效）"
    VOUCHER = "会计年度终了后 30 年（会计档案管理办法附表一：会计凭证、账簿）"
    STATEMENT = "会计年度终了后 10 年（会计档案管理办法附表一：银行对账单）"
    LOG = "190 天（网络安全法：网络日志不少于六个月）"
    WEEK = "7 天"
    SERVICE = "服务期间，作为操作记录一直保留"


LOG_KEPT, CLAIM_YEARS = timedelta(days=190), 3
"""What `Keep.LOG` and `Keep.CLAIM` are to a machine: six months are at most 184 days."""


class OnDeletion(StrEnum):
    """What closing one's account does with it."""

    ERASE = "删除"
    PSEUDONYMISE = "换成无意义的代号"
    EXPIRE = "不再使用，到期自动删除"
    FILE = "属于房屋档案，产权或合同关系存续期间保留，到期删除"
    KEEP = "依法保留至期满，期间只存储、不作他用"
    PROOF = "作为合规证明保留，只含账号代号"
    NOBODY = "不是业主的账号信息，不受影响"


@dataclass(frozen=True, slots=True)
class Held:
    """Columns of one table that are held for one reason, on one basis, for one time.

    ``columns`` map each to what it is. ``whose`` says who is described. What is ``exported`` is in
    the copy that owners ask for, each of its columns under its words, together with ``facts``:
    columns that are personal only beside the others. What is not says ``unexported`` why.
    """

    table: str
    title: str
    whose: str
    category: Category
    columns: Mapping[str, str]
    why: str
    basis: Basis
    kept: Keep
    on_deletion: OnDeletion
    exported: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    unexported: str = ""


def words_of(spec: str) -> dict[str, str]:
    """Read ``"phone 手机号, label 备注"`` as columns with what they are."""
    found = {}
    for one in spec.split(","):
        column, words = one.split()
        found[column] = words
    return found
