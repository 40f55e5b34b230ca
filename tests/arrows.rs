//! Holds the source to the rules that no compiler knows: which module may lean on which, what the
//! fold may not touch, and how a file opens. It reads `src/` as text, so that a wrong arrow fails
//! here with its file and line; it does not judge what the code does.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of the house, lowest first. A module may lean on lower floors, and on its neighbours
/// so long as they do not lean back.
const FLOORS: &[&[&str]] = &[
    &["money", "time", "error", "fault_point", "kafka"],
    &["fold"],
    &["wire", "journal", "store", "config", "telemetry", "tail", "sheet"],
    &["engine", "settings", "topics"],
    &["api", "replay", "demo", "generate"],
    &["cli"],
];

/// Modules that stand beside the floors, with all they may lean on. A send path links them without
/// RocksDB and without the engine.
const ASIDE: &[(&str, &[&str])] = &[
    ("gate", &["money", "time", "error", "fold", "wire", "telemetry", "tail"]),
    (
        "notify",
        &["money", "time", "error", "kafka", "fold", "wire", "telemetry", "tail", "settings"],
    ),
];

/// All that the fold may lean on: arithmetic and plain types.
const FOLD_CRATES: &[&str] = &[
    "alloc",
    "compact_str",
    "core",
    "foldhash",
    "hashbrown",
    "rust_decimal",
    "serde",
    "sha2",
    "smallvec",
    "std",
    "thiserror",
    "uuid",
];
const FOLD_MODULES: &[&str] = &["fold", "money", "time"];

/// What may not stand in the fold's code (law L1), and why.
const FOLD_BANS: &[(&str, &str)] = &[
    ("SystemTime", "the fold has no clock: time is an argument"),
    ("Instant", "the fold has no clock: time is an argument"),
    ("Utc::now", "the fold has no clock: time is an argument"),
    ("Clock", "the fold has no clock: time is an argument"),
    ("f32", "the fold has no floats"),
    ("f64", "the fold has no floats"),
    ("RandomState", "a seed per process makes hash order differ"),
    ("async", "the fold awaits nothing"),
    ("await", "the fold awaits nothing"),
    ("unsafe", "nothing here is unsafe"),
    ("static", "the fold has no globals"),
    ("thread_local", "the fold has no globals"),
    ("println", "the fold logs nothing"),
    ("eprintln", "the fold logs nothing"),
    ("std::env", "the fold reads no environment"),
    ("std::fs", "the fold reads no files"),
    ("std::io", "the fold does no I/O"),
    ("std::net", "the fold does no I/O"),
    ("std::process", "the fold does no I/O"),
    ("Mutex", "the fold shares nothing that changes"),
    ("RwLock", "the fold shares nothing that changes"),
    ("OnceLock", "the fold has no globals"),
    ("LazyLock", "the fold has no globals"),
    ("atomic", "the fold shares nothing that changes"),
    ("mpsc", "the fold sends nothing"),
    ("std::thread", "the fold starts nothing"),
];

/// Words that name nothing (STYLE.md, Names).
const EMPTY_WORDS: &[&str] =
    &["manager", "helper", "helpers", "util", "utils", "data", "info", "process", "handle"];

struct Source {
    path: PathBuf,
    /// `["fold", "limit"]` for src/fold/limit.rs; empty for lib.rs.
    module: Vec<String>,
    text: String,
    /// The text with comments, strings and the tests module blanked out, line for line.
    code: String,
}

