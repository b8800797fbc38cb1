//! Every crate that goes into the program or its tests is under a licence that the project accepts.
//!
//! `cargo metadata` names each crate's licence as an SPDX expression; the expression must be satisfiable
//! with the licences below.

use std::process::Command;

use serde_json::Value;

use crate::harness::Test;

pub const TESTS: &[Test] =
    plain_tests![every_dependency_has_an_allowed_licence, licence_expressions_are_read_as_spdx_says];

/// Permissive licences, and MPL-2.0, whose copyleft ends at the file.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PostgreSQL", // libpq, by way of pq-src; its terms are those of MIT
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Exceptions add a permission to a licence; these are known to.
const ALLOWED_EXCEPTIONS: &[&str] = &["LLVM-exception"];

/// Names every crate of the resolved graph whose licence is not accepted.
fn every_dependency_has_an_allowed_licence() {
    let packages = resolved_packages();
    assert!(packages.is_ok(), "no list of crates: {}", packages.err().unwrap_or_default());
    let packages = packages.unwrap_or_default();
    // Guards against a list that is empty, or is read wrongly: the project itself and one it stands on.
    for known in ["unionhall", "diesel"] {
        assert!(packages.iter().any(|p| p.name == known), "{known} is not in the list of crates");
    }
    let refused: Vec<String> = packages
        .iter()
        .filter_map(|p| match is_allowed(&p.licence) {
            Ok(true) => None,
            Ok(false) => Some(format!("{} {}: {}", p.name, p.version, p.licence)),
            Err(why) => Some(format!("{} {}: {:?}: {why}", p.name, p.version, p.licence)),
        })
        .collect();
    assert!(refused.is_empty(), "licences that are not accepted:\n{}", refused.join("\n"));
}

/// The reading of licence expressions, on examples.
fn licence_expressions_are_read_as_spdx_says() {
    for accepted in [
        "MIT",
        "MIT OR Apache-2.0",
        "GPL-3.0-only OR MIT",
        "MIT OR GPL-3.0-only AND LGPL-3.0-only",
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "GPL-2.0/MIT",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
        "((MIT))",
    ] {
        assert_eq!(is_allowed(accepted), Ok(true), "{accepted}");
    }
    for refused in [
        "GPL-3.0-only",
        "GPL-3.0-only OR AGPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT OR Apache-2.0) AND GPL-3.0-only",
        "GPL-3.0-only AND MIT OR LGPL-2.1-only",
        "Apache-2.0 WITH Other-exception",
        "GPL-2.0-only WITH LLVM-exception",
        "Apache-2.0+",
        "mit",
    ] {
        assert_eq!(is_allowed(refused), Ok(false), "{refused}");
    }
    for broken in
        ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH", "()", "MIT OR OR MIT"]
    {
        assert!(is_allowed(broken).is_err(), "{broken}");
    }
}

struct Package {
    name: String,
    version: String,
    licence: String,
}

/// The crates of the whole lock file with every feature, if their manifests are at hand (after
/// `cargo fetch`), else those of this machine's build, which always are. Never uses the network.
fn resolved_packages() -> Result<Vec<Package>, String> {
    let metadata = match cargo(&["metadata", "--all-features"]) {
        Ok(everything) => everything,
        Err(_) => {
            let version = run(Command::new(cargo_program()).arg("-vV"))?;
            let host =
                version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("cargo names no host")?;
            cargo(&["metadata", "--filter-platform", host])?
        }
    };
    let metadata: Value = serde_json::from_str(&metadata).map_err(|e| e.to_string())?;
    let list =
        |pointer: &str| metadata.pointer(pointer).and_then(Value::as_array).ok_or(format!("no {pointer}"));
    // `packages` may name more than was resolved.
    let resolved: Vec<&str> =
        list("/resolve/nodes")?.iter().filter_map(|node| node.get("id")?.as_str()).collect();
    let field = |package: &Value, name: &str| {
        package.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Ok(list("/packages")?
        .iter()
        .filter(|package| resolved.contains(&field(package, "id").as_str()))
        .map(|package| Package {
            name: field(package, "name"),
            version: field(package, "version"),
            licence: field(package, "license"),
        })
        .collect())
}

fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    run(Command::new(cargo_program())
        .args(arguments)
        .args(["--format-version", "1", "--locked", "--offline"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]))
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}

/// Whether a licence expression can be satisfied with accepted licences alone.
fn is_allowed(expression: &str) -> Result<bool, String> {
    // Cargo's old notation for OR was a slash.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = alternatives(&mut words)?;
    match words.next() {
        None => Ok(allowed),
        Some(word) => Err(format!("unexpected {word:?}")),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `all OR all OR …`: OR binds loosest.
fn alternatives(words: &mut Words) -> Result<bool, String> {
    let mut allowed = together(words)?;
    while words.next_if_eq(&"OR").is_some() {
        allowed |= together(words)?;
    }
    Ok(allowed)
}

/// `one AND one AND …`
fn together(words: &mut Words) -> Result<bool, String> {
    let mut allowed = single(words)?;
    while words.next_if_eq(&"AND").is_some() {
        allowed &= single(words)?;
    }
    Ok(allowed)
}

/// `licence`, `licence WITH exception` or `(…)`.
fn single(words: &mut Words) -> Result<bool, String> {
    if words.next_if_eq(&"(").is_some() {
        let allowed = alternatives(words)?;
        return words.next_if_eq(&")").map(|_| allowed).ok_or_else(|| "no closing parenthesis".into());
    }
    let licence = name(words)?;
    let exception = words.next_if_eq(&"WITH").map(|_| name(words)).transpose()?;
    Ok(ALLOWED.contains(&licence) && exception.is_none_or(|e| ALLOWED_EXCEPTIONS.contains(&e)))
}

fn name<'a>(words: &mut Words<'a>) -> Result<&'a str, String> {
    match words.next() {
        Some(word) if !["(", ")", "AND", "OR", "WITH"].contains(&word) => Ok(word),
        Some(word) => Err(format!("a licence or exception was expected, not {word:?}")),
        None => Err("a licence or exception was expected at the end".into()),
    }
}
