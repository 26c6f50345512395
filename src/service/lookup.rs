//! Reading an invitation as callers see it.

use std::collections::HashMap;

use super::{Caller, Refusal, Service, ServiceResult};
use crate::domain::account::Account;
use crate::domain::ids::{InvitationId, TenantId};
use crate::domain::invitation::{Invitation, Status};
use crate::domain::message::DeliveryState;
use crate::domain::time::Timestamp;
use crate::storage::deliveries::{self, Delivery};
use crate::storage::{Connection, accounts, invitations};

/// An invitation at one moment, with what belongs to it.
#[derive(Clone)]
pub struct Snapshot {
    pub invitation: Invitation,
    /// The state that holds at the moment of the snapshot.
    pub status: Status,
    pub account: Option<Account>,
    /// The message with this generation's secret, also when it is not ours to send.
    pub delivery: Option<Delivery>,
    pub taken_at: Timestamp,
}

impl Snapshot {
    /// When the person is reminded next; `None` when that is not going to be.
    #[must_use]
    pub fn next_reminder_at(&self) -> Option<Timestamp> {
        let is_open =
            matches!(self.status, Status::Provisioning | Status::Pending) && self.invitation.otp_used_at.is_none();
        let goes_out = self.delivery.as_ref().is_some_and(|delivery| match delivery.state {
            DeliveryState::Held | DeliveryState::Scheduled | DeliveryState::Ready => true,
            DeliveryState::Sending | DeliveryState::Sent | DeliveryState::Delivered => true,
            DeliveryState::Failed
            | DeliveryState::Bounced
            | DeliveryState::Superseded
            | DeliveryState::Expired
            | DeliveryState::Skipped => false,
        });
        let times = self.invitation.reminders().map(|(_, at)| at).filter(|at| *at > self.taken_at);
        times.min().filter(|_| is_open && goes_out)
    }

    /// When the next resend is allowed; `None` when no resend is possible.
    #[must_use]
    pub fn next_resend_at(&self) -> Option<Timestamp> {
        let invitation = &self.invitation;
        let resendable =
            matches!(self.status, Status::Provisioning | Status::Pending | Status::Expired | Status::Failed);
        (resendable && !invitation.is_resent_out()).then(|| invitation.resendable_from(self.taken_at))
    }
}

/// Takes the snapshot, on the connection that the invitation was read or written with.
pub(super) fn snapshot(conn: &mut Connection, invitation: Invitation, now: Timestamp) -> ServiceResult<Snapshot> {
    let account = accounts::find(conn, &invitation.tenant, &invitation.account_key())?;
    let delivery = deliveries::current_messages(conn, &invitation.tenant, &[invitation.id])?.pop();
    Ok(Snapshot { status: invitation.status_at(now), invitation, account, delivery, taken_at: now })
}

/// Takes the snapshots of many invitations of one tenant, with as many statements as for one.
pub(super) fn snapshots(
    conn: &mut Connection,
    tenant: &TenantId,
    invitations: Vec<Invitation>,
    now: Timestamp,
) -> ServiceResult<Vec<Snapshot>> {
    let account_ids: Vec<_> = invitations.iter().map(|invitation| invitation.account).collect();
    let accounts = accounts::find_many(conn, tenant, &account_ids)?;
    let accounts: HashMap<_, _> = accounts.into_iter().map(|account| (account.id, account)).collect();
    let ids: Vec<_> = invitations.iter().map(|invitation| invitation.id).collect();
    let messages = deliveries::current_messages(conn, tenant, &ids)?;
    let mut messages: HashMap<_, _> = messages.into_iter().map(|message| (message.invitation, message)).collect();
    let snapshots = invitations.into_iter().map(|invitation| Snapshot {
        status: invitation.status_at(now),
        account: accounts.get(&invitation.account).cloned(),
        delivery: messages.remove(&Some(invitation.id)),
        invitation,
        taken_at: now,
    });
    Ok(snapshots.collect())
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
