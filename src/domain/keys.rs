//! The service's keys: one per purpose, derived by HKDF from the configured master keys.
//!
//! The first master key makes new MACs and seals; all of them verify and open, so keys can rotate without killing live
//! invitations. Nothing derived here is ever stored; a database alone reveals no secret and can check none.

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::{digest, hkdf, hmac};
use zeroize::Zeroizing;

const NONCE_LEN: usize = 12;

/// A key that could not be made or a sealed text that could not be opened. Says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("no master key is configured")]
    Missing,
    #[error("a key could not be derived")]
    Derivation,
    #[error("the sealed text does not open with any configured key")]
    Sealed,
}

/// What a MAC is for; each purpose has its own key, so that none can stand in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacPurpose {
    /// Verifiers of link tokens.
    Link,
    /// Verifiers of OTPs.
    Otp,
    /// Recognising the repeat of a redemption.
    Replay,
    /// Places in lists that callers bring back.
    Cursor,
    /// Recognising the repeat of a call that carries a key.
    Call,
}

struct KeySet {
    kid: String,
    link: hmac::Key,
    otp: hmac::Key,
    replay: hmac::Key,
    cursor: hmac::Key,
    call: hmac::Key,
    outbox: RandomizedNonceKey,
    grant: Zeroizing<[u8; 32]>,
    pepper: Zeroizing<[u8; 32]>,
}

/// All configured keys; the first signs.
pub struct Keyring {
    first: KeySet,
    others: Vec<KeySet>,
}

impl Keyring {
    /// Derives every purpose's key from each master key.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without a master key.
    pub fn new<'a>(masters: impl IntoIterator<Item = (&'a str, &'a [u8; 32])>) -> Result<Self, KeyError> {
        let mut sets = masters.into_iter().map(|(kid, master)| KeySet::derive(kid, master));
        let first = sets.next().ok_or(KeyError::Missing)??;
        Ok(Self { first, others: sets.collect::<Result<_, _>>()? })
    }

    /// The id of the key that signs.
    #[must_use]
    pub fn signing_kid(&self) -> &str {
        &self.first.kid
    }

    /// MAC of the parts under the signing key; parts are length-prefixed, so no two lists collide.
    #[must_use]
    pub fn mac(&self, purpose: MacPurpose, parts: &[&[u8]]) -> Vec<u8> {
        hmac::sign(self.first.mac_key(purpose), &framed(parts)).as_ref().to_vec()
    }

    /// Checks a MAC made under the key `kid`, in constant time.
    #[must_use]
    pub fn verify_mac(&self, kid: &str, purpose: MacPurpose, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.find(kid).is_some_and(|set| hmac::verify(set.mac_key(purpose), &framed(parts), mac).is_ok())
    }

    /// As [`Keyring::mac`], with the name of its key in front: `kid:MAC`, to be kept.
    #[must_use]
    pub fn named_mac(&self, purpose: MacPurpose, parts: &[&[u8]]) -> Vec<u8> {
        [self.first.kid.as_bytes(), b":", &self.mac(purpose, parts)].concat()
    }

    /// Checks a MAC made by [`Keyring::named_mac`], in constant time.
    #[must_use]
    pub fn verify_named_mac(&self, purpose: MacPurpose, parts: &[&[u8]], named: &[u8]) -> bool {
        let at = named.iter().position(|byte| *byte == b':');
        let Some((kid, [_, mac @ ..])) = at.and_then(|at| named.split_at_checked(at)) else { return false };
        std::str::from_utf8(kid).is_ok_and(|kid| self.verify_mac(kid, purpose, parts, mac))
    }

    /// Encrypts `plain`, bound to `bound_to` (it opens only with the same): `kid length, kid, nonce, ciphertext, tag`.
    ///
    /// # Errors
    /// [`KeyError::Derivation`] when the cipher fails.
    pub fn seal(&self, bound_to: &[&[u8]], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .first
            .outbox
            .seal_in_place_append_tag(Aad::from(framed(bound_to)), &mut sealed)
            .or(Err(KeyError::Derivation))?;
        let kid = self.first.kid.as_bytes();
        let mut out = Vec::with_capacity(1 + kid.len() + NONCE_LEN + sealed.len());
        out.push(u8::try_from(kid.len()).or(Err(KeyError::Derivation))?);
        out.extend_from_slice(kid);
        out.extend_from_slice(nonce.as_ref());
        out.append(&mut sealed);
        Ok(out)
    }

    /// Decrypts what [`Keyring::seal`] made.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] when it was altered, bound to something else, or its key is gone.
    pub fn open(&self, bound_to: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (&kid_len, rest) = sealed.split_first().ok_or(KeyError::Sealed)?;
        let (kid, rest) = rest.split_at_checked(usize::from(kid_len)).ok_or(KeyError::Sealed)?;
        let (nonce, cipher) = rest.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::Sealed)?;
        let set = std::str::from_utf8(kid).ok().and_then(|kid| self.find(kid)).ok_or(KeyError::Sealed)?;
        let mut buffer = Zeroizing::new(cipher.to_vec());
        let plain_len = set
            .outbox
            .open_in_place(nonce.into(), Aad::from(framed(bound_to)), &mut buffer)
            .or(Err(KeyError::Sealed))?
            .len();
        buffer.truncate(plain_len);
        Ok(buffer)
    }

    /// The key that signs or checks grants, by id.
    #[must_use]
    pub fn grant_key(&self, kid: &str) -> Option<&[u8; 32]> {
        self.find(kid).map(|set| &*set.grant)
    }

    /// The secret mixed into argon2id, by id.
    #[must_use]
    pub fn pepper(&self, kid: &str) -> Option<&[u8; 32]> {
        self.find(kid).map(|set| &*set.pepper)
    }

    fn find(&self, kid: &str) -> Option<&KeySet> {
        std::iter::once(&self.first).chain(&self.others).find(|set| set.kid == kid)
    }
}

