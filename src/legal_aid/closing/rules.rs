//! Which cases are asked about, and what a file must hold: pure rules.

use sha2::{Digest, Sha256};

use crate::error::{Error, Fault, Result, Text};
use crate::ids::CaseDocumentId;
use crate::legal_aid::papers::model::DocumentKind;

/// Whether the sample wants the applicant of a case asked, of which `percent` of a hundred are: the first eight bytes of the SHA-256 of
/// `legal-return-visit`, a line feed and the id of the closing report, as a number, divided by a hundred, leave less than `percent`.
pub fn sampled(document: CaseDocumentId, percent: i64) -> bool {
    let hash = Sha256::digest(format!("legal-return-visit\n{document}"));
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number % 100 < u64::try_from(percent).unwrap_or(0)
}

/// What a policy like `application:申请表;identity:身份证明` lists: codes with their names.
pub fn items(value: &str) -> Vec<(String, String)> {
    value
        .split(';')
        .filter_map(|one| one.split_once(':'))
        .map(|(code, name)| (code.trim().to_owned(), name.trim().to_owned()))
        .collect()
}

/// The document that an item of a file is, where this system issues it.
pub fn issued_here(item: &str) -> Option<DocumentKind> {
    match item {
        "acceptance" => Some(DocumentKind::Acceptance),
        "assignment" => Some(DocumentKind::Assignment),
        "closing" => Some(DocumentKind::ClosingReport),
        _ => None,
    }
}

/// What is missing of `required` where `present` was ticked.
///
/// # Errors
/// `validation_failed` for what is no item, is ticked twice, or would be a document of this system that was never issued.
pub fn missing(
    required: &[(String, String)],
    present: &[String],
    issued: &[DocumentKind],
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (place, code) in present.iter().enumerate() {
        let mut fault = |code: &'static str, zh: &'static str, en: &'static str| {
            faults.push(Fault::new(format!("/present/{place}"), code, Text::new(zh, en)));
        };
        if !required.iter().any(|(known, _)| known == code) {
            fault("unknown", "没有这一项", "no such item");
        } else if present.iter().take(place).any(|before| before == code) {
            fault("duplicate", "重复", "given twice");
        } else if issued_here(code).is_some_and(|kind| !issued.contains(&kind)) {
            fault("absent", "本系统未出具过该文书", "this system has issued no such document");
        }
    }
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    let lacks = required.iter().filter(|(code, _)| !present.contains(code));
    Ok(lacks.map(|(code, _)| code.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn required() -> Vec<(String, String)> {
        items("application:申请表;evidence:证据;closing:结案报告")
    }

    fn codes(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_file_lacks_what_was_not_ticked() {
        let issued = [DocumentKind::ClosingReport];
        let all = codes(&["application", "closing", "evidence"]);
        assert_eq!(missing(&required(), &all, &issued).unwrap(), codes(&[]));
        assert_eq!(
            missing(&required(), &[], &issued).unwrap(),
            codes(&["application", "evidence", "closing"])
        );
    }

    #[test]
    fn nobody_ticks_what_is_not_there() {
        for (present, fault) in [
            (codes(&["application", "poem"]), ("/present/1", "unknown")),
            (codes(&["evidence", "evidence"]), ("/present/1", "duplicate")),
            (codes(&["closing"]), ("/present/0", "absent")),
        ] {
            let refusal = missing(&required(), &present, &[DocumentKind::Acceptance]).unwrap_err();
            let faults: Vec<(&str, &str)> =
                refusal.inner().faults.iter().map(|one| (one.pointer.as_str(), one.code)).collect();
            assert_eq!(faults, [fault]);
        }
    }

    proptest! {
        #[test]
        fn nobody_or_everybody_is_asked_at_the_ends(value: u128) {
            let document = CaseDocumentId(Uuid::from_u128(value));
            prop_assert!(!sampled(document, 0) && sampled(document, 100) && !sampled(document, -5));
            // Whoever is drawn by a smaller share is drawn by a larger one.
            prop_assert!(!sampled(document, 20) || sampled(document, 60));
        }
    }

    #[test]
    fn about_the_share_is_drawn() {
        let drawn = (0..2000).filter(|n| sampled(CaseDocumentId(Uuid::from_u128(*n)), 20)).count();
        assert!((340..460).contains(&drawn), "{drawn} of 2000");
    }
}
