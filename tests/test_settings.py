from dataclasses import MISSING, FrozenInstanceError, fields

import pytest

from settings import Settings, SettingsMissing

KEY = "q7Zk2mW9xT4vB8nL1cR6"
NEEDED = [field.name.upper() for field in fields(Settings) if field.default is MISSING]
SECRETS = [field.name.upper() for field in fields(Settings) if field.metadata.get("secret")]
NUMBERS = [field.name.upper() for field in fields(Settings) if field.type == "int"]


@pytest.fixture
def environ():
    """What a production has in its environment."""
    return {name: f"{KEY}{number}" for number, name in enumerate([*NEEDED, *SECRETS])} | {
        "PUBLIC_BASE_URL": "https://anju.example",
        "TRUSTED_HOSTS": "anju.example, www.anju.example",
        "WECHAT_MINIAPP_AES_KEY": (KEY * 3)[:43],
        "WECHAT_OFFICIAL_AES_KEY": (KEY * 3)[1:44],
        "WECHATPAY_PUBLIC_KEY": KEY,
        "WECHATPAY_PUBLIC_KEY_ID": KEY,
        "ALIPAY_APP_ID": KEY,
        "ALIPAY_SELLER_ID": KEY,
        "ALIPAY_PUBLIC_KEY": KEY,
    }


def missing(environ):
    with pytest.raises(SettingsMissing) as refused:
        Settings.from_env(environ)
    return refused.value.names


