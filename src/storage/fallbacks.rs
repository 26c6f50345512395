//! Invitations whose message did not reach the person: marked in the transaction that learns of it, claimed by a lease, settled once.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Backend, Connection, on_backend};
use super::error::StorageError;
use super::outbox::LEASE;
use super::rows::InvitationRow;
use super::schema::invitation as i;
use super::transitions::{is_generation, unexpired};
use crate::domain::fallback::Fallback;
use crate::domain::invitation::{Invitation, Status};
use crate::domain::time::Timestamp;

/// One that is to be followed, held by whoever claimed it until its lease ends.
#[derive(Clone)]
pub struct Claimed {
    pub invitation: Invitation,
    /// End of the lease, by which the mark is known to be the one that was claimed.
    until: Timestamp,
}

/// Marks the generation that `seen` is as one to be followed on the other channel, if the rules say so and none was before; false when not.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn want(conn: &mut Connection, seen: &Invitation, now: Timestamp) -> Result<bool, StorageError> {
    if seen.falls_back_to(now).is_none() {
        return Ok(false);
    }
    let target = i::table
        .filter(is_generation(&seen.tenant, seen.id, seen.generation))
        .filter(i::status.eq(Status::Pending.as_str()).and(i::fallback.is_null()))
        .filter(unexpired());
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((i::fallback.eq(Fallback::Due.as_str()), i::fallback_due_at.eq(now.millis())))
        .execute(c))?;
    Ok(rows == 1)
}

/// Takes the mark off the generation that `seen` is, if nothing was made of it yet: the message has reached the person after all.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn waive(conn: &mut Connection, seen: &Invitation) -> Result<(), StorageError> {
    let target = i::table
        .filter(is_generation(&seen.tenant, seen.id, seen.generation))
        .filter(i::fallback.eq(Fallback::Due.as_str()));
    on_backend!(conn, |c| diesel::update(target)
        .set((i::fallback.eq(None::<&str>), i::fallback_due_at.eq(None::<i64>)))
        .execute(c))?;
    Ok(())
}

/// Claims the one that has been due for longest, for [`LEASE`]; when its worker dies, or can't say yet, it is due again after that.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn claim(conn: &mut Connection, now: Timestamp) -> Result<Option<Claimed>, StorageError> {
    // Written out as in the partial index: SQLite would not find it by values that are bound.
    let waits = sql::<Bool>("invitation.status = 'pending' AND invitation.fallback_due_at IS NOT NULL");
    let query = i::table
        .filter(waits)
        .filter(i::fallback_due_at.le(now.millis()))
        .order(i::fallback_due_at)
        .limit(1)
        .select(i::id);
    let due: Option<String> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().first(pg).optional()?,
        Backend::Sqlite(sqlite) => query.first(sqlite).optional()?,
    };
    let Some(id) = due else { return Ok(None) };
    let target = i::table.filter(i::id.eq(id));
    let until = now.after(LEASE);
    let row: InvitationRow = on_backend!(conn, |c| diesel::update(target)
        .set(i::fallback_due_at.eq(until.millis()))
        .returning(i::all_columns)
        .get_result(c))?;
    Ok(Some(Claimed { invitation: row.read()?, until }))
}

/// Writes down why the one that was claimed was not made; false when somebody else has settled it, a resend took its place, or the mark is another
/// one by now.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn settle(conn: &mut Connection, claimed: &Claimed, outcome: Fallback) -> Result<bool, StorageError> {
    let Claimed { invitation, until } = claimed;
    let target = i::table
        .filter(is_generation(&invitation.tenant, invitation.id, invitation.generation))
        .filter(i::fallback.eq(Fallback::Due.as_str()).and(i::fallback_due_at.eq(until.millis())));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((i::fallback.eq(outcome.as_str()), i::fallback_due_at.eq(None::<i64>)))
        .execute(c))?;
    Ok(rows == 1)
}
