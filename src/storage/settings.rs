//! The tenants' own settings, as stored: a JSON merge patch over the operator's defaults.

use diesel::prelude::*;

use super::connection::{Connection, on_backend};
use super::error::StorageError;
use super::schema::tenant_settings;
use crate::domain::ids::TenantId;
use crate::domain::time::Timestamp;

/// The tenant's overrides, if it has any.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId) -> Result<Option<String>, StorageError> {
    let query = tenant_settings::table.find(tenant.as_str()).select(tenant_settings::overrides);
    Ok(on_backend!(conn, |c| query.first(c).optional())?)
}

/// Replaces the tenant's overrides.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn put(conn: &mut Connection, tenant: &TenantId, overrides: &str, now: Timestamp) -> Result<(), StorageError> {
    use tenant_settings as s;
    on_backend!(conn, |c| diesel::insert_into(s::table)
        .values((
            s::tenant.eq(tenant.as_str()),
            s::overrides.eq(overrides),
            s::version.eq(1),
            s::updated_at.eq(now.millis()),
        ))
        .on_conflict(s::tenant)
        .do_update()
        .set((s::overrides.eq(overrides), s::version.eq(s::version + 1), s::updated_at.eq(now.millis())))
        .execute(c))?;
    Ok(())
}
