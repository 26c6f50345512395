//! Who imports whom, as `src/lib.rs` says; and what no file may have.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;

/// Crates that only some parts may use.
const ONLY_IN: [(&str, &[&str]); 4] = [
    ("diesel", &["storage"]),
    ("actix_web", &["http", "sandbox", "app"]),
    ("reqwest", &["outbound", "gateway", "directory", "webhook", "http", "sandbox"]),
    ("tokio", &["service", "storage", "delivery", "directory", "outbound", "http", "app", "main", "sandbox"]),
];

/// A file under `src`, with what is only there for its own tests cut off.
struct Source {
    path: PathBuf,
    text: String,
    code: String,
}

impl Source {
    /// The part of the crate that the file belongs to: `http`, `domain`, …
    fn area(&self) -> String {
        let first = self.path.components().next().unwrap().as_os_str().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    }

    /// Whether the file is the root of its area, where `super` is the crate.
    fn is_root(&self) -> bool {
        self.path.components().count() == 1 || self.path.components().count() == 2 && self.path.ends_with("mod.rs")
    }

    /// The parts of the crate that the code names.
    fn imports(&self) -> BTreeSet<String> {
        let mentions = self.code.split("crate::").skip(1);
        mentions.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()).collect()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 50);
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_owned();
            let code = if path.ends_with("tests.rs") { String::new() } else { code_of(&text) };
            found.push(Source { path, text, code });
        }
    }
}

/// The code without comments, macros' own `$crate`, and the module of tests.
fn code_of(text: &str) -> String {
    let code = text.split_once("#[cfg(test)]\nmod ").map_or(text, |(code, _)| code);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n").replace("$crate::", "")
}

/// The rules as the crate's documentation has them: `area → those it may import`.
fn rules() -> BTreeMap<String, BTreeSet<String>> {
    let docs = include_str!("../src/lib.rs");
    let (table, _) = docs.split_once("//! ```text\n").unwrap().1.split_once("//! ```").unwrap();
    let rules = table.lines().filter_map(|line| line.trim_start_matches("//!").split_once('→'));
    let words =
        |text: &str| text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    rules
        .flat_map(|(areas, imports)| {
            let imports: BTreeSet<String> = words(imports).into_iter().collect();
            words(areas).into_iter().map(move |area| (area, imports.clone()))
        })
        .collect()
}

#[test]
fn everybody_imports_only_what_they_may() {
    let rules = rules();
    for source in sources() {
        let area = source.area();
        if area == "lib" {
            continue;
        }
        let allowed = rules.get(&area).unwrap_or_else(|| panic!("src/lib.rs has no rule for {area}"));
        for import in source.imports() {
            let may = import == area || allowed.contains(&import) || allowed.contains("everything");
            assert!(may, "{}: {area} must not import {import:?}", source.path.display());
        }
    }
}

#[test]
fn clients_are_made_in_one_place() {
    for source in sources().iter().filter(|source| source.area() != "outbound") {
        for way in ["Client::builder", "ClientBuilder", "Client::new", "Client::default", "reqwest::get"] {
            assert!(!source.code.contains(way), "{}: outbound::Egress makes clients", source.path.display());
        }
    }
}

#[test]
fn nobody_gets_around_the_rules() {
    for source in sources() {
        let path = source.path.display();
        assert!(!source.code.contains("super::super"), "{path}: write crate:: instead");
        assert!(!source.code.contains("crate::{"), "{path}: one line for each import, as rustfmt orders them");
        assert!(!source.is_root() || !source.code.contains("super::"), "{path}: super is the whole crate here");
    }
}

#[test]
fn every_part_keeps_to_its_crates() {
    for source in sources() {
        for (name, areas) in ONLY_IN {
            let uses = source.code.contains(&format!("use {name}")) || source.code.contains(&format!(" {name}::"));
            assert!(!uses || areas.contains(&source.area().as_str()), "{} uses {name}", source.path.display());
        }
    }
}

#[test]
fn the_audit_trail_is_only_ever_added_to() {
    let writers = sources().into_iter().filter(|source| source.code.contains("audit_event"));
    let writers: Vec<_> = writers.filter(|source| !source.path.ends_with("schema.rs")).collect();
    assert!(writers.len() >= 2);
    for source in writers {
        for statement in ["update(", "delete(", "UPDATE ", "DELETE ", "TRUNCATE ", "sql_query"] {
            assert!(!source.code.contains(statement), "{} has {statement}", source.path.display());
        }
    }
}

#[test]
fn rules_are_for_parts_that_exist() {
    let areas: BTreeSet<String> = sources().iter().map(Source::area).collect();
    for (area, imports) in rules() {
        assert!(areas.contains(&area), "{area}");
        for import in imports.iter().filter(|import| !["everything", "nothing"].contains(&import.as_str())) {
            assert!(areas.contains(import), "{area} → {import}");
        }
    }
}

#[test]
fn files_are_short_and_described() {
    for Source { path, text, .. } in sources() {
        let path_text = path.display();
        assert!(text.lines().count() <= LINES_MAX, "{path_text} has more than {LINES_MAX} lines");
        assert!(text.starts_with("//!") || path.ends_with("tests.rs"), "{path_text} does not say what it is for");
    }
}
