//! The tenants' own settings, as stored: a JSON merge patch over the operator's defaults, and a version that only grows.

use diesel::prelude::*;

use super::connection::{Backend, Connection, on_backend};
use super::error::StorageError;
use super::schema::tenant_settings as s;
use crate::domain::ids::TenantId;
use crate::domain::time::Timestamp;

/// What a tenant overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrides {
    /// A JSON object.
    pub json: String,
    /// 0 before the first change.
    pub version: i64,
}

impl Default for Overrides {
    /// Those of a tenant that never changed anything.
    fn default() -> Self {
        Self { json: "{}".to_owned(), version: 0 }
    }
}

/// The tenant's overrides, if it ever had any.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId) -> Result<Option<Overrides>, StorageError> {
    let query = s::table.find(tenant.as_str()).select((s::overrides, s::version));
    let row: Option<(String, i64)> = on_backend!(conn, |c| query.first(c).optional())?;
    Ok(row.map(|(json, version)| Overrides { json, version }))
}

/// The tenant's overrides, held until the transaction ends; a row is made if there is none, so that there is one to hold.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn hold(conn: &mut Connection, tenant: &TenantId, now: Timestamp) -> Result<Overrides, StorageError> {
    let none = Overrides::default();
    on_backend!(conn, |c| diesel::insert_into(s::table)
        .values((
            s::tenant.eq(tenant.as_str()),
            s::overrides.eq(&none.json),
            s::version.eq(none.version),
            s::updated_at.eq(now.millis()),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    let query = s::table.find(tenant.as_str()).select((s::overrides, s::version));
    let (json, version) = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().first(pg)?,
        Backend::Sqlite(sqlite) => query.first(sqlite)?,
    };
    Ok(Overrides { json, version })
}

/// Replaces the overrides that were `seen`.
///
/// # Errors
/// [`StorageError::Conflict`] when they are others by now, or the database's.
pub fn replace(
    conn: &mut Connection,
    tenant: &TenantId,
    seen: &Overrides,
    json: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let target = s::table.find(tenant.as_str()).filter(s::version.eq(seen.version));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((s::overrides.eq(json), s::version.eq(seen.version + 1), s::updated_at.eq(now.millis())))
        .execute(c))?;
    if rows == 1 { Ok(()) } else { Err(StorageError::Conflict(diesel::result::Error::NotFound)) }
}
