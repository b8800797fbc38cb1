//! Asking WeChat whether a text or a picture may be shown to others (`msg_sec_check` and `media_check_async`, version 2).
//!
//! WeChat asks this of every mini-program in which people write. A risky text is a success with a verdict, not an error. Asking twice
//! does no harm, so a caller may repeat after any failure.

use serde_json::{Map, Value, json};

use super::client::WechatClient;
use super::error::WechatError;
use super::reply;

pub(super) const TEXT: &str = "/wxa/msg_sec_check";
pub(super) const MEDIA: &str = "/wxa/media_check_async";

/// Pieces of a long text overlap by so many characters, so that no word is cut in two in both of them.
const OVERLAP: usize = 40;

/// Where a text or picture is shown, as WeChat numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckScene {
    /// 资料: what people say of themselves.
    Profile,
    /// 评论: what people say to each other.
    Comment,
}

impl CheckScene {
    fn number(self) -> u8 {
        match self {
            Self::Profile => 1,
            Self::Comment => 2,
        }
    }
}

/// What WeChat advises. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// Nothing is wrong.
    Pass,
    /// A person should look at it.
    Review,
    /// It should not be shown.
    Risky,
}

impl Advice {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "pass" => Some(Self::Pass),
            "review" => Some(Self::Review),
            "risky" => Some(Self::Risky),
            _ => None,
        }
    }
}

/// What WeChat says of a text or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What it advises.
    pub advice: Advice,
    /// What it takes it for: 100 for normal, 20001 politics, 20002 porn, 20006 illegal, ….
    pub label: i64,
}

impl Verdict {
    /// The verdict in the `result` of an answer or of a push.
    pub(super) fn read(fields: &Map<String, Value>) -> Option<Self> {
        let result = fields.get("result")?;
        let advice = Advice::read(result.get("suggest")?.as_str()?)?;
        Some(Self { advice, label: result.get("label").and_then(reply::integer).unwrap_or(0) })
    }
}

impl WechatClient {
    /// Whether `openid`, who was here within the last two hours, may show `content` to others. It is asked in pieces of at most
    /// `most` characters, and the gravest verdict counts.
    pub async fn text_check(
        &self,
        openid: &str,
        scene: CheckScene,
        content: &str,
        most: usize,
    ) -> Result<Verdict, WechatError> {
        let mut gravest = Verdict { advice: Advice::Pass, label: 100 };
        for piece in pieces(content, most) {
            let body = json!({ "content": piece, "version": 2, "scene": scene.number(), "openid": openid });
            let fields = self.call(TEXT, &body).await?;
            let verdict = Verdict::read(&fields)
                .ok_or(WechatError::Malformed { endpoint: TEXT, reason: "no result" })?;
            if verdict.advice > gravest.advice {
                gravest = verdict;
            }
        }
        Ok(gravest)
    }

    /// Has WeChat fetch the picture at `url` and look at it. The verdict is pushed later; it names the trace that is given back.
    pub async fn media_check(
        &self,
        openid: &str,
        scene: CheckScene,
        url: &str,
    ) -> Result<String, WechatError> {
        let body = json!({
            "media_url": url, "media_type": 2, "version": 2, "scene": scene.number(), "openid": openid,
        });
        let fields = self.call(MEDIA, &body).await?;
        reply::text(MEDIA, &fields, "trace_id", "no trace_id")
    }
}

/// `text` in pieces of at most `most` characters. A text of nothing but blanks needs no asking.
fn pieces(text: &str, most: usize) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let letters: Vec<char> = text.chars().collect();
    let most = most.max(OVERLAP + 1);
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let until = (from + most).min(letters.len());
        found.push(letters.get(from..until).unwrap_or_default().iter().collect());
        if until == letters.len() {
            return found;
        }
        from = until - OVERLAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_asked_in_pieces_that_overlap_and_lose_nothing() {
        assert_eq!(pieces("短", 2500), ["短"]);
        assert!(pieces(" \n ", 2500).is_empty());
        let text: String = (0..5000_u32).filter_map(|n| char::from_u32(0x4e00 + n)).collect();
        let cut = pieces(&text, 2500);
        assert!(cut.len() == 3 && cut.iter().all(|piece| piece.chars().count() <= 2500));
        let joined: String = cut
            .iter()
            .enumerate()
            .flat_map(|(n, piece)| piece.chars().skip(if n == 0 { 0 } else { OVERLAP }))
            .collect();
        assert_eq!(joined, text);
        // A word at any place stands whole in one of them.
        for at in [2455, 2475, 2499, 4910, 4990] {
            let word: String = text.chars().skip(at).take(10).collect();
            assert!(cut.iter().any(|piece| piece.contains(&word)), "{at}");
        }
        assert_eq!(pieces("四个汉字", 0).len(), 1, "a senseless limit cuts nothing to nothing");
    }

    #[test]
    fn advice_has_an_order_and_labels_may_be_missing() {
        assert!(Advice::Risky > Advice::Review && Advice::Review > Advice::Pass);
        let read = |text: &str| Verdict::read(&serde_json::from_str(text).unwrap());
        assert_eq!(
            read(r#"{"result":{"suggest":"risky","label":20006}}"#),
            Some(Verdict { advice: Advice::Risky, label: 20006 })
        );
        assert_eq!(
            read(r#"{"result":{"suggest":"review"}}"#),
            Some(Verdict { advice: Advice::Review, label: 0 })
        );
        assert_eq!(read(r#"{"result":{"suggest":"perhaps"}}"#), None);
        assert_eq!(read("{}"), None);
    }
}
