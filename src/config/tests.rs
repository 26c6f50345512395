use super::{Config, ConfigErrors, DirectoryCredential, KeySource};

const KEY: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn minimal() -> String {
    format!(
        r#"
        [secrets]
        master_keys = ["{KEY}"]
        [auth]
        issuer = "https://id.example.com"
        audience = "invited"
        jwks_url = "https://id.example.com/jwks"
        [directory]
        base_url = "https://directory.example.com/{{realm}}"
        token = "directory-token"
        "#
    )
}

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_parts(Some(("invited.toml", file)), variables)
}

fn errors(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load(file, variables).err().expect("the configuration was accepted").0
}

#[test]
fn the_defaults_fill_in_what_is_not_said() {
    let config = load(&minimal(), &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.url, "sqlite://invited.db");
    assert!(config.worker.enabled && config.log.json && config.email.is_none());
    assert_eq!(config.defaults, crate::domain::settings::Settings::default());
}

#[test]
fn a_variable_wins_over_the_file_and_keeps_its_text() {
    let variables = [
        ("INVITED__SERVER__LISTEN", "127.0.0.1:9000"),
        ("INVITED__WORKER__ENABLED", "false"),
        ("INVITED__DIRECTORY__TOKEN", "0123456789"),
        ("INVITED__SECRETS__MASTER_KEYS", &format!("[\"k2:{}\",\"{KEY}\"]", &KEY[3..])),
        ("INVITED__DEFAULTS__EXPIRY_MINUTES", "30"),
        ("INVITED__DEFAULTS__LINKS__SETUP_URL", "https://example.com/#{token}"),
        ("INVITED__DEFAULTS__LINKS__ALLOWED_ORIGINS", "[\"https://example.com\"]"),
        ("PATH", "/bin"),
    ];
    let config = load(&minimal(), &variables).unwrap();
    assert_eq!(config.server.listen.port(), 9000);
    assert!(!config.worker.enabled);
    assert!(
        matches!(&config.directory.credential, DirectoryCredential::Bearer(token) if token.expose() == "0123456789")
    );
    assert_eq!(config.secrets.master_keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["k2", "k1"]);
    assert_eq!(config.defaults.expiry_minutes, 30);
    assert_eq!(config.defaults.links.setup_url, "https://example.com/#{token}");
    assert_eq!(config.defaults.links.allowed_origins, ["https://example.com"]);
}

#[test]
fn an_unknown_key_is_named_with_its_layer() {
    let file = minimal() + "\n[server]\nlisen = \"127.0.0.1:1\"\n";
    assert_eq!(errors(&file, &[]), ["server.lisen: unknown key (in invited.toml)"]);
    assert_eq!(errors(&minimal(), &[("INVITED__SERVR__LISTEN", "x")]), ["servr: unknown key (in INVITED__SERVR)"]);
    let unknown = errors(&minimal(), &[("INVITED__EMAIL__TOKN", "hunter2")]);
    assert_eq!(unknown, ["email.tokn: unknown key (in INVITED__EMAIL__TOKN)"]);
}

#[test]
fn a_wrong_value_is_named_without_being_repeated() {
    assert_eq!(
        errors(&minimal(), &[("INVITED__WORKER__CONCURRENCY", "many")]),
        ["INVITED__WORKER__CONCURRENCY: expected a whole number"]
    );
    assert_eq!(
        errors(&minimal(), &[("INVITED__WORKER__ENABLED", "yes")]),
        ["INVITED__WORKER__ENABLED: expected true or false"]
    );
    let wrong = errors(&(minimal() + "\n[server]\nlisten = \"hunter2\"\n"), &[]);
    assert!(wrong[0].starts_with("server.listen: ") && !wrong[0].contains("hunter2"), "{wrong:?}");
    let broken = errors("[server]\nlisten = \"hunter2", &[]);
    assert_eq!(broken, ["invited.toml: not valid TOML at line 2"]);
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let found = errors("", &[]);
    for key in [
        "secrets.master_keys",
        "auth.issuer",
        "auth.audience",
        "auth: exactly one",
        "directory.base_url",
        "directory: either",
    ] {
        assert!(found.iter().any(|line| line.starts_with(key)), "{key} in {found:?}");
    }
    assert!(found.iter().any(|line| line.contains("openssl rand -base64 32")));
}

