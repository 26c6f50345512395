//! What is stored in place of a secret, tagged with how it was made so that schemes can change under live invitations.
//!
//! - `l1:<kid>:<mac>` link token, HMAC-SHA-256
//! - `h1:<kid>:<mac>` OTP, HMAC-SHA-256: right for a short-lived code, protected online by its budget and at rest by the key
//! - `a1:<kid>:<PHC>` OTP, argon2id with the same kind of key as pepper: for a code that lives long enough to be a password
//!
//! The stored form is never accepted as the secret. Context (tenant, invitation, generation, …) is part of every MAC, so a
//! code is good for nothing but its own invitation and generation.

use argon2::{Algorithm, Argon2, AssociatedData, Block, Params, ParamsBuilder, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ids::{InvitationId, TenantId};
use super::invitation::{Invitation, Method, Purpose};
use super::keys::{KeyError, Keyring, MacPurpose};
use super::otp::Otp;
use super::settings::OtpHashing;
use super::token::LinkToken;

/// OWASP's floor for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Codes that live longer than this are hashed with argon2id, in minutes.
const LONG_LIVED_MINUTES: i64 = 1440;
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;

/// What a secret is bound to.
#[derive(Clone)]
pub struct Context {
    pub tenant: TenantId,
    pub invitation: InvitationId,
    pub generation: i64,
    pub method: Method,
    pub purpose: Purpose,
}

impl Context {
    #[must_use]
    pub fn of(invitation: &Invitation) -> Self {
        Self {
            tenant: invitation.tenant.clone(),
            invitation: invitation.id,
            generation: invitation.generation,
            method: invitation.method,
            purpose: invitation.purpose,
        }
    }

    fn with<T>(&self, secret: &[u8], then: impl FnOnce(&[&[u8]]) -> T) -> T {
        then(&[
            self.tenant.as_str().as_bytes(),
            self.invitation.as_bytes(),
            &self.generation.to_be_bytes(),
            self.method.as_str().as_bytes(),
            self.purpose.as_str().as_bytes(),
            secret,
        ])
    }
}

/// Whether a code of this expiry is hashed slowly.
#[must_use]
pub const fn needs_argon2(hashing: OtpHashing, expiry_minutes: i64) -> bool {
    matches!(hashing, OtpHashing::Argon2id) || expiry_minutes < 0 || expiry_minutes > LONG_LIVED_MINUTES
}

/// Whether checking this verifier takes an argon2 run.
#[must_use]
pub fn is_argon2(verifier: &str) -> bool {
    verifier.starts_with("a1:")
}

/// The verifier of a link token.
#[must_use]
pub fn of_link(keys: &Keyring, context: &Context, token: &LinkToken) -> String {
    tagged("l1", keys, &context.with(token.secret(), |parts| keys.mac(MacPurpose::Link, parts)))
}

/// Whether `token` is the one that `verifier` was made of.
#[must_use]
pub fn matches_link(keys: &Keyring, context: &Context, verifier: &str, token: &LinkToken) -> bool {
    context.with(token.secret(), |parts| matches_mac(keys, MacPurpose::Link, "l1", verifier, parts))
}

/// The fast verifier of an OTP.
#[must_use]
pub fn of_otp(keys: &Keyring, context: &Context, otp: &Otp) -> String {
    tagged("h1", keys, &context.with(otp.expose().as_bytes(), |parts| keys.mac(MacPurpose::Otp, parts)))
}

/// Whether `otp` is the one that a fast verifier was made of; false for any other kind of verifier.
#[must_use]
pub fn matches_otp(keys: &Keyring, context: &Context, verifier: &str, otp: &Otp) -> bool {
    context.with(otp.expose().as_bytes(), |parts| matches_mac(keys, MacPurpose::Otp, "h1", verifier, parts))
}

/// The slow verifier of an OTP; about 20 ms and 19 MiB, taken from `memory`.
///
/// # Errors
/// [`KeyError`] when argon2 refuses its parameters.
pub fn of_otp_slow(
    keys: &Keyring,
    context: &Context,
    otp: &Otp,
    salt: [u8; SALT_LEN],
    memory: &mut Vec<Block>,
) -> Result<String, KeyError> {
    let hash = argon2_hash((keys, keys.signing_kid()), context, otp, &salt, memory)?;
    let (salt, hash) = (BASE64.encode(salt), BASE64.encode(*hash));
    Ok(format!("a1:{}:$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${hash}", keys.signing_kid()))
}

/// Whether `otp` is the one that a slow verifier was made of.
#[must_use]
pub fn matches_otp_slow(keys: &Keyring, context: &Context, verifier: &str, otp: &Otp, memory: &mut Vec<Block>) -> bool {
    let Some((kid, phc)) = verifier.strip_prefix("a1:").and_then(|rest| rest.split_once(':')) else { return false };
    let mut fields = phc.rsplit('$');
    let (Some(hash), Some(salt)) = (fields.next(), fields.next()) else { return false };
    let (Ok(hash), Ok(salt)) = (BASE64.decode(hash), BASE64.decode(salt)) else { return false };
    let Ok(salt) = <[u8; SALT_LEN]>::try_from(salt) else { return false };
    argon2_hash((keys, kid), context, otp, &salt, memory).is_ok_and(|computed| computed.as_slice().ct_eq(&hash).into())
}

fn argon2_hash(
    (keys, kid): (&Keyring, &str),
    context: &Context,
    otp: &Otp,
    salt: &[u8; SALT_LEN],
    memory: &mut Vec<Block>,
) -> Result<Zeroizing<[u8; HASH_LEN]>, KeyError> {
    let pepper = keys.pepper(kid).ok_or(KeyError::Missing)?;
    // The context goes in through the fast MAC, so that argon2 sees one fixed-size input.
    let input = Zeroizing::new(context.with(otp.expose().as_bytes(), |parts| bound_input(pepper, parts)));
    let params = argon2_params()?;
    memory.resize(params.block_count(), Block::default());
    let argon2 =
        Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params).or(Err(KeyError::Derivation))?;
    let mut hash = Zeroizing::new([0; HASH_LEN]);
    argon2
        .hash_password_into_with_memory(&input, salt, &mut *hash, memory.as_mut_slice())
        .or(Err(KeyError::Derivation))?;
    Ok(hash)
}

