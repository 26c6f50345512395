//! Where a directory is: a base URL in which the tenant and the realm may have their places.

use url::Url;

use super::DirectoryError;
use crate::domain::ids::{Realm, TenantId, UserStore};
use crate::outbound::{self, OutboundError};

const TENANT: &str = "{tenant}";
const REALM: &str = "{realm}";

/// A base URL with places for `{tenant}` and `{realm}`.
#[derive(Clone)]
pub struct BaseUrl {
    template: String,
    /// What the tenant `default` is called there.
    default_tenant: String,
}

impl BaseUrl {
    /// # Errors
    /// [`OutboundError`] when it is not a URL that secrets may be sent to.
    pub fn new(template: &str, default_tenant: &str, allow_insecure_http: bool) -> Result<Self, OutboundError> {
        let base = Self { template: template.to_owned(), default_tenant: default_tenant.to_owned() };
        let (tenant, realm) = (TenantId::default_tenant(), Realm::primary());
        let sample = base.at(UserStore { tenant: &tenant, realm: &realm }).ok_or(OutboundError::NotHttp)?;
        outbound::check_url(&sample, allow_insecure_http)?;
        Ok(base)
    }

    pub(super) fn has_realm(&self) -> bool {
        self.template.contains(REALM)
    }

    /// The base of this user store with further segments of a path, each encoded.
    pub(super) fn join(&self, store: UserStore<'_>, segments: &[&str]) -> Result<Url, DirectoryError> {
        let mut url = self.at(store).ok_or(DirectoryError::NotApplied("base_url"))?;
        let mut path = url.path_segments_mut().map_err(|()| DirectoryError::NotApplied("base_url"))?;
        path.pop_if_empty().extend(segments);
        drop(path);
        Ok(url)
    }

    /// What the tenant is called there.
    pub(super) fn tenant<'a>(&'a self, store: UserStore<'a>) -> &'a str {
        let is_default = *store.tenant == TenantId::default_tenant();
        if is_default { &self.default_tenant } else { store.tenant.as_str() }
    }

    /// Tenants and realms are slugs, so they need no encoding.
    fn at(&self, store: UserStore<'_>) -> Option<Url> {
        let url = self.template.replace(TENANT, self.tenant(store)).replace(REALM, store.realm.as_str());
        Url::parse(&url).ok().filter(|url| !url.cannot_be_a_base())
    }
}

/// Whether this is the realm that is meant when none is named.
pub(super) fn is_primary(realm: &Realm) -> bool {
    realm.as_str().eq_ignore_ascii_case(Realm::primary().as_str())
}
