//! The translation alone: what is shown, what a value changes, what a revert takes back.

use actix_web::ResponseError as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::connector::{CONNECTORS, id, of_category};
use super::fault;
use super::property::{Property, Tree, Wanted, patch, reverted};
use crate::domain::settings::{Defaults, Settings, apply};
use crate::domain::wso2::Wso2Version;
use crate::service::settings::Standing;
use crate::service::{Failure, ServiceError};

const NEW: &str = "7.2.0";
const OLD: &str = "7.1.0";

fn version(text: &str) -> Wso2Version {
    Wso2Version::parse(text).unwrap()
}

fn settings(overrides: &Value) -> Settings {
    Defaults::built_in().merged(overrides).unwrap()
}

fn property(name: &str) -> &'static Property {
    CONNECTORS.into_iter().find_map(|connector| connector.property(name, version(NEW))).unwrap()
}

fn wanted(values: &[(&str, &str)]) -> Vec<Wanted> {
    values.iter().map(|(name, value)| property(name).want(value).unwrap()).collect()
}

/// The patch of these values over these overrides, or what is said against it.
fn patched(overrides: &Value, values: &[(&str, &str)]) -> Result<Value, String> {
    let (settings, defaults) = (settings(overrides), Settings::default());
    let made = patch(&wanted(values), &Standing { settings: &settings, defaults: &defaults });
    made.map_err(|problems| problems[0].detail.clone())
}

#[test]
fn ids_are_the_originals() {
    assert_eq!(id("User Onboarding"), "VXNlciBPbmJvYXJkaW5n");
    let ids = |category| of_category(category).iter().map(|connector| connector.id()).collect::<Vec<_>>();
    assert_eq!(ids("VXNlciBPbmJvYXJkaW5n"), ["dXNlci1lbWFpbC12ZXJpZmljYXRpb24"]);
    assert_eq!(ids("QWNjb3VudCBNYW5hZ2VtZW50"), ["YWRtaW4tZm9yY2VkLXBhc3N3b3JkLXJlc2V0"]);
    assert!(ids("VXNlciBPbmJvYXJkaW5n=").is_empty() && ids("").is_empty());
}

#[test]
fn both_generations_have_their_properties_in_the_originals_order() {
    let shown = |connector: usize, text| {
        let properties = CONNECTORS[connector].properties(version(text));
        properties.map(|property| (property.name, property.shown(&Tree::of(&Settings::default())))).collect::<Vec<_>>()
    };
    let expected = [
        ("EmailVerification.Enable", "true"),
        ("EmailVerification.OTP.SendOTPInEmail", "false"),
        ("EmailVerification.OTP", "false"),
        ("EmailVerification.AskPassword.EmailOTP", "false"),
        ("EmailVerification.AskPassword.SMSOTP", "false"),
        ("EmailVerification.OTP.UseUppercaseCharactersInOTP", "true"),
        ("EmailVerification.OTP.UseLowercaseCharactersInOTP", "true"),
        ("EmailVerification.OTP.UseNumbersInOTP", "true"),
        ("EmailVerification.OTP.OTPLength", "6"),
        ("EmailVerification.LockOnCreation", "true"),
        ("EmailVerification.Notification.InternallyManage", "true"),
        ("EmailVerification.AskPassword.AccountActivation", "true"),
        ("EmailVerification.ExpiryTime", "1440"),
        ("EmailVerification.AskPassword.ExpiryTime", "1440"),
        ("EmailVerification.AskPassword.PasswordGenerator", "org.wso2.carbon.user.mgt.common.DefaultPasswordGenerator"),
        (
            "_url_listPurposeJITProvisioning",
            "/carbon/consent/list-purposes.jsp?purposeGroup=JIT&purposeGroupType=SYSTEM&callback=%2Fcarbon%2Fidpmgt\
             %2Fidp-mgt-edit-local.jsp%3Fcategory%3DUser+Onboarding%26subCategory%3DAsk+Password",
        ),
    ];
    let expected = expected.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(shown(0, NEW), expected);
    let older: Vec<_> = expected.iter().enumerate().filter(|(place, _)| !(2..5).contains(place)).collect();
    assert_eq!(shown(0, OLD), older.into_iter().map(|(_, shown)| shown.clone()).collect::<Vec<_>>());
    let reset =
        [("RecoveryLink", "true"), ("OTP", "false"), ("SMSOTP", "false"), ("Offline", "false"), ("ExpiryTime", "1440")];
    for text in [OLD, NEW] {
        let found = shown(1, text).into_iter().map(|(name, value)| (name.rsplit('.').next().unwrap(), value));
        assert_eq!(found.collect::<Vec<_>>(), reset.map(|(name, value)| (name, value.to_owned())));
    }
}

