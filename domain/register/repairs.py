"""Personal data in repairs."""

from __future__ import annotations

from domain.personal_data import Basis, Category, Held, Keep, OnDeletion, words_of
from domain.register.words import OTHERS, OWNER, STAFF

_ON_PAGE = "在小程序“我的报修”中可查看"

REPAIRS = (
    Held(
        "repair_order",
        "报修",
        OWNER,
        Category.CONTACT,
        words_of("contact_name 联系人, contact_phone 联系电话"),
        "上门前联系报修人",
        Basis.CONTRACT,
        Keep.SERVICE,
        OnDeletion.KEEP,
        unexported=_ON_PAGE,
    ),
    Held(
        "repair_order",
        "报修",
        OWNER,
        Category.WORDS,
        words_of("description 问题描述, measure 处理措施"),
        "处理报修、分析故障",
        Basis.CONTRACT,
        Keep.SERVICE,
        OnDeletion.KEEP,
        unexported=_ON_PAGE,
    ),
    Held(
        "repair_event",
        "报修进展",
        f"{OWNER}、{STAFF}",
        Category.WORDS,
        words_of("actor_name 操作人, note 说明"),
        "报修进展与责任追溯，不可更改",
        Basis.CONTRACT,
        Keep.SERVICE,
        OnDeletion.KEEP,
        unexported=_ON_PAGE,
    ),
    Held(
        "repair_quote",
        "维修报价",
        OWNER,
        Category.WORDS,
        words_of("note 报价说明"),
        "有偿维修经业主同意",
        Basis.CONTRACT,
        Keep.SERVICE,
        OnDeletion.KEEP,
        unexported=_ON_PAGE,
    ),
    Held(
        "repair_rating",
        "报修评价",
        OWNER,
        Category.WORDS,
        words_of("note 评价内容"),
        "改进服务",
        Basis.CONTRACT,
        Keep.SERVICE,
        OnDeletion.KEEP,
        unexported=_ON_PAGE,
    ),
    Held(
        "repair_follow_up",
        "报修回访",
        OWNER,
        Category.WORDS,
        words_of("note 回访内容"),
        "改进服务",
        Basis.CONTRACT,
        Keep.SERVICE,
        OnDeletion.KEEP,
        unexported=OTHERS,
    ),
)
