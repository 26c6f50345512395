//! The state that we own of a directory account: our lock on it and its budget of wrong OTPs.

use super::ids::{AccountId, AccountKey, Realm, TenantId, UserStore, Username};
use super::invitation::Purpose;
use super::text::text_enum;
use super::time::Timestamp;

text_enum!(
    /// Why an account is locked; the first two are the only ones that completing an invitation lifts.
    LockReason {
        PendingAskPassword = "PENDING_ASK_PASSWORD",
        PendingPasswordReset = "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET",
        AdminInitiated = "ADMIN_INITIATED",
    }
);

impl LockReason {
    #[must_use]
    pub const fn for_purpose(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Onboarding => Self::PendingAskPassword,
            Purpose::PasswordReset => Self::PendingPasswordReset,
        }
    }

    /// Whether setting the password lifts it.
    #[must_use]
    pub const fn ends_with_acceptance(self) -> bool {
        matches!(self, Self::PendingAskPassword | Self::PendingPasswordReset)
    }
}

text_enum!(
    /// What we know of the lock in the directory.
    Hold {
        None = "none",
        /// We saw the account active and are about to lock it: after a crash, a lock found there is ours.
        Intended = "intended",
        Held = "held",
        /// It was ours and is not needed any more: lifted unless an administrator has made it theirs meanwhile.
        Released = "released",
        /// It was inactive before we came; somebody else's, never lifted by us.
        Foreign = "foreign",
    }
);

impl Hold {
    /// Whether a lock found in the directory was made by us.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Intended | Self::Held | Self::Released)
    }
}

text_enum!(
    /// Whether the directory is known to agree with the state wanted.
    DirectorySync { Synced = "synced", Pending = "pending", Failed = "failed", Drifted = "drifted" }
);

text_enum!(
    /// The account's state in the original's words.
    AccountState { PendingAskPassword = "PENDING_AP", PendingReset = "PENDING_FUPR", Locked = "LOCKED", Unlocked = "UNLOCKED" }
);

/// What is stored of an account.
#[derive(Clone)]
pub struct Account {
    pub id: AccountId,
    pub tenant: TenantId,
    pub realm: Realm,
    pub username: Username,
    pub user_id: Option<String>,
    /// Wrong OTPs since the last success, over all channels, generations and paths.
    pub otp_failures: i64,
    /// What a password is awaited for: since an invitation was issued that is not optional, until a password is set, however the
    /// invitation ends.
    pub awaits: Option<Purpose>,
    /// The lock wanted, if any.
    pub lock_reason: Option<LockReason>,
    pub hold: Hold,
    pub directory: DirectorySync,
    /// Grows with every change of what is wanted; a sync that read an older one is repeated.
    pub version: i64,
    pub updated_at: Timestamp,
    /// From when on it stands as it does: one interval later it is compared with the directory. `None`: there is nothing to compare.
    pub check_after: Option<Timestamp>,
    /// Comparisons in a row that did not end in agreement.
    pub checks_failed: i64,
}

impl Account {
    #[must_use]
    pub const fn user_store(&self) -> UserStore<'_> {
        UserStore { tenant: &self.tenant, realm: &self.realm }
    }

    #[must_use]
    pub fn key(&self) -> AccountKey {
        AccountKey::new(&self.realm, &self.username)
    }

    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.lock_reason.is_some() || matches!(self.hold, Hold::Foreign)
    }

    /// Whether we hold or want the lock that setting the password lifts, and nobody has lifted it in the directory.
    #[must_use]
    pub fn waits_locked(&self) -> bool {
        self.lock_reason.is_some_and(LockReason::ends_with_acceptance) && self.directory != DirectorySync::Drifted
    }

    /// Whether completing an invitation may unlock the account: the lock is ours and waits for just that.
    #[must_use]
    pub fn unlocks_on_acceptance(&self) -> bool {
        matches!(self.hold, Hold::Held | Hold::Intended)
            && self.lock_reason.is_some_and(LockReason::ends_with_acceptance)
    }

    /// Whether the lock that was to end with an acceptance was lifted by somebody in the directory, so that there is nothing left to unlock.
    #[must_use]
    pub fn is_lifted_already(&self) -> bool {
        matches!((self.directory, self.hold), (DirectorySync::Drifted, Hold::None))
            && self.lock_reason.is_some_and(LockReason::ends_with_acceptance)
    }

    /// What is left to do so that the account is locked for `reason`. An administrator's lock serves as well.
    #[must_use]
    pub fn lock_needed(&self, reason: LockReason) -> LockNeeded {
        match (self.lock_reason, self.directory, self.hold) {
            (Some(LockReason::AdminInitiated), ..) => LockNeeded::Nothing,
            (Some(held), DirectorySync::Synced, Hold::Held) if held == reason => LockNeeded::Nothing,
            (Some(wanted), DirectorySync::Pending, _) if wanted == reason => LockNeeded::Confirmation,
            _ => LockNeeded::Request,
        }
    }

    /// The state in the original's words.
    #[must_use]
    pub const fn state(&self) -> AccountState {
        match (self.awaits, self.is_locked()) {
            (Some(Purpose::Onboarding), _) => AccountState::PendingAskPassword,
            (Some(Purpose::PasswordReset), _) => AccountState::PendingReset,
            (None, true) => AccountState::Locked,
            (None, false) => AccountState::Unlocked,
        }
    }
}

