//! One-time codes: what they look like and how they are drawn.
//!
//! Alphabets are the original's: no glyphs that are mistaken for one another; `0` only when digits stand alone.

use rand::{CryptoRng, RngExt as _};

use super::secret::Secret;
use super::settings::OtpSettings;

const UPPER: &str = "ABCDEFGHJKLMNPRSTUVWXYZ";
const LOWER: &str = "abcdefghjkmnpqrstuvwxyz";
const DIGITS_MIXED: &str = "123456789";
const DIGITS_ALONE: &str = "0123456789";

/// Longest code that any settings can make; longer input is wrong before any work is done.
pub const OTP_MAX_LEN: usize = 10;

/// A one-time code. Cannot be printed by accident.
pub struct Otp(Secret);

impl Otp {
    /// The code as a person typed it, outer blanks removed.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(Secret::new(text.trim().to_owned()))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether it can be a code at all: 1 to [`OTP_MAX_LEN`] letters and digits.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let text = self.expose();
        !text.is_empty() && text.len() <= OTP_MAX_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric())
    }
}

/// Length and character classes of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtpShape {
    uppercase: bool,
    lowercase: bool,
    digits: bool,
    length: u8,
}

impl From<OtpSettings> for OtpShape {
    fn from(settings: OtpSettings) -> Self {
        Self {
            uppercase: settings.uppercase,
            lowercase: settings.lowercase,
            digits: settings.digits,
            length: settings.length,
        }
    }
}

impl OtpShape {
    fn classes(self) -> Vec<&'static str> {
        let digits = if self.uppercase || self.lowercase { DIGITS_MIXED } else { DIGITS_ALONE };
        [(self.uppercase, UPPER), (self.lowercase, LOWER), (self.digits, digits)]
            .into_iter()
            .filter_map(|(on, class)| on.then_some(class))
            .collect()
    }

    /// Draws a code, each equally likely among those in which every enabled class appears.
    ///
    /// Whole codes are drawn again until one fits, so no position is biased.
    pub fn generate(self, rng: &mut impl CryptoRng) -> Otp {
        let classes = self.classes();
        let alphabet: Vec<char> = classes.iter().flat_map(|class| class.chars()).collect();
        loop {
            let code: String =
                (0..self.length).filter_map(|_| alphabet.get(rng.random_range(0..alphabet.len().max(1)))).collect();
            let complete = usize::from(self.length) < classes.len()
                || classes.iter().all(|class| code.contains(|c| class.contains(c)));
            if complete {
                return Otp(Secret::new(code));
            }
        }
    }

    /// Entropy in bits on the effective alphabet (an upper bound: complete codes are slightly fewer).
    #[must_use]
    pub fn bits(self) -> f64 {
        let alphabet: u32 = self.classes().iter().map(|class| u32::try_from(class.len()).unwrap_or(0)).sum();
        f64::from(self.length) * f64::from(alphabet.max(1)).log2()
    }

    /// One in how many guesses is right, for a warning people can understand.
    #[must_use]
    pub fn odds(self) -> f64 {
        self.bits().exp2()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn shape(uppercase: bool, lowercase: bool, digits: bool, length: u8) -> OtpShape {
        OtpShape { uppercase, lowercase, digits, length }
    }

    #[test]
    fn every_enabled_class_appears_and_no_other() {
        let mut rng = StdRng::seed_from_u64(7);
        for mask in 1..8u8 {
            let shape = shape(mask & 1 != 0, mask & 2 != 0, mask & 4 != 0, 4);
            for _ in 0..500 {
                let code = shape.generate(&mut rng);
                assert_eq!(code.expose().len(), 4);
                assert_eq!(code.expose().contains(|c: char| c.is_ascii_uppercase()), mask & 1 != 0);
                assert_eq!(code.expose().contains(|c: char| c.is_ascii_lowercase()), mask & 2 != 0);
                assert_eq!(code.expose().contains(|c: char| c.is_ascii_digit()), mask & 4 != 0);
            }
        }
    }

    #[test]
    fn zero_is_used_only_when_digits_stand_alone() {
        let mut rng = StdRng::seed_from_u64(7);
        let draw = |shape: OtpShape, rng: &mut StdRng| (0..2000).any(|_| shape.generate(rng).expose().contains('0'));
        assert!(draw(shape(false, false, true, 6), &mut rng));
        assert!(!draw(shape(true, false, true, 6), &mut rng));
    }

    #[test]
    fn no_digit_is_likelier_than_another() {
        let mut rng = StdRng::seed_from_u64(42);
        let (draws, mut counts) = (20_000u32, [[0f64; 10]; 6]);
        for _ in 0..draws {
            for (at, digit) in shape(false, false, true, 6).generate(&mut rng).expose().bytes().enumerate() {
                counts[at][usize::from(digit - b'0')] += 1.0;
            }
        }
        let expected = f64::from(draws) / 10.0;
        for position in counts {
            let chi2: f64 = position.iter().map(|n| (n - expected).powi(2) / expected).sum();
            assert!(chi2 < 27.9, "chi-square {chi2} over 9 degrees of freedom (p < 0.001)");
        }
    }

    #[test]
    fn entropy_counts_the_effective_alphabet() {
        assert!((shape(false, false, true, 6).bits() - 19.93).abs() < 0.01);
        assert!((shape(true, true, true, 6).bits() - 34.69).abs() < 0.05);
    }

    #[test]
    fn implausible_input_is_told_from_a_code() {
        for bad in ["", "   ", "12345678901", "12 456", "１２３４５６", "null\0"] {
            assert!(!Otp::typed(bad).is_plausible(), "{bad:?}");
        }
        assert_eq!(Otp::typed(" 123456\n").expose(), "123456");
    }
}
