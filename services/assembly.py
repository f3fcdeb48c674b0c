"""Every capability, wired once per process, and where an app keeps it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine

from domain.imports import ImportKind
from services.accounts import Accounts
from services.approvals.decisions import MoneyDecisions
from services.approvals.payment_refunds import PaymentRefundRequests
from services.approvals.requests import MoneyRequests
from services.audit_chain import AuditChain
from services.base_data.building_lists import BuildingLists
from services.base_data.buildings import BuildingRegister
from services.base_data.cars import CarRegister
from services.base_data.communities import CommunityRegister
from services.base_data.house_lists import HouseLists
from services.base_data.house_previews import HousePreviews
from services.base_data.houses import HouseRegister
from services.base_data.spaces import SpaceRegister
from services.bills.batches import BillBatches
from services.bills.findings import BillFindings
from services.bills.generation import Generation
from services.bills.house_bills import HouseBills
from services.bills.own_bills import OwnBills
from services.bills.publication import Publication
from services.bills.regeneration import Regeneration
from services.counter.cashiers import Counter
from services.counter.reversals import Reversals
from services.counter.shifts import Shifts
from services.deposits import Deposits
from services.desk import DeskServices, build_desk
from services.doctor import Doctor
from services.estate import Estate
from services.fees.discounts import Discounts
from services.fees.items import Fees
from services.fees.one_offs import OneOffCharges
from services.fees.pools import SharePools
from services.fees.trials import FeeTrials
from services.history import ChangeHistory
from services.houses import Houses
from services.imports.house_owners import HouseOwnerImport
from services.imports.meter_readings import MeterReadingImport
from services.imports.parking_spaces import ParkingSpaceImport
from services.imports.work import ImportWork
from services.imports.workbench import ImportWorkbench
from services.inbox import Inbox
from services.late_fees import LateFees
from services.ledger import Ledger
from services.login import Login
from services.messages.senders import Senders
from services.meters.keeping import MeterKeeping
from services.meters.lists import MeterLists
from services.meters.readings import MeterReadings
from services.meters.register import MeterRegister
from services.outbox import Outbox
from services.owner_passwords import OwnerPasswords
from services.passwords import Passwords
from services.pay_ports import PayChannels
from services.payments.channel_calls import ChannelCalls
from services.payments.community_rules import CommunityPaymentRules
from services.payments.door import DoorPayments
from services.payments.door_payers import DoorPayers
from services.payments.life import PaymentLife
from services.payments.merchants import MerchantAccounts
from services.payments.notices import PaymentNotices
from services.payments.offset import PrepaidOffsets
from services.payments.orders import PaymentOrders
from services.payments.pay_codes import PayCodes
from services.payments.receipt_prints import ReceiptPrints
from services.payments.receipts import Receipts
from services.payments.refunds import Refunds
from services.payments.settle import Settlement
from services.payments.suspense import SuspenseMoney
from services.payments.sweep import PaymentSweep
from services.payments.tickets import OrderTickets
from services.payments.watch import PaymentWatch
from services.people.applications import BindingApplications
from services.people.house_bindings import HouseBindings
from services.people.invitations import HouseInvitations
from services.people.names import NameLetters
from services.people.own_phone import OwnPhone
from services.people.owners import Owners
from services.people.parts import HousePeople
from services.people.phones import OwnerPhones
from services.people.search import OwnerSearch
from services.people.transfer_records import TransferRecords
from services.people.transfers import Transfers
from services.phone_codes import PhoneCodes
from services.ports import Clock, JobQueue, Probe
from services.prepaid.accounts import PrepaidAccounts
from services.printing import SlipWriter
from services.privacy.consents import Consents
from services.privacy.deletions import AccountDeletions
from services.privacy.exports import PrivacyExports
from services.privacy.requests import PrivacyRequests
from services.privacy.retention import Retention
from services.reconciliation.cases import ReconciliationCases
from services.reconciliation.cash import CashReconciliation
from services.reconciliation.runs import Reconciliation
from services.reports.reporting import Reports
from services.staff.accounts import StaffAccounts
from services.staff.grants import RoleGrants
from services.staff.proofs import StaffProofs
from services.staff.resets import StaffResets
from services.staff.sessions import StaffSessions
from services.staff.totp import StaffTotp
from services.staff_tokens import StaffTokens
from services.statements import Statements
from services.tasks import StaffTasks
from services.timetable import Timetable
from services.unit_of_work import UnitOfWork
from services.world import Policy, World


@dataclass(frozen=True, kw_only=True)
class Services(DeskServices):
    """Every capability, wired once per process."""

    accounts: Accounts
    audit_chain: AuditChain
    batches: BillBatches
    bill_findings: BillFindings
    building_lists: BuildingLists
    building_register: BuildingRegister
    car_register: CarRegister
    cash_reconciliation: CashReconciliation
    clock: Clock
    community_register: CommunityRegister
    counter: Counter
    deposits: Deposits
    discounts: Discounts
    doctor: Doctor
    door: DoorPayments
    door_payers: DoorPayers
    estate: Estate
    fee_trials: FeeTrials
    fees: Fees
    generation: Generation
    house_owner_import: HouseOwnerImport
    import_work: ImportWork
    import_workbench: ImportWorkbench
    house_bills: HouseBills
    house_lists: HouseLists
    house_previews: HousePreviews
    house_register: HouseRegister
    houses: Houses
    inbox: Inbox
    late_fees: LateFees
    ledger: Ledger
    login: Login
    merchants: MerchantAccounts
    meter_keeping: MeterKeeping
    meter_lists: MeterLists
    meter_reading_import: MeterReadingImport
    meter_readings: MeterReadings
    meter_register: MeterRegister
    money_decisions: MoneyDecisions
    money_requests: MoneyRequests
    notices: PaymentNotices
    one_offs: OneOffCharges
    outbox: Outbox
    own_bills: OwnBills
    owner_passwords: OwnerPasswords
    parking_space_import: ParkingSpaceImport
    pay_channels: PayChannels
    pay_codes: PayCodes
    payment_rules: CommunityPaymentRules
    payment_refund_requests: PaymentRefundRequests
    payment_life: PaymentLife
    payment_watch: PaymentWatch
    suspense: SuspenseMoney
    payments: PaymentOrders
    prepaid: PrepaidAccounts
    prepaid_offsets: PrepaidOffsets
    publication: Publication
    regeneration: Regeneration
    receipt_prints: ReceiptPrints
    receipts: Receipts
    reconciliation: Reconciliation
    reconciliation_cases: ReconciliationCases
    refunds: Refunds
    reports: Reports
    reversals: Reversals
    role_grants: RoleGrants
    settlement: Settlement
    shifts: Shifts
    slips: SlipWriter
    space_register: SpaceRegister
    share_pools: SharePools
    staff: StaffAccounts
    staff_resets: StaffResets
    staff_sessions: StaffSessions
    staff_totp: StaffTotp
    staff_tokens: StaffTokens
    statements: Statements
    sweep: PaymentSweep
    tasks: StaffTasks
    timetable: Timetable
    binding_applications: BindingApplications
    history: ChangeHistory
    house_bindings: HouseBindings
    invitations: HouseInvitations
    name_letters: NameLetters
    own_phone: OwnPhone
    owners: Owners
    house_people: HousePeople
    owner_phones: OwnerPhones
    owner_search: OwnerSearch
    transfer_records: TransferRecords
    transfers: Transfers
    account_deletions: AccountDeletions
    consents: Consents
    privacy_exports: PrivacyExports
    privacy_requests: PrivacyRequests
    retention: Retention


def build(
    *,
    engine: Engine,
    queue: JobQueue,
    clock: Clock,
    world: World,
    policy: Policy,
    more_probes: Sequence[Probe] = (),
) -> Services:
    """Wire every capability."""
    unit_of_work = UnitOfWork(engine=engine, queue=queue, clock=clock)
    inbox = Inbox(unit_of_work)
    settlement = Settlement(unit_of_work)
    calls = ChannelCalls(unit_of_work)
    sweep = PaymentSweep(unit_of_work, world.pay_channels, calls, settlement)
    refunds = Refunds(unit_of_work, world.pay_channels, calls)
    door_key = hmac.digest(policy.code_key, b"door codes", hashlib.sha256)
    tickets = OrderTickets(unit_of_work, world.pay_channels, calls)
    passwords = Passwords(world.password_hasher, world.common_passwords)
    codes = PhoneCodes(policy.code_key, policy.sms_daily_cap)
    proofs = StaffProofs(unit_of_work, passwords, world.secret_box, world.totp, policy.code_key)
    house_owners = HouseOwnerImport(unit_of_work, world.workbooks)
    parking_spaces = ParkingSpaceImport(unit_of_work, world.workbooks)
    meter_readings = MeterReadingImport(unit_of_work, world.workbooks)
    return Services(
        **vars(build_desk(unit_of_work, world, policy)),
        accounts=Accounts(unit_of_work, world.official_account),
        audit_chain=AuditChain(unit_of_work),
        history=ChangeHistory(unit_of_work, world.documents),
        batches=BillBatches(unit_of_work),
        bill_findings=BillFindings(unit_of_work),
        building_lists=BuildingLists(unit_of_work),
        building_register=BuildingRegister(unit_of_work),
        car_register=CarRegister(unit_of_work),
        cash_reconciliation=CashReconciliation(unit_of_work),
        clock=clock,
        community_register=CommunityRegister(unit_of_work),
        counter=Counter(unit_of_work, sweep),
        deposits=Deposits(unit_of_work),
        discounts=Discounts(unit_of_work),
        doctor=Doctor(unit_of_work, (*more_probes, *world.probes), policy.migration_heads),
        door=DoorPayments(unit_of_work, world.pay_channels, tickets, sweep, door_key),
        door_payers=DoorPayers(world.official_account, clock, door_key),
        estate=Estate(unit_of_work),
        fee_trials=FeeTrials(unit_of_work),
        fees=Fees(unit_of_work),
        generation=Generation(unit_of_work),
        house_owner_import=house_owners,
        import_workbench=ImportWorkbench(unit_of_work, world.import_sheets),
        import_work=ImportWork(
            unit_of_work,
            world.workbooks,
            world.import_sheets,
            {
                ImportKind.OWNERS: house_owners,
                ImportKind.SPACES: parking_spaces,
                ImportKind.READINGS: meter_readings,
            },
        ),
        house_bills=HouseBills(unit_of_work),
        house_lists=HouseLists(unit_of_work),
        house_previews=HousePreviews(unit_of_work),
        house_register=HouseRegister(unit_of_work),
        houses=Houses(unit_of_work),
        inbox=inbox,
        late_fees=LateFees(unit_of_work),
        ledger=Ledger(unit_of_work),
        login=Login(unit_of_work, world.mini_program, codes, policy.consent_versions),
        merchants=MerchantAccounts(unit_of_work, world.pay_channels),
        meter_keeping=MeterKeeping(unit_of_work),
        meter_lists=MeterLists(unit_of_work),
        meter_reading_import=meter_readings,
        meter_readings=MeterReadings(unit_of_work),
        meter_register=MeterRegister(unit_of_work),
        money_decisions=MoneyDecisions(unit_of_work),
        money_requests=MoneyRequests(unit_of_work),
        notices=PaymentNotices(unit_of_work, world.pay_channels, inbox, settlement, refunds),
        one_offs=OneOffCharges(unit_of_work),
        outbox=Outbox(
            unit_of_work,
            Senders(world.official_account, world.subscribe, world.sms, world.mail),
            policy.delivery_width,
        ),
        own_bills=OwnBills(unit_of_work),
        owner_passwords=OwnerPasswords(
            unit_of_work, passwords, codes, policy.code_key, policy.consent_versions
        ),
        payment_rules=CommunityPaymentRules(unit_of_work),
        parking_space_import=parking_spaces,
        pay_channels=world.pay_channels,
        pay_codes=PayCodes(unit_of_work, world.slips, door_key),
        payment_refund_requests=PaymentRefundRequests(unit_of_work),
        payment_life=PaymentLife(unit_of_work, sweep, refunds),
        payment_watch=PaymentWatch(unit_of_work),
        suspense=SuspenseMoney(unit_of_work),
        payments=PaymentOrders(unit_of_work, world.pay_channels, tickets, sweep),
        prepaid=PrepaidAccounts(unit_of_work),
        prepaid_offsets=PrepaidOffsets(unit_of_work),
        publication=Publication(unit_of_work),
        regeneration=Regeneration(unit_of_work),
        receipt_prints=ReceiptPrints(unit_of_work, world.slips),
        receipts=Receipts(unit_of_work),
        reconciliation=Reconciliation(unit_of_work, world.pay_channels, sweep),
        reconciliation_cases=ReconciliationCases(unit_of_work),
        refunds=refunds,
        reports=Reports(unit_of_work, world.documents),
        reversals=Reversals(unit_of_work),
        role_grants=RoleGrants(unit_of_work),
        settlement=settlement,
        shifts=Shifts(unit_of_work),
        slips=world.slips,
        space_register=SpaceRegister(unit_of_work),
        share_pools=SharePools(unit_of_work),
        staff=StaffAccounts(unit_of_work, passwords),
        staff_resets=StaffResets(
            unit_of_work, proofs, passwords, codes, world.mail, policy.public_base_url
        ),
        staff_sessions=StaffSessions(unit_of_work, proofs, passwords, policy.requires_totp),
        staff_totp=StaffTotp(unit_of_work, proofs),
        staff_tokens=StaffTokens(unit_of_work),
        statements=Statements(unit_of_work, world.documents),
        sweep=sweep,
        tasks=StaffTasks(unit_of_work),
        timetable=Timetable(unit_of_work),
        binding_applications=BindingApplications(unit_of_work),
        house_bindings=HouseBindings(unit_of_work),
        invitations=HouseInvitations(unit_of_work),
        name_letters=NameLetters(unit_of_work),
        own_phone=OwnPhone(unit_of_work, codes),
        owners=Owners(unit_of_work),
        house_people=HousePeople(unit_of_work),
        owner_phones=OwnerPhones(unit_of_work, codes),
        owner_search=OwnerSearch(unit_of_work),
        transfer_records=TransferRecords(unit_of_work),
        transfers=Transfers(unit_of_work),
        account_deletions=AccountDeletions(unit_of_work, codes),
        consents=Consents(unit_of_work, policy.consent_versions),
        privacy_exports=PrivacyExports(unit_of_work, world.documents),
        privacy_requests=PrivacyRequests(unit_of_work),
        retention=Retention(unit_of_work),
    )


class HasExtensions(Protocol):
    """A Flask app, as far as this module knows one."""

    extensions: dict[str, Any]


def of(app: HasExtensions) -> Services:
    """Find the services that ``wsgi.create_app`` attached to an app."""
    found: Services = app.extensions["services"]
    return found
