//! Pages of the outbox, as operators see it.

use diesel::prelude::*;

use super::beyond;
use crate::domain::ids::{InvitationId, TenantId};
use crate::domain::invitation::Channel;
use crate::domain::message::{DeliveryState, DeliveryStatus, Kind};
use crate::domain::page::{Page, Place, Slice};
use crate::domain::time::Timestamp;
use crate::storage::connection::{Connection, on_boxed};
use crate::storage::deliveries::{Delivery, DeliveryRow};
use crate::storage::error::StorageError;
use crate::storage::schema::outbox as o;

/// Which deliveries are wanted; what is empty or `None` is not asked for. Times are exclusive.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub statuses: Vec<DeliveryStatus>,
    pub channel: Option<Channel>,
    pub kind: Option<Kind>,
    pub invitation: Option<InvitationId>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
}

/// One read of one index.
enum Read {
    Plain,
    /// With the time come, or not; `None` is both.
    State(DeliveryState, Option<bool>),
    Kind(Kind),
}

impl DeliveryFilter {
    /// The kinds wanted, if any are named: a channel is told by the kind.
    fn kinds(&self) -> Option<Vec<Kind>> {
        (self.kind.is_some() || self.channel.is_some()).then(|| {
            let is_wanted = |kind: &Kind| {
                self.kind.is_none_or(|wanted| wanted == *kind)
                    && self.channel.is_none_or(|wanted| wanted == kind.channel())
            };
            Kind::ALL.iter().copied().filter(is_wanted).collect()
        })
    }

    /// The reads that together find everything wanted, each in the list's order in an index of its own.
    fn reads(&self) -> Vec<Read> {
        match self.kinds() {
            _ if !self.statuses.is_empty() => {
                let states = self.statuses.iter().flat_map(|status| status.states());
                states.map(|(state, is_due)| Read::State(state, is_due)).collect()
            }
            Some(kinds) if self.invitation.is_none() => kinds.into_iter().map(Read::Kind).collect(),
            Some(_) | None => vec![Read::Plain],
        }
    }

    /// What is few, all of an invitation, or due and not taken yet, is found by that: the sign keeps planners from walking the index by age.
    const fn order_of(&self, read: &Read) -> &'static str {
        match read {
            Read::State(_, Some(true)) => "+outbox.created_at",
            _ if self.invitation.is_some() => "+outbox.created_at",
            Read::Plain | Read::State(..) | Read::Kind(_) => "outbox.created_at",
        }
    }
}

/// A page of the tenant's deliveries.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn page(
    conn: &mut Connection,
    tenant: &TenantId,
    (filter, slice): (&DeliveryFilter, &Slice),
    now: Timestamp,
) -> Result<Page<Delivery>, StorageError> {
    let mut found = Vec::new();
    for read in filter.reads() {
        found.push(rows(conn, tenant, (filter, slice), (&read, now))?);
    }
    let place = |delivery: &Delivery| Place { at: delivery.created_at, id: delivery.id.to_string() };
    Ok(slice.page(slice.merge(found, place), place))
}

fn rows(
    conn: &mut Connection,
    tenant: &TenantId,
    (filter, slice): (&DeliveryFilter, &Slice),
    (read, now): (&Read, Timestamp),
) -> Result<Vec<Delivery>, StorageError> {
    let rows: Vec<DeliveryRow> = on_boxed!(conn, |c, Db| {
        let mut query = o::table.filter(o::tenant.eq(tenant.as_str())).into_boxed::<Db>();
        if let Some(kinds) = filter.kinds() {
            query = query.filter(o::kind.eq_any(kinds.into_iter().map(Kind::as_str)));
        }
        if let Some(after) = filter.created_after {
            query = query.filter(o::created_at.gt(after.millis()));
        }
        if let Some(before) = filter.created_before {
            query = query.filter(o::created_at.lt(before.millis()));
        }
        if let Some(invitation) = filter.invitation {
            query = query.filter(o::invitation_id.eq(invitation.to_string()));
        }
        let query = match read {
            Read::Plain => query,
            Read::Kind(kind) => query.filter(o::kind.eq(kind.as_str())),
            Read::State(state, None) => query.filter(o::state.eq(state.as_str())),
            Read::State(state, Some(false)) => {
                query.filter(o::state.eq(state.as_str()).and(o::next_attempt_at.gt(now.millis())))
            }
            Read::State(state, Some(true)) => {
                query.filter(o::state.eq(state.as_str()).and(o::next_attempt_at.le(now.millis())))
            }
        };
        beyond!(query, slice, filter.order_of(read), "outbox.id").select(DeliveryRow::as_select()).load(c)
    })?;
    rows.into_iter().map(DeliveryRow::read).collect()
}
