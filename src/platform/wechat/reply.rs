//! Reading an answer: bytes as JSON whatever the Content-Type says, and `errcode` as number or text.

use serde_json::{Map, Value};

use super::errcode::meaning;
use super::error::WechatError;

/// The largest answer that is read, in bytes. Real ones are under two kilobytes.
pub(super) const BODY_LIMIT: usize = 512 * 1024;

/// The fields of a successful answer, or the error that it reports. `status` is the HTTP status, which
/// counts only where the body is not WeChat's own.
pub(super) fn read(
    endpoint: &'static str,
    status: u16,
    body: &[u8],
) -> Result<Map<String, Value>, WechatError> {
    let fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        _ if status >= 500 => {
            return Err(WechatError::Unreachable { endpoint, reason: format!("HTTP status {status}") });
        }
        Ok(_) => return Err(WechatError::Malformed { endpoint, reason: "not a JSON object" }),
        Err(_) => return Err(WechatError::Malformed { endpoint, reason: "not JSON" }),
    };
    match fields.get("errcode").map(integer) {
        None | Some(Some(0)) if status < 300 => Ok(fields),
        None | Some(Some(0)) if status >= 500 => {
            Err(WechatError::Unreachable { endpoint, reason: format!("HTTP status {status}") })
        }
        None | Some(Some(0)) => Err(WechatError::Malformed { endpoint, reason: "HTTP status is not 200" }),
        Some(None) => Err(WechatError::Malformed { endpoint, reason: "errcode is not a number" }),
        Some(Some(errcode)) => Err(WechatError::Api {
            meaning: meaning(endpoint, errcode),
            errcode,
            rid: fields.get("errmsg").and_then(Value::as_str).and_then(rid),
            endpoint,
        }),
    }
}

/// A field that must be there and not empty.
pub(super) fn text(
    endpoint: &'static str,
    fields: &Map<String, Value>,
    name: &str,
    missing: &'static str,
) -> Result<String, WechatError> {
    match fields.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(WechatError::Malformed { endpoint, reason: missing }),
    }
}

/// An integer given as number or as text.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The request id in an error text: `… rid: 64ad27ce-4e9eb943-35482c8a`. Anything of another shape is
/// dropped, so that a hostile answer cannot write into the logs.
fn rid(errmsg: &str) -> Option<String> {
    let (_, after) = errmsg.rsplit_once("rid:")?;
    let rid = after.split_whitespace().next()?;
    let hex = |group: &str| group.len() == 8 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    (rid.split('-').count() == 3 && rid.split('-').all(hex)).then(|| rid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::wechat::Meaning;

    const LOGIN: &str = "/sns/jscode2session";

    fn read_text(status: u16, body: &str) -> Result<Map<String, Value>, WechatError> {
        read(LOGIN, status, body.as_bytes())
    }

    #[test]
    fn absent_and_zero_codes_are_success() {
        for body in
            [r#"{"openid":"o1"}"#, r#"{"errcode":0,"openid":"o1"}"#, r#"{"errcode":"0","openid":"o1"}"#]
        {
            assert_eq!(text(LOGIN, &read_text(200, body).unwrap(), "openid", "no openid").unwrap(), "o1");
        }
    }

    #[test]
    fn a_code_may_be_a_number_or_a_text_and_the_rid_is_kept() {
        let expected = WechatError::Api {
            meaning: Meaning::CodeInvalid,
            errcode: 40029,
            rid: Some("64ad27ce-4e9eb943-35482c8a".into()),
            endpoint: LOGIN,
        };
        for code in ["40029", r#""40029""#] {
            let body =
                format!(r#"{{"errcode":{code},"errmsg":"invalid code, rid: 64ad27ce-4e9eb943-35482c8a"}}"#);
            assert_eq!(read_text(200, &body), Err(expected.clone()));
            assert_eq!(read_text(500, &body), Err(expected.clone()), "WeChat's own code outranks the status");
        }
    }

    #[test]
    fn old_hints_and_hostile_rids_are_not_taken_for_a_rid() {
        assert_eq!(rid("invalid code, hints: [ req_id: X ]"), None);
        assert_eq!(
            rid("x rid: 64ad27ce-4e9eb943-35482c8a\nINJECTED"),
            Some("64ad27ce-4e9eb943-35482c8a".into())
        );
        assert_eq!(rid("x rid: \u{1b}[31m"), None);
    }

    #[test]
    fn what_is_not_an_answer_of_wechat_is_told_apart_from_a_failing_gateway() {
        let malformed = |body| matches!(read_text(200, body), Err(WechatError::Malformed { .. }));
        assert!(malformed("") && malformed("<html>") && malformed("[]") && malformed(r#"{"errcode":{}}"#));
        assert!(matches!(read_text(302, "{}"), Err(WechatError::Malformed { .. })));
        assert!(matches!(read_text(502, "<html>"), Err(WechatError::Unreachable { .. })));
        assert!(matches!(read_text(503, "{}"), Err(WechatError::Unreachable { .. })));
    }
}
