//! What a diagnosis reads of the outbox and the audit trail.

use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use super::connection::{Connection, on_backend};
use super::error::{StorageError, readable};
use super::schema::{audit_event as a, outbox as o};
use crate::domain::diagnosis::{Delivery, Traces};
use crate::domain::ids::{AccountId, MessageId, TenantId};
use crate::domain::invitation::Invitation;
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::time::Timestamp;

type Row = (String, String, i64, Option<String>, i64, i64, i64);

const COLUMNS: (o::id, o::state, o::attempts, o::last_error, o::next_attempt_at, o::created_at, o::updated_at) =
    (o::id, o::state, o::attempts, o::last_error, o::next_attempt_at, o::created_at, o::updated_at);

fn read(
    (id, state, attempts, last_error, next_attempt_at, created_at, updated_at): Row,
) -> Result<Delivery, StorageError> {
    Ok(Delivery {
        id: readable(MessageId::parse(&id), "message id")?,
        state: readable(DeliveryState::parse(&state), "delivery state")?,
        attempts,
        last_error,
        next_attempt_at: Timestamp::from_millis(next_attempt_at),
        created_at: Timestamp::from_millis(created_at),
        updated_at: Timestamp::from_millis(updated_at),
    })
}

/// The message with the secret of the invitation's current generation; none when the caller brings it.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn message(conn: &mut Connection, invitation: &Invitation) -> Result<Option<Delivery>, StorageError> {
    let query = o::table
        .filter(o::invitation_id.eq(invitation.id.to_string()).and(o::listed_at.is_not_null()))
        // Judged on the rows: SQLite takes an index that begins with the tenant for the better one.
        .filter(o::tenant.concat("").eq(invitation.tenant.as_str()))
        .filter(o::state.ne(DeliveryState::Skipped.as_str()))
        .select(COLUMNS);
    let row: Option<Row> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(read).transpose()
}

/// The newest wish to bring the account's lock in the directory to what is wanted.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn newest_sync(
    conn: &mut Connection,
    tenant: &TenantId,
    account: AccountId,
) -> Result<Option<Delivery>, StorageError> {
    let query = o::table
        .filter(o::account_id.eq(account.to_string()).and(o::tenant.concat("").eq(tenant.as_str())))
        .filter(o::kind.eq(Kind::AccountSync.as_str()))
        .order(o::created_at.desc())
        .select(COLUMNS);
    let row: Option<Row> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(read).transpose()
}

/// What the audit trail tells of the invitation's current generation.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn traces(conn: &mut Connection, invitation: &Invitation) -> Result<Traces, StorageError> {
    let (tried, opened) = ("invitation.redeem_failed", "invitation.redeemed");
    let since = invitation.issued_at;
    let (wrong_codes, last_wrong_code) = count(conn, invitation, (tried, "wrong_code"), since)?;
    let (opened, last_opened) = count(conn, invitation, (opened, "link"), since)?;
    let earlier = a::table
        .filter(a::tenant.eq(invitation.tenant.as_str()).and(a::invitation_id.eq(invitation.id.to_string())))
        .filter(a::event.eq_any(["invitation.issued", "invitation.resent", "invitation.fell_back"]))
        .filter(a::detail.ne(invitation.method.as_str()))
        .count();
    let earlier: i64 = on_backend!(conn, |c| earlier.get_result(c))?;
    Ok(Traces { wrong_codes, last_wrong_code, opened, last_opened, changed_method: earlier > 0 })
}

/// How often something happened since a moment, and when for the last time.
fn count(
    conn: &mut Connection,
    invitation: &Invitation,
    (event, detail): (&str, &str),
    since: Timestamp,
) -> Result<(i64, Option<Timestamp>), StorageError> {
    let query = a::table
        .filter(a::tenant.eq(invitation.tenant.as_str()).and(a::invitation_id.eq(invitation.id.to_string())))
        .filter(a::event.eq(event).and(a::detail.eq(detail)).and(a::at.ge(since.millis())))
        .select((count_star(), max(a::at)));
    let (count, last): (i64, Option<i64>) = on_backend!(conn, |c| query.first(c))?;
    Ok((count, last.map(Timestamp::from_millis)))
}
