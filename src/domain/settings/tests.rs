use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn problems_of(overrides: &Value) -> Vec<(String, &'static str)> {
    let problems = Defaults::built_in().merged(overrides).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.pointer, problem.code)).collect()
}

#[test]
fn every_problem_is_found_at_once_and_named_with_its_place() {
    let overrides = json!({
        "expiryMinutes": -2, "method": "pigeon", "nope": 1, "locale": "de_CH",
        "otp": {"length": 3, "uppercase": false, "lowercase": false, "digits": false, "maxAttempts": "five"},
        "passwordReset": [true], "resend": {"cooldownSeconds": 86401, "maxPerInvitation": 1001, "extra": {"a": 1}},
        "links": {"setupUrl": "not a url", "otpUrl": "javascript:alert(1)", "allowedOrigins": ["https://a.example.com/", 7],
                  "allowedRedirects": ["https://*.example.com/"]},
        "notifications": {"a": "internal"}, "sms": {"autofillOrigin": "Example.com", "from": "a.b"},
        "email": {"from": "Example", "replyTo": "Help <help@example.com>"}
    });
    let found = problems_of(&overrides);
    for (pointer, code) in [
        ("/expiryMinutes", "out_of_range"),
        ("/method", "invalid_value"),
        ("/nope", "unknown_field"),
        ("/locale", "invalid_locale"),
        ("/otp", "no_character_class"),
        ("/otp/length", "out_of_range"),
        ("/otp/maxAttempts", "invalid_value"),
        ("/passwordReset", "invalid_value"),
        ("/resend/cooldownSeconds", "out_of_range"),
        ("/resend/maxPerInvitation", "out_of_range"),
        ("/resend/extra", "unknown_field"),
        ("/links/setupUrl", "placeholder_missing"),
        ("/links/setupUrl", "invalid_url"),
        ("/links/otpUrl", "invalid_url"),
        ("/links/allowedOrigins/1", "invalid_value"),
        ("/links/allowedRedirects/0", "invalid_url"),
        ("/notifications", "invalid_value"),
        ("/sms/autofillOrigin", "invalid_origin"),
        ("/sms/from", "invalid_sender"),
        ("/email/from", "invalid_sender"),
        ("/email/replyTo", "invalid_email"),
    ] {
        assert!(found.contains(&(pointer.to_owned(), code)), "{pointer} {code} in {found:?}");
    }
    assert_eq!(found.len(), 21, "{found:?}");
    let long = json!({"links": {"allowedRedirects": vec![format!("https://example.com/{}", "x".repeat(200)); 100]}});
    assert_eq!(problems_of(&long), [(String::new(), "too_large")]);
}

#[test]
fn an_email_comes_from_an_address_with_or_without_a_name() {
    for good in ["", "a@example.com", "Example, Inc. <a@example.com>", "\"Zürich\" <a@example.com>"] {
        assert_eq!(problems_of(&json!({"email": {"from": good}})), [], "{good}");
    }
    for bad in
        ["Example", "Example <a@example.com", "a@example.com, b@example.com", "A <a@example.com>\nBcc: b@example.com"]
    {
        assert_eq!(
            problems_of(&json!({"email": {"from": bad}})),
            [("/email/from".to_owned(), "invalid_sender")],
            "{bad}"
        );
    }
}

#[test]
fn a_text_message_comes_from_a_number_a_short_code_or_a_name() {
    let problems = |from: &str| problems_of(&json!({"sms": {"from": from}}));
    for good in ["", "+94771234567", "12345", "Example", "Acme 4 You", "A", "ABCDEFGHIJK"] {
        assert_eq!(problems(good), [], "{good}");
    }
    for bad in ["12", "123456789", " Example", "ABCDEFGHIJKL", "Zürich", "a\nb", "+0771234567", "Acme_1"] {
        assert_eq!(problems(bad), [("/sms/from".to_owned(), "invalid_sender")], "{bad}");
    }
}

