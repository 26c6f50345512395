//! The tables, once for both databases: portable column types only (text ids, `BigInt` milliseconds, text JSON).

diesel::table! {
    tenant_settings (tenant) {
        tenant -> Text,
        overrides -> Text,
        version -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    message_template (tenant, kind, locale) {
        tenant -> Text,
        kind -> Text,
        locale -> Text,
        subject -> Nullable<Text>,
        text -> Text,
        html -> Nullable<Text>,
        version -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    account (tenant, realm_key, username_key) {
        tenant -> Text,
        realm_key -> Text,
        username_key -> Text,
        realm -> Text,
        username -> Text,
        user_id -> Nullable<Text>,
        otp_failures -> BigInt,
        lock_reason -> Nullable<Text>,
        hold -> Text,
        directory -> Text,
        version -> BigInt,
        updated_at -> BigInt,
        id -> Text,
        awaits -> Nullable<Text>,
        check_after -> Nullable<BigInt>,
        checks_failed -> BigInt,
    }
}

diesel::table! {
    invitation (id) {
        id -> Text,
        tenant -> Text,
        realm -> Text,
        username -> Text,
        realm_key -> Text,
        username_key -> Text,
        person -> Text,
        terms -> Text,
        metadata -> Text,
        created_by -> Text,
        purpose -> Text,
        method -> Text,
        status -> Text,
        generation -> BigInt,
        resends -> BigInt,
        verifier -> Nullable<Text>,
        retired_verifiers -> Text,
        attempts_left -> Nullable<BigInt>,
        otp_used_at -> Nullable<BigInt>,
        otp_replay -> Nullable<Binary>,
        grant_jti -> Nullable<Text>,
        grant_expires_at -> Nullable<BigInt>,
        accept_fence -> BigInt,
        accept_jti -> Nullable<Text>,
        accept_lease_until -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        issued_at -> BigInt,
        accepted_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        failure -> Nullable<Text>,
        account_id -> Text,
        send_at -> Nullable<BigInt>,
        grace_verifier -> Nullable<Text>,
        grace_until -> Nullable<BigInt>,
        revoke_reason -> Nullable<Text>,
        fallback -> Nullable<Text>,
        fallback_due_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        tenant -> Text,
        invitation_id -> Nullable<Text>,
        generation -> BigInt,
        kind -> Text,
        channel -> Text,
        state -> Text,
        payload -> Nullable<Binary>,
        attempts -> BigInt,
        fence -> BigInt,
        lease_until -> Nullable<BigInt>,
        next_attempt_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        provider_id -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        account_id -> Nullable<Text>,
        priority -> BigInt,
        listed_at -> Nullable<BigInt>,
        endpoint_id -> Nullable<Text>,
        event_id -> Nullable<Text>,
        event_type -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_endpoint (id) {
        id -> Text,
        tenant -> Text,
        slot -> BigInt,
        url -> Text,
        events -> Text,
        description -> Nullable<Text>,
        secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_until -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        disabled_reason -> Nullable<Text>,
        failing_since -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    audit_event (id) {
        id -> Text,
        tenant -> Text,
        at -> BigInt,
        event -> Text,
        actor -> Text,
        request_id -> Nullable<Text>,
        invitation_id -> Nullable<Text>,
        detail -> Text,
        account_id -> Nullable<Text>,
    }
}

diesel::table! {
    idempotency (key_hash) {
        key_hash -> Binary,
        tenant -> Text,
        fingerprint -> Binary,
        fence -> BigInt,
        answer -> Nullable<Binary>,
        account_id -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    bulk_job (id) {
        id -> Text,
        tenant -> Text,
        status -> Text,
        dry_run -> BigInt,
        total -> BigInt,
        done -> BigInt,
        failed -> BigInt,
        stalls -> BigInt,
        fence -> BigInt,
        lease_until -> Nullable<BigInt>,
        next_attempt_at -> BigInt,
        created_by -> Text,
        request_id -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    bulk_row (job_id, position) {
        job_id -> Text,
        position -> BigInt,
        tenant -> Text,
        status -> Text,
        input -> Nullable<Binary>,
        twin -> Nullable<BigInt>,
        invitation_id -> Nullable<Text>,
        problem -> Nullable<Text>,
        attempts -> BigInt,
        next_attempt_at -> BigInt,
    }
}

diesel::table! {
    early_receipt (provider, provider_id, kind, tenant) {
        provider -> Text,
        provider_id -> Text,
        kind -> Text,
        tenant -> Text,
        channel -> Text,
        code -> Nullable<Text>,
        request_id -> Nullable<Text>,
        received_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    tenant_settings,
    account,
    invitation,
    outbox,
    webhook_endpoint,
    audit_event,
    idempotency,
    bulk_job,
    bulk_row,
    early_receipt
);
