//! The endpoints that take a tenant's events. Their secrets are sealed before they come here.

use diesel::prelude::*;
use rand::seq::IteratorRandom as _;

use super::audit::{self, Actor};
use super::connection::{Backend, Connection, on_backend};
use super::error::{StorageError, readable};
use super::events;
use super::schema::webhook_endpoint as w;
use crate::domain::event::EventType;
use crate::domain::ids::{EndpointId, TenantId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Disabled, DisabledReason, ENDPOINTS_MAX, Endpoint, Filter, PreviousSecret};

#[derive(Queryable)]
struct EndpointRow {
    id: String,
    tenant: String,
    url: String,
    events: String,
    description: Option<String>,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
    previous_until: Option<i64>,
    disabled_at: Option<i64>,
    disabled_reason: Option<String>,
    failing_since: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

type Columns = (
    w::id,
    w::tenant,
    w::url,
    w::events,
    w::description,
    w::secret,
    w::previous_secret,
    w::previous_until,
    w::disabled_at,
    w::disabled_reason,
    w::failing_since,
    w::created_at,
    w::updated_at,
);

/// In the order of [`EndpointRow`]'s fields.
const COLUMNS: Columns = (
    w::id,
    w::tenant,
    w::url,
    w::events,
    w::description,
    w::secret,
    w::previous_secret,
    w::previous_until,
    w::disabled_at,
    w::disabled_reason,
    w::failing_since,
    w::created_at,
    w::updated_at,
);

impl EndpointRow {
    fn read(self) -> Result<Endpoint, StorageError> {
        let previous = self.previous_secret.zip(self.previous_until);
        let disabled = match self.disabled_at.zip(self.disabled_reason) {
            Some((at, reason)) => Some(Disabled {
                at: Timestamp::from_millis(at),
                reason: readable(DisabledReason::parse(&reason), "reason of an endpoint's end")?,
            }),
            None => None,
        };
        Ok(Endpoint {
            id: readable(EndpointId::parse(&self.id), "endpoint id")?,
            tenant: readable(TenantId::parse(&self.tenant).ok(), "tenant")?,
            url: self.url,
            events: filter_from(&self.events)?,
            description: self.description,
            secret: self.secret,
            previous: previous.map(|(sealed, until)| PreviousSecret { sealed, until: Timestamp::from_millis(until) }),
            disabled,
            failing_since: self.failing_since.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

/// Names with blanks between; none at all for every event.
fn filter_text(filter: &Filter) -> String {
    filter.names().join(" ")
}

fn filter_from(text: &str) -> Result<Filter, StorageError> {
    let events = text.split_whitespace().map(|name| readable(EventType::parse(name), "event filter"));
    events.collect::<Result<_, _>>().map(Filter::new)
}

/// Adds an endpoint; false when the tenant has as many as it may.
///
/// # Errors
/// [`StorageError::Conflict`] when a racer took the same slot, so that the transaction is run again.
pub fn insert(conn: &mut Connection, new: &Endpoint) -> Result<bool, StorageError> {
    let query = w::table.filter(w::tenant.eq(new.tenant.as_str())).select(w::slot);
    let taken: Vec<i64> = on_backend!(conn, |c| query.load(c))?;
    let free = (0..ENDPOINTS_MAX).filter(|slot| !taken.contains(slot));
    // Any of them, so that racers seldom take the same.
    let Some(slot) = free.choose(&mut crate::entropy::rng()) else { return Ok(false) };
    let values = (
        (w::id.eq(new.id.to_string()), w::tenant.eq(new.tenant.as_str()), w::slot.eq(slot)),
        (w::url.eq(&new.url), w::events.eq(filter_text(&new.events)), w::description.eq(&new.description)),
        (
            w::secret.eq(&new.secret),
            w::created_at.eq(new.created_at.millis()),
            w::updated_at.eq(new.updated_at.millis()),
        ),
    );
    on_backend!(conn, |c| diesel::insert_into(w::table).values(values).execute(c))
        .map_err(|error| StorageError::from(error).repeatable())?;
    Ok(true)
}

/// The tenant's endpoints, oldest first.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn list(conn: &mut Connection, tenant: &TenantId) -> Result<Vec<Endpoint>, StorageError> {
    let query = w::table.filter(w::tenant.eq(tenant.as_str())).order((w::created_at, w::id)).select(COLUMNS);
    let rows: Vec<EndpointRow> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(EndpointRow::read).collect()
}

/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId, id: EndpointId) -> Result<Option<Endpoint>, StorageError> {
    let query = w::table.filter(w::tenant.eq(tenant.as_str()).and(w::id.eq(id.to_string()))).select(COLUMNS);
    let row: Option<EndpointRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(EndpointRow::read).transpose()
}

/// As [`find`], holding the row until the transaction ends. Taken before the rows of the outbox that go there.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find_locked(conn: &mut Connection, tenant: &TenantId, id: EndpointId) -> Result<Option<Endpoint>, StorageError> {
    let query = w::table.filter(w::tenant.eq(tenant.as_str()).and(w::id.eq(id.to_string()))).select(COLUMNS);
    let row: Option<EndpointRow> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().first(pg).optional()?,
        Backend::Sqlite(sqlite) => query.first(sqlite).optional()?,
    };
    row.map(EndpointRow::read).transpose()
}

/// Stores all that can change of an endpoint whose row is held.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn update(conn: &mut Connection, changed: &Endpoint) -> Result<(), StorageError> {
    let target = w::table.filter(w::tenant.eq(changed.tenant.as_str()).and(w::id.eq(changed.id.to_string())));
    let previous = changed.previous.as_ref();
    on_backend!(conn, |c| diesel::update(target)
        .set((
            (
                w::url.eq(&changed.url),
                w::events.eq(filter_text(&changed.events)),
                w::description.eq(&changed.description)
            ),
            w::secret.eq(&changed.secret),
            w::previous_secret.eq(previous.map(|previous| &previous.sealed)),
            w::previous_until.eq(previous.map(|previous| previous.until.millis())),
            w::disabled_at.eq(changed.disabled.map(|disabled| disabled.at.millis())),
            w::disabled_reason.eq(changed.disabled.map(|disabled| disabled.reason.as_str())),
            w::failing_since.eq(changed.failing_since.map(Timestamp::millis)),
            w::updated_at.eq(changed.updated_at.millis()),
        ))
        .execute(c))?;
    Ok(())
}

