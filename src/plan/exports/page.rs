//! The report as a page to print: A4, charts as SVG, no script, nothing from elsewhere.

use super::charts;
use super::safe::{html, number};
use super::sheet::{Figure, Item, Sheet, Status, Term, Tone, moment};
pub use crate::platform::http::markup::{head, policy};

/// How the report looks.
const STYLE: &str = include_str!("page.css");

/// The policy of the report.
pub fn report_policy() -> String {
    policy(STYLE)
}

/// A status: its word, in its colour.
pub fn tag(status: Status) -> String {
    format!("<span class=\"tag {}\">{}</span>", status.tone.class(), html(status.text))
}

/// What a tone means.
pub fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "已完成",
        Tone::Fair => "正常推进",
        Tone::Poor => "落后或有风险",
        Tone::Bad => "未达标",
        Tone::Silent => "待上报",
    }
}

/// How many targets stand where: one bar, and the same in words.
pub fn overall(sheet: &Sheet) -> String {
    let counts = sheet.tones();
    let pairs: Vec<(Tone, usize)> = Tone::ALL.into_iter().zip(counts).collect();
    let words: Vec<String> =
        pairs.iter().map(|(tone, count)| format!("{} {count} 项", tone_word(*tone))).collect();
    let mut shown = charts::stacked(&pairs, &words.join("，"));
    shown.push_str("<ul class=\"key\">");
    for (tone, count) in pairs {
        let (class, word) = (tone.class(), tone_word(tone));
        shown.push_str(&format!("<li><span class=\"tag {class}\">{word}</span> {count} 项</li>"));
    }
    shown.push_str("</ul>");
    shown
}

/// The report as a page. `digest` is that of the figures as CSV.
pub fn report(sheet: &Sheet, digest: &str) -> String {
    let mut page = head(&sheet.title, STYLE, "");
    page.push_str("<body><header>");
    page.push_str(&format!("<h1>{}<br>完成情况</h1>", html(&sheet.title)));
    let about = sheet.focus.as_deref().unwrap_or("全区");
    page.push_str(&format!(
        "<p>统计时点：{}（北京时间）　范围：{}</p><p class=\"soft\">数据摘要 SHA-256（数字 CSV）：<code>{}</code></p></header>",
        moment(sheet.as_of),
        html(about),
        html(digest)
    ));
    page.push_str(&format!(
        "<h2>总体情况</h2><p>共 {} 项目标。</p>{}",
        sheet.figures().count(),
        overall(sheet)
    ));
    summary(&mut page, sheet);
    for (section, items) in sheet.sections() {
        page.push_str(&format!("<h2>{}</h2>", html(section)));
        items.into_iter().for_each(|item| self::item(&mut page, item, sheet.focus.is_some()));
    }
    page.push_str("<section class=\"notes\"><strong>说明</strong><ul>");
    sheet.notes.iter().for_each(|note| page.push_str(&format!("<li>{}</li>", html(note))));
    page.push_str("</ul></section></body></html>\n");
    page
}

fn summary(page: &mut String, sheet: &Sheet) {
    page.push_str(
        "<h2>目标一览</h2><div class=\"wide\"><table><thead><tr><th>目标</th><th>内容</th><th class=\"n\">完成</th>\
         <th class=\"n\">应完成</th><th class=\"n opt\">完成率</th><th>状态</th></tr></thead><tbody>",
    );
    for figure in sheet.figures() {
        page.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{} {}</td><td class=\"n opt\">{}%</td><td>{}</td></tr>",
            html(&figure.code),
            html(&figure.clause),
            number(figure.value),
            number(figure.required),
            html(&figure.unit),
            figure.percent(),
            tag(figure.status)
        ));
    }
    page.push_str("</tbody></table></div>");
}

fn item(page: &mut String, item: &Item, focused: bool) {
    page.push_str(&format!("<h3>{}. {}</h3>", item.number, html(&item.title)));
    if !item.leads.is_empty() {
        page.push_str(&format!("<p class=\"soft\">牵头：{}</p>", html(&item.leads.join("、"))));
    }
    if item.figures.is_empty() {
        page.push_str("<p class=\"soft\">本项没有数量目标。</p>");
    }
    item.figures.iter().for_each(|one| figure(page, one, focused));
}