#[test]
fn methods_are_shown_one_by_one_and_chosen_by_what_is_on_in_the_end() {
    const EMAIL: &str = "EmailVerification.AskPassword.EmailOTP";
    const SMS: &str = "EmailVerification.AskPassword.SMSOTP";
    let both = Err("Enabling more than one ask password set option is not allowed.".to_owned());
    let by = |method: &str| json!({"method": method});
    for (holds, values, expected) in [
        ("email_link", [(EMAIL, "true"), (SMS, "false")].as_slice(), Ok(by("email_otp"))),
        ("email_link", &[(SMS, "TRUE")], Ok(by("sms_otp"))),
        ("email_otp", &[(SMS, "false")], Ok(by("email_otp"))),
        ("email_otp", &[(EMAIL, "false")], Ok(by("email_link"))),
        ("email_otp", &[(EMAIL, "false"), (SMS, "true")], Ok(by("sms_otp"))),
        ("email_otp", &[(SMS, "true")], both.clone()),
        ("email_link", &[(EMAIL, "true"), (SMS, "true")], both),
    ] {
        assert_eq!(patched(&by(holds), values), expected, "{holds} {values:?}");
        let shown = [EMAIL, SMS].map(|name| property(name).shown(&Tree::of(&settings(&by(holds)))));
        assert_eq!(shown, [holds == "email_otp", holds == "sms_otp"].map(|on| on.to_string()));
    }
}

#[test]
fn of_the_ways_to_reset_a_password_exactly_one_is_on() {
    let name = |option: &str| format!("Recovery.AdminPasswordReset.{option}");
    let reset = |holds: &str, values: &[(&str, &str)]| {
        let values: Vec<_> = values.iter().map(|(option, value)| (name(option), *value)).collect();
        let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        patched(&json!({"passwordReset": {"method": holds}}), &values)
    };
    let by = |method: &str| Ok(json!({"passwordReset": {"method": method}}));
    let all = |on: &str| {
        ["RecoveryLink", "OTP", "SMSOTP", "Offline"].map(|option| (option, if option == on { "true" } else { "false" }))
    };
    assert_eq!(reset("email_link", &all("OTP")), by("email_otp"));
    assert_eq!(reset("email_otp", &all("RecoveryLink")), by("email_link"));
    assert_eq!(reset("sms_otp", &[("OTP", "false")]), by("sms_otp"));
    let said = |words: &str| Err(words.to_owned());
    let several = said("Enabling more than one admin password reset option is not allowed");
    assert_eq!(reset("email_link", &[("OTP", "true"), ("SMSOTP", "true")]), several);
    let beside = said("Enabling admin forced password reset option while other options are enabled is not allowed");
    assert_eq!(reset("email_link", &[("OTP", "true")]), beside);
    let none = said("Disabling all admin forced password reset options is not allowed");
    assert_eq!(reset("email_link", &[("RecoveryLink", "false")]), none);
    let expiry = [("Recovery.AdminPasswordReset.ExpiryTime", "-1")];
    assert_eq!(patched(&json!({}), &expiry), Ok(json!({"passwordReset": {"expiryMinutes": -1}})));
}

#[test]
fn values_of_another_form_are_refused_with_the_reason() {
    let refused = |name: &str, value: &str| property(name).want(value).err();
    for (name, value, why) in [
        ("EmailVerification.Enable", "yes", "must be true or false"),
        ("EmailVerification.Notification.InternallyManage", "", "must be true or false"),
        ("EmailVerification.AskPassword.SMSOTP", "1", "must be true or false"),
        ("EmailVerification.OTP.OTPLength", "six", "must be a whole number"),
        ("EmailVerification.AskPassword.ExpiryTime", "60.5", "must be a whole number"),
        (
            "EmailVerification.OTP.SendOTPInEmail",
            "true",
            "can only be false: a code in place of a link is a method of its own",
        ),
        (
            "EmailVerification.ExpiryTime",
            "60",
            "can only be 1440: addresses are not verified here but by an invitation",
        ),
        ("Recovery.AdminPasswordReset.Offline", "true", "can only be false: codes are never kept with the user"),
    ] {
        assert_eq!(refused(name, value), Some(format!("{name}: {why}")), "{value}");
    }
    for (name, value) in [("EmailVerification.OTP.SendOTPInEmail", "False"), ("EmailVerification.ExpiryTime", " 1440 ")]
    {
        assert_eq!(refused(name, value), None, "it has that value already");
    }
    let kept = [("EmailVerification.OTP", "false"), ("EmailVerification.ExpiryTime", "1440")];
    assert_eq!(patched(&json!({}), &kept), Ok(json!({})));
}

