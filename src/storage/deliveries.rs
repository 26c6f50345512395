//! The outbox as callers and operators see it: reads only, and never a payload.

use diesel::prelude::*;

use super::connection::{Connection, on_backend};
use super::error::{StorageError, readable};
use super::schema::outbox as o;
use crate::domain::ids::{AccountId, InvitationId, MessageId, TenantId};
use crate::domain::invitation::Channel;
use crate::domain::message::{DeliveryState, DeliveryStatus, Kind};
use crate::domain::time::Timestamp;

/// What may be seen of a row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: MessageId,
    pub kind: Kind,
    pub channel: Channel,
    pub state: DeliveryState,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub next_attempt_at: Timestamp,
    pub invitation: Option<InvitationId>,
    pub generation: i64,
    pub account: Option<AccountId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Delivery {
    /// What callers are told of it at this moment.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> DeliveryStatus {
        self.state.status(self.next_attempt_at <= now)
    }

    /// The code of what went wrong.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.state.reason(self.last_error.as_deref())
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = o)]
pub(super) struct DeliveryRow {
    id: String,
    kind: String,
    channel: String,
    state: String,
    attempts: i64,
    last_error: Option<String>,
    next_attempt_at: i64,
    invitation_id: Option<String>,
    generation: i64,
    account_id: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl DeliveryRow {
    pub(super) fn read(self) -> Result<Delivery, StorageError> {
        Ok(Delivery {
            id: readable(MessageId::parse(&self.id), "message id")?,
            kind: readable(Kind::parse(&self.kind), "message kind")?,
            channel: readable(Channel::parse(&self.channel), "channel")?,
            state: readable(DeliveryState::parse(&self.state), "delivery state")?,
            attempts: self.attempts,
            last_error: self.last_error,
            next_attempt_at: Timestamp::from_millis(self.next_attempt_at),
            invitation: self.invitation_id.and_then(|id| InvitationId::parse(&id)),
            generation: self.generation,
            account: self.account_id.and_then(|id| AccountId::parse(&id)),
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

/// The tenant's delivery of this id.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId, id: MessageId) -> Result<Option<Delivery>, StorageError> {
    let query = o::table.filter(o::tenant.eq(tenant.as_str()).and(o::id.eq(id.to_string())));
    let row: Option<DeliveryRow> = on_backend!(conn, |c| query.select(DeliveryRow::as_select()).first(c).optional())?;
    row.map(DeliveryRow::read).transpose()
}

/// The messages with the current secrets of these invitations; one each, for one that is not sent as well.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn current_messages(
    conn: &mut Connection,
    tenant: &TenantId,
    invitations: &[InvitationId],
) -> Result<Vec<Delivery>, StorageError> {
    let ids: Vec<String> = invitations.iter().map(ToString::to_string).collect();
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let query = o::table
        .filter(o::invitation_id.eq_any(ids).and(o::tenant.concat("").eq(tenant.as_str())))
        .filter(o::listed_at.is_not_null());
    let rows: Vec<DeliveryRow> = on_backend!(conn, |c| query.select(DeliveryRow::as_select()).load(c))?;
    rows.into_iter().map(DeliveryRow::read).collect()
}