#[test]
fn the_strict_profile_has_its_ceilings() {
    let strict = |rest: Value| problems_of(&apply(&json!({"policy": {"profile": "strict"}}), &rest));
    assert_eq!(strict(json!({})), []);
    assert_eq!(strict(json!({"method": "sms_otp"})), [("/expiryMinutes".to_owned(), "expiry_too_long")]);
    assert_eq!(strict(json!({"method": "sms_otp", "expiryMinutes": 10})), []);
    assert_eq!(
        strict(json!({"expiryMinutes": -1, "passwordReset": {"method": "email_otp", "expiryMinutes": 1441}})),
        [
            ("/expiryMinutes".to_owned(), "expiry_too_long"),
            ("/passwordReset/expiryMinutes".to_owned(), "expiry_too_long")
        ]
    );
    let weak = json!({"method": "email_otp", "otp": {"uppercase": false, "lowercase": false}});
    assert_eq!(strict(weak), [("/otp".to_owned(), "otp_too_weak")]);
}

#[test]
fn an_override_that_no_longer_fits_is_set_aside_and_the_others_hold() {
    let strict = Defaults::new(json!({"policy": {"profile": "strict"}})).unwrap();
    let overrides = json!({
        "method": "sms_otp", "expiryMinutes": 60, "links": {"otpUrl": "https://a.example.com/"}, "outlived": {"a": 1},
        "otp": {"length": "six"}
    });
    let found = strict.effective(&overrides);
    assert_eq!(found.set_aside, ["method", "otp.length", "outlived"]);
    assert_eq!((found.settings.method, found.settings.expiry_minutes), (Method::EmailLink, 60));
    assert_eq!(found.settings.links.otp_url, "https://a.example.com/");
    assert_eq!(found.settings.problems(), []);
    assert_eq!((found.sources["expiryMinutes"], found.sources["method"]), (Source::Tenant, Source::Default));
    assert_eq!(found.sources["policy.profile"], Source::Operator);
}

#[test]
fn a_tenant_that_asked_to_be_strict_stays_so_whatever_the_operator_changes() {
    let lax = Defaults::new(json!({"expiryMinutes": -1})).unwrap();
    let found = lax.effective(&json!({"policy": {"profile": "strict"}, "passwordReset": {"method": "email_otp"}}));
    assert_eq!(found.set_aside, Vec::<String>::new());
    assert_eq!((found.settings.policy.profile, found.settings.expiry_minutes), (Profile::Strict, -1));
    assert_eq!(found.settings.password_reset.method, Method::EmailOtp);
    let mended = lax.effective(&json!({"policy": {"profile": "strict"}, "expiryMinutes": 60}));
    assert_eq!((mended.settings.problems(), mended.settings.expiry_minutes), (Vec::new(), 60));
}

#[test]
fn a_null_takes_an_override_away_and_nothing_empty_is_left() {
    let stored = json!({"method": "sms_otp", "otp": {"length": 8, "digits": false}});
    assert_eq!(
        apply(&stored, &json!({"otp": {"length": null}})),
        json!({"method": "sms_otp", "otp": {"digits": false}})
    );
    assert_eq!(apply(&stored, &json!({"otp": null, "method": null, "locale": null})), json!({}));
    assert_eq!(apply(&json!({}), &json!({"otp": {"length": null}, "links": {}})), json!({}));
    assert_eq!(differences(&stored, &json!({"otp": {"length": 9, "digits": false}})), ["method", "otp.length"]);
}

#[test]
fn a_name_that_nobody_knows_can_only_be_taken_away() {
    let faults = |stored: Value, patch: Value| Defaults::built_in().faults_of_patch(&stored, &patch).len();
    assert_eq!(faults(json!({}), json!({"outlived": null})), 1);
    assert_eq!(faults(json!({"outlived": 1}), json!({"outlived": null, "locale": null, "otp": null})), 0);
    assert_eq!(faults(json!({"outlived": 1}), json!({"outlived": 2})), 1);
    assert_eq!(faults(json!({}), json!({"method": {"sms_otp": null}, "otp": 1})), 2);
}

