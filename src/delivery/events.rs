//! Events on their way to the platform: a loop of its own beside the one for messages, so that no endpoint holds up an e-mail.

use std::time::Duration;

use rand::seq::SliceRandom as _;
use rand::{CryptoRng, RngExt as _};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{Worker, note_end};
use crate::domain::account::Account;
use crate::domain::invitation::Invitation;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{DisabledReason, Endpoint};
use crate::failpoint;
use crate::storage::audit::{self, Actor};
use crate::storage::events::{self, ClaimedEvent};
use crate::storage::outbox::{self, Settlement};
use crate::storage::{Connection, StorageError, accounts, invitations, webhooks};
use crate::webhook::{Outcome, Told};

/// How long to wait after each failure; after the last one the event is given up. As long as an outage over night, and more.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// An endpoint that nothing has reached for so long gets nothing any more.
const FAILING_MAX: Duration = Duration::from_hours(5 * 24);
/// The part of all tries at once that may go to one endpoint.
const SHARE_OF_ONE: usize = 4;

/// All that is needed to tell an event.
struct Matter {
    endpoint: Endpoint,
    at: Timestamp,
    detail: String,
    invitation: Option<Invitation>,
    account: Option<Account>,
}

impl Worker {
    /// Works until told to stop, woken by `nudge` or the poll; what is under way is finished first.
    pub(super) async fn run_events(&self, nudge: &Notify, poll: Duration, mut shutdown: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        while !*shutdown.borrow() {
            while let Some(ended) = under_way.try_join_next() {
                note_end(ended);
            }
            match self.claim_events(under_way.len()).await {
                Ok(claimed) if !claimed.is_empty() => {
                    for event in claimed {
                        under_way.spawn(self.clone().tell(event));
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => tracing::error!(error = %error, "the events of the outbox can't be read"),
            }
            tokio::select! {
                () = nudge.notified() => {}
                () = tokio::time::sleep(poll) => {}
                Some(ended) = under_way.join_next() => note_end(ended),
                _ = shutdown.changed() => {}
            }
        }
        while let Some(ended) = under_way.join_next().await {
            note_end(ended);
        }
    }

    /// Claims the events that are due and tells them; returns how many that were.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn tick_events(&self) -> Result<usize, StorageError> {
        let mut under_way: JoinSet<_> =
            self.claim_events(0).await?.into_iter().map(|event| self.clone().tell(event)).collect();
        let count = under_way.len();
        while let Some(ended) = under_way.join_next().await {
            note_end(ended);
        }
        Ok(count)
    }

    async fn claim_events(&self, under_way: usize) -> Result<Vec<ClaimedEvent>, StorageError> {
        let all = usize::from(self.0.webhook_concurrency);
        let room = all.saturating_sub(under_way);
        if room == 0 {
            return Ok(Vec::new());
        }
        let mut due = self.0.store.read(events::due_endpoints).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        due.shuffle(&mut crate::entropy::rng());
        let limit = |count: usize| i64::try_from(count.max(1)).unwrap_or(1);
        let (each, at_once) = (limit(room / due.len()), limit(all / SHARE_OF_ONE));
        due.truncate(room);
        self.0
            .store
            .write(move |conn| {
                let mut claimed = Vec::new();
                for endpoint in &due {
                    claimed.extend(events::claim(conn, *endpoint, each, at_once)?);
                }
                Ok(claimed)
            })
            .await
    }

    async fn tell(self, event: ClaimedEvent) -> Result<(), StorageError> {
        failpoint::hit("event.claimed");
        let about = event.clone();
        let matter = match self.0.store.read(move |conn| matter(conn, &about)).await? {
            Ok(matter) => matter,
            Err(code) => {
                let outcome = Outcome::Failed { code: code.to_owned(), retry_after: None };
                return self.settle_event(event, outcome, None).await;
            }
        };
        let body = Told {
            event: event.event_type,
            id: event.event.to_string(),
            at: matter.at,
            tenant: &event.row.tenant,
            detail: &matter.detail,
            invitation_id: event.row.invitation,
            invitation: matter.invitation.as_ref(),
            account: matter.account.as_ref(),
            now: self.now(),
        }
        .body();
        let attempt = self.0.webhooks.send(&matter.endpoint, &event.row.id.to_string(), body).await;
        failpoint::hit("event.told");
        if let Some(error) = attempt.outcome.error() {
            tracing::warn!(message.id = %event.row.id, endpoint.id = %event.endpoint, error, "an event was not taken");
        }
        self.settle_event(event, attempt.outcome, Some(matter.endpoint.url)).await
    }

    /// `called`: the address that was called, if any was.
    async fn settle_event(
        &self,
        event: ClaimedEvent,
        outcome: Outcome,
        called: Option<String>,
    ) -> Result<(), StorageError> {
        let retry_at = match &outcome {
            Outcome::Failed { retry_after, .. } if called.is_some() => {
                next_try(event.row.attempts, self.now(), *retry_after, &mut crate::entropy::rng())
            }
            Outcome::Failed { .. } | Outcome::Delivered | Outcome::Gone => None,
        };
        self.0.store.write(move |conn| write_down(conn, &event, (&outcome, called.as_deref()), retry_at)).await
    }
}

/// What the event is about, read anew for each try; or why it can't be told.
fn matter(conn: &mut Connection, event: &ClaimedEvent) -> Result<Result<Matter, &'static str>, StorageError> {
    let tenant = &event.row.tenant;
    // Only when tries ended without a word: whoever made them died.
    if usize::try_from(event.row.attempts).is_ok_and(|attempts| attempts > WAITS.len() + 1) {
        return Ok(Err("gave_up"));
    }
    let Some(endpoint) = webhooks::find(conn, tenant, event.endpoint)? else { return Ok(Err("endpoint_deleted")) };
    if endpoint.disabled.is_some() {
        return Ok(Err("endpoint_disabled"));
    }
    let Some((at, detail)) = audit::find(conn, tenant, event.event)? else { return Ok(Err("event_forgotten")) };
    let account = match event.row.account {
        Some(id) => accounts::find_by_id(conn, tenant, id)?,
        None => None,
    };
    let invitation = match event.row.invitation {
        Some(id) => invitations::find(conn, tenant, id)?,
        None => None,
    };
    Ok(Ok(Matter { endpoint, at, detail, invitation, account }))
}