#[test]
fn a_revert_takes_back_what_would_be_otherwise() {
    let back = |defaults: &Value, overrides: &Value, names: &[&str]| {
        let defaults = Defaults::new(defaults.clone()).unwrap();
        let standing = Standing { settings: &defaults.merged(overrides).unwrap(), defaults: &defaults.settings };
        reverted(&names.iter().map(|name| property(name)).collect::<Vec<_>>(), &standing)
    };
    let (email, sms) = ("EmailVerification.AskPassword.EmailOTP", "EmailVerification.AskPassword.SMSOTP");
    let by = |method: &str| json!({"method": method});
    let gone = json!({"method": null});
    assert_eq!(back(&json!({}), &by("sms_otp"), &[sms]), gone);
    assert_eq!(back(&json!({}), &by("sms_otp"), &[email]), json!({}), "it is off by default, and off");
    assert_eq!(back(&by("email_otp"), &by("sms_otp"), &[email]), gone, "it is on by default");
    assert_eq!(back(&json!({}), &by("email_link"), &[email, sms]), gone, "said, though it is what holds anyway");
    let names =
        ["EmailVerification.OTP.OTPLength", "EmailVerification.Notification.InternallyManage", "EmailVerification.OTP"];
    assert_eq!(back(&json!({}), &json!({}), &names), json!({"otp": {"length": null}, "notifications": null}));
    let link = ["Recovery.AdminPasswordReset.RecoveryLink"];
    let overrides = json!({"passwordReset": {"method": "sms_otp"}});
    assert_eq!(back(&json!({}), &overrides, &link), json!({"passwordReset": {"method": null}}));
}

#[test]
fn a_failure_of_ours_goes_by_the_operations_number() {
    let corrupt = || ServiceError::Failed(Failure::Corrupt("tenant's settings"));
    for (operation, code) in [
        (fault::READING_CATEGORY, "IDG-50002"),
        (fault::READING_CONNECTOR, "IDG-50003"),
        (fault::UPDATING, "IDG-50004"),
        (fault::READING_PREFERENCES, "IDG-50010"),
        (fault::REVERTING, "IDG-50018"),
    ] {
        let fault = operation.failed(corrupt(), &[]);
        assert_eq!((fault.status_code().as_u16(), fault.code.as_str()), (500, code));
        assert!(
            fault.message.starts_with("Unable to ") && fault.description.starts_with("Server Encountered an error ")
        );
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_shown(
        enabled in any::<bool>(), lock in any::<bool>(), internal in any::<bool>(), method in 0..3_usize, length in 4..=10_u8,
        minutes in -1..=10_080_i64, reset in 0..3_usize,
    ) {
        let on = |chosen: usize, place: usize| Value::from(chosen == place);
        let values = [
            ("EmailVerification.Enable", json!(enabled)),
            ("EmailVerification.LockOnCreation", json!(lock)),
            ("EmailVerification.Notification.InternallyManage", json!(internal)),
            ("EmailVerification.AskPassword.EmailOTP", on(method, 1)),
            ("EmailVerification.AskPassword.SMSOTP", on(method, 2)),
            ("EmailVerification.OTP.OTPLength", json!(length)),
            ("EmailVerification.AskPassword.ExpiryTime", json!(minutes)),
            ("Recovery.AdminPasswordReset.RecoveryLink", on(reset, 0)),
            ("Recovery.AdminPasswordReset.OTP", on(reset, 1)),
            ("Recovery.AdminPasswordReset.SMSOTP", on(reset, 2)),
        ].map(|(name, value)| (name, text_of(&value)));
        let made = patched(&json!({}), &values.each_ref().map(|(name, value)| (*name, value.as_str()))).unwrap();
        let overrides = apply(&json!({}), &made);
        let after = settings(&overrides);
        let shown = Tree::of(&after);
        for (name, value) in &values {
            prop_assert_eq!(&property(name).shown(&shown), value, "{}", name);
        }
        let properties = values.each_ref().map(|(name, _)| property(name));
        let defaults = Settings::default();
        let back = reverted(&properties, &Standing { settings: &after, defaults: &defaults });
        prop_assert_eq!(apply(&overrides, &back), json!({}));
    }
}
