//! Why somebody gets no mail or can't sign in: from what we hold and what the directory says right now to findings, the gravest
//! first, and the one thing to do next.
//!
//! Pure: facts are gathered by the use case. Words are for a support person and name no secret; addresses only masked.

mod access;
mod action;
mod message;
mod progress;
#[cfg(test)]
mod tests;

use super::account::{Access, Account};
use super::contact::{Email, Phone};
use super::ids::{MessageId, Username};
use super::invitation::{Channel, Invitation, Status};
use super::message::DeliveryState;
use super::text::text_enum;
use super::time::Timestamp;
pub use action::{ActionCode, NextAction};

/// All that a diagnosis is made from.
pub struct Facts<'a> {
    pub now: Timestamp,
    /// Whether the tenant has invitations turned on.
    pub enabled: bool,
    /// Whether there is a gateway for the invitation's channel, or for the one that an invitation would take by the settings.
    pub has_gateway: bool,
    /// That channel.
    pub channel: Channel,
    pub account: Option<&'a Account>,
    /// The live invitation, else the newest.
    pub invitation: Option<&'a Invitation>,
    /// From when on that may be resent; `None` when it can't be.
    pub next_resend_at: Option<Timestamp>,
    /// The message with the current generation's secret; none when the caller brings it.
    pub message: Option<&'a Delivery>,
    /// The newest attempt to bring the directory's lock to what is wanted.
    pub sync: Option<&'a Delivery>,
    pub traces: &'a Traces,
    pub look: &'a Look,
}

/// A row of the outbox, as far as a diagnosis needs it.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: MessageId,
    pub state: DeliveryState,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub next_attempt_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What the audit trail tells of the invitation's current generation.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    pub wrong_codes: i64,
    pub last_wrong_code: Option<Timestamp>,
    /// How often a link was opened.
    pub opened: i64,
    pub last_opened: Option<Timestamp>,
    /// An earlier message had a link where now there is a code, or came by another channel.
    pub changed_method: bool,
}

/// What a look into the directory showed.
#[derive(Clone)]
pub enum Look {
    Found(Seen),
    /// There is no such user.
    NotFound,
    /// More than one user, or another one, goes by the name.
    Ambiguous,
    /// No answer in time.
    Unreachable,
}

/// The person as the directory has them now.
#[derive(Clone)]
pub struct Seen {
    pub username: Username,
    pub access: Access,
    pub email: Option<Email>,
    pub phone: Option<Phone>,
}

text_enum!(
    /// How much a finding is in the way; the gravest first.
    #[derive(PartialOrd, Ord)]
    Severity {
        /// The person can't go on by themselves.
        Blocking = "blocking",
        /// It may be why, or will soon be.
        Warning = "warning",
        /// As it should be.
        Info = "info",
    }
);

text_enum!(
    /// What is found. Each is explained in `docs/operations.md`.
    FindingCode {
        UserGone = "user_gone",
        UserAmbiguous = "user_ambiguous",
        LockedByAdministrator = "locked_by_administrator",
        AccountDisabled = "account_disabled",
        LockedWithoutInvitation = "locked_without_invitation",
        DirectorySyncFailed = "directory_sync_failed",
        DirectorySyncPending = "directory_sync_pending",
        DirectoryDrifted = "directory_drifted",
        DirectoryUnreachable = "directory_unreachable",
        RenamedInDirectory = "renamed_in_directory",
        NoAddress = "no_address",
        AddressChanged = "address_changed",
        ChannelNotConfigured = "channel_not_configured",
        FeatureDisabled = "feature_disabled",
        NotInvited = "not_invited",
        LockNotConfirmed = "lock_not_confirmed",
        AwaitingPassword = "awaiting_password",
        AcceptInProgress = "accept_in_progress",
        AcceptStranded = "accept_stranded",
        Accepted = "accepted",
        PasswordSetElsewhere = "password_set_elsewhere",
        Expired = "expired",
        ExpiringSoon = "expiring_soon",
        Revoked = "revoked",
        Declined = "declined",
        Replaced = "replaced",
        Failed = "failed",
        AttemptsUsedUp = "attempts_used_up",
        AccountAttemptsUsedUp = "account_attempts_used_up",
        WrongCodesTried = "wrong_codes_tried",
        /// Used just now: the person is at the page that sets the password.
        CodeUsed = "code_used",
        /// Used, and the time to set the password went by.
        CodeSpent = "code_spent",
        LinkOpened = "link_opened",
        MethodChanged = "method_changed",
        Superseded = "superseded",
        ResendLimit = "resend_limit",
        NotSentByUs = "not_sent_by_us",
        MessageHeld = "message_held",
        MessageScheduled = "message_scheduled",
        MessageQueued = "message_queued",
        MessageSending = "message_sending",
        MessageRetrying = "message_retrying",
        MessageSent = "message_sent",
        MessageDelivered = "message_delivered",
        MessageBounced = "message_bounced",
        MessageFailed = "message_failed",
        MessageExpired = "message_expired",
        /// The message by the other channel is about to be made.
        FallbackDue = "fallback_due",
        FellBack = "fell_back",
        FallbackFailed = "fallback_failed",
    }
);

