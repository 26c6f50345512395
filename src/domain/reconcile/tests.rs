use super::*;
use crate::domain::account::LockReason;
use crate::domain::ids::{AccountId, Realm, TenantId, Username};
use crate::domain::invitation::Purpose;
use crate::domain::time::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);

fn account(lock: Option<LockReason>, hold: Hold, directory: DirectorySync) -> Account {
    Account {
        id: AccountId::new(Timestamp::from_millis(0), &[1; 10]),
        tenant: TenantId::default_tenant(),
        realm: Realm::primary(),
        username: Username::parse("alex").unwrap(),
        user_id: Some("u1".to_owned()),
        otp_failures: 0,
        awaits: Some(Purpose::Onboarding),
        lock_reason: lock,
        hold,
        directory,
        version: 1,
        updated_at: Timestamp::from_millis(0),
        check_after: Some(Timestamp::from_millis(0)),
        checks_failed: 0,
    }
}

const OURS: Option<LockReason> = Some(LockReason::PendingAskPassword);

#[test]
fn what_was_confirmed_is_held_against_what_is_there() {
    use Access as A;
    use Difference as D;
    let cases = [
        (OURS, Hold::Held, A::Locked, None),
        (OURS, Hold::Held, A::LockedByAdministrator, None),
        (OURS, Hold::Held, A::Usable, Some(D::LockMissing)),
        (OURS, Hold::Held, A::Barred, Some(D::LockedByOthers)),
        (None, Hold::None, A::Usable, None),
        (None, Hold::None, A::Locked, Some(D::LockedByOthers)),
        (None, Hold::None, A::LockedByAdministrator, Some(D::LockedByOthers)),
        (None, Hold::None, A::Barred, Some(D::LockedByOthers)),
        (None, Hold::Foreign, A::Locked, None),
        (None, Hold::Foreign, A::LockedByAdministrator, None),
        (None, Hold::Foreign, A::Barred, None),
        (None, Hold::Foreign, A::Usable, Some(D::OthersLockLifted)),
        (None, Hold::Held, A::Locked, Some(D::LockLeft)),
        (None, Hold::Released, A::LockedByAdministrator, Some(D::LockedByOthers)),
    ];
    for (lock, hold, access, expected) in cases {
        let account = account(lock, hold, DirectorySync::Synced);
        assert_eq!(difference(&account, access), expected, "{lock:?} {hold:?} {access:?}");
    }
}

#[test]
fn a_lock_that_somebody_lifted_is_put_back_only_where_the_operator_says_so() {
    for directory in [DirectorySync::Synced, DirectorySync::Drifted] {
        let account = account(OURS, Hold::Held, directory);
        let there = Sighting::There(Access::Usable);
        assert_eq!(judge(&account, there, false), Verdict::Drifted(Difference::LockMissing));
        assert_eq!(judge(&account, there, true), Verdict::Repeat);
    }
}

#[test]
fn what_others_locked_is_never_asked_to_be_changed_once_all_was_confirmed() {
    for (lock, hold) in [(OURS, Hold::Held), (None, Hold::None), (None, Hold::Foreign)] {
        for access in [Access::Locked, Access::LockedByAdministrator, Access::Barred] {
            for directory in [DirectorySync::Synced, DirectorySync::Drifted] {
                for relock in [false, true] {
                    let account = account(lock, hold, directory);
                    let verdict = judge(&account, Sighting::There(access), relock);
                    assert_ne!(verdict, Verdict::Repeat, "{hold:?} {access:?}");
                }
            }
        }
    }
}

#[test]
fn what_was_never_confirmed_is_asked_for_again() {
    for directory in [DirectorySync::Failed, DirectorySync::Pending] {
        for (lock, hold) in [(OURS, Hold::None), (OURS, Hold::Intended), (None, Hold::Released), (None, Hold::Held)] {
            let account = account(lock, hold, directory);
            for access in [Access::Usable, Access::Locked] {
                assert_eq!(judge(&account, Sighting::There(access), false), Verdict::Repeat, "{hold:?} {access:?}");
            }
            assert_eq!(judge(&account, Sighting::Gone, false), Verdict::Gone);
            assert_eq!(judge(&account, Sighting::Unclear, true), Verdict::Unclear);
        }
    }
}

