//! The outbox worker: claims what is due, carries it out with no connection held, and settles it by its fence.
//!
//! Any number of workers share the outbox. A worker that dies leaves a lease that lapses; the next one repeats the call with the
//! same message id and the same secret. It knows nothing of HTTP routes or use cases.

mod events;
mod remind;
mod retry;
mod send;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};

use crate::clock::Clock;
use crate::directory::Directory;
use crate::domain::invitation::Invitation;
use crate::domain::keys::Keyring;
use crate::domain::message::Kind;
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::gateway::{EmailGateway, SmsGateway};
use crate::metrics::Metrics;
use crate::storage::audit::{Actor, Event, record};
use crate::storage::outbox::{self, Claimed, Settlement};
use crate::storage::{Connection, StorageError, Store, fallbacks, invitations};
use crate::webhook::Sender;

/// What a worker needs.
pub struct Parts {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub keys: Arc<Keyring>,
    pub directory: Arc<Directory>,
    pub email: Option<EmailGateway>,
    pub sms: Option<SmsGateway>,
    pub webhooks: Arc<Sender>,
    pub metrics: Arc<Metrics>,
    /// How many messages are worked on at once.
    pub concurrency: u16,
    /// How many events are told at once, besides.
    pub webhook_concurrency: u16,
}

/// One worker; cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Parts>);

/// How the work on one row ended, before it is written down.
enum Done {
    Sent {
        provider_id: Option<String>,
    },
    GivenUp {
        code: String,
    },
    /// Given up, since the gateway will never take it for this recipient.
    Rejected {
        code: String,
    },
    Retry {
        at: Timestamp,
        code: String,
        /// False when the try said nothing of the message.
        counts: bool,
    },
    /// Written down already, together with what it changed.
    Settled,
}

impl Worker {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Works until told to stop, woken by the bell or the poll; what is under way is finished first.
    pub async fn run(self, bell: Arc<Notify>, poll: Duration, shutdown: watch::Receiver<bool>) {
        let nudge = Notify::new();
        let messages = self.run_messages(&bell, &nudge, poll, shutdown.clone());
        tokio::join!(messages, self.run_events(&nudge, poll, shutdown));
    }