impl FindingCode {
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::UserGone
            | Self::UserAmbiguous
            | Self::LockedByAdministrator
            | Self::AccountDisabled
            | Self::LockedWithoutInvitation
            | Self::DirectorySyncFailed
            | Self::NoAddress
            | Self::ChannelNotConfigured
            | Self::NotInvited
            | Self::LockNotConfirmed
            | Self::AcceptStranded
            | Self::Expired
            | Self::Revoked
            | Self::Declined
            | Self::Replaced
            | Self::Failed
            | Self::AttemptsUsedUp
            | Self::AccountAttemptsUsedUp
            | Self::CodeSpent
            | Self::MessageBounced
            | Self::MessageFailed
            | Self::MessageExpired => Severity::Blocking,
            Self::DirectorySyncPending
            | Self::DirectoryDrifted
            | Self::DirectoryUnreachable
            | Self::RenamedInDirectory
            | Self::AddressChanged
            | Self::FeatureDisabled
            | Self::ExpiringSoon
            | Self::WrongCodesTried
            | Self::CodeUsed
            | Self::LinkOpened
            | Self::MethodChanged
            | Self::Superseded
            | Self::ResendLimit
            | Self::FallbackFailed
            | Self::MessageRetrying => Severity::Warning,
            Self::AwaitingPassword
            | Self::AcceptInProgress
            | Self::Accepted
            | Self::PasswordSetElsewhere
            | Self::NotSentByUs
            | Self::MessageHeld
            | Self::MessageScheduled
            | Self::MessageQueued
            | Self::MessageSending
            | Self::MessageSent
            | Self::MessageDelivered
            | Self::FallbackDue
            | Self::FellBack => Severity::Info,
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    /// For a support person.
    pub detail: String,
    /// Since when it is so, where that is known.
    pub since: Option<Timestamp>,
}

/// What was found, the gravest first, and what to do.
#[derive(Debug)]
pub struct Diagnosis {
    pub findings: Vec<Finding>,
    pub next_action: NextAction,
}

/// What is found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, code: FindingCode, since: Option<Timestamp>, detail: impl Into<String>) {
        self.0.push(Finding { code, detail: detail.into(), since });
    }

    fn has(&self, code: FindingCode) -> bool {
        self.0.iter().any(|finding| finding.code == code)
    }

    fn has_any(&self, codes: &[FindingCode]) -> bool {
        codes.iter().any(|code| self.has(*code))
    }
}

impl Facts<'_> {
    /// Where the invitation stands at this moment.
    fn status(&self) -> Option<Status> {
        self.invitation.map(|invitation| invitation.status_at(self.now))
    }

    fn is_live(&self) -> bool {
        matches!(self.status(), Some(Status::Provisioning | Status::Pending | Status::Accepting))
    }
}

/// Judges the facts. `None` when neither we nor the directory know such a person.
#[must_use]
pub fn diagnose(facts: &Facts<'_>) -> Option<Diagnosis> {
    let is_unknown = facts.account.is_none() && facts.invitation.is_none();
    if is_unknown && matches!(facts.look, Look::NotFound) {
        return None;
    }
    let mut found = Findings::default();
    access::look(facts, &mut found);
    access::lock(facts, &mut found);
    access::address(facts, &mut found);
    progress::standing(facts, &mut found);
    progress::proof(facts, &mut found);
    message::delivery(facts, &mut found);
    message::fallback(facts, &mut found);
    let next_action = action::next(facts, &found);
    let Findings(mut findings) = found;
    findings.sort_by_key(|finding| finding.code.severity());
    Some(Diagnosis { findings, next_action })
}
