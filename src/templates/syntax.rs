//! The little that a template may say: text, `{{ variable }}`, `{% if variable %} … {% elif %} … {% else %} … {% endif %}`, `{# #}`.
//!
//! It is read before the engine sees it. With no loops, literals, operators or filters nothing can grow without bound, and all
//! that a template can do depends only on which variables have a value.

/// Words of conditions that are no variables.
const OPERATORS: [&str; 3] = ["not", "and", "or"];

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// `{{ name }}` by its name.
    Variable(&'a str),
    /// `{% … %}` as it stands.
    Tag(&'a str),
}

/// What is not understood, in which line (from 1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misread {
    pub(super) line: usize,
    pub(super) detail: &'static str,
}

/// The parts of a template, comments left out, and the names of the variables in its conditions.
pub(super) fn scan(source: &str) -> Result<Vec<Piece<'_>>, Misread> {
    let (mut pieces, mut rest) = (Vec::new(), source);
    while let Some((text, opening, after)) = next_opening(rest) {
        let at = source.len() - rest.len() + text.len();
        let misread = |detail| {
            let before = source.get(..at).unwrap_or_default();
            Misread { line: 1 + before.matches('\n').count(), detail }
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let closing = match opening {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let (inner, beyond) = after.split_once(closing).ok_or_else(|| misread("what is opened here is not closed"))?;
        let inner_words = inner.strip_prefix(['-', '+']).unwrap_or(inner);
        let inner_words = inner_words.strip_suffix(['-', '+']).unwrap_or(inner_words).trim();
        match opening {
            "{{" if is_name(inner_words) => pieces.push(Piece::Variable(inner_words)),
            "{{" => return Err(misread("only the name of a variable may stand between {{ and }}")),
            "{%" if is_tag(inner_words) => {
                let whole = rest.get(text.len()..rest.len() - beyond.len()).unwrap_or_default();
                pieces.push(Piece::Tag(whole));
            }
            "{%" => {
                return Err(misread(
                    "only if, elif, else and endif with names of variables may stand between {% and %}",
                ));
            }
            _ => {}
        }
        rest = beyond;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// The variables that a piece names.
pub(super) fn names<'a>(piece: &Piece<'a>) -> Vec<&'a str> {
    match piece {
        Piece::Text(_) => Vec::new(),
        Piece::Variable(name) => vec![name],
        Piece::Tag(tag) => {
            let words = tag.split(|c: char| !is_name_char(c)).filter(|word| !word.is_empty()).skip(1);
            words.filter(|word| !OPERATORS.contains(word)).collect()
        }
    }
}

/// The text before the next opening, the opening, and all behind it.
fn next_opening(text: &str) -> Option<(&str, &str, &str)> {
    let (at, _) = text.match_indices('{').find(|(at, _)| {
        let next = text.as_bytes().get(at + 1);
        matches!(next, Some(b'{' | b'%' | b'#'))
    })?;
    let (before, from) = text.split_at_checked(at)?;
    let (opening, after) = from.split_at_checked(2)?;
    Some((before, opening, after))
}

fn is_tag(words: &str) -> bool {
    let mut words = words.split_ascii_whitespace();
    match words.next() {
        Some("if" | "elif") => words.clone().next().is_some() && words.all(is_name),
        Some("else" | "endif") => words.next().is_none(),
        _ => false,
    }
}

fn is_name(word: &str) -> bool {
    word.chars().all(is_name_char) && word.starts_with(|c: char| c.is_ascii_alphabetic())
}

const fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_variables_and_conditions() {
        let pieces =
            scan("Hi {{ name }}{# why #}!{%- if not expires and link -%}\nx{% else %}{{otp}}{% endif %} }}").unwrap();
        let expected = [
            Piece::Text("Hi "),
            Piece::Variable("name"),
            Piece::Text("!"),
            Piece::Tag("{%- if not expires and link -%}"),
            Piece::Text("\nx"),
            Piece::Tag("{% else %}"),
            Piece::Variable("otp"),
            Piece::Tag("{% endif %}"),
            Piece::Text(" }}"),
        ];
        assert_eq!(pieces, expected);
        let named: Vec<_> = pieces.iter().flat_map(names).collect();
        assert_eq!(named, ["name", "expires", "link", "otp"]);
    }

    #[test]
    fn nothing_else_is_understood() {
        let expressions = [
            "{{ 7*7 }}",
            "{{ name|upper }}",
            "{{ name.x }}",
            "{{ name[0] }}",
            "{{ f() }}",
            "{{ \"x\" }}",
            "{{ }}",
            "{{{ name }}}",
            "{{ name",
            "{{ name\n}",
            "{{ 1 }}",
            "{{ a b }}",
        ];
        let tags = [
            "{% for x in name %}",
            "{% set x = name %}",
            "{% include \"x\" %}",
            "{% extends \"x\" %}",
            "{% macro x() %}",
            "{% raw %}",
            "{% autoescape false %}",
            "{% if %}",
            "{% if name == otp %}",
            "{% else name %}",
            "{% if (name) %}",
            "{%",
            "{% import x as y %}",
            "{% block x %}",
            "{% do x() %}",
            "{# open",
        ];
        for source in expressions.iter().chain(&tags) {
            let misread = scan(&format!("one\ntwo {source}")).unwrap_err();
            assert_eq!(misread.line, 2, "{source}");
        }
    }
}
