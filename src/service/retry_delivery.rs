//! Trying a delivery again that was given up or came back, if it still makes sense.
//!
//! What is to be done in the directory, and what an endpoint is told, is read anew at each try, so such a row goes back into the
//! queue. A message's text was wiped when it was given up; its secret exists nowhere any more. Trying it again is resending its invitation: a new secret, under the resend's own rules.

use super::audit::note;
use super::issue::{DeliveryMode, Issued};
use super::lists::Seen;
use super::resend::Resend;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::account::{Account, DirectorySync};
use crate::domain::ids::{AccountId, MessageId, TenantId};
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

    /// Tries a failed delivery again, and writes what belongs to it `alongside`; the outcome is the delivery that is now under way.
    ///
    /// # Errors
    /// [`Refusal::DeliveryNotRetriable`], what [`Service::resend`] refuses, or a failure.
    pub async fn retry_delivery(
        &self,
        caller: &Caller,
        id: MessageId,
        alongside: Alongside<Seen<Delivery>>,
    ) -> ServiceResult<Seen<Delivery>> {
        let Seen { what: seen, at } = self.get_delivery(caller, id).await?;
        if !matches!(seen.status_at(at), DeliveryStatus::Failed | DeliveryStatus::Bounced) {
            let why = "Only a delivery that has failed or bounced is tried again.";
            return Err(Refusal::DeliveryNotRetriable(why).into());
        }
        if !matches!(seen.kind, Kind::AccountSync | Kind::WebhookEvent) {
            return self.send_anew(caller, &seen, alongside).await;
        }
        let caller = caller.clone();
        let requeued = self.store.write(move |conn| {
            let requeued = requeue(conn, &caller, &seen)?;
            alongside.write(conn, &requeued)?;
            Ok::<_, ServiceError>(requeued)
        });
        let requeued = requeued.await?;
        self.wake.notify_one();
        Ok(requeued)
    }

    async fn send_anew(
        &self,
        caller: &Caller,
        seen: &Delivery,
        alongside: Alongside<Seen<Delivery>>,
    ) -> ServiceResult<Seen<Delivery>> {
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
            note(conn, &actor, invitation.updated_at, ("message.requeued", kind.as_str()), invitation)?;
            alongside.write(conn, &message_of(issued)?)
        });
        let command = Resend { delivery: Some(DeliveryMode::Send), ..Resend::default() };
        let issued = self.resend_seen(caller, invitation, command, alongside).await.map_err(|error| match error {
            ServiceError::Refused(Refusal::NotResendable(_)) => {
                Refusal::DeliveryNotRetriable("Its invitation is over for good.").into()
            }
            other => other,
        })?;
        message_of(&issued)
    }
}

fn message_of(issued: &Issued) -> ServiceResult<Seen<Delivery>> {
    let what = issued.snapshot.delivery.clone().ok_or(StorageError::Corrupt("message"))?;
    Ok(Seen { what, at: issued.snapshot.taken_at })
}

fn read(conn: &mut Connection, tenant: &TenantId, id: MessageId) -> ServiceResult<Seen<Delivery>> {
    let what = deliveries::find(conn, tenant, id)?.ok_or(Refusal::DeliveryNotFound)?;
    Ok(Seen { what, at: conn.now()? })
}

/// Puts a row that carries nothing back into the queue.
fn requeue(conn: &mut Connection, caller: &Caller, seen: &Delivery) -> ServiceResult<Seen<Delivery>> {
    let account = match (seen.kind, seen.account) {
        (Kind::AccountSync, Some(id)) => Some(locked(conn, caller, id)?),
        (Kind::AccountSync, None) => return Err(erased().into()),
        _ => None,
    };
    let now = conn.now()?;
    if !outbox::requeue(conn, &caller.tenant, seen.id, now)? {
        return Err(Refusal::DeliveryNotRetriable("It is being tried again already.").into());
    }
    if let Some(account) = account.filter(|account| account.directory == DirectorySync::Failed) {
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
        account: seen.account,
        detail: seen.kind.as_str(),
    };
    record(conn, &caller.actor, now, &event)?;
    read(conn, &caller.tenant, seen.id)
}

/// The account, held until the transaction ends.
fn locked(conn: &mut Connection, caller: &Caller, id: AccountId) -> ServiceResult<Account> {
    let named = accounts::find_by_id(conn, &caller.tenant, id)?.ok_or_else(erased)?;
    Ok(accounts::find_locked(conn, &caller.tenant, &named.key())?.ok_or_else(erased)?)
}

const fn erased() -> Refusal {
    Refusal::DeliveryNotRetriable("Its account has been erased.")
}
