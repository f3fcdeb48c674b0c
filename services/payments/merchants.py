"""Which merchant account takes a community's money; its keys are in the settings, never here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import Conflict, NotFound
from domain.payment_states import CHANNEL_SHOWN, ONLINE, PaymentChannel
from models import Community, CommunityMerchant
from services.audit import record
from services.pay_ports import PayChannel, PayChannels
from services.unit_of_work import Transaction, UnitOfWork


class ChannelNotOffered(Conflict):
    """No merchant account of the channel takes money for the community, or not in this way."""

    code = "channel_not_offered"
    message = "暂不支持这种支付方式，请换一种"


@dataclass(frozen=True, slots=True)
class MerchantView:
    """Who takes a community's money of a channel; ``is_default`` where the community names none."""

    channel: PaymentChannel
    mchid: str
    is_default: bool
    has_keys: bool


def channel_for(
    session: Session, channels: PayChannels, *, community_id: int, channel: PaymentChannel
) -> PayChannel:
    """Find the merchant account that takes a community's money of a channel.

    Raises:
        ChannelNotOffered: there is none.
        MerchantUnknown: the community names one whose keys we do not hold.
    """
    mchid = session.execute(
        select(CommunityMerchant.mchid).where(
            CommunityMerchant.community_id == community_id, CommunityMerchant.channel == channel
        )
    ).scalar_one_or_none()
    if mchid is not None:
        return channels.of(channel, mchid)
    found = channels.default(channel)
    if found is None:
        raise ChannelNotOffered
    return found


@dataclass(frozen=True)
class MerchantAccounts:
    """Which community pays into which account."""

    unit_of_work: UnitOfWork
    channels: PayChannels

    def show(self, *, actor: Actor, community_id: int) -> Sequence[MerchantView]:
        """Show who takes a community's money, one line per channel that is offered.

        Raises:
            NotFound: no such community.
        """
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            if session.get(Community, community_id) is None:
                raise NotFound
            named = {
                row.channel: row.mchid
                for row in session.scalars(
                    select(CommunityMerchant).where(CommunityMerchant.community_id == community_id)
                )
            }
        known = {(one.channel, one.mchid) for one in self.channels.all()}
        views = []
        for channel in sorted(ONLINE):
            default = self.channels.default(channel)
            mchid = named.get(channel) or (default.mchid if default else "")
            if mchid:
                views.append(
                    MerchantView(channel, mchid, channel not in named, (channel, mchid) in known)
                )
        return views

    def assign(
        self, *, actor: Actor, community_id: int, channel: PaymentChannel, mchid: str | None
    ) -> None:
        """Let an account take a community's money from now on; None goes back to the default.

        Orders that are open, and refunds of what was paid, stay with the account that they name.

        Raises:
            NotFound: no such community.
            MerchantUnknown: the settings hold no keys for the account.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        if mchid is not None:
            self.channels.of(channel, mchid)

        def work(tx: Transaction) -> None:
            if tx.session.get(Community, community_id) is None:
                raise NotFound
            tx.session.execute(
                delete(CommunityMerchant).where(
                    CommunityMerchant.community_id == community_id,
                    CommunityMerchant.channel == channel,
                )
            )
            if mchid is not None:
                tx.session.execute(
                    insert(CommunityMerchant).values(
                        community_id=community_id, channel=channel, mchid=mchid, set_at=tx.now
                    )
                )
            record(
                tx,
                actor,
                "merchant_assigned",
                subject_type="community",
                subject_id=community_id,
                community_id=community_id,
                facts={"channel": CHANNEL_SHOWN[channel], "mchid": mchid or "默认"},
            )

        self.unit_of_work.run(work)
