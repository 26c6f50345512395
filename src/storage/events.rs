//! Events on their way to the platform: rows of the outbox without a payload, one for each endpoint that takes them.
//!
//! They are claimed apart from messages, and from one endpoint only so many at once, so that a slow endpoint holds up neither messages nor the
//! other endpoints. Of one account's events the first try goes in order; what has failed once lets the later ones pass.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::audit::Event;
use super::connection::{Backend, Connection, on_backend};
use super::error::{StorageError, readable};
use super::outbox::{Claimed, LEASE, PRIORITY_OF_EVENTS};
use super::schema::{outbox as o, webhook_endpoint as w};
use super::webhooks;
use crate::domain::event::EventType;
use crate::domain::ids::{AccountId, AuditId, EndpointId, InvitationId, MessageId, TenantId};
use crate::domain::invitation::Channel;
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::time::Timestamp;

/// How many endpoints are looked at in one claim.
const ENDPOINTS_AT_ONCE: i64 = 256;

/// An event that this worker holds until the lease ends.
#[derive(Debug, Clone)]
pub struct ClaimedEvent {
    /// The row of the outbox; its id names the event to the endpoint, over all tries.
    pub row: Claimed,
    pub endpoint: EndpointId,
    /// The entry of the audit trail.
    pub event: AuditId,
    pub event_type: EventType,
}

/// Puts the public event that an entry of the audit trail makes, if any, into the outbox for each endpoint that takes it.
pub(super) fn fan_out(
    conn: &mut Connection,
    entry: &Event<'_>,
    id: AuditId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(event) = EventType::of_audit(entry.event, entry.detail, entry.invitation.is_some()) else {
        return Ok(());
    };
    for endpoint in webhooks::takers(conn, entry.tenant, event)? {
        let values = (
            (o::id.eq(crate::entropy::message_id(now).to_string()), o::tenant.eq(entry.tenant.as_str())),
            (o::invitation_id.eq(entry.invitation.map(|id| id.to_string())), o::generation.eq(0)),
            o::account_id.eq(entry.account.map(|id| id.to_string())),
            (o::endpoint_id.eq(endpoint.to_string()), o::event_id.eq(id.to_string()), o::event_type.eq(event.as_str())),
            (o::kind.eq(Kind::WebhookEvent.as_str()), o::channel.eq(Channel::Webhook.as_str())),
            (
                o::state.eq(DeliveryState::Ready.as_str()),
                o::priority.eq(PRIORITY_OF_EVENTS),
                o::attempts.eq(0),
                o::fence.eq(0),
            ),
            (o::next_attempt_at.eq(now.millis()), o::created_at.eq(now.millis()), o::updated_at.eq(now.millis())),
        );
        on_backend!(conn, |c| diesel::insert_into(o::table).values(values).execute(c))?;
    }
    Ok(())
}

/// The endpoints that events are due for, or that a dead worker's lease has lapsed for.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn due_endpoints(conn: &mut Connection) -> Result<Vec<EndpointId>, StorageError> {
    let now = conn.now()?.millis();
    let of_endpoint = || o::table.filter(o::endpoint_id.eq(w::id.nullable()));
    let ready = of_endpoint().filter(o::state.eq(DeliveryState::Ready.as_str()).and(o::next_attempt_at.le(now)));
    let lapsed = of_endpoint()
        .filter(o::state.eq(DeliveryState::Sending.as_str()))
        .filter(o::lease_until.le(now).assume_not_null());
    let query = w::table.filter(exists(ready).or(exists(lapsed))).limit(ENDPOINTS_AT_ONCE).select(w::id);
    let ids: Vec<String> = on_backend!(conn, |c| query.load(c))?;
    ids.iter().map(|id| readable(EndpointId::parse(id), "endpoint id")).collect()
}

