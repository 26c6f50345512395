//! In what one directory differs from the next one of its kind, as its operator says it.

use super::text::text_enum;

text_enum!(
    /// Where a call says which realm is meant.
    RealmIn {
        /// At `{realm}` in the base URL; without one only the realm `PRIMARY` exists.
        Path = "path",
        /// In the query, as `domain`. User names come back as `REALM/name`, those of `PRIMARY` also bare.
        Domain = "domain",
        /// Before the user name, as `REALM/name`; bare for `PRIMARY`.
        Username = "username",
    }
);

text_enum!(
    /// How a PATCH names what it replaces (RFC 7644 §3.5.2.3 allows both).
    PatchStyle {
        /// One operation with a path for each attribute.
        Path = "path",
        /// One operation without a path, its value an object with all of them.
        Value = "value",
    }
);

text_enum!(
    /// The media type of requests, and of what is accepted.
    MediaType { Scim = "application/scim+json", Json = "application/json" }
);

text_enum!(
    /// What else of a lock a directory lets us write, beside the lock itself.
    LockDetail { LockedReason = "lockedReason", AccountState = "accountState" }
);

/// What one SCIM directory wants.
#[derive(Debug, Clone)]
pub struct Dialect {
    pub realm_in: RealmIn,
    /// `active`, which is false when locked, or one that is true when locked. Of an extension, its siblings `accountDisabled`,
    /// `accountState` and `lockedReason` are read as well.
    pub lock_attribute: String,
    /// Siblings of the lock that are written with it.
    pub lock_details: Vec<LockDetail>,
    /// Whether `emailVerified` or `phoneVerified`, siblings of the lock, are set for the channel that was proved.
    pub marks_verified: bool,
    pub patch_style: PatchStyle,
    pub media_type: MediaType,
    /// Attribute that keeps the acceptance marker: a name, or `urn:…:name` of an extension.
    pub marker_attribute: Option<String>,
}

impl Dialect {
    /// RFC 7644 and nothing else.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            realm_in: RealmIn::Path,
            lock_attribute: "active".to_owned(),
            lock_details: Vec::new(),
            marks_verified: false,
            patch_style: PatchStyle::Path,
            media_type: MediaType::Scim,
            marker_attribute: None,
        }
    }

    /// WSO2 Identity Server: user stores are domains, and the lock is not `active` but an attribute of an extension.
    #[must_use]
    pub fn wso2() -> Self {
        Self {
            realm_in: RealmIn::Domain,
            lock_attribute: "urn:scim:wso2:schema:accountLocked".to_owned(),
            marks_verified: true,
            // The only one that its description of the API knows.
            patch_style: PatchStyle::Value,
            ..Self::plain()
        }
    }
}

/// Where a Keycloak keeps what it has no field for: names of attributes.
#[derive(Debug, Clone)]
pub struct KeycloakAttributes {
    pub phone: String,
    /// For the acceptance marker.
    pub marker: Option<String>,
}
