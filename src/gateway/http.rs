//! Any gateway that takes one HTTP request: its address, headers and body are templates of the operator's, its answers are judged by his rules.

mod template;

use reqwest::RequestBuilder;
use reqwest::header::{HeaderMap, HeaderValue, InvalidHeaderValue};
use url::{Origin, Url};

use super::answer::{Answer, Dialect, Means, Place, Row, When};
use super::call::Line;
use super::probe::reach;
use super::{EmailMessage, Outcome, SmsMessage};
use crate::domain::contact::{Email, Phone};
use crate::domain::secret::Secret;
use crate::outbound::token::{TokenError, Tokens};
pub use reqwest::Method;
pub use reqwest::header::HeaderName;
use template::{Place as In, Values, of_email, of_sms, render};

/// The request, the credential and the rules.
pub struct Http {
    pub method: Method,
    /// Template of the address.
    pub url: String,
    /// Where the address may lead, whatever the values are.
    pub origin: Origin,
    /// Names, and templates of their values.
    pub headers: Vec<(HeaderName, String)>,
    pub body: HttpBody,
    pub authentication: Authentication,
    /// Header that carries the message's id, so that a repetition is known as one.
    pub idempotency_header: Option<HeaderName>,
    pub from: String,
    pub rules: HttpRules,
}

pub enum HttpBody {
    /// Template of JSON; a value comes with its quotes.
    Json(String),
    /// Names of fields, and templates of their values.
    Form(Vec<(String, String)>),
}

/// How the gateway knows us.
pub enum Authentication {
    None,
    Basic {
        username: String,
        password: Secret,
    },
    Bearer(Secret),
    ApiKey {
        header: HeaderName,
        value: Secret,
    },
    /// By a token that is fetched.
    Token(Box<Tokens>),
}

/// What the answers mean.
pub struct HttpRules {
    /// Statuses of an acceptance; none is all of 200 to 299.
    pub accepted: Vec<u16>,
    /// What an acceptance has to say besides: a JSON pointer, and the value there.
    pub says: Option<(String, String)>,
    /// Where the gateway's own id of the message is.
    pub id_pointer: Option<String>,
    pub id_header: Option<String>,
    /// Statuses of refusals after which the message is tried again.
    pub retried: Vec<u16>,
}

/// What is wrong with a part of the request, by the key it is configured with.
pub type HttpProblem = (&'static str, &'static str);

impl Http {
    /// The first thing that is wrong when an e-mail is sent by it.
    ///
    /// # Errors
    /// [`HttpProblem`]
    pub fn check_email(&self) -> Result<(), HttpProblem> {
        let to = Email::parse("alex@example.com").or(Err(("url", "can't be checked")))?;
        let message = EmailMessage {
            message_id: "msg_1",
            tenant: "default",
            kind: "invitation_email_link",
            to: &to,
            to_name: Some("Alex"),
            from: None,
            reply_to: None,
            subject: "subject",
            text: "text",
            html: "html",
        };
        self.parts(&of_email(&message, &self.from)).map(drop)
    }

    /// The first thing that is wrong when an SMS is sent by it.
    ///
    /// # Errors
    /// [`HttpProblem`]
    pub fn check_sms(&self) -> Result<(), HttpProblem> {
        let to = Phone::parse("+94771234567").or(Err(("url", "can't be checked")))?;
        let kind = "invitation_sms_otp";
        let message = SmsMessage {
            message_id: "msg_1",
            tenant: "default",
            kind,
            to: &to,
            text: "text",
            from: None,
            is_unicode: false,
        };
        self.parts(&of_sms(&message, &self.from)).map(drop)
    }

    pub(super) async fn email(&self, line: &Line, message: &EmailMessage<'_>) -> Result<RequestBuilder, Outcome> {
        let own = message.from.map(ToString::to_string);
        self.request(line, message.message_id, &of_email(message, own.as_deref().unwrap_or(&self.from))).await
    }

    pub(super) async fn sms(&self, line: &Line, message: &SmsMessage<'_>) -> Result<RequestBuilder, Outcome> {
        self.request(line, message.message_id, &of_sms(message, message.from.unwrap_or(&self.from))).await
    }

