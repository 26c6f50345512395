//! Tenants' own templates: what is stored is what people get, and what would harm is not stored.

use serde_json::{Value, json};

use crate::support::{Reply, TestApp, User};

const LINK: &str = "/v1/templates/invitation_email_link";
const SMS: &str = "/v1/templates/invitation_sms_otp";

impl TestApp {
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request("PUT", path).bearer_auth(self.token()).json(body)).await
    }

    async fn put_if(&self, path: &str, tag: &str, body: &Value) -> Reply {
        self.send(self.request("PUT", path).bearer_auth(self.token()).header("if-match", tag).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(self.request("DELETE", path).bearer_auth(self.token())).await
    }

    /// The mail that an invitation of the user in this locale brings.
    async fn mail_in(&self, user: &User, locale: &str) -> Value {
        let mut person = user.known();
        person["locale"] = json!(locale);
        self.post("/v1/invitations", json!({"user": person})).await.ok(201);
        self.work().await;
        self.gateway.last("email").await
    }

    fn audited(&self, event: &str, detail: &str) -> i64 {
        self.database.count(&format!(
            "SELECT count(*) AS count FROM audit_event WHERE event = '{event}' AND detail = '{detail}'"
        ))
    }
}

fn own(subject: &str) -> Value {
    json!({"subject": subject, "text": "Grüezi {{ name }}\n\n{{ link }}\n\n{% if expires %}Gültig: {{ expires }}{% endif %}"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_words_are_sent_until_they_are_removed() {
    let app = TestApp::spawn().await;
    let stored = app.put(&format!("{LINK}/DE"), &own("Willkommen, {{ name }}")).await.ok(200);
    assert_eq!((&stored["source"], &stored["sourceLocale"]), (&json!("tenant"), &json!("de")));
    let mail = app.mail_in(&app.user().await, "de-CH").await;
    assert_eq!(mail["text"].as_str().unwrap().lines().last(), Some("Gültig: 24 Stunden"));
    assert!(mail["subject"].as_str().unwrap().starts_with("Willkommen, "), "{mail}");
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("<html lang=\"de\">") && html.contains("Gültig: 24 Stunden</p>"), "{html}");
    assert!(html.contains("<a href=\"https:&#x2f;&#x2f;app.example.com&#x2f;set-password#token="), "{html}");
    app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    assert_eq!(app.mail_in(&app.user().await, "fr-CH").await["subject"], "Définissez votre mot de passe");

    app.delete(&format!("{LINK}/de")).await.ok(204);
    let effective = app.get(&format!("{LINK}/de-CH")).await.ok(200);
    assert_eq!((&effective["source"], &effective["sourceLocale"]), (&json!("built_in"), &json!("de")));
    assert_eq!(app.mail_in(&app.user().await, "de-CH").await["subject"], "Legen Sie Ihr Passwort fest");
    app.delete(&format!("{LINK}/de")).await.problem(404, "template_not_found");
    assert_eq!(app.audited("template.changed", "invitation_email_link/de"), 1);
    assert_eq!(app.audited("template.deleted", "invitation_email_link/de"), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_words_in_its_own_language_come_before_built_in_ones() {
    let app = TestApp::spawn().await;
    app.put(&format!("{LINK}/en"), &own("Our welcome")).await.ok(200);
    assert_eq!(app.mail_in(&app.user().await, "fr").await["subject"], "Our welcome");
    app.put(&format!("{LINK}/it"), &own("Benvenuti")).await.ok(200);
    let mail = app.mail_in(&app.user().await, "it-CH").await;
    assert_eq!(mail["subject"], "Benvenuti");
    assert!(mail["text"].as_str().unwrap().ends_with("Gültig: 24 hours"), "no Italian words for spans are built in");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_or_use_each_others_words() {
    let app = TestApp::spawn().await;
    app.put(&format!("{LINK}/en"), &own("Ours")).await.ok(200);
    let token = app.token_for("acme", "settings:read settings:write invitations:write");
    let theirs = |method: &str, path: &str| app.request(method, &format!("/t/acme{path}")).bearer_auth(&token);
    let effective = app.send(theirs("GET", &format!("{LINK}/en"))).await.ok(200);
    assert_eq!(effective["source"], "built_in");
    assert_eq!(app.send(theirs("GET", "/v1/templates")).await.ok(200)["items"], json!([]));
    app.send(theirs("DELETE", &format!("{LINK}/en"))).await.problem(404, "template_not_found");
    let user = app.user().await;
    app.send(theirs("POST", "/v1/invitations").json(&json!({"user": user.known()}))).await.ok(201);
    app.work().await;
    assert_eq!(app.gateway.last("email").await["subject"], "Set your password");
    let read_only = app.token_for("default", "settings:read");
    let request = app.request("PUT", &format!("{LINK}/en")).bearer_auth(read_only).json(&own("x"));
    app.send(request).await.problem(403, "insufficient_scope");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_harm_is_refused_with_its_place() {
    let app = TestApp::spawn().await;
    let mail = |subject: &str, text: &str, html: Option<&str>| json!({"subject": subject, "text": text, "html": html});
    let page = |body: &str| mail("s", "{{ link }}", Some(body));
    let cases = [
        (mail("s", "no link", None), "/text", "placeholder_missing"),
        (mail("s", "{% if expires %}{{ link }}{% endif %}", None), "/text", "placeholder_missing"),
        (page("<p>no link</p>"), "/html", "placeholder_missing"),
        (mail("s", "{{ link }} {{ otp }}", None), "/text", "unknown_variable"),
        (mail("{{ link }}", "{{ link }}", None), "/subject", "unknown_variable"),
        (mail("s", "{{ link }} {{ expires }}", None), "/text", "value_missing"),
        (mail("s", "{{ link", None), "/text", "syntax_error"),
        (mail("s", "{{ link }}{% if name %}", None), "/text", "syntax_error"),
        (mail("s", "{{ link }}{% include 'x' %}", None), "/text", "syntax_error"),
        (page("{{ link }}{{ name|safe }}"), "/html", "syntax_error"),
        (mail("two\nlines", "{{ link }}", None), "/subject", "control_character"),
        (mail(&"s".repeat(201), "{{ link }}", None), "/subject", "too_long"),
        (mail("", "{{ link }}", None), "/subject", "empty"),
        (mail("s", &format!("{{{{ link }}}}{}", "x".repeat(16 * 1024)), None), "/text", "too_long"),
        (page(&format!("{{{{ link }}}}{}", "x".repeat(64 * 1024))), "/html", "too_long"),
        (mail("s", "{{ link }}\u{7}", None), "/text", "control_character"),
        (mail("s", &"{{ link }}".repeat(201), None), "/text", "too_many_variables"),
        (json!({"text": "{{ link }}"}), "/subject", "missing"),
        (page("{{ link }}<script>x</script>"), "/html", "html_not_allowed"),
        (page("<a href=\"{{ link }}\" onclick=\"x\">x</a>"), "/html", "html_not_allowed"),
        (page("{{ link }}<img src=\"https://evil.example/x.png\">"), "/html", "html_not_allowed"),
        (page("{{ link }}<p style=\"background:URL(https://evil.example)\">x</p>"), "/html", "html_not_allowed"),
        (page("<a href=\"https://evil.example/?{{ link }}\">{{ link }}</a>"), "/html", "html_not_allowed"),
        (page("{{ link }}<a href=\"javascript:alert(1)\">x</a>"), "/html", "html_not_allowed"),
        (page("{{ link }}<p title={{ name }}>x</p>"), "/html", "html_not_allowed"),
        (page("{{ link }}<meta http-equiv=refresh content=0>"), "/html", "html_not_allowed"),
        (page("{{ link }}<!-- [if mso]><script> -->"), "/html", "html_not_allowed"),
    ];
    for (body, pointer, code) in cases {
        app.put(&format!("{LINK}/en"), &body).await.field_problem(422, pointer, code);
        let tried = app.post(&format!("{LINK}/en/preview"), json!({"template": body})).await;
        tried.field_problem(422, pointer, code);
    }
    let otp = "{{ otp }}";
    app.put(&format!("{SMS}/en"), &json!({"text": "no code"})).await.field_problem(422, "/text", "placeholder_missing");
    app.put(&format!("{SMS}/en"), &json!({"text": otp, "html": otp})).await.field_problem(422, "/html", "not_for_sms");
    let long = format!("{otp}{}", "x".repeat(1600));
    app.put(&format!("{SMS}/en"), &json!({"text": long})).await.field_problem(422, "/text", "too_long");
    app.put(&format!("{SMS}/not_a_tag"), &json!({"text": otp})).await.field_problem(400, "locale", "invalid_locale");
    app.put("/v1/templates/account_sync/en", &json!({"text": otp})).await.problem(404, "template_not_found");
    app.put(&format!("{SMS}/en"), &json!({"text": "x".repeat(300_000)})).await.problem(413, "payload_too_large");
    assert_eq!(app.get("/v1/templates").await.ok(200)["items"], json!([]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_template_with_much_in_it_is_taken() {
    let app = TestApp::spawn().await;
    let rows = "<tr><td style=\"padding:4px\" align=left>é &amp; ü</td></tr>\r\n".repeat(1000);
    let html = format!(
        "<!doctype html><html><body><table>{rows}</table><a href='{{{{ link }}}}'>{{{{ name }}}}</a></body></html>"
    );
    assert!(html.len() > 60_000);
    let body = json!({"subject": "S", "text": "{{ link }}", "html": html});
    let stored = app.put(&format!("{LINK}/en"), &body).await.ok(200);
    assert_eq!(stored["html"], html.replace("\r\n", "\n"));
    let mail = app.mail_in(&app.user().await, "en").await;
    assert!(mail["html"].as_str().unwrap().contains("<a href='https:&#x2f;&#x2f;app.example.com"), "{mail}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_the_same_template_one_is_told() {
    let app = TestApp::spawn().await;
    let path = format!("{LINK}/en");
    let nothing = app.get(&path).await;
    assert_eq!(nothing.header("etag"), "\"0\"");
    let tag = app.put_if(&path, "\"0\"", &own("One")).await.header("etag").to_owned();
    app.put_if(&path, "\"0\"", &own("Two")).await.problem(412, "template_changed");
    let (one, two) = (own("Two"), own("Three"));
    let (one, two) = tokio::join!(app.put_if(&path, &tag, &one), app.put_if(&path, &tag, &two));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let newest = app.get(&path).await.header("etag").to_owned();
    let delete = |tag: &str| app.request("DELETE", &path).bearer_auth(app.token()).header("if-match", tag);
    app.send(delete(&tag)).await.problem(412, "template_changed");
    app.send(delete(&newest)).await.ok(204);
    let again = app.put_if(&path, "\"0\"", &own("Four")).await;
    assert_eq!(again.status, 200);
    assert!(![tag.as_str(), newest.as_str()].contains(&again.header("etag")), "a tag is never used twice");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_template_that_does_not_render_is_passed_over() {
    let app = TestApp::spawn().await;
    app.put(&format!("{LINK}/en"), &own("Ours")).await.ok(200);
    app.database.execute("UPDATE message_template SET text = '{{ gone }}'");
    let mail = app.mail_in(&app.user().await, "en").await;
    assert_eq!(mail["subject"], "Set your password");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_the_message_without_sending_it() {
    let app = TestApp::spawn().await;
    let preview = |body: Value| app.post("/v1/templates/invitation_email_link/de/preview", body);
    let shown = preview(json!({})).await.ok(200);
    assert_eq!(shown["subject"], "Legen Sie Ihr Passwort fest");
    assert!(shown["text"].as_str().unwrap().contains("#token=SAMPLE-TOKEN"), "{shown}");
    assert!(shown["html"].as_str().unwrap().contains("24 Stunden"), "{shown}");
    let draft = json!({"subject": "Hoi {{ name }}", "text": "{{ link }}{% if expires %} {{ expires }}{% endif %}"});
    let values = json!({"name": "<Ueli>", "link": "https://a.example/#x", "expiresInMinutes": 61});
    let shown = preview(json!({"template": draft, "values": values})).await.ok(200);
    assert_eq!(shown["subject"], "Hoi <Ueli>");
    assert_eq!(shown["text"], "https://a.example/#x 1 Stunde und 1 Minute");
    assert!(
        shown["html"].as_str().unwrap().contains("<h1 style=\"font-size:20px;margin:0 0 16px\">Hoi &lt;Ueli&gt;</h1>")
    );
    preview(json!({"values": {"expiresInMinutes": 99_999}})).await.field_problem(
        400,
        "/values/expiresInMinutes",
        "out_of_range",
    );
    preview(json!({"template": []})).await.field_problem(400, "/template", "invalid_value");

    let preview = |body: Value| app.post("/v1/templates/invitation_sms_otp/en/preview", body);
    let shown = preview(json!({"template": {"text": "Code: {{ otp }}"}})).await.ok(200);
    let expected =
        json!({"text": "Code: A1B2C3", "segments": 1, "encoding": "gsm7", "characters": 12, "remaining": 148});
    assert_eq!(shown, expected);
    let shown =
        preview(json!({"template": {"text": "コード: {{ otp }}"}, "values": {"otp": "9".repeat(64)}})).await.ok(200);
    assert_eq!((&shown["encoding"], &shown["segments"], &shown["remaining"]), (&json!("ucs2"), &json!(1), &json!(1)));
    assert!(app.gateway.received("email").await.is_empty() && app.gateway.received("sms").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_says_what_there_is() {
    let app = TestApp::spawn().await;
    app.put(&format!("{LINK}/fr"), &own("Bonjour")).await.ok(200);
    app.put(&format!("{SMS}/de-ch"), &json!({"text": "{{ otp }}"})).await.ok(200);
    let list = app.get("/v1/templates").await.ok(200);
    let named: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| (&item["kind"], &item["locale"])).collect();
    let expected =
        [("invitation_email_link", "fr"), ("invitation_sms_otp", "de-CH")].map(|(k, l)| (json!(k), json!(l)));
    assert_eq!(named, expected.iter().map(|(kind, locale)| (kind, locale)).collect::<Vec<_>>());
    assert_eq!(list["kinds"].as_array().unwrap().len(), 11);
    assert_eq!(list["locales"], json!(["en", "de", "fr", "es", "pt", "si", "ta", "ja"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_only_so_many_templates() {
    let app = TestApp::spawn().await;
    let rows: Vec<_> = (0..500).map(|n| format!("('default', 'activation_sms', 'en-{n:03}', 'x', 1, 1)")).collect();
    let columns = "(tenant, kind, locale, text, version, updated_at)";
    app.database.execute(&format!("INSERT INTO message_template {columns} VALUES {}", rows.join(", ")));
    app.put(&format!("{LINK}/en"), &own("One more")).await.problem(422, "template_limit");
    let path = "/v1/templates/activation_sms/en-007";
    app.put(path, &json!({"text": "Changed, {{ name }}"})).await.ok(200);
    assert_eq!(app.get("/v1/templates").await.ok(200)["items"].as_array().unwrap().len(), 500);
    app.delete(path).await.ok(204);
    app.put(&format!("{LINK}/en"), &own("One more")).await.ok(200);
    app.finish().await;
}
