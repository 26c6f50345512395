//! The routes of WSO2 Identity Server that a platform may call already, at its paths and in its words: translation only.
//!
//! They lead to the same use cases and settings as the native routes. What is mirrored and what is mended is in `docs/wso2.md`.

mod codes;
mod fault;
mod governance;
mod offline_link;
mod recovery;
mod resend_code;
mod secret;
mod user;

use utoipa_actix_web::service_config::ServiceConfig;

pub(super) use fault::Fault;

/// Where they begin.
const BASES: [&str; 3] = ["/api/identity/", "/api/users/", "/api/server/"];

/// Whether this path's callers expect WSO2's words for errors.
pub(super) fn is_compatible(path: &str) -> bool {
    BASES.iter().any(|base| path.starts_with(base))
}

/// The routes of the document.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(resend_code::resend_code)
        .service(codes::introspect_code)
        .service(codes::validate_user_code)
        .service(recovery::validate::validate_recovery_code)
        .service(recovery::set_password::set_recovery_password)
        .service(recovery::recover::recover_password)
        .service(offline_link::create_offline_invite_link)
        .configure(governance::routes);
}
