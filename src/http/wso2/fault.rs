//! An error in WSO2's form: `{code, message, description, traceId}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::http::problem::{Problem, error_head};
use crate::service::{Refusal, ServiceError};

/// What a call of a compatible route got instead of its answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "code": "18001", "message": "Bad Request", "description": "Invalid Code.", "traceId": "4bf92f3577b34da6a3ce929d0e0e4736"
}))]
pub(in crate::http) struct Fault {
    /// The original's number where it has one, else the code of the native routes.
    pub(super) code: String,
    /// What could not be done, in the original's words where it has some.
    pub(super) message: String,
    /// Why, for people.
    pub(super) description: String,
    /// Finds the call in the logs.
    trace_id: String,
    /// Only with 22001: the key that was shown, which is good still.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    key: Option<Key>,
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    retry_after: Option<u64>,
    #[serde(skip)]
    challenge: Option<&'static str>,
}

impl Fault {
    /// An error of the original's own.
    pub(super) fn new(status: StatusCode, code: &str, message: &str, description: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            description: description.into(),
            trace_id: String::new(),
            key: None,
            status,
            retry_after: None,
            challenge: None,
        }
    }

    /// A 400, whose message the recovery API of the original words like this.
    pub(super) fn bad_request(code: &str, description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "Bad Request", description)
    }

    /// A fault after which the same key may be shown again, which callers of the original find in the answer.
    pub(super) fn with_key(self, key: Zeroizing<String>) -> Self {
        Self { key: Some(Key(key)), ..self }
    }

    /// The same under another message.
    pub(super) fn entitled(self, message: &str) -> Self {
        Self { message: message.to_owned(), ..self }
    }

    /// What a use case says that the original has no number for. What a rule refuses is a 400: the original has no 422.
    pub(super) fn refused(error: ServiceError, message: &str) -> Self {
        let is_of_key = matches!(error, ServiceError::Refused(Refusal::IdempotencyKeyReused));
        let fault = Self::from(error).entitled(message);
        match fault.status {
            StatusCode::UNPROCESSABLE_ENTITY if !is_of_key => Self { status: StatusCode::BAD_REQUEST, ..fault },
            _ => fault,
        }
    }

    /// The answer.
    pub(in crate::http) fn response(mut self, trace_id: &str) -> HttpResponse {
        trace_id.clone_into(&mut self.trace_id);
        error_head(self.status, self.retry_after, self.challenge).json(self)
    }
}

/// A secret that goes back to whom it came from, and nowhere else.
#[derive(Clone)]
struct Key(Zeroizing<String>);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// Whatever the original has no number for goes by the native code; fields are named in the description.
impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let fields = problem.errors.iter().filter(|field| field.detail != problem.detail);
        let fields = fields.map(|field| format!("{} {}.", field.pointer, field.detail));
        let description = std::iter::once(problem.detail.clone()).chain(fields).collect::<Vec<_>>().join(" ");
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            retry_after: problem.retry_after,
            challenge: problem.challenge,
            ..Self::new(status, problem.code, problem.title, description)
        }
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        Problem::from(error).into()
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Leaves the fault for `request::finish`, which knows the trace.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status);
        response.extensions_mut().insert(self.clone());
        response
    }
}
