//! What is particular about reminders among the rows of the outbox.

use diesel::prelude::*;

use super::connection::{Connection, on_backend};
use super::error::StorageError;
use super::outbox::{Claimed, REMINDERS};
use super::schema::outbox as o;
use crate::domain::message::DeliveryState;
use crate::domain::time::Timestamp;

/// Wipes the other reminders of the generation that are due as well, or were tried already: one is enough.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn supersede_overtaken(conn: &mut Connection, claimed: &Claimed, now: Timestamp) -> Result<(), StorageError> {
    let target = o::table
        .filter(o::tenant.eq(claimed.tenant.as_str()).and(o::id.ne(claimed.id.to_string())))
        .filter(o::invitation_id.eq(claimed.invitation.map(|id| id.to_string())))
        .filter(o::generation.eq(claimed.generation).and(o::kind.eq_any(REMINDERS)))
        .filter(
            o::state
                .eq(DeliveryState::Scheduled.as_str())
                .and(o::next_attempt_at.le(now.millis()))
                .or(o::state.eq(DeliveryState::Ready.as_str())),
        );
    on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Superseded.as_str()),
            o::payload.eq(None::<Vec<u8>>),
            o::updated_at.eq(now.millis())
        ))
        .execute(c))?;
    Ok(())
}
