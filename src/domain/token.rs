//! Link tokens: `inv1_` + base62(invitation id ‖ 256-bit secret) + 6 base62 characters of CRC-32.
//!
//! The prefix and checksum let secret scanners recognise one and let a truncated copy be refused before the database is
//! asked. What proves the token is only the MAC of its secret.

use rand::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ids::InvitationId;

const PREFIX: &str = "inv1_";
const BODY_LEN: usize = 65;
const CHECKSUM_LEN: usize = 6;
const RAW_LEN: usize = 48;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A link token. Cannot be printed by accident; wiped when dropped.
pub struct LinkToken {
    invitation: InvitationId,
    secret: Zeroizing<[u8; 32]>,
}

impl LinkToken {
    /// A new token for the invitation.
    pub fn generate(invitation: InvitationId, rng: &mut impl CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *secret);
        Self { invitation, secret }
    }

    /// Reads a token; `None` for anything that [`LinkToken::expose`] would not have written exactly so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body_and_checksum = text.strip_prefix(PREFIX)?;
        if body_and_checksum.len() != BODY_LEN + CHECKSUM_LEN {
            return None;
        }
        let (body, checksum) = body_and_checksum.split_at_checked(BODY_LEN)?;
        if !bool::from(checksum_of(body).as_bytes().ct_eq(checksum.as_bytes())) {
            return None;
        }
        let raw: Zeroizing<[u8; RAW_LEN]> = Zeroizing::new(decode(body)?);
        let (id, secret) = raw.split_first_chunk::<16>()?;
        Some(Self { invitation: InvitationId::from_bytes(*id), secret: Zeroizing::new(secret.try_into().ok()?) })
    }

    #[must_use]
    pub const fn invitation(&self) -> InvitationId {
        self.invitation
    }

    /// The 256 random bits that the verifier is made of.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &*self.secret
    }

    /// The token as it stands in the link.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut raw = Zeroizing::new([0; RAW_LEN]);
        let (id, secret) = raw.split_at_mut(16);
        id.copy_from_slice(self.invitation.as_bytes());
        secret.copy_from_slice(&*self.secret);
        let body = encode::<RAW_LEN, BODY_LEN>(&raw);
        Zeroizing::new(format!("{PREFIX}{}{}", *body, checksum_of(&body)))
    }
}

fn checksum_of(body: &str) -> String {
    let crc = crc32fast::hash(body.as_bytes());
    (*encode::<4, CHECKSUM_LEN>(&crc.to_be_bytes())).clone()
}

/// Big-endian bytes as `M` base62 digits.
fn encode<const N: usize, const M: usize>(bytes: &[u8; N]) -> Zeroizing<String> {
    let mut number = Zeroizing::new(*bytes);
    let mut digits = Zeroizing::new([0u8; M]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in number.iter_mut() {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(0);
            remainder = value % 62;
        }
        *digit = usize::try_from(remainder).ok().and_then(|index| ALPHABET.get(index)).copied().unwrap_or(b'0');
    }
    Zeroizing::new(digits.iter().copied().map(char::from).collect())
}

/// The inverse of [`encode`]; `None` when a digit is foreign or the number does not fit.
fn decode<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut number = [0u8; N];
    for digit in digits.bytes() {
        let mut carry = u32::try_from(ALPHABET.iter().position(|known| *known == digit)?).ok()?;
        for byte in number.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            *byte = u8::try_from(value % 256).ok()?;
            carry = value / 256;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn token(id: [u8; 16], seed: u64) -> LinkToken {
        LinkToken::generate(InvitationId::from_bytes(id), &mut StdRng::seed_from_u64(seed))
    }

    proptest! {
        #[test]
        fn a_token_is_read_back(id: [u8; 16], seed: u64) {
            let token = token(id, seed);
            let text = token.expose();
            prop_assert_eq!(text.len(), 76);
            let read = LinkToken::parse(&text).unwrap();
            prop_assert_eq!(read.invitation(), token.invitation());
            prop_assert_eq!(read.secret(), token.secret());
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,90}") {
            prop_assert!(LinkToken::parse(&text).is_none());
        }
    }

    #[test]
    fn every_prefix_extension_and_single_change_is_refused() {
        let text = token([9; 16], 1).expose();
        for cut in 0..text.len() {
            assert!(LinkToken::parse(&text[..cut]).is_none());
        }
        for extra in ["0", " ", "\n", "A"] {
            assert!(LinkToken::parse(&format!("{}{extra}", *text)).is_none());
        }
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            assert!(LinkToken::parse(std::str::from_utf8(&changed).unwrap()).is_none(), "position {at}");
        }
    }
}
