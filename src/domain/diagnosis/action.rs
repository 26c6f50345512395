//! The one thing to do next. What is in the way of everything else comes first: the user, locks, then the invitation.

use std::time::Duration;

use super::{Facts, FindingCode as Code, Findings, Look};
use crate::domain::account::DirectorySync;
use crate::domain::invitation::{Invitation, Status};
use crate::domain::message::DeliveryState;
use crate::domain::text::text_enum;
use crate::domain::time::Timestamp;

/// How long a message that was handed over may be on its way before it is worth sending another.
const ON_ITS_WAY: Duration = Duration::from_mins(10);

text_enum!(
    /// What a support person can do.
    ActionCode {
        /// Nothing: it is the person's turn.
        None = "none",
        /// It goes on by itself.
        Wait = "wait",
        Issue = "issue",
        Resend = "resend",
        UnlockAccount = "unlock_account",
        /// Correct the address in the directory, or issue a new invitation, which reads the corrected one.
        FixRecipient = "fix_recipient",
        /// Turn invitations on in the tenant's settings.
        EnableFeature = "enable_feature",
        /// Something outside of the tenant's reach, such as a gateway's configuration.
        ContactOperator = "contact_operator",
        ContactDirectoryAdmin = "contact_directory_admin",
    }
);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAction {
    pub code: ActionCode,
    /// For a support person.
    pub detail: &'static str,
    /// The operation of this API that does it, by its id.
    pub operation: Option<&'static str>,
    /// From when on it is possible or makes sense; now if there is none.
    pub not_before: Option<Timestamp>,
}

impl NextAction {
    const fn new(code: ActionCode, detail: &'static str) -> Self {
        Self { code, detail, operation: None, not_before: None }
    }

