//! Grants: the right to set one invitation's password, as a JWT of its own type.
//!
//! It is never a session and opens nothing else. It counts only while the row still names its id and generation, so a newer
//! grant, a resend, a revocation or the acceptance ends it.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{Failure, ServiceResult};
use crate::domain::ids::{GrantId, InvitationId, TenantId};
use crate::domain::invitation::Invitation;
use crate::domain::keys::Keyring;
use crate::domain::time::Timestamp;

/// The JWT type of a grant; an access token never has it.
pub const GRANT_TOKEN_TYPE: &str = "invite-grant+jwt";
const ISSUER: &str = "invited";
const AUDIENCE: &str = "invited:set-password";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    tid: String,
    r#gen: i64,
    jti: String,
    exp: i64,
}

/// What a grant says that was signed by us and has not run out. Whether it still counts, the row decides.
pub(super) struct Grant {
    pub(super) invitation: InvitationId,
    pub(super) generation: i64,
    pub(super) id: GrantId,
    /// It is good for nothing afterwards.
    pub(super) end: Timestamp,
}

/// The grant that the invitation's row names, as its bearer gets it: `(jwt, end)`.
pub(super) fn sign(keys: &Keyring, invitation: &Invitation) -> ServiceResult<(Zeroizing<String>, Timestamp)> {
    let (Some(id), Some(end)) = (invitation.grant, invitation.grant_expires_at) else {
        return Err(Failure::Internal("grant").into());
    };
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: invitation.id.to_string(),
        tid: invitation.tenant.as_str().to_owned(),
        r#gen: invitation.generation,
        jti: id.to_string(),
        exp: end.seconds(),
    };
    let kid = keys.signing_kid();
    let key = keys.grant_key(kid).ok_or(Failure::Internal("grant"))?;
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(GRANT_TOKEN_TYPE.to_owned());
    header.kid = Some(kid.to_owned());
    let jwt = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key))
        .map_err(|_| Failure::Internal("grant"))?;
    Ok((Zeroizing::new(jwt), end))
}

/// Reads a grant of this tenant; `None` for anything else, forged, foreign, of another type, or run out.
pub(super) fn verify(keys: &Keyring, tenant: &TenantId, jwt: &str, now: Timestamp) -> Option<Grant> {
    let header = jsonwebtoken::decode_header(jwt).ok()?;
    if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(GRANT_TOKEN_TYPE) {
        return None;
    }
    let key = keys.grant_key(header.kid.as_deref()?)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // The library reads the machine's clock; ours can be moved.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(jwt, &DecodingKey::from_secret(key), &validation).ok()?.claims;
    if claims.tid != tenant.as_str() || claims.exp < now.seconds() {
        return None;
    }
    Some(Grant {
        invitation: InvitationId::parse(&claims.sub)?,
        generation: claims.r#gen,
        id: GrantId::parse(&claims.jti)?,
        end: Timestamp::from_millis(claims.exp.checked_mul(1000)?),
    })
}
