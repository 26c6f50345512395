//! What every request goes through: its id and trace, its tenant, the headers of every answer, and the finished problem.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tracing::Instrument as _;

use super::State;
use super::problem::Problem;
use super::wso2::{self, Fault};
use crate::domain::ids::TenantId;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Ids of one request, for logs, audit and problems.
#[derive(Debug, Clone)]
pub(super) struct RequestIds {
    /// `X-Request-Id`, accepted or made.
    pub(super) request_id: String,
    /// The W3C trace id, continued or begun.
    trace_id: String,
}

impl RequestIds {
    fn of(request: &ServiceRequest) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let is_id = |id: &&str| {
            !id.is_empty()
                && id.len() <= 64
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        let request_id = header("x-request-id").filter(is_id).map_or_else(random_hex, str::to_owned);
        let trace_id = header("traceparent").and_then(trace_of).map_or_else(random_hex, str::to_owned);
        Self { request_id, trace_id }
    }
}

/// The URI as it was called, where the tenant was taken out of it.
struct Called(Uri);

/// The trace id of a W3C `traceparent`.
fn trace_of(traceparent: &str) -> Option<&str> {
    let mut fields = traceparent.split('-');
    let (version, trace) = (fields.next()?, fields.next()?);
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    (is_hex(version, 2) && is_hex(trace, 32) && trace.bytes().any(|b| b != b'0')).then_some(trace)
}

fn random_hex() -> String {
    format!("{:032x}", u128::from_be_bytes(crate::entropy::bytes()))
}

/// The outermost layer: everything that must hold for every answer, however it came about.
pub(super) async fn layer(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let ids = RequestIds::of(&request);
    let path = request.path().to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(ids.clone());
    let span = tracing::info_span!("request", request.id = ids.request_id, trace.id = ids.trace_id);
    let tenant = strip_tenant(&mut request);
    let response = async {
        match tenant {
            Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
            Err(problem) => Ok(request.into_response(problem.error_response_with_problem())),
        }
    }
    .instrument(span.clone())
    .await?;
    let response = finish(response, &ids, &path);
    let route = response.request().match_pattern().unwrap_or_else(|| "-".to_owned());
    let (status, took) = (response.status().as_u16(), started.elapsed());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(%method, route, status, duration_ms, "answered"));
    if let Some(state) = response.request().app_data::<web::Data<State>>() {
        state.metrics.answered(method.as_str(), route, status, took);
    }
    Ok(response)
}

/// `/t/{tenant}/…` becomes `/…` for that tenant: every route is written once.
fn strip_tenant(request: &mut ServiceRequest) -> Result<(), Problem> {
    let Some(rest) = request.path().strip_prefix("/t/") else { return Ok(()) };
    let (tenant, path) = rest.split_once('/').unwrap_or((rest, ""));
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.");
    let tenant = TenantId::parse(tenant).map_err(|_| unknown())?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let uri: Uri = format!("/{path}{query}").parse().map_err(|_| unknown())?;
    request.match_info_mut().get_mut().update(&uri);
    let called = std::mem::replace(&mut request.head_mut().uri, uri);
    request.extensions_mut().insert(Called(called));
    request.extensions_mut().insert(tenant);
    Ok(())
}

/// Completes problems, gives one to errors that have none, and sets the headers of every answer.
fn finish(response: ServiceResponse<BoxBody>, ids: &RequestIds, path: &str) -> ServiceResponse<BoxBody> {
    let mut response = named(response, ids, path);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&ids.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !path.starts_with("/docs") {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// An error, in the words of the API that was called; any other answer as it is.
fn named(response: ServiceResponse<BoxBody>, ids: &RequestIds, path: &str) -> ServiceResponse<BoxBody> {
    let fault = response.response().extensions().get::<Fault>().cloned();
    let problem = response.response().extensions().get::<Problem>().cloned();
    let is_plain_error = response.status().is_client_error() || response.status().is_server_error();
    let problem = problem.or_else(|| is_plain_error.then(|| unnamed(response.status())));
    let is_compatible = wso2::is_compatible(response.request().match_info().as_str());
    let named = match (fault, problem) {
        (Some(fault), _) => fault.response(&ids.trace_id),
        (None, Some(problem)) if is_compatible => Fault::from(problem).response(&ids.trace_id),
        (None, Some(mut problem)) => {
            problem.instance = crate::outbound::safe_line(path, 512);
            problem.trace_id = Some(ids.trace_id.clone());
            problem.response()
        }
        (None, None) => return response,
    };
    in_place_of(response, named)
}

/// The finished answer, with the headers that the layers have set by now.
fn in_place_of(response: ServiceResponse<BoxBody>, mut finished: HttpResponse) -> ServiceResponse<BoxBody> {
    let kept: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let (request, _) = response.into_parts();
    for (name, value) in kept {
        finished.headers_mut().insert(name, value);
    }
    ServiceResponse::new(request, finished)
}

/// The problem of an error that the framework made.
fn unnamed(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "There is nothing here."),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This is not done with that method."),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "The body is too large."),
        StatusCode::REQUEST_TIMEOUT => ("request_timeout", "The request did not arrive in time."),
        status if status.is_server_error() => ("internal", "Something went wrong on our side."),
        _ => ("bad_request", "The request can't be understood."),
    };
    Problem::new(status, code, detail)
}

impl Problem {
    fn error_response_with_problem(&self) -> HttpResponse {
        actix_web::ResponseError::error_response(self)
    }
}

/// Where a route is found for this tenant: what [`strip_tenant`] takes away.
pub(super) fn path_for(tenant: &TenantId, route: &str) -> String {
    if *tenant == TenantId::default_tenant() { route.to_owned() } else { format!("/t/{}{route}", tenant.as_str()) }
}

/// The tenant of the request.
pub(super) fn tenant_of(request: &HttpRequest) -> TenantId {
    named_tenant_of(request).unwrap_or_else(TenantId::default_tenant)
}

/// The tenant that the path names.
pub(super) fn named_tenant_of(request: &HttpRequest) -> Option<TenantId> {
    request.extensions().get::<TenantId>().cloned()
}

/// Path and query as they were called: `request.uri()` has lost the tenant.
pub(super) fn called(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    let uri = extensions.get::<Called>().map_or_else(|| request.uri(), |called| &called.0);
    uri.path_and_query().map(ToString::to_string).unwrap_or_default()
}

/// The id of the request.
pub(super) fn request_id_of(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestIds>().map(|ids| ids.request_id.clone())
}

#[cfg(test)]
mod tests {
    use super::trace_of;

    #[test]
    fn a_trace_is_continued_only_when_it_is_well_formed() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_of(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        for bad in ["", "00", "00-4bf9-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"]
        {
            assert_eq!(trace_of(bad), None, "{bad}");
        }
    }
}
