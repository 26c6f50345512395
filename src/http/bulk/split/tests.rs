use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

/// The rows of a body that comes in pieces of this size.
fn split(format: Format, body: &[u8], piece: usize) -> Result<Vec<Row>, Unsplittable> {
    let mut splitter = Splitter::new(format);
    let mut rows = Vec::new();
    for mut bytes in body.chunks(piece) {
        while let Some(row) = splitter.next_row(&mut bytes)? {
            rows.push(row);
        }
    }
    rows.extend(splitter.finish()?);
    Ok(rows)
}

fn texts(format: Format, body: &str) -> Vec<String> {
    let rows = split(format, body.as_bytes(), 3).unwrap();
    rows.into_iter()
        .map(|row| match row {
            Row::Text(text) => String::from_utf8(text).unwrap(),
            Row::TooLong => "too long".to_owned(),
        })
        .collect()
}

#[test]
fn an_array_is_split_at_its_own_commas_only() {
    assert_eq!(texts(Format::Array, "[]"), Vec::<String>::new());
    assert_eq!(
        texts(Format::Array, "\u{feff} [ 1 ,\r\n{\"a\":[2,{}]}, \"],\\\",\\\\\"]\n"),
        ["1 ", "{\"a\":[2,{}]}", "\"],\\\",\\\\\""]
    );
}

#[test]
fn lines_may_end_in_crlf_be_blank_or_lack_the_last_end() {
    assert_eq!(texts(Format::Lines, "\u{feff}{\"a\":1}\r\n\r\n  \n\n{\"ä\":2}"), ["{\"a\":1}\r", "{\"ä\":2}"]);
    assert_eq!(texts(Format::Lines, "\n \n"), Vec::<String>::new());
}

#[test]
fn what_is_wrong_between_elements_is_wrong_with_the_body() {
    for bad in
        ["", " ", "{}", "[1,]", "[,1]", "[1,,2]", "[1", "[\"a", "[{]}", "[1]]", "[1] x", "[1}", "[\"\\\"]", "x[1]"]
    {
        assert!(split(Format::Array, bad.as_bytes(), 2).is_err(), "{bad}");
    }
    let deep = format!("[{}1{}]", "[".repeat(65), "]".repeat(65));
    assert_eq!(split(Format::Array, deep.as_bytes(), 7), Err(Unsplittable("A row is nested too deeply.")));
}

#[test]
fn a_bad_row_leaves_the_others_alone() {
    assert_eq!(
        texts(Format::Array, "[1, tru, 1 2, {\"a\"}, \"\\x\", 3]"),
        ["1", "tru", "1 2", "{\"a\"}", "\"\\x\"", "3"]
    );
}

#[test]
fn a_row_that_is_too_long_is_not_held_and_leaves_the_others_alone() {
    let long = "x".repeat(ROW_MAX);
    assert_eq!(texts(Format::Array, &format!("[1,\"{long}\",{long},2]")), ["1", "too long", long.as_str(), "2"]);
    assert_eq!(texts(Format::Lines, &format!("1\n{long}y\n2")), ["1", "too long", "2"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("],}\",\\")),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\\\,\\]ä]{0,4}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_array_is_split_as_serde_reads_it(values in prop::collection::vec(any_json(), 0..8), piece in 1usize..40, pretty: bool) {
        let value = Value::from(values.clone());
        let body = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let rows = split(Format::Array, body.as_bytes(), piece).unwrap();
        let read: Vec<Value> = rows
            .iter()
            .map(|row| match row {
                Row::Text(text) => serde_json::from_slice(text).unwrap(),
                Row::TooLong => Value::Null,
            })
            .collect();
        prop_assert_eq!(read, values);
    }

    #[test]
    fn what_serde_refuses_is_refused_as_a_whole_or_in_a_row(body in "[\\[\\]{},:\"\\\\ a1\\-\\ntru]{0,14}", piece in 1usize..5) {
        let whole = serde_json::from_str::<Vec<Box<RawValue>>>(&body).is_ok();
        let in_rows = split(Format::Array, body.as_bytes(), piece).is_ok_and(|rows| {
            rows.iter().all(|row| matches!(row, Row::Text(text) if serde_json::from_slice::<Box<RawValue>>(text).is_ok()))
        });
        prop_assert_eq!(in_rows, whole);
    }

    #[test]
    fn the_size_of_the_pieces_makes_no_difference(body in prop::collection::vec(any::<u8>(), 0..60), piece in 1usize..9) {
        for format in [Format::Array, Format::Lines] {
            prop_assert_eq!(split(format, &body, piece), split(format, &body, 60));
        }
    }
}
