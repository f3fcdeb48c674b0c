"""More merchant accounts from a file, and everything by which such a file can be wrong."""

import json
from dataclasses import replace

import pytest

from domain.payment_states import PaymentChannel
from gateways.merchant_accounts import read_accounts
from gateways.pay_channels import MerchantChannels
from gateways.platform_keys import private_pem, public_pem
from services.pay_ports import MerchantUnknown
from settings import SettingsMissing

SECRET = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"


def toml(kind, values):
    return f"[[{kind}]]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in values.items()
    )


@pytest.fixture
def wechat(settings):
    """A second merchant as the file has it."""
    return {
        "mchid": "1699999999",
        "apiv3_key": "k" * 32,
        "private_key": settings.wechatpay_private_key,
        "cert_serial": "A" * 40,
        "public_key": settings.wechatpay_public_key,
        "public_key_id": "PUB_KEY_ID_2",
    }


@pytest.fixture
def alipay(settings):
    return {
        "app_id": "2021999999999999",
        "seller_id": "2088999999999999",
        "private_key": settings.alipay_private_key,
        "public_key": settings.alipay_public_key,
    }


@pytest.fixture
def read(settings, tmp_path):
    """Read the accounts of the settings and of a file with this text."""

    def read(text, **changes):
        path = tmp_path / "merchants.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_accounts(replace(settings, merchants_file=str(path), **changes))

    return read


@pytest.fixture
def wrong(read):
    """What is named when the file is read; a key's text never is."""

    def wrong(text, **changes):
        with pytest.raises(SettingsMissing) as raised:
            read(text, **changes)
        assert SECRET not in str(raised.value)
        assert "KEY-----" not in str(raised.value)
        return raised.value.names

    return wrong


