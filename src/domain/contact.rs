//! Where a person can be reached: an e-mail address or a phone number that is safe to hand to a gateway.
//!
//! Deliberately stricter than the RFCs: no quoted local parts, comments, routes or lists, so that no gateway's
//! parser can read another recipient out of it (nodemailer CVE-2025-13033, GitLab CVE-2023-7028).

use super::text::{TextError, one_line};

/// An e-mail address: `local@domain`, at most 254 bytes, local part as given, domain in lower case.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// # Errors
    /// [`TextError`] when it is not one plain address.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        one_line(text, 254)?;
        let (local, domain) = text.rsplit_once('@').ok_or(TextError::Email)?;
        if text.len() > 254 || !is_local_part(local) || !is_domain(domain) {
            return Err(TextError::Email);
        }
        Ok(Self(format!("{local}@{}", domain.to_lowercase())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// First character and domain: `a•••@example.com`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        format!("{}•••@{domain}", local.chars().next().unwrap_or('•'))
    }
}

fn is_local_part(local: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "!#$&'*+-/=?^_`{|}~.".contains(c);
    !local.is_empty()
        && local.len() <= 64
        && local.chars().all(allowed)
        && !local.starts_with(['.', '='])
        && !local.ends_with('.')
        && !local.contains("..")
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label)
}

/// A phone number in E.164: `+`, no leading zero, 7 to 15 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// # Errors
    /// [`TextError::Phone`] when it is not of that form.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let digits = text.strip_prefix('+').ok_or(TextError::Phone)?;
        let well_formed =
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(TextError::Phone) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the number belongs to one of these countries (ISO 3166-1 alpha-2); one whose country is not known does not.
    #[must_use]
    pub fn is_of(&self, countries: &[String]) -> bool {
        let number = phonenumber::parse(None, &self.0).ok();
        let country = number.and_then(|number| number.country().id());
        country.is_some_and(|country| countries.iter().any(|listed| listed == country.as_ref()))
    }

    /// Country start and the last two digits: `+94•••67`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (head, tail) = (self.0.get(..3).unwrap_or(""), self.0.get(self.0.len().saturating_sub(2)..).unwrap_or(""));
        format!("{head}•••{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_accepted_and_masked() {
        for good in ["alex@example.com", "a.b+tag@Sub.Example.org", "zoë@exämple.com", "o'neil@example.com"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        assert_eq!(Email::parse("alex@Example.COM").unwrap().masked(), "a•••@example.com");
    }

    #[test]
    fn anything_a_mailer_could_read_differently_is_refused() {
        let bad = [
            "",
            "alex",
            "@example.com",
            "alex@",
            "alex@localhost",
            "a@b@c.com",
            "a b@example.com",
            "\"a\"@example.com",
            "a@example.com,b@example.com",
            "a@example.com;b@example.com",
            "a@example.com\nbcc: b@example.com",
            "a%b@example.com",
            "a(c)@example.com",
            "<a@example.com>",
            "=?utf-8?q?a?=@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@-example.com",
            "a@example..com",
            "a@[127.0.0.1]",
            "a!b\u{2028}@example.com",
            "alex@example.com ",
        ];
        for text in bad {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
    }

    #[test]
    fn a_number_belongs_to_a_country_also_where_countries_share_a_calling_code() {
        let cases = [
            ("+12025550123", "US"),
            ("+14165550123", "CA"),
            ("+18765550123", "JM"),
            ("+94771234567", "LK"),
            ("+4917212345678", "DE"),
            ("+447400123456", "GB"),
            ("+447781123456", "GG"),
            ("+77011234567", "KZ"),
            ("+79161234567", "RU"),
            ("+41791234567", "CH"),
            ("+393123456789", "IT"),
        ];
        for (number, country) in cases {
            let all_but = cases.map(|(_, other)| other.to_owned()).into_iter().filter(|other| other != country);
            let phone = Phone::parse(number).unwrap();
            assert!(phone.is_of(&["FR".to_owned(), country.to_owned()]), "{number}");
            assert!(!phone.is_of(&all_but.collect::<Vec<_>>()), "{number}");
        }
        assert!(!Phone::parse("+9990000000").unwrap().is_of(&["US".to_owned()]));
    }

    #[test]
    fn phone_numbers_are_e164() {
        assert_eq!(Phone::parse("+94771234567").unwrap().masked(), "+94•••67");
        for bad in
            ["0771234567", "+0771234567", "+94 77 123", "+123456", "+1234567890123456", "+9477123456７", "94771234567"]
        {
            assert!(Phone::parse(bad).is_err(), "{bad}");
        }
    }
}
