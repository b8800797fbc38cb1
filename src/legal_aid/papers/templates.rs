//! Templates of documents: data, by kind and version, and how they are filled in. Pure.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::Deserialize;

use super::model::{Block, DocumentKind};
use crate::error::{Error, Fault, Result, Text};

/// All templates.
const FILE: &str = include_str!("templates.toml");

/// What a kind of document says from a day on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Of which kind.
    pub kind: DocumentKind,
    /// 1, 2, 3, … of its kind.
    pub version: i64,
    /// The first day on which it is used.
    pub from: NaiveDate,
    /// The title of the document.
    pub title: String,
    /// What stands in it.
    pub lines: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    template: Vec<Template>,
}

static ALL: LazyLock<Result<Vec<Template>, String>> =
    LazyLock::new(|| toml::from_str(FILE).map(|file: File| file.template).map_err(|error| error.to_string()));

/// Every template.
pub fn all() -> Result<&'static [Template]> {
    ALL.as_deref().map_err(|error| Error::internal(error.clone()))
}

/// The template of `kind` that is used on `day`; before the first day of all, the first.
pub fn on(kind: DocumentKind, day: NaiveDate) -> Result<&'static Template> {
    let mut of_kind: Vec<&Template> = all()?.iter().filter(|template| template.kind == kind).collect();
    of_kind.sort_by_key(|template| template.version);
    let used = of_kind.iter().rev().find(|template| template.from <= day).or(of_kind.first());
    used.copied().ok_or_else(|| Error::internal(format!("no template of {kind}")))
}

/// What the names in a template stand for. A name with no value is known and missing.
#[derive(Debug, Clone, Default)]
pub struct Fields(BTreeMap<&'static str, Vec<String>>);

impl Fields {
    /// `name` stands for `value`, unless that is empty.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.set_all(name, [value.into()]);
    }

    /// `name` stands for `value`, if there is one.
    pub fn set_if(&mut self, name: &'static str, value: Option<impl Into<String>>) {
        self.set_all(name, value.map(Into::into));
    }

    /// `name` stands for each of `values` that is not empty.
    pub fn set_all(&mut self, name: &'static str, values: impl IntoIterator<Item = String>) {
        let values = values.into_iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty());
        self.0.insert(name, values.collect());
    }

    fn get(&self, name: &str) -> Result<&[String], Gap> {
        match self.0.get(name).map(Vec::as_slice) {
            Some([]) => Err(Gap::Missing(name.to_owned())),
            Some(values) => Ok(values),
            None => Err(Gap::Broken(format!("a template names {name}, which nothing stands for"))),
        }
    }
}

/// Why a line cannot be filled in.
enum Gap {
    /// What it names is not there this time.
    Missing(String),
    /// The template is wrong.
    Broken(String),
}

/// What a document of `template` says with `fields`.
///
/// # Errors
/// `validation_failed` naming what is missing: no document leaves without its reasons.
pub fn fill(template: &Template, fields: &Fields) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    for line in &template.lines {
        let (optional, line) = match line.strip_prefix('?') {
            Some(rest) => (true, rest),
            None => (false, line.as_str()),
        };
        match filled(line, fields) {
            Ok(mut made) => blocks.append(&mut made),
            Err(Gap::Missing(_)) if optional => {}
            Err(Gap::Missing(name)) => {
                let text = Text::new("文书缺少这一项", "the document cannot do without it");
                return Err(Error::invalid(vec![Fault::new(format!("/{name}"), "required", text)]));
            }
            Err(Gap::Broken(why)) => return Err(Error::internal(why)),
        }
    }
    Ok(blocks)
}

/// The blocks of a line. Its mark is looked for before names are replaced, so that no value makes a mark.
fn filled(line: &str, fields: &Fields) -> Result<Vec<Block>, Gap> {
    if let Some(list) = line.strip_prefix("* ") {
        let name = list.trim().trim_start_matches('{').trim_end_matches('}');
        return Ok(fields.get(name)?.iter().cloned().map(Block::Item).collect());
    }
    if let Some(to) = line.strip_prefix("@ ") {
        return Ok(vec![Block::To(replaced(to, fields)?)]);
    }
    if let Some(heading) = line.strip_prefix("# ") {
        return Ok(vec![Block::Heading(replaced(heading, fields)?)]);
    }
    if let Some((what, which)) = line.strip_prefix("| ").and_then(|rest| rest.split_once(" | ")) {
        return Ok(vec![Block::Fact(replaced(what, fields)?, replaced(which, fields)?)]);
    }
    let text = replaced(line, fields)?;
    let paragraphs = text.lines().map(str::trim).filter(|one| !one.is_empty());
    Ok(paragraphs.map(|one| Block::Text(one.to_owned())).collect())
}

