//! Reports that end what waits for a person: a password that was set elsewhere, and the deletion of the user.

use super::{Noted, Outcome, Reported, ReportedUser};
use crate::domain::account::{Account, Hold, LockReason};
use crate::domain::invitation::{Invitation, RevokeReason, Status};
use crate::domain::time::Timestamp;
use crate::service::audit::note;
use crate::service::sync::enqueue_sync;
use crate::service::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::storage::audit::{Event, record};
use crate::storage::transitions::{self, Close};
use crate::storage::{Connection, accounts, invitations, outbox};

impl Service {
    /// Ends what waits for the user in the way of `effect`, unless we know another user by that name.
    pub(super) async fn end_for(
        &self,
        caller: &Caller,
        user: ReportedUser,
        alongside: Alongside<Reported>,
        effect: fn(&mut Connection, &Ending) -> ServiceResult<Noted>,
    ) -> ServiceResult<Reported> {
        let caller = caller.clone();
        let noted = self
            .store
            .write(move |conn| {
                let noted = match find(conn, &caller, &user)? {
                    Found::Ending(ending) => effect(conn, &ending)?,
                    Found::Nothing => Noted::nothing(Outcome::Unchanged),
                    Found::Namesake => Noted::nothing(Outcome::Ignored),
                };
                alongside.write(conn, &Reported::Noted(noted))?;
                Ok::<_, ServiceError>(noted)
            })
            .await?;
        self.wake.notify_one();
        Ok(Reported::Noted(noted))
    }

    /// Whoever had the name before the user was created is gone, told or not.
    pub(super) async fn forget_namesake(&self, caller: &Caller, user: &ReportedUser) -> ServiceResult<()> {
        let (caller, user) = (caller.clone(), user.clone());
        self.store
            .write(move |conn| {
                let Some(account) = accounts::find_locked(conn, &caller.tenant, &user.key())? else { return Ok(()) };
                let ending = Ending::of(conn, &caller, account)?;
                if ending.is_of(&user) { Ok(()) } else { by_deletion(conn, &ending).map(drop) }
            })
            .await
    }
}

/// An account whose row the transaction holds, and its invitations that are not over for good.
pub(super) struct Ending {
    caller: Caller,
    account: Account,
    open: Vec<Invitation>,
    now: Timestamp,
}

enum Found {
    Ending(Box<Ending>),
    /// We never had to do with the account.
    Nothing,
    /// We know another user by that name.
    Namesake,
}

fn find(conn: &mut Connection, caller: &Caller, user: &ReportedUser) -> ServiceResult<Found> {
    let Some(account) = accounts::find_locked(conn, &caller.tenant, &user.key())? else { return Ok(Found::Nothing) };
    let ending = Ending::of(conn, caller, account)?;
    Ok(if ending.is_of(user) { Found::Ending(Box::new(ending)) } else { Found::Namesake })
}

/// Ends the account's invitations, and lifts its lock if that only waited for the password. Other locks are let be.
pub(super) fn by_password(conn: &mut Connection, ending: &Ending) -> ServiceResult<Noted> {
    let Ending { caller, account, now, .. } = ending;
    let is_ours = account.lock_reason.is_some_and(LockReason::ends_with_acceptance);
    if ending.open.is_empty() && !is_ours && account.awaits.is_none() {
        return Ok(ending.noted(Outcome::Unchanged));
    }
    ending.close_all(conn, RevokeReason::PasswordSetElsewhere)?;
    accounts::await_password(conn, account, None)?;
    accounts::clear_budget(conn, &account.tenant, &account.key())?;
    ending.record(conn, "account.password_set", "")?;
    if is_ours {
        accounts::release_lock(conn, account, *now)?;
        enqueue_sync(conn, account, ending.newest(), *now)?;
        let detail = RevokeReason::PasswordSetElsewhere.as_str();
        match ending.open.first() {
            Some(invitation) => note(conn, &caller.actor, *now, ("account.unlocked", detail), invitation)?,
            None => ending.record(conn, "account.unlocked", detail)?,
        }
    }
    Ok(ending.noted(Outcome::Applied))
}

/// Ends the account's invitations and forgets what was wanted of its user, without a call to the directory.
pub(super) fn by_deletion(conn: &mut Connection, ending: &Ending) -> ServiceResult<Noted> {
    let account = &ending.account;
    let is_blank = account.lock_reason.is_none() && account.hold == Hold::None && account.user_id.is_none();
    if ending.open.is_empty() && is_blank && account.awaits.is_none() && account.otp_failures == 0 {
        return Ok(ending.noted(Outcome::Unchanged));
    }
    ending.close_all(conn, RevokeReason::UserDeleted)?;
    accounts::forget_user(conn, account, ending.now)?;
    ending.record(conn, "account.user_deleted", "")?;
    Ok(ending.noted(Outcome::Applied))
}

impl Ending {
    fn of(conn: &mut Connection, caller: &Caller, account: Account) -> ServiceResult<Self> {
        let open = invitations::find_open(conn, &account.tenant, &account.key())?;
        let now = conn.now()?;
        Ok(Self { caller: caller.clone(), account, open, now })
    }

    /// Whether all that we know of the account is about this user, told apart by the directory's id; nothing known is about anybody.
    fn is_of(&self, user: &ReportedUser) -> bool {
        let newest = self.open.first().and_then(|invitation| invitation.person.id.as_ref());
        newest.or(self.account.user_id.as_ref()).is_none_or(|known| *known == user.id)
    }

    fn newest(&self) -> Option<crate::domain::ids::InvitationId> {
        self.open.first().map(|invitation| invitation.id)
    }

    fn noted(&self, outcome: Outcome) -> Noted {
        Noted { outcome, invitation: self.newest(), account: Some(self.account.id) }
    }

    /// Ends all of them, so that no secret of theirs is good and none can be resent. One whose password is being set right now is in the
    /// way; one whose process died is not, once its lease is over.
    fn close_all(&self, conn: &mut Connection, reason: RevokeReason) -> ServiceResult<()> {
        for invitation in &self.open {
            let lease = invitation.accept_lease_until.filter(|_| invitation.status == Status::Accepting);
            if let Some(until) = lease.filter(|until| *until > self.now) {
                return Err(Refusal::AcceptInProgress(until.since(self.now)).into());
            }
            if !transitions::close(conn, invitation, Close::Revoked(reason), self.now)? {
                return Err(Refusal::AcceptInProgress(transitions::ACCEPT_LEASE).into());
            }
            outbox::supersede(conn, invitation.id, self.now)?;
            note(conn, &self.caller.actor, self.now, ("invitation.revoked", reason.as_str()), invitation)?;
        }
        Ok(())
    }

    fn record(&self, conn: &mut Connection, event: &'static str, detail: &str) -> ServiceResult<()> {
        let Self { caller, account, now, .. } = self;
        let event = Event { event, tenant: &account.tenant, invitation: None, account: Some(account.id), detail };
        Ok(record(conn, &caller.actor, *now, &event)?)
    }
}