impl Source {
    fn floor_module(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    fn place(&self, offset: usize) -> String {
        let line = self.code[..offset].matches('\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 5, "src/ was not read");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let inner = path.strip_prefix(root).unwrap();
            let module = inner
                .with_extension("")
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .filter(|part| !matches!(part.as_str(), "mod" | "lib"))
                .collect();
            let code = without_tests(&blanked(&text));
            let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_owned();
            found.push(Source { path: shown, module, text, code });
        }
    }
}

/// Blanks comments, string and character literals out, keeping every newline where it was.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let until = |needle: &[char], from: usize| {
        rest.windows(needle.len())
            .skip(from)
            .position(|w| w == needle)
            .map_or(chars.len(), |found| at + from + found + needle.len())
    };
    match rest {
        ['/', '/', ..] => until(&['\n'], 0) - 1,
        ['/', '*', ..] => until(&['*', '/'], 2),
        ['r', '"', ..] if !joined_to_word(chars, at) => until(&['"'], 2),
        ['r', '#', '"', ..] if !joined_to_word(chars, at) => until(&['"', '#'], 3),
        ['"', ..] => {
            let mut end = at + 1;
            while end < chars.len() && chars[end] != '"' {
                end += if chars[end] == '\\' { 2 } else { 1 };
            }
            (end + 1).min(chars.len())
        }
        ['\'', '\\', ..] => until(&['\''], 3),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

fn joined_to_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

/// Blanks what stands behind `#[cfg(test)] mod`, which by custom closes the file.
fn without_tests(code: &str) -> String {
    let Some(start) = code.find("#[cfg(test)]\nmod ") else { return code.to_owned() };
    let kept = &code[..start];
    let blank: String = code[start..].chars().filter(|c| *c == '\n').collect();
    format!("{kept}{blank}")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Offsets at which `needle` stands as a whole word or path.
fn whole_words<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[*at + needle.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The top-level modules that the code names at `at`, which stands behind `crate::`: one word, or
/// the first word of each member of a braced group.
fn named_modules(code: &str, at: usize) -> Vec<String> {
    let rest = code[at..].trim_start();
    let first_word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![first_word(rest)] };
    let mut depth = 0;
    let mut member = String::new();
    let mut members = Vec::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(std::mem::take(&mut member)),
            _ => member.push(c),
        }
    }
    members.push(member);
    members.iter().map(|m| first_word(m.trim())).filter(|m| !m.is_empty()).collect()
}