/// A line with its names replaced, once: what a value says is never taken for a name.
fn replaced(line: &str, fields: &Fields) -> Result<String, Gap> {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return Err(Gap::Broken("a name in a template does not end".to_owned()));
        };
        text.push_str(&fields.get(name)?.join("；"));
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::legal_aid::deciding::reasons;
    use crate::legal_aid::papers::model::Paper;
    use crate::legal_aid::papers::page;

    const NAMES: &[&str] = &[
        "applicant",
        "received_on",
        "category",
        "matter",
        "form",
        "employer",
        "limitation_on",
        "case_number",
        "review_days",
        "assign_days",
        "appeal",
        "reasons",
        "missing",
        "due",
        "assignee",
        "ground",
        "about",
        "decision",
        "result",
        "recovered",
        "time_spent",
        "summary",
    ];

    fn all_set(value: &str) -> Fields {
        let mut fields = Fields::default();
        NAMES.iter().for_each(|name| fields.set(name, value));
        fields
    }

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 6, 16).unwrap()
    }

    fn paper(kind: DocumentKind, fields: &Fields) -> Paper {
        let template = on(kind, today()).unwrap();
        let blocks = fill(template, fields).unwrap();
        let (office, number) =
            ("深圳市龙岗区平湖街道总工会".to_owned(), "平湖街道法援受〔2025〕1号".to_owned());
        Paper { number, title: template.title.clone(), blocks, office, date: "2025年6月16日".to_owned() }
    }

    #[test]
    fn every_kind_has_versions_without_gaps_whose_days_rise() {
        for kind in DocumentKind::ALL {
            let of_kind: Vec<&Template> = all().unwrap().iter().filter(|one| one.kind == *kind).collect();
            assert!(!of_kind.is_empty(), "{kind} has no template");
            for (number, template) in (1..).zip(&of_kind) {
                assert_eq!(template.version, number, "{kind}");
            }
            assert!(of_kind.is_sorted_by(|a, b| a.from < b.from), "{kind}");
        }
    }

    #[test]
    fn every_kind_is_filled_in_and_printed() {
        for kind in DocumentKind::ALL {
            let page = page::render(&paper(*kind, &all_set("某项内容")));
            assert!(page.contains("某项内容") && page.contains("平湖街道法援受〔2025〕1号"), "{kind}");
            let body = page.split_once("</style>").unwrap().1;
            assert!(!body.contains(['{', '}']), "{kind}: a name is left");
            assert_eq!(page.matches("<dl>").count(), page.matches("</dl>").count(), "{kind}");
            assert_eq!(page.matches("<ol>").count(), page.matches("</ol>").count(), "{kind}");
        }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "</style><script>alert(1)</script><img src=x onerror=\"x\"> {applicant} \u{202e}'&\n# 标题\n| a | b\n@ x";
        for kind in DocumentKind::ALL {
            let page = page::render(&paper(*kind, &all_set(hostile)));
            let body = page.split_once("</style>").unwrap().1;
            assert!(
                !body.contains("<script") && !body.contains("<img") && !body.contains('\u{202e}'),
                "{kind}"
            );
            assert!(body.contains("{applicant}"), "{kind}: a value is no template");
            assert!(body.contains("&lt;script&gt;"), "{kind}");
            assert!(
                !body.contains("<h2>标题") && !body.contains("<dt>a</dt>"),
                "{kind}: a value makes no mark"
            );
        }
    }

    #[test]
    fn no_decision_against_somebody_lacks_its_reasons_and_the_way_to_object() {
        for kind in [DocumentKind::Refusal, DocumentKind::Termination] {
            let mut fields = all_set("某项内容");
            fields.set("appeal", reasons::appeal_notice("5日"));
            let page = page::render(&paper(kind, &fields));
            for said in ["理由", "提出异议的权利", "第四十九条", "书面答复"] {
                assert!(page.contains(said), "{kind}: {said}");
            }
        }
        for kind in [
            DocumentKind::Refusal,
            DocumentKind::Termination,
            DocumentKind::ObjectionAnswer,
            DocumentKind::Annulment,
        ] {
            for empty in ["", " \n\t　"] {
                let mut fields = all_set("某项内容");
                fields.set("reasons", empty);
                let refusal = fill(on(kind, today()).unwrap(), &fields).unwrap_err();
                let faults: Vec<&str> =
                    refusal.inner().faults.iter().map(|fault| fault.pointer.as_str()).collect();
                assert_eq!(faults, ["/reasons"], "{kind}");
            }
        }
    }

    #[test]
    fn what_may_be_missing_leaves_no_trace() {
        let mut fields = all_set("某项内容");
        for name in ["matter", "limitation_on", "case_number"] {
            fields.set_if(name, None::<String>);
        }
        for kind in [DocumentKind::Receipt, DocumentKind::Acceptance, DocumentKind::ClosingReport] {
            let page = page::render(&paper(kind, &fields));
            for gone in ["申请事项", "时效于", "案件编号"] {
                assert!(!page.contains(gone), "{kind}: {gone}");
            }
        }
    }

    #[test]
    fn a_notice_lists_everything_that_is_missing() {
        let mut fields = all_set("某项内容");
        fields.set_all("missing", ["劳动合同".to_owned(), " ".to_owned(), "工资流水".to_owned()]);
        let blocks = fill(on(DocumentKind::SupplementNotice, today()).unwrap(), &fields).unwrap();
        let items: Vec<&Block> = blocks.iter().filter(|block| matches!(block, Block::Item(_))).collect();
        assert_eq!(items, [&Block::Item("劳动合同".into()), &Block::Item("工资流水".into())]);
        fields.set_all("missing", []);
        assert!(fill(on(DocumentKind::SupplementNotice, today()).unwrap(), &fields).is_err());
    }

    #[test]
    fn templates_name_nothing_unknown() {
        let known: BTreeSet<&str> = NAMES.iter().copied().collect();
        for template in all().unwrap() {
            for line in &template.lines {
                for rest in line.split('{').skip(1) {
                    let name = rest.split('}').next().unwrap();
                    assert!(known.contains(name), "{}: {name}", template.kind);
                }
            }
        }
    }
}
