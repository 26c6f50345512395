//! HTML of e-mails: what may be in it, and how it is made from a text.
//!
//! Only what shows text, tables and links is let through. A mail with a secret must not load anything, run anything, or
//! carry the secret to any other address than its own.

use html5gum::{HtmlString, StartTag, Token, Tokenizer};

use super::built_in::{in_frame, link_to};
use super::syntax::{Piece, scan};

const ELEMENTS: &str = " html head title meta body div span p br hr a h1 h2 h3 h4 h5 h6 b strong i em u s small sub sup center font blockquote pre \
code ul ol li dl dt dd table caption colgroup col thead tbody tfoot tr th td ";
const ATTRIBUTES: &str = " style class id lang dir title role align valign width height bgcolor color face size border cellpadding cellspacing \
colspan rowspan href rel target charset name content ";
/// Parts of a style that load something or hide that they do.
const STYLE_REFUSED: [&str; 7] = ["url(", "image", "expression", "behavior", "@", "\\", "/*"];

/// Why HTML is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HtmlProblem {
    Element(String),
    Attribute(String),
    Style,
    Comment,
    /// An address that is not one of a page, or one that a secret or a name is put into.
    Address,
}

/// What was put into the template to see where it comes out.
pub(super) struct Planted<'a> {
    /// Addresses that may be followed as they are.
    pub(super) addresses: &'a [&'a str],
    /// What must not get into any other address.
    pub(super) values: &'a [&'a str],
}

/// Checks rendered HTML; returns its text and addresses, to look for the secret in.
pub(super) fn check(html: &str, planted: &Planted<'_>) -> Result<String, HtmlProblem> {
    let mut seen = String::new();
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => check_tag(&tag, planted, &mut seen)?,
            Token::String(text) => seen.push_str(&lossy(&text)),
            Token::Comment(_) => return Err(HtmlProblem::Comment),
            Token::EndTag(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    Ok(seen)
}

fn check_tag(tag: &StartTag<()>, planted: &Planted<'_>, seen: &mut String) -> Result<(), HtmlProblem> {
    let element = lossy(&tag.name);
    if !is_listed(ELEMENTS, &element) {
        return Err(HtmlProblem::Element(element));
    }
    for (name, value) in &tag.attributes {
        let (name, value) = (lossy(name), lossy(value));
        if !is_listed(ATTRIBUTES, &name) || (name == "href" && element != "a") {
            return Err(HtmlProblem::Attribute(name));
        }
        let holds_value = planted.values.iter().any(|planted| value.contains(planted));
        match name.as_str() {
            "style" if holds_value || STYLE_REFUSED.iter().any(|part| value.to_ascii_lowercase().contains(part)) => {
                return Err(HtmlProblem::Style);
            }
            "href" if planted.addresses.contains(&value.as_str()) => {
                seen.push_str(&value);
                seen.push('\n');
            }
            "href" if holds_value || !is_page(&value) => return Err(HtmlProblem::Address),
            _ => {}
        }
    }
    Ok(())
}

fn is_listed(list: &str, word: &str) -> bool {
    !word.contains(' ') && list.contains(&format!(" {word} "))
}

fn is_page(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "https" | "http" | "mailto" | "tel"))
}

fn lossy(text: &HtmlString) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// HTML that says the same as a text, as a template itself: paragraphs, and addresses that can be followed.
pub(super) fn from_text(lang: &str, subject: &str, text: &str) -> String {
    let mut body = String::from("<p>");
    let mut after_tag = false;
    let pieces = scan(text).unwrap_or_else(|_| vec![Piece::Text(text)]);
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                // The engine drops the line break behind a tag.
                let text = if after_tag { text.strip_prefix('\n').unwrap_or(text) } else { text };
                let paragraphs: Vec<_> =
                    text.split("\n\n").map(|lines| escape(lines).replace('\n', "<br>\n")).collect();
                body.push_str(&paragraphs.join("</p>\n<p>"));
            }
            Piece::Variable(name @ ("link" | "otp_url")) => body.push_str(&link_to(name)),
            Piece::Variable(name) => body.extend(["{{ ", name, " }}"]),
            Piece::Tag(tag) => body.push_str(tag),
        }
        after_tag = matches!(piece, Piece::Tag(_));
    }
    body.push_str("</p>");
    in_frame(lang, &escape(subject), &body)
}

/// Literal text as HTML; names of variables have nothing to escape.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
