//! The audit trail: one row a transition, written in the transition's own transaction. Only inserts exist.

use diesel::prelude::*;

use super::connection::{Connection, on_backend};
use super::error::StorageError;
use super::schema::audit_event as a;
use crate::domain::ids::{AccountId, AuditId, InvitationId, TenantId};
use crate::domain::time::Timestamp;

/// Who did something, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Subject of the token; `person` for the invited one, `system` for the worker.
    pub name: String,
    pub request_id: Option<String>,
}

impl Actor {
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".to_owned(), request_id: None }
    }
}

/// What is written down of one transition. No secrets, no addresses.
pub struct Event<'a> {
    pub event: &'static str,
    pub tenant: &'a TenantId,
    pub invitation: Option<InvitationId>,
    pub account: Option<AccountId>,
    /// A short fact such as an error code or a method; empty when there is none.
    pub detail: &'a str,
}

/// Writes one entry, and tells the endpoints that take what happened.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn record(conn: &mut Connection, actor: &Actor, now: Timestamp, event: &Event<'_>) -> Result<(), StorageError> {
    let id = crate::entropy::audit_id(now);
    on_backend!(conn, |c| diesel::insert_into(a::table)
        .values((
            a::id.eq(id.to_string()),
            a::tenant.eq(event.tenant.as_str()),
            a::at.eq(now.millis()),
            a::event.eq(event.event),
            a::actor.eq(&actor.name),
            a::request_id.eq(&actor.request_id),
            a::invitation_id.eq(event.invitation.map(|id| id.to_string())),
            a::account_id.eq(event.account.map(|id| id.to_string())),
            a::detail.eq(event.detail),
        ))
        .execute(c))?;
    conn.recorded(event.event);
    super::events::fan_out(conn, event, id, now)
}

/// When an entry was written, and its detail; `None` when retention has taken it.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(
    conn: &mut Connection,
    tenant: &TenantId,
    id: AuditId,
) -> Result<Option<(Timestamp, String)>, StorageError> {
    let query = a::table.filter(a::tenant.eq(tenant.as_str()).and(a::id.eq(id.to_string()))).select((a::at, a::detail));
    let row: Option<(i64, String)> = on_backend!(conn, |c| query.first(c).optional())?;
    Ok(row.map(|(at, detail)| (Timestamp::from_millis(at), detail)))
}

/// The events of one invitation, oldest first: `(event, actor, detail)`.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn of_invitation(
    conn: &mut Connection,
    tenant: &TenantId,
    invitation: InvitationId,
) -> Result<Vec<(String, String, String)>, StorageError> {
    let query = a::table
        .filter(a::tenant.eq(tenant.as_str()).and(a::invitation_id.eq(invitation.to_string())))
        .order((a::at, a::id))
        .select((a::event, a::actor, a::detail));
    Ok(on_backend!(conn, |c| query.load(c))?)
}
