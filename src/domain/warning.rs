//! Where settings are allowed, but a standard says otherwise: said in words, with the odds of a guess.

use super::invitation::Method;
use super::otp::OtpShape;
use super::settings::OtpSettings;

/// Codes of fewer bits are weaker than NIST SP 800-63B-4 and ASVS 5.0 6.5.4 ask for.
const OTP_MIN_BITS: f64 = 20.0;

/// What should be known about an invitation of this method and expiry (minutes; -1 never, 0 at once).
#[must_use]
pub fn warnings(method: Method, expiry_minutes: i64, otp: OtpSettings) -> Vec<String> {
    let mut found = Vec::new();
    if expiry_minutes == 0 {
        found.push(
            "expires_immediately: the invitation was over the moment it was issued; nothing is delivered".to_owned(),
        );
    }
    if expiry_minutes < 0 {
        found.push(
            "never_expires: ASVS 5.0 6.4.1 asks for activation secrets that expire after a short period".to_owned(),
        );
    }
    if !method.is_otp() {
        return found;
    }
    let (ceiling, words) =
        if method == Method::SmsOtp { (10, "10 minutes by SMS") } else { (1440, "24 hours by e-mail") };
    if expiry_minutes > ceiling || expiry_minutes < 0 {
        found.push(format!("otp_lifetime: NIST SP 800-63B-4 §4.2.1.2 allows a code to live at most {words}"));
    }
    let shape = OtpShape::from(otp);
    if shape.bits() < OTP_MIN_BITS {
        let tries = f64::from(otp.max_attempts);
        found.push(format!(
            "otp_entropy: {:.0} bits; {} tries guess it once in {:.0} invitations (NIST SP 800-63B-4 asks for 20 bits)",
            shape.bits(),
            otp.max_attempts,
            shape.odds() / tries
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;

    #[test]
    fn a_link_of_a_day_needs_no_warning() {
        assert!(warnings(Method::EmailLink, 1440, Settings::default().otp).is_empty());
    }

    #[test]
    fn a_weak_code_is_told_with_its_odds() {
        let otp = OtpSettings { uppercase: false, lowercase: false, length: 4, ..Settings::default().otp };
        let found = warnings(Method::SmsOtp, 60, otp);
        assert!(found.iter().any(|text| text.starts_with("otp_lifetime")));
        assert!(
            found.iter().any(|text| text.starts_with("otp_entropy: 13 bits; 5 tries guess it once in 2000")),
            "{found:?}"
        );
    }

    #[test]
    fn minus_one_and_zero_are_said() {
        assert!(warnings(Method::EmailLink, -1, Settings::default().otp)[0].starts_with("never_expires"));
        assert!(warnings(Method::EmailLink, 0, Settings::default().otp)[0].starts_with("expires_immediately"));
    }
}
