//! What gateways report of messages that they took: found by the gateway's id, moved on, written down and told to the platform.
//!
//! Only the vendor's signature says that a report is true. Reports on messages that are not known here are none of our business: others may send
//! by the same gateway.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use super::error::CallbackRefusal;
use super::{Actor, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::ids::TenantId;
use crate::domain::invitation::{Channel, Invitation};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::time::Timestamp;
pub use crate::gateway::receipts::Posted;
use crate::gateway::receipts::{Refused, Reported, WINDOW};
use crate::storage::audit::{Event, record};
use crate::storage::idempotency::{self, Reservation};
use crate::storage::receipts::{self, Applied, Taken};
use crate::storage::{Connection, StorageError, fallbacks, invitations};

/// How many reports one transaction takes.
const BATCH: usize = 100;
/// When a vendor may come again with what could not be judged.
const RETRY: Duration = Duration::from_secs(30);

/// Where a report was posted to.
pub struct Place {
    /// The tenant that the route names; without one, any tenant's messages are meant.
    pub tenant: Option<TenantId>,
    pub channel: Channel,
    pub provider: String,
    pub request_id: Option<String>,
}

impl Service {
    /// Takes what a gateway reports. A batch may be taken in part when the database fails; repeating it does the rest.
    ///
    /// # Errors
    /// [`Refusal::Callback`] or a failure.
    pub async fn receive_receipts(&self, place: Place, posted: &Posted) -> ServiceResult<()> {
        let read = self.vendors.read(place.channel, &place.provider, posted, self.clock.now()).await;
        let Reported { receipts, once } = read.map_err(refusal)?;
        let place = Arc::new(place);
        if let Some(once) = once {
            return self.take_once(&place, receipts, &once).await;
        }
        for batch in receipts.chunks(BATCH) {
            let news = self.news(&place, batch.to_vec()).await?;
            if news.is_empty() {
                continue;
            }
            let place = Arc::clone(&place);
            self.store.write(move |conn| take(conn, &place, &news)).await?;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The reports that change something as far as is seen, with their messages: most of a gateway's calls need no write.
    async fn news(&self, place: &Arc<Place>, batch: Vec<Receipt>) -> ServiceResult<Vec<(Taken, Receipt)>> {
        let place = Arc::clone(place);
        self.store.read(move |conn| Ok::<_, ServiceError>(news(conn, &place, &batch)?)).await
    }

    /// As its signature does not cover what it reports, such a call counts only the first time, whatever it says then.
    async fn take_once(&self, place: &Arc<Place>, receipts: Vec<Receipt>, once: &str) -> ServiceResult<()> {
        let place = Arc::clone(place);
        let key_hash = digest(&SHA256, format!("receipt\n{}\n{once}", place.provider).as_bytes()).as_ref().to_vec();
        let reservation = Reservation { tenant: TenantId::default_tenant(), key_hash, fence: 0 };
        let taken = self.store.write(move |conn| {
            let now = conn.now()?;
            let until = now.after(WINDOW * 2);
            if !idempotency::reserve(conn, &reservation, &[], (now, until))? {
                return Ok(());
            }
            let news = news(conn, &place, &receipts)?;
            take(conn, &place, &news)
        });
        taken.await?;
        self.wake.notify_one();
        Ok(())
    }
}

fn refusal(refused: Refused) -> ServiceError {
    let refusal = match refused {
        Refused::Unknown => CallbackRefusal::NotFound,
        Refused::Signature => CallbackRefusal::Unsigned,
        Refused::Malformed => CallbackRefusal::Malformed,
        Refused::Unavailable => CallbackRefusal::Unavailable(RETRY),
    };
    Refusal::Callback(refusal).into()
}

/// The reports that may change something, with their messages, in the order in which any transaction takes those.
fn news(conn: &mut Connection, place: &Place, batch: &[Receipt]) -> Result<Vec<(Taken, Receipt)>, StorageError> {
    let ids: Vec<&str> = batch.iter().map(|receipt| receipt.provider_id.as_str()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let known = receipts::find(conn, place.tenant.as_ref(), place.channel, &ids)?;
    let of = |receipt: &Receipt| {
        let taken = known.iter().find(|taken| taken.provider_id == receipt.provider_id)?;
        let is_news = receipt.kind.is_news(taken.state, taken.last_error.as_deref());
        is_news.then(|| (taken.clone(), receipt.clone()))
    };
    let mut news: Vec<_> = batch.iter().filter_map(of).collect();
    news.sort_by_key(|(taken, _)| *taken.id.as_bytes());
    Ok(news)
}

fn take(conn: &mut Connection, place: &Place, news: &[(Taken, Receipt)]) -> ServiceResult<()> {
    let actor = Actor { name: format!("gateway:{}", place.provider), request_id: place.request_id.clone() };
    let invitations = hold_invitations(conn, news)?;
    let now = conn.now()?;
    for (message, receipt) in news {
        let Some(applied) = receipts::apply(conn, message, receipt, now)? else { continue };
        let (event, detail) = match receipt.error() {
            None => delivered(message, applied),
            Some(error) => bounced(message, applied, error),
        };
        let event = Event {
            event,
            tenant: &message.tenant,
            invitation: message.invitation,
            account: message.account,
            detail: &detail,
        };
        record(conn, &actor, now, &event)?;
        let of_message = invitations.iter().find(|invitation| Some(invitation.id) == message.invitation);
        if let Some(invitation) = of_message.filter(|_| applied == Applied::ToCurrent) {
            follow(conn, invitation, receipt.kind, now)?;
        }
    }
    Ok(())
}

/// The invitations whose secret is reported on, held until the transaction ends: before the rows of the outbox, and in one order.
fn hold_invitations(conn: &mut Connection, news: &[(Taken, Receipt)]) -> Result<Vec<Invitation>, StorageError> {
    let with_secret = news.iter().map(|(message, _)| message).filter(|message| message.kind.brings_secret());
    let mut ids: Vec<_> = with_secret.filter_map(|message| Some((message.invitation?, &message.tenant))).collect();
    ids.sort_by_key(|(id, _)| *id.as_bytes());
    ids.dedup_by_key(|(id, _)| *id);
    let mut held = Vec::new();
    for (id, tenant) in ids {
        held.extend(invitations::find_locked(conn, tenant, id)?);
    }
    Ok(held)
}

/// Has the other channel follow where that was agreed on, or not any more, since the message arrived after all: decided here, carried out by
/// whoever sweeps next.
fn follow(
    conn: &mut Connection,
    invitation: &Invitation,
    kind: ReceiptKind,
    now: Timestamp,
) -> Result<(), StorageError> {
    if kind.is_unreached() {
        fallbacks::want(conn, invitation, now)?;
        return Ok(());
    }
    fallbacks::waive(conn, invitation)
}

/// A message arrived. The platform hears of it only when it is the one with the invitation's current secret.
fn delivered(message: &Taken, applied: Applied) -> (&'static str, String) {
    let event = if applied == Applied::ToCurrent { "message.delivered" } else { "receipt.delivered" };
    (event, message.kind.as_str().to_owned())
}

/// A message did not reach the person, or was not wanted; what is not [`Applied::ToCurrent`] says nothing of the invitation as it is now.
fn bounced(message: &Taken, applied: Applied, error: String) -> (&'static str, String) {
    match applied {
        Applied::ToCurrent => ("message.bounced", error),
        Applied::ToOther => ("receipt.bounced", format!("{} {error}", message.kind.as_str())),
    }
}
