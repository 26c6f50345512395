//! The configuration as an operator meets it: what is accepted, what a start is refused for, and in which words.

mod callbacks;
mod gateways;
mod outbound;

use std::io::Write as _;

use super::*;
use crate::domain::invitation::Method;
use crate::domain::settings::Settings;

const KEY_A: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const KEY_B: &str = "k2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

const MINIMAL: &str = r#"
secrets.master_keys = ["k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
auth.issuer = "https://id.example.com"
auth.audience = "invited"
auth.jwks_url = "https://id.example.com/jwks"
directory.base_url = "https://id.example.com/scim/{realm}/v2"
directory.token = "directory-token"
"#;

/// [`MINIMAL`] with `env` over it.
fn with_env(env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_parts(Some(("invited.toml", MINIMAL)), env)
}

/// [`MINIMAL`] with more lines; a section may follow.
fn with_lines(lines: &str) -> Result<Config, ConfigErrors> {
    Config::from_parts(Some(("invited.toml", &format!("{MINIMAL}{lines}"))), [])
}

fn problems(result: Result<Config, ConfigErrors>) -> Vec<String> {
    result.err().expect("it is refused").0
}

#[test]
fn the_documented_defaults_hold_when_nothing_else_is_said() {
    let config = with_env(&[]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.workers, None);
    assert_eq!(config.server.failure_floor, Duration::from_millis(150));
    assert_eq!(config.server.shutdown_timeout, Duration::from_secs(25));
    assert!(config.database.is_sqlite());
    assert_eq!((config.database.url.as_str(), config.database.pool_size), ("sqlite://invited.db", 8));
    assert_eq!(config.database.checkout_timeout, Duration::from_secs(1));
    assert!(matches!(&config.auth.keys, KeySource::Jwks(url) if url.as_str() == "https://id.example.com/jwks"));
    assert_eq!((config.auth.tenant_claim.as_str(), config.auth.scope_claim.as_str()), ("tenant", "scope"));
    assert_eq!(config.auth.algorithms, [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA]);
    assert_eq!(config.auth.token_type, "at+jwt");
    assert!(config.email.is_none() && config.sms.is_none());
    assert!(
        matches!(&config.directory.credential, DirectoryCredential::Bearer(token) if token.expose() == "directory-token")
    );
    assert_eq!(config.directory.timeout, Duration::from_secs(10));
    assert!(
        matches!(&config.directory.driver, DirectoryDriver::Scim(dialect) if dialect.lock_attribute == "active" && dialect.marker_attribute.is_none())
    );
    assert!(!config.outbound.allow_insecure_http);
    assert_eq!(config.wso2_version, Wso2Version::LATEST);
    let reconciliation = config.reconciliation;
    assert_eq!((reconciliation.interval, reconciliation.batch), (Some(Duration::from_mins(15)), 100));
    assert!(!reconciliation.relock);
    assert!(config.worker.enabled);
    assert_eq!((config.worker.concurrency, config.worker.poll_interval), (8, Duration::from_secs(1)));
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Json, "info,actix_server=warn"));
}

#[test]
fn the_documented_settings_are_the_built_in_ones() {
    let documented: toml::Table = include_str!("default.toml").parse().unwrap();
    let documented = serde_json::to_value(&documented["defaults"]).unwrap();
    let documented: Settings = serde_json::from_value(camel_cased(&documented)).unwrap();
    assert_eq!(documented, Settings::default());
}

fn camel_cased(value: &serde_json::Value) -> serde_json::Value {
    let Some(object) = value.as_object() else { return value.clone() };
    object.iter().map(|(key, value)| (checks::camel_case(key), camel_cased(value))).collect()
}

#[test]
fn a_variable_outranks_the_file_and_the_file_the_default() {
    let file = format!("{MINIMAL}\n[worker]\nconcurrency = 3\npoll_interval_ms = 50");
    let env = [("INVITED__WORKER__CONCURRENCY".to_owned(), "5".to_owned())];
    let config = Config::from_parts(Some(("invited.toml", &file)), env).unwrap();
    assert_eq!((config.worker.concurrency, config.worker.poll_interval), (5, Duration::from_millis(50)));
    assert!(config.worker.enabled);
}

