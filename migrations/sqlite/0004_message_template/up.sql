-- A tenant's own words for one kind of message in one locale.
CREATE TABLE message_template (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    locale TEXT NOT NULL,
    -- E-mails only.
    subject TEXT,
    text TEXT NOT NULL,
    -- E-mails only; made from the text when there is none.
    html TEXT,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, locale)
);