#[test]
fn agreement_ends_a_drift_and_others_may_lift_their_own_lock() {
    let locked = Sighting::There(Access::Locked);
    assert_eq!(judge(&account(OURS, Hold::Held, DirectorySync::Drifted), locked, false), Verdict::Agrees);
    // Ours was lifted: this one is not ours, unless the directory says what it is for.
    let lifted = account(OURS, Hold::None, DirectorySync::Drifted);
    assert_eq!(judge(&lifted, locked, true), Verdict::Drifted(Difference::LockedByOthers));
    let again = judge(&lifted, Sighting::There(Access::LockedForPassword), false);
    assert_eq!((again, hold_after(&lifted, again)), (Verdict::Agrees, Hold::Held));
    let foreign = account(None, Hold::Foreign, DirectorySync::Synced);
    assert_eq!(judge(&foreign, Sighting::There(Access::Usable), true), Verdict::Freed);
    assert_eq!(judge(&foreign, Sighting::Gone, false), Verdict::Gone, "somebody waits for the user");
    let done = Account { awaits: None, ..account(None, Hold::None, DirectorySync::Synced) };
    assert_eq!(judge(&done, Sighting::Gone, false), Verdict::Agrees, "nothing is wanted of the user");
}

#[test]
fn only_what_waits_is_watched() {
    let is = |lock, hold, awaits| is_watched(&Account { awaits, ..account(lock, hold, DirectorySync::Synced) });
    assert!(is(OURS, Hold::Held, Some(Purpose::Onboarding)));
    assert!(is(Some(LockReason::AdminInitiated), Hold::Held, None));
    assert!(is(None, Hold::Foreign, Some(Purpose::PasswordReset)));
    assert!(!is(None, Hold::Foreign, None));
    assert!(!is(None, Hold::None, Some(Purpose::Onboarding)));
}

#[test]
fn waits_grow_up_to_six_hours_and_what_is_vain_has_an_end() {
    let watched = account(OURS, Hold::Held, DirectorySync::Drifted);
    let extra = |failed| spared(&watched, Verdict::Unclear, 15 * MINUTE, failed);
    let minutes: Vec<u64> = (0..8).map(|failed| extra(failed).unwrap().as_secs() / 60).collect();
    assert_eq!(minutes, [0, 15, 45, 105, 225, 345, 345, 345]);
    assert_eq!(spared(&watched, Verdict::Unclear, 1000 * MINUTE, 3), Some(Duration::ZERO), "a longer interval counts");
    let drifted = Verdict::Drifted(Difference::LockedByOthers);
    assert!(spared(&watched, drifted, MINUTE, 99).is_some() && spared(&watched, Verdict::Gone, MINUTE, 9).is_some());
    assert_eq!(spared(&watched, Verdict::Gone, MINUTE, 10), None);
    let done = account(None, Hold::None, DirectorySync::Drifted);
    assert_eq!(spared(&done, drifted, MINUTE, 10), None);
}

#[test]
fn a_lock_that_was_found_lifted_is_not_held_any_more() {
    let held = account(OURS, Hold::Held, DirectorySync::Synced);
    let after = |access| hold_after(&held, judge(&held, Sighting::There(access), false));
    assert_eq!(after(Access::Usable), Hold::None);
    assert_eq!((after(Access::Locked), after(Access::Barred)), (Hold::Held, Hold::Held));
    assert_eq!(hold_after(&held, Verdict::Unclear), Hold::Held);
    let foreign = account(None, Hold::Foreign, DirectorySync::Synced);
    assert_eq!(hold_after(&foreign, Verdict::Freed), Hold::None);
}
