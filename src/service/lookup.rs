//! Reading an invitation as callers see it.

use super::{Caller, Refusal, Service, ServiceResult};
use crate::domain::account::Account;
use crate::domain::ids::InvitationId;
use crate::domain::invitation::{Invitation, Status};
use crate::domain::time::Timestamp;
use crate::storage::outbox::{self, Delivery};
use crate::storage::{Connection, accounts, invitations};

/// An invitation at one moment, with what belongs to it.
#[derive(Clone)]
pub struct Snapshot {
    pub invitation: Invitation,
    /// The state that holds at the moment of the snapshot.
    pub status: Status,
    pub account: Option<Account>,
    /// The message with this generation's secret; none when the caller brings it.
    pub delivery: Option<Delivery>,
    pub taken_at: Timestamp,
}

impl Snapshot {
    /// Whether the message waits for the time that was chosen.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.invitation.send_at.is_some_and(|at| at > self.taken_at)
    }

    /// When the next resend is allowed; `None` when no resend is possible.
    #[must_use]
    pub fn next_resend_at(&self) -> Option<Timestamp> {
        let invitation = &self.invitation;
        let resendable =
            matches!(self.status, Status::Provisioning | Status::Pending | Status::Expired | Status::Failed);
        (resendable && invitation.resends < i64::from(invitation.terms.max_resends))
            .then(|| invitation.resendable_from(self.taken_at))
    }
}

/// Takes the snapshot, on the connection that the invitation was read or written with.
pub(super) fn snapshot(conn: &mut Connection, invitation: Invitation, now: Timestamp) -> ServiceResult<Snapshot> {
    let account = accounts::find(conn, &invitation.tenant, &invitation.account_key())?;
    let delivery = outbox::find_message(conn, &invitation.tenant, invitation.id, invitation.generation)?;
    Ok(Snapshot { status: invitation.status_at(now), invitation, account, delivery, taken_at: now })
}

impl Service {
    /// The tenant's invitation of this id.
    ///
    /// # Errors
    /// [`Refusal::InvitationNotFound`], for another tenant's as well, or a failure.
    pub async fn get_invitation(&self, caller: &Caller, id: InvitationId) -> ServiceResult<Snapshot> {
        let tenant = caller.tenant.clone();
        self.store
            .read(move |conn| {
                let invitation = invitations::find(conn, &tenant, id)?.ok_or(Refusal::InvitationNotFound)?;
                let now = conn.now()?;
                snapshot(conn, invitation, now)
            })
            .await
    }
}
