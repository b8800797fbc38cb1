//! The reference vectors: official samples and those of other implementations, recomputed independently.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::platform::wechat::Advice;

const E3: &str = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";
const M3: &str = r#"{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}"#;
const E6: &str = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";
const E10: &str = "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=";
const KEY5: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn keys(appid: &str, token: &str, aes_key: &str) -> PushKeys {
    PushKeys::new(appid, token.to_owned().into(), &aes_key.to_owned().into()).unwrap()
}

fn query(timestamp: &str, nonce: &str, signature: &str) -> PushQuery {
    let [timestamp, nonce, signature] = [timestamp, nonce, signature].map(str::to_owned);
    PushQuery { timestamp, nonce, msg_signature: signature.clone(), signature, ..PushQuery::default() }
}

#[test]
fn a_verification_gives_the_text_back_and_a_plain_push_is_signed_alike() {
    let plain = keys("wx1", "AAAAA", "");
    let signature = "f464b24fc39322e44b38aa78f5edd27bd1441696";
    let seen = PushQuery::read(&format!(
        "signature={signature}&echostr=4375120948345356249&timestamp=1714036504&nonce=1514711492&other=1"
    ));
    assert_eq!(plain.verify(&seen).as_deref(), Ok("4375120948345356249"));
    let forged = PushQuery { nonce: "1514711493".into(), ..seen };
    assert_eq!(plain.verify(&forged), Err(PushFault::Forged));

    let seen = query("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78");
    assert_eq!(plain.open(&seen, br#"{"Event":"debug_demo"}"#), Ok(Pushed::Other));
    assert_eq!(plain.open(&query("1714037059", "486452656", ""), b"{}"), Err(PushFault::Forged));
}

#[test]
fn the_official_sealed_sample_opens_and_its_signature_covers_the_body() {
    let key = "A".repeat(43);
    let ours = keys("wxba5fad812f8e6fb9", "AAAAA", &key);
    let seen = query("1714112445", "415670741", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3");
    let body = json!({ "ToUserName": "gh_97417a04a28d", "Encrypt": E3 }).to_string();
    assert_eq!(ours.open(&seen, body.as_bytes()), Ok(Pushed::Other));
    let opened = unseal(&key_of(&key).unwrap(), "wxba5fad812f8e6fb9", E3).unwrap();
    assert_eq!(opened, M3.as_bytes(), "its padding is 19, longer than a block of the cipher");
    // The signature of plain mode does not do.
    let weak = query("1714112445", "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d");
    assert_eq!(ours.open(&weak, body.as_bytes()), Err(PushFault::Forged));
    let other = keys("wxother", "AAAAA", &key);
    assert_eq!(other.open(&seen, body.as_bytes()), Err(PushFault::Forged), "for another mini-program");
    let changed = body.replacen("+qdx1", "+qdx2", 1);
    assert_eq!(ours.open(&seen, changed.as_bytes()), Err(PushFault::Forged));
    // A signed body without a sealed part, and an unsealed one, are not taken where there is a key.
    assert_eq!(ours.open(&weak, M3.as_bytes()), Err(PushFault::Forged));
}

#[test]
fn sealing_gives_the_bytes_of_the_official_samples() {
    let key = key_of(&"A".repeat(43)).unwrap();
    let sealed =
        seal(&key, "wxba5fad812f8e6fb9", *b"707722b803182950", br#"{"demo_resp":"good luck"}"#).unwrap();
    assert_eq!(
        sealed,
        "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
    );
    assert_eq!(
        signature_of("AAAAA", &["1713424427", "415670741", &sealed]),
        "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    );
    let key = key_of(KEY5).unwrap();
    let sealed =
        seal(&key, "wxb11529c136998cb6", *b"aaaabbbbccccdddd", "我是中文abcd123".as_bytes()).unwrap();
    assert_eq!(
        sealed,
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    );
}

#[test]
fn samples_in_xml_open_with_keys_whose_last_sign_has_spare_bits() {
    for (appid, token, key, timestamp, nonce, sealed, signature, content) in [
        (
            "wx5823bf96d3bd56c7",
            "QDG6eK",
            "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
            "1409659813",
            "1372623149",
            E6,
            "477715d11cdb4164915debcba66cb864d751f3e6",
            "hello",
        ),
        (
            "wx2c2769f8efd9abc2",
            "spamtest",
            KEY5,
            "1409735669",
            "1320562132",
            E10,
            "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
            "abcdteT",
        ),
    ] {
        let ours = keys(appid, token, key);
        let body = format!(
            "<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        );
        assert_eq!(ours.open(&query(timestamp, nonce, signature), body.as_bytes()), Ok(Pushed::Other));
        let opened = unseal(&key_of(key).unwrap(), appid, sealed).unwrap();
        let inside = fields(&opened).unwrap();
        assert_eq!(inside["Content"], content);
    }
}

#[test]
fn the_result_of_a_picture_is_read_in_both_writings() {
    let plain = keys("wx1", "AAAAA", "");
    let seen = query("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78");
    let json = json!({
        "ToUserName": "gh_1", "FromUserName": "o1", "CreateTime": 1_714_037_059, "MsgType": "event", "Event": "wxa_media_check",
        "appid": "wx1", "trace_id": "60ae120f-371d5872-7941a05b", "version": 2, "errcode": 0, "errmsg": "ok",
        "detail": [{ "strategy": "content_model", "errcode": 0, "suggest": "pass", "label": 100, "prob": 90 }],
        "result": { "suggest": "risky", "label": 20002 },
    });
    let xml = "<xml><Event><![CDATA[wxa_media_check]]></Event><trace_id><![CDATA[60ae120f-371d5872-7941a05b]]></trace_id>\
               <errcode>0</errcode><detail><suggest>pass</suggest><label>100</label></detail>\
               <result><suggest><![CDATA[risky]]></suggest><label>20002</label></result></xml>";
    let verdict = Some(Verdict { advice: Advice::Risky, label: 20002 });
    let expected = Pushed::Media(MediaResult { trace_id: "60ae120f-371d5872-7941a05b".into(), verdict });
    for body in [json.to_string(), xml.to_owned()] {
        assert_eq!(plain.open(&seen, body.as_bytes()), Ok(expected.clone()), "{body}");
    }
    let failed =
        json!({ "Event": "wxa_media_check", "trace_id": "t", "errcode": -1008, "errmsg": "download" });
    let expected = Pushed::Media(MediaResult { trace_id: "t".into(), verdict: None });
    assert_eq!(plain.open(&seen, failed.to_string().as_bytes()), Ok(expected));
    let nameless = json!({ "Event": "wxa_media_check" }).to_string();
    assert!(matches!(plain.open(&seen, nameless.as_bytes()), Err(PushFault::Malformed(_))));
}

#[test]
fn keys_of_another_length_or_with_strange_signs_are_none() {
    for text in ["A".repeat(42), "A".repeat(44), format!("{}*", "A".repeat(42))] {
        assert_eq!(key_of(&text), None, "{text}");
    }
    // What opens is cut to pieces that do not open and do not panic.
    let key = key_of(KEY5).unwrap();
    for length in 0..E10.len() {
        assert_eq!(unseal(&key, "wx2c2769f8efd9abc2", &E10[..length]), None, "{length}");
    }
}

proptest! {
    #[test]
    fn every_length_is_sealed_and_opened(message in proptest::collection::vec(any::<u8>(), 0..200), salt: [u8; 16]) {
        let key = key_of(KEY5).unwrap();
        let sealed = seal(&key, "wx1", salt, &message).unwrap();
        prop_assert_eq!(unseal(&key, "wx1", &sealed), Some(message));
        prop_assert_eq!(unseal(&key, "wx2", &sealed), None);
    }

    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let seen = query("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78");
        let _ = keys("wx1", "AAAAA", "").open(&seen, &body);
        let _ = keys("wx1", "AAAAA", KEY5).open(&seen, &body);
    }
}
