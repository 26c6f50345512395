//! What settings may be: every range, form and combination, each broken rule with its place.

use std::collections::HashSet;

use super::{
    EmailSettings, LinkSettings, OtpSettings, PasswordPolicy, Profile, ReminderSettings, ResendSettings, Settings,
    SettingsProblem, SmsSettings, is_expiry,
};
use crate::domain::contact::{Email, Phone};
use crate::domain::invitation::Purpose;
use crate::domain::sender::Sender;
use crate::domain::text::is_unsafe_char;

/// Longest wait between two messages, in seconds (a day).
const COOLDOWN_SECONDS_MAX: u32 = 86_400;
/// Most resends of one invitation.
const RESENDS_MAX: u32 = 1000;
/// Longest tolerance after a resend, in minutes (a day).
const TOLERANCE_MINUTES_MAX: u32 = 1440;
/// Most reminders of one invitation.
const REMINDERS_MAX: usize = 5;
/// Earliest reminder, in minutes before the expiry.
const REMINDER_MINUTES_MAX: u32 = 10_080;
/// Most entries of a list of URLs or origins.
const LIST_MAX: usize = 100;
/// Longest host with its port, in bytes.
const HOST_MAX: usize = 255;
/// Longest URL, in bytes.
const URL_MAX: usize = 2048;

/// ISO 3166-1 alpha-2.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH \
    ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT \
    HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS \
    LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI \
    NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG \
    SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG \
    UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

impl Settings {
    /// Every rule that these settings break.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        check_expiry(&mut found, "/expiryMinutes", self.expiry_minutes);
        check_expiry(&mut found, "/passwordReset/expiryMinutes", self.password_reset.expiry_minutes);
        check_otp(&mut found, self.otp);
        check_resend(&mut found, self.resend);
        check_reminders(&mut found, &self.reminders);
        check_links(&mut found, &self.links);
        check_email(&mut found, &self.email);
        check_sms(&mut found, &self.sms);
        check_password_policy(&mut found, self.password_policy);
        if !is_language_tag(&self.locale) {
            found.push(problem("/locale", "invalid_locale", "must be a language tag such as `en` or `de-CH`"));
        }
        if self.policy.profile == Profile::Strict {
            self.check_strict(&mut found);
        }
        found
    }

    fn check_strict(&self, found: &mut Vec<SettingsProblem>) {
        for (pointer, purpose) in
            [("/expiryMinutes", Purpose::Onboarding), ("/passwordReset/expiryMinutes", Purpose::PasswordReset)]
        {
            if let Some(code) = self.exceeds_strict(self.method_for(purpose), self.expiry_for(purpose)) {
                let pointer = if code == "otp_too_weak" { "/otp" } else { pointer };
                found.push(problem(pointer, code, "is outside what the strict profile allows for this method"));
            }
        }
    }
}

fn check_expiry(found: &mut Vec<SettingsProblem>, pointer: &str, minutes: i64) {
    if !is_expiry(minutes) {
        found.push(problem(pointer, "out_of_range", "must be -1 (never), 0 (at once) or 1 to 10080 minutes"));
    }
}

fn check_otp(found: &mut Vec<SettingsProblem>, otp: OtpSettings) {
    if !(otp.uppercase || otp.lowercase || otp.digits) {
        found.push(problem("/otp", "no_character_class", "at least one of uppercase, lowercase and digits must be on"));
    }
    if !(4..=10).contains(&otp.length) {
        found.push(problem("/otp/length", "out_of_range", "must be 4 to 10"));
    }
    if !(1..=10).contains(&otp.max_attempts) {
        found.push(problem("/otp/maxAttempts", "out_of_range", "must be 1 to 10"));
    }
}

fn check_resend(found: &mut Vec<SettingsProblem>, resend: ResendSettings) {
    if resend.cooldown_seconds > COOLDOWN_SECONDS_MAX {
        found.push(problem("/resend/cooldownSeconds", "out_of_range", "must be 0 to 86400"));
    }
    if resend.max_per_invitation > RESENDS_MAX {
        found.push(problem("/resend/maxPerInvitation", "out_of_range", "must be 0 to 1000"));
    }
    if resend.tolerance_minutes > TOLERANCE_MINUTES_MAX {
        found.push(problem("/resend/toleranceMinutes", "out_of_range", "must be 0 to 1440"));
    }
}

fn check_reminders(found: &mut Vec<SettingsProblem>, reminders: &ReminderSettings) {
    let list = &reminders.minutes_before_expiry;
    if list.len() > REMINDERS_MAX {
        found.push(problem("/reminders/minutesBeforeExpiry", "too_many", "must have 5 entries at most"));
    }
    let mut seen = HashSet::new();
    for (index, minutes) in list.iter().enumerate() {
        let pointer = format!("/reminders/minutesBeforeExpiry/{index}");
        if !(1..=REMINDER_MINUTES_MAX).contains(minutes) {
            found.push(problem(&pointer, "out_of_range", "must be 1 to 10080"));
        }
        if !seen.insert(minutes) {
            found.push(problem(&pointer, "duplicate", "is there twice"));
        }
    }
}

