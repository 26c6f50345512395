//! Trying a delivery again that was given up, if it still makes sense.
//!
//! What is to be done in the directory is read anew at each try, so its row goes back into the queue. A message's text was wiped when it was
//! given up; its secret exists nowhere any more. Trying it again is resending its invitation: a new secret, under the resend's own rules.

use super::audit::note;
use super::issue::{DeliveryMode, Issued};
use super::lists::Seen;
use super::resend::Resend;
use super::{Alongside, Caller, Refusal, Service, ServiceResult};
use crate::domain::account::DirectorySync;
use crate::domain::ids::{MessageId, TenantId};
use crate::domain::message::{DeliveryStatus, Kind};
use crate::storage::accounts::Observation;
use crate::storage::audit::{Event, record};
use crate::storage::deliveries::{self, Delivery};
use crate::storage::{Connection, StorageError, accounts, outbox};

impl Service {
    /// The tenant's delivery of this id.
    ///
    /// # Errors
    /// [`Refusal::DeliveryNotFound`], for another tenant's as well, or a failure.
    pub async fn get_delivery(&self, caller: &Caller, id: MessageId) -> ServiceResult<Seen<Delivery>> {
        let tenant = caller.tenant.clone();
        self.store.read(move |conn| read(conn, &tenant, id)).await
    }

    /// Tries a failed delivery again; what is answered is the delivery that is now under way.
    ///
    /// # Errors
    /// [`Refusal::DeliveryNotRetriable`], what [`Service::resend`] refuses, or a failure.
    pub async fn retry_delivery(&self, caller: &Caller, id: MessageId) -> ServiceResult<Seen<Delivery>> {
        let Seen { what: seen, at } = self.get_delivery(caller, id).await?;
        if seen.status_at(at) != DeliveryStatus::Failed {
            return Err(Refusal::DeliveryNotRetriable("Only a delivery that has failed is tried again.").into());
        }
        if seen.kind == Kind::AccountSync {
            let caller = caller.clone();
            let requeued = self.store.write(move |conn| requeue_sync(conn, &caller, &seen)).await?;
            self.wake.notify_one();
            return Ok(requeued);
        }
        self.send_anew(caller, &seen).await
    }

    async fn send_anew(&self, caller: &Caller, seen: &Delivery) -> ServiceResult<Seen<Delivery>> {
        let Some(id) = seen.invitation.filter(|_| seen.kind.carries_secret()) else {
            return Err(Refusal::DeliveryNotRetriable("Its text was wiped and can't be made again.").into());
        };
        let invitation = self.get_invitation(caller, id).await?.invitation;
        if invitation.generation != seen.generation {
            return Err(Refusal::DeliveryNotRetriable("Its invitation was resent since.").into());
        }
        let (actor, kind) = (caller.actor.clone(), seen.kind);
        let alongside = Alongside::new(move |conn: &mut Connection, issued: &Issued| {
            let invitation = &issued.snapshot.invitation;
            Ok(note(conn, &actor, invitation.updated_at, ("message.requeued", kind.as_str()), invitation)?)
        });
        let command = Resend { delivery: Some(DeliveryMode::Send), ..Resend::default() };
        let issued = self.resend(caller, id, command, alongside).await.map_err(|error| match error {
            super::ServiceError::Refused(Refusal::NotResendable(_)) => {
                Refusal::DeliveryNotRetriable("Its invitation is over for good.").into()
            }
            other => other,
        })?;
        let what = issued.snapshot.delivery.ok_or(StorageError::Corrupt("message"))?;
        Ok(Seen { what, at: issued.snapshot.taken_at })
    }
}

fn read(conn: &mut Connection, tenant: &TenantId, id: MessageId) -> ServiceResult<Seen<Delivery>> {
    let what = deliveries::find(conn, tenant, id)?.ok_or(Refusal::DeliveryNotFound)?;
    Ok(Seen { what, at: conn.now()? })
}

/// Puts the change of the account's lock back into the queue.
fn requeue_sync(conn: &mut Connection, caller: &Caller, seen: &Delivery) -> ServiceResult<Seen<Delivery>> {
    let erased = || Refusal::DeliveryNotRetriable("Its account has been erased.");
    let id = seen.account.ok_or_else(erased)?;
    let named = accounts::find_by_id(conn, &caller.tenant, id)?.ok_or_else(erased)?;
    let account = accounts::find_locked(conn, &caller.tenant, &named.key())?.ok_or_else(erased)?;
    let now = conn.now()?;
    if !outbox::requeue(conn, &caller.tenant, seen.id, now)? {
        return Err(Refusal::DeliveryNotRetriable("It is being tried again already.").into());
    }
    if account.directory == DirectorySync::Failed {
        let pending = Observation {
            lock_reason: account.lock_reason,
            hold: account.hold,
            directory: DirectorySync::Pending,
            user_id: None,
        };
        accounts::observe(conn, &account, &pending, now)?;
    }
    let event = Event {
        event: "message.requeued",
        tenant: &caller.tenant,
        invitation: seen.invitation,
        account: Some(id),
        detail: seen.kind.as_str(),
    };
    record(conn, &caller.actor, now, &event)?;
    read(conn, &caller.tenant, seen.id)
}
