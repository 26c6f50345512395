//! Who is called without the proxy.

use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use crate::domain::ip_range::IpRange;

/// A host, or many of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direct {
    /// The host of this name.
    Name(String),
    /// The domain of this name, and all that is below it.
    Domain(String),
    /// Addresses that stand in a URL in place of a name. What names resolve to is not asked.
    Addresses(IpRange),
}

/// A text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have host names, domains such as .example.com, and addresses or networks such as 10.0.0.0/8")]
pub struct NotAHost;

/// Whether the URL's host is one of them.
pub(super) fn any(direct: &[Direct], url: &Url) -> bool {
    url.host().is_some_and(|host| direct.iter().any(|direct| direct.has(&host)))
}

impl Direct {
    fn has(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Name(name), Host::Domain(host)) => without_end(host) == name,
            (Self::Domain(name), Host::Domain(host)) => {
                without_end(host).strip_suffix(name.as_str()).is_some_and(|left| left.is_empty() || left.ends_with('.'))
            }
            (Self::Addresses(range), Host::Ipv4(address)) => range.contains(IpAddr::V4(*address)),
            (Self::Addresses(range), Host::Ipv6(address)) => range.contains(IpAddr::V6(*address)),
            _ => false,
        }
    }
}

/// The name without the dot that says that it is complete.
fn without_end(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl FromStr for Direct {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        if let Ok(range) = text.parse() {
            return Ok(Self::Addresses(range));
        }
        let domain = text.strip_prefix('.');
        let name = host_name(domain.unwrap_or(text)).ok_or(NotAHost)?;
        Ok(if domain.is_some() { Self::Domain(name) } else { Self::Name(name) })
    }
}

/// The name as it stands in URLs: in lower case, without letters that DNS does not have.
fn host_name(text: &str) -> Option<String> {
    let Host::Domain(name) = Host::parse(text).ok()? else { return None };
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.split('.').all(is_label).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(direct: &str, url: &str) -> bool {
        any(&[direct.parse().unwrap()], &Url::parse(url).unwrap())
    }

    #[test]
    fn a_name_is_that_host_and_a_domain_is_all_below_it() {
        assert!(has("Mail.Example.com", "https://mail.example.com/send"));
        assert!(has("mail.example.com", "https://mail.example.com.:8443/send"));
        assert!(!has("mail.example.com", "https://a.mail.example.com/"));
        assert!(!has("mail.example.com", "https://mail.example.com.evil.example/"));
        assert!(has(".example.com", "https://a.b.example.com/") && has(".example.com", "https://example.com/"));
        assert!(!has(".example.com", "https://notexample.com/") && !has(".example.com", "https://example.org/"));
        assert!(has(".bücher.example", "https://www.xn--bcher-kva.example/"));
    }

    #[test]
    fn networks_have_the_addresses_that_stand_in_urls() {
        assert!(has("10.0.0.0/8", "https://10.1.2.3/") && has("10.1.2.3", "http://10.1.2.3:8080/"));
        assert!(has("fd00::/8", "https://[fd12::1]/"));
        assert!(!has("10.0.0.0/8", "https://11.1.2.3/") && !has("0.0.0.0/0", "https://example.com/"));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in
            ["", ".", "*", "*.example.com", "example.com:443", "http://example.com", "a..b", "10.0.0.0/33", "[::1]"]
        {
            assert_eq!(bad.parse::<Direct>(), Err(NotAHost), "{bad}");
        }
    }
}
