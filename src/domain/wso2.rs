//! Which version of WSO2 Identity Server callers of the compatible routes take this service for.

/// A version, `7.1.0`; numbers left out at the end are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wso2Version([u16; 3]);

/// The last one whose invitations were links only.
const LAST_WITHOUT_OTP: Wso2Version = Wso2Version([7, 1, 0]);

impl Wso2Version {
    /// The one that is meant when none is named.
    pub const LATEST: Self = Self([7, 2, 0]);

    /// `None` unless it is one to three numbers with dots between them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for (number, part) in numbers.iter_mut().zip(parts.by_ref()) {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            *number = is_number.then(|| part.parse().ok())??;
        }
        parts.next().is_none().then_some(Self(numbers))
    }

    /// Whether it can invite with a code by e-mail or SMS.
    #[must_use]
    pub fn has_otp_invitations(self) -> bool {
        self > LAST_WITHOUT_OTP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_up_to_three_numbers() {
        let has_otp = |text| Wso2Version::parse(text).map(Wso2Version::has_otp_invitations);
        for (text, expected) in [("7.1.0", false), ("7.1", false), ("5.12.0", false), ("7.1.1", true), ("7.2", true)] {
            assert_eq!(has_otp(text), Some(expected), "{text}");
        }
        for text in ["", "7.", "7.1.0.1", "7.1.0-beta", "+7", "70000", "newer", " 7"] {
            assert_eq!(has_otp(text), None, "{text}");
        }
    }
}
