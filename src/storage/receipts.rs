//! Messages that gateways report on: found by the gateway's own id, and moved on by conditional writes.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::connection::{Connection, on_boxed};
use super::error::{StorageError, readable};
use super::schema::outbox as o;
use crate::domain::ids::{AccountId, InvitationId, MessageId, TenantId};
use crate::domain::invitation::Channel;
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::time::Timestamp;

/// A message that a gateway took.
#[derive(Debug, Clone)]
pub struct Taken {
    pub id: MessageId,
    pub tenant: TenantId,
    pub provider_id: String,
    pub kind: Kind,
    pub state: DeliveryState,
    pub last_error: Option<String>,
    pub invitation: Option<InvitationId>,
    pub account: Option<AccountId>,
}

type Row = (String, String, Option<String>, String, String, Option<String>, Option<String>, Option<String>);

/// The messages of the channel that are meant by these ids, the gateway's or our own: of the tenant or, since a gateway serves all of them and its
/// id leads to one message of one, of whichever it is. An id that leads to several leads to none.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(
    conn: &mut Connection,
    tenant: Option<&TenantId>,
    channel: Channel,
    ids: &[&str],
) -> Result<Vec<Taken>, StorageError> {
    let mut taken = load(conn, tenant, channel, (ids, Whose::Gateways))?;
    let own: Vec<&str> = ids.iter().copied().filter(|id| MessageId::parse(id).is_some()).collect();
    if !own.is_empty() {
        let ours = load(conn, tenant, channel, (&own, Whose::Ours))?;
        taken.extend(ours.into_iter().map(|taken| Taken { provider_id: taken.id.to_string(), ..taken }));
    }
    let is_alone = |one: &&Taken| taken.iter().filter(|other| other.provider_id == one.provider_id).count() == 1;
    Ok(taken.iter().filter(is_alone).cloned().collect())
}

#[derive(Clone, Copy)]
enum Whose {
    Gateways,
    Ours,
}

fn load(
    conn: &mut Connection,
    tenant: Option<&TenantId>,
    channel: Channel,
    (ids, whose): (&[&str], Whose),
) -> Result<Vec<Taken>, StorageError> {
    let rows: Vec<Row> = on_boxed!(conn, |c, Db| {
        let all = o::table.into_boxed::<Db>();
        let mut query = match whose {
            Whose::Gateways => all.filter(o::provider_id.eq_any(ids)),
            Whose::Ours => all.filter(o::id.eq_any(ids)),
        };
        query = query.filter(o::channel.eq(channel.as_str()));
        if let Some(tenant) = tenant {
            // Judged on the rows: SQLite takes an index that begins with the tenant for the better one.
            query = query.filter(o::tenant.concat("").eq(tenant.as_str()));
        }
        query
            .select((
                o::id,
                o::tenant,
                o::provider_id,
                o::kind,
                o::state,
                o::last_error,
                o::invitation_id,
                o::account_id,
            ))
            .load(c)
    })?;
    rows.into_iter().map(read).collect()
}

fn read((id, tenant, provider_id, kind, state, last_error, invitation, account): Row) -> Result<Taken, StorageError> {
    Ok(Taken {
        id: readable(MessageId::parse(&id), "message id")?,
        tenant: readable(TenantId::parse(&tenant).ok(), "tenant")?,
        provider_id: provider_id.unwrap_or_default(),
        kind: readable(Kind::parse(&kind), "message kind")?,
        state: readable(DeliveryState::parse(&state), "delivery state")?,
        last_error,
        invitation: invitation.and_then(|id| InvitationId::parse(&id)),
        account: account.and_then(|id| AccountId::parse(&id)),
    })
}

/// What a report did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// To the message of its invitation's current generation.
    ToCurrent,
    /// To one of an earlier generation, a reminder, or the news that the account is ready.
    ToOther,
}

/// Writes down what became of the message; `None` when more than that is known already, or it is not new.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn apply(
    conn: &mut Connection,
    message: &Taken,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<Option<Applied>, StorageError> {
    let this = o::tenant.eq(message.tenant.as_str()).and(o::id.eq(message.id.to_string()));
    let change =
        (o::state.eq(receipt.kind.state().as_str()), o::last_error.eq(receipt.error()), o::updated_at.eq(now.millis()));
    let listed_at: Option<Option<i64>> = on_boxed!(conn, |c, Db| {
        // `ReceiptKind::is_news` as a condition on the row.
        let mut is_news: Box<dyn BoxableExpression<o::table, Db, SqlType = Bool>> =
            Box::new(o::state.eq(DeliveryState::Sent.as_str()));
        for outweighed in receipt.kind.outweighs() {
            let is_in_state = o::state.eq(outweighed.state().as_str());
            is_news = match outweighed {
                ReceiptKind::Delivered => Box::new(is_news.or(is_in_state)),
                bounce => {
                    let error = o::last_error.like(format!("{}%", bounce.as_str())).assume_not_null();
                    Box::new(is_news.or(is_in_state.and(error)))
                }
            };
        }
        diesel::update(o::table.filter(this).filter(is_news))
            .set(change)
            .returning(o::listed_at)
            .get_result(c)
            .optional()
    })?;
    Ok(listed_at.map(|listed_at| if listed_at.is_some() { Applied::ToCurrent } else { Applied::ToOther }))
}
