"""Who signs: the platform's public-key pair, a certificate, or now one and now the other."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_certificates

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Answer, Merchant
from tests.simulator.platforms import Platforms


def set_mode(platforms: Platforms, mode: str) -> dict[str, Any]:
    shown: dict[str, Any] = platforms.control("key_mode", {"mode": mode})
    return shown


def ask(merchant: Merchant, serial: str | None = None) -> Answer:
    target = f"/v3/pay/transactions/out-trade-no/NOSUCH01?mchid={merchant.mchid}"
    return merchant.call("GET", target, headers={"Wechatpay-Serial": serial} if serial else {})


def callback(platforms: Platforms) -> dict[str, Any]:
    made: dict[str, Any] = platforms.control("craft/pay_callback", {})
    return made


@pytest.fixture
def certificate(settings: dict[str, str]) -> str:
    return settings["WECHATPAY_PLATFORM_CERTIFICATES"]


def serial_of(pem: str) -> str:
    return f"{load_pem_x509_certificate(pem.encode()).serial_number:X}"


class TestCertificate:
    def test_is_in_the_console(self, settings: dict[str, str]) -> None:
        (certificate,) = load_pem_x509_certificates(
            settings["WECHATPAY_PLATFORM_CERTIFICATES"].encode()
        )

        assert len(f"{certificate.serial_number:X}") == 40
        age = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert age.days == 5 * 365

    def test_is_not_of_the_public_key(self, merchant: Merchant, certificate: str) -> None:
        key = load_pem_x509_certificate(certificate.encode()).public_key()

        assert key != merchant.public


class TestModes:
    def test_only_the_key_unless_told(
        self, merchant: Merchant, platforms: Platforms, certificate: str
    ) -> None:
        refused = ask(merchant, serial_of(certificate))

        assert (refused.status, refused.data["code"]) == (400, "PARAM_ERROR")
        assert refused.is_signed
        listed = merchant.call("GET", "/v3/certificates")
        assert (listed.status, listed.data["code"]) == (404, "RESOURCE_NOT_EXISTS")

    def test_by_certificate(
        self, merchant: Merchant, platforms: Platforms, certificate: str
    ) -> None:
        set_mode(platforms, "cert")

        made, plain, named = (
            callback(platforms),
            ask(merchant),
            ask(merchant, serial_of(certificate)),
        )

        assert merchant.has_signed(made["headers"], made["body"], certificate)
        assert made["headers"]["Wechatpay-Serial"] == serial_of(certificate)
        for answer in (plain, named):
            assert answer.headers["Wechatpay-Serial"] == serial_of(certificate)
            assert merchant.has_signed(answer.headers, answer.text, certificate)
            assert answer.status == 404
        by_key = ask(merchant, merchant.settings["WECHATPAY_PUBLIC_KEY_ID"])
        assert (by_key.status, by_key.data["code"]) == (400, "PARAM_ERROR")

    def test_after_the_switch(
        self, merchant: Merchant, platforms: Platforms, certificate: str
    ) -> None:
        set_mode(platforms, "pubkey")
        key_id = merchant.settings["WECHATPAY_PUBLIC_KEY_ID"]

        serials = [ask(merchant, one).headers["Wechatpay-Serial"] for one in (None, key_id)]

        assert serials == [key_id, key_id]
        assert callback(platforms)["headers"]["Wechatpay-Serial"] == key_id
        # The old way still works: answers follow what the request names.
        old = ask(merchant, serial_of(certificate))
        assert merchant.has_signed(old.headers, old.text, certificate)

    def test_in_between_callbacks_are_now_one_now_the_other(
        self, merchant: Merchant, platforms: Platforms, certificate: str
    ) -> None:
        set_mode(platforms, "grey:50")
        key_id = merchant.settings["WECHATPAY_PUBLIC_KEY_ID"]

        made = [callback(platforms) for _ in range(40)]

        for one in made:
            is_by_key = one["headers"]["Wechatpay-Serial"] == key_id
            pem = None if is_by_key else certificate
            assert merchant.has_signed(one["headers"], one["body"], pem)
        serials = {one["headers"]["Wechatpay-Serial"] for one in made}
        assert serials == {key_id, serial_of(certificate)}

    @pytest.mark.parametrize(("percent", "is_by_key"), [(0, False), (100, True)])
    def test_none_and_all_of_them(
        self, merchant: Merchant, platforms: Platforms, percent: int, is_by_key: bool
    ) -> None:
        set_mode(platforms, f"grey:{percent}")

        made = [callback(platforms) for _ in range(10)]

        signed = [merchant.has_signed(one["headers"], one["body"]) for one in made]
        assert signed == [is_by_key] * 10

    def test_in_between_answers_follow_the_request(
        self, merchant: Merchant, platforms: Platforms, certificate: str
    ) -> None:
        set_mode(platforms, "grey:100")
        key_id = merchant.settings["WECHATPAY_PUBLIC_KEY_ID"]

        asked = [key_id, serial_of(certificate), None]
        serials = [ask(merchant, one).headers["Wechatpay-Serial"] for one in asked]

        assert serials == [key_id, serial_of(certificate), serial_of(certificate)]

    def test_real_callbacks_and_their_retries_too(
        self, merchant: Merchant, platforms: Platforms, backend: Backend, certificate: str
    ) -> None:
        owner = platforms.control("people", {"phone": "19900000001"})
        backend.always(500)
        merchant.order(merchant.form(owner["openid_miniapp"], "KEYS000001", backend.url))
        platforms.control("pay/KEYS000001", {"wait": True})
        set_mode(platforms, "cert")
        platforms.advance(15)

        first, second = backend.received
        assert merchant.has_signed(first.headers, first.body.decode())
        assert merchant.has_signed(second.headers, second.body.decode(), certificate)

    def test_are_each_tenants_own(self, platforms: Platforms) -> None:
        platforms.control("key_mode", {"mode": "cert", "tenant": "foreign"})

        modes = {one["tenant"]: one["mode"] for one in platforms.look("key_mode")["merchants"]}
        assert modes == {"main": "pubkey_only", "foreign": "cert"}

    @pytest.mark.parametrize("mode", ["certs", "grey", "grey:", "grey:101", "grey:-1", None])
    def test_nonsense_is_refused(self, platforms: Platforms, mode: Any) -> None:
        platforms.control("key_mode", {"mode": mode}, status=400)


class TestList:
    def certificates(self, merchant: Merchant) -> list[str]:
        """Fetch, decrypt and check the list as a merchant does."""
        answer = merchant.call("GET", "/v3/certificates")
        assert answer.status == 200, answer.data
        cipher = AESGCM(merchant.settings["WECHATPAY_APIV3_KEY"].encode())
        pems = []
        for one in answer.data["data"]:
            sealed = one["encrypt_certificate"]
            assert sealed["algorithm"] == "AEAD_AES_256_GCM"
            pem = cipher.decrypt(
                sealed["nonce"].encode(),
                base64.b64decode(sealed["ciphertext"]),
                sealed["associated_data"].encode(),
            ).decode()
            read = load_pem_x509_certificate(pem.encode())
            assert one["serial_no"] == serial_of(pem)
            assert datetime.fromisoformat(one["effective_time"]) == read.not_valid_before_utc
            assert datetime.fromisoformat(one["expire_time"]) == read.not_valid_after_utc
            pems.append(pem)
        return pems

    @pytest.mark.parametrize("mode", ["cert", "grey:10", "pubkey"])
    def test_has_the_certificate(
        self, merchant: Merchant, platforms: Platforms, certificate: str, mode: str
    ) -> None:
        set_mode(platforms, mode)

        assert self.certificates(merchant) == [certificate]

    def test_has_both_during_a_rotation(
        self, merchant: Merchant, platforms: Platforms, certificate: str
    ) -> None:
        set_mode(platforms, "cert")

        shown = platforms.control("rotate_certificate")

        pems = self.certificates(merchant)
        assert pems == [one["pem"] for one in shown["certificates"]]
        assert pems[0] == certificate
        assert platforms.settings()["WECHATPAY_PLATFORM_CERTIFICATES"] == "".join(pems)
        assert len({serial_of(one) for one in pems}) == 2


class TestRotation:
    def test_both_sign(self, merchant: Merchant, platforms: Platforms) -> None:
        set_mode(platforms, "cert")
        old, new = platforms.control("rotate_certificate")["certificates"]

        made = [callback(platforms) for _ in range(40)]

        pems = {one["serial"]: one["pem"] for one in (old, new)}
        for one in made:
            pem = pems[one["headers"]["Wechatpay-Serial"]]
            assert merchant.has_signed(one["headers"], one["body"], pem)
        assert {one["headers"]["Wechatpay-Serial"] for one in made} == set(pems)

    @pytest.mark.parametrize(("percent", "place"), [(0, 0), (100, 1)])
    def test_in_the_share_asked_for(
        self, merchant: Merchant, platforms: Platforms, percent: int, place: int
    ) -> None:
        set_mode(platforms, "cert")
        both = platforms.control("rotate_certificate", {"percent_new": percent})["certificates"]

        serials = {callback(platforms)["headers"]["Wechatpay-Serial"] for _ in range(10)}

        assert serials == {both[place]["serial"]}
        # Answers follow the request still, whatever the share.
        for one in both:
            answer = ask(merchant, one["serial"])
            assert answer.headers["Wechatpay-Serial"] == one["serial"]

    def test_ends(self, merchant: Merchant, platforms: Platforms) -> None:
        set_mode(platforms, "cert")
        old, new = platforms.control("rotate_certificate")["certificates"]

        shown = platforms.control("rotate_certificate", {"retire": True})

        assert [one["serial"] for one in shown["certificates"]] == [new["serial"]]
        assert ask(merchant, old["serial"]).status == 400
        assert ask(merchant, new["serial"]).status == 404

    def test_a_second_one_drops_the_first(self, platforms: Platforms, certificate: str) -> None:
        first = platforms.control("rotate_certificate")["certificates"][1]
        second = platforms.control("rotate_certificate")["certificates"]

        assert len(second) == 2
        assert second[0]["serial"] == first["serial"]

    def test_a_reset_goes_back(self, platforms: Platforms, certificate: str) -> None:
        platforms.control("rotate_certificate")
        set_mode(platforms, "cert")

        platforms.control("reset")

        shown = platforms.look("key_mode")["merchants"][0]
        assert shown["mode"] == "pubkey_only"
        assert [one["pem"] for one in shown["certificates"]] == [certificate]

    def test_nonsense_is_refused(self, platforms: Platforms) -> None:
        platforms.control("rotate_certificate", {"percent_new": 101}, status=400)
        platforms.control("rotate_certificate", {"tenant": "x"}, status=400)


class TestCraft:
    def test_by_certificate_whatever_the_mode(
        self, platforms: Platforms, merchant: Merchant, certificate: str
    ) -> None:
        for faults in (["by_certificate"], ["not_json", "by_certificate"]):
            made = platforms.control("craft/pay_callback", {"faults": faults})

            assert made["headers"]["Wechatpay-Serial"] == serial_of(certificate)
            assert merchant.has_signed(made["headers"], made["body"], certificate)


class TestRestart:
    def test_accounts_of_before_get_a_certificate_and_keep_the_rest(
        self,
        start_simulator: Callable[..., Any],
        http: requests.Session,
        tmp_path: Path,
    ) -> None:
        process = start_simulator("--state", str(tmp_path))
        before = Platforms(process.url, http).settings()
        assert process.stop() == 0
        path = tmp_path / "credentials.json"
        data = json.loads(path.read_text())
        for merchant in data["merchants"]:
            del merchant["certificate"]
        path.write_text(json.dumps(data))

        process = start_simulator("--state", str(tmp_path))
        after = Platforms(process.url, http).settings()
        assert process.stop() == 0

        changed = {name for name in before if before[name] != after[name]}
        addresses = {name for name in before if name.endswith("_BASE")} | {"MAIL_PORT"}
        assert changed - addresses == {"WECHATPAY_PLATFORM_CERTIFICATES"}
        kept = json.loads(path.read_text())["merchants"][0]["certificate"]["pem"]
        assert kept == after["WECHATPAY_PLATFORM_CERTIFICATES"]
        assert path.stat().st_mode & 0o077 == 0

    def test_a_rotation_goes_on(
        self,
        start_simulator: Callable[..., Any],
        http: requests.Session,
        tmp_path: Path,
    ) -> None:
        process = start_simulator("--state", str(tmp_path))
        platforms = Platforms(process.url, http)
        set_mode(platforms, "cert")
        platforms.control("rotate_certificate")
        before = platforms.look("key_mode")
        assert process.stop() == 0

        process = start_simulator("--state", str(tmp_path))
        assert Platforms(process.url, http).look("key_mode") == before
        assert process.stop() == 0