fn figure(page: &mut String, figure: &Figure, focused: bool) {
    let unit = html(&figure.unit);
    page.push_str(&format!(
        "<div class=\"card\"><div class=\"top\"><span><strong>{}</strong> {}</span>{}</div>\
         <div class=\"top\"><span><span class=\"figure\">{}</span> / {} {unit}（{}%）</span><small>{}</small></div>",
        html(&figure.code),
        html(&figure.clause),
        tag(figure.status),
        number(figure.value),
        number(figure.required),
        figure.percent(),
        html(figure.measure)
    ));
    let says = format!("{}：完成 {}，应完成 {}", figure.code, figure.value, figure.required);
    page.push_str(&charts::bar(
        figure.value,
        figure.required,
        Some(figure.expected),
        figure.status.tone,
        &says,
    ));
    facts(page, figure, focused);
    let drawn = figure.months.iter().any(|month| month.value != 0);
    if drawn || !figure.parts.is_empty() {
        page.push_str("<div class=\"two\">");
        if drawn {
            months(page, figure);
        }
        ranking(page, figure);
        page.push_str("</div>");
    }
    terms(page, &figure.terms);
    page.push_str("</div>");
}

fn facts(page: &mut String, figure: &Figure, focused: bool) {
    let mut facts = vec![format!("按进度应完成 {} {}", number(figure.expected), html(&figure.unit))];
    if let (Some(own), true) = (figure.own, focused) {
        facts.insert(0, format!("<strong>本单位 {} {}</strong>", number(own), html(&figure.part_unit)));
    }
    if let Some(upper) = figure.upper {
        facts.push(format!("上限 {}", number(upper)));
    }
    if let Some((code, status)) = &figure.pair {
        facts.push(format!("与 {} 成对：{}", html(code), tag(*status)));
    }
    if let Some((low, high)) = figure.forecast {
        facts.push(format!("按近期进度预计 {} 至 {}", number(low), number(high)));
    }
    if !figure.composite.is_empty() {
        let each: Vec<String> =
            figure.composite.iter().map(|(has, due)| format!("{}/{}", number(*has), number(*due))).collect();
        facts.push(format!("各部分 {}", each.join("、")));
    }
    if !figure.missing.is_empty() {
        facts.push(format!("尚未覆盖：{}", html(&figure.missing.join("、"))));
    }
    if figure.overlap > 0 {
        facts.push(format!("街道间重复 {}", number(figure.overlap)));
    }
    if figure.grades.iter().any(|grade| *grade != 0) {
        let [a, b, c, d] = figure.grades.map(number);
        let demanded = figure.demanded.map(|share| format!("（要求 A、B 合计不低于 {share}%）"));
        facts.push(format!("证据 A {a}、B {b}、C {c}、D {d}{}", demanded.unwrap_or_default()));
    }
    page.push_str(&format!("<p class=\"soft\">{}</p>", facts.join("；")));
}

fn months(page: &mut String, figure: &Figure) {
    // A line of the same unit: the target's own, where it is a sum.
    let required = (figure.unit == figure.part_unit).then_some(figure.required);
    let paced = figure.months.iter().any(|month| month.pace.is_some());
    let says = format!("{} 按月累计", figure.code);
    page.push_str("<div>");
    page.push_str(&charts::months(&figure.months, required.filter(|_| paced), &says));
    let legend = if paced {
        "柱：当月；线：累计；虚线：按进度；横线：应完成"
    } else {
        "柱：当月；线：累计"
    };
    page.push_str(&format!("<small>{legend}（{}）</small></div>", html(&figure.part_unit)));
}

fn ranking(page: &mut String, figure: &Figure) {
    let most = figure.parts.iter().map(|part| part.value).max().unwrap_or(0);
    if most <= 0 {
        return;
    }
    let agreed =
        if figure.parts.iter().any(|part| part.share.is_some()) { "；斜线后为认领指标" } else { "" };
    page.push_str(&format!("<table><caption>按单位（{}{agreed}）</caption><tbody>", html(&figure.part_unit)));
    for part in &figure.parts {
        let share = part.share.map(|share| format!(" / {}", number(share))).unwrap_or_default();
        page.push_str(&format!(
            "<tr><td>{}</td><td class=\"b\">{}</td><td class=\"n\">{}{share}</td></tr>",
            html(&part.name),
            charts::part(part.value, most),
            number(part.value)
        ));
    }
    page.push_str("</tbody></table>");
}

fn terms(page: &mut String, terms: &[Term]) {
    if terms.is_empty() {
        return;
    }
    page.push_str("<table><caption>按时段</caption><tbody>");
    for term in terms {
        let failing: Vec<String> =
            term.failing.iter().map(|part| format!("{} {}", html(&part.name), number(part.value))).collect();
        let missing =
            if failing.is_empty() { String::new() } else { format!("未达到：{}", failing.join("、")) };
        page.push_str(&format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"soft\">{missing}</td></tr>",
            html(&term.label),
            number(term.value),
            tag(term.status)
        ));
    }
    page.push_str("</tbody></table>");
}
