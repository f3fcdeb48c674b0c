"""Words that many lines of the register share."""

OWNER, STAFF, PAYER = "业主及住户", "员工", "付款人、收款人"
CREDENTIAL = "凭证只存不可还原的摘要，不提供副本"
SECURITY = "用于防范冒用的安全记录，只含摘要或网络地址"
OTHERS = "可能含有他人信息；与本人有关的内容已在其他部分提供"
STAFF_ONLY = "员工资料，由公司人事渠道提供副本"