/// Every (offset, module) the file leans on by a path from the crate's root, written as `crate::`,
/// as `tollgate::` (the binary) or as a chain of `super::` that leaves its own top-level module.
fn arrows(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut found = Vec::new();
    for root in ["crate", "tollgate"] {
        for at in whole_words(code, root) {
            let behind = at + root.len();
            if code[behind..].starts_with("::") {
                let named = named_modules(code, behind + 2);
                found.extend(named.into_iter().map(|module| (at, module)));
            }
        }
    }
    let chain = "super::".repeat(source.module.len().max(1));
    for at in code.match_indices(&chain).map(|(at, _)| at) {
        let behind = at + chain.len();
        if !code[..at].ends_with("::") && !code[behind..].starts_with("super") {
            let named = named_modules(code, behind);
            found.extend(named.into_iter().map(|module| (at, module)));
        }
    }
    found
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// Only modules count: the crate root also exports macros and re-exported names.
fn top_level_modules(sources: &[Source]) -> BTreeSet<String> {
    let named = sources.iter().map(|s| s.floor_module().to_owned());
    named.filter(|m| !matches!(m.as_str(), "lib" | "main")).collect()
}

fn may_lean(from: &str, on: &str) -> bool {
    if from == on || matches!(from, "main" | "lib") {
        return true;
    }
    if let Some((_, allowed)) = ASIDE.iter().find(|(name, _)| *name == from) {
        return allowed.contains(&on);
    }
    match (floor(from), floor(on)) {
        (Some(from), Some(on)) => on <= from,
        // Beside the floors, and below those who know all roles.
        (Some(_), None) => matches!(from, "cli" | "api" | "demo"),
        (None, _) => false,
    }
}

#[test]
fn every_module_has_its_floor() {
    for module in top_level_modules(&sources()) {
        let placed = floor(&module).is_some() || ASIDE.iter().any(|(name, _)| *name == module);
        assert!(placed, "src/{module} has no place in tests/arrows.rs: give it one");
    }
}

#[test]
fn arrows_point_down() {
    let sources = sources();
    let modules = top_level_modules(&sources);
    let mut wrong = Vec::new();
    for source in &sources {
        let from = source.floor_module();
        for (at, on) in arrows(source) {
            if modules.contains(&on) && !may_lean(from, &on) {
                wrong.push(format!("{}: {from} may not lean on {on}", source.place(at)));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn neighbours_do_not_lean_on_each_other() {
    let sources = sources();
    let modules = top_level_modules(&sources);
    let mut leans: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in &sources {
        let on = arrows(source).into_iter().map(|(_, m)| m).filter(|m| modules.contains(m));
        leans.entry(source.floor_module().to_owned()).or_default().extend(on);
    }
    for (from, reached) in &leans {
        for on in reached.iter().filter(|on| *on != from) {
            let back = leans.get(on).is_some_and(|m| m.contains(from));
            assert!(!back, "{from} and {on} lean on each other");
        }
    }
}

#[test]
fn fold_leans_on_arithmetic_only() {
    for source in sources().iter().filter(|s| s.floor_module() == "fold") {
        for (at, on) in arrows(source) {
            let allowed = FOLD_MODULES.contains(&on.as_str());
            assert!(allowed, "{}: fold may not lean on {on}", source.place(at));
        }
        for at in whole_words(&source.code, "use") {
            for root in named_modules(&source.code, at + 3) {
                let inner = matches!(root.as_str(), "crate" | "super" | "self");
                let own = source.code.contains(&format!("mod {root};"));
                let type_of_ours = root.starts_with(char::is_uppercase);
                let allowed = inner || own || type_of_ours || FOLD_CRATES.contains(&root.as_str());
                assert!(allowed, "{}: fold may not use {root}", source.place(at));
            }
        }
    }
}

#[test]
fn fold_reads_no_clock_no_storage_and_no_floats() {
    for source in sources().iter().filter(|s| s.floor_module() == "fold") {
        for (word, reason) in FOLD_BANS {
            for at in whole_words(&source.code, word) {
                let lifetime = source.code[..at].ends_with('\'');
                assert!(lifetime, "{}: {word}: {reason}", source.place(at));
            }
        }
    }
}

#[test]
fn every_file_opens_with_its_job() {
    for source in sources() {
        let opens = source.text.starts_with("//! ");
        assert!(opens, "{} does not say its job first", source.path.display());
    }
}

#[test]
fn a_long_file_says_why() {
    for source in sources() {
        let lines = source.text.lines().count();
        let head: String = source.text.lines().take_while(|l| l.starts_with("//!")).collect();
        let excused = head.contains("Longer than");
        assert!(
            lines <= 400 || excused,
            "{} has {lines} lines: cut it, or say in its head comment why it is \"Longer than\" 400",
            source.path.display()
        );
    }
}

#[test]
fn no_line_is_wider_than_100_columns() {
    let mut wide = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            if line.chars().count() > 100 {
                wide.push(format!("{}:{}", source.path.display(), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "wider than 100 columns: {}", wide.join(", "));
}

#[test]
fn names_say_something() {
    for source in sources() {
        for keyword in ["fn", "struct", "enum", "trait", "mod", "type"] {
            for at in whole_words(&source.code, keyword) {
                let rest = source.code[at + keyword.len()..].trim_start();
                let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
                for word in words_of(&name) {
                    let empty = EMPTY_WORDS.contains(&word.as_str());
                    assert!(!empty, "{}: {name} is named by an empty word", source.place(at));
                }
            }
        }
    }
}

/// `BlockRow` and `block_row` both are `["block", "row"]`.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    words
}

#[test]
fn the_reader_of_sources_sees_what_it_must() {
    let code =
        blanked("use crate::{fold::{a, b}, money}; // crate::engine\nlet s = \"crate::cli\";");
    let source = Source {
        path: PathBuf::from("src/wire/json.rs"),
        module: vec!["wire".into(), "json".into()],
        text: String::new(),
        code: format!(
            "{code}\nsuper::super::store::x; super::avro; crate::time::Clock; 'a: f(b'\"')"
        ),
    };
    let seen: Vec<String> = arrows(&source).into_iter().map(|(_, module)| module).collect();
    assert_eq!(seen, ["fold", "money", "time", "store"]);
    assert!(may_lean("engine", "fold") && !may_lean("fold", "engine"));
    assert!(may_lean("gate", "wire") && !may_lean("gate", "store") && !may_lean("fold", "error2"));
    assert_eq!(whole_words("f64 xf64 f64x f64::MAX", "f64").count(), 2);
}
