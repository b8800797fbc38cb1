//! A document as a page: A4 to print, and a telephone to read; no script, nothing from elsewhere.

use super::model::{Block, Paper};
use crate::platform::http::markup::{self, head, html};

/// How a document looks.
const STYLE: &str = include_str!("page.css");

/// What the page may do.
pub fn policy() -> String {
    format!("sandbox; {}; frame-ancestors 'none'", markup::policy(STYLE))
}

/// The page of a document.
pub fn render(paper: &Paper) -> String {
    let mut page = head(&format!("{} {}", paper.title, paper.number), STYLE, "");
    page.push_str(&format!(
        "<body><header><p class=\"office\">{}</p><h1>{}</h1><p class=\"number\">{}</p></header><main>",
        html(&paper.office),
        html(&paper.title),
        html(&paper.number)
    ));
    let mut open = None;
    for block in &paper.blocks {
        let list = match block {
            Block::Item(_) => Some("ol"),
            Block::Fact(..) => Some("dl"),
            Block::To(_) | Block::Heading(_) | Block::Text(_) => None,
        };
        if open != list {
            if let Some(tag) = open {
                page.push_str(&format!("</{tag}>"));
            }
            if let Some(tag) = list {
                page.push_str(&format!("<{tag}>"));
            }
            open = list;
        }
        page.push_str(&match block {
            Block::To(text) => format!("<p class=\"to\">{}</p>", html(text)),
            Block::Heading(text) => format!("<h2>{}</h2>", html(text)),
            Block::Text(text) => format!("<p>{}</p>", html(text)),
            Block::Item(text) => format!("<li>{}</li>", html(text)),
            Block::Fact(what, which) => format!("<dt>{}</dt><dd>{}</dd>", html(what), html(which)),
        });
    }
    if let Some(tag) = open {
        page.push_str(&format!("</{tag}>"));
    }
    page.push_str(&format!(
        "</main><footer><p>{}（印章）</p><p>{}</p></footer></body></html>\n",
        html(&paper.office),
        html(&paper.date)
    ));
    page
}
