//! The section `outbound`, and what leans on it.

use super::*;

/// What is wrong when these are the lines of the section.
fn refused(lines: &str) -> Vec<String> {
    problems(with_lines(&format!("[outbound]\n{lines}\n")))
}

#[test]
fn a_proxy_is_a_bare_url_whose_credential_stands_beside_it() {
    let proxy = "proxy = \"http://proxy.example.com:3128\"\n";
    let credential = "proxy_username = \"invited\"\nproxy_password = \"secret\"\n";
    let direct = r#"no_proxy = ["mail.example.com", ".inside.example.com", "10.0.0.0/8"]"#;
    assert!(with_lines(&format!("[outbound]\n{proxy}{credential}{direct}")).is_ok());
    for bad in ["proxy.example.com:3128", "socks5://proxy.example.com", "http://proxy.example.com/path", "http://"] {
        let hint = "must be a URL such as http://proxy.example.com:3128, without a path (in invited.toml)";
        assert_eq!(refused(&format!("proxy = \"{bad}\"")), [format!("outbound.proxy: {hint}")], "{bad}");
    }
    let [problem] = refused("proxy = \"http://invited:secret@proxy.example.com\"").try_into().unwrap();
    assert!(problem.starts_with("outbound.proxy: must not contain a credential") && !problem.contains("secret@"));
    let missing = refused(&format!("{proxy}proxy_username = \"invited\""));
    assert!(missing[0].starts_with("outbound.proxy_password: is required"), "{missing:?}");
    let missing = refused(&format!("{proxy}proxy_password = \"secret\""));
    assert!(missing[0].starts_with("outbound.proxy_username: is required"), "{missing:?}");
    let alone = refused(credential);
    assert_eq!(alone[0], "outbound.proxy_username: goes with outbound.proxy, which is not given (in invited.toml)");
    assert_eq!(alone.len(), 2);
    let [problem] = refused(&format!("{proxy}no_proxy = [\"*\"]")).try_into().unwrap();
    assert!(problem.starts_with("outbound.no_proxy: must have host names"), "{problem}");
}

#[test]
fn a_file_of_authorities_has_to_have_some() {
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    };
    let with = |path: &std::path::Path| with_lines(&format!("[outbound]\nca_file = \"{}\"\n", path.display()));
    let certificate = include_str!("../../../tests/fixtures/sns_certificate.pem");
    assert!(with(file(certificate).path()).is_ok());
    let none = "outbound.ca_file: has no certificate: it must be PEM, with BEGIN CERTIFICATE (in invited.toml)";
    for text in ["", "nothing of the kind"] {
        assert_eq!(problems(with(file(text).path())), [none]);
    }
    let cut = certificate.replace("MII", "");
    assert_eq!(
        problems(with(file(&cut).path())),
        ["outbound.ca_file: has a certificate that can't be read (in invited.toml)"]
    );
    let missing = problems(with(std::path::Path::new("/nowhere/ca.pem")));
    assert_eq!(missing, ["outbound.ca_file: can't be read: entity not found (in invited.toml)"]);
}

#[test]
fn endpoints_of_tenants_go_through_a_proxy_only_if_there_is_one() {
    let without = problems(with_lines("webhooks.use_proxy = true\n"));
    assert_eq!(without, ["webhooks.use_proxy: needs outbound.proxy (in invited.toml)"]);
    let with = with_lines("webhooks.use_proxy = true\noutbound.proxy = \"https://proxy.example.com\"\n");
    assert!(with.ok().unwrap().webhooks.use_proxy);
    let beside = with_lines("outbound.proxy = \"https://proxy.example.com\"\n");
    assert!(!beside.ok().unwrap().webhooks.use_proxy);
}
