//! Revoking an invitation: final, and it beats the queue; nothing is sent afterwards.

use super::accounts::end_idle_reset;
use super::audit::note;
use super::issue::account_row;
use super::lookup::{Snapshot, snapshot};
use super::sync::enqueue_sync;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::account::LockReason;
use crate::domain::ids::InvitationId;
use crate::domain::invitation::{RevokeReason, Status};
use crate::storage::transitions::{ACCEPT_LEASE, Close};
use crate::storage::{Connection, accounts, invitations, outbox, transitions};

impl Service {
    /// Revokes the invitation; with `unlock`, our own lock of its account is lifted too. Revoking twice is one revocation. Writes
    /// what belongs to it `alongside`.
    ///
    /// # Errors
    /// [`Refusal::AcceptInProgress`] while a password is being set, [`Refusal::NotRevocable`] afterwards, or a failure.
    pub async fn revoke(
        &self,
        caller: &Caller,
        id: InvitationId,
        unlock: bool,
        alongside: Alongside<Snapshot>,
    ) -> ServiceResult<Snapshot> {
        let caller = caller.clone();
        let revoked = self
            .store
            .write(move |conn| {
                let revoked = revoke(conn, &caller, id, unlock)?;
                alongside.write(conn, &revoked)?;
                Ok::<_, ServiceError>(revoked)
            })
            .await?;
        self.wake.notify_one();
        Ok(revoked)
    }
}

fn revoke(conn: &mut Connection, caller: &Caller, id: InvitationId, unlock: bool) -> ServiceResult<Snapshot> {
    let seen = invitations::find(conn, &caller.tenant, id)?.ok_or(Refusal::InvitationNotFound)?;
    let account = account_row(conn, &seen)?;
    let mut current = invitations::find_locked(conn, &caller.tenant, id)?.ok_or(Refusal::InvitationNotFound)?;
    let now = conn.now()?;
    match current.status {
        Status::Revoked => return snapshot(conn, current, now),
        Status::Accepting => return Err(Refusal::AcceptInProgress(ACCEPT_LEASE).into()),
        Status::Accepted => return Err(Refusal::NotRevocable(Status::Accepted).into()),
        Status::Provisioning | Status::Pending | Status::Expired | Status::Failed => {}
    }
    if !transitions::close(conn, &current, Close::Revoked(RevokeReason::Administrator), now)? {
        return Err(Refusal::AcceptInProgress(ACCEPT_LEASE).into());
    }
    outbox::supersede(conn, id, now)?;
    note(conn, &caller.actor, now, ("invitation.revoked", if unlock { "unlock" } else { "" }), &current)?;
    if unlock && account.lock_reason.is_some_and(LockReason::ends_with_acceptance) {
        accounts::release_lock(conn, &account, now)?;
        enqueue_sync(conn, &account, Some(id), now)?;
        note(conn, &caller.actor, now, ("account.unlocked", "revoked"), &current)?;
    }
    end_idle_reset(conn, &account)?;
    (current.status, current.revoked_at, current.updated_at) = (Status::Revoked, Some(now), now);
    current.revoke_reason = Some(RevokeReason::Administrator);
    snapshot(conn, current, now)
}
