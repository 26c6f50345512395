//! What the service asks the database while it is listened to, and how the database goes about it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::database::Database;

static LISTENING: AtomicBool = AtomicBool::new(false);
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Hears the statements of every connection opened from now on.
pub(crate) fn listen() {
    #[expect(clippy::unnecessary_wraps, reason = "as diesel wants it")]
    fn ear() -> Option<Box<dyn Instrumentation>> {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event
                && LISTENING.load(Ordering::Relaxed)
            {
                HEARD.lock().unwrap().push(query.to_string());
            }
        }))
    }
    set_default_instrumentation(ear).unwrap();
}

pub(crate) fn begin() {
    HEARD.lock().unwrap().clear();
    LISTENING.store(true, Ordering::Relaxed);
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The plans of what was heard since [`begin`], each once, with the statement's `FROM` on.
pub(crate) fn explain(database: &Database) -> Vec<String> {
    LISTENING.store(false, Ordering::Relaxed);
    let mut known = Vec::new();
    let heard = HEARD.lock().unwrap().clone();
    let selects = heard.iter().filter(|text| text.starts_with("SELECT") && !text.contains("inv_now"));
    let plans = selects.filter_map(|text| {
        let (sql, binds) = text.split_once(" -- binds: ")?;
        let lines = plan(database, &with_binds(sql, &values(binds)));
        let shape: String = sql.chars().filter(|c| !"?,".contains(*c)).collect();
        let is_new = !known.contains(&shape);
        known.push(shape);
        let from = sql.find(" FROM ").map_or(sql, |at| &sql[at + 1..]).replace(['"', '`'], "");
        is_new.then(|| format!("{from}\n{}", lines.join("\n")))
    });
    plans.collect()
}

fn plan(database: &Database, sql: &str) -> Vec<String> {
    let lines: Vec<Line> = match database.postgres() {
        Some(mut connection) => {
            let explain = "CREATE OR REPLACE FUNCTION pg_temp.plan_of(statement TEXT) RETURNS SETOF TEXT LANGUAGE plpgsql AS $$
                BEGIN
                    RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || statement;
                END $$";
            diesel::sql_query(explain).execute(&mut connection).unwrap();
            let query = diesel::sql_query("SELECT pg_temp.plan_of($1) AS detail").bind::<Text, _>(sql);
            query.load(&mut connection).unwrap()
        }
        None => diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(&mut database.sqlite()).unwrap(),
    };
    lines.into_iter().map(|line| line.detail).collect()
}

/// The values in diesel's list of them, as SQL.
fn values(binds: &str) -> Vec<String> {
    let (mut values, mut value, mut depth, mut quoted) = (Vec::new(), String::new(), 0, false);
    for c in binds.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            _ => {}
        }
        let is_end = !quoted && (c == ',' && depth == 1 || c == ']' && depth == 0);
        match c {
            _ if is_end => values.push(literal(std::mem::take(&mut value).trim())),
            '[' if depth == 1 && !quoted => {}
            _ => value.push(c),
        }
    }
    values
}

fn literal(value: &str) -> String {
    match value {
        "[]" => "ARRAY[]::TEXT[]".to_owned(),
        list if list.starts_with('[') => format!("ARRAY{}", list.replace('"', "'")),
        other => other.replace('"', "'"),
    }
}

fn with_binds(sql: &str, values: &[String]) -> String {
    if sql.contains('?') {
        let mut values = values.iter();
        return sql
            .split_inclusive('?')
            .map(|part| part.replace('?', values.next().map_or("", String::as_str)))
            .collect();
    }
    let numbered = values.iter().enumerate().rev();
    numbered.fold(sql.to_owned(), |sql, (index, value)| sql.replace(&format!("${}", index + 1), value))
}
