from datetime import UTC, datetime

import pyotp
import pytest
from argon2 import PasswordHasher

from gateways.passwords import (
    Argon2Hasher,
    AuthenticatorCodes,
    FernetBox,
    common_passwords,
)

NOW = datetime(2026, 11, 25, 4, 0, 10, tzinfo=UTC)


class TestArgon2Hasher:
    def test_knows_its_own(self):
        hasher = Argon2Hasher()
        made = hasher.hash("three green ladders")

        assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert hasher.verify(made, "three green ladders")
        assert not hasher.verify(made, "three green ladder")
        assert not hasher.needs_rehash(made)

    def test_the_same_password_never_looks_the_same(self):
        hasher = Argon2Hasher()

        assert hasher.hash("x") != hasher.hash("x")

    @pytest.mark.parametrize("odd", ["", "nonsense", "$argon2id$v=19$"])
    def test_what_is_no_hash_is_never_right(self, odd):
        assert not Argon2Hasher().verify(odd, "")

    def test_old_parameters_are_seen(self):
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x")

        assert Argon2Hasher().verify(weak, "x")
        assert Argon2Hasher().needs_rehash(weak)


class TestFernetBox:
    def test_opens_what_it_sealed(self):
        box = FernetBox(b"a secret of the program")
        sealed = box.seal("JBSWY3DP")

        assert "JBSWY3DP" not in sealed
        assert sealed != box.seal("JBSWY3DP")
        assert box.open(sealed) == "JBSWY3DP"

    def test_not_under_another_key_and_not_when_changed(self):
        sealed = FernetBox(b"one").seal("JBSWY3DP")

        for box, words in ((FernetBox(b"two"), sealed), (FernetBox(b"one"), sealed[:-4] + "AAAA")):
            with pytest.raises(ValueError, match="another key"):
                box.open(words)


class TestAuthenticatorCodes:
    def test_is_rfc_6238(self):
        """Source: RFC 6238, appendix B, SHA-1, the last six of the eight digits."""
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        codes = AuthenticatorCodes()

        for second, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
            at = datetime.fromtimestamp(second, UTC)
            assert codes.step_of(secret=secret, code=code, at=at) == second // 30

    def test_one_step_before_and_after_is_taken(self):
        codes = AuthenticatorCodes()
        secret = codes.new_secret()
        now = int(NOW.timestamp()) // 30

        for step in (-2, -1, 0, 1, 2):
            code = pyotp.TOTP(secret).generate_otp(now + step)
            expected = now + step if abs(step) <= 1 else None
            assert codes.step_of(secret=secret, code=code, at=NOW) == expected

    @pytest.mark.parametrize("code", ["", "１２３４５６", "abc", "0" * 5000])
    def test_nonsense_is_no_code(self, code):
        codes = AuthenticatorCodes()

        assert codes.step_of(secret=codes.new_secret(), code=code, at=NOW) is None

    def test_the_address_for_the_app(self):
        uri = AuthenticatorCodes().uri(secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", login_name="wang")

        assert uri.startswith("otpauth://totp/")
        assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in uri


def test_the_list_of_common_passwords():
    words = common_passwords()

    assert len(words) > 5_000
    assert {"password", "123456", "woaini1314", "wuye123456", "88888888"} <= words
    assert all(word == word.lower() for word in words)
