//! Reminders, judged when they are due: one is pointless when its message never went out or came back, or when the next one is due as well.

use super::audit;
use crate::storage::deliveries::{self, Delivery};
use crate::storage::outbox::{self, Claimed, Settlement};
use crate::storage::{Connection, StorageError, reminders};

/// Settles the reminders among the rows that are pointless, in the transaction that claimed them, and returns the others.
pub(super) fn sift(conn: &mut Connection, claimed: Vec<Claimed>) -> Result<Vec<Claimed>, StorageError> {
    let mut kept: Vec<Claimed> = Vec::with_capacity(claimed.len());
    for row in claimed {
        match pointless(conn, &kept, &row)? {
            None => kept.push(row),
            Some(code) => {
                let now = conn.now()?;
                outbox::settle(conn, &row, &Settlement::Superseded { code }, now)?;
                audit(conn, &row, now, ("message.skipped", code))?;
            }
        }
    }
    Ok(kept)
}

/// Why the row is a reminder that nobody needs.
fn pointless(conn: &mut Connection, kept: &[Claimed], row: &Claimed) -> Result<Option<&'static str>, StorageError> {
    let Some(invitation) = row.invitation.filter(|_| row.kind.is_reminder()) else { return Ok(None) };
    let is_same = |other: &&Claimed| (other.invitation, other.generation) == (row.invitation, row.generation);
    if kept.iter().filter(|other| other.kind.is_reminder()).any(|other| is_same(&other)) {
        return Ok(Some("overtaken"));
    }
    let message = deliveries::current_messages(conn, &row.tenant, &[invitation])?.pop();
    let went_out = |message: Delivery| message.generation == row.generation && message.state.went_out();
    if !message.is_some_and(went_out) {
        return Ok(Some("message_not_sent"));
    }
    let now = conn.now()?;
    reminders::supersede_overtaken(conn, row, now)?;
    Ok(None)
}
