//! What a platform tells of a user in its directory, and what came of it here.

use serde::Deserialize;

use super::text::text_enum;

text_enum!(
    /// What happened to the user.
    #[derive(Deserialize, utoipa::ToSchema)]
    Happening {
        #[serde(rename = "user.created")]
        Created = "user.created",
        #[serde(rename = "user.updated")]
        Updated = "user.updated",
        /// A password was set in the directory itself, such as by an administrator.
        #[serde(rename = "user.password_set")]
        PasswordSet = "user.password_set",
        #[serde(rename = "user.deleted")]
        Deleted = "user.deleted",
    }
);

text_enum!(
    /// What came of it when no invitation was issued.
    Outcome {
        /// Something that waited for the user has ended.
        Applied = "applied",
        /// There was nothing left to do: it was told before, or nothing waited.
        Unchanged = "unchanged",
        /// It asks for nothing here, or is about another user of that name.
        Ignored = "ignored",
    }
);
