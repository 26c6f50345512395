//! The use cases: one file each, one transaction each, one outcome each.
//!
//! A use case decides with the rules of `domain`, writes through `storage`, and asks the `directory` where a person has to be
//! looked up or a password set. It knows nothing of HTTP, messages' looks or how gateways send; what must be sent is a row of the outbox.

pub mod accounts;
mod alongside;
mod attempt;
mod audit;
pub mod bulk;
pub mod diagnose;
pub mod directory_events;
pub mod erase;
pub mod error;
pub mod examine;
mod fallback;
mod grant;
mod hashing;
pub mod idempotency;
pub mod issue;
pub mod lists;
pub mod lookup;
mod mint;
pub mod offline_link;
pub mod otp_login;
pub mod person;
pub mod receipts;
mod reconcile;
pub mod recover;
pub mod redeem;
pub mod reinvite;
pub mod resend;
mod retention;
pub mod retry_delivery;
pub mod revoke;
mod room;
pub mod self_service;
pub mod set_password;
pub mod set_password_with_secret;
pub mod settings;
mod sync;
pub mod templates;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

pub use alongside::Alongside;
pub use error::{Failure, Refusal, ServiceError, ServiceResult};
pub use grant::GRANT_TOKEN_TYPE;
pub use mint::IssuedSecret;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::domain::ids::TenantId;
use crate::domain::invitation::Channel;
use crate::domain::keys::Keyring;
use crate::domain::message::Backlog;
use crate::domain::reconcile::Reconciliation;
use crate::domain::settings::Defaults;
use crate::domain::time::Retention;
use crate::gateway::receipts::Vendors;
pub use crate::storage::audit::Actor;
use crate::storage::{Store, backlog};
use crate::webhook::Sender;
use attempt::Turns;
use hashing::Hasher;

/// Who asks, and for which tenant.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: TenantId,
    pub actor: Actor,
}

/// Which gateways the operator configured.
#[derive(Debug, Clone, Copy)]
pub struct Channels {
    pub email: bool,
    pub sms: bool,
}

impl Channels {
    const fn has(self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.email,
            Channel::Sms => self.sms,
            Channel::Directory | Channel::Webhook => true,
        }
    }
}

/// What the use cases need.
pub struct Parts {
    pub store: Store,
    pub directory: Arc<Directory>,
    pub clock: Arc<dyn Clock>,
    pub keys: Arc<Keyring>,
    pub defaults: Defaults,
    pub channels: Channels,
    /// How long a failed redemption takes at least, so that time tells nothing.
    pub failure_floor: Duration,
    pub retention: Retention,
    pub reconciliation: Reconciliation,
    pub webhooks: Arc<Sender>,
    /// Those that report what became of messages.
    pub vendors: Box<Vendors>,
}

/// All use cases; one value for the whole process.
pub struct Service {
    store: Store,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    keys: Arc<Keyring>,
    defaults: Arc<Defaults>,
    channels: Channels,
    failure_floor: Duration,
    webhooks: Arc<Sender>,
    vendors: Box<Vendors>,
    hasher: Hasher,
    turns: Turns,
    retention: Retention,
    reconciliation: Reconciliation,
    wake: Arc<Notify>,
    wake_bulk: Arc<Notify>,
    /// What is done after its request was answered, and how much of it at once.
    afterwards: TaskTracker,
    errands: Arc<Semaphore>,
}

impl Service {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let hasher = Hasher::new(Arc::clone(&parts.keys));
        Self {
            store: parts.store,
            directory: parts.directory,
            clock: parts.clock,
            keys: parts.keys,
            defaults: Arc::new(parts.defaults),
            channels: parts.channels,
            failure_floor: parts.failure_floor,
            webhooks: parts.webhooks,
            vendors: parts.vendors,
            hasher,
            turns: Turns::new(),
            retention: parts.retention,
            reconciliation: parts.reconciliation,
            wake: Arc::new(Notify::new()),
            wake_bulk: Arc::new(Notify::new()),
            afterwards: TaskTracker::new(),
            errands: Arc::new(Semaphore::new(self_service::ERRANDS_MAX)),
        }
    }

    /// Rings whenever there is new work in the outbox, so that a worker of this process need not wait for its poll.
    #[must_use]
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// What is due in the outbox, of all tenants, by channel.
    ///
    /// # Errors
    /// That the database can't be reached.
    pub async fn backlog(&self) -> ServiceResult<Vec<Backlog>> {
        Ok(self.store.read(backlog::due).await?)
    }

    /// Whether the database answers and has the schema that this binary expects.
    ///
    /// # Errors
    /// That the database can't be reached.
    pub async fn is_ready(&self) -> ServiceResult<bool> {
        Ok(self.store.is_migrated().await?)
    }
}
