//! Cross-origin calls (Fetch standard): the invited person's page may call the public routes when the tenant lists its origin.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue,
    ORIGIN, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::State;
use super::request::tenant_of;

/// Where the public routes are.
const PUBLIC: &str = "/v1/redemptions";

/// Whether the invited person's page calls this, without a credential. Judges the path as the routes match it, percent-decoded.
pub(super) fn is_public(request: &ServiceRequest) -> bool {
    request.match_info().as_str().strip_prefix(PUBLIC).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let origin = request.headers().get(ORIGIN).filter(|_| is_public(&request)).cloned();
    let Some(origin) = origin else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let allowed = is_allowed(&request, &origin).await;
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        request.into_response(HttpResponse::NoContent().finish())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if allowed {
        allow(headers, origin, is_preflight);
    }
    Ok(response)
}

async fn is_allowed(request: &ServiceRequest, origin: &HeaderValue) -> bool {
    let (Some(state), Ok(origin)) = (request.app_data::<web::Data<State>>(), origin.to_str()) else { return false };
    let tenant = tenant_of(request.request());
    state.service.settings(&tenant).await.is_ok_and(|settings| settings.links.allows_origin(origin))
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, is_preflight: bool) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After, X-Request-Id"));
    if is_preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        let accepted = "Authorization, Content-Type, Idempotency-Key, X-Request-Id, Traceparent";
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(accepted));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}