    const fn by(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    fn from(mut self, time: Option<Timestamp>, now: Timestamp) -> Self {
        self.not_before = time.filter(|time| *time > now);
        self
    }
}

fn wait(facts: &Facts<'_>, until: Option<Timestamp>, detail: &'static str) -> NextAction {
    NextAction::new(ActionCode::Wait, detail).from(until, facts.now)
}

pub(super) fn next(facts: &Facts<'_>, found: &Findings) -> NextAction {
    if let Some(first) = access(facts, found) {
        return first;
    }
    let (Some(invitation), Some(status)) = (facts.invitation, facts.status()) else {
        return uninvited(facts, found);
    };
    match status {
        Status::Provisioning => {
            let until = facts.sync.map(|sync| sync.next_attempt_at);
            wait(facts, until, "The lock is tried again by itself; the message goes out once it is confirmed.")
        }
        Status::Pending => pending(facts, found, invitation),
        Status::Accepting => {
            let lease = invitation.accept_lease_until.filter(|until| *until > facts.now);
            let until = lease.or(invitation.grant_expires_at);
            wait(
                facts,
                until,
                "It is completed, released or closed by itself; the person may try again on the open page.",
            )
        }
        Status::Revoked if found.has(Code::PasswordSetElsewhere) => NextAction::new(
            ActionCode::None,
            "The person signs in with the password that was set for them; if it is not known, issue an invitation for a password reset.",
        ),
        Status::Accepted if facts.account.is_some_and(|account| account.directory == DirectorySync::Pending) => {
            wait(facts, facts.sync.map(|sync| sync.next_attempt_at), "The directory is being told by itself.")
        }
        Status::Accepted => NextAction::new(
            ActionCode::None,
            "The person signs in with the password they set; if it is forgotten, issue an invitation for a password reset.",
        ),
        Status::Expired | Status::Failed => again(facts, found, "Send it once more: the person gets a new secret."),
        Status::Revoked => issue(facts, "Issue a new invitation, if the person is still to be invited."),
    }
}

/// What has to be mended before any invitation can help.
fn access(facts: &Facts<'_>, found: &Findings) -> Option<NextAction> {
    if found.has_any(&[Code::UserGone, Code::UserAmbiguous]) {
        let detail = "Have the user made anew or put right in the directory; then issue a new invitation.";
        return Some(NextAction::new(ActionCode::ContactDirectoryAdmin, detail));
    }
    if found.has(Code::LockedByAdministrator) {
        let detail = "Unlock the account, if the reason for the lock is gone.";
        return Some(NextAction::new(ActionCode::UnlockAccount, detail).by("unlock_account"));
    }
    let wants_unlock = facts.account.is_some_and(|account| account.lock_reason.is_none());
    if found.has(Code::DirectorySyncFailed) && wants_unlock {
        let detail = "Unlock the account once more: the directory did not follow when it was last asked.";
        return Some(NextAction::new(ActionCode::UnlockAccount, detail).by("unlock_account"));
    }
    if found.has(Code::AccountDisabled) {
        let detail = "Have the account enabled in the directory, if the reason for disabling it is gone.";
        return Some(NextAction::new(ActionCode::ContactDirectoryAdmin, detail));
    }
    None
}

fn uninvited(facts: &Facts<'_>, found: &Findings) -> NextAction {
    if facts.enabled && found.has(Code::NoAddress) {
        let detail = "Have the person's address entered in the directory, or name one when issuing the invitation.";
        return NextAction::new(ActionCode::FixRecipient, detail);
    }
    if facts.account.is_none() && matches!(facts.look, Look::Unreachable) {
        return wait(facts, None, "Whether the person exists is not known until the directory answers; ask again.");
    }
    issue(facts, "Issue an invitation, if the person is to be invited.")
}

fn issue(facts: &Facts<'_>, detail: &'static str) -> NextAction {
    impossible(facts).unwrap_or_else(|| NextAction::new(ActionCode::Issue, detail).by("issue_invitation"))
}

/// What keeps anything from being issued or resent.
fn impossible(facts: &Facts<'_>) -> Option<NextAction> {
    if !facts.enabled {
        let detail = "Turn invitations on in the tenant's settings; then issue or resend.";
        return Some(NextAction::new(ActionCode::EnableFeature, detail).by("change_settings"));
    }
    (!facts.has_gateway).then(|| {
        let detail = "Have a gateway configured for this channel, or choose another method.";
        NextAction::new(ActionCode::ContactOperator, detail)
    })
}

/// A new secret, by whichever way is open.
fn again(facts: &Facts<'_>, found: &Findings, detail: &'static str) -> NextAction {
    if let Some(first) = impossible(facts) {
        return first;
    }
    if found.has_any(&[Code::NoAddress, Code::AddressChanged]) || facts.message.is_some_and(super::Delivery::is_refused)
    {
        let detail = "Have the address corrected in the directory; then issue a new invitation in place of this one, which reads it \
                      from there.";
        return NextAction::new(ActionCode::FixRecipient, detail).by("issue_invitation");
    }
    if facts.next_resend_at.is_none() {
        let detail = "Issue a new invitation in place of this one: it can't be resent any more.";
        return issue(facts, detail);
    }
    NextAction::new(ActionCode::Resend, detail).by("resend_invitation").from(facts.next_resend_at, facts.now)
}

fn pending(facts: &Facts<'_>, found: &Findings, invitation: &Invitation) -> NextAction {
    if found.has(Code::AccountAttemptsUsedUp) {
        let detail = "Unlock the account, which clears the count of wrong codes; then resend.";
        return NextAction::new(ActionCode::UnlockAccount, detail).by("unlock_account");
    }
    if found.has(Code::AttemptsUsedUp) {
        return again(facts, found, "Send a new code; wrong tries with the old one are then forgotten.");
    }
    if found.has(Code::CodeSpent) {
        return again(facts, found, "Send a new code, and have the password set right after it is entered.");
    }
    if found.has(Code::CodeUsed) {
        let detail = "Have the person finish on the page they have open; after that time, resend.";
        return wait(facts, invitation.grant_expires_at, detail);
    }
    if found.has(Code::FallbackDue) {
        return wait(facts, None, "A message by the other channel follows by itself.");
    }
    let Some(message) = facts.message else {
        return again(facts, found, "Ask whoever issued it to pass the secret on, or send a new one.");
    };
    match message.state {
        DeliveryState::Failed
        | DeliveryState::Bounced
        | DeliveryState::Expired
        | DeliveryState::Superseded
        | DeliveryState::Skipped => {
            return again(facts, found, "Send it once more, in a new message.");
        }
        DeliveryState::Held | DeliveryState::Scheduled | DeliveryState::Ready | DeliveryState::Sending => {
            if let Some(first) = impossible(facts).filter(|first| first.code == ActionCode::ContactOperator) {
                return first;
            }
            return wait(
                facts,
                Some(message.next_attempt_at),
                "The message is sent by itself once its time has come and the gateway takes it.",
            );
        }
        DeliveryState::Sent | DeliveryState::Delivered => {}
    }
    if found.has_any(&[Code::LinkOpened, Code::WrongCodesTried]) {
        return NextAction::new(
            ActionCode::None,
            "It arrived: the person uses the newest message and sets the password.",
        );
    }
    let due = message.updated_at.after(ON_ITS_WAY);
    if due > facts.now && !found.has(Code::AddressChanged) {
        return wait(
            facts,
            Some(due),
            "It was handed over a moment ago; have the person look again, also into the spam folder.",
        );
    }
    again(facts, found, "Send it once more, if it can't be found in the spam folder either.")
}
