//! `Idempotency-Key`: a POST that carries one is done once, and its repeats get the answer of the first that succeeded.
//!
//! As draft-ietf-httpapi-idempotency-key-header has it. A handler hands its use case to [`once`]; without the header that only
//! runs it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Type,
};
use zeroize::Zeroizing;

use super::problem::Problem;
use crate::domain::ids::AccountId;
use crate::domain::keys::sha256;
use crate::service::idempotency::{Holder, Kept, KeyedCall, Once};
use crate::service::{Alongside, Caller, Failure, Service, ServiceError, ServiceResult};

const NAME: &str = "Idempotency-Key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Where the original's `POST /scim2/Users` gives the secret out when notifications are managed by others.
const CONFIRMATION_CODE: HeaderName = HeaderName::from_static("ask-password-confirmation-code");
const KEY_MAX: usize = 255;
const DESCRIPTION: &str = "Makes the call safe to repeat: for 24 hours, or for as long as its grant lives, the same key with \
the same request is answered as the first time, with `Idempotent-Replayed: true`, and nothing is done again. Only successes are kept. Any text of up to 255 visible ASCII characters, \
bare or in double quotes, best a UUID; it counts for this caller or grant and this operation only";

/// A success as it is sent, and kept to be sent again.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    status: u16,
    location: Option<String>,
    /// For [`CONFIRMATION_CODE`].
    #[serde(default)]
    code: Option<String>,
    body: String,
    #[serde(default)]
    content: Content,
    #[serde(skip)]
    account: Option<AccountId>,
}

/// What the body of an answer is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Content {
    #[default]
    Json,
    Text,
    Nothing,
}

impl Answer {
    /// A created thing that nothing is said of.
    pub(super) fn created() -> Self {
        let status = StatusCode::CREATED.as_u16();
        Self { status, location: None, code: None, body: String::new(), content: Content::Nothing, account: None }
    }

    /// A created thing, with a text for whoever asked for it.
    pub(super) fn created_with_text(body: &str) -> Self {
        Self { body: body.to_owned(), content: Content::Text, ..Self::created() }
    }

    /// As it is, with the URL that it is about.
    pub(super) fn located(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// Something new, or a job, that is found at `location`.
    pub(super) fn at(status: StatusCode, location: String, body: &impl Serialize) -> Self {
        Self::new(status, body).located(location)
    }

    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        // Writing a view of ours to a text can't fail.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status: status.as_u16(), location: None, code: None, body, content: Content::Json, account: None }
    }

    /// Whose data is in it.
    pub(super) fn about(self, account: AccountId) -> Self {
        Self { account: Some(account), ..self }
    }

    /// With a secret that the caller is to bring to the person, where the original has it.
    pub(super) fn with_code(self, code: Option<&str>) -> Self {
        Self { code: code.map(str::to_owned), ..self }
    }

    fn kept(&self) -> Kept {
        Kept { answer: Zeroizing::new(serde_json::to_vec(self).unwrap_or_default()), account: self.account }
    }

    fn respond(self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK));
        match self.content {
            Content::Json => response.insert_header((CONTENT_TYPE, "application/json")),
            Content::Text => response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")),
            Content::Nothing => &mut response,
        };
        if let Some(location) = self.location {
            response.insert_header((LOCATION, location));
        }
        if let Some(code) = self.code {
            response.insert_header((CONFIRMATION_CODE, code));
        }
        response.body(self.body)
    }

    fn respond_again(kept: &[u8]) -> ServiceResult<HttpResponse> {
        let answer: Self = serde_json::from_slice(kept).map_err(|_| Failure::Corrupt("answer"))?;
        let mut response = answer.respond();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }
}

/// Why there is no success to answer with.
pub(super) enum NotDone {
    /// The key can't be used.
    Key(Problem),
    Service(ServiceError),
}

impl NotDone {
    /// The error, with what the use case says put into words by `word`.
    pub(super) fn worded<E: From<Problem>>(self, word: fn(ServiceError) -> E) -> E {
        match self {
            Self::Key(problem) => problem.into(),
            Self::Service(error) => word(error),
        }
    }
}