#[test]
fn settings_are_checked_under_their_configuration_names() {
    let found = errors(
        &minimal(),
        &[("INVITED__DEFAULTS__LINKS__SETUP_URL", "https://example.com/"), ("INVITED__DEFAULTS__OTP__LENGTH", "3")],
    );
    assert_eq!(found, ["defaults.otp.length: must be 4 to 10", "defaults.links.setup_url: must contain {token}"]);
    let unknown = errors(&(minimal() + "\n[defaults]\nexpiry = 3\n"), &[]);
    assert!(unknown[0].starts_with("defaults"), "{unknown:?}");
}

#[test]
fn secrets_can_come_from_files_but_not_twice() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-a-file\n").unwrap();
    let path = file.path().display().to_string();
    let base = minimal().replace("token = \"directory-token\"", &format!("token_file = \"{path}\""));
    let config = load(&base, &[]).unwrap();
    assert!(
        matches!(&config.directory.credential, DirectoryCredential::Bearer(token) if token.expose() == "from-a-file")
    );
    assert_eq!(
        errors(&minimal(), &[("INVITED__DIRECTORY__TOKEN_FILE", &path)])[0],
        "directory.token: is given twice: here and by its _file"
    );
    let missing = errors(&minimal().replace("token = \"directory-token\"", "token_file = \"/nowhere\""), &[]);
    assert!(missing[0].starts_with("directory.token_file: /nowhere: "), "{missing:?}");
}

#[test]
fn weak_or_malformed_keys_stop_the_start() {
    for keys in ["[]", "[\"k1:AAAA\"]", "[\"no colon\"]", &format!("[\"{KEY}\",\"{KEY}\"]")] {
        assert!(
            errors(&minimal(), &[("INVITED__SECRETS__MASTER_KEYS", keys)])[0].starts_with("secrets.master_keys"),
            "{keys}"
        );
    }
    let file = minimal().replace("jwks_url = \"https://id.example.com/jwks\"", "hs256_secret = \"short\"");
    assert_eq!(errors(&file, &[]), ["auth.hs256_secret: must be at least 32 bytes"]);
    assert_eq!(errors(&minimal(), &[("INVITED__AUTH__ALGORITHMS", "[\"HS256\"]")]).len(), 1);
    let shared = minimal()
        .replace("jwks_url = \"https://id.example.com/jwks\"", "hs256_secret = \"0123456789012345678901234567890123\"");
    assert!(matches!(load(&shared, &[]).unwrap().auth.keys, KeySource::Shared(_)));
}

#[test]
#[cfg(not(feature = "postgres-tls"))]
fn tls_is_refused_by_a_build_without_it() {
    let found = errors(&minimal(), &[("INVITED__DATABASE__URL", "postgres://localhost/invited?sslmode=verify-full")]);
    assert!(found[0].contains("--features postgres-tls"), "{found:?}");
}

#[test]
fn a_gateway_needs_all_of_its_keys() {
    let found = errors(&minimal(), &[("INVITED__EMAIL__DRIVER", "webhook")]);
    assert_eq!(found, ["email.url: is required", "email.token: is required", "email.from: is required"]);
    assert_eq!(errors(&minimal(), &[("INVITED__SMS__DRIVER", "pigeon")]), ["sms.driver: must be webhook"]);
    assert_eq!(
        errors(&minimal(), &[("INVITED__SMS__FROM", "x")]),
        ["sms.driver: is required when the section has other keys"]
    );
}