fn bound_input(pepper: &[u8; 32], parts: &[&[u8]]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pepper);
    let mut context = aws_lc_rs::hmac::Context::with_key(&key);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

fn argon2_params() -> Result<Params, KeyError> {
    ParamsBuilder::new()
        .m_cost(MEMORY_KIB)
        .t_cost(PASSES)
        .p_cost(1)
        .data(AssociatedData::EMPTY)
        .output_len(HASH_LEN)
        .build()
        .or(Err(KeyError::Derivation))
}

fn tagged(tag: &str, keys: &Keyring, mac: &[u8]) -> String {
    format!("{tag}:{}:{}", keys.signing_kid(), BASE64.encode(mac))
}

fn matches_mac(keys: &Keyring, purpose: MacPurpose, tag: &str, verifier: &str, parts: &[&[u8]]) -> bool {
    let mut fields = verifier.splitn(3, ':');
    if fields.next() != Some(tag) {
        return false;
    }
    let (Some(kid), Some(mac)) = (fields.next(), fields.next()) else { return false };
    BASE64.decode(mac).is_ok_and(|mac| keys.verify_mac(kid, purpose, parts, &mac))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::domain::otp::OtpShape;
    use crate::domain::settings::Settings;

    fn keys() -> Keyring {
        Keyring::new([("k1", &[1; 32])]).unwrap()
    }

    fn context(generation: i64) -> Context {
        Context {
            tenant: TenantId::default_tenant(),
            invitation: InvitationId::from_bytes([3; 16]),
            generation,
            method: Method::EmailOtp,
            purpose: Purpose::Onboarding,
        }
    }

    #[test]
    fn an_otp_is_good_for_its_own_invitation_and_generation_only() {
        let (keys, otp) = (keys(), OtpShape::from(Settings::default().otp).generate(&mut StdRng::seed_from_u64(1)));
        let verifier = of_otp(&keys, &context(1), &otp);
        assert!(matches_otp(&keys, &context(1), &verifier, &otp));
        let mut others = vec![context(2)];
        others.push(Context { tenant: TenantId::parse("b").unwrap(), ..context(1) });
        others.push(Context { invitation: InvitationId::from_bytes([4; 16]), ..context(1) });
        others.push(Context { method: Method::SmsOtp, ..context(1) });
        others.push(Context { purpose: Purpose::PasswordReset, ..context(1) });
        for other in others {
            assert!(!matches_otp(&keys, &other, &verifier, &otp));
        }
    }

    #[test]
    fn the_stored_form_is_not_the_secret() {
        let (keys, otp) = (keys(), Otp::typed("Ab3Cd4"));
        for verifier in
            [of_otp(&keys, &context(1), &otp), of_otp_slow(&keys, &context(1), &otp, [5; 16], &mut Vec::new()).unwrap()]
        {
            assert!(!verifier.contains("Ab3Cd4"));
            assert!(!matches_otp(&keys, &context(1), &verifier, &Otp::typed(&verifier)));
            assert!(!matches_otp_slow(&keys, &context(1), &verifier, &Otp::typed(&verifier), &mut Vec::new()));
        }
    }

    #[test]
    fn the_slow_verifier_knows_its_code_and_its_pepper() {
        let mut memory = Vec::new();
        let verifier = of_otp_slow(&keys(), &context(1), &Otp::typed("Ab3Cd4"), [5; 16], &mut memory).unwrap();
        assert!(is_argon2(&verifier) && verifier.contains("m=19456,t=2,p=1"));
        assert!(matches_otp_slow(&keys(), &context(1), &verifier, &Otp::typed("Ab3Cd4"), &mut memory));
        assert!(!matches_otp_slow(&keys(), &context(1), &verifier, &Otp::typed("Ab3Cd5"), &mut memory));
        let other = Keyring::new([("k1", &[2; 32])]).unwrap();
        assert!(!matches_otp_slow(&other, &context(1), &verifier, &Otp::typed("Ab3Cd4"), &mut memory));
    }

    #[test]
    fn malformed_verifiers_match_nothing() {
        for verifier in ["", "h1", "h1:k1", "h1:k1:***", "a1:k1", "a1:k1:$", "a1:k1:$a$b", "zz:k1:AAAA"] {
            assert!(!matches_otp(&keys(), &context(1), verifier, &Otp::typed("Ab3Cd4")));
            assert!(!matches_otp_slow(&keys(), &context(1), verifier, &Otp::typed("Ab3Cd4"), &mut Vec::new()));
        }
    }

    #[test]
    fn a_code_that_outlives_a_day_is_hashed_slowly() {
        assert!(needs_argon2(OtpHashing::Auto, -1) && needs_argon2(OtpHashing::Auto, 1441));
        assert!(!needs_argon2(OtpHashing::Auto, 1440) && !needs_argon2(OtpHashing::Auto, 0));
        assert!(needs_argon2(OtpHashing::Argon2id, 5));
    }
}
