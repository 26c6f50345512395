//! What an answer means: the general rules by status, under a table of each vendor's own codes.
//!
//! A vendor is data here: where its answers keep an id and an error's code, and what its codes mean. Rows that depend on the recipient are
//! `Rejected`, rows that every message would meet are `Misconfigured`: those messages are kept, and the gateway is the alarm.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::Outcome;
use crate::domain::text::one_line;
use crate::outbound::ProxyFault;

/// Longest code of an error that is kept.
const CODE_MAX: usize = 64;
/// When an exhausted quota is looked at again, unless the gateway says otherwise.
const QUOTA_RETRY: Duration = Duration::from_mins(15);

/// An answer, read to its end or to the limit.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// `None` when it was too long or broke off.
    pub(super) body: Option<Vec<u8>>,
    pub(super) after: Option<Duration>,
}

impl Answer {
    fn says(&self, words: &str) -> bool {
        self.body.as_deref().and_then(|body| std::str::from_utf8(body).ok()).is_some_and(|body| body.contains(words))
    }
}

/// How a vendor answers.
#[derive(Clone, Copy)]
pub(super) struct Dialect<'a> {
    /// What its codes begin with.
    pub(super) vendor: &'a str,
    /// Statuses of an acceptance; none is all of 200 to 299.
    pub(super) accepted: &'a [u16],
    /// What an acceptance has to say besides: a JSON pointer, and the value there.
    pub(super) says: Option<(&'a str, &'a str)>,
    /// Where its own id of the message may be.
    pub(super) id: &'a [Place<'a>],
    /// Whether an acceptance always has one. Else it is none: a captive page, or another address than the vendor's, answers 200 as well.
    pub(super) has_id: bool,
    /// Where the code of an error may be.
    pub(super) code: &'a [Place<'a>],
    /// What its codes and statuses mean where the general rules don't hold. The first row that fits decides.
    pub(super) table: &'a [Row<'a>],
    /// More of the same, which several vendors share.
    pub(super) more: &'a [Row<'a>],
}

/// A place in an answer.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Header(&'a str),
    /// JSON pointer.
    Json(&'a str),
    /// First XML element of the name; its text.
    Xml(&'a str),
}

/// There is nothing to be called at that address: it is not the vendor's.
pub(super) const WRONG_ADDRESS: [Row<'static>; 2] =
    [(When::Status(404), Means::Misconfigured), (When::Status(405), Means::Misconfigured)];

/// A line of a vendor's table.
pub(super) type Row<'a> = (When<'a>, Means);

#[derive(Clone, Copy)]
pub(super) enum When<'a> {
    Code(&'a str),
    Status(u16),
    /// Words in the body, where the code alone does not tell.
    Says(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    Rejected,
    Misconfigured,
    Throttled,
    /// A quota is used up: soon is no use.
    Exhausted,
    Unknown,
    /// It is not the vendor's, or cut off.
    Unreadable,
    /// An earlier try of the same message was taken.
    TakenBefore,
}

impl Dialect<'_> {
    /// A vendor that answers by status alone.
    pub(super) const PLAIN: Self =
        Self { vendor: "", accepted: &[], says: None, id: &[], has_id: false, code: &[], table: &[], more: &[] };

    pub(super) fn judge(&self, answer: &Answer) -> Outcome {
        if self.accepts(answer.status) {
            match self.says.map(|(pointer, value)| (Place::Json(pointer).read(answer), value)) {
                None => return self.accepted(answer),
                Some((Some(said), value)) if said == value => return self.accepted(answer),
                Some((None, _)) => return unreadable(answer.after),
                Some((Some(_), _)) => {}
            }
        }
        let code = read_any(self.code, answer).and_then(|code| plain_code(&code).map(str::to_owned));
        let row = self.table.iter().chain(self.more).find(|(when, _)| match when {
            When::Code(listed) => code.as_deref() == Some(listed),
            When::Status(listed) => *listed == answer.status,
            When::Says(words) => answer.says(words),
        });
        let means = row.map_or_else(|| usual(answer.status), |(_, means)| *means);
        let code = match code {
            Some(code) => format!("{}_{code}", self.vendor),
            None if self.accepts(answer.status) => "refused_in_answer".to_owned(),
            None if matches!(answer.status, 401 | 403) => "gateway_unauthorized".to_owned(),
            None if answer.status == 407 => ProxyFault::Unauthorized.code().to_owned(),
            None => format!("http_{}", answer.status),
        };
        means.outcome(code, answer.after)
    }

    fn accepts(&self, status: u16) -> bool {
        if self.accepted.is_empty() { (200..300).contains(&status) } else { self.accepted.contains(&status) }
    }

    fn accepted(&self, answer: &Answer) -> Outcome {
        let provider_id = read_any(self.id, answer).filter(|id| one_line(id, 255).is_ok());
        if self.has_id && provider_id.is_none() {
            return unreadable(answer.after);
        }
        Outcome::Accepted { provider_id }
    }
}

impl Means {
    fn outcome(self, code: String, after: Option<Duration>) -> Outcome {
        match self {
            Self::Rejected => Outcome::Rejected { code },
            Self::Misconfigured => Outcome::Misconfigured { code },
            Self::Throttled => Outcome::Throttled { after },
            Self::Exhausted => Outcome::Throttled { after: Some(after.unwrap_or_default().max(QUOTA_RETRY)) },
            Self::Unknown => unknown(code, after),
            Self::Unreadable => unreadable(after),
            Self::TakenBefore => Outcome::Accepted { provider_id: None },
        }
    }
}

const fn unknown(code: String, after: Option<Duration>) -> Outcome {
    Outcome::Unknown { code, after }
}

fn unreadable(after: Option<Duration>) -> Outcome {
    unknown("unreadable_answer".to_owned(), after)
}

/// What a status means where nobody says otherwise (RFC 9110 §15). One of success here came with an error inside, and 407 is a proxy's word.
const fn usual(status: u16) -> Means {
    match status {
        401 | 403 | 407 => Means::Misconfigured,
        429 => Means::Throttled,
        408 | 409 | 425 => Means::Unknown,
        200..300 | 400..500 => Means::Rejected,
        _ => Means::Unknown,
    }
}

fn read_any(places: &[Place<'_>], answer: &Answer) -> Option<String> {
    places.iter().find_map(|place| place.read(answer))
}

impl Place<'_> {
    fn read(self, answer: &Answer) -> Option<String> {
        match self {
            Self::Header(name) => Some(answer.headers.get(name)?.to_str().ok()?.to_owned()),
            Self::Json(pointer) => {
                let body: Value = serde_json::from_slice(answer.body.as_deref()?).ok()?;
                match body.pointer(pointer)? {
                    Value::String(text) => Some(text.clone()),
                    value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
                    _ => None,
                }
            }
            Self::Xml(element) => {
                let body = std::str::from_utf8(answer.body.as_deref()?).ok()?;
                let (_, rest) = body.split_once(&format!("<{element}>"))?;
                rest.split_once(&format!("</{element}>")).map(|(text, _)| text.to_owned())
            }
        }
    }
}

/// The bare name of an error, without the namespace and the address that AWS puts around it; `None` for what is no code.
fn plain_code(code: &str) -> Option<&str> {
    let code = code.rsplit('#').next()?.split(':').next()?;
    let is_plain = !code.is_empty()
        && code.len() <= CODE_MAX
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    is_plain.then_some(code)
}
