//! Taking away what is over: ended invitations with all that belongs to them, what the outbox has done, accounts with nothing left.
//!
//! Only what has ended is touched. Account rows are taken first, as everywhere; those that somebody is busy with are left for the next
//! pass, so that a clean-up never waits for anybody and nobody deadlocks with it.

use std::collections::BTreeMap;

use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Backend, Connection, on_backend};
use super::error::{StorageError, readable};
use super::idempotency;
use super::outbox::UNSETTLED;
use super::schema::{account as a, idempotency as k, invitation as i, outbox as o};
use crate::domain::account::{Account, Hold};
use crate::domain::ids::TenantId;
use crate::domain::time::Timestamp;

/// Written out as in the partial indexes: SQLite would not find them by values that are bound.
const ENDED: &str = "invitation.status IN ('accepted', 'expired', 'revoked', 'failed')";
const OF_NO_INVITATION: &str =
    "outbox.invitation_id IS NULL AND outbox.state IN ('sent', 'failed', 'superseded', 'expired')";
const EVENTS: &str = "outbox.endpoint_id IS NOT NULL AND outbox.state IN ('sent', 'failed', 'superseded', 'expired')";

/// Takes at most `limit` invitations away that ended at `until` or before, with their messages, and accounts of which nothing else is
/// kept. Returns how many it were of which tenant.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn purge_invitations(
    conn: &mut Connection,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(TenantId, i64)>, StorageError> {
    let open = exists(
        o::table.filter(o::invitation_id.eq(i::id.nullable()).and(o::state.eq_any(UNSETTLED)).assume_not_null()),
    );
    let query = i::table
        .filter(sql::<Bool>(ENDED))
        .filter(i::updated_at.le(until.millis()).and(not(open)))
        .order(i::updated_at)
        .limit(limit)
        .select((i::id, i::account_id));
    let due: Vec<(String, String)> = on_backend!(conn, |c| query.load(c))?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let accounts = take_accounts(conn, due.iter().map(|(_, account)| account.clone()).collect())?;
    let free: Vec<&String> = due.iter().filter(|(_, account)| accounts.contains(account)).map(|(id, _)| id).collect();
    // Judged once more under the account's lock: what was resent meanwhile stays.
    let target =
        i::table.filter(i::id.eq_any(free)).filter(sql::<Bool>(ENDED)).filter(i::updated_at.le(until.millis()));
    let gone: Vec<(String, String)> =
        on_backend!(conn, |c| diesel::delete(target).returning((i::id, i::tenant)).get_results(c))?;
    let messages = o::table.filter(o::invitation_id.eq_any(gone.iter().map(|(id, _)| id)));
    on_backend!(conn, |c| diesel::delete(messages).execute(c))?;
    drop_empty(conn, &accounts)?;
    by_tenant(gone.into_iter().map(|(_, tenant)| tenant))
}

fn by_tenant(tenants: impl Iterator<Item = String>) -> Result<Vec<(TenantId, i64)>, StorageError> {
    let mut counts = BTreeMap::new();
    for tenant in tenants {
        *counts.entry(tenant).or_insert(0) += 1;
    }
    counts.into_iter().map(|(tenant, count)| Ok((readable(TenantId::parse(&tenant).ok(), "tenant")?, count))).collect()
}

/// Takes at most `limit` rows of the outbox away that belong to no invitation, and as many that were events, settled at `until` or before,
/// and accounts of which nothing else is kept. Returns how many rows it were.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn purge_deliveries(conn: &mut Connection, until: Timestamp, limit: i64) -> Result<usize, StorageError> {
    Ok(purge_settled(conn, OF_NO_INVITATION, until, limit)? + purge_settled(conn, EVENTS, until, limit)?)
}

fn purge_settled(
    conn: &mut Connection,
    which: &'static str,
    until: Timestamp,
    limit: i64,
) -> Result<usize, StorageError> {
    let query = o::table
        .filter(sql::<Bool>(which))
        .filter(o::updated_at.le(until.millis()))
        .order(o::updated_at)
        .limit(limit)
        .select((o::id, o::account_id));
    let due: Vec<(String, Option<String>)> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().load(pg)?,
        Backend::Sqlite(sqlite) => query.load(sqlite)?,
    };
    if due.is_empty() {
        return Ok(0);
    }
    let (ids, accounts): (Vec<String>, Vec<Option<String>>) = due.into_iter().unzip();
    let target = o::table.filter(o::id.eq_any(ids));
    let gone = on_backend!(conn, |c| diesel::delete(target).execute(c))?;
    // Whoever is busy with an account leaves something behind that brings it here again.
    let accounts = take_accounts(conn, accounts.into_iter().flatten().collect())?;
    drop_empty(conn, &accounts)?;
    Ok(gone)
}

/// Takes those of the accounts that nobody is busy with, until the transaction ends.
fn take_accounts(conn: &mut Connection, mut ids: Vec<String>) -> Result<Vec<String>, StorageError> {
    ids.sort_unstable();
    ids.dedup();
    let query = a::table.filter(a::id.eq_any(ids)).order(a::id).select(a::id);
    Ok(match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().load(pg)?,
        Backend::Sqlite(sqlite) => query.load(sqlite)?,
    })
}

/// Deletes those of the accounts taken that hold nothing: no invitation, no lock of ours, no wrong codes, no answer kept for repetitions, nothing to be done.
fn drop_empty(conn: &mut Connection, accounts: &[String]) -> Result<(), StorageError> {
    let invited =
        exists(i::table.filter(
            i::tenant.eq(a::tenant).and(i::realm_key.eq(a::realm_key)).and(i::username_key.eq(a::username_key)),
        ));
    let open =
        exists(o::table.filter(o::account_id.eq(a::id.nullable()).and(o::state.eq_any(UNSETTLED)).assume_not_null()));
    let repeatable = exists(k::table.filter(k::account_id.eq(a::id.nullable()).assume_not_null()));
    let target = a::table
        .filter(a::id.eq_any(accounts).and(not(repeatable)))
        .filter(a::lock_reason.is_null().and(a::hold.eq_any([Hold::None.as_str(), Hold::Foreign.as_str()])))
        .filter(a::otp_failures.eq(0).and(not(invited)).and(not(open)));
    on_backend!(conn, |c| diesel::delete(target).execute(c))?;
    Ok(())
}

/// Takes away all that is kept of an account whose row the transaction holds: invitations, their messages, the row itself. Events on their
/// way to the platform name ids only, and go on without the names.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn erase(conn: &mut Connection, account: &Account) -> Result<(), StorageError> {
    let (tenant, key) = (account.tenant.as_str(), account.key());
    let invitations =
        i::table.filter(i::tenant.eq(tenant).and(i::realm_key.eq(&key.realm)).and(i::username_key.eq(&key.username)));
    let ids: Vec<String> = on_backend!(conn, |c| diesel::delete(invitations).returning(i::id).get_results(c))?;
    let of_invitations =
        o::table.filter(o::tenant.eq(tenant).and(o::invitation_id.eq_any(ids)).and(o::endpoint_id.is_null()));
    on_backend!(conn, |c| diesel::delete(of_invitations).execute(c))?;
    let of_account = o::table
        .filter(o::tenant.eq(tenant).and(o::account_id.eq(account.id.to_string())))
        .filter(o::endpoint_id.is_null());
    on_backend!(conn, |c| diesel::delete(of_account).execute(c))?;
    idempotency::erase_account(conn, &account.tenant, account.id)?;
    let row = a::table.find((tenant, &key.realm, &key.username));
    on_backend!(conn, |c| diesel::delete(row).execute(c))?;
    Ok(())
}
