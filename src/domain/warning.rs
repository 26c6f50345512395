//! Where settings are allowed, but a standard says otherwise: said in words, with the odds of a guess.

use super::invitation::Method;
use super::otp::OtpShape;
use super::settings::{OtpSettings, Settings};

/// Codes of fewer bits are weaker than NIST SP 800-63B-4 and ASVS 5.0 6.5.4 ask for.
const OTP_MIN_BITS: f64 = 20.0;
/// More tries than this are worth a word.
const OTP_TRIES_ADVISED: u8 = 5;

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

/// What should be known about a tenant's settings: `code: /pointer: words`, where an invitation's warning has no pointer.
#[must_use]
pub fn settings_warnings(settings: &Settings) -> Vec<String> {
    let reset = &settings.password_reset;
    let onboarding = at("/expiryMinutes", warnings(settings.method, settings.expiry_minutes, settings.otp));
    let reset_expiry = at("/passwordReset/expiryMinutes", warnings(reset.method, reset.expiry_minutes, settings.otp));
    let mut found: Vec<_> = onboarding.into_iter().chain(reset_expiry).collect();
    if settings.method == Method::SmsOtp && reset.method == Method::SmsOtp {
        found.push("sms_only: /method: ASVS 5.0 6.6.1 asks for another way beside the telephone network".to_owned());
    }
    found.extend(code_warnings(settings));
    found.extend(link_warnings(settings));
    if !settings.activation_notification {
        let words = "ASVS 5.0 6.3.7 asks for people to be told when their password was set";
        found.push(format!("no_notification: /activationNotification: {words}"));
    }
    found
}

/// An invitation's warnings as those of a setting; the weakness of codes has its own place.
fn at(pointer: &str, warnings: Vec<String>) -> impl Iterator<Item = String> {
    let named = warnings.into_iter().filter_map(|text| {
        let (code, words) = text.split_once(": ")?;
        let pointer = if code == "otp_entropy" { "/otp" } else { pointer };
        Some(format!("{code}: {pointer}: {words}"))
    });
    named.collect::<Vec<_>>().into_iter()
}

/// More tries, or more codes that are right at once, than the odds were reckoned with.
fn code_warnings(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    let tries = f64::from(settings.otp.max_attempts);
    let invitations = OtpShape::from(settings.otp).odds() / tries;
    if settings.otp.max_attempts > OTP_TRIES_ADVISED {
        found.push(format!(
            "otp_attempts: /otp/maxAttempts: RFC 4226 §7.3 asks for as few tries as can be; {tries} guess a code once in \
             {invitations:.0} invitations"
        ));
    }
    if settings.resend.tolerance_minutes > 0 {
        found.push(format!(
            "resend_tolerance: /resend/toleranceMinutes: ASVS 5.0 6.6.2 ties a code to the request it was made for; while two \
             are good, {tries} tries guess one once in {:.0} invitations",
            invitations / 2.0
        ));
    }
    found
}

fn link_warnings(settings: &Settings) -> Vec<String> {
    let links = &settings.links;
    let mut found = Vec::new();
    if links.setup_url.split_once('#').is_none_or(|(before, _)| before.contains("{token}")) {
        let words = "ASVS 5.0 14.2.1 keeps secrets out of paths and queries, which servers log; put {token} after a #";
        found.push(format!("token_not_in_fragment: /links/setupUrl: {words}"));
    }
    let lists =
        [("/links/allowedRedirects", &links.allowed_redirects), ("/links/allowedOrigins", &links.allowed_origins)];
    let entries = lists
        .iter()
        .flat_map(|(place, list)| list.iter().enumerate().map(move |(i, url)| (format!("{place}/{i}"), url)));
    let pages = [("/links/setupUrl".to_owned(), &links.setup_url), ("/links/otpUrl".to_owned(), &links.otp_url)];
    for (pointer, text) in pages.into_iter().chain(entries) {
        let is_plain = text.starts_with("http:");
        match url::Url::parse(text.trim_end_matches('*')) {
            Ok(url) if is_this_machine(&url) => {
                found.push(format!("this_machine: {pointer}: leads everybody to their own machine"));
            }
            Ok(_) if is_plain => {
                found.push(format!("not_https: {pointer}: ASVS 5.0 12.2.1 asks for TLS"));
            }
            Ok(_) | Err(_) => {}
        }
    }
    found
}

fn is_this_machine(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn settings_are_warned_about_with_the_place_and_the_odds() {
        let mut settings = Settings::default();
        settings.links.setup_url = "https://app.example.com/#{token}".to_owned();
        settings.links.otp_url = "https://app.example.com/".to_owned();
        assert_eq!(settings_warnings(&settings), Vec::<String>::new());
        settings.method = Method::SmsOtp;
        settings.password_reset.method = Method::SmsOtp;
        settings.password_reset.expiry_minutes = -1;
        settings.otp = OtpSettings { uppercase: false, lowercase: false, length: 4, max_attempts: 10, ..settings.otp };
        settings.resend.tolerance_minutes = 5;
        settings.activation_notification = false;
        settings.links.setup_url = "http://app.example.com/{token}".to_owned();
        settings.links.allowed_origins = vec!["http://127.0.0.1:8084".to_owned()];
        let found = settings_warnings(&settings);
        for expected in [
            "otp_lifetime: /expiryMinutes: NIST SP 800-63B-4 §4.2.1.2",
            "never_expires: /passwordReset/expiryMinutes: ASVS",
            "otp_entropy: /otp: 13 bits; 10 tries guess it once in 1000 invitations",
            "sms_only: /method: ",
            "otp_attempts: /otp/maxAttempts: RFC 4226 §7.3 asks for as few tries as can be; 10 guess a code once in 1000",
            "resend_tolerance: /resend/toleranceMinutes: ASVS 5.0 6.6.2",
            "10 tries guess one once in 500 invitations",
            "token_not_in_fragment: /links/setupUrl: ",
            "not_https: /links/setupUrl: ",
            "this_machine: /links/allowedOrigins/0: ",
            "no_notification: /activationNotification: ",
        ] {
            assert!(found.iter().any(|text| text.contains(expected)), "{expected} in {found:#?}");
        }
        assert_eq!(found.len(), 12, "{found:#?}");
    }
}
