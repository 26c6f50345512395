//! The one filter that the directory understands: `userName eq "…"` (RFC 7644 §3.4.2.2).

use super::error::ScimError;
use super::patch::CORE_SCHEMA;

/// The user name asked for; attribute and operator in any case, the value a JSON string.
pub(super) fn user_name_of(filter: &str) -> Result<String, ScimError> {
    let (attribute, rest) = filter.trim().split_once(' ').ok_or(ScimError::InvalidFilter)?;
    let (operator, value) = rest.trim_start().split_once(' ').ok_or(ScimError::InvalidFilter)?;
    let name = attribute.strip_prefix(CORE_SCHEMA).and_then(|name| name.strip_prefix(':')).unwrap_or(attribute);
    if !name.eq_ignore_ascii_case("userName") || !operator.eq_ignore_ascii_case("eq") {
        return Err(ScimError::InvalidFilter);
    }
    serde_json::from_str(value).or(Err(ScimError::InvalidFilter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_read_as_a_json_string() {
        for (filter, expected) in [
            (r#"userName eq "alex""#, "alex"),
            (r#"USERNAME EQ "Alex""#, "Alex"),
            (r#"  username   eq   "a b" "#, "a b"),
            (r#"userName eq "a\" or userName sw \"""#, r#"a" or userName sw ""#),
            (r#"userName eq "\u00e9\\""#, "é\\"),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "alex""#, "alex"),
        ] {
            assert_eq!(user_name_of(filter).unwrap(), expected, "{filter}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for filter in [
            "",
            "userName",
            "userName eq",
            "userName eq alex",
            "userName eq 'alex'",
            r#"userName sw "a""#,
            r#"id eq "1""#,
            r#"userName eq "a" or userName eq "b""#,
            r#"userName eq "a"#,
            r#"userName eq "a\x""#,
            r#"(userName eq "a")"#,
        ] {
            assert_eq!(user_name_of(filter), Err(ScimError::InvalidFilter), "{filter}");
        }
    }
}