fn check_email(found: &mut Vec<SettingsProblem>, email: &EmailSettings) {
    if email.from.as_deref().is_some_and(|from| Sender::parse(from).is_err()) {
        let detail = "must be an address such as no-reply@example.com, or Example <no-reply@example.com>";
        found.push(problem("/email/from", "invalid_sender", detail));
    }
    if email.reply_to.as_deref().is_some_and(|address| Email::parse(address).is_err()) {
        found.push(problem("/email/replyTo", "invalid_email", "must be an address such as help@example.com"));
    }
}

fn check_sms(found: &mut Vec<SettingsProblem>, sms: &SmsSettings) {
    let mut seen = HashSet::new();
    for (index, country) in sms.allowed_countries.iter().enumerate() {
        let pointer = format!("/sms/allowedCountries/{index}");
        if !COUNTRIES.split(' ').any(|known| known == country) {
            found.push(problem(&pointer, "unknown_country", "must be an ISO 3166-1 alpha-2 code such as `DE`"));
        } else if !seen.insert(country) {
            found.push(problem(&pointer, "duplicate", "is there twice"));
        }
    }
    if sms.autofill_origin.as_deref().is_some_and(|host| !is_host(host)) {
        found.push(problem("/sms/autofillOrigin", "invalid_origin", "must be host[:port] in lower case"));
    }
    if sms.from.as_deref().is_some_and(|from| !is_sms_sender(from)) {
        let detail = "must be a number (+ and digits), a short code, or a name of up to 11 letters, digits and spaces";
        found.push(problem("/sms/from", "invalid_sender", detail));
    }
}

/// Whether text messages can come from it: a number, a short code, or a name of up to 11 letters, digits and spaces (3GPP TS 23.040 §9.1.2.5).
fn is_sms_sender(text: &str) -> bool {
    let is_short_code = (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let is_name = (1..=11).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
        && text.bytes().any(|b| b.is_ascii_alphabetic());
    is_short_code || is_name || Phone::parse(text).is_ok()
}

/// Whether the text is a host and perhaps a port, written as a browser would write it.
fn is_host(text: &str) -> bool {
    text.len() <= HOST_MAX && is_origin(&format!("https://{text}"))
}

/// Whether the text is an origin as a browser would send it.
fn is_origin(text: &str) -> bool {
    is_page_url(text) && url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == *text)
}

fn check_links(found: &mut Vec<SettingsProblem>, links: &LinkSettings) {
    if !links.setup_url.contains("{token}") {
        found.push(problem("/links/setupUrl", "placeholder_missing", "must contain {token}"));
    }
    for (pointer, text) in [("/links/setupUrl", &links.setup_url), ("/links/otpUrl", &links.otp_url)] {
        if !is_page_url(text) {
            found.push(problem(pointer, "invalid_url", "must be an absolute http or https URL without credentials"));
        }
    }
    for (pointer, list) in
        [("/links/allowedOrigins", &links.allowed_origins), ("/links/allowedRedirects", &links.allowed_redirects)]
    {
        if list.len() > LIST_MAX {
            found.push(problem(pointer, "too_many", "must have 100 entries at most"));
        }
    }
    for (index, origin) in links.allowed_origins.iter().enumerate() {
        if !is_origin(origin) {
            let pointer = format!("/links/allowedOrigins/{index}");
            found.push(problem(&pointer, "invalid_origin", "must be scheme://host[:port] and nothing else"));
        }
    }
    for (index, redirect) in links.allowed_redirects.iter().enumerate() {
        let (base, wildcard) = redirect.strip_suffix('*').map_or((redirect.as_str(), false), |base| (base, true));
        if !is_page_url(base) || (wildcard && !base.ends_with('/')) || base.contains('*') {
            let pointer = format!("/links/allowedRedirects/{index}");
            found.push(problem(
                &pointer,
                "invalid_url",
                "must be an absolute URL; `*` may stand only after the last `/`",
            ));
        }
    }
}

/// Whether the text has the form of a language tag (RFC 5646): a language, and subtags of letters and digits.
fn is_language_tag(text: &str) -> bool {
    let is_language = |tag: &str| (2..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphabetic());
    let is_subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut tags = text.split('-');
    text.len() <= 35 && tags.next().is_some_and(is_language) && tags.all(is_subtag)
}

fn is_page_url(text: &str) -> bool {
    text.len() <= URL_MAX
        && !text.chars().any(is_unsafe_char)
        && url::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        })
}

fn check_password_policy(found: &mut Vec<SettingsProblem>, policy: PasswordPolicy) {
    if policy.min_length < 8 || policy.min_length > 64 {
        found.push(problem("/passwordPolicy/minLength", "out_of_range", "must be 8 to 64"));
    }
    if policy.max_length < 64 || policy.max_length > 1024 {
        found.push(problem("/passwordPolicy/maxLength", "out_of_range", "must be 64 to 1024"));
    }
}

fn problem(pointer: &str, code: &'static str, detail: &str) -> SettingsProblem {
    SettingsProblem { pointer: pointer.to_owned(), code, detail: detail.to_owned() }
}