/// Claims up to `limit` due events for the endpoint, so that no more than `at_once` are under way to it.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn claim(
    conn: &mut Connection,
    endpoint: EndpointId,
    limit: i64,
    at_once: i64,
) -> Result<Vec<ClaimedEvent>, StorageError> {
    let now = conn.now()?;
    let to_endpoint = || o::table.filter(o::endpoint_id.eq(endpoint.to_string()));
    let under_way = to_endpoint()
        .filter(o::state.eq(DeliveryState::Sending.as_str()))
        .filter(o::lease_until.gt(now.millis()).assume_not_null())
        .count();
    let under_way: i64 = on_backend!(conn, |c| under_way.get_result(c))?;
    let limit = limit.min(at_once.saturating_sub(under_way));
    if limit <= 0 {
        return Ok(Vec::new());
    }
    let due = o::state
        .eq(DeliveryState::Ready.as_str())
        .and(o::next_attempt_at.le(now.millis()))
        .or(o::state.eq(DeliveryState::Sending.as_str()).and(o::lease_until.le(now.millis()).assume_not_null()));
    let earlier = diesel::alias!(super::schema::outbox as earlier);
    let untried = earlier
        .field(o::state)
        .eq(DeliveryState::Sending.as_str())
        .or(earlier.field(o::state).eq(DeliveryState::Ready.as_str()).and(earlier.field(o::attempts).eq(0)));
    let predecessor = earlier
        .filter(earlier.field(o::endpoint_id).eq(endpoint.to_string()))
        .filter(earlier.field(o::account_id).eq(o::account_id).and(earlier.field(o::id).lt(o::id)))
        .filter(untried);
    let query = to_endpoint()
        .filter(due)
        .filter(not(exists(predecessor)))
        .order((o::next_attempt_at, o::id))
        .limit(limit)
        .select(o::id);
    let ids: Vec<String> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().load(pg)?,
        Backend::Sqlite(sqlite) => query.load(sqlite)?,
    };
    lease(conn, ids, now)
}

type EventRow =
    ((String, String, Option<String>, Option<String>), (Option<String>, Option<String>, Option<String>), (i64, i64));

fn lease(conn: &mut Connection, ids: Vec<String>, now: Timestamp) -> Result<Vec<ClaimedEvent>, StorageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let target = o::table.filter(o::id.eq_any(ids));
    let mut rows: Vec<EventRow> = on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Sending.as_str()),
            o::attempts.eq(o::attempts + 1),
            o::fence.eq(o::fence + 1),
            o::lease_until.eq(now.after(LEASE).millis()),
            o::updated_at.eq(now.millis()),
        ))
        .returning((
            (o::id, o::tenant, o::invitation_id, o::account_id),
            (o::endpoint_id, o::event_id, o::event_type),
            (o::attempts, o::fence),
        ))
        .get_results(c))?;
    rows.sort_by(|a, b| a.0.0.cmp(&b.0.0));
    rows.into_iter().map(read_event).collect()
}

fn read_event(row: EventRow) -> Result<ClaimedEvent, StorageError> {
    let ((id, tenant, invitation, account), (endpoint, event, event_type), (attempts, fence)) = row;
    let row = Claimed {
        id: readable(MessageId::parse(&id), "message id")?,
        tenant: readable(TenantId::parse(&tenant).ok(), "tenant")?,
        invitation: invitation.and_then(|id| InvitationId::parse(&id)),
        generation: 0,
        account: account.and_then(|id| AccountId::parse(&id)),
        kind: Kind::WebhookEvent,
        payload: None,
        attempts,
        fence,
        expires_at: None,
    };
    Ok(ClaimedEvent {
        row,
        endpoint: readable(endpoint.and_then(|id| EndpointId::parse(&id)), "endpoint id")?,
        event: readable(event.and_then(|id| AuditId::parse(&id)), "audit id")?,
        event_type: readable(event_type.and_then(|name| EventType::parse(&name)), "event type")?,
    })
}

/// Takes back what waits for an endpoint that gets nothing any more: kept as failed, with the reason's code, so that it can be sent once the
/// endpoint takes events again. Also one that is being sent right now: what its worker settles later finds nothing.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn give_up_all(
    conn: &mut Connection,
    endpoint: EndpointId,
    code: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let unsettled = [DeliveryState::Ready.as_str(), DeliveryState::Sending.as_str()];
    let target = o::table.filter(o::endpoint_id.eq(endpoint.to_string())).filter(o::state.eq_any(unsettled));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Failed.as_str()),
            o::last_error.eq(code),
            o::lease_until.eq(None::<i64>),
            o::updated_at.eq(now.millis()),
        ))
        .execute(c))?;
    Ok(())
}

/// As [`give_up_all`] for an endpoint that is deleted: also what had failed can never be sent again.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn supersede_all(conn: &mut Connection, endpoint: EndpointId, now: Timestamp) -> Result<(), StorageError> {
    let unsent = [DeliveryState::Ready.as_str(), DeliveryState::Sending.as_str(), DeliveryState::Failed.as_str()];
    let target = o::table.filter(o::endpoint_id.eq(endpoint.to_string())).filter(o::state.eq_any(unsent));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            o::state.eq(DeliveryState::Superseded.as_str()),
            o::lease_until.eq(None::<i64>),
            o::updated_at.eq(now.millis()),
        ))
        .execute(c))?;
    Ok(())
}