    /// A place is taken again as soon as it is free: who waits for a silent gateway keeps nobody else from being sent.
    async fn run_messages(&self, bell: &Notify, nudge: &Notify, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        while !*shutdown.borrow() {
            while let Some(ended) = under_way.try_join_next() {
                note_end(ended);
                nudge.notify_one();
            }
            match self.claim(under_way.len()).await {
                Ok((count, claimed)) if count > 0 => {
                    for claimed in claimed {
                        under_way.spawn(self.clone().work(claimed));
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => tracing::error!(error = %error, "the outbox can't be read"),
            }
            tokio::select! {
                () = bell.notified() => nudge.notify_one(),
                () = tokio::time::sleep(poll) => {}
                Some(ended) = under_way.join_next() => {
                    note_end(ended);
                    nudge.notify_one();
                }
                _ = shutdown.changed() => {}
            }
        }
        while let Some(ended) = under_way.join_next().await {
            note_end(ended);
        }
    }

    /// Claims the messages that are due and carries them out; returns how many that were.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn tick(&self) -> Result<usize, StorageError> {
        let (count, claimed) = self.claim(0).await?;
        let mut under_way: JoinSet<_> = claimed.into_iter().map(|claimed| self.clone().work(claimed)).collect();
        while let Some(ended) = under_way.join_next().await {
            note_end(ended);
        }
        Ok(count)
    }

    /// As many as there is room for beside those under way; with the number of those that were looked at.
    async fn claim(&self, under_way: usize) -> Result<(usize, Vec<Claimed>), StorageError> {
        let room = usize::from(self.0.concurrency).saturating_sub(under_way);
        if room == 0 {
            return Ok((0, Vec::new()));
        }
        let limit = i64::try_from(room).unwrap_or(1);
        self.0
            .store
            .write(move |conn| {
                let claimed = outbox::claim(conn, limit)?;
                Ok((claimed.len(), remind::sift(conn, claimed)?))
            })
            .await
    }

    async fn work(self, claimed: Claimed) -> Result<(), StorageError> {
        failpoint::hit("deliver.claimed");
        let done = if claimed.attempts > retry::MAX_ATTEMPTS {
            Done::GivenUp { code: "gave_up".to_owned() }
        } else if claimed.kind == Kind::AccountSync {
            self.sync_account(&claimed).await?
        } else {
            self.send(&claimed).await?
        };
        failpoint::hit("deliver.done");
        self.settle(claimed, done).await
    }

    async fn settle(&self, claimed: Claimed, done: Done) -> Result<(), StorageError> {
        if matches!(done, Done::Settled) {
            return Ok(());
        }
        if let Done::GivenUp { code } | Done::Rejected { code } = &done {
            tracing::error!(message.id = %claimed.id, message.kind = claimed.kind.as_str(), code, "gave up on a delivery");
        }
        self.0.store.write(move |conn| write_down(conn, &claimed, &done)).await
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

fn write_down(conn: &mut Connection, claimed: &Claimed, done: &Done) -> Result<(), StorageError> {
    let now = conn.now()?;
    let (settlement, event, detail) = match done {
        Done::Sent { provider_id } => {
            (Settlement::Sent { provider_id: provider_id.as_deref() }, "message.sent", claimed.kind.as_str())
        }
        // No message, and not for the platform to hear of as one.
        Done::GivenUp { code } if claimed.kind == Kind::AccountSync => {
            (Settlement::Failed { code }, "account.sync_failed", code.as_str())
        }
        Done::GivenUp { code } | Done::Rejected { code } => {
            (Settlement::Failed { code }, "message.failed", code.as_str())
        }
        Done::Retry { at, code, counts } => {
            (Settlement::Retry { at: *at, code, counts: *counts }, "message.retried", code.as_str())
        }
        Done::Settled => return Ok(()),
    };
    let gives_sync_up = claimed.kind == Kind::AccountSync && matches!(done, Done::GivenUp { .. });
    if gives_sync_up {
        sync::hold(conn, claimed)?;
    }
    // The invitation's row comes before those of the outbox.
    let unreached = match done {
        Done::Rejected { .. } => held_invitation(conn, claimed)?,
        _ => None,
    };
    // False when a resend or a revocation came between: then there is nothing left to say.
    if outbox::settle(conn, claimed, &settlement, now)? {
        // Nothing was tried, and that happens to every message each time it is looked at.
        if !detail.starts_with(send::HELD) {
            audit(conn, claimed, now, (event, detail))?;
        }
        if let Some(invitation) = &unreached {
            fallbacks::want(conn, invitation, now)?;
        }
        if gives_sync_up {
            sync::give_up(conn, claimed, detail, now)?;
        }
    }
    Ok(())
}

/// The invitation whose current secret the message carries, held until the transaction ends.
fn held_invitation(conn: &mut Connection, claimed: &Claimed) -> Result<Option<Invitation>, StorageError> {
    let Some(id) = claimed.invitation.filter(|_| claimed.kind.brings_secret()) else { return Ok(None) };
    let held = invitations::find_locked(conn, &claimed.tenant, id)?;
    Ok(held.filter(|held| held.generation == claimed.generation))
}

fn audit(
    conn: &mut Connection,
    claimed: &Claimed,
    now: Timestamp,
    (event, detail): (&'static str, &str),
) -> Result<(), StorageError> {
    let event =
        Event { event, tenant: &claimed.tenant, invitation: claimed.invitation, account: claimed.account, detail };
    record(conn, &Actor::system(), now, &event)
}

/// How the work on a row ended. One that panics keeps its lease and is tried again, the others go on.
fn note_end(ended: Result<Result<(), StorageError>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(error = %error, "a row of the outbox could not be settled; its lease will lapse");
        }
        Err(_) => tracing::error!("the work on a row of the outbox panicked; its lease will lapse"),
    }
}