class TestFromEnv:
    def test_reads_every_field_from_the_name_in_capitals(self, environ):
        settings = Settings.from_env(environ | {"DELIVERY_WIDTH": "7", "LOG_LEVEL": " DEBUG "})

        assert settings.secret_key == environ["SECRET_KEY"]
        assert settings.trusted_hosts == ("anju.example", "www.anju.example")
        assert (settings.delivery_width, settings.log_level) == (7, "DEBUG")

    def test_names_everything_that_is_missing_at_once(self):
        names = missing({})

        assert set(NEEDED) <= set(names)
        assert len(names) == len(set(names))

    @pytest.mark.parametrize("name", NEEDED)
    @pytest.mark.parametrize("value", [None, "", "   "])
    def test_names_each_one_that_is_missing_or_empty(self, environ, name, value):
        del environ[name]
        if value is not None:
            environ[name] = value

        assert name in missing(environ)

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            ((), ["PUBLIC_KEY", "PUBLIC_KEY_ID", "PLATFORM_CERTIFICATES"]),
            (("PUBLIC_KEY",), ["PUBLIC_KEY_ID"]),
            (("PUBLIC_KEY_ID",), ["PUBLIC_KEY"]),
            (("PLATFORM_CERTIFICATES",), []),
            (("PLATFORM_CERTIFICATES", "PUBLIC_KEY"), ["PUBLIC_KEY_ID"]),
            (("PLATFORM_CERTIFICATES", "PUBLIC_KEY", "PUBLIC_KEY_ID"), []),
        ],
    )
    def test_wechat_pay_needs_one_kind_of_key_of_the_platform(self, environ, given, named):
        del environ["WECHATPAY_PUBLIC_KEY"], environ["WECHATPAY_PUBLIC_KEY_ID"]
        environ |= {f"WECHATPAY_{name}": KEY for name in given}

        if named:
            assert missing(environ) == [f"WECHATPAY_{name}" for name in named]
        else:
            assert Settings.from_env(environ).wechatpay_mchid

    @pytest.mark.parametrize("name", ["APP_ID", "SELLER_ID", "PRIVATE_KEY", "PUBLIC_KEY"])
    def test_alipay_is_set_whole(self, environ, name):
        del environ[f"ALIPAY_{name}"]

        assert missing(environ) == [f"ALIPAY_{name}"]

    def test_alipay_may_be_left_out(self, environ):
        without = {name: value for name, value in environ.items() if "ALIPAY" not in name}

        assert Settings.from_env(without).alipay_app_id == ""

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize("value", ["change-me-please-change-me", "secretsecretsecret", "short"])
    def test_production_takes_no_placeholder_for_a_secret(self, environ, name, value):
        assert missing(environ | {name: value}) == [name]

    def test_names_all_placeholders_at_once(self, environ):
        assert set(missing(environ | dict.fromkeys(SECRETS, "changeme"))) == set(SECRETS)

    @pytest.mark.parametrize("name", NUMBERS)
    @pytest.mark.parametrize("value", ["x", "-1", "1.5", "1_000", "１２", "1e3", "9" * 5000, "0x1"])
    def test_a_number_is_plain_digits(self, environ, name, value):
        assert missing(environ | {name: value}) == [name]

    @pytest.mark.parametrize(
        ("name", "value", "named"),
        [
            ("DATABASE_URL", "postgresql+psycopg://anju:change-me@db/anju", "DATABASE_URL"),
            ("WECHATPAY_API_BASE", "http://127.0.0.1:8090/pay", "WECHATPAY_API_BASE (https)"),
            ("SMS_API_BASE", "http://127.0.0.1:8090", "SMS_API_BASE (https)"),
            ("WECHAT_MINIAPP_AES_KEY", KEY, "WECHAT_MINIAPP_AES_KEY (43 characters)"),
            ("LOG_LEVEL", "LOUD", "LOG_LEVEL (DEBUG, INFO, WARNING, ERROR)"),
        ],
    )
    def test_what_cannot_work_is_named_with_what_it_should_be(self, environ, name, value, named):
        assert missing(environ | {name: value}) == [named]

    def test_the_base_url_ends_without_a_slash(self, environ):
        settings = Settings.from_env(environ | {"PUBLIC_BASE_URL": "https://anju.example/"})

        assert settings.public_base_url == "https://anju.example"

    @pytest.mark.parametrize("value", [",", " , ,"])
    def test_a_list_of_nothing_is_missing(self, environ, value):
        assert missing(environ | {"TRUSTED_HOSTS": value}) == ["TRUSTED_HOSTS"]

    @pytest.mark.parametrize("value", ["http://anju.example", "anju.example", "ftp://x"])
    def test_production_is_reached_by_https_alone(self, environ, value):
        assert missing(environ | {"PUBLIC_BASE_URL": value}) == ["PUBLIC_BASE_URL (https)"]

    @pytest.mark.parametrize("value", ["production", "prod", "staging", "Development", "dev", ""])
    def test_anything_but_development_is_production(self, environ, value):
        assert missing(environ | {"ANJU_ENV": value, "SECRET_KEY": "short"}) == ["SECRET_KEY"]

    def test_development_takes_short_secrets_and_http(self, environ):
        loose = {
            "ANJU_ENV": "development",
            "SECRET_KEY": "x",
            "PUBLIC_BASE_URL": "http://localhost",
        }

        assert Settings.from_env(environ | loose).secret_key == "x"

    def test_a_key_on_one_line_gets_its_line_ends_back(self, environ):
        environ["WECHATPAY_PRIVATE_KEY"] = "-----BEGIN PRIVATE KEY-----\\nabc\\n-----END-----"

        assert Settings.from_env(environ).wechatpay_private_key.count("\n") == 2


class TestSecrecy:
    def test_no_secret_is_in_its_repr(self, environ):
        shown = repr(Settings.from_env(environ))

        for name in SECRETS:
            assert environ[name] not in shown, name

    def test_no_value_is_in_the_refusal(self, environ):
        with pytest.raises(SettingsMissing) as refused:
            Settings.from_env(environ | {"SECRET_KEY": "canary", "PROXY_HOPS": "canary"})

        assert "canary" not in str(refused.value)
        assert str(refused.value).startswith("Missing or unsafe settings: ")

    def test_whatever_is_named_like_a_secret_is_one(self):
        for field in fields(Settings):
            words = set(field.name.split("_"))
            if words & {"secret", "token", "password"} or field.name.endswith(
                ("_key", "_aes_key", "_database_url")
            ):
                is_public = field.name in {"wechatpay_public_key", "alipay_public_key"}
                assert field.metadata.get("secret") or is_public, field.name

    def test_nothing_changes_once_it_is_read(self, environ):
        with pytest.raises(FrozenInstanceError):
            setattr(Settings.from_env(environ), "secret_key", "x")  # noqa: B010 - mypy knows it too