/// What is left to do until an account is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockNeeded {
    Nothing,
    /// It was asked for already; the worker is on it.
    Confirmation,
    Request,
}

/// What the directory says of an account's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Usable,
    /// Locked; whose lock it is, only our own records can tell.
    Locked,
    /// Locked until a password is set, as the directory says itself: by us, or by whoever invited people before us.
    LockedForPassword,
    /// Locked by an administrator, where a lock of ours for a password's sake would be seen to be one.
    LockedByAdministrator,
    /// Disabled, or locked for a reason of somebody else's, as the directory says itself.
    Barred,
}

impl Access {
    /// Whether the lock may be one of ours for a password's sake, as far as the directory can tell.
    #[must_use]
    pub const fn may_await_password(self) -> bool {
        matches!(self, Self::Locked | Self::LockedForPassword)
    }
}

/// What to do in the directory so that it comes to agree with what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncStep {
    /// Note the intention, then lock.
    Lock,
    /// It is locked already and not by us: leave it.
    LeaveForeign,
    /// It is as wanted.
    Nothing,
    Unlock,
}

/// Decides the next step from what is wanted, what we know we did, and what the directory says.
#[must_use]
pub const fn sync_step(wants_lock: bool, hold: Hold, access: Access) -> SyncStep {
    match (wants_lock, access, hold) {
        (_, Access::Barred, _) => SyncStep::LeaveForeign,
        (true, Access::Usable, _) => SyncStep::Lock,
        (false, Access::Usable, _) => SyncStep::Nothing,
        (true, _, Hold::Intended | Hold::Held | Hold::Released) | (true, Access::LockedForPassword, _) => {
            SyncStep::Nothing
        }
        (false, Access::LockedByAdministrator, Hold::Released) => SyncStep::LeaveForeign,
        // That of an administrator too: it is an administrator who asks us for that.
        (false, _, Hold::Intended | Hold::Held | Hold::Released) => SyncStep::Unlock,
        (_, _, Hold::None | Hold::Foreign) => SyncStep::LeaveForeign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_lock_is_ever_lifted() {
        for hold in Hold::ALL {
            let ours = hold.is_ours();
            for access in [Access::Locked, Access::LockedByAdministrator] {
                let theirs = *hold == Hold::Released && access == Access::LockedByAdministrator;
                assert_eq!(sync_step(false, *hold, access) == SyncStep::Unlock, ours && !theirs, "{hold:?}");
            }
        }
    }

    #[test]
    fn what_the_directory_says_is_somebody_elses_is_left_alone_whatever_we_know() {
        for hold in Hold::ALL {
            for wants_lock in [false, true] {
                assert_eq!(sync_step(wants_lock, *hold, Access::Barred), SyncStep::LeaveForeign, "{hold:?}");
            }
        }
    }

    #[test]
    fn a_lock_found_after_our_intention_is_ours_and_one_found_before_is_not() {
        assert_eq!(sync_step(true, Hold::Intended, Access::Locked), SyncStep::Nothing);
        assert_eq!(sync_step(true, Hold::None, Access::Locked), SyncStep::LeaveForeign);
        assert_eq!(sync_step(true, Hold::None, Access::Usable), SyncStep::Lock);
    }

    #[test]
    fn a_lock_for_a_passwords_sake_becomes_ours_when_we_ask_for_the_password() {
        assert_eq!(sync_step(true, Hold::None, Access::LockedForPassword), SyncStep::Nothing);
        assert_eq!(sync_step(false, Hold::None, Access::LockedForPassword), SyncStep::LeaveForeign);
        assert_eq!(sync_step(true, Hold::None, Access::LockedByAdministrator), SyncStep::LeaveForeign);
    }

    #[test]
    fn an_administrators_lock_does_not_end_with_acceptance() {
        assert!(LockReason::PendingAskPassword.ends_with_acceptance());
        assert!(LockReason::PendingPasswordReset.ends_with_acceptance());
        assert!(!LockReason::AdminInitiated.ends_with_acceptance());
    }
}
