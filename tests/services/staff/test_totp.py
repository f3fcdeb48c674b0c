"""The second factor of staff. Source: RFC 6238; NIST SP 800-63B-4, 3.1.4."""

import pytest

from domain.actors import Permission, ReauthenticationNeeded
from domain.errors import NotAllowed
from services.sign_in_attempts import FREE_FAILURES, SignInTooSoon
from services.staff.proofs import TotpNeeded, WrongTotp
from services.staff.totp import NoTotpOffered
from tests.factories import actor_without


class TestSettingUp:
    def test_counts_only_once_it_was_proven(self, services, wang, row):
        services.staff_totp.offer(actor=wang.signed_in())

        assert wang.sign_in().token
        assert row(wang).totp_sealed == ""

    def test_the_secret_is_sealed(self, services, wang, row, with_totp):
        actor = wang.signed_in()
        offer = services.staff_totp.offer(actor=actor)

        kept = row(wang).totp_offered_sealed

        assert offer.secret not in kept
        assert services.staff_totp.proofs.box.open(kept) == offer.secret
        assert offer.secret in offer.uri

    def test_a_wrong_code_proves_nothing(self, services, wang):
        actor = wang.signed_in()
        services.staff_totp.offer(actor=actor)

        with pytest.raises(WrongTotp):
            services.staff_totp.confirm(actor=actor, code="000000")

        assert wang.sign_in().token

    def test_nothing_was_offered(self, services, wang):
        with pytest.raises(NoTotpOffered):
            services.staff_totp.confirm(actor=wang.signed_in(), code="000000")

    def test_takes_a_fresh_session_of_ones_own(self, services, wang, stale):
        actor = wang.signed_in()
        for act in (
            lambda who: services.staff_totp.offer(actor=who),
            lambda who: services.staff_totp.confirm(actor=who, code="000000"),
            lambda who: services.staff_totp.switch_off(actor=who),
        ):
            with pytest.raises(ReauthenticationNeeded):
                act(stale(actor))
            with pytest.raises(NotAllowed):
                act(actor_without(Permission.MANAGE_OWN_STAFF_SESSION))

    def test_is_on_record_without_the_secret(self, wang, with_totp, audit, database):
        _, recovery = with_totp(wang)

        assert "staff_totp_on" in audit()
        kept = str(database.rows("SELECT * FROM audit_entry")) + str(
            database.rows("SELECT * FROM recovery_code")
        )
        assert not [code for code in recovery if code in kept]


class TestSigningIn:
    def test_asks_for_a_code_only_after_the_right_password(self, wang, with_totp):
        code, _ = with_totp(wang)

        with pytest.raises(TotpNeeded):
            wang.sign_in()

        assert wang.sign_in(totp=code()).token

    def test_each_code_is_taken_once(self, wang, with_totp, clock):
        code, _ = with_totp(wang)
        used = code()
        wang.sign_in(totp=used)

        with pytest.raises(WrongTotp):
            wang.sign_in(totp=used)

        clock.advance(seconds=30)
        assert wang.sign_in(totp=code()).token

    def test_the_same_code_many_times_at_once_opens_one_session(
        self, wang, with_totp, together, database
    ):
        code, _ = with_totp(wang)
        used, before = code(), database.value("SELECT count(*) FROM staff_session")

        results = together(*[lambda: wang.sign_in(totp=used)] * 5)

        assert sum(isinstance(one, WrongTotp) for one in results) == 4
        assert database.value("SELECT count(*) FROM staff_session") == before + 1

    def test_a_recovery_code_stands_in_once(self, wang, with_totp):
        _, recovery = with_totp(wang)
        assert len(set(recovery)) == 10

        assert wang.sign_in(totp=recovery[0].upper()).token
        with pytest.raises(WrongTotp):
            wang.sign_in(totp=recovery[0])

        assert wang.sign_in(totp=recovery[1]).token

    def test_a_recovery_code_of_somebody_else_is_none(self, wang, administrator, with_totp):
        with_totp(wang)
        _, theirs = with_totp(administrator)

        with pytest.raises(WrongTotp):
            wang.sign_in(totp=theirs[0])

    def test_guesses_are_counted(self, wang, with_totp):
        with_totp(wang)
        for _ in range(FREE_FAILURES):
            with pytest.raises(WrongTotp):
                wang.sign_in(totp="000000")

        with pytest.raises(SignInTooSoon):
            wang.sign_in(totp="000000")

    def test_to_be_asked_for_the_code_is_no_failure(self, wang, with_totp):
        with_totp(wang)

        for _ in range(FREE_FAILURES + 2):
            with pytest.raises(TotpNeeded):
                wang.sign_in()


class TestSwitchingOff:
    def test_ends_it_and_asks_for_a_new_password(self, services, wang, with_totp, row):
        code, _ = with_totp(wang)

        services.staff_totp.switch_off(actor=wang.signed_in(totp=code()))

        assert row(wang).totp_sealed == ""
        assert wang.sign_in().must_first == "change_password"