/// Removes an endpoint and what waits for it; false when there is none.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn delete(conn: &mut Connection, tenant: &TenantId, id: EndpointId, now: Timestamp) -> Result<bool, StorageError> {
    let target = w::table.filter(w::tenant.eq(tenant.as_str()).and(w::id.eq(id.to_string())));
    // In this order: whoever is about to add an event for it holds its row, so that all are there once it is gone.
    if on_backend!(conn, |c| diesel::delete(target).execute(c))? == 0 {
        return Ok(false);
    }
    events::supersede_all(conn, id, now)?;
    Ok(true)
}

/// The tenant's endpoints that take this event now; none of them can be deleted before the transaction ends.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub(super) fn takers(
    conn: &mut Connection,
    tenant: &TenantId,
    event: EventType,
) -> Result<Vec<EndpointId>, StorageError> {
    let query = w::table
        .filter(w::tenant.eq(tenant.as_str()).and(w::disabled_at.is_null()))
        .order(w::slot)
        .select((w::id, w::events));
    let rows: Vec<(String, String)> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_key_share().load(pg)?,
        Backend::Sqlite(sqlite) => query.load(sqlite)?,
    };
    let mut takers = Vec::new();
    for (id, events) in rows {
        // A name that this version does not know asks for nothing that it could tell, and must not stop what happens.
        let wants_all = events.trim().is_empty();
        if wants_all || events.split_whitespace().any(|name| EventType::parse(name) == Some(event)) {
            takers.push(readable(EndpointId::parse(&id), "endpoint id")?);
        }
    }
    Ok(takers)
}

/// Something reached the endpoint: it fails no more. Changes nothing when it did not fail.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn note_success(conn: &mut Connection, tenant: &TenantId, id: EndpointId) -> Result<(), StorageError> {
    let target = w::table
        .filter(w::tenant.eq(tenant.as_str()).and(w::id.eq(id.to_string())))
        .filter(w::failing_since.is_not_null());
    on_backend!(conn, |c| diesel::update(target).set(w::failing_since.eq(None::<i64>)).execute(c))?;
    Ok(())
}

/// Something did not reach the endpoint; the time of the first failure since the last success stands.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn note_failure(
    conn: &mut Connection,
    tenant: &TenantId,
    id: EndpointId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let target =
        w::table.filter(w::tenant.eq(tenant.as_str()).and(w::id.eq(id.to_string()))).filter(w::failing_since.is_null());
    on_backend!(conn, |c| diesel::update(target).set(w::failing_since.eq(now.millis())).execute(c))?;
    Ok(())
}

/// Sends nothing more to an endpoint whose row is held, and takes back what waits for it.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn disable(
    conn: &mut Connection,
    actor: &Actor,
    endpoint: Endpoint,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<(), StorageError> {
    let id = endpoint.id;
    let disabled = Endpoint { disabled: Some(Disabled { at: now, reason }), updated_at: now, ..endpoint };
    update(conn, &disabled)?;
    events::give_up_all(conn, id, "endpoint_disabled", now)?;
    let detail = format!("{id} {}", reason.as_str());
    audit::record(
        conn,
        actor,
        now,
        &audit::Event {
            event: "webhook.disabled",
            tenant: &disabled.tenant,
            invitation: None,
            account: None,
            detail: &detail,
        },
    )
}
