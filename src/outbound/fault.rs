//! What a call that gave no answer tells: whether it can have reached the other side, and whether the proxy is to blame.

use std::error::Error;

/// How a proxy failed us. In words for the operator, who is asked to look at the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    #[error("the proxy can't be reached: look at outbound.proxy, the network and the proxy's certificate")]
    Unreachable,
    #[error("the proxy refuses us: look at outbound.proxy_username and outbound.proxy_password")]
    Unauthorized,
    #[error("the proxy does not connect us: it may not allow this host, or not reach it itself")]
    Refused,
}

impl ProxyFault {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "proxy_unreachable",
            Self::Unauthorized => "proxy_unauthorized",
            Self::Refused => "proxy_refused",
        }
    }

    /// The fault that has this code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::Unreachable, Self::Unauthorized, Self::Refused].into_iter().find(|fault| fault.code() == code)
    }

    /// Read from the words of the error, since its type is private to `hyper-util`. A proxy that is not there is only told apart where it was
    /// asked for a tunnel, as it is for https.
    pub(super) fn of_error(error: &reqwest::Error) -> Option<Self> {
        causes(error).find_map(|cause| {
            Some(match cause.to_string().strip_prefix("tunnel error: ")? {
                "failed to create underlying connection" => Self::Unreachable,
                "proxy authorization required" => Self::Unauthorized,
                _ => Self::Refused,
            })
        })
    }
}

/// Whether a call that gave no answer can't have reached the other side. A proxy that makes no tunnel has been told where to, and nothing more.
#[must_use]
pub fn surely_not_sent(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// What to call it that a call was [surely not sent](surely_not_sent): the proxy's fault, or else `unreachable`. `None` when it may have been sent.
#[must_use]
pub fn not_sent(error: &reqwest::Error, unreachable: &'static str) -> Option<&'static str> {
    surely_not_sent(error).then(|| ProxyFault::of_error(error).map_or(unreachable, ProxyFault::code))
}

/// What lies behind an error, from the outside in.
pub(super) fn causes(error: &dyn Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
