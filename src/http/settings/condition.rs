//! Conditional requests (RFC 9110 §13) on the settings.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETag, EntityTag, Header, IF_MATCH, IF_NONE_MATCH, IfMatch, IfNoneMatch};

use crate::http::problem::Problem;
use crate::service::settings::Condition;

pub(super) fn etag(tag: &str) -> ETag {
    ETag(EntityTag::new_strong(tag.to_owned()))
}

/// What `If-Match` asks for. Settings always exist, so `*` is always so; a weak tag never matches (strong comparison).
pub(super) fn if_match(request: &HttpRequest) -> Result<Condition, Problem> {
    if !request.headers().contains_key(IF_MATCH) {
        return Ok(Condition::None);
    }
    match IfMatch::parse(request) {
        Ok(IfMatch::Any) => Ok(Condition::None),
        Ok(IfMatch::Items(tags)) => {
            let strong = tags.into_iter().filter(|tag| !tag.weak);
            Ok(Condition::Tagged(strong.map(|tag| tag.tag().to_owned()).collect()))
        }
        Err(_) => {
            let detail = "must be `*` or a list of entity tags";
            Err(Problem::field(StatusCode::BAD_REQUEST, "If-Match", "invalid_header", detail))
        }
    }
}

/// Whether the caller says that it has the state of this tag (weak comparison).
pub(super) fn is_known(request: &HttpRequest, tag: &str) -> bool {
    if !request.headers().contains_key(IF_NONE_MATCH) {
        return false;
    }
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.tag() == tag),
        Err(_) => false,
    }
}
