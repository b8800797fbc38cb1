//! The public board: one page for a screen in the office and for a phone. No login, no script, nobody's data.
//!
//! The page is made once a minute at most in an instance, by whoever asks first, and given to everybody from memory.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

use super::safe::{html, number};
use super::sheet::{Figure, Sheet, moment};
use super::{charts, filling, page, rules};
use crate::error::Result;
use crate::plan::api::Year;
use crate::platform::Platform;
use crate::platform::http::ApiPath;
use crate::platform::http::reply::{etag, knows};

/// How the board looks.
const STYLE: &str = include_str!("board.css");
/// How old the page may be.
const FRESH: TimeDelta = TimeDelta::minutes(1);
/// Pages kept: one a year.
const YEARS: usize = 16;

/// The pages of this instance. Cheap to clone.
#[derive(Clone, Default)]
pub struct Boards(Arc<Mutex<HashMap<i64, Kept>>>);

#[derive(Clone)]
struct Kept {
    at: DateTime<Utc>,
    bytes: Bytes,
    tag: String,
}

/// The public board of a plan / 工作要点公开看板
///
/// A page, not for programs: they have `plan_progress`. At most a minute old; figures of very few people are not shown.
#[utoipa::path(
    tag = "plan", operation_id = "plan_board", security(()),
    params(("year" = i64, Path, description = "The civil year", minimum = 1900, maximum = 9999)),
    responses((status = 200, description = "The page", body = String, content_type = "text/html"),
              (status = 304, description = "As `If-None-Match` names it")),
)]
#[get("/plans/{year}/board")]
pub async fn plan_board(
    platform: Data<Platform>,
    boards: Data<Boards>,
    year: ApiPath<Year>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let kept = boards.page(&platform, year.0.number()).await?;
    let known = knows(&request, &kept.tag);
    let mut response = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    response
        .insert_header((header::ETAG, kept.tag))
        .insert_header((header::CACHE_CONTROL, "public, no-cache"));
    if known {
        return Ok(response.finish());
    }
    let policy = format!("{}; frame-ancestors 'none'", page::policy(STYLE));
    Ok(response
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(kept.bytes))
}

impl Boards {
    /// The page of `year`. While one request makes it, the others wait for it.
    async fn page(&self, platform: &Platform, year: i64) -> Result<Kept> {
        let mut pages = self.0.lock().await;
        let now = platform.clock.now();
        let fresh = |kept: &&Kept| (TimeDelta::zero()..FRESH).contains(&(now - kept.at));
        if let Some(kept) = pages.get(&year).filter(fresh) {
            return Ok(kept.clone());
        }
        let (sheet, least) = platform.db.read(move |c| filling::today(c, year, now)).await?;
        let bytes = Bytes::from(board(&sheet, least));
        let kept = Kept { at: now, tag: etag(0, &bytes), bytes };
        if pages.len() >= YEARS {
            pages.clear();
        }
        pages.insert(year, kept.clone());
        Ok(kept)
    }
}

/// The board of `sheet`. Figures of fewer than `least` people are left out.
pub fn board(sheet: &Sheet, least: i64) -> String {
    // A screen on the wall has nobody who reloads it.
    let mut shown = page::head(&sheet.title, STYLE, "<meta http-equiv=\"refresh\" content=\"60\">");
    shown.push_str(&format!(
        "<body><header><h1>{}</h1><p class=\"soft\">进度看板 Work plan progress　数据时间 as of {}（北京时间）</p><p>共 {} 项目标：</p>{}</header><main>",
        html(&sheet.title),
        moment(sheet.as_of),
        sheet.figures().count(),
        page::overall(sheet)
    ));
    for (section, items) in sheet.sections() {
        let figures: Vec<&Figure> = items.iter().flat_map(|item| &item.figures).collect();
        if figures.is_empty() {
            continue;
        }
        shown.push_str(&format!("<h2>{}</h2><div class=\"cards\">", html(section)));
        figures.into_iter().for_each(|one| card(&mut shown, one, least));
        shown.push_str("</div>");
    }
    shown.push_str(&format!(
        "</main><footer class=\"soft\"><p>条形：已完成；竖线：应完成；空心竖线：按进度应完成。成对目标须同时完成。</p>\
         <p>人数少于 {least} 的数字不公开。数字由签到、现场计数和经审核的上报逐笔汇总。本页每分钟更新。</p></footer></body></html>\n"
    ));
    shown
}

fn card(shown: &mut String, figure: &Figure, least: i64) {
    let value = rules::public_value(figure, least);
    let (told, percent) = match value {
        Some(value) => (number(value), format!("{}%", figure.percent())),
        None => (format!("少于 {least}"), "—".to_owned()),
    };
    let unit = html(&figure.unit);
    shown.push_str(&format!(
        "<section class=\"card\"><div class=\"top\"><strong>{}</strong>{}</div><p class=\"clause\">{}</p>\
         <div class=\"top\"><span><span class=\"figure\">{told}</span> / {} {unit}</span><span>{percent}</span></div>",
        html(&figure.code),
        page::tag(figure.status),
        html(&figure.clause),
        number(figure.required)
    ));
    let says = format!("完成 {told}，应完成 {}", number(figure.required));
    let pace = Some(figure.expected);
    shown.push_str(&charts::bar(value.unwrap_or(0), figure.required, pace, figure.status.tone, &says));
    if let Some((code, status)) = &figure.pair {
        shown.push_str(&format!("<p><small>与 {} 成对：{}</small></p>", html(code), html(status.text)));
    }
    if value.is_some() {
        ranking(shown, figure, least);
    }
    failing(shown, figure);
    shown.push_str("</section>");
}

fn ranking(shown: &mut String, figure: &Figure, least: i64) {
    let parts = rules::public_parts(figure, least);
    let most = parts.iter().filter_map(|(_, value)| *value).max().unwrap_or(0);
    if most <= 0 {
        return;
    }
    shown.push_str(&format!(
        "<details><summary>各单位（{}）</summary><table><tbody>",
        html(&figure.part_unit)
    ));
    for (part, value) in parts {
        let (drawn, told) = match value {
            Some(value) => (charts::part(value, most), number(value)),
            None => (String::new(), "不公开".to_owned()),
        };
        let name = html(&part.name);
        shown.push_str(&format!(
            "<tr><td>{name}</td><td class=\"b\">{drawn}</td><td class=\"n\">{told}</td></tr>"
        ));
    }
    shown.push_str("</tbody></table></details>");
}

/// Who has not reached what each must reach in the last period that is over; names only.
fn failing(shown: &mut String, figure: &Figure) {
    let Some(term) =
        figure.terms.iter().rev().find(|term| !term.failing.is_empty() && term.status.code != "open")
    else {
        return;
    };
    let names: Vec<String> = term.failing.iter().map(|part| html(&part.name)).collect();
    shown.push_str(&format!(
        "<details><summary>{} 未达到：{} 个单位</summary><p>{}</p></details>",
        html(&term.label),
        names.len(),
        names.join("、")
    ));
}
