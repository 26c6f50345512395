//! Pages of the audit trail.

use diesel::prelude::*;

use super::beyond;
use crate::domain::ids::{AccountId, InvitationId, TenantId};
use crate::domain::page::{Page, Place, Slice};
use crate::domain::time::Timestamp;
use crate::storage::connection::{Connection, on_boxed};
use crate::storage::error::StorageError;
use crate::storage::schema::audit_event as a;

/// Whom events are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum About {
    #[default]
    Anything,
    Account(AccountId),
    /// An account that is not there.
    Nobody,
}

/// Which events are wanted; what is `None` is not asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    pub actor: Option<String>,
    pub event: Option<String>,
    pub invitation: Option<InvitationId>,
    pub about: About,
}

/// An event as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = a)]
pub struct AuditEntry {
    pub id: String,
    /// Milliseconds since 1970.
    pub at: i64,
    pub event: String,
    pub actor: String,
    pub request_id: Option<String>,
    pub invitation_id: Option<String>,
    pub account_id: Option<String>,
    pub detail: String,
}

/// A page of the tenant's events.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn page(
    conn: &mut Connection,
    tenant: &TenantId,
    filter: &AuditFilter,
    slice: &Slice,
) -> Result<Page<AuditEntry>, StorageError> {
    let place = |entry: &AuditEntry| Place { at: Timestamp::from_millis(entry.at), id: entry.id.clone() };
    if filter.about == About::Nobody {
        return Ok(slice.page(Vec::new(), place));
    }
    let rows: Vec<AuditEntry> = on_boxed!(conn, |c, Db| {
        let mut query = a::table.filter(a::tenant.eq(tenant.as_str())).into_boxed::<Db>();
        if let Some(from) = filter.from {
            query = query.filter(a::at.ge(from.millis()));
        }
        if let Some(to) = filter.to {
            query = query.filter(a::at.lt(to.millis()));
        }
        if let Some(actor) = &filter.actor {
            query = query.filter(a::actor.eq(actor));
        }
        if let Some(event) = &filter.event {
            query = query.filter(a::event.eq(event));
        }
        if let Some(invitation) = filter.invitation {
            query = query.filter(a::invitation_id.eq(invitation.to_string()));
        }
        if let About::Account(account) = filter.about {
            query = query.filter(a::account_id.eq(account.to_string()));
        }
        beyond!(query, slice, "audit_event.at", "audit_event.id").select(AuditEntry::as_select()).load(c)
    })?;
    Ok(slice.page(rows, place))
}
