//! Whether the directory agrees with what we hold of an account, and what follows where it does not.
//!
//! A diagnosis and the comparison in the background judge by the same function. Nothing here ever lifts a lock that is not known to be
//! ours, and a lock of ours that somebody lifted stays lifted unless the operator says otherwise: it may have been done on purpose.

use std::time::Duration;

use super::account::{Access, Account, DirectorySync, Hold, SyncStep, sync_step};
use super::text::text_enum;

/// The longest wait between two comparisons that do not agree, unless the interval is longer.
const LONGEST_WAIT: Duration = Duration::from_hours(6);
/// How often an account is compared in vain when nothing is left that could come right.
const VAIN_MAX: i64 = 10;

/// How accounts are compared with the directory.
#[derive(Debug, Clone, Copy)]
pub struct Reconciliation {
    /// From a change or a comparison to the next one; `None` is never.
    pub interval: Option<Duration>,
    /// Accounts that a replica compares in one pass, at most.
    pub batch: u16,
    /// Whether a lock of ours is put back that somebody lifted in the directory.
    pub relock: bool,
}

text_enum!(
    /// How the directory differs from what it is known to have had.
    Difference {
        /// Our lock was lifted.
        LockMissing = "lock_missing",
        /// Our lock is there, though it is not wanted any more.
        LockLeft = "lock_left",
        /// It is locked or disabled, and not by us.
        LockedByOthers = "locked_by_others",
        /// What others had locked can be used again.
        OthersLockLifted = "others_lock_lifted",
    }
);

/// How the directory differs from what we hold of the account, if it does.
#[must_use]
pub const fn difference(account: &Account, access: Access) -> Option<Difference> {
    let is_foreign = matches!(account.hold, Hold::Foreign);
    match sync_step(account.lock_reason.is_some(), account.hold, access) {
        SyncStep::Lock => Some(Difference::LockMissing),
        SyncStep::Unlock => Some(Difference::LockLeft),
        SyncStep::Nothing if is_foreign => Some(Difference::OthersLockLifted),
        SyncStep::LeaveForeign if !is_foreign => Some(Difference::LockedByOthers),
        SyncStep::Nothing | SyncStep::LeaveForeign => None,
    }
}

/// What a look into the directory showed of the user, found by the immutable id where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    There(Access),
    Gone,
    /// No answer, or none that is about one user.
    Unclear,
}

/// What follows from a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Agrees,
    /// Somebody changed it there; it is said, and left as it is.
    Drifted(Difference),
    /// What others had locked can be used again, so the account is free here as well.
    Freed,
    /// What is wanted is asked for once more.
    Repeat,
    /// Something is wanted of a user whom the directory does not have any more. Whoever has the name by now is somebody else.
    Gone,
    Unclear,
}

/// Judges an account for which no wish is on its way to the directory.
#[must_use]
pub const fn judge(account: &Account, sighting: Sighting, relock: bool) -> Verdict {
    let is_unconfirmed = matches!(account.directory, DirectorySync::Pending | DirectorySync::Failed);
    let access = match sighting {
        Sighting::Unclear => return Verdict::Unclear,
        Sighting::Gone if is_unconfirmed || is_watched(account) => return Verdict::Gone,
        Sighting::Gone => return Verdict::Agrees,
        Sighting::There(access) => access,
    };
    if is_unconfirmed {
        return Verdict::Repeat;
    }
    match difference(account, access) {
        None => Verdict::Agrees,
        Some(Difference::LockLeft) => Verdict::Repeat,
        Some(Difference::LockMissing) if relock => Verdict::Repeat,
        Some(Difference::OthersLockLifted) => Verdict::Freed,
        Some(difference) => Verdict::Drifted(difference),
    }
}

/// What is known of the lock after a comparison. Once ours was found lifted there is none: one that is found later is somebody else's.
#[must_use]
pub const fn hold_after(account: &Account, verdict: Verdict) -> Hold {
    match verdict {
        Verdict::Freed | Verdict::Drifted(Difference::LockMissing) => Hold::None,
        // Agreed upon though none was known to be ours: the directory says itself that it waits for the password.
        Verdict::Agrees if account.lock_reason.is_some() && matches!(account.hold, Hold::None) => Hold::Held,
        _ => account.hold,
    }
}

/// Whether an account that agrees is compared again and again: it holds a lock, or somebody else's keeps a person from what awaits them.
#[must_use]
pub const fn is_watched(account: &Account) -> bool {
    account.lock_reason.is_some() || (matches!(account.hold, Hold::Foreign) && account.awaits.is_some())
}

/// How much longer than one interval an account is spared after `failed` comparisons in a row: twice as long each time, up to six hours.
/// `None` when it is over: a user who is gone does not come back, and a lock of others is theirs where nothing waits.
#[must_use]
pub fn spared(account: &Account, verdict: Verdict, interval: Duration, failed: i64) -> Option<Duration> {
    let is_vain = match verdict {
        Verdict::Gone => true,
        Verdict::Drifted(_) => !is_watched(account),
        Verdict::Agrees | Verdict::Freed | Verdict::Repeat | Verdict::Unclear => false,
    };
    if is_vain && failed >= VAIN_MAX {
        return None;
    }
    let doublings = u32::try_from(failed.clamp(0, 16)).unwrap_or(16);
    let wait = interval.saturating_mul(2u32.saturating_pow(doublings)).min(LONGEST_WAIT);
    Some(wait.saturating_sub(interval))
}

#[cfg(test)]
mod tests;
