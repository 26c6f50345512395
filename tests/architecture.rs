//! Who may import whom. The picture is in `src/lib.rs`; this keeps it true.

#![expect(clippy::unwrap_used, reason = "a test ends where it can't go on")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each layer, and what of ours it may name besides itself.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("storage", &["domain", "clock", "entropy"]),
    ("gateway", &["domain", "clock", "outbound"]),
    ("directory", &["domain", "clock", "outbound"]),
    ("delivery", &["domain", "storage", "gateway", "directory", "clock", "entropy", "failpoint"]),
    ("service", &["domain", "storage", "directory", "clock", "entropy", "failpoint"]),
    ("http", &["domain", "service", "clock", "entropy", "outbound"]),
    ("config", &["domain", "outbound", "storage"]),
];

/// Crates that only some layers may use.
const ONLY_IN: [(&str, &[&str]); 4] = [
    ("diesel", &["storage"]),
    ("actix_web", &["http", "sandbox", "app"]),
    ("reqwest", &["outbound", "gateway", "directory", "http", "sandbox"]),
    ("tokio", &["service", "storage", "delivery", "directory", "http", "app", "main", "sandbox"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// The layer a file belongs to, and its code without tests and comments.
fn code() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_test = |path: &PathBuf| path.file_name().is_some_and(|name| name == "tests.rs");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let text = lines.join("\n");
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap().as_os_str().to_str().unwrap();
        (first.trim_end_matches(".rs").to_owned(), path, text)
    };
    sources(&root).into_iter().filter(|path| !is_test(path)).map(read).collect()
}

/// The modules of ours that a text names by `crate::…`, also inside braces.
fn named(text: &str) -> BTreeSet<&str> {
    let starts = text.split("crate::").skip(1);
    starts
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).collect(),
            None => vec![rest],
        })
        .map(|path| path.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap())
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn layers_name_only_what_they_may_know() {
    let mut checked = 0;
    for (layer, path, text) in code() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == layer) else { continue };
        checked += 1;
        let strangers: Vec<&str> =
            named(&text).into_iter().filter(|module| *module != layer && !allowed.contains(module)).collect();
        assert!(strangers.is_empty(), "{} names {strangers:?}", path.display());
    }
    assert!(checked > 50, "only {checked} files were looked at");
}

#[test]
fn every_layer_keeps_to_its_crates() {
    for (layer, path, text) in code() {
        for (name, layers) in ONLY_IN {
            let uses = text.contains(&format!("use {name}")) || text.contains(&format!(" {name}::"));
            assert!(!uses || layers.contains(&layer.as_str()), "{} uses {name}", path.display());
        }
    }
}

#[test]
fn the_service_does_not_know_its_sandbox() {
    let inside = code().into_iter().filter(|(layer, ..)| !matches!(layer.as_str(), "sandbox" | "main" | "lib"));
    for (_, path, text) in inside {
        assert!(!named(&text).contains("sandbox"), "{}", path.display());
    }
}
