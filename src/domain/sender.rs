//! Who an e-mail is from: an address, with a name where one is given.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::contact::Email;
use super::text::{TextError, one_line};

/// Longest sender, as it is typed in.
const SENDER_MAX: usize = 320;

/// `no-reply@example.com`, or `Example <no-reply@example.com>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    pub name: Option<String>,
    pub address: Email,
}

impl Sender {
    /// # Errors
    /// [`TextError`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        one_line(text, SENDER_MAX)?;
        let Some(rest) = text.trim().strip_suffix('>') else {
            return Ok(Self { name: None, address: Email::parse(text.trim())? });
        };
        let (name, address) = rest.rsplit_once('<').ok_or(TextError::Email)?;
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name).trim();
        Ok(Self { name: Some(name.to_owned()).filter(|name| !name.is_empty()), address: Email::parse(address)? })
    }
}

impl Sender {
    /// As a header has it that may only have ASCII: another name is written in encoded words (RFC 2047 §2), each of at most 75 characters.
    #[must_use]
    pub fn in_ascii(&self) -> String {
        let Some(name) = self.name.as_deref().filter(|name| !name.is_ascii()) else {
            return self.to_string();
        };
        let mut parts = vec![String::new()];
        for c in name.chars() {
            match parts.last_mut() {
                Some(part) if part.len() + c.len_utf8() <= 45 => part.push(c),
                _ => parts.push(c.to_string()),
            }
        }
        let words: Vec<_> = parts.iter().map(|part| format!("=?UTF-8?B?{}?=", STANDARD.encode(part))).collect();
        format!("{} <{}>", words.join(" "), self.address.as_str())
    }
}

/// As a header has it (RFC 5322 §3.4), the name always in quotes.
impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => {
                let quoted = name.replace('\\', r"\\").replace('"', r#"\""#);
                write!(f, "\"{quoted}\" <{}>", self.address.as_str())
            }
            None => f.write_str(self.address.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let shown = |text: &str| Sender::parse(text).map(|sender| sender.to_string());
        assert_eq!(shown("no-reply@Example.com").unwrap(), "no-reply@example.com");
        assert_eq!(shown("Example <no-reply@example.com>").unwrap(), "\"Example\" <no-reply@example.com>");
        assert_eq!(shown("\"Example, Inc.\" <a@example.com>").unwrap(), "\"Example, Inc.\" <a@example.com>");
        assert_eq!(shown("<a@example.com>").unwrap(), "a@example.com");
        assert_eq!(shown(r#"The "A" <a@example.com>"#).unwrap(), r#""The \"A\"" <a@example.com>"#);
        let in_ascii = |text: &str| Sender::parse(text).map(|sender| sender.in_ascii());
        assert_eq!(in_ascii("Example <a@example.com>").unwrap(), "\"Example\" <a@example.com>");
        assert_eq!(in_ascii("Zürich <a@example.com>").unwrap(), "=?UTF-8?B?WsO8cmljaA==?= <a@example.com>");
        let long = in_ascii(&format!("{} <a@example.com>", "ü".repeat(50))).unwrap();
        assert!(long.split(' ').count() == 4 && long.split(' ').all(|word| word.len() <= 75), "{long}");
        for bad in ["", "Example", "Example <a@example.com", "a@example.com\nBcc: b@example.com", "A <a>"] {
            assert!(Sender::parse(bad).is_err(), "{bad:?}");
        }
    }
}