/// Writes down how a try went. The endpoint's row comes before those of the outbox, as everywhere.
fn write_down(
    conn: &mut Connection,
    event: &ClaimedEvent,
    (outcome, called): (&Outcome, Option<&str>),
    retry_at: Option<Timestamp>,
) -> Result<(), StorageError> {
    let now = conn.now()?;
    let tenant = &event.row.tenant;
    let Some(code) = outcome.error() else {
        webhooks::note_success(conn, tenant, event.endpoint)?;
        outbox::settle(conn, &event.row, &Settlement::Sent { provider_id: None }, now)?;
        return Ok(());
    };
    if let Some(at) = retry_at {
        webhooks::note_failure(conn, tenant, event.endpoint, now)?;
        outbox::settle(conn, &event.row, &Settlement::Retry { at, code, counts: true }, now)?;
        return Ok(());
    }
    let endpoint = webhooks::find_locked(conn, tenant, event.endpoint)?;
    let settled = outbox::settle(conn, &event.row, &Settlement::Failed { code }, now)?;
    // What somebody ended meanwhile, or another address said, is no verdict on the endpoint as it is now.
    let judged = |endpoint: &Endpoint| settled && endpoint.disabled.is_none() && called == Some(endpoint.url.as_str());
    let Some(endpoint) = endpoint.filter(judged) else { return Ok(()) };
    let reason = match outcome {
        Outcome::Gone => Some(DisabledReason::Gone),
        _ if endpoint.failing_since.is_some_and(|since| now.since(since) >= FAILING_MAX) => {
            Some(DisabledReason::Failing)
        }
        _ => None,
    };
    match reason {
        Some(reason) => webhooks::disable(conn, &Actor::system(), endpoint, reason, now),
        None => Ok(()),
    }
}

/// When an event is sent again after the `attempts`-th try; never after the last one.
fn next_try(attempts: i64, now: Timestamp, wish: Option<Duration>, rng: &mut impl CryptoRng) -> Option<Timestamp> {
    let wait = WAITS.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    let jittered = wait.mul_f64(rng.random_range(1.0..1.2));
    Some(now.after(wish.map_or(jittered, |wish| wish.max(jittered))))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn wait(attempts: i64, wish: Option<Duration>) -> Option<Duration> {
        next_try(attempts, NOW, wish, &mut StdRng::seed_from_u64(7)).map(|at| at.since(NOW))
    }

    #[test]
    fn the_waits_grow_and_end() {
        for (attempts, at_least) in (1..).zip(WAITS) {
            let waited = wait(attempts, None).unwrap();
            assert!(waited >= at_least && waited <= at_least.mul_f64(1.2), "{attempts}: {waited:?}");
        }
        assert_eq!(wait(8, None), None);
        assert_eq!(wait(0, None), None);
    }

    #[test]
    fn the_endpoints_wish_is_a_floor() {
        assert_eq!(wait(1, Some(Duration::from_mins(10))), Some(Duration::from_mins(10)));
        assert!(wait(2, Some(Duration::from_secs(1))).unwrap() >= Duration::from_mins(5));
    }
}
