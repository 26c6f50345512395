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

/// At most so many are kept: they are all of one moment, and a gateway that is shared may report on more messages of others.
const KEPT_MAX: i64 = 10_000;

/// Whether a message is being handed over that a report may be about whose message is not known.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn are_expected(conn: &mut Connection, place: &Place) -> Result<bool, StorageError> {
    // As in the partial index: a value that is bound would not be found by it.
    let sending = sql::<Bool>("outbox.state = 'sending'");
    Ok(on_boxed!(conn, |c, Db| {
        let mut query =
            o::table.filter(sending).filter(o::channel.eq(place.channel.as_str())).select(o::id).into_boxed::<Db>();
        if let Some(tenant) = &place.tenant {
            query = query.filter(o::tenant.concat("").eq(tenant.as_str()));
        }
        query.first::<String>(c).optional()
    })?
    .is_some())
}

/// Keeps a report for a while. One that is repeated is kept once, and none beyond the limit.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn keep(conn: &mut Connection, place: &Place, receipts: &[Receipt], now: Timestamp) -> Result<(), StorageError> {
    let kept: i64 = on_backend!(conn, |c| e::table.count().get_result(c))?;
    let room = usize::try_from(KEPT_MAX.saturating_sub(kept)).unwrap_or(0);
    if receipts.len() > room {
        tracing::warn!(provider = place.provider, "too many reports came before their messages; some are lost");
    }
    for receipt in receipts.iter().take(room) {
        let values = (
            (
                e::provider.eq(&place.provider),
                e::provider_id.eq(&receipt.provider_id),
                e::kind.eq(receipt.kind.as_str()),
            ),
            (e::channel.eq(place.channel.as_str()), e::tenant.eq(place.tenant.as_ref().map(TenantId::as_str))),
            (e::code.eq(receipt.code()), e::request_id.eq(&place.request_id), e::received_at.eq(now.millis())),
        );
        on_backend!(conn, |c| diesel::insert_into(e::table).values(values).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

type Row = (String, String, String, String, Option<String>, Option<String>, Option<String>);

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
    let tenant = tenant.map(|tenant| readable(TenantId::parse(&tenant).ok(), "tenant")).transpose()?;
    let place = Place { tenant, channel: readable(Channel::parse(&channel), "channel")?, provider, request_id };
    let kind = readable(ReceiptKind::parse(&kind), "receipt kind")?;
    Ok((place, readable(Receipt::new(&provider_id, kind, code.as_deref()), "receipt")?))
}

/// Forgets one.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn forget(conn: &mut Connection, place: &Place, receipt: &Receipt) -> Result<(), StorageError> {
    let this = e::table.find((&place.provider, &receipt.provider_id, receipt.kind.as_str()));
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
