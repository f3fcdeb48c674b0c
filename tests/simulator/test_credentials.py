"""The accounts: kept once opened, and completed when an older file lacks some."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from simulator.chance import Chance
from simulator.credentials import load_or_make


class TestAlipay:
    def test_each_tenant_has_its_own_app(self) -> None:
        accounts = load_or_make(None, Chance("x"))

        ours, theirs = (accounts.as_console("http://x", t) for t in ("main", "foreign"))

        assert ours["ALIPAY_API_BASE"] == "http://x/ali/gateway.do"
        assert (ours["ALIPAY_APP_ID"][:4], len(ours["ALIPAY_APP_ID"])) == ("2021", 16)
        assert (ours["ALIPAY_SELLER_ID"][:4], len(ours["ALIPAY_SELLER_ID"])) == ("2088", 16)
        assert ours["ALIPAY_PRIVATE_KEY"].startswith("-----BEGIN PRIVATE KEY-----")
        load_pem_private_key(ours["ALIPAY_PRIVATE_KEY"].encode(), None)
        load_pem_public_key(ours["ALIPAY_PUBLIC_KEY"].encode())
        differ = [key for key in ours if key.startswith("ALIPAY_") and ours[key] == theirs[key]]
        assert differ == ["ALIPAY_API_BASE"]

    def test_a_file_from_before_alipay_is_completed_once(self, tmp_path: Path) -> None:
        path = tmp_path / "credentials.json"
        load_or_make(tmp_path, Chance("x"))
        old = json.loads(path.read_text("utf-8"))
        del old["alipay"]
        path.write_text(json.dumps(old), "utf-8")

        first = load_or_make(tmp_path, Chance("y")).as_console("")
        second = load_or_make(tmp_path, Chance("z")).as_console("")

        assert first == second
        assert first["WECHATPAY_MCHID"] == old["merchants"][0]["mchid"]
        assert first["ALIPAY_APP_ID"]
        assert path.stat().st_mode & 0o777 == 0o600
