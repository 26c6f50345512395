//! argon2id on a bounded pool: as many at once as there are cores, a short queue, then refusal.
//!
//! Memory blocks are kept and reused: allocating 19 MiB a hash costs a third of the time and never goes back to the system.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::Block;
use tokio::sync::Semaphore;

use super::error::{Failure, Refusal, ServiceResult};
use crate::domain::grace::LiveSecret;
use crate::domain::keys::{KeyError, Keyring};
use crate::domain::otp::Otp;
use crate::domain::verifier::{self, Context};

/// How many may wait for each that runs.
const QUEUE_PER_PERMIT: usize = 2;

pub(super) struct Hasher {
    keys: Arc<Keyring>,
    /// Those that may run or wait.
    admitted: Arc<Semaphore>,
    /// Those that may run.
    running: Arc<Semaphore>,
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hasher {
    pub(super) fn new(keys: Arc<Keyring>) -> Self {
        let permits = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            keys,
            admitted: Arc::new(Semaphore::new(permits * (1 + QUEUE_PER_PERMIT))),
            running: Arc::new(Semaphore::new(permits)),
            memory: Arc::new(Mutex::new(Vec::new())),
        }
    }

    /// The slow verifier of a new code.
    pub(super) async fn hash(&self, context: Context, otp: Arc<Otp>) -> ServiceResult<String> {
        let salt = crate::entropy::bytes();
        self.run(move |keys, memory| verifier::of_otp_slow(keys, &context, &otp, salt, memory))
            .await?
            .map_err(|error: KeyError| error.into())
    }

    /// The first of the secrets with slow verifiers that the code is. All are compared in one go, or none is.
    pub(super) async fn find(&self, secrets: Vec<LiveSecret>, otp: Arc<Otp>) -> ServiceResult<Option<LiveSecret>> {
        self.run(move |keys, memory| {
            let is_it =
                |secret: &LiveSecret| verifier::matches_otp_slow(keys, &secret.context, &secret.verifier, &otp, memory);
            secrets.into_iter().find(is_it)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keyring, &mut Vec<Block>) -> T + Send + 'static,
    ) -> ServiceResult<T> {
        let _admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Failure::Cancelled)?;
        let (keys, memory) = (Arc::clone(&self.keys), Arc::clone(&self.memory));
        let task = tokio::task::spawn_blocking(move || {
            let _running = running;
            let mut blocks = memory.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let result = work(&keys, &mut blocks);
            memory.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
            result
        });
        Ok(task.await.map_err(|_| Failure::Cancelled)?)
    }
}
