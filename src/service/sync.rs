//! Asking for the directory to be brought to the state wanted of an account.

use crate::domain::account::Account;
use crate::domain::ids::InvitationId;
use crate::domain::invitation::Channel;
use crate::domain::message::{DeliveryState, Kind};
use crate::domain::time::Timestamp;
use crate::storage::outbox::{self, NewDelivery};
use crate::storage::{Connection, StorageError};

/// Puts "bring the directory to the state wanted" into the outbox.
pub(super) fn enqueue_sync(
    conn: &mut Connection,
    account: &Account,
    invitation: Option<InvitationId>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = NewDelivery {
        id: crate::entropy::message_id(now),
        tenant: &account.tenant,
        invitation,
        generation: 0,
        account: account.id,
        kind: Kind::AccountSync,
        channel: Channel::Directory,
        state: DeliveryState::Ready,
        payload: None,
        expires_at: None,
        listed_at: None,
    };
    outbox::insert(conn, &row, now)
}
