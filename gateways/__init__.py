"""Adapters to the world: they implement `services.ports` and turn vendor errors into two kinds."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from redis import Redis

from domain.messages import MESSAGES, MessageKind
from domain.payment_states import CHANNEL_SHOWN
from gateways.child_reader import ChildReader
from gateways.documents import OfficeDocuments
from gateways.file_stores import FileStoreProbe, open_store
from gateways.import_sheets import ImportWorkbooks
from gateways.mail import MailAccount, MailProbe, SmtpMail
from gateways.merchant_accounts import read_accounts
from gateways.message_templates import ChosenTemplate, read_templates
from gateways.mini_program import TokenProbe, WechatMiniProgram
from gateways.official_account import WechatOfficialAccount
from gateways.passwords import (
    Argon2Hasher,
    AuthenticatorCodes,
    FernetBox,
    common_passwords,
)
from gateways.pay_channels import MerchantChannels
from gateways.pay_probes import PayProbe
from gateways.photos import PillowPhotos
from gateways.slips import PrintedSlips
from gateways.sms import SmsAccount, SmsProbe, TencentSms
from gateways.subscribe_messages import WechatSubscribeMessages
from gateways.wechat_client import AppClient
from services.file_ports import FileStore, PhotoMaker
from services.pay_ports import PayChannels
from services.ports import (
    Clock,
    DocumentWriter,
    ImportSheetWriter,
    MailSender,
    MiniProgram,
    OfficialAccount,
    PasswordHasher,
    Probe,
    SecretBox,
    SmsSender,
    SubscribeSender,
    TotpCodes,
    WorkbookReader,
)
from services.printing import SlipWriter
from settings import Settings, SettingsMissing

__all__ = ["Gateways", "build"]


@dataclass(frozen=True, slots=True)
class Gateways:
    """All links to the world; ``probes`` in the order `flask doctor` asks them."""

    mini_program: MiniProgram
    official_account: OfficialAccount
    subscribe: SubscribeSender
    sms: SmsSender
    mail: MailSender
    password_hasher: PasswordHasher
    common_passwords: Container[str]
    secret_box: SecretBox
    totp: TotpCodes
    pay_channels: PayChannels
    workbooks: WorkbookReader
    import_sheets: ImportSheetWriter
    documents: DocumentWriter
    slips: SlipWriter
    file_store: FileStore
    photo_maker: PhotoMaker
    probes: tuple[Probe, ...]


def build(settings: Settings, redis: Redis, clock: Clock) -> Gateways:
    """Make every adapter; calls nobody.

    Raises:
        SettingsMissing: a key or account cannot be read, or the SMS provider is not one we know.
    """
    if settings.sms_provider != "tencent":
        raise SettingsMissing(["SMS_PROVIDER"])
    mini_client = AppClient(
        appid=settings.wechat_miniapp_appid,
        secret=settings.wechat_miniapp_secret,
        base_url=settings.wechat_api_base,
        redis=redis,
        clock=clock,
        width=settings.delivery_width,
    )
    official_client = AppClient(
        appid=settings.wechat_official_appid,
        secret=settings.wechat_official_secret,
        base_url=settings.wechat_api_base,
        redis=redis,
        clock=clock,
        width=settings.delivery_width,
    )
    sms_account = _sms_account(settings)
    mail = SmtpMail(_mail_account(settings))
    file_store = open_store(directory=settings.files_dir, url=settings.files_url)
    pay_channels = MerchantChannels(accounts=read_accounts(settings), clock=clock)
    return Gateways(
        mini_program=WechatMiniProgram(client=mini_client),
        official_account=WechatOfficialAccount(
            client=official_client,
            open_base=settings.wechat_open_base,
            templates=_official_templates(settings),
        ),
        subscribe=WechatSubscribeMessages(
            client=mini_client,
            templates=read_templates(
                "WECHAT_SUBSCRIBE_TEMPLATES",
                settings.wechat_subscribe_templates,
                {kind: shape.subscribe_fields for kind, shape in MESSAGES.items()},
            ),
            state=settings.wechat_miniapp_state,
        ),
        sms=TencentSms(account=sms_account, base_url=settings.sms_api_base),
        mail=mail,
        password_hasher=Argon2Hasher(),
        common_passwords=common_passwords(),
        secret_box=FernetBox(settings.secret_key.encode()),
        totp=AuthenticatorCodes(),
        pay_channels=pay_channels,
        workbooks=ChildReader(),
        import_sheets=ImportWorkbooks(),
        documents=OfficeDocuments(),
        slips=PrintedSlips(),
        file_store=file_store,
        photo_maker=PillowPhotos(),
        probes=(
            TokenProbe("微信小程序", mini_client),
            TokenProbe("微信公众号", official_client),
            *_pay_probes(pay_channels, clock),
            SmsProbe(sms_account),
            MailProbe(mail),
            FileStoreProbe(file_store),
        ),
    )


def _pay_probes(channels: PayChannels, clock: Clock) -> list[PayProbe]:
    """Make one for each account; only those beside the default are named by their number."""
    return [
        PayProbe(
            CHANNEL_SHOWN[one.channel]
            if one is channels.default(one.channel)
            else f"{CHANNEL_SHOWN[one.channel]} {one.mchid}",
            one,
            clock,
        )
        for one in channels.all()
    ]


def _official_templates(settings: Settings) -> dict[MessageKind, ChosenTemplate]:
    fields = {kind: shape.template_fields for kind, shape in MESSAGES.items()}
    always = {
        MessageKind.BILL_PUBLISHED: settings.wechat_template_bill_published,
        MessageKind.PAYMENT_RECEIVED: settings.wechat_template_payment_received,
    }
    return {
        kind: ChosenTemplate(template_id, fields[kind]) for kind, template_id in always.items()
    } | read_templates("WECHAT_TEMPLATES", settings.wechat_templates, fields)


def _sms_account(settings: Settings) -> SmsAccount:
    params = {kind: {key: key for key in shape.sms_params} for kind, shape in MESSAGES.items()}
    more = read_templates("SMS_TEMPLATES", settings.sms_templates, params)
    return SmsAccount(
        secret_id=settings.sms_secret_id,
        secret_key=settings.sms_secret_key,
        app_id=settings.sms_app_id,
        sign_name=settings.sms_sign_name,
        template_ids={
            MessageKind.LOGIN_CODE: settings.sms_template_login_code,
            MessageKind.BILL_PUBLISHED: settings.sms_template_bill_published,
            MessageKind.PAYMENT_RECEIVED: settings.sms_template_payment_received,
            MessageKind.HOUSE_REGISTERED: settings.sms_template_house_registered,
            **{kind: chosen.id for kind, chosen in more.items()},
        },
    )


def _mail_account(settings: Settings) -> MailAccount:
    return MailAccount(
        host=settings.mail_host,
        port=settings.mail_port,
        security=settings.mail_security,
        username=settings.mail_username,
        password=settings.mail_password,
        sender=settings.mail_sender,
    )
