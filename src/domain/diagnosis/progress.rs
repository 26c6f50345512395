//! How far the invitation has come, and what the person did with its secret.

use std::time::Duration;

use super::access::last_error;
use super::{Facts, FindingCode as Code, Findings};
use crate::domain::attempt::account_attempts_left;
use crate::domain::invitation::{Invitation, Method, RevokeReason, Status};
use crate::domain::time::Timestamp;

/// Less than this, and less than a quarter of its life, is "soon".
const SOON: Duration = Duration::from_hours(1);

/// Where the invitation stands.
pub(super) fn standing(facts: &Facts<'_>, found: &mut Findings) {
    let (Some(invitation), Some(status)) = (facts.invitation, facts.status()) else {
        found.add(Code::NotInvited, None, "There is no invitation of this person, or none that is still kept.");
        return;
    };
    match status {
        Status::Provisioning => {
            let detail = format!("The lock of the account is not confirmed by the directory{}.", last_error(facts));
            let since = facts.sync.map_or(invitation.issued_at, |sync| sync.created_at);
            found.add(Code::LockNotConfirmed, Some(since), detail);
        }
        Status::Pending => pending(facts, invitation, found),
        Status::Accepting => accepting(facts, invitation, found),
        Status::Accepted => {
            found.add(Code::Accepted, invitation.accepted_at, "The password was set: the person can sign in with it.");
        }
        Status::Expired => {
            found.add(Code::Expired, invitation.expires_at, "The invitation ran out before a password was set.");
        }
        Status::Revoked => revoked(invitation, found),
        Status::Failed => {
            let code = invitation.failure.as_deref().unwrap_or("unknown");
            let detail = format!("The invitation could not be completed: {code}.");
            found.add(Code::Failed, Some(invitation.updated_at), detail);
        }
    }
    if facts.next_resend_at.is_none()
        && matches!(status, Status::Provisioning | Status::Pending | Status::Expired | Status::Failed)
    {
        let detail = format!("It was resent {} times, as often as its terms allow.", invitation.resends);
        found.add(Code::ResendLimit, None, detail);
    }
}

fn pending(facts: &Facts<'_>, invitation: &Invitation, found: &mut Findings) {
    let holds = match invitation.method {
        Method::EmailLink => "opens the link in the e-mail; a code typed at the login does not work",
        Method::EmailOtp => "enters the code from the e-mail; there is no link with a secret in it",
        Method::SmsOtp => "enters the code from the text message; there is no link with a secret in it",
    };
    let locked = if facts.account.is_some_and(|account| account.lock_reason.is_some()) {
        " Until then the account is locked."
    } else {
        ""
    };
    let detail = format!("It waits until the person {holds}, and sets a password.{locked}");
    found.add(Code::AwaitingPassword, Some(invitation.issued_at), detail);
    if let Some(end) = invitation.expires_at.filter(|end| is_soon(invitation, *end, facts.now)) {
        let minutes = end.since(facts.now).as_secs().div_ceil(60);
        found.add(Code::ExpiringSoon, None, format!("It runs out in {minutes} min."));
    }
}

fn is_soon(invitation: &Invitation, end: Timestamp, now: Timestamp) -> bool {
    let left = end.since(now);
    left <= SOON && left <= end.since(invitation.issued_at) / 4
}

fn accepting(facts: &Facts<'_>, invitation: &Invitation, found: &mut Findings) {
    let runs = invitation.accept_lease_until.is_some_and(|until| until > facts.now);
    let since = Some(invitation.updated_at);
    if runs {
        found.add(Code::AcceptInProgress, since, "A password is being set right now.");
    } else {
        let detail = "A password was being set when the directory stopped answering or a process died: whether it was set is \
                      not known. The person may try again on the page they have open.";
        found.add(Code::AcceptStranded, since, detail);
    }
}

fn revoked(invitation: &Invitation, found: &mut Findings) {
    let since = invitation.revoked_at;
    match invitation.revoke_reason {
        Some(RevokeReason::Declined) => found.add(Code::Declined, since, "The person said that this was not them."),
        Some(RevokeReason::Replaced) => found.add(Code::Replaced, since, "A newer invitation took its place."),
        Some(RevokeReason::PasswordSetElsewhere) => {
            let detail = "A password was set by other means: the person can sign in with that one.";
            found.add(Code::PasswordSetElsewhere, since, detail);
        }
        Some(RevokeReason::UserDeleted) => {
            found.add(Code::Revoked, since, "The invitation ended when the user was deleted from the directory.");
        }
        Some(RevokeReason::Administrator) | None => found.add(Code::Revoked, since, "The invitation was withdrawn."),
    }
}

/// What was done with the secret of an invitation that waits.
pub(super) fn proof(facts: &Facts<'_>, found: &mut Findings) {
    let Some(invitation) = facts.invitation.filter(|_| facts.status() == Some(Status::Pending)) else { return };
    if invitation.method.is_otp() {
        codes(facts, invitation, found);
    } else if facts.traces.opened > 0 {
        let detail = format!(
            "The link was opened ({} times), but no password was set. Mail scanners open links too; opening uses nothing up.",
            facts.traces.opened
        );
        found.add(Code::LinkOpened, facts.traces.last_opened, detail);
    }
    if facts.traces.changed_method {
        let detail = "An earlier message asked for another proof (link or code, e-mail or text message); only the newest counts.";
        found.add(Code::MethodChanged, Some(invitation.issued_at), detail);
    } else if invitation.generation > 1 {
        let grace = invitation.grace.as_ref().and_then(|grace| grace.until).filter(|until| *until > facts.now);
        let counts = grace.map_or_else(
            || "only the newest message counts".to_owned(),
            |until| format!("of the older messages only the last still counts, until {}", until.to_rfc3339()),
        );
        let detail = format!("It was resent {} times; {counts}.", invitation.resends);
        found.add(Code::Superseded, Some(invitation.issued_at), detail);
    }
}

fn codes(facts: &Facts<'_>, invitation: &Invitation, found: &mut Findings) {
    if let Some(used_at) = invitation.otp_used_at {
        if let Some(end) = invitation.grant_expires_at.filter(|end| invitation.grant.is_some() && *end > facts.now) {
            let minutes = end.since(facts.now).as_secs().div_ceil(60);
            let detail =
                format!("The code was right; the person has {minutes} min left to set the password on that page.");
            found.add(Code::CodeUsed, Some(used_at), detail);
        } else {
            let detail = "The code was right, but no password was set in time; a code works only once.";
            found.add(Code::CodeSpent, Some(used_at), detail);
        }
        return;
    }
    if facts.account.is_some_and(|account| account_attempts_left(account.otp_failures) == 0) {
        let detail =
            "Too many wrong codes were tried for this account, over all its invitations; no code is taken any more.";
        found.add(Code::AccountAttemptsUsedUp, facts.traces.last_wrong_code, detail);
    }
    let left = invitation.attempts_left.unwrap_or(0);
    if left == 0 {
        let detail = "Too many wrong codes were tried for this invitation; its code is not taken any more.";
        found.add(Code::AttemptsUsedUp, facts.traces.last_wrong_code, detail);
    } else if facts.traces.wrong_codes > 0 {
        let older = if invitation.generation > 1 { " Perhaps it was that of an older message." } else { "" };
        let detail = format!("{} wrong codes were tried; {left} tries are left.{older}", facts.traces.wrong_codes);
        found.add(Code::WrongCodesTried, facts.traces.last_wrong_code, detail);
    }
}
