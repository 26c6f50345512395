//! What the directory says when it says no, as RFC 7644 §3.12 writes it.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScimError {
    #[error("a bearer token is needed")]
    Unauthorized,
    #[error("there is no such resource")]
    NotFound,
    #[error("only `userName eq \"…\"` is supported")]
    InvalidFilter,
    #[error("`{0}` can't be changed here")]
    InvalidPath(String),
    #[error("{0}")]
    InvalidValue(&'static str),
    #[error("{0}")]
    InvalidSyntax(String),
    #[error("the user name is taken")]
    Taken,
    #[error("the resource was changed in between")]
    Changed,
    #[error("wrong user name or password")]
    WrongPassword,
    #[error("the account is not active")]
    Inactive,
    #[error("the directory is down")]
    Down,
}

impl ScimError {
    const fn scim_type(&self) -> Option<&'static str> {
        match self {
            Self::InvalidFilter => Some("invalidFilter"),
            Self::InvalidPath(_) => Some("invalidPath"),
            Self::InvalidValue(_) => Some("invalidValue"),
            Self::InvalidSyntax(_) => Some("invalidSyntax"),
            Self::Taken => Some("uniqueness"),
            Self::Unauthorized | Self::NotFound | Self::Changed | Self::WrongPassword | Self::Inactive | Self::Down => {
                None
            }
        }
    }
}

impl ResponseError for ScimError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unauthorized | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::InvalidFilter | Self::InvalidPath(_) | Self::InvalidValue(_) | Self::InvalidSyntax(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Taken => StatusCode::CONFLICT,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::Inactive => StatusCode::FORBIDDEN,
            Self::Down => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status_code().as_str(),
            "detail": self.to_string(),
        });
        if let (Some(scim_type), Some(fields)) = (self.scim_type(), body.as_object_mut()) {
            fields.insert("scimType".to_owned(), scim_type.into());
        }
        let mut answer = HttpResponse::build(self.status_code());
        if *self == Self::Unauthorized {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        answer.content_type(super::SCIM_JSON).json(body)
    }
}
