//! Reports of gateways that came before their message was written down as sent: kept until that has happened, which is a matter of seconds.

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Connection, on_backend, on_boxed};
use super::error::{StorageError, readable};
use super::schema::{early_receipt as e, outbox as o};
use crate::domain::ids::TenantId;
use crate::domain::invitation::Channel;
use crate::domain::receipt::{Place, Receipt, ReceiptKind};
use crate::domain::time::Timestamp;

/// At most so many are kept, the youngest: a gateway that is shared may report on more messages of others, and what is ours does not wait long.
const KEPT_MAX: i64 = 10_000;

/// Whether a message is being handed over, or may have been taken without our knowing it: a report on one that is not known may be on that.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn are_expected(conn: &mut Connection, place: &Place) -> Result<bool, StorageError> {
    // As in the partial index: values that are bound would not be found by it.
    let was_tried = sql::<Bool>("outbox.attempts > 0 AND outbox.state IN ('ready', 'sending')");
    Ok(on_boxed!(conn, |c, Db| {
        let mut query =
            o::table.filter(was_tried).filter(o::channel.eq(place.channel.as_str())).select(o::id).into_boxed::<Db>();
        if let Some(tenant) = &place.tenant {
            query = query.filter(o::tenant.concat("").eq(tenant.as_str()));
        }
        query.first::<String>(c).optional()
    })?
    .is_some())
}

/// Keeps reports for a while. One that is repeated is kept once; beyond the limit the oldest are forgotten.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn keep(conn: &mut Connection, place: &Place, receipts: &[Receipt], now: Timestamp) -> Result<(), StorageError> {
    for receipt in receipts {
        let values = (
            (e::provider.eq(&place.provider), e::provider_id.eq(&receipt.provider_id)),
            (e::kind.eq(receipt.kind.as_str()), e::code.eq(receipt.code())),
            (e::channel.eq(place.channel.as_str()), e::tenant.eq(tenant_of(place))),
            (e::request_id.eq(&place.request_id), e::received_at.eq(now.millis())),
        );
        on_backend!(conn, |c| diesel::insert_into(e::table).values(values).on_conflict_do_nothing().execute(c))?;
    }
    let oldest_too_many = e::table.order(e::received_at.desc()).offset(KEPT_MAX).limit(1).select(e::received_at);
    let too_old: Option<i64> = on_backend!(conn, |c| oldest_too_many.first(c).optional())?;
    if let Some(too_old) = too_old {
        tracing::warn!(
            provider = place.provider,
            "too many reports came before their messages; the oldest are forgotten"
        );
        forget_old(conn, Timestamp::from_millis(too_old))?;
    }
    Ok(())
}

/// As it stands in the key: `NULL` would equal nothing.
fn tenant_of(place: &Place) -> &str {
    place.tenant.as_ref().map_or("", TenantId::as_str)
}

type Row = (String, String, String, String, String, Option<String>, Option<String>);

/// Those whose message is known by now, the oldest first.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn matched(conn: &mut Connection, limit: i64) -> Result<Vec<(Place, Receipt)>, StorageError> {
    let of_id = o::provider_id.eq(e::provider_id.nullable()).and(o::channel.eq(e::channel));
    let query = e::table
        .filter(exists(o::table.filter(of_id)))
        .order((e::received_at, e::provider, e::provider_id, e::kind))
        .limit(limit)
        .select((e::provider, e::provider_id, e::kind, e::channel, e::tenant, e::code, e::request_id));
    let rows: Vec<Row> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(read).collect()
}

fn read(
    (provider, provider_id, kind, channel, tenant, code, request_id): Row,
) -> Result<(Place, Receipt), StorageError> {
    let named = Some(tenant).filter(|tenant| !tenant.is_empty());
    let tenant = named.map(|tenant| readable(TenantId::parse(&tenant).ok(), "tenant")).transpose()?;
    let place = Place { tenant, channel: readable(Channel::parse(&channel), "channel")?, provider, request_id };
    let kind = readable(ReceiptKind::parse(&kind), "receipt kind")?;
    Ok((place, readable(Receipt::new(&provider_id, kind, code.as_deref()), "receipt")?))
}

/// Forgets one.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn forget(conn: &mut Connection, place: &Place, receipt: &Receipt) -> Result<(), StorageError> {
    let this = e::table.find((&place.provider, &receipt.provider_id, receipt.kind.as_str(), tenant_of(place)));
    on_backend!(conn, |c| diesel::delete(this).execute(c))?;
    Ok(())
}

/// Forgets those that came at `until` or before; returns how many that were.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn forget_old(conn: &mut Connection, until: Timestamp) -> Result<usize, StorageError> {
    let old = e::table.filter(e::received_at.le(until.millis()));
    Ok(on_backend!(conn, |c| diesel::delete(old).execute(c))?)
}
