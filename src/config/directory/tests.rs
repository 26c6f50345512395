use super::*;
use crate::config::Config;

/// Everything but the directory.
const REST: &str = r#"
secrets.master_keys = ["k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
auth.issuer = "https://id.example.com"
auth.audience = "invited"
auth.jwks_url = "https://id.example.com/jwks"
[directory]
"#;

fn directory(lines: &str) -> DirectoryConfig {
    Config::from_parts(Some(("f", &format!("{REST}{lines}"))), []).unwrap_or_else(|error| panic!("{error}")).directory
}

fn dialect_of(config: &DirectoryConfig) -> &Dialect {
    match &config.driver {
        DirectoryDriver::Scim(dialect) => dialect,
        DirectoryDriver::Keycloak(_) | DirectoryDriver::Http { .. } => panic!("another driver"),
    }
}

fn problems(lines: &str) -> Vec<String> {
    let base = r#"base_url = "https://id.example.com/scim2""#;
    let config = Config::from_parts(Some(("f", &format!("{REST}{base}\n{lines}"))), []);
    config.err().unwrap().lines().iter().map(|line| line.trim_end_matches(" (in f)").to_owned()).collect()
}

#[test]
fn wso2_is_scim_with_other_presets() {
    let wso2 = directory(
        r#"
        driver = "wso2"
        base_url = "https://id.example.com/t/{tenant}/scim2"
        username = "invited"
        password = "s3cret"
        "#,
    );
    let dialect = dialect_of(&wso2);
    assert_eq!((wso2.default_tenant.as_str(), dialect.realm_in), ("carbon.super", RealmIn::Domain));
    assert_eq!(dialect.lock_attribute, "urn:scim:wso2:schema:accountLocked");
    assert_eq!(dialect.patch_style, PatchStyle::Value);
    assert!(dialect.marks_verified && dialect.lock_details.is_empty());
    assert!(matches!(wso2.credential, DirectoryCredential::Basic { username, .. } if username == "invited"));
}

#[test]
fn every_preset_can_be_overruled() {
    let wso2 = directory(
        r#"
        driver = "wso2"
        base_url = "https://id.example.com/t/{tenant}/scim2"
        default_tenant = "example.com"
        credential = "none"
        realm_in = "username"
        lock_attribute = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:accountLocked"
        lock_details = ["lockedReason"]
        marks_verified = false
        patch_style = "path"
        content_type = "application/json"
        marker_attribute = "urn:scim:wso2:schema:lastAcceptance"
        "#,
    );
    assert!(matches!(wso2.credential, DirectoryCredential::None));
    let Dialect { realm_in, lock_details, marks_verified, patch_style, media_type, .. } = dialect_of(&wso2).clone();
    assert_eq!(
        (wso2.default_tenant.as_str(), realm_in, patch_style),
        ("example.com", RealmIn::Username, PatchStyle::Path)
    );
    assert_eq!((lock_details, marks_verified, media_type), (vec![LockDetail::LockedReason], false, MediaType::Json));
}

#[test]
fn what_makes_no_sense_is_told_in_words() {
    let cases = [
        (r#"driver = "ldap""#, r#"directory.driver: must be "scim", "wso2", "keycloak" or "http""#),
        (r#"realm_in = "header""#, r#"directory.realm_in: must be "path", "domain" or "username""#),
        (r#"patch_style = "put""#, r#"directory.patch_style: must be "path" or "value""#),
        (
            r#"content_type = "text/xml""#,
            r#"directory.content_type: must be "application/scim+json" or "application/json""#,
        ),
        (
            r#"lock_attribute = "a lock""#,
            "directory.lock_attribute: must be the name of an attribute, or urn:…:name of one of an extension",
        ),
        (
            r#"marker_attribute = "http://x:y""#,
            "directory.marker_attribute: must be the name of an attribute, or urn:…:name of one of an extension",
        ),
        (r#"lock_details = ["reason"]"#, r#"directory.lock_details: can only name "lockedReason" or "accountState""#),
        (
            r#"lock_details = ["lockedReason"]"#,
            "directory.lock_details: names siblings of directory.lock_attribute, which is not of an extension (urn:…:name)",
        ),
        (
            "marks_verified = true",
            "directory.marks_verified: names siblings of directory.lock_attribute, which is not of an extension (urn:…:name)",
        ),
        (
            r#"default_tenant = "a/b""#,
            "directory.default_tenant: must be a tenant's name: letters, digits, dots, hyphens and underscores",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(problems(&format!("token = \"t\"\n{line}")), [expected], "{line}");
    }
}

#[test]
fn a_realm_has_one_place() {
    let found = Config::from_parts(
        Some((
            "f",
            &format!("{REST}driver = \"wso2\"\ntoken = \"t\"\nbase_url = \"https://id.example.com/{{realm}}\""),
        )),
        [],
    );
    let expected =
        "directory.base_url: has a place for {realm}, which directory.realm_in says is elsewhere (in f)".to_owned();
    assert_eq!(found.err().unwrap().lines(), [expected]);
}

#[test]
fn a_credential_is_whole_and_the_only_one() {
    let cases = [
        (
            "",
            "directory.token: is required, or directory.client_id, client_secret and token_url, or username and password",
        ),
        (
            r#"credential = "kerberos""#,
            r#"directory.credential: must be "none", "basic", "bearer" or "client_credentials""#,
        ),
        (
            r#"username = "invited""#,
            "directory.password: is required; it can also be given as INVITED__DIRECTORY__PASSWORD",
        ),
        (r#"credential = "bearer""#, "directory.token: is required; it can also be given as INVITED__DIRECTORY__TOKEN"),
        (
            "username = \"invited\"\npassword = \"s3cret\"\ntoken = \"t\"",
            "directory.token: does not go with the credential \"basic\"",
        ),
        ("credential = \"none\"\nscope = \"write\"", "directory.scope: does not go with the credential \"none\""),
    ];
    for (lines, expected) in cases {
        assert_eq!(problems(lines), [expected], "{lines}");
    }
}

#[test]
fn keycloak_and_our_own_contract_have_keys_of_their_own() {
    let rest = "base_url = \"https://id.example.com/admin/realms/{realm}\"\ntoken = \"t\"\n";
    let keycloak = directory(&format!("driver = \"keycloak\"\nmarker_attribute = \"lastAcceptance\"\n{rest}")).driver;
    let DirectoryDriver::Keycloak(attributes) = keycloak else { panic!("another driver") };
    assert_eq!((attributes.phone.as_str(), attributes.marker.as_deref()), ("phoneNumber", Some("lastAcceptance")));
    let http = directory(&format!("driver = \"http\"\nmarker_attribute = \"lastAcceptance\"\n{rest}")).driver;
    assert!(matches!(http, DirectoryDriver::Http { keeps_marker: true }));
    assert!(matches!(
        directory(&format!("driver = \"http\"\n{rest}")).driver,
        DirectoryDriver::Http { keeps_marker: false }
    ));
}

#[test]
fn keys_of_another_driver_are_refused() {
    let cases = [
        (
            "driver = \"keycloak\"\nrealm_in = \"path\"",
            r#"directory.realm_in: goes with "scim" or "wso2", which directory.driver is not"#,
        ),
        (
            "driver = \"http\"\nlock_attribute = \"active\"",
            r#"directory.lock_attribute: goes with "scim" or "wso2", which directory.driver is not"#,
        ),
        (
            "phone_attribute = \"mobile\"",
            r#"directory.phone_attribute: goes with "keycloak", which directory.driver is not"#,
        ),
        (
            "driver = \"keycloak\"\nmarker_attribute = \"urn:x:y\"",
            "directory.marker_attribute: must be the name of an attribute; this driver knows no extensions",
        ),
        (
            "driver = \"http\"\nmarker_attribute = \"other\"",
            r#"directory.marker_attribute: can only be "lastAcceptance" with this driver"#,
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(problems(&format!("token = \"t\"\n{lines}")), [expected], "{lines}");
    }
}
