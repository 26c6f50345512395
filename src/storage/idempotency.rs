//! Calls that carried an `Idempotency-Key`: reserved before they run, answered in the transaction of their effect, kept for a while.
//!
//! A row without an answer is a call that runs, until its lease ends; one with an answer is repeated, until that is too old.
//! Either way a row counts only before its `expires_at`, and is anybody's afterwards. Who reserved a row knows its fence.

use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;

use super::connection::{Backend, Connection, inv_now, on_backend};
use super::error::StorageError;
use super::schema::idempotency as k;
use crate::domain::ids::{AccountId, TenantId};
use crate::domain::time::Timestamp;

/// The right to do a call, until the lease ends.
#[derive(Debug, Clone)]
pub struct Reservation {
    pub tenant: TenantId,
    /// Digest of tenant, caller, operation and key.
    pub key_hash: Vec<u8>,
    /// Random, so that no earlier holder of the same key has it.
    pub fence: i64,
}

/// A call that was reserved before.
#[derive(Queryable)]
pub struct Earlier {
    /// `kid:MAC` of the request.
    pub fingerprint: Vec<u8>,
    /// The sealed answer; `None` while it runs.
    pub answer: Option<Vec<u8>>,
}

/// Reserves the key for a request until the lease ends; false when it is taken.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn reserve(
    conn: &mut Connection,
    wanted: &Reservation,
    fingerprint: &[u8],
    (now, lease_until): (Timestamp, Timestamp),
) -> Result<bool, StorageError> {
    let state = (
        k::fingerprint.eq(fingerprint),
        k::fence.eq(wanted.fence),
        k::answer.eq(None::<Vec<u8>>),
        k::account_id.eq(None::<String>),
        k::created_at.eq(now.millis()),
        k::expires_at.eq(lease_until.millis()),
    );
    let name = (k::key_hash.eq(&wanted.key_hash), k::tenant.eq(wanted.tenant.as_str()));
    let rows = on_backend!(conn, |c| FilterDsl::filter(
        diesel::insert_into(k::table).values((name, state.clone())).on_conflict(k::key_hash).do_update().set(state),
        k::expires_at.le(inv_now()),
    )
    .execute(c))?;
    Ok(rows == 1)
}

/// The call that has the key.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, wanted: &Reservation) -> Result<Option<Earlier>, StorageError> {
    let query = QueryDsl::filter(k::table.find(&wanted.key_hash), k::tenant.eq(wanted.tenant.as_str()))
        .select((k::fingerprint, k::answer));
    Ok(on_backend!(conn, |c| query.first(c).optional())?)
}

/// This row, as long as it is this holder's and has no answer yet.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_running<'a>(held: &'a Reservation) -> _ {
    let key_hash: &'a [u8] = held.key_hash.as_slice();
    let tenant: &'a str = held.tenant.as_str();
    let fence: i64 = held.fence;
    k::key_hash.eq(key_hash).and(k::tenant.eq(tenant)).and(k::fence.eq(fence)).and(k::answer.is_null())
}

/// Keeps the answer until `expires_at`; false when the reservation is somebody else's by now, and what was done must be undone.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn complete(
    conn: &mut Connection,
    held: &Reservation,
    (answer, account): (&[u8], Option<AccountId>),
    expires_at: Timestamp,
) -> Result<bool, StorageError> {
    let target = QueryDsl::filter(k::table, is_running(held));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            k::answer.eq(answer),
            k::account_id.eq(account.map(|id| id.to_string())),
            k::expires_at.eq(expires_at.millis()),
        ))
        .execute(c))?;
    Ok(rows == 1)
}

/// Gives the key back: nothing came of the call. An answer that was kept after all stays.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn release(conn: &mut Connection, held: &Reservation) -> Result<(), StorageError> {
    on_backend!(conn, |c| diesel::delete(QueryDsl::filter(k::table, is_running(held))).execute(c))?;
    Ok(())
}

/// Deletes what is over, at most `limit`; returns how many that were.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn delete_expired(conn: &mut Connection, limit: i64) -> Result<usize, StorageError> {
    let query =
        QueryDsl::filter(k::table, k::expires_at.le(inv_now())).order(k::expires_at).limit(limit).select(k::key_hash);
    let due: Vec<Vec<u8>> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().load(pg)?,
        Backend::Sqlite(sqlite) => query.load(sqlite)?,
    };
    if due.is_empty() {
        return Ok(0);
    }
    let target = QueryDsl::filter(k::table, k::key_hash.eq_any(due));
    Ok(on_backend!(conn, |c| diesel::delete(target).execute(c))?)
}

/// Deletes the kept answers that speak of the account. A repeat of such a call is then a new one.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn erase_account(conn: &mut Connection, tenant: &TenantId, account: AccountId) -> Result<(), StorageError> {
    let of_account = k::tenant.eq(tenant.as_str()).and(k::account_id.eq(account.to_string()));
    on_backend!(conn, |c| diesel::delete(QueryDsl::filter(k::table, of_account)).execute(c))?;
    Ok(())
}