#[test]
fn everything_can_come_from_variables() {
    let config = Config::from_parts(
        None,
        [
            ("INVITED__SECRETS__MASTER_KEYS", format!(r#"["{KEY_A}", "{KEY_B}"]"#).as_str()),
            ("INVITED__AUTH__ISSUER", "https://id.example.com"),
            ("INVITED__AUTH__AUDIENCE", "invited"),
            ("INVITED__AUTH__HS256_SECRET", "0123456789012345678901234567890123456789"),
            ("INVITED__AUTH__TOKEN_TYPE", "application/AT+JWT"),
            ("INVITED__SERVER__WORKERS", "2"),
            ("INVITED__DATABASE__URL", "postgres://invited@db.example.com/invited"),
            ("INVITED__WORKER__ENABLED", "false"),
            ("INVITED__LOG__FORMAT", "text"),
            ("INVITED__DIRECTORY__BASE_URL", "https://id.example.com/scim2"),
            ("INVITED__DIRECTORY__CLIENT_ID", "invited"),
            ("INVITED__DIRECTORY__CLIENT_SECRET", "s3cret"),
            ("INVITED__DIRECTORY__TOKEN_URL", "https://id.example.com/token"),
            ("INVITED__EMAIL__DRIVER", "webhook"),
            ("INVITED__EMAIL__URL", "http://127.0.0.1:8081/email"),
            ("INVITED__EMAIL__TOKEN", "12345"),
            ("INVITED__EMAIL__FROM", "Example <no-reply@example.com>"),
            ("INVITED__EMAIL__TIMEOUT_MS", "2000"),
            ("INVITED__DEFAULTS__LINKS__SETUP_URL", "https://login.example.com/#{token}"),
            ("INVITED__DEFAULTS__LINKS__ALLOWED_ORIGINS", r#"["https://login.example.com"]"#),
            ("INVITED__DEFAULTS__LOCK_ACCOUNT_UNTIL_PASSWORD_SET", "false"),
            ("INVITED__DEFAULTS__OTP__MAX_ATTEMPTS", "3"),
            ("INVITED__DEFAULTS__METHOD", "sms_otp"),
            ("INVITED__DEFAULTS__REMINDERS__MINUTES_BEFORE_EXPIRY", "[1440, 60]"),
            ("INVITED__DEFAULTS__SMS__ALLOWED_COUNTRIES", r#"["CH"]"#),
            ("INVITED__DEFAULTS__SMS__AUTOFILL_ORIGIN", ""),
            ("INVITED_SERVICE_HOST", "10.0.0.1"),
            ("PATH", "/usr/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
    .unwrap();
    let kids: Vec<_> = config.secrets.master_keys.iter().map(|master| (master.kid.as_str(), master.key[0])).collect();
    assert_eq!(kids, [("k1", 0), ("k2", 1)]);
    assert!(matches!(&config.auth.keys, KeySource::Shared(secret) if secret.expose().len() == 40));
    assert_eq!(config.auth.algorithms, [Algorithm::HS256]);
    assert_eq!(config.auth.token_type, "at+jwt");
    assert_eq!(config.server.workers, Some(2));
    assert!(!config.database.is_sqlite() && !config.worker.enabled);
    assert_eq!(config.log.format, LogFormat::Text);
    assert!(matches!(
        &config.directory.credential,
        DirectoryCredential::ClientCredentials { client_id, client_secret, scope: None, .. }
            if client_id == "invited" && client_secret.expose() == "s3cret"
    ));
    let GatewayConfig { driver: EmailDriver::Webhook(email), timeout } = config.email.unwrap() else { panic!() };
    assert_eq!((email.token.expose(), email.from.as_str()), ("12345", "Example <no-reply@example.com>"));
    assert_eq!((email.url.as_str(), timeout), ("http://127.0.0.1:8081/email", Duration::from_secs(2)));
    let defaults = config.defaults.settings;
    assert_eq!(defaults.links.setup_url, "https://login.example.com/#{token}");
    assert_eq!(defaults.links.allowed_origins, ["https://login.example.com"]);
    assert_eq!((defaults.method, defaults.otp.max_attempts), (Method::SmsOtp, 3));
    assert_eq!(defaults.reminders.minutes_before_expiry, [1440, 60]);
    assert_eq!((defaults.sms.allowed_countries, defaults.sms.autofill_origin), (vec!["CH".to_owned()], None));
    assert!(!defaults.lock_account_until_password_set);
    assert_eq!(defaults.expiry_minutes, 1440);
}

#[test]
fn every_problem_is_told_at_once_with_its_name_and_place() {
    let file =
        format!("{MINIMAL}\n[server]\nlisen = \"127.0.0.1:1\"\n[worker]\nenabled = \"yes\"\n[log]\nformat = \"xml\"");
    let env = [
        ("INVITED__WORKER__CONCURRENCY", "many"),
        ("INVITED__DATABASE__POOL_SIZE", "0"),
        ("INVITED__COMPAT__WSO2_VERSION", "seven"),
        ("INVITED__NOPE", "1"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let found = problems(Config::from_parts(Some(("invited.toml", &file)), env));
    let expected = [
        "server.lisen: unknown key (in invited.toml)",
        "worker.enabled: expected true or false (in invited.toml)",
        "INVITED__NOPE: unknown key",
        "INVITED__WORKER__CONCURRENCY: expected a whole number",
        "INVITED__DATABASE__POOL_SIZE: must be 1 to 1000",
        "INVITED__COMPAT__WSO2_VERSION: must be a version such as 7.1.0",
        r#"log.format: must be "json" or "text" (in invited.toml)"#,
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_required_is_named_with_the_way_to_give_it() {
    let found = problems(Config::from_parts(None, []));
    let expected = [
        r#"secrets.master_keys: is required: make a key with `openssl rand -base64 32` and give it as ["k1:<the key>"]"#,
        "auth.jwks_url: is required, or auth.hs256_secret",
        "auth.issuer: is required; it can also be given as INVITED__AUTH__ISSUER",
        "auth.audience: is required; it can also be given as INVITED__AUTH__AUDIENCE",
        "directory.base_url: is required; it can also be given as INVITED__DIRECTORY__BASE_URL",
        "directory.token: is required, or directory.client_id, client_secret and token_url, or username and password",
    ];
    assert_eq!(found, expected);
    let shown = ConfigErrors(found).to_string();
    assert_eq!(shown.lines().count(), 7, "{shown}");
}

#[test]
fn a_wrong_shape_is_told_in_words() {
    let cases = [
        ("server = 3", "server: is a section, not a key (in f)"),
        ("[serverr]", "serverr: unknown key (in f)"),
        ("server.listen.port = 1", "server.listen.port: unknown key (in f)"),
        ("secrets.master_keys = [1]", r#"secrets.master_keys: expected a list of texts such as ["a", "b"] (in f)"#),
        (
            "defaults.reminders.minutes_before_expiry = [\"60\"]",
            "defaults.reminders.minutes_before_expiry: expected a list of whole numbers such as [1440, 60] (in f)",
        ),
        ("email.token = 5", "email.token: expected a text (in f)"),
        ("worker.concurrency = 1.5", "worker.concurrency: expected a whole number (in f)"),
    ];
    for (line, expected) in cases {
        assert!(problems(Config::from_parts(Some(("f", line)), [])).contains(&expected.to_owned()), "{line}");
    }
    let syntax = problems(Config::from_parts(Some(("f", "[log]\n\nfilter = \"s3cret")), []));
    assert!(syntax[0].starts_with("f: line 3: ") && !syntax[0].contains("s3cret"), "{}", syntax[0]);
}

#[test]
fn a_list_in_a_variable_is_written_as_in_toml() {
    let expected = r#"INVITED__AUTH__ALGORITHMS: expected a list of texts such as ["a", "b"]"#;
    for bad in ["ES256", "[ES256]", "[1]", "[\"a\"]\n[log]\nformat = 1", "", "{}"] {
        assert_eq!(problems(with_env(&[("INVITED__AUTH__ALGORITHMS", bad)])), [expected], "{bad:?}");
    }
    let config = with_env(&[("INVITED__AUTH__ALGORITHMS", r#"["ES256"]"#)]).unwrap();
    assert_eq!(config.auth.algorithms, [Algorithm::ES256]);
}

#[test]
fn master_keys_are_checked_without_being_repeated() {
    let cases = [
        (r#"["k1"]"#, "entry 1 must be kid:base64(32 bytes)"),
        (r#"["k1:c2VjcmV0"]"#, "entry 1 is not 32 bytes in base64, as `openssl rand -base64 32` makes them"),
        (r#"["k1:@@"]"#, "entry 1 is not 32 bytes in base64, as `openssl rand -base64 32` makes them"),
        (&format!(r#"["{KEY_A}", "{KEY_A}"]"#), "entry 2 has the kid of another one"),
        (&format!(r#"["a much too long {KEY_A}"]"#), "entry 1 has a kid that is not 1 to 16 of A-Z, a-z, 0-9, _ and -"),
        (&format!(r#"["{}"]"#, &KEY_A[2..]), "entry 1 has a kid that is not 1 to 16 of A-Z, a-z, 0-9, _ and -"),
    ];
    for (value, expected) in cases {
        let found = problems(with_env(&[("INVITED__SECRETS__MASTER_KEYS", value)]));
        assert_eq!(found, [format!("INVITED__SECRETS__MASTER_KEYS: {expected}")]);
    }
    let unpadded = format!(r#"["{}"]"#, KEY_A.trim_end_matches('='));
    assert!(with_env(&[("INVITED__SECRETS__MASTER_KEYS", &unpadded)]).is_ok());
}

#[test]
fn a_secret_can_be_read_from_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "from-a-file ").unwrap();
    let path = file.path().to_str().unwrap();
    let lines = format!(
        "email = {{ driver = \"webhook\", url = \"https://mail.example.com\", from = \"a\", token_file = \"{path}\" }}"
    );
    let EmailDriver::Webhook(email) = with_lines(&lines).unwrap().email.unwrap().driver else { panic!() };
    assert_eq!(email.token.expose(), "from-a-file ");

    let both = problems(with_lines(&format!("directory.token_file = \"{path}\"")));
    assert_eq!(
        both,
        ["directory.token_file: is given beside directory.token; only one of them can be (in invited.toml)"]
    );
    let missing = problems(with_env(&[("INVITED__DATABASE__URL_FILE", "/nowhere/at/all")]));
    assert_eq!(missing, ["INVITED__DATABASE__URL_FILE: can't be read: entity not found"]);
}

#[test]
fn master_keys_can_be_read_from_a_file_one_a_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{KEY_B}\n\n{KEY_A}\n").unwrap();
    let lines = MINIMAL.replace(&format!("keys = [\"{KEY_A}\"]"), &format!("keys_file = {:?}", file.path()));
    let config = Config::from_parts(Some(("invited.toml", &lines)), []).unwrap();
    assert!(config.secrets.master_keys.iter().map(|master| master.kid.as_str()).eq(["k2", "k1"]));

    write!(file, "broken").unwrap();
    let found = problems(Config::from_parts(Some(("invited.toml", &lines)), []));
    assert_eq!(found, ["secrets.master_keys_file: entry 3 must be kid:base64(32 bytes) (in invited.toml)"]);
}

#[test]
fn a_secret_that_looks_like_a_number_stays_a_text_and_is_never_repeated() {
    let secret = "12345678901234567890123456789012";
    let env = [("INVITED__AUTH__JWKS_URL", ""), ("INVITED__AUTH__HS256_SECRET", secret)];
    assert!(matches!(with_env(&env).unwrap().auth.keys, KeySource::Shared(kept) if kept.expose() == secret));

    let secret = "s3cret";
    let found = problems(with_env(&[
        ("INVITED__AUTH__JWKS_URL", ""),
        ("INVITED__AUTH__HS256_SECRET", secret),
        ("INVITED__DATABASE__URL", "mysql://invited:s3cret@db.example.com"),
        ("INVITED__DIRECTORY__BASE_URL", "https://invited:s3cret@id.example.com"),
        ("INVITED__SECRETS__MASTER_KEYS", "[\"k1:s3cret\"]"),
    ]));
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|line| !line.contains(secret)), "{found:?}");
}

#[test]
fn tokens_are_checked_with_published_keys_or_with_a_secret_but_not_both() {
    let both = [("INVITED__AUTH__HS256_SECRET", "01234567890123456789012345678901")];
    let expected = "auth.jwks_url: is given beside auth.hs256_secret; only one of them can be (in invited.toml)";
    assert_eq!(problems(with_env(&both)), [expected]);
    for bad in [r#"["RS256", "HS256"]"#, r#"["none"]"#] {
        let found = problems(with_env(&[("INVITED__AUTH__ALGORITHMS", bad)]));
        assert!(found[0].starts_with("INVITED__AUTH__ALGORITHMS: can only be RS256"), "{found:?}");
    }
    assert_eq!(problems(with_env(&[("INVITED__AUTH__ALGORITHMS", "[]")])).len(), 1);
}

#[test]
fn secrets_are_sent_over_https_unless_the_operator_says_otherwise() {
    let plain = [
        ("INVITED__AUTH__JWKS_URL", "http://id.example.com/jwks"),
        ("INVITED__DIRECTORY__BASE_URL", "http://id.example.com/{realm}"),
        ("INVITED__EMAIL__DRIVER", "webhook"),
        ("INVITED__EMAIL__URL", "http://mail.example.com/"),
        ("INVITED__EMAIL__TOKEN", "s3cret"),
        ("INVITED__EMAIL__FROM", "no-reply@example.com"),
    ];
    let found = problems(with_env(&plain));
    assert!(found.len() == 3 && found.iter().all(|line| line.contains("must use https")), "{found:?}");
    assert!(with_env(&[&plain[..], &[("INVITED__OUTBOUND__ALLOW_INSECURE_HTTP", "true")]].concat()).is_ok());
}

#[test]
fn a_driver_needs_its_keys_and_an_unknown_one_is_refused() {
    let found = problems(with_env(&[("INVITED__SMS__DRIVER", "webhook"), ("INVITED__SMS__TIMEOUT_MS", "60000")]));
    let expected = [
        "INVITED__SMS__TIMEOUT_MS: must be 1 to 20000",
        "sms.token: is required; it can also be given as INVITED__SMS__TOKEN",
        "sms.from: is required; it can also be given as INVITED__SMS__FROM",
        "sms.url: is required; it can also be given as INVITED__SMS__URL",
    ];
    assert_eq!(found, expected);
    let stray = problems(with_env(&[("INVITED__EMAIL__FROM", "no-reply@example.com")]));
    assert_eq!(stray, ["email.driver: is required when the section has other keys"]);
    assert_eq!(problems(with_env(&[("INVITED__EMAIL__DRIVER", "smtp")])).len(), 1);
    assert_eq!(problems(with_env(&[("INVITED__DIRECTORY__DRIVER", "ldap")])).len(), 1);
}

#[test]
fn a_database_in_memory_or_of_another_kind_is_refused() {
    for bad in ["sqlite://:memory:", "sqlite:", "mysql://db", "invited.db", "sqlite://x?mode=memory"] {
        let found = problems(with_env(&[("INVITED__DATABASE__URL", bad)]));
        assert!(found.len() == 1 && found[0].starts_with("INVITED__DATABASE__URL: must"), "{found:?}");
    }
    assert!(with_env(&[("INVITED__DATABASE__URL", "sqlite:///var/lib/invited/invited.db")]).is_ok());
}

#[test]
fn a_build_without_tls_refuses_to_be_asked_for_it() {
    let is_refused =
        |url: &str, pgsslmode: &str| with_env(&[("INVITED__DATABASE__URL", url), ("PGSSLMODE", pgsslmode)]).is_err();
    let can_do_tls = cfg!(feature = "postgres-tls");
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_eq!(is_refused(&format!("postgres://db/invited?connect_timeout=2&sslmode={mode}"), ""), !can_do_tls);
        assert_eq!(is_refused("postgresql://db/invited", mode), !can_do_tls);
    }
    assert!(!is_refused("postgres://db/invited?sslmode=disable", "verify-full"));
    assert!(!is_refused("postgres://db/invited?sslmode=prefer", ""));
    assert!(!is_refused("sqlite://invited.db", "verify-full"));
}

#[test]
fn the_operators_settings_are_checked_like_a_tenants() {
    let found = problems(with_lines(
        "[defaults]\nexpiry_minutes = 99999\nmethod = \"email_link\"\n\
         [defaults.links]\nsetup_url = \"https://login.example.com/\"\nallowed_origins = [\"https://a.example.com\", \"nope\"]\n\
         [defaults.password_policy]\nmin_length = 3\nmax_len = 9\n\
         [defaults.reminders]\nminutes_before_expiry = [60, 60]\n[defaults.resend]\ntolerance_minutes = 1441\n\
         [defaults.sms]\nallowed_countries = [\"UK\"]\nautofill_origin = \"https://a.example.com\"\n",
    ));
    let expected = [
        "defaults.password_policy.max_len: unknown key (in invited.toml)",
        "defaults.expiry_minutes: must be -1 (never), 0 (at once) or 1 to 10080 minutes (in invited.toml)",
        "defaults.resend.tolerance_minutes: must be 0 to 1440 (in invited.toml)",
        "defaults.reminders.minutes_before_expiry: is there twice (in invited.toml)",
        "defaults.links.setup_url: must contain {token} (in invited.toml)",
        "defaults.links.allowed_origins: must be scheme://host[:port] and nothing else (in invited.toml)",
        "defaults.sms.allowed_countries: must be an ISO 3166-1 alpha-2 code such as `DE` (in invited.toml)",
        "defaults.sms.autofill_origin: must be host[:port] in lower case (in invited.toml)",
        "defaults.password_policy.min_length: must be 8 to 64 (in invited.toml)",
    ];
    assert_eq!(found, expected);
    assert_eq!(problems(with_env(&[("INVITED__DEFAULTS__METHOD", "pigeon")])).len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let found = problems(Config::load(Some(Path::new("/nowhere/invited.toml"))));
    assert!(found[0].starts_with("/nowhere/invited.toml can't be read: "), "{found:?}");
}
