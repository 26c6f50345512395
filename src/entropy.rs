//! The one source of randomness: a cryptographic generator seeded by the operating system.

use rand::CryptoRng;

use crate::domain::ids::{GrantId, InvitationId, MessageId};
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
pub fn message_id(now: Timestamp) -> MessageId {
    MessageId::new(now, &bytes())
}

#[must_use]
pub fn grant_id(now: Timestamp) -> GrantId {
    GrantId::new(now, &bytes())
}
