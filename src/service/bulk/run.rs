//! The turns of jobs: any number of replicas share them; each turn takes a few rows of one job, then another job may go first.
//!
//! A replica that dies leaves a lease that lapses. Even two at the same rows do nothing twice: who settles a row first wins, and what
//! the other one did is undone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::{Notify, watch};

use super::row::Worked;
use super::{Wire, found, note};
use crate::domain::bulk::pause_of_job;
use crate::failpoint;
use crate::service::{Service, ServiceError, ServiceResult};
use crate::storage::audit::Actor;
use crate::storage::bulk::rows::{self, OpenRow};
use crate::storage::bulk::{Turn, jobs};

/// How many rows one turn takes on.
const ROWS: i64 = 100;
/// When a turn begins no more rows, so that what is under way ends before the lease does.
const LONGEST_TURN: Duration = Duration::from_secs(20);

/// Works on jobs; cheap to clone.
#[derive(Clone)]
pub struct Runner {
    pub(super) service: Arc<Service>,
    pub(super) wire: Wire,
    concurrency: usize,
}

/// How a turn went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// No job waits for a turn now.
    Idle,
    /// Rows of a job were worked on.
    Worked,
}

impl Runner {
    #[must_use]
    pub const fn new(service: Arc<Service>, wire: Wire, concurrency: usize) -> Self {
        Self { service, wire, concurrency }
    }

    /// Works until told to stop, woken by a new job or the poll; what is under way is finished first.
    pub async fn run(self, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let bell: Arc<Notify> = Arc::clone(&self.service.wake_bulk);
        while !*shutdown.borrow() {
            // In a task of its own: a row that panics ends its turn, not the work on jobs.
            let runner = self.clone();
            match tokio::spawn(async move { runner.turn().await }).await {
                Ok(Ok(Turned::Worked)) => continue,
                Ok(Ok(Turned::Idle)) => {}
                Ok(Err(error)) => tracing::error!(error = ?error, "a job can't go on; its lease will lapse"),
                Err(_) => tracing::error!("the work on a job panicked; its lease will lapse"),
            }
            tokio::select! {
                () = bell.notified() => {}
                () = tokio::time::sleep(poll) => {}
                _ = shutdown.changed() => {}
            }
        }
    }

    /// One turn of the job that has waited longest.
    ///
    /// # Errors
    /// That the database failed; the job's lease will lapse.
    pub async fn turn(&self) -> ServiceResult<Turned> {
        let claimed = self.service.store.write(jobs::claim).await?;
        let Some(turn) = claimed else { return Ok(Turned::Idle) };
        failpoint::hit("bulk.claimed");
        let (tenant, job) = (turn.tenant.clone(), turn.id);
        let due = self.service.store.read(move |conn| rows::due(conn, (&tenant, job), ROWS)).await?;
        let stalls = if self.work_all(&turn, due).await? { turn.stalls + 1 } else { 0 };
        self.end(turn, stalls).await?;
        Ok(Turned::Worked)
    }

    /// Works on the rows, a few at once; true when something was down, which ends the turn.
    async fn work_all(&self, turn: &Turn, due: Vec<OpenRow>) -> ServiceResult<bool> {
        let begun = self.service.clock.now();
        let stalled = AtomicBool::new(false);
        let ends = || stalled.load(Ordering::Relaxed) || self.service.clock.now().since(begun) >= LONGEST_TURN;
        let mut rows = due.into_iter();
        let next = std::iter::from_fn(|| if ends() { None } else { rows.next() });
        let mut working = stream::iter(next).map(|row| self.work(turn, row)).buffer_unordered(self.concurrency);
        while let Some(worked) = working.next().await {
            if worked? == Worked::Stalled {
                stalled.store(true, Ordering::Relaxed);
            }
        }
        Ok(stalled.load(Ordering::Relaxed))
    }

    /// Finishes the job if every row is settled; else its next turn comes when a row is due and nothing is thought to be down.
    async fn end(&self, turn: Turn, stalls: i64) -> ServiceResult<()> {
        self.service
            .store
            .write(move |conn| {
                let now = conn.now()?;
                if jobs::finish(conn, &turn, now)? {
                    let job = found(conn, &turn.tenant, turn.id)?;
                    return Ok::<_, ServiceError>(note(conn, &Actor::system(), now, ("bulk.finished", &job))?);
                }
                let next_row = rows::next_due(conn, (&turn.tenant, turn.id))?.unwrap_or(now);
                let next = now.after(pause_of_job(stalls)).max(next_row);
                Ok(jobs::end_turn(conn, &turn, (stalls, next), now)?)
            })
            .await
    }
}