    /// A call that does nothing, with the credential.
    pub(super) async fn question(&self, line: &Line) -> Result<RequestBuilder, Outcome> {
        let unusable = |_| Outcome::Misconfigured { code: "unusable_url".to_owned() };
        let url = Url::parse(&self.origin.ascii_serialization()).map_err(unusable)?;
        self.sign(line, reach(line.client(), &url)).await
    }

    async fn request(&self, line: &Line, id: &str, values: &Values<'_>) -> Result<RequestBuilder, Outcome> {
        let (url, headers, body) =
            self.parts(values).map_err(|(key, _)| Outcome::Misconfigured { code: format!("unusable_{key}") })?;
        let request = self.sign(line, line.client().request(self.method.clone(), url)).await?.headers(headers);
        let request = match &self.idempotency_header {
            Some(name) => request.header(name, id),
            None => request,
        };
        Ok(match body {
            Body::Json(json) => request.header("content-type", "application/json").body(json),
            Body::Form(form) => request.form(&form),
        })
    }

    /// The parts that are made of the values; what does not come out as it has to is named.
    fn parts(&self, values: &Values<'_>) -> Result<(Url, HeaderMap, Body<'_>), HttpProblem> {
        let rendered = |key: &'static str, source: &str, place| {
            render(source, place, values).map_err(|_| (key, "is not a template of the variables that there are"))
        };
        let url = Url::parse(&rendered("url", &self.url, In::Url)?).or(Err(("url", "makes no URL")))?;
        if url.origin() != self.origin {
            return Err(("url", "must have its scheme, host and port fixed"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = one_header_line(&rendered("http.headers", value, In::Plain)?);
            headers.append(name, value.or(Err(("http.headers", "makes a value that no header can have")))?);
        }
        let body = match &self.body {
            HttpBody::Json(source) => {
                let json = rendered("http.body", source, In::Json)?;
                let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&json);
                parsed.or(Err(("http.body", "makes no JSON; variables come with their quotes")))?;
                Body::Json(json)
            }
            HttpBody::Form(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, source)| rendered("http.form", source, In::Plain).map(|value| (name.as_str(), value)));
                Body::Form(fields.collect::<Result<_, _>>()?)
            }
        };
        Ok((url, headers, body))
    }

    async fn sign(&self, line: &Line, request: RequestBuilder) -> Result<RequestBuilder, Outcome> {
        Ok(match &self.authentication {
            Authentication::None => request,
            Authentication::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
            Authentication::Bearer(token) => request.bearer_auth(token.expose()),
            Authentication::ApiKey { header, value } => request.header(header, value.expose()),
            Authentication::Token(tokens) => {
                let token = tokens.current(line.client(), line.now()).await.map_err(without_token)?;
                request.bearer_auth(token.expose())
            }
        })
    }

    /// A fetched token that was refused is not used again.
    pub(super) async fn heed(&self, outcome: &Outcome) {
        if let (Authentication::Token(tokens), Outcome::Misconfigured { .. }) = (&self.authentication, outcome) {
            tokens.forget().await;
        }
    }

    pub(super) fn judge(&self, answer: &Answer) -> Outcome {
        let HttpRules { accepted, says, id_pointer, id_header, retried } = &self.rules;
        let places = [id_pointer.as_deref().map(Place::Json), id_header.as_deref().map(Place::Header)];
        let id: Vec<Place<'_>> = places.into_iter().flatten().collect();
        let table: Vec<Row<'_>> = retried.iter().map(|status| (When::Status(*status), Means::Unknown)).collect();
        let says = says.as_ref().map(|(pointer, value)| (pointer.as_str(), value.as_str()));
        Dialect { accepted, says, id: &id, table: &table, ..Dialect::PLAIN }.judge(answer)
    }
}

/// A body that is ready to go.
enum Body<'a> {
    Json(String),
    Form(Vec<(&'a str, String)>),
}

/// A text as a header can have it: in UTF-8 (RFC 9110 §5.5 lets those bytes pass), and with a space for each line's end and control character.
fn one_header_line(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    HeaderValue::from_bytes(line.trim().as_bytes())
}

fn without_token(error: TokenError) -> Outcome {
    match error {
        TokenError::Refused => Outcome::Misconfigured { code: "token_refused".to_owned() },
        TokenError::Proxy(fault) => Outcome::NotSent { code: fault.code() },
        TokenError::Unreachable | TokenError::Unavailable => Outcome::NotSent { code: "token_unavailable" },
    }
}
