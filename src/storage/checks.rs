//! Which accounts are to be compared with the directory, and what came of it: claimed by lease, so that many replicas ask once.

use std::time::Duration;

use diesel::dsl::exists;
use diesel::prelude::*;

use super::connection::{Backend, Connection, on_backend};
use super::error::StorageError;
use super::outbox::{LEASE, UNSETTLED};
use super::rows::AccountRow;
use super::schema::{account as a, outbox as o};
use crate::domain::account::{Account, DirectorySync, Hold};
use crate::domain::message::Kind;
use crate::domain::time::Timestamp;

/// Claims up to `limit` accounts that stand for an interval or more, those that stand longest first, for [`LEASE`]: they are due again
/// when nobody has concluded by then.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn claim(conn: &mut Connection, interval: Duration, limit: i64) -> Result<Vec<Account>, StorageError> {
    let due = conn.now()?.before(interval);
    let query =
        a::table.filter(a::check_after.le(due.millis())).order((a::check_after, a::id)).limit(limit).select(a::id);
    let ids: Vec<String> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().load(pg)?,
        Backend::Sqlite(sqlite) => query.load(sqlite)?,
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let target = a::table.filter(a::id.eq_any(ids));
    let rows: Vec<AccountRow> = on_backend!(conn, |c| diesel::update(target)
        .set(a::check_after.eq(due.after(LEASE).millis()))
        .returning(a::all_columns)
        .get_results(c))?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// Whether a wish of the account's is on its way to the directory.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn is_syncing(conn: &mut Connection, account: &Account) -> Result<bool, StorageError> {
    // The tenant is judged on the rows: SQLite takes an index that begins with it for the better one.
    let wishes = o::table
        .filter(o::account_id.eq(account.id.to_string()).and(o::tenant.concat("").eq(account.tenant.as_str())))
        .filter(o::state.eq_any(UNSETTLED).and(o::kind.eq(Kind::AccountSync.as_str())));
    Ok(on_backend!(conn, |c| diesel::select(exists(wishes)).get_result(c))?)
}

/// What came of a comparison.
pub struct Conclusion {
    pub hold: Hold,
    pub directory: DirectorySync,
    pub check_after: Option<Timestamp>,
    pub checks_failed: i64,
}

/// Writes down what came of a claimed comparison; false when the lease was lost, or anything of the lock has changed meanwhile.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn conclude(
    conn: &mut Connection,
    claimed: &Account,
    conclusion: &Conclusion,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let key = claimed.key();
    let target = a::table
        .find((claimed.tenant.as_str(), &key.realm, &key.username))
        .filter(a::version.eq(claimed.version).and(a::check_after.eq(claimed.check_after.map(Timestamp::millis))));
    let is_other = conclusion.hold != claimed.hold || conclusion.directory != claimed.directory;
    let updated_at = if is_other { now } else { claimed.updated_at };
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            a::hold.eq(conclusion.hold.as_str()),
            a::directory.eq(conclusion.directory.as_str()),
            a::check_after.eq(conclusion.check_after.map(Timestamp::millis)),
            a::checks_failed.eq(conclusion.checks_failed),
            a::updated_at.eq(updated_at.millis()),
        ))
        .execute(c))?;
    Ok(rows == 1)
}
