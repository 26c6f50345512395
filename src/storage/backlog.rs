//! What waits in the outbox, for those who watch it.

use diesel::dsl::{count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Connection, on_backend};
use super::error::{StorageError, readable};
use super::schema::outbox as o;
use crate::domain::invitation::Channel;
use crate::domain::message::Backlog;
use crate::domain::time::Timestamp;

/// What is due and not under way, of all tenants, by channel. Reads the index of what is ready.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn due(conn: &mut Connection) -> Result<Vec<Backlog>, StorageError> {
    let now = conn.now()?;
    let query = o::table
        .filter(sql::<Bool>("state = 'ready'"))
        .filter(o::next_attempt_at.le(now.millis()))
        .group_by(o::channel)
        .order(o::channel)
        .select((o::channel, count_star(), min(o::next_attempt_at)));
    let rows: Vec<(String, i64, Option<i64>)> = on_backend!(conn, |c| query.load(c))?;
    let read = |(channel, due, oldest): (String, i64, Option<i64>)| {
        let channel = readable(Channel::parse(&channel), "channel")?;
        let oldest = oldest.map_or(now, Timestamp::from_millis);
        Ok(Backlog { channel, due: u32::try_from(due).unwrap_or(u32::MAX), lag: now.since(oldest) })
    };
    rows.into_iter().map(read).collect()
}
