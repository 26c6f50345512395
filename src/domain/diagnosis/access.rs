//! What stands between the person and their account: the directory's view, locks, and where the person can be reached.

use super::{FindingCode as Code, Findings, Look};
use crate::domain::account::{Access, Account, DirectorySync, Hold, LockReason};
use crate::domain::contact::{Email, Phone};
use crate::domain::ids::fold;
use crate::domain::invitation::{Channel, Person};
use crate::domain::reconcile::{Difference, difference};

/// What the directory says of the person.
pub(super) fn look(facts: &super::Facts<'_>, found: &mut Findings) {
    match facts.look {
        Look::NotFound => found.add(
            Code::UserGone,
            None,
            "The directory has no such user any more; somebody made anew under the same name is another user.",
        ),
        Look::Ambiguous => {
            found.add(
                Code::UserAmbiguous,
                None,
                "The directory gives more than one user, or another one, for this name.",
            );
        }
        Look::Unreachable => found.add(
            Code::DirectoryUnreachable,
            Some(facts.now),
            "The directory did not answer just now: whether the account is active there is not known.",
        ),
        Look::Found(seen) => {
            let known = facts.account.map(|account| &account.username);
            if known.is_some_and(|known| fold(known.as_str()) != fold(seen.username.as_str())) {
                found.add(Code::RenamedInDirectory, None, "The directory has this user under another name by now.");
            }
        }
    }
}

/// Who locked the account, and whether the directory agrees.
pub(super) fn lock(facts: &super::Facts<'_>, found: &mut Findings) {
    let access = match facts.look {
        Look::Found(seen) => Some(seen.access),
        Look::NotFound | Look::Ambiguous | Look::Unreachable => None,
    };
    let Some(account) = facts.account else {
        if access.is_some_and(|access| access != Access::Usable) {
            disabled(found, None);
        }
        return;
    };
    let since = Some(account.updated_at);
    match (account.lock_reason, account.hold) {
        (Some(LockReason::AdminInitiated), _) => found.add(
            Code::LockedByAdministrator,
            since,
            "An administrator locked the account through this service; an invitation does not lift that.",
        ),
        (Some(_), _) if !facts.is_live() => found.add(
            Code::LockedWithoutInvitation,
            since,
            "The account is locked until a password is set, but there is no live invitation to do that with.",
        ),
        (None, Hold::Foreign) if access != Some(Access::Usable) => disabled(found, since),
        (None, Hold::None) if access.is_some_and(|access| access != Access::Usable) => disabled(found, None),
        _ if matches!(access, Some(Access::Barred | Access::LockedByAdministrator)) => disabled(found, None),
        _ => {}
    }
    synced(facts, account, access, found);
}

fn disabled(found: &mut Findings, since: Option<crate::domain::time::Timestamp>) {
    let detail =
        "The account is locked or disabled in the directory, and not by this service, which will not lift that.";
    found.add(Code::AccountDisabled, since, detail);
}

fn synced(facts: &super::Facts<'_>, account: &Account, access: Option<Access>, found: &mut Findings) {
    let wish = if account.lock_reason.is_some() { "lock" } else { "unlock" };
    match account.directory {
        DirectorySync::Failed => {
            let error = last_error(facts);
            let detail = format!("The wish to {wish} the account was given up{error}.");
            found.add(Code::DirectorySyncFailed, Some(account.updated_at), detail);
        }
        DirectorySync::Pending => {
            let error = last_error(facts);
            let detail = format!("The directory has not yet confirmed the wish to {wish} the account{error}.");
            found.add(Code::DirectorySyncPending, facts.sync.map(|sync| sync.created_at), detail);
        }
        DirectorySync::Synced | DirectorySync::Drifted => drift(account, access, found),
    }
}

/// What differs right now; without an answer, what the last comparison showed.
fn drift(account: &Account, access: Option<Access>, found: &mut Findings) {
    let noticed = account.directory == DirectorySync::Drifted;
    let detail = match access.map(|access| difference(account, access)) {
        Some(None) => return,
        None if !noticed => return,
        None => "Somebody changed the account's lock in the directory, as the last comparison showed.",
        Some(Some(Difference::LockMissing)) => {
            "Somebody lifted our lock in the directory: the account is active there, though a lock is wanted."
        }
        Some(Some(Difference::OthersLockLifted)) => {
            "The account was locked by somebody else, who lifted that: it is active in the directory by now."
        }
        Some(Some(Difference::LockLeft | Difference::LockedByOthers)) => {
            "Somebody changed the account in the directory: it is inactive there, other than we left it."
        }
    };
    found.add(Code::DirectoryDrifted, noticed.then_some(account.updated_at), detail);
}

/// `, last because of <code> (try 3)`, if there was an error.
pub(super) fn last_error(facts: &super::Facts<'_>) -> String {
    facts
        .sync
        .and_then(|sync| sync.last_error.as_ref().map(|error| (error, sync.attempts)))
        .map_or_else(String::new, |(error, attempts)| format!("; the last try (of {attempts}) ended with {error}"))
}

/// Whether the person can be written to.
pub(super) fn address(facts: &super::Facts<'_>, found: &mut Findings) {
    if !facts.enabled {
        found.add(
            Code::FeatureDisabled,
            None,
            "Invitations are turned off for this tenant: none can be issued or resent.",
        );
    }
    let waits = facts.invitation.is_none() || facts.is_live() || found_again(facts);
    if !waits {
        return;
    }
    let channel = facts.channel;
    if !facts.has_gateway {
        let detail = format!("No gateway is configured for {}.", channel.as_str());
        found.add(Code::ChannelNotConfigured, None, detail);
    }
    let Look::Found(seen) = facts.look else { return };
    let now = address_of(seen.email.as_ref(), seen.phone.as_ref(), channel);
    let used = facts.invitation.and_then(|invitation| used_address(&invitation.person, channel));
    match (used, now) {
        (None, None) => {
            let detail = format!(
                "Neither the invitation nor the directory has an address of the person for {}.",
                channel.as_str()
            );
            found.add(Code::NoAddress, None, detail);
        }
        (Some(used), Some(now)) if used.text != now.text => {
            let detail = format!("The message goes to {}, but the directory says {} by now.", used.masked, now.masked);
            found.add(Code::AddressChanged, None, detail);
        }
        _ => {}
    }
}

/// Whether the invitation is over in a way that it may be resent from.
fn found_again(facts: &super::Facts<'_>) -> bool {
    facts.next_resend_at.is_some()
}

struct Address<'a> {
    text: &'a str,
    masked: String,
}

fn used_address(person: &Person, channel: Channel) -> Option<Address<'_>> {
    address_of(person.email.as_ref(), person.phone.as_ref(), channel)
}

fn address_of<'a>(email: Option<&'a Email>, phone: Option<&'a Phone>, channel: Channel) -> Option<Address<'a>> {
    match channel {
        Channel::Email => email.map(|email| Address { text: email.as_str(), masked: email.masked() }),
        Channel::Sms => phone.map(|phone| Address { text: phone.as_str(), masked: phone.masked() }),
        Channel::Directory | Channel::Webhook => None,
    }
}
