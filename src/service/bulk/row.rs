//! One row: what a single call would do, and the row settled in the same transaction.

use std::sync::Arc;

use super::Runner;
use crate::domain::bulk::{self, RowStatus};
use crate::failpoint;
use crate::service::issue::{DeliveryMode, IfExists, Prepared};
use crate::service::room::check_room;
use crate::service::{Alongside, Caller, Failure, Refusal, ServiceError, ServiceResult};
use crate::storage::bulk::Turn;
use crate::storage::bulk::rows::{self, OpenRow, RowPlace, Settled};
use crate::storage::{Connection, outbox};

/// How the work on one row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worked {
    Settled,
    /// It is tried again later; others need not wait.
    Postponed,
    /// As that, because something that others need too is down.
    Stalled,
}

impl Runner {
    /// Works on one row and settles it.
    ///
    /// # Errors
    /// That the outcome could not be written down: the row stays open.
    pub(super) async fn work(&self, turn: &Turn, row: OpenRow) -> ServiceResult<Worked> {
        let place = RowPlace { tenant: turn.tenant.clone(), job: turn.id, position: row.position };
        let tries = row.attempts + 1;
        let result = self.attempt(turn, &place, row).await;
        failpoint::hit("bulk.worked");
        let error = match result {
            Ok(()) | Err(ServiceError::Failed(Failure::RowSettled)) => return Ok(Worked::Settled),
            Err(error) => error,
        };
        if let Some((wait, worked)) = bulk::wait_of_row(tries).zip(may_pass(&error)) {
            let until = self.service.clock.now().after(wait);
            self.service.store.write(move |conn| rows::postpone(conn, &place, until)).await?;
            return Ok(worked);
        }
        let settled = self.settle(place, Settled::Failed { problem: (self.wire.explain)(error) }).await;
        match settled {
            Ok(()) | Err(ServiceError::Failed(Failure::RowSettled)) => Ok(Worked::Settled),
            Err(error) => Err(error),
        }
    }

    async fn attempt(&self, turn: &Turn, place: &RowPlace, row: OpenRow) -> ServiceResult<()> {
        let input = place.bind(|bound_to| self.service.keys.open(bound_to, &row.input))?;
        let command = match (self.wire.read)(&input) {
            Ok(command) => command,
            Err(problem) => return self.settle(place.clone(), Settled::Failed { problem }).await,
        };
        let caller = Caller { tenant: turn.tenant.clone(), actor: turn.actor.clone() };
        let prepared = self.service.prepare(&caller, command).await?;
        if prepared.plan.delivery == DeliveryMode::Return {
            return Err(Refusal::BulkReturnsNoSecrets.into());
        }
        if turn.dry_run {
            return self.try_out(place, prepared, row.twin).await;
        }
        let settling = place.clone();
        let alongside = Alongside::new(move |conn, issued: &crate::service::issue::Issued| {
            let id = issued.snapshot.invitation.id;
            outbox::yield_to_single_calls(conn, &settling.tenant, id)?;
            settle(conn, &settling, &Settled::Issued(id))
        });
        self.service.issue_prepared(&caller, prepared, alongside).await?;
        Ok(())
    }

    /// What is left of a real one without writing an invitation: those that are in the way, or would be by then.
    async fn try_out(&self, place: &RowPlace, prepared: Prepared, twin: Option<i64>) -> ServiceResult<()> {
        let (place, prepared) = (place.clone(), Arc::new(prepared));
        self.service
            .store
            .write(move |conn| {
                check_room(conn, &prepared.invitation, prepared.if_exists)?;
                if prepared.if_exists == IfExists::Fail && is_invited_by(conn, &place, twin)? {
                    return Err(Refusal::RepeatedInBulk.into());
                }
                settle(conn, &place, &Settled::Valid)
            })
            .await
    }

    async fn settle(&self, place: RowPlace, settled: Settled) -> ServiceResult<()> {
        self.service.store.write(move |conn| settle(conn, &place, &settled)).await
    }
}

/// Settles the row, or undoes the transaction when it is settled already.
fn settle(conn: &mut Connection, place: &RowPlace, settled: &Settled) -> ServiceResult<()> {
    if rows::settle(conn, place, settled)? { Ok(()) } else { Err(Failure::RowSettled.into()) }
}

/// Whether a row before this one invites the same account.
fn is_invited_by(conn: &mut Connection, place: &RowPlace, twin: Option<i64>) -> ServiceResult<bool> {
    let mut next = twin;
    while let Some(position) = next {
        let Some((row, before)) = rows::find(conn, &RowPlace { position, ..place.clone() })? else { break };
        match row.status {
            RowStatus::Valid => return Ok(true),
            RowStatus::Failed | RowStatus::Pending | RowStatus::Issued | RowStatus::Cancelled => next = before,
        }
    }
    Ok(false)
}

/// How the row waits, if it may well succeed later.
const fn may_pass(error: &ServiceError) -> Option<Worked> {
    match error {
        ServiceError::Refused(Refusal::AcceptInProgress(_)) => Some(Worked::Postponed),
        ServiceError::Refused(Refusal::DirectoryUnavailable(_) | Refusal::Overloaded) | ServiceError::Failed(_) => {
            Some(Worked::Stalled)
        }
        ServiceError::Refused(_) => None,
    }
}
