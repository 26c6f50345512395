//! A password set elsewhere, where WSO2 Identity Server is the directory and says why an account is locked.

use serde_json::{Value, json};

use crate::support::{Settings, TestApp};

/// Lets our reasons be written, so that an administrator's can be told from them.
const WRITES_REASON: &str = "driver = \"wso2\"\nlock_details = [\"lockedReason\"]";

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_else_made_theirs_stays_with_them() {
    for directory in ["driver = \"wso2\"", WRITES_REASON] {
        let Some(app) = TestApp::with_wso2(Settings { directory, ..Settings::default() }).await else { return };
        let writes_reason = directory == WRITES_REASON;
        for (purpose, theirs, is_lifted) in [
            ("onboarding", Value::Null, true),
            ("password_reset", Value::Null, true),
            ("onboarding", json!({"lockedReason": "MAX_ATTEMPTS_EXCEEDED"}), false),
            ("password_reset", json!({"lockedReason": "MAX_ATTEMPTS_EXCEEDED"}), false),
            ("onboarding", json!({"lockedReason": "IDLE_ACCOUNT"}), false),
            // What WSO2 writes on every lock without a reason: only where ours has one, this is somebody else's.
            ("onboarding", json!({"lockedReason": "ADMIN_INITIATED"}), !writes_reason),
            ("password_reset", json!({"lockedReason": "ADMIN_INITIATED"}), !writes_reason),
            ("onboarding", json!({"accountDisabled": true}), false),
        ] {
            let user = app.user().await;
            let issued = app.issue(&user, json!({"purpose": purpose})).await;
            let standing = async || app.directory.user("PRIMARY", &user.id).await["urn:scim:wso2:schema"].clone();
            assert_eq!(standing().await["accountLocked"], true);
            if theirs.is_object() {
                app.directory.change_extension("PRIMARY", &user.id, theirs.clone()).await;
            }
            let before = standing().await;
            assert_eq!(app.report_of("user.password_set", &user).await["invitationId"], issued["id"]);
            app.work().await;
            let place = format!("{purpose} {theirs} {directory}");
            let after = standing().await;
            let account = app.account(&user).await;
            if is_lifted {
                assert_eq!(
                    (&after["accountLocked"], &account["state"]),
                    (&json!(false), &json!("UNLOCKED")),
                    "{place}"
                );
            } else {
                assert_eq!((&after, &account["state"]), (&before, &json!("LOCKED")), "{place}");
                assert_eq!((&account["locked"], &account["lockReason"]), (&json!(true), &Value::Null), "{place}");
            }
        }
        app.finish().await;
    }
}
