//! Chains of reviews and their reasons: TOML that is read as it is typed.

use chrono::NaiveDate;
use serde::Deserialize;

use super::fault::Problem;
use super::findings::{Findings, Place};
use super::source::{CHAINS, SeedSource};
use crate::review::chain::{Definition, FormField, ReviewKind, Step};
use crate::review::model::{Chain, Reason, ReasonFor};

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    chains: Vec<ChainOf>,
    #[serde(default)]
    reasons: Vec<ReasonOf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainOf {
    code: String,
    kind: ReviewKind,
    effective_from: NaiveDate,
    name: String,
    source: String,
    steps: Vec<Step>,
    #[serde(default)]
    form: Vec<FormField>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonOf {
    code: String,
    kind: String,
    decision: ReasonFor,
    text: String,
    basis: String,
}

/// Chains with their definitions, and reasons.
pub(super) fn read(source: &SeedSource, findings: &mut Findings) -> (Vec<Chain>, Vec<Reason>) {
    let place = || Place { file: CHAINS.name, line: None, field: None };
    let text = match source.read(CHAINS) {
        Ok(text) => text.unwrap_or_default(),
        Err(problem) => {
            findings.unread(place(), problem);
            return (Vec::new(), Vec::new());
        }
    };
    let file: File = match toml::from_str(&text) {
        Ok(file) => file,
        Err(error) => {
            let line =
                error.span().map(|span| 1 + text.chars().take(span.start).filter(|one| *one == '\n').count());
            let problem = Problem::new(error.message().to_owned(), "格式有误");
            findings.unread(Place { line, ..place() }, problem);
            return (Vec::new(), Vec::new());
        }
    };
    let mut fault = |what: String, en: String, zh: &str| {
        findings.fault(Place { field: Some(what), ..place() }, Problem::new(en, zh));
    };
    let mut chains = Vec::new();
    for one in file.chains {
        let definition = Definition { steps: one.steps, form: one.form };
        for wrong in definition.faults() {
            fault(one.code.clone(), wrong, "审核链有误");
        }
        match serde_json::to_string(&definition) {
            Ok(definition) => chains.push(Chain {
                code: one.code,
                effective_from: one.effective_from,
                kind: one.kind,
                name: one.name,
                source: one.source,
                definition,
            }),
            Err(error) => fault(one.code, error.to_string(), "审核链有误"),
        }
    }
    for (place, chain) in chains.iter().enumerate() {
        let key = |one: &Chain| (one.code.clone(), one.effective_from);
        if chains.iter().take(place).any(|other| key(other) == key(chain)) {
            fault(chain.code.clone(), "this chain stands twice".into(), "审核链重复");
        }
    }
    let kinds: Vec<&str> = ReviewKind::ALL.iter().map(|kind| kind.as_str()).chain(["any"]).collect();
    let mut reasons: Vec<Reason> = Vec::new();
    for one in file.reasons {
        if !kinds.contains(&one.kind.as_str()) {
            fault(one.code.clone(), format!("{:?} is none of {}", one.kind, kinds.join(", ")), "类别有误");
        }
        if reasons.iter().any(|other| other.code == one.code) {
            fault(one.code.clone(), "this reason stands twice".into(), "理由重复");
        }
        let ReasonOf { code, kind, decision, text, basis } = one;
        reasons.push(Reason { code, kind, decision, text, basis });
    }
    (chains, reasons)
}
