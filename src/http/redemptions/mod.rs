//! `/v1/redemptions`: what the invited person does, without a credential but a secret.

pub(super) mod redeem;
pub(super) mod set_password;