class TestFile:
    def test_more_accounts_follow_the_defaults(self, read, settings, clock, wechat, alipay):
        accounts = read(toml("wechatpay", wechat) + toml("alipay", alipay))
        channels = MerchantChannels(accounts=accounts, clock=clock)

        assert [(one.channel, one.mchid) for one in channels.all()] == [
            ("wechat", settings.wechatpay_mchid),
            ("wechat", "1699999999"),
            ("alipay", settings.alipay_seller_id),
            ("alipay", "2088999999999999"),
        ]
        assert channels.default(PaymentChannel.WECHAT).mchid == settings.wechatpay_mchid
        assert channels.of("alipay", "2088999999999999").app_id == "2021999999999999"

    @pytest.mark.parametrize(
        ("channel", "mchid"), [("wechat", "1"), ("alipay", "1699999999"), ("", "1699999999")]
    )
    def test_account_without_keys(self, read, clock, wechat, channel, mchid):
        channels = MerchantChannels(accounts=read(toml("wechatpay", wechat)), clock=clock)

        with pytest.raises(MerchantUnknown):
            channels.of(channel, mchid)

    def test_alipay_of_the_file_is_the_default_where_the_settings_have_none(
        self, read, clock, alipay
    ):
        nothing = dict.fromkeys(
            ("alipay_app_id", "alipay_seller_id", "alipay_private_key", "alipay_public_key"), ""
        )

        accounts = read(toml("alipay", alipay), **nothing)

        channel = MerchantChannels(accounts=accounts, clock=clock).default(PaymentChannel.ALIPAY)
        assert channel.mchid == "2088999999999999"

    def test_without_alipay(self, settings, clock):
        accounts = read_accounts(replace(settings, alipay_app_id=""))

        channels = MerchantChannels(accounts=accounts, clock=clock)
        assert channels.default(PaymentChannel.ALIPAY) is None
        assert len(channels.all()) == 1

    def test_keys_in_files_beside_it(self, read, wechat, tmp_path):
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys" / "apiclient_key.pem").write_text(wechat.pop("private_key"))
        wechat["private_key_file"] = "keys/apiclient_key.pem"

        accounts = read(toml("wechatpay", wechat))

        assert accounts.wechat[1].private_key.key_size == 2048

    def test_bare_keys_as_alipays_tool_writes_them(self, read, alipay):
        account = read(toml("alipay", alipay)).alipay[1]

        def bare(pem):
            return "".join(pem.strip().split("\n")[1:-1])

        texts = {
            "private_key": bare(private_pem(account.private_key)),
            "public_key": bare(public_pem(account.public_key)),
        }

        again = read(toml("alipay", {**alipay, **texts})).alipay[1]
        assert again.public_key.public_numbers() == account.public_key.public_numbers()

    def test_empty_file(self, read):
        assert len(read("").wechat) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "mchid",
            f'[[wechatpay]]\nprivate_key = "{SECRET}',
            f"[[wechatpay]]\nprivate_key = {SECRET}\n",
            b"\xff\xfe",
            "#" * 1_100_000,
        ],
        ids=["word", "open", "bare", "bytes", "long"],
    )
    def test_no_toml(self, wrong, text):
        assert wrong(text) == ["MERCHANTS_FILE (a readable TOML file)"]

    def test_no_file(self, settings, tmp_path):
        with pytest.raises(SettingsMissing, match="MERCHANTS_FILE"):
            read_accounts(replace(settings, merchants_file=str(tmp_path / "nowhere.toml")))

    @pytest.mark.parametrize("kind", ["wechatpay", "alipay"])
    @pytest.mark.parametrize("value", ['"x"', "1", "[1]", "{mchid = '1'}"])
    def test_table_is_none(self, wrong, kind, value):
        assert wrong(f"{kind} = {value}\n") == [f"MERCHANTS_FILE {kind} (written as [[{kind}]])"]

    def test_unknown_table(self, wrong):
        assert wrong("[[unionpay]]\nmchid = '1'\n") == ["MERCHANTS_FILE unionpay (unknown)"]

    @pytest.mark.parametrize("name", ["mchid", "apiv3_key", "private_key", "cert_serial"])
    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_field_of_wechat_pay_is_missing(self, wrong, wechat, name, value):
        del wechat[name]
        if value is not None:
            wechat[name] = value

        assert wrong(toml("wechatpay", wechat)) == [f"MERCHANTS_FILE wechatpay[1].{name}"]

    @pytest.mark.parametrize("name", ["app_id", "seller_id", "private_key", "public_key"])
    def test_field_of_alipay_is_missing(self, wrong, alipay, name):
        whole = toml("alipay", alipay)
        del alipay[name]

        assert f"MERCHANTS_FILE alipay[2].{name}" in wrong(whole + toml("alipay", alipay))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("private_key", SECRET),
            ("private_key", "-----BEGIN PRIVATE KEY-----\n" + SECRET),
            ("public_key", SECRET),
            ("platform_certificates", SECRET),
            ("apiv3_key", "k" * 31),
            ("apiv3_key", "钥" * 32),
        ],
    )
    def test_key_that_is_none(self, wrong, wechat, name, value):
        assert wrong(toml("wechatpay", {**wechat, name: value})) == [
            f"MERCHANTS_FILE wechatpay[1].{name}"
        ]

    def test_private_key_where_the_public_belongs(self, wrong, wechat):
        wechat["public_key"] = wechat["private_key"]

        assert wrong(toml("wechatpay", wechat)) == ["MERCHANTS_FILE wechatpay[1].public_key"]

    def test_no_key_of_the_platform(self, wrong, wechat):
        del wechat["public_key"], wechat["public_key_id"]

        assert wrong(toml("wechatpay", wechat)) == [
            f"MERCHANTS_FILE wechatpay[1].{name}"
            for name in ("public_key", "public_key_id", "platform_certificates")
        ]

    @pytest.mark.parametrize("name", ["public_key", "public_key_id"])
    def test_half_a_public_key(self, wrong, wechat, name):
        del wechat[name]

        assert wrong(toml("wechatpay", wechat)) == [f"MERCHANTS_FILE wechatpay[1].{name}"]

    @pytest.mark.parametrize(
        ("name", "value"), [("notify_url", "x"), ("mchid_file_file", "x"), ("cert_serial", 12)]
    )
    def test_field_that_is_unknown_or_no_text(self, wrong, wechat, name, value):
        named = wrong(toml("wechatpay", {**wechat, name: value}))

        assert f"MERCHANTS_FILE wechatpay[1].{name} (unknown or twice)" in named

    def test_key_inline_and_in_a_file(self, wrong, wechat):
        both = {**wechat, "private_key_file": "key.pem"}

        assert wrong(toml("wechatpay", both)) == [
            "MERCHANTS_FILE wechatpay[1].private_key_file (unknown or twice)"
        ]

    @pytest.mark.parametrize("name", ["nowhere.pem", ".", "/dev/null/x"])
    def test_key_file_that_is_not_there(self, wrong, wechat, name):
        del wechat["private_key"]
        wechat["private_key_file"] = name

        assert "MERCHANTS_FILE wechatpay[1].private_key_file (a readable file)" in wrong(
            toml("wechatpay", wechat)
        )

    def test_all_that_is_wrong_at_once(self, wrong, wechat, alipay):
        del wechat["mchid"], alipay["seller_id"]

        assert wrong(toml("wechatpay", wechat) + toml("alipay", alipay) + "[odd]\n") == [
            "MERCHANTS_FILE wechatpay[1].mchid",
            "MERCHANTS_FILE alipay[1].seller_id",
            "MERCHANTS_FILE odd (unknown)",
        ]

    def test_account_that_comes_twice(self, wrong, wechat, settings):
        wechat["mchid"] = settings.wechatpay_mchid

        assert wrong(toml("wechatpay", wechat)) == [
            f"MERCHANTS_FILE wechatpay mchid {settings.wechatpay_mchid} (twice)"
        ]

    @pytest.mark.parametrize("name", ["app_id", "seller_id"])
    def test_alipay_app_or_seller_that_comes_twice(self, wrong, alipay, settings, name):
        number = getattr(settings, f"alipay_{name}")

        assert wrong(toml("alipay", {**alipay, name: number})) == [
            f"MERCHANTS_FILE alipay {name} {number} (twice)"
        ]

    @pytest.mark.parametrize("kind", ["wechatpay", "alipay"])
    def test_production_speaks_tls(self, wrong, read, wechat, alipay, kind):
        values = {"wechatpay": wechat, "alipay": alipay}[kind]
        text = toml(kind, {**values, "api_base": "http://pay.example"})
        safe = {
            "anju_env": "production",
            "wechatpay_api_base": "https://api.mch.weixin.qq.com",
            "alipay_api_base": "https://openapi.alipay.com/gateway.do",
        }

        assert wrong(text, **safe) == [f"MERCHANTS_FILE {kind}[1].api_base (https)"]
        assert read(text)

    def test_no_key_in_a_printed_account(self, read, wechat, alipay):
        accounts = read(toml("wechatpay", wechat) + toml("alipay", alipay))

        printed = repr(accounts)
        assert wechat["apiv3_key"] not in printed
        assert "RSAPrivateKey" not in printed