impl From<ServiceError> for NotDone {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

/// As [`try_once`], with the native words for what the use case says.
pub(super) async fn once<T, F>(
    request: &HttpRequest,
    service: &Arc<Service>,
    holder: impl Into<Holder>,
    answer: impl Fn(&T) -> Answer + Send + Sync + Clone + 'static,
    run: impl FnOnce(Arc<Service>, Caller, Alongside<T>) -> F + Send + 'static,
) -> Result<HttpResponse, Problem>
where
    T: Send + 'static,
    F: Future<Output = ServiceResult<T>> + Send + 'static,
{
    try_once(request, service, holder, answer, run).await.map_err(|error| error.worded(Problem::from))
}

/// Runs the use case and answers with its outcome; with an `Idempotency-Key`, once.
///
/// The use case has to write its `Alongside` in the transaction of its effect. With a key it runs to its end even when the caller
/// hangs up, which is why `run` is given its own service and caller.
pub(super) async fn try_once<T, F>(
    request: &HttpRequest,
    service: &Arc<Service>,
    holder: impl Into<Holder>,
    answer: impl Fn(&T) -> Answer + Send + Sync + Clone + 'static,
    run: impl FnOnce(Arc<Service>, Caller, Alongside<T>) -> F + Send + 'static,
) -> Result<HttpResponse, NotDone>
where
    T: Send + 'static,
    F: Future<Output = ServiceResult<T>> + Send + 'static,
{
    let holder = holder.into();
    let caller = holder.caller.clone();
    let Some(key) = key(request).map_err(NotDone::Key)? else {
        let outcome = run(Arc::clone(service), caller, Alongside::nothing()).await?;
        return Ok(answer(&outcome).respond());
    };
    let call = KeyedCall { operation: operation(request), key, request: fingerprinted(request), holder };
    let (keep, running) = (answer.clone(), Arc::clone(service));
    let once =
        service.once(call, move |outcome| keep(outcome).kept(), move |alongside| run(running, caller, alongside));
    match once.await? {
        Once::Done(outcome) => Ok(answer(&outcome).respond()),
        Once::Again(kept) => Ok(Answer::respond_again(&kept)?),
    }
}

/// The `Idempotency-Key` of a request: quoted or bare, 1 to 255 visible ASCII characters.
pub(super) fn key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all(NAME);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_key = (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !is_key || values.next().is_some() {
        let detail = "must be 1 to 255 visible ASCII characters, and there once";
        return Err(Problem::field(StatusCode::BAD_REQUEST, NAME, "invalid_idempotency_key", detail));
    }
    Ok(Some(text.to_owned()))
}

/// Whether nothing was done for this answer.
pub(super) fn is_repeated(response: &HttpResponse) -> bool {
    response.headers().contains_key(REPLAYED)
}

/// Digest of a body's bytes, left with the request that carried a key.
struct BodyDigest(Vec<u8>);

/// Notes what the body was, for the fingerprint of a call that carries a key. Whoever reads a body calls it, or the body does not
/// count.
pub(super) fn note_body(request: &HttpRequest, body: &[u8]) {
    if request.headers().contains_key(NAME) {
        note_digest(request, sha256(&[body]));
    }
}

/// As [`note_body`], of a body that is too long to be held.
pub(super) fn note_digest(request: &HttpRequest, digest: Vec<u8>) {
    request.extensions_mut().insert(BodyDigest(digest));
}

/// Method and route: a key means something else in another operation.
fn operation(request: &HttpRequest) -> String {
    format!("{} {}", request.method(), request.match_pattern().unwrap_or_default())
}

/// What makes a call the same: its path, its query and its body.
fn fingerprinted(request: &HttpRequest) -> Vec<Vec<u8>> {
    let body = request.extensions().get::<BodyDigest>().map(|digest| digest.0.clone()).unwrap_or_default();
    vec![request.path().as_bytes().to_vec(), request.query_string().as_bytes().to_vec(), body]
}

/// In the `params` of an operation that goes through [`once`]: the header, and with it what such a call may be told.
pub(super) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_MAX));
        let header = ParameterBuilder::new()
            .name(NAME)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(DESCRIPTION))
            .schema(Some(text));
        vec![header.build()]
    }
}

/// Completes the document of an operation that takes [`IdempotencyKey`]: the refusals, and the header of a repeated answer.
pub(super) fn document(operation: &mut Operation) {
    let is_keyed = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => parameter.description.as_deref() == Some(DESCRIPTION),
        RefOr::Ref(_) => false,
    };
    if !operation.parameters.iter().flatten().any(is_keyed) {
        return;
    }
    let responses = &mut operation.responses.responses;
    for (status, refusal) in [
        ("409", "`idempotency_in_progress`: the first call with this key still runs."),
        ("422", "`idempotency_key_reused`: for another request."),
    ] {
        if let RefOr::T(response) = responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem())) {
            let own = std::mem::take(&mut response.description);
            response.description = if own.is_empty() { refusal.to_owned() } else { format!("{own} {refusal}") };
        }
    }
    let replayed = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]))))
        .description(Some("Only when the answer is that of an earlier call with the same key"))
        .build();
    for (status, response) in responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            response.headers.insert("Idempotent-Replayed".to_owned(), RefOr::T(replayed.clone()));
        }
    }
}

fn problem() -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().content("application/json", body).build()
}