/// Some of the keys with values that are right together, or `null`.
fn patch() -> impl Strategy<Value = Value> {
    let values = [
        ("/enabled", json!([true, false])),
        ("/method", json!(["email_link", "email_otp", "sms_otp"])),
        ("/expiryMinutes", json!([-1, 0, 1, 10_080])),
        ("/notifications", json!(["internal", "external"])),
        ("/otp/length", json!([4, 7, 10])),
        ("/otp/digits", json!([true, false])),
        ("/passwordReset/lockAccount", json!([true, false])),
        ("/resend/toleranceMinutes", json!([0, 1440])),
        ("/reminders/minutesBeforeExpiry", json!([[], [60], [1440, 60]])),
        ("/links/allowedOrigins", json!([[], ["https://a.example.com"], ["http://127.0.0.1:8084"]])),
        ("/sms/autofillOrigin", json!(["a.example.com", "a.example.com:8443"])),
        ("/sms/from", json!(["Example", "+94771234567"])),
        ("/email/from", json!(["no-reply@example.com", "Example <no-reply@example.com>"])),
        ("/email/replyTo", json!(["help@example.com"])),
        ("/passwordPolicy/minLength", json!([8, 15])),
    ];
    let choices = values.map(|(pointer, values)| {
        let mut values = values.as_array().unwrap().clone();
        values.push(Value::Null);
        prop::option::of(prop::sample::select(values)).prop_map(move |value| (pointer, value))
    });
    Vec::from(choices).prop_map(|chosen| {
        let mut patch = json!({});
        for (pointer, value) in chosen.into_iter().filter_map(|(pointer, value)| Some((pointer, value?))) {
            let names = pointer.split('/').skip(1);
            *names.fold(&mut patch, |node, name| {
                if node.is_null() {
                    *node = json!({});
                }
                &mut node[name]
            }) = value;
        }
        patch
    })
}

/// Every value of a tree with its pointer; lists are values.
fn values(tree: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    match tree {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| values(member, &format!("{pointer}/{name}"), found));
        }
        value => found.push((pointer.to_owned(), value.clone())),
    }
}

fn values_of(tree: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    values(tree, "", &mut found);
    found
}

proptest! {
    #[test]
    fn sources_and_layers_make_up_what_holds(given in patch(), patches in prop::collection::vec(patch(), 1..5)) {
        let given = apply(&json!({}), &given);
        let defaults = Defaults::new(given.clone()).unwrap();
        let overrides = patches.iter().fold(json!({}), |stored, patch| apply(&stored, patch));
        let effective = defaults.effective(&overrides);
        let tree = serde_json::to_value(&effective.settings).unwrap();
        let built_in = serde_json::to_value(Settings::default()).unwrap();

        prop_assert!(effective.set_aside.is_empty());
        prop_assert_eq!(effective.sources.len(), values_of(&tree).len());
        for (pointer, value) in values_of(&tree) {
            let layer = match effective.sources[&pointer[1..].replace('/', ".")] {
                Source::Tenant => &overrides,
                Source::Operator => &given,
                Source::Default => &built_in,
            };
            prop_assert_eq!(layer.pointer(&pointer), Some(&value), "{}", pointer);
        }
        for (pointer, sent) in values_of(patches.last().unwrap()) {
            if sent.is_null() {
                prop_assert_eq!(overrides.pointer(&pointer), None);
            } else {
                prop_assert_eq!(tree.pointer(&pointer), Some(&sent), "{}", pointer);
            }
        }
        let text = overrides.to_string();
        prop_assert!(!text.contains("null") && !text.contains(":{}"), "{text}");
        prop_assert_eq!(apply(&overrides, &overrides), overrides);
    }

    #[test]
    fn whatever_the_operator_changes_a_tenant_has_settings_without_problems(
        before in patch(), after in patch(), strict in any::<bool>(), overrides in patch(),
    ) {
        let overrides = apply(&apply(&json!({}), &overrides), &json!({"before": before}));
        let profile = if strict { "strict" } else { "compatible" };
        let after = apply(&apply(&json!({}), &after), &json!({"policy": {"profile": profile}}));
        let Ok(defaults) = Defaults::new(after) else { return Ok(()) };
        prop_assert_eq!(defaults.effective(&overrides).settings.problems(), []);
    }
}