impl KeySet {
    fn derive(kid: &str, master: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"invited/v1").extract(master);
        let mac_key = |label| derive(&secret, label).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &*key));
        Ok(Self {
            kid: kid.to_owned(),
            link: mac_key("link")?,
            otp: mac_key("otp")?,
            replay: mac_key("replay")?,
            cursor: mac_key("cursor")?,
            call: mac_key("call")?,
            outbox: RandomizedNonceKey::new(&AES_256_GCM, &*derive(&secret, "outbox")?)
                .or(Err(KeyError::Derivation))?,
            grant: derive(&secret, "grant")?,
            pepper: derive(&secret, "pepper")?,
        })
    }

    const fn mac_key(&self, purpose: MacPurpose) -> &hmac::Key {
        match purpose {
            MacPurpose::Link => &self.link,
            MacPurpose::Otp => &self.otp,
            MacPurpose::Replay => &self.replay,
            MacPurpose::Cursor => &self.cursor,
            MacPurpose::Call => &self.call,
        }
    }
}

fn derive(secret: &hkdf::Prk, label: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    let info = [label.as_bytes()];
    let output = secret.expand(&info, hkdf::HKDF_SHA256).or(Err(KeyError::Derivation))?;
    output.fill(&mut *key).or(Err(KeyError::Derivation))?;
    Ok(key)
}

/// SHA-256 of the parts, length-prefixed as for a MAC: a name for them that any process can make, whatever keys it has.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    digest::digest(&digest::SHA256, &framed(parts)).as_ref().to_vec()
}

/// Each part behind its length, so that ("ab","c") and ("a","bc") differ.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(kids: &[(&str, u8)]) -> Keyring {
        let masters: Vec<_> = kids.iter().map(|(kid, byte)| (*kid, [*byte; 32])).collect();
        Keyring::new(masters.iter().map(|(kid, key)| (*kid, key))).unwrap()
    }

    #[test]
    fn what_the_old_key_made_still_verifies_after_rotation() {
        let old = ring(&[("k1", 1)]);
        let rotated = ring(&[("k2", 2), ("k1", 1)]);
        let mac = old.mac(MacPurpose::Otp, &[b"a", b"b"]);
        let sealed = old.seal(&[b"row"], b"secret").unwrap();
        assert!(rotated.verify_mac("k1", MacPurpose::Otp, &[b"a", b"b"], &mac));
        let named = old.named_mac(MacPurpose::Call, &[b"a"]);
        assert!(rotated.verify_named_mac(MacPurpose::Call, &[b"a"], &named));
        assert!(!rotated.verify_named_mac(MacPurpose::Call, &[b"b"], &named));
        assert!(!rotated.verify_named_mac(MacPurpose::Call, &[b"a"], b"k1"));
        assert_eq!(&**rotated.open(&[b"row"], &sealed).unwrap(), b"secret");
        assert_eq!(rotated.signing_kid(), "k2");
        assert!(ring(&[("k2", 2)]).open(&[b"row"], &sealed).is_err());
    }

    #[test]
    fn a_mac_is_good_for_its_purpose_parts_and_key_only() {
        let keys = ring(&[("k1", 1)]);
        let mac = keys.mac(MacPurpose::Otp, &[b"ab", b"c"]);
        assert!(!keys.verify_mac("k1", MacPurpose::Link, &[b"ab", b"c"], &mac));
        assert!(!keys.verify_mac("k1", MacPurpose::Otp, &[b"a", b"bc"], &mac));
        assert!(!keys.verify_mac("k9", MacPurpose::Otp, &[b"ab", b"c"], &mac));
    }

    #[test]
    fn a_sealed_text_opens_only_where_it_belongs() {
        let keys = ring(&[("k1", 1)]);
        let sealed = keys.seal(&[b"row-1"], b"secret").unwrap();
        assert_eq!(keys.open(&[b"row-2"], &sealed).err(), Some(KeyError::Sealed));
        for cut in 0..sealed.len() {
            assert!(keys.open(&[b"row-1"], &sealed[..cut]).is_err());
        }
        assert!(sealed.windows(6).all(|window| window != b"secret"));
    }

    #[test]
    fn no_key_no_service() {
        assert_eq!(Keyring::new([]).err(), Some(KeyError::Missing));
    }
}
