//! Pages to look at and to print: texts of others made harmless, and what a page may do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// What a page with this one style and nothing else may do.
pub fn policy(style: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(style));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

/// The beginning of a page, up to its body.
pub fn head(title: &str, style: &str, extra: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">{extra}<title>{}</title><style>{style}</style></head>\n",
        policy(style),
        html(title)
    )
}

/// A text inside HTML or SVG, between tags and in attributes alike.
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Controls have no place in a page; signs that turn the direction of writing could turn a figure.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            sign if sign.is_control() && sign != '\n' => safe.push(' '),
            sign => safe.push(sign),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_leaves_its_place_in_a_page(text in any::<String>()) {
            let safe = html(&text);
            let harmful = ['<', '>', '"', '\'', '\u{202e}'];
            prop_assert!(!safe.contains(harmful));
        }
    }
}
