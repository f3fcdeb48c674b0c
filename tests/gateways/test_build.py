"""All adapters together: made from settings, and none calls anybody until it is asked."""

from dataclasses import replace

import pytest

from gateways import build
from settings import SettingsMissing


class TestBuild:
    def test_calls_nobody(self, settings, dead_redis, clock, simulator):
        build(settings, dead_redis, clock)

        assert simulator.journal() == []

    def test_every_probe_works_and_says_so_in_chinese(self, gateways):
        said = {probe.name: probe.check() for probe in gateways.probes}

        assert list(said) == [
            "微信小程序",
            "微信公众号",
            "微信支付",
            "支付宝",
            "短信",
            "邮件",
            "文件存储",
        ]
        assert all(any("一" <= letter <= "鿿" for letter in line) for line in said.values())

    def test_unknown_sms_provider(self, settings, redis, clock):
        with pytest.raises(SettingsMissing, match="SMS_PROVIDER"):
            build(replace(settings, sms_provider="carrier-pigeon"), redis, clock)

    def test_no_secret_in_a_printed_adapter(self, gateways, settings):
        printed = repr(gateways) + repr(gateways.probes)

        assert settings.sms_secret_id not in printed
        assert settings.sms_secret_key not in printed
        assert settings.wechat_miniapp_secret not in printed
