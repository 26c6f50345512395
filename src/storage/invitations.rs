//! Reading and inserting invitations. What changes one is in `transitions`.

use diesel::prelude::*;

use super::connection::{Backend, Connection, inv_now, on_backend};
use super::error::StorageError;
use super::rows::InvitationRow;
use super::schema::invitation as i;
use crate::domain::ids::{AccountKey, InvitationId, TenantId};
use crate::domain::invitation::{Invitation, Status};

/// Inserts a new invitation; [`StorageError::Unique`] when the account has a live one already.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn insert(conn: &mut Connection, invitation: &Invitation) -> Result<(), StorageError> {
    let row = InvitationRow::new(invitation);
    on_backend!(conn, |c| diesel::insert_into(i::table).values(&row).execute(c))?;
    Ok(())
}

/// The tenant's invitation of this id.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId, id: InvitationId) -> Result<Option<Invitation>, StorageError> {
    let query = i::table.filter(i::id.eq(id.to_string()).and(i::tenant.eq(tenant.as_str())));
    let row: Option<InvitationRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(InvitationRow::read).transpose()
}

/// The tenant's invitations of these ids, in no order.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_many(conn: &mut Connection, tenant: &TenantId, ids: &[String]) -> Result<Vec<Invitation>, StorageError> {
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let query = i::table.filter(i::id.eq_any(ids).and(i::tenant.concat("").eq(tenant.as_str())));
    let rows: Vec<InvitationRow> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(InvitationRow::read).collect()
}

/// As [`find`], holding the row until the transaction ends, so that what is decided on it still holds when it is written.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_locked(
    conn: &mut Connection,
    tenant: &TenantId,
    id: InvitationId,
) -> Result<Option<Invitation>, StorageError> {
    let query = i::table.filter(i::id.eq(id.to_string()).and(i::tenant.eq(tenant.as_str())));
    let row: Option<InvitationRow> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().first(pg).optional()?,
        Backend::Sqlite(sqlite) => query.first(sqlite).optional()?,
    };
    row.map(InvitationRow::read).transpose()
}

/// The account's live invitation.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_live(
    conn: &mut Connection,
    tenant: &TenantId,
    key: &AccountKey,
) -> Result<Option<Invitation>, StorageError> {
    let query = i::table
        .filter(i::tenant.eq(tenant.as_str()))
        .filter(i::realm_key.eq(&key.realm).and(i::username_key.eq(&key.username)))
        .filter(i::status.eq_any(Status::LIVE));
    let row: Option<InvitationRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(InvitationRow::read).transpose()
}

/// The account's newest invitation, live or over.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_newest(
    conn: &mut Connection,
    tenant: &TenantId,
    key: &AccountKey,
) -> Result<Option<Invitation>, StorageError> {
    let query = i::table
        .filter(i::tenant.eq(tenant.as_str()))
        .filter(i::realm_key.eq(&key.realm).and(i::username_key.eq(&key.username)))
        .order((i::created_at.desc(), i::id.desc()));
    let row: Option<InvitationRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(InvitationRow::read).transpose()
}

/// The account's invitations that have not come to a final end: live ones, and those that could be resent.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_open(conn: &mut Connection, tenant: &TenantId, key: &AccountKey) -> Result<Vec<Invitation>, StorageError> {
    let query = i::table
        .filter(i::tenant.eq(tenant.as_str()))
        .filter(i::realm_key.eq(&key.realm).and(i::username_key.eq(&key.username)))
        .filter(i::status.ne_all([Status::Accepted.as_str(), Status::Revoked.as_str()]))
        .order((i::created_at.desc(), i::id.desc()));
    let rows: Vec<InvitationRow> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(InvitationRow::read).collect()
}

/// Invitations whose acceptance was begun and whose lease has lapsed: somebody crashed, or the directory never answered.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn list_stranded(conn: &mut Connection, limit: i64) -> Result<Vec<Invitation>, StorageError> {
    let query = i::table
        .filter(i::status.eq(Status::Accepting.as_str()).and(i::accept_lease_until.le(inv_now().nullable())))
        .order(i::accept_lease_until)
        .limit(limit);
    let rows: Vec<InvitationRow> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(InvitationRow::read).collect()
}
