//! A case to be diagnosed, to be bent by the tests, and what is expected of it.

use std::time::Duration;

use crate::domain::account::{Access, Account, DirectorySync, Hold, LockReason};
use crate::domain::contact::{Email, Phone};
use crate::domain::diagnosis::{Delivery, Diagnosis, Facts, Look, Seen, Traces, diagnose};
use crate::domain::ids::{AccountId, InvitationId, MessageId, Realm, TenantId, Username};
use crate::domain::invitation::{Channel, Invitation, Method, Person, Purpose, Status};
use crate::domain::message::DeliveryState;
use crate::domain::time::Timestamp;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) fn ago(minutes: u64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - i64::try_from(minutes * 60_000).unwrap())
}

pub(super) fn ahead(minutes: u64) -> Timestamp {
    NOW.after(Duration::from_mins(minutes))
}

/// Facts to be bent: somebody invited by link an hour ago, locked as it should be, whose mail went out.
pub(super) struct Case {
    pub(super) enabled: bool,
    pub(super) has_gateway: bool,
    pub(super) account: Option<Account>,
    pub(super) invitation: Option<Invitation>,
    pub(super) resendable: bool,
    pub(super) message: Option<Delivery>,
    pub(super) sync: Option<Delivery>,
    pub(super) traces: Traces,
    pub(super) look: Look,
}

pub(super) fn seen(active: bool) -> Seen {
    Seen {
        username: Username::parse("alex").unwrap(),
        access: if active { Access::Usable } else { Access::Locked },
        email: Email::parse("alex@example.com").ok(),
        phone: Phone::parse("+15550100001").ok(),
    }
}

fn account() -> Account {
    Account {
        id: AccountId::new(NOW, &[1; 10]),
        tenant: TenantId::default_tenant(),
        realm: Realm::primary(),
        username: Username::parse("alex").unwrap(),
        user_id: Some("u1".to_owned()),
        otp_failures: 0,
        awaits: Some(Purpose::Onboarding),
        lock_reason: Some(LockReason::PendingAskPassword),
        hold: Hold::Held,
        directory: DirectorySync::Synced,
        version: 1,
        updated_at: ago(59),
        check_after: None,
        checks_failed: 0,
    }
}

fn invitation() -> Invitation {
    Invitation {
        id: InvitationId::new(NOW, &[2; 10]),
        tenant: TenantId::default_tenant(),
        account: AccountId::new(NOW, &[1; 10]),
        realm: Realm::primary(),
        username: Username::parse("alex").unwrap(),
        person: Person { email: Email::parse("alex@example.com").ok(), ..Person::default() },
        terms: serde_json::from_value(serde_json::json!({
            "lockAccount": true, "activationNotification": true, "redirectUrl": null, "resendCooldownSeconds": 60, "maxResends": 5,
            "warnings": []
        }))
        .unwrap(),
        metadata: "{}".to_owned(),
        created_by: "portal".to_owned(),
        purpose: Purpose::Onboarding,
        method: Method::EmailLink,
        status: Status::Pending,
        generation: 1,
        resends: 0,
        verifier: None,
        retired_verifiers: Vec::new(),
        attempts_left: None,
        otp_used_at: None,
        otp_replay: None,
        grant: None,
        grant_expires_at: None,
        accept_fence: 0,
        accept_grant: None,
        accept_lease_until: None,
        expires_at: Some(ahead(23 * 60)),
        created_at: ago(60),
        updated_at: ago(60),
        issued_at: ago(60),
        accepted_at: None,
        revoked_at: None,
        revoke_reason: None,
        send_at: None,
        grace: None,
        failure: None,
        fallback: None,
    }
}

pub(super) fn delivery(state: DeliveryState, attempts: i64, error: Option<&str>) -> Delivery {
    Delivery {
        id: MessageId::new(NOW, &[3; 10]),
        state,
        attempts,
        last_error: error.map(str::to_owned),
        next_attempt_at: ahead(2),
        created_at: ago(60),
        updated_at: ago(58),
    }
}

impl Case {
    pub(super) fn new() -> Self {
        Self {
            enabled: true,
            has_gateway: true,
            account: Some(account()),
            invitation: Some(invitation()),
            resendable: true,
            message: Some(delivery(DeliveryState::Sent, 1, None)),
            sync: Some(delivery(DeliveryState::Sent, 1, None)),
            traces: Traces::default(),
            look: Look::Found(seen(false)),
        }
    }

    /// Invited by code instead of by link.
    pub(super) fn code() -> Self {
        let mut case = Self::new();
        case.of(|invitation| (invitation.method, invitation.attempts_left) = (Method::EmailOtp, Some(5)));
        case
    }

    pub(super) fn nobody() -> Self {
        let look = Look::Found(seen(true));
        Self { account: None, invitation: None, message: None, sync: None, resendable: false, look, ..Self::new() }
    }

    /// After the invitation: unlocked, active, whatever `bend` makes of the invitation.
    pub(super) fn over(bend: impl FnOnce(&mut Invitation)) -> Self {
        let mut case = Self::new();
        case.of(bend);
        case.on(|account| (account.lock_reason, account.hold) = (None, Hold::None));
        case.look = Look::Found(seen(true));
        case
    }

    pub(super) fn of(&mut self, bend: impl FnOnce(&mut Invitation)) -> &mut Self {
        bend(self.invitation.as_mut().unwrap());
        self
    }

    pub(super) fn on(&mut self, bend: impl FnOnce(&mut Account)) -> &mut Self {
        bend(self.account.as_mut().unwrap());
        self
    }

    pub(super) fn diagnose(&self) -> Option<Diagnosis> {
        diagnose(&Facts {
            now: NOW,
            enabled: self.enabled,
            has_gateway: self.has_gateway,
            channel: self.invitation.as_ref().map_or(Channel::Email, |invitation| invitation.method.channel()),
            account: self.account.as_ref(),
            invitation: self.invitation.as_ref(),
            next_resend_at: self.resendable.then(|| ago(59)),
            message: self.message.as_ref(),
            sync: self.sync.as_ref(),
            traces: &self.traces,
            look: &self.look,
        })
    }

    /// Exactly these findings in this order, and this action by this operation.
    #[track_caller]
    pub(super) fn expect(&self, codes: &[&str], action: &str, operation: Option<&str>) -> Diagnosis {
        let diagnosis = self.diagnose().unwrap();
        let found: Vec<&str> = diagnosis.findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(found, codes);
        let next = &diagnosis.next_action;
        assert_eq!((next.code.as_str(), next.operation), (action, operation), "{}", next.detail);
        for finding in &diagnosis.findings {
            assert!(!finding.detail.contains("alex@") && !finding.detail.contains("0100001"), "{}", finding.detail);
        }
        diagnosis
    }
}
