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
use crate::domain::invitation::Invitation;
pub use crate::domain::receipt::Place;
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::time::Timestamp;
pub use crate::gateway::receipts::Posted;
use crate::gateway::receipts::{Refused, Reported, WINDOW};
use crate::storage::audit::{Event, record};
use crate::storage::idempotency::{self, Reservation};
use crate::storage::receipts::{self, Applied, Taken};
use crate::storage::{Connection, StorageError, early_receipts, fallbacks, invitations};

/// How many reports one transaction takes.
const BATCH: usize = 100;
/// How many early ones a sweep takes.
const SWEPT: i64 = 100;
/// How long a report waits for its message: longer than it takes to hand one over, and to do that again after a crash.
const EARLY_KEPT: Duration = Duration::from_mins(10);
/// When a vendor may come again with what could not be judged.
const RETRY: Duration = Duration::from_secs(30);

/// What a batch comes to.
#[derive(Default)]
struct Sorted {
    /// Reports that may change something, with their messages, in the order in which any transaction takes those.
    news: Vec<(Taken, Receipt)>,
    /// Reports on messages that are not known yet, but may be in a moment: the gateway was faster than we were to write its answer down.
    early: Vec<Receipt>,
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
            let sorted = self.sort(&place, batch.to_vec()).await?;
            if sorted.news.is_empty() && sorted.early.is_empty() {
                continue;
            }
            let place = Arc::clone(&place);
            self.store.write(move |conn| settle(conn, &place, &sorted)).await?;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// As far as is seen: most of a gateway's calls need no write.
    async fn sort(&self, place: &Arc<Place>, batch: Vec<Receipt>) -> ServiceResult<Sorted> {
        let place = Arc::clone(place);
        self.store.read(move |conn| Ok::<_, ServiceError>(sort(conn, &place, &batch)?)).await
    }

    /// Takes the reports that came before their messages, now that those are known, and forgets the ones that nothing became of. Part of the
    /// sweep, so that it does not matter what was written down when.
    pub(super) async fn take_early_receipts(&self) -> ServiceResult<usize> {
        let forgotten = self.store.write(|conn| {
            let until = conn.now()?.before(EARLY_KEPT);
            early_receipts::forget_old(conn, until)
        });
        let forgotten = forgotten.await?;
        let matched = self.store.read(|conn| early_receipts::matched(conn, SWEPT)).await?;
        let taken = matched.len();
        for (place, receipt) in matched {
            let settled = self.store.write(move |conn| {
                let Sorted { news, .. } = sort(conn, &place, std::slice::from_ref(&receipt))?;
                take(conn, &place, &news)?;
                Ok::<_, ServiceError>(early_receipts::forget(conn, &place, &receipt)?)
            });
            settled.await?;
            self.wake.notify_one();
        }
        Ok(forgotten + taken)
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
            let sorted = sort(conn, &place, &receipts)?;
            settle(conn, &place, &sorted)
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

fn sort(conn: &mut Connection, place: &Place, batch: &[Receipt]) -> Result<Sorted, StorageError> {
    let ids: Vec<&str> = batch.iter().map(|receipt| receipt.provider_id.as_str()).collect();
    if ids.is_empty() {
        return Ok(Sorted::default());
    }
    let mut known = receipts::find(conn, place.tenant.as_ref(), place.channel, &ids)?;
    let early = early(conn, place, batch, &mut known)?;
    let of = |receipt: &Receipt| {
        let taken = known.iter().find(|taken| taken.provider_id == receipt.provider_id)?;
        let is_news = receipt.kind.is_news(taken.state, taken.last_error.as_deref());
        is_news.then(|| (taken.clone(), receipt.clone()))
    };
    let mut news: Vec<_> = batch.iter().filter_map(of).collect();
    news.sort_by_key(|(taken, _)| *taken.id.as_bytes());
    Ok(Sorted { news, early })
}

/// The reports whose message is not among those known, if it may become known. Looks for it again: what is written down between the question
/// whether messages are under way and the search is found by the search.
fn early(
    conn: &mut Connection,
    place: &Place,
    batch: &[Receipt],
    known: &mut Vec<Taken>,
) -> Result<Vec<Receipt>, StorageError> {
    let unknown = |known: &[Taken]| -> Vec<Receipt> {
        let is_known = |receipt: &&Receipt| known.iter().any(|taken| taken.provider_id == receipt.provider_id);
        batch.iter().filter(|receipt| !is_known(receipt)).cloned().collect()
    };
    let candidates = unknown(known);
    if candidates.is_empty() || !early_receipts::are_expected(conn, place)? {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = candidates.iter().map(|receipt| receipt.provider_id.as_str()).collect();
    known.extend(receipts::find(conn, place.tenant.as_ref(), place.channel, &ids)?);
    Ok(unknown(known))
}

fn settle(conn: &mut Connection, place: &Place, sorted: &Sorted) -> ServiceResult<()> {
    take(conn, place, &sorted.news)?;
    if !sorted.early.is_empty() {
        let now = conn.now()?;
        early_receipts::keep(conn, place, &sorted.early, now)?;
    }
    Ok(())
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
