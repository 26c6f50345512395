//! The one source of randomness: a cryptographic generator seeded by the operating system.

use std::sync::atomic::{AtomicU16, Ordering};

use rand::CryptoRng;

use crate::domain::ids::{AccountId, AuditId, BulkJobId, EndpointId, GrantId, InvitationId, MessageId};
use crate::domain::time::Timestamp;

/// The generator for secrets, ids and jitter.
#[expect(clippy::disallowed_methods, reason = "this is the one place that makes a generator")]
#[must_use]
pub fn rng() -> impl CryptoRng {
    rand::rng()
}

/// `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    use rand::Rng as _;
    let mut bytes = [0; N];
    rng().fill_bytes(&mut bytes);
    bytes
}

#[must_use]
pub fn invitation_id(now: Timestamp) -> InvitationId {
    InvitationId::new(now, &bytes())
}

#[must_use]
pub fn account_id(now: Timestamp) -> AccountId {
    AccountId::new(now, &bytes())
}

/// Ids of one millisecond sort in the order in which they were made.
#[must_use]
pub fn message_id(now: Timestamp) -> MessageId {
    MessageId::new(now, &counted())
}

#[must_use]
pub fn bulk_job_id(now: Timestamp) -> BulkJobId {
    BulkJobId::new(now, &bytes())
}

/// Ids of one millisecond sort in the order in which they were made.
#[must_use]
pub fn audit_id(now: Timestamp) -> AuditId {
    AuditId::new(now, &counted())
}

/// A counter in front of random bits (RFC 9562 §6.2).
fn counted() -> [u8; 10] {
    static MADE: AtomicU16 = AtomicU16::new(0);
    let mut random: [u8; 10] = bytes();
    let [high, low] = MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let [first, second, ..] = &mut random;
    (*first, *second) = (high & 0x0f, low);
    random
}

#[must_use]
pub fn endpoint_id(now: Timestamp) -> EndpointId {
    EndpointId::new(now, &bytes())
}

#[must_use]
pub fn grant_id(now: Timestamp) -> GrantId {
    GrantId::new(now, &bytes())
}
